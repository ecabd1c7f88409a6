# SPDX-License-Identifier: Apache-2.0
"""Retention: the text and the values of old events are removed, on record; hashes and proofs stay.

1. what is pruned is older than 30 days and than the configured time, always. A log that was changed is
   not pruned: that would remove the traces
2. events are pruned in the order of the log. The first younger event ends it, as do the first one that is not
   signed, that a sink has not taken (unless that is waived), and that permitted a call without outcome yet
3. events of a task that is open, or was used since, stay, as do those that an open finding names
4. each slice is one commit with the event that names it: a process may stop at any time, and of two prunes
   of the same event one is refused
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import msgspec

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence.event import Event, EventKind, timestamp
from remit.core.evidence.events.state_rows import StateChanged
from remit.core.evidence.events.system import LogPruned
from remit.core.evidence.export import LeafRead, read_leaf
from remit.core.evidence.pruning import LEAST_AGE, NEVER_PRUNED, spans_of
from remit.core.findings.finding import FindingState
from remit.core.json_value import Json
from remit.ports.evidence.log import Head
from remit.ports.runtime import Clock
from remit.ports.store.findings import FindingStore
from remit.ports.store.log import Entry, LogStore
from remit.ports.store.tasks import TaskStore
from remit.services.evidence.exports import CURSOR, ExportTarget
from remit.services.evidence.followers import Followers
from remit.services.evidence.log import is_as_recorded

#: Events that are looked at, and at most pruned, in one commit.
SLICE: Final = 1_000
_MOST_FINDINGS: Final = 2**31 - 1
_REMIT: Final = "remit"


class _Rooms(LogStore, TaskStore, FindingStore, Protocol):
    """The store interfaces that retention uses."""


class RetentionRule(msgspec.Struct, frozen=True, kw_only=True):
    """Events are pruned once they are older than `keep`; `None`: by command alone. `exported` is whether
    every sink must have taken them before.
    """

    keep: timedelta | None = None
    exported: bool = True


class PrunedEvents(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune did: how many events it removed, how many of the same age stay, and why it ended where it
    did.
    """

    before: str
    pruned: int
    held: int
    ended: str


class _Holds(msgspec.Struct, frozen=True):
    """What open findings name: ids of tasks, calls and findings, and indexes of events."""

    names: frozenset[str]
    events: frozenset[int]


class _Slice(msgspec.Struct):
    """The events of a slice to prune, and those of the same age that stay."""

    indexes: list[int]
    held: int = 0
    reached: int = 0
    ended: str = ""


