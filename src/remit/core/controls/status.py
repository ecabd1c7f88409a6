# SPDX-License-Identifier: Apache-2.0
"""The status of a control, from what was counted.

Laws: no data is never `met`; what does not hold never improves a status; the worst check decides; what remit
cannot know is outside.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

import msgspec

from remit.core.controls.control import Control, Measure, MeasuredCheck


class ControlStatus(enum.StrEnum):
    """The status of a check or of a control, best first."""

    MET = "met"
    PARTLY = "partly"
    NOT_MET = "not-met"
    NOT_MEASURED = "not-measured"
    OUTSIDE = "outside-remit"

    @property
    def words(self) -> str:
        """The status as people read it."""
        return self.value.replace("-", " ")


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many subjects there are, of how many it holds, and of how many the export does not tell."""

    total: int = 0
    holding: int = 0
    unknown: int = 0

    @property
    def exceptions(self) -> int:
        """Subjects of which it does not hold, or is not known to."""
        return self.total - self.holding


def check_status(check: MeasuredCheck, count: Count) -> ControlStatus:
    """Return the status of a check; an unknown subject counts as one that does not hold."""
    if not count.total:
        return ControlStatus.NOT_MEASURED
    if count.holding * 100 >= check.met * count.total:
        return ControlStatus.MET
    enough = count.holding * 100 >= check.partly * count.total
    return ControlStatus.PARTLY if enough else ControlStatus.NOT_MET


def control_status(control: Control, checks: Collection[ControlStatus]) -> ControlStatus:
    """Return the status of a control: that of its worst check, and `partly` while one is not measured."""
    if not control.checks:
        return ControlStatus.OUTSIDE
    if ControlStatus.NOT_MET in checks:
        return ControlStatus.NOT_MET
    if set(checks) <= {ControlStatus.NOT_MEASURED}:
        return ControlStatus.NOT_MEASURED
    if control.at_best == "partly" or set(checks) != {ControlStatus.MET}:
        return ControlStatus.PARTLY
    return ControlStatus.MET


def share(count: Count) -> str:
    """Return the share that holds as a percentage, rounded down: only all are 100 %."""
    thousandths = count.holding * 1000 // count.total if count.total else 0
    whole, tenth = divmod(thousandths, 10)
    return f"{whole}.{tenth} %" if tenth else f"{whole} %"


def sentence(measure: Measure, count: Count) -> str:
    """Return what was measured, with its numbers."""
    if not count.total:
        return f"no {measure.subjects} in this window"
    if count.total == count.unknown:
        return f"{count.total:,} {measure.subjects}, and this export does not tell which {measure.holding}"
    said = f"{share(count)} of {count.total:,} {measure.subjects} {measure.holding}"
    missing = count.exceptions - count.unknown
    said += f"; {missing:,} {'exception' if missing == 1 else 'exceptions'}" if missing else ""
    return said + (f"; {count.unknown:,} unknown" if count.unknown else "")
