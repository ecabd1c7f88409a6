# SPDX-License-Identifier: Apache-2.0
"""Count the figures of initiatives event by event, as a log grows.

The same figures as those of `remit assess` from the evidence, whose SQL is in `controls/programme`; one is
tested against the other. Nothing is remembered but the figures of the last days, open tasks, and open
questions.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from remit.core.controls.programme import (
    WITHOUT,
    Crossing,
    Friction,
    Initiative,
    PermissionHours,
    RunningFigures,
    gone_times,
)
from remit.core.controls.status import Count
from remit.core.evidence.event import EventKind
from remit.core.json_value import Json
from remit.core.tools.tool import Tier

#: The kinds of events that are counted.
COUNTED: Final = (
    EventKind.AGENT_REGISTERED,
    EventKind.TASK_OPENED,
    EventKind.TASK_ENDED,
    EventKind.DECISION_MADE,
    EventKind.REFUSALS_COUNTED,
    EventKind.APPROVAL_REQUESTED,
    EventKind.APPROVAL_DECIDED,
    EventKind.CLOSURE_MADE,
)
_PROVEN: Final = frozenset({"key-bound", "attested"})
_ANSWERS: Final = frozenset({"approved", "denied", "narrowed"})
_HOUR_US: Final = 3_600_000_000
_DAY: Final = timedelta(days=1)
_US: Final = timedelta(microseconds=1)
#: Ended tasks, and open questions, that are remembered: the closure and the answer come after them.
_KEPT: Final = 100_000
#: The number of the form in which a tally is stored. It changes with what is counted.
_FORM: Final = 1


class _Day(msgspec.Struct):
    """What one agent did on one day."""

    calls: int = 0
    proven: int = 0
    decided: int = 0
    questions: int = 0
    overturned: int = 0
    waits_ms: list[int] = []
    permissions: int = 0
    used: int = 0
    gone: list[tuple[int | None, int]] = []
    tool_us: int = 0


class _Agent(msgspec.Struct):
    initiative: str = WITHOUT
    crossing: Crossing | None = None
    tier: Tier | None = None
    tier_index: int | None = None
    days: dict[str, _Day] = {}


class _Task(msgspec.Struct):
    agent: str
    tools: list[str]
    opened: datetime
    used: set[str] = set()


class KeptTally(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted up to event `next`, as it is stored. Another `form` is counted again."""

    form: int
    next: int
    last: datetime | None
    agents: dict[str, _Agent]
    tasks: dict[str, _Task]
    ended: dict[str, str]
    asked: dict[str, datetime]
    everyone: dict[str, list[tuple[int | None, int]]]