class Retention:
    """Prunes the log of one tenant. Of several replicas, the one that does the shared chores keeps the
    rule.
    """

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        cursors: Followers,
        signed: Callable[[], Head | None],
        changed: Callable[[], bool],
        targets: Mapping[str, ExportTarget],
        tenant: str,
        rule: RetentionRule,
    ) -> None:
        """Take the dependencies; `changed` is whether the log is known to have been changed."""
        self._store = store
        self._clock = clock
        self._cursors = cursors
        self._signed = signed
        self._changed = changed
        self._targets = targets
        self._tenant = tenant
        self._lock = asyncio.Lock()
        self.rule = rule

    async def turn(self) -> None:
        """Prune what the rule says, up to the begin of a day. For a background loop."""
        if self.rule.keep is not None:
            before = (self._clock.now() - self.rule.keep).replace(hour=0, minute=0, second=0, microsecond=0)
            await self.prune(before, by=_REMIT, reason="retention", exported=self.rule.exported)

    async def prune(
        self, before: datetime, *, by: str, reason: str = "", exported: bool = True
    ) -> PrunedEvents:
        """Prune events from before a time; `exported` false waives that a sink must have taken them.

        Raises `Malformed` for a time that is too late, or where nothing is exported, and `VerificationFailed`
        for a log that was changed.
        """
        before = before.astimezone(UTC)
        self._check_age(before)
        async with self._lock:
            bound, ended = await self._bound(exported)
            body = LogPruned(
                ranges=[],
                events=0,
                before=timestamp(before),
                exports=sorted(self._targets) if exported else [],
                without_export=not exported,
                reason=reason,
                by=by,
            )
            return await self._prune(body, before, bound, ended)

    def _check_age(self, before: datetime) -> None:
        least = max(LEAST_AGE, self.rule.keep or LEAST_AGE)
        if self._clock.now() - before < least:
            raise Malformed(
                f"events of the last {least.days} days stay",
                code="too-young",
                remediation=f"give a time at least {least.days} days ago",
            )

    async def _bound(self, exported: bool) -> tuple[int, str]:
        """Return the first event that is not pruned whatever its age, and why."""
        if self._changed():
            raise VerificationFailed(
                "the log was changed in the store, and pruning would remove the traces",
                code="log-changed",
                remediation="see `remit audit verify`, and restore the original store",
            )
        head = self._signed()
        bound, ended = (head.size if head is not None else 0), "the events from there on are not signed yet"
        if exported and not self._targets:
            raise Malformed(
                "the evidence is exported nowhere",
                code="not-exported",
                remediation="configure `evidence.exports`, or prune without an export",
            )
        for name in self._targets if exported else ():
            position = await self._cursors.position(CURSOR + name, first=0)
            if position < bound:
                bound, ended = position, f"the export `{name}` has not taken the events from there on"
        return bound, ended

    async def _prune(self, body: LogPruned, before: datetime, bound: int, ended: str) -> PrunedEvents:
        holds, open_calls = await self._holds(), await self._open_calls()
        at = pruned = held = 0
        while True:
            part = await self._slice(at, before, bound, holds, open_calls)
            pruned, held = pruned + len(part.indexes), held + part.held
            if part.indexes:
                spans = spans_of(part.indexes)
                told = msgspec.structs.replace(
                    body, ranges=[list(span) for span in spans], events=len(part.indexes)
                )
                event = Event.of(told, at=self._clock.now(), tenant=self._tenant, subject=body.by)
                await self._store.prune(self._tenant, spans, event)
            if part.ended:
                break
            at = part.reached
        return PrunedEvents(
            before=body.before, pruned=pruned, held=held, ended=ended if part.ended == _BOUND else part.ended
        )

    async def _slice(
        self, start: int, before: datetime, bound: int, holds: _Holds, open_calls: frozenset[str]
    ) -> _Slice:
        """Do steps 2 and 3 for the next events."""
        page = await self._store.entries(self._tenant, start=start, limit=SLICE)
        read = [(entry, _read(entry)) for entry in page]
        held_tasks = await self._held_tasks({entry.task for entry in page if entry.task}, before)
        now = self._clock.now()
        found = _Slice(indexes=[], ended="" if page else _BOUND)
        for entry, (leaf, facts) in read:
            at = datetime.fromisoformat(leaf.at)
            if entry.index >= bound:
                found.ended = _BOUND
            elif leaf.kind == EventKind.DECISION_MADE and leaf.call in open_calls:
                found.ended = f"the call of event {entry.index} has no outcome yet"
            elif before <= at <= now:
                found.ended = f"event {entry.index} is of {leaf.at}"
            if found.ended:
                break
            found.reached = entry.index + 1
            if (
                at > now  # a clock was wrong; that must not keep all others for ever
                or leaf.kind in NEVER_PRUNED
                or leaf.task in held_tasks
                or entry.index in holds.events
                or not holds.names.isdisjoint((leaf.task, leaf.call, str(facts.get("finding", ""))))
            ):
                found.held += 1
            else:
                found.indexes.append(entry.index)
        return found

    async def _held_tasks(self, tasks: set[str], before: datetime) -> set[str]:
        """Return the tasks that are open, or unknown, or whose last event is not older than `before`."""
        last = await self._store.last_events(self._tenant, sorted(tasks)) if tasks else {}
        held = set[str]()
        for name in tasks:
            index = last.get(name, -1)
            ends = await self._store.entries(self._tenant, start=max(0, index), limit=1)
            # A last event that is not there was pruned, so it was old.
            old = all(_time(one) < before for one in ends if one.index == index)
            if not old or not await self._has_ended(name):
                held.add(name)
        return held

    async def _has_ended(self, name: str) -> bool:
        try:
            task = await self._store.task(self._tenant, name)
        except StateChanged:
            return False  # others changed its row, so what it says counts for nothing
        return task is not None and task.state.ended

    async def _holds(self) -> _Holds:
        found = await self._store.findings(self._tenant, state=FindingState.OPEN, limit=_MOST_FINDINGS)
        names, events = set[str](), set[int]()
        for one in found:
            names |= {one.id, one.about.partition(":")[2]}
            for value in _values(one.facts):
                if isinstance(value, int):
                    events.add(value)
                elif isinstance(value, str):
                    names.add(value)
        names.discard("")
        # The whole call, and the whole task, of a named event.
        for index in sorted(events):
            for entry in await self._store.entries(self._tenant, start=max(0, index), limit=1):
                leaf, _ = _read(entry)
                names |= {one for one in (leaf.task, leaf.call) if one and entry.index == index}
        return _Holds(frozenset(names), frozenset(events))

    async def _open_calls(self) -> frozenset[str]:
        return frozenset(one.call for one in await self._store.unfinished(self._tenant))


#: A slice ended at the bound.
_BOUND: Final = "bound"


def _read(entry: Entry) -> tuple[LeafRead, dict[str, Json]]:
    """Return an event's record; raise `VerificationFailed` for one that was changed in the store."""
    if not is_as_recorded(entry):
        raise VerificationFailed(
            f"event {entry.index} differs from the recorded one, and pruning would remove the traces",
            code="event-changed",
            remediation="see `remit audit verify`, and restore the original store",
        )
    return read_leaf(entry.leaf)


def _time(entry: Entry) -> datetime:
    return datetime.fromisoformat(_read(entry)[0].at)


def _values(value: Json) -> Iterator[Json]:
    """Yield the texts and numbers in a value, without those that say how many or when."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            if not isinstance(one, int) or name in ("event", "index"):
                yield from _values(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _values(one)
    else:
        yield value
