# SPDX-License-Identifier: Apache-2.0
"""Refused calls in the evidence: each is written, until a task floods the log with them.

A task that is refused in a loop would fill the log. Above a rate, its refusals are counted, and the count is
written a few seconds later. The refusals themselves do not change. Anything else that must be committed with
a refusal (a question to people) is always committed.
"""

from __future__ import annotations

from collections import OrderedDict
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
#: Limit of tools and of codes that a count names.
NAMED = 10


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
    tools: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    #: What the counted ones add to the history: amount and time.
    history: _History = field(default_factory=dict)


class Refusals:
    """Writes refusals, and counts floods of them. For one event loop."""

    def __init__(self, store: UnitStore, clock: Clock, late: WriteBehind) -> None:
        """Begin without refusals."""
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
        _note(known.tools, event.facts.get("tool"))
        for code in _codes(event):
            _note(known.codes, code)

    def _known(self, task: str) -> _Refused:
        now_s = self._clock.boot_s()
        known = self._tasks.get(task)
        if known is None:
            known = self._tasks[task] = _Refused(BURST, now_s)
            if len(self._tasks) > MAX_TASKS:
                _, forgotten = self._tasks.popitem(last=False)
                if forgotten.counted:
                    self._late.write(Unit(_changes(forgotten.history), (self._summary(forgotten),)))
        known.left = min(BURST, known.left + PER_S * (now_s - known.since_s))
        known.since_s = now_s
        self._tasks.move_to_end(task)
        return known

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
            one.tools.clear()
            one.codes.clear()
        return len(counted_ones)

    def _summary(self, one: _Refused) -> Event:
        assert one.sample is not None
        counted = RefusalsCounted(count=one.counted, codes=sorted(one.codes), tools=sorted(one.tools))
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


def _note(into: set[str], value: Json) -> None:
    if isinstance(value, str) and len(into) < NAMED:
        into.add(value[:200])


def _codes(event: Event) -> list[Json]:
    return [one.get("code") for one in event.facts.get("reasons", [])]
