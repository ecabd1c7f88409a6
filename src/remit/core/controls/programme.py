# SPDX-License-Identifier: Apache-2.0
"""The programme: each initiative with what the evidence says of it.

An initiative crosses a boundary with the first call above the tier `conversation` that its agents may make:
from then on they read data, call tools or trigger actions under an identity, and identity has to be governed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from remit.core.controls.control_report import CheckAnswer, ControlAnswer, Measurement
from remit.core.controls.status import ControlStatus, Count
from remit.core.tools.tool import Tier

#: The name of the group of agents that belong to no initiative.
WITHOUT: Final = ""


class Initiative(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of an AI programme. `acts`: its sponsor knows that it crosses the boundary."""

    name: str
    sponsor: str = ""
    description: str = ""
    agents: tuple[str, ...] = ()
    acts: bool = False

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.name or "agents without an initiative"


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """The first call across the boundary: its event's index, time in UTC, agent, tool, and effect.

    `observed`: policy refused it, in a mode that refuses nothing.
    """

    index: int
    at: str
    agent: str
    tool: str
    effect: str = ""
    observed: bool = False

    @property
    def how(self) -> str:
        """What the call does, in words."""
        return "reads data" if self.effect == "none" else "triggers an action"


class GoneTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long after the order each end was complete: `p99_us` in microseconds, by nearest rank.

    An end that left something open, or does not tell, has no such time and stands after all that have. `None`
    where there are no ends, or the rank falls on one without a time. `index` is the event of that end.
    """

    ends: int = 0
    untold: int = 0
    p99_us: int | None = None
    index: int | None = None

    @property
    def headline(self) -> str:
        """The time, or that there is none."""
        if self.p99_us is None:
            return "not known" if self.ends else "not measured"
        return milliseconds(self.p99_us)

    @property
    def says(self) -> str:
        """The answer in words."""
        if not self.ends:
            return "not measured: no ends in this window"
        of = f"{self.ends:,} {'end' if self.ends == 1 else 'ends'}"
        if self.p99_us is None:
            return f"not known: {self.untold:,} of {of} left something open"
        left = f"; {self.untold:,} left something open" if self.untold else ""
        return f"{milliseconds(self.p99_us)} (p99 of {of}{left})"


def gone_times(ends: Sequence[tuple[int | None, int]]) -> GoneTimes:
    """Return the times of ends: the microseconds of each, `None` where it has none, and its event's index."""
    if not ends:
        return GoneTimes()
    ranked = sorted(ends, key=lambda one: (one[0] is None, one[0] or 0, one[1]))
    us, index = ranked[-(-len(ranked) * 99 // 100) - 1]
    return GoneTimes(ends=len(ranked), untold=sum(us is None for us, _ in ranked), p99_us=us, index=index)


def milliseconds(us: int) -> str:
    """Return a time in milliseconds, rounded up: nothing was gone earlier."""
    tenths = -(-us // 100)
    return f"{tenths // 10:,}.{tenths % 10} ms" if tenths < 1_000 else f"{-(-us // 1000):,} ms"


class Friction(msgspec.Struct, frozen=True, kw_only=True):
    """What governing costs people: decided `calls`, `questions`, the time that answers took, and the refusals
    that a person overturned (`approved` or `narrowed`). `median_s` is `None` without answers.
    """

    calls: int = 0
    questions: int = 0
    answered: int = 0
    waited_s: float = 0.0
    median_s: float | None = None
    overturned: int = 0
    indexes: tuple[int, ...] = ()

    def per_100(self, count: float) -> str:
        """Return a count for 100 calls, rounded up to a tenth."""
        if not self.calls:
            return "not measured"
        tenths = -(-count * 1000 // self.calls)
        return f"{tenths / 10:,.1f}"


class PermissionHours(msgspec.Struct, frozen=True, kw_only=True):
    """The hours that permissions stood on one day (ISO date): a tool of a task for an hour is one."""

    day: str
    hours: float


class InitiativeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """An initiative with what was counted. Without a `crossing` its tier requires nothing."""

    initiative: Initiative
    crossing: Crossing | None = None
    tier: Tier | None = None
    tier_index: int | None = None
    gone: GoneTimes = GoneTimes()
    hours: tuple[PermissionHours, ...] = ()
    friction: Friction = Friction()

    @property
    def unannounced(self) -> bool:
        """Whether it has crossed, and its sponsor has not said that it does."""
        return self.crossing is not None and not self.initiative.acts

    @property
    def trend(self) -> str:
        """Whether permission-hours fall: the later half of the days against the earlier one, in words."""
        total = sum(one.hours for one in self.hours)
        middle = len(self.hours) // 2
        early = sum(one.hours for one in self.hours[:middle])
        late = sum(one.hours for one in self.hours[len(self.hours) - middle :])
        said = f"{total:,.1f} permission-hours"
        if not early:
            return f"{said}; no trend: nothing stood in the first half of the window"
        change = round((late - early) * 100 / early)
        words = "falling" if change < 0 else "rising" if change > 0 else "level"
        return f"{said}, {words} ({change:+,} % from the first to the second half)"


class InitiativeAnswer(InitiativeFigures, frozen=True, kw_only=True):
    """An initiative with what was measured on a verified log, and the controls that its tier requires."""

    controls: tuple[ControlAnswer, ...] = ()
    proven: CheckAnswer
    justified: CheckAnswer
    hours_indexes: tuple[int, ...] = ()

    @property
    def required(self) -> list[CheckAnswer]:
        """The controls that its tier requires, each with its measure."""
        return [check for one in self.controls for check in one.checks]

    @property
    def held(self) -> int:
        """How many of these are met."""
        return sum(one.status is ControlStatus.MET for one in self.required)

    @property
    def measured(self) -> list[Measurement]:
        """All measurements by events."""
        return [one.measured for one in (self.proven, self.justified, *self.required)]


class RunningFigures(InitiativeFigures, frozen=True, kw_only=True):
    """An initiative with what a running remit has counted so far."""

    proven: Count = Count()
    justified: Count = Count()


class ProgrammeReport(msgspec.Struct, frozen=True, kw_only=True):
    """The initiatives, crossed ones first. `since` and `until` are ISO 8601, empty for an empty log.

    `verified` is whether the events were verified for this report. The text of `pruned` events from before
    `pruned_before` was gone.
    """

    origin: str
    size: int
    since: str
    until: str
    days: float
    answers: tuple[InitiativeAnswer, ...]
    verified: bool = True
    pruned: int = 0
    pruned_before: str = ""

    @property
    def unannounced(self) -> list[InitiativeAnswer]:
        """The initiatives that crossed the boundary unannounced."""
        return [one for one in self.answers if one.unannounced]

    @property
    def indexes(self) -> list[int]:
        """The indexes of all events that the report names, in order."""
        found: set[int | None] = set()
        for one in self.answers:
            found |= {one.crossing.index if one.crossing else None, one.tier_index, one.gone.index}
            found.update(one.hours_indexes, one.friction.indexes)
            for each in one.measured:
                found.update(each.holding, (index for index, _ in each.exceptions))
        return sorted(index for index in found if index is not None)
