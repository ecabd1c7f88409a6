# SPDX-License-Identifier: Apache-2.0
"""What happens right now, taken from the log as it grows: the last call of each task, the calls of each
minute, and what has changed.

It is read from the log, so it includes what other replicas do. Nothing is read while no reader asks, and all
readers share one reading.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from remit.core.evidence.event import EventKind
from remit.ports.runtime import Clock
from remit.ports.store.log import Entry, LogStore

#: Events that are read back at first, or after a time in which no reader asked and more were written than
#: `BEHIND`; those of one reading, and the tasks whose last call is kept.
FIRST: Final = 2_000
BEHIND: Final = 10_000
PAGE: Final = 1_000
TASKS: Final = 10_000
MINUTES: Final = 60
#: How long what has changed is collected before readers are told, in seconds.
PAUSE_S: Final = 1.0

_RECORD: Final = msgspec.json.Decoder(dict[str, Any])
#: What an event changes, by the first part of its kind.
_TOPICS: Final = {
    "agent": "agents",
    "approval": "approvals",
    "bundle": "policies",
    "call": "calls",
    "change": "policies",
    "closure": "endings",
    "decision": "calls",
    "delegation": "agents",
    "fence": "endings",
    "finding": "findings",
    "lease": "endings",
    "person": "agents",
    "plan": "tasks",
    "policy": "policies",
    "shadow": "policies",
    "task": "tasks",
    "tool": "tools",
    "upstream": "tools",
}


class LastCall(msgspec.Struct, frozen=True, kw_only=True):
    """The last decided call of a task.

    `outcome` is that of the decision; `observed`: it was refused in observe mode, so the call went on.
    """

    decision: str
    tool: str
    outcome: str
    at: datetime
    observed: bool


class CallMinute(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions of one minute, by outcome."""

    at: datetime
    permitted: int
    refused: int
    asked: int


class Activity:
    """Follows the log of one tenant; for one event loop."""

    def __init__(self, *, store: LogStore, clock: Clock, tenant: str) -> None:
        """Begin without a read."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._next = -1
        self._looked_s = 0.0
        self._turn = asyncio.Lock()
        self._calls: OrderedDict[str, LastCall] = OrderedDict()
        self._minutes: dict[datetime, Counter[str]] = {}
        self._topics: dict[str, int] = {}
        #: The time from which on every call is known; `None` before the first call that was read.
        self.since: datetime | None = None

    async def look(self) -> None:
        """Take in what the log has gained; readers who ask at the same time share one reading."""
        async with self._turn:
            now_s = self._clock.boot_s()
            if self._next >= 0 and now_s - self._looked_s < PAUSE_S / 2:
                return
            size = await self._store.size(self._tenant)
            if self._next < 0 or size - self._next > BEHIND:
                self._begin(max(0, size - FIRST))
            page: list[Entry] | None = None
            while page is None or len(page) == PAGE:
                # Not as far as `size`: that may not include yet what another replica has written.
                page = await self._store.entries(self._tenant, start=self._next, limit=PAGE)
                for entry in page:
                    self._take(entry)
                    self._next = entry.index + 1
            self._looked_s = now_s

    def _begin(self, start: int) -> None:
        """Begin at an index; the calls of the last hour are known from there on."""
        self._minutes.clear()
        self._next = start
        self.since = None if start else self._clock.now() - timedelta(minutes=MINUTES)

    def _take(self, entry: Entry) -> None:
        # A call is no change of its tool.
        called = entry.kind == EventKind.TOOL_CALLED
        topic = "calls" if called else _TOPICS.get(entry.kind.partition(".")[0])
        if topic is not None:
            self._topics[topic] = entry.index
        if entry.kind != EventKind.DECISION_MADE:
            return
        record = _RECORD.decode(entry.leaf)
        facts, at = record["facts"], datetime.fromisoformat(record["at"])
        self.since = self.since or at
        minute = at.replace(second=0, microsecond=0)
        self._minutes.setdefault(minute, Counter())[facts["outcome"]] += 1
        if len(self._minutes) > 2 * MINUTES:
            for old in sorted(self._minutes)[:-MINUTES]:
                del self._minutes[old]
        if entry.task:
            self._calls[entry.task] = LastCall(
                decision=str(record.get("call", "")),
                tool=facts["tool"],
                outcome=facts["outcome"],
                at=at,
                observed=bool(facts.get("observed")),
            )
            self._calls.move_to_end(entry.task)
            if len(self._calls) > TASKS:
                self._calls.popitem(last=False)

    def last_call(self, task: str) -> LastCall | None:
        """Return the last call of a task, as far as it is known."""
        return self._calls.get(task)

    def minutes(self) -> list[CallMinute]:
        """Return the decisions of each of the last `MINUTES` minutes, oldest first."""
        last = self._clock.now().replace(second=0, microsecond=0)
        found = []
        for back in range(MINUTES - 1, -1, -1):
            at = last - timedelta(minutes=back)
            one = self._minutes.get(at, Counter[str]())
            found.append(CallMinute(at=at, permitted=one["permit"], refused=one["deny"], asked=one["defer"]))
        return found

    async def changes(self) -> AsyncIterator[tuple[str, ...]]:
        """Yield the topics that have changed, at most once a second; an empty tuple if nothing has."""
        await self.look()
        seen = dict(self._topics)
        while True:
            await asyncio.sleep(PAUSE_S)
            await self.look()
            changed = tuple(sorted(one for one, at in self._topics.items() if seen.get(one) != at))
            seen = dict(self._topics)
            yield changed
