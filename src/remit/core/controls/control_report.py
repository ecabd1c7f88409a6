# SPDX-License-Identifier: Apache-2.0
"""A report: the controls of one framework with what was measured of each in one log."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from remit.core.controls.control import Control, Framework, Measure, MeasuredCheck
from remit.core.controls.status import ControlStatus, Count, check_status, control_status, sentence

_WORST: Final = (
    ControlStatus.NOT_MET,
    ControlStatus.PARTLY,
    ControlStatus.NOT_MEASURED,
    ControlStatus.MET,
)


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What a measure counted: indexes of events of subjects that hold (the first and the last one), and the
    first exceptions, each with its name.
    """

    count: Count
    holding: tuple[int, ...] = ()
    exceptions: tuple[tuple[int, str], ...] = ()


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A check with what was measured."""

    check: MeasuredCheck
    measure: Measure
    measured: Measurement

    @property
    def status(self) -> ControlStatus:
        """Its status."""
        return check_status(self.check, self.measured.count)

    @property
    def says(self) -> str:
        """The sentence with the numbers."""
        return sentence(self.measure, self.measured.count)


class ControlAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A control with the answers of its checks."""

    control: Control
    checks: tuple[CheckAnswer, ...] = ()

    @property
    def status(self) -> ControlStatus:
        """Its status."""
        return control_status(self.control, [one.status for one in self.checks])

    @property
    def decided_by(self) -> str:
        """What decides the status: the first of the worst checks, or what is outside."""
        if not self.checks:
            return self.control.outside
        worst = min(self.checks, key=lambda one: _WORST.index(one.status))
        if worst.status is ControlStatus.MET and self.status is not ControlStatus.MET:
            return f"the greater part is outside remit: {self.control.outside}"
        met = sum(one.status is ControlStatus.MET for one in self.checks)
        return f"{met} of {len(self.checks)} checks met; {worst.says}" if len(self.checks) > 1 else worst.says


class ControlReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answers for a framework. `since` and `until` are ISO 8601 in UTC, empty for an empty log.

    `verified` is whether the events were verified for this report. The text of `pruned` events from before
    `pruned_before` was gone.
    """

    framework: Framework
    origin: str
    size: int
    since: str
    until: str
    days: float
    answers: tuple[ControlAnswer, ...]
    verified: bool = True
    pruned: int = 0
    pruned_before: str = ""

    @property
    def counts(self) -> dict[ControlStatus, int]:
        """Return how many controls have each status."""
        found = Counter(one.status for one in self.answers)
        return {status: found[status] for status in ControlStatus}

    @property
    def indexes(self) -> list[int]:
        """Return the indexes of all events that the report names, in order."""
        named = [check.measured for one in self.answers for check in one.checks]
        found = {index for one in named for index in one.holding}
        return sorted(found | {index for one in named for index, _ in one.exceptions})