class ProgrammeTally:
    """The figures of all agents up to the last event that was added; `days` are kept, with the last one."""

    def __init__(self, initiatives: Iterable[Initiative], days: int = 30) -> None:
        """Begin before the first event."""
        self._declared = {one.name: one for one in initiatives}
        self._members = {agent: one.name for one in self._declared.values() for agent in one.agents}
        self._kept_days = days
        self._agents: defaultdict[str, _Agent] = defaultdict(_Agent)
        self._tasks: dict[str, _Task] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._asked: OrderedDict[str, datetime] = OrderedDict()
        self._everyone: dict[str, list[tuple[int | None, int]]] = {}
        self.last: datetime | None = None

    def kept(self, reached: int) -> Json:
        """Return what was counted up to event `reached`, in a form that can be stored."""
        told: Json = msgspec.to_builtins(
            KeptTally(
                form=_FORM,
                next=reached,
                last=self.last,
                agents=dict(self._agents),
                tasks=self._tasks,
                ended=dict(self._ended),
                asked=dict(self._asked),
                everyone=self._everyone,
            )
        )
        return told

    def take(self, kept: Json) -> int:
        """Go on from what was stored; return the next event to count. What cannot be read counts nothing."""
        try:
            told = msgspec.convert(kept, KeptTally)
        except msgspec.ValidationError:
            return 0
        if told.form != _FORM:
            return 0
        self._agents = defaultdict(_Agent, told.agents)
        self._tasks, self._everyone, self.last = told.tasks, told.everyone, told.last
        self._ended, self._asked = OrderedDict(told.ended), OrderedDict(told.asked)
        return told.next

    def add(self, index: int, kind: str, record: Mapping[str, Any]) -> None:
        """Count one event of the log; other kinds than `COUNTED` change nothing."""
        at = datetime.fromisoformat(record["at"])
        facts, agent, task = record["facts"], record.get("agent", ""), record.get("task", "")
        if self.last is None or at.date() > self.last.date():
            self._forget(at)
        self.last = max(at, self.last or at)
        if agent:
            self._agents.setdefault(agent, _Agent())
        match kind:
            case EventKind.AGENT_REGISTERED:
                self._agents[agent or facts.get("agent", "")].initiative = facts.get("initiative", "")
            case EventKind.TASK_OPENED:
                self._tasks[task] = _Task(agent=agent, tools=list(facts.get("tools") or ()), opened=at)
            case EventKind.TASK_ENDED:
                self._end(task, at)
            case EventKind.DECISION_MADE:
                self._decided(index, at, agent, task, facts)
            case EventKind.REFUSALS_COUNTED:
                self._day(agent, at).decided += int(facts.get("count") or 0)
            case EventKind.APPROVAL_REQUESTED:
                self._day(agent, at).questions += 1
                self._asked[str(facts.get("approval"))] = at
                while len(self._asked) > _KEPT:
                    self._asked.popitem(last=False)
            case EventKind.APPROVAL_DECIDED:
                self._answered(at, agent, facts)
            case EventKind.CLOSURE_MADE:
                self._closed(index, at, facts)

    def _day(self, agent: str, at: datetime) -> _Day:
        return self._agents[agent].days.setdefault(at.date().isoformat(), _Day())

    def _forget(self, at: datetime) -> None:
        oldest = (at - (self._kept_days - 1) * _DAY).date().isoformat()
        for one in self._agents.values():
            one.days = {day: kept for day, kept in one.days.items() if day >= oldest}
        self._everyone = {day: kept for day, kept in self._everyone.items() if day >= oldest}

    def _decided(self, index: int, at: datetime, agent: str, task: str, facts: Mapping[str, Any]) -> None:
        day, tool = self._day(agent, at), str(facts.get("tool"))
        day.decided += 1
        observed = bool(facts.get("observed"))
        if facts.get("outcome") == "permit" and task in self._tasks:
            self._tasks[task].used.add(tool)
        if facts.get("outcome") != "permit" and not observed:
            return
        day.calls += 1
        day.proven += facts.get("assurance") in _PROVEN
        if tool.startswith("remit/"):
            return
        one = self._agents[agent]
        # A tier that this version does not know is taken for the highest.
        tier = Tier.__members__.get(str(facts.get("tier")).upper(), Tier.AUTONOMOUS)
        if one.tier is None or tier > one.tier:
            one.tier, one.tier_index = tier, index
        if one.crossing is None and tier > Tier.CONVERSATION:
            effect = str(facts.get("effect") or "")
            one.crossing = Crossing(
                index=index, at=str(at)[:26], agent=agent, tool=tool, effect=effect, observed=observed
            )

    def _answered(self, at: datetime, agent: str, facts: Mapping[str, Any]) -> None:
        asked = self._asked.pop(str(facts.get("approval")), None)
        if facts.get("state") not in _ANSWERS or asked is None:
            return
        day = self._day(agent, at)
        day.waits_ms.append(_ms(at) - _ms(asked))
        day.overturned += facts["state"] != "denied"

    def _end(self, task: str, at: datetime) -> None:
        ended = self._tasks.pop(task, None)
        if ended is None:
            return
        self._ended[task] = ended.agent
        while len(self._ended) > _KEPT:
            self._ended.popitem(last=False)
        day = self._day(ended.agent, at)
        day.permissions += len(ended.tools)
        day.used += sum(tool in ended.used for tool in ended.tools)
        for name, us in _spread(ended.opened, at):
            days = self._agents[ended.agent].days
            days.setdefault(name, _Day()).tool_us += us * len(ended.tools)

    def _closed(self, index: int, at: datetime, facts: Mapping[str, Any]) -> None:
        kind, _, name = str(facts.get("scope")).partition(":")
        known = self._ended.get(name) or (self._tasks[name].agent if name in self._tasks else None)
        agent = name if kind == "agent" else known if kind == "task" else None
        end = (_complete_us(facts), index)
        if agent is not None:
            self._day(agent, at).gone.append(end)
        elif facts.get("tasks", 1):
            self._everyone.setdefault(at.date().isoformat(), []).append(end)

    def figures(self) -> list[RunningFigures]:
        """Return the figures of each initiative, crossed ones first."""
        if self.last is None:
            return [RunningFigures(initiative=one) for one in self._declared.values()]
        groups: dict[str, list[str]] = {name: list(one.agents) for name, one in self._declared.items()}
        for agent, one in self._agents.items():
            name = self._members.get(agent, one.initiative)
            if agent and agent not in groups.setdefault(name, []):
                groups[name].append(agent)
        days = [(self.last - back * _DAY).date().isoformat() for back in range(self._kept_days)][::-1]
        made = [self._figures(name, agents, days) for name, agents in groups.items() if agents or name]
        return sorted(made, key=lambda one: (one.crossing is None, not one.unannounced, one.initiative.name))

    def _figures(self, name: str, agents: list[str], days: list[str]) -> RunningFigures:
        found = [self._agents[agent] for agent in agents if agent in self._agents]
        told = [one.days[day] for one in found for day in days if day in one.days]
        waits = sorted(wait for one in told for wait in one.waits_ms)
        highest = min(
            (
                (-one.tier, one.tier_index)
                for one in found
                if one.tier is not None and one.tier_index is not None
            ),
            default=None,
        )
        known = self._declared.get(name, Initiative(name=name))
        wide = [end for kept in self._everyone.values() for end in kept]
        return RunningFigures(
            initiative=msgspec.structs.replace(known, agents=tuple(agents)),
            crossing=min(
                (one.crossing for one in found if one.crossing is not None),
                key=lambda one: one.index,
                default=None,
            ),
            tier=Tier(-highest[0]) if highest else None,
            tier_index=highest[1] if highest else None,
            proven=Count(total=sum(one.calls for one in told), holding=sum(one.proven for one in told)),
            justified=Count(
                total=sum(one.permissions for one in told), holding=sum(one.used for one in told)
            ),
            gone=gone_times([*wide, *(end for one in told for end in one.gone)]),
            hours=self._hours(agents, days),
            friction=Friction(
                calls=sum(one.decided for one in told),
                questions=sum(one.questions for one in told),
                answered=len(waits),
                waited_s=sum(waits) / 1000,
                median_s=waits[-(-len(waits) // 2) - 1] / 1000 if waits else None,
                overturned=sum(one.overturned for one in told),
            ),
        )

    def _hours(self, agents: list[str], days: list[str]) -> tuple[PermissionHours, ...]:
        stood = dict.fromkeys(days, 0)
        for agent in agents:
            for day, kept in self._agents[agent].days.items() if agent in self._agents else ():
                stood[day] = stood.get(day, 0) + kept.tool_us
        for task in self._tasks.values():
            if task.agent in agents and self.last is not None:
                for day, us in _spread(task.opened, self.last):
                    if day in stood:
                        stood[day] += us * len(task.tools)
        return tuple(PermissionHours(day=day, hours=stood[day] / _HOUR_US) for day in days)


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _spread(first: datetime, last: datetime) -> Iterator[tuple[str, int]]:
    """Yield each day (ISO date) between two times, with the microseconds of it that lie between them."""
    while first < last:
        midnight = datetime(first.year, first.month, first.day, tzinfo=UTC) + _DAY
        yield first.date().isoformat(), (min(last, midnight) - first) // _US
        first = midnight


def _complete_us(facts: Mapping[str, Any]) -> int | None:
    """Return how long an end took to be complete; None if something is open, or it does not tell."""
    if facts.get("indeterminate") or facts.get("fence_us") is None:
        return None
    # The third member of a closing is its time, the second one of what another replica acknowledged.
    times = [one[2] for one in facts.get("closings") or ()]
    times += [one[1] for one in facts.get("acknowledged") or ()]
    if any(not isinstance(one, int) or one < 0 for one in times):
        return None
    longest: int = max(int(facts["fence_us"]), *times, 0)
    return longest
