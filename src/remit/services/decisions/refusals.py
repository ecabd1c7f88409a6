# SPDX-License-Identifier: Apache-2.0
"""Refused calls in the evidence: each is written, until a task floods the log with them.

A task that is refused in a loop would fill the log. Above a rate, its refusals are counted, and the count is
written a few seconds later. The refusals themselves do not change. Anything else that must be committed with
a refusal (a question to people) is always committed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from remit.core.evidence.event import Event
from remit.core.evidence.events.decisions import RefusalsCounted
from remit.core.json_value import Json
from remit.core.tasks.history import HistoryEntry, merged
from remit.ports.runtime import Clock
from remit.ports.store.changes import CountHistory
from remit.ports.store.units import Unit, UnitStore
from remit.services.decisions.write_behind import WriteBehind

#: Refusals of one task that are written individually, and how many more each second after that.
BURST = 200
PER_S = 2.0
#: Limit of tasks that are remembered; the one whose last refusal is oldest is dropped first.
MAX_TASKS = 10_000
#: Limit of tools and of codes that a count names, and of those that are counted apart until then.
NAMED = 10
COUNTED_APART = 100


#: Tenant, family and the names of an entry, with amount and time.
_History = dict[tuple[str, str, str, str, str, str], tuple[int, int]]


@dataclass(slots=True)
class _Refused:
    """The state of one task: how many of its refusals may still be written, and those that were only
    counted.
    """

    left: float
    since_s: float
    counted: int = 0
    sample: Event | None = None
    #: By name; of tools that exist, of others, and of codes.
    known: dict[str, int] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    #: What the counted ones add to the history: amount and time.
    history: _History = field(default_factory=dict)


class Refusals:
    """Writes refusals, and counts floods of them. For one event loop."""

    def __init__(
        self, store: UnitStore, clock: Clock, late: WriteBehind, exists: Callable[[str], bool]
    ) -> None:
        """Begin without refusals; `exists` is whether there is a tool with an id.

        INVARIANT: names that an agent invents take no place from tools that exist.
        """
        self._exists = exists
        self._store = store
        self._clock = clock
        self._late = late
        self._tasks: OrderedDict[str, _Refused] = OrderedDict()

    async def record(self, event: Event, along: Unit, history: tuple[CountHistory, ...] = ()) -> None:
        """Write the refusal of a task's call, or count it; commit `along` with it if `along` is not empty.

        `history` is written with the refusal, or with the count.
        """
        known = self._known(event.task)
        if known.left >= 1 or along.changes or along.events:
            known.left = max(0.0, known.left - 1)
            await self._store.commit(Unit((*along.changes, *history), (event, *along.events)))
            return
        known.counted += 1
        known.sample = event
        for change in history:
            for one in change.entries:
                key = (change.tenant, change.family, *one[:4])
                _join(known.history, {key: (one.amount, one.at_ms)})
        tool = str(event.facts.get("tool"))
        _note(known.known if self._exists(tool) else known.others, tool)
        for code in _codes(event):
            _note(known.codes, code)

    def _known(self, task: str) -> _Refused:
        now_s = self._clock.boot_s()
        known = self._tasks.get(task)
        if known is None:
            self._forget(now_s)
            known = self._tasks[task] = _Refused(BURST, now_s)
            if len(self._tasks) > MAX_TASKS:
                _, forgotten = self._tasks.popitem(last=False)
                if forgotten.counted:
                    self._late.write(Unit(_changes(forgotten.history), (self._summary(forgotten),)))
        known.left = min(BURST, known.left + PER_S * (now_s - known.since_s))
        known.since_s = now_s
        self._tasks.move_to_end(task)
        return known

    def _forget(self, now_s: float) -> None:
        """Drop the oldest tasks that may be refused as often again as one that is not known."""
        while self._tasks:
            task, oldest = next(iter(self._tasks.items()))
            if oldest.counted or now_s - oldest.since_s < BURST / PER_S:
                return
            del self._tasks[task]

    async def sweep(self) -> int:
        """Write the refusals that were only counted so far; return the number of tasks. For a background
        loop.
        """
        counted_ones = [one for one in self._tasks.values() if one.counted]
        for one in counted_ones:
            counted, event, history = one.counted, self._summary(one), one.history
            one.history = {}
            try:
                await self._store.commit(Unit(_changes(history), (event,)))
            except BaseException:
                _join(one.history, history)
                raise
            one.counted -= counted
            one.known.clear()
            one.others.clear()
            one.codes.clear()
        return len(counted_ones)

    def _summary(self, one: _Refused) -> Event:
        assert one.sample is not None
        tools = {**_most(one.known, NAMED), **_most(one.others, NAMED - min(len(one.known), NAMED - 1))}
        counted = RefusalsCounted(
            count=one.counted,
            codes=sorted(_most(one.codes, NAMED)),
            tools=list(tools),
            times=list(tools.values()),
        )
        return Event.of(
            counted,
            at=self._clock.now(),
            tenant=one.sample.tenant,
            task=one.sample.task,
            agent=one.sample.agent,
            subject=one.sample.subject,
        )


def _join(into: _History, more: _History) -> None:
    for key, (amount, at_ms) in more.items():
        into[key] = merged(into.get(key), amount, at_ms)


def _changes(history: _History) -> tuple[CountHistory, ...]:
    return tuple(
        CountHistory(tenant, family, (HistoryEntry(task, counter, same, part, *kept),))
        for (tenant, family, task, counter, same, part), kept in history.items()
    )


def _note(into: dict[str, int], value: Json) -> None:
    """Count a name; beyond the bound, in place of the rarest one, so that a frequent name stays."""
    if not isinstance(value, str):
        return
    name = value[:200]
    if name not in into and len(into) >= COUNTED_APART:
        rarest = min(into, key=lambda one: into[one])
        del into[rarest]
    into[name] = into.get(name, 0) + 1


def _most(counts: dict[str, int], most: int) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most])


def _codes(event: Event) -> list[Json]:
    return [one.get("code") for one in event.facts.get("reasons", [])]
