# SPDX-License-Identifier: Apache-2.0
"""Continuous exports: each sink receives the whole log from its first event on, in order, at least once.

1. the log itself is the queue. For each sink one number is stored: the index before which it has everything
2. only events under a signed head go out, and the head follows them as a checkpoint line
3. a batch is repeated, with growing pauses, until the sink has taken it. Nothing is skipped, and a slow sink
   delays no other, and no call
4. a sink that stays behind for too long is a finding, which is resolved once it has caught up
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from remit.core.errors import RemitError
from remit.core.evidence.ocsf import (
    WITHHELD,
    ExportedEvent,
    ExportLine,
    checkpoint_of,
    event_of,
    pruned_of,
)
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import person_of
from remit.ports.evidence.log import Head
from remit.ports.evidence.sinks import EvidenceSink
from remit.ports.runtime import Clock
from remit.ports.store.log import Entry, LogStore
from remit.ports.store.tasks import TaskStore
from remit.services.evidence.followers import Followers
from remit.services.findings.findings import Findings

log = logging.getLogger("remit.export")

#: What the name of a sink's position begins with (`services.evidence.followers`).
CURSOR: Final = "export/"
#: Pauses between failing attempts: the first one, doubled up to the second one.
PAUSE_S: Final = (1.0, 60.0)
#: The most events and bytes of a batch, and the most batches of one turn.
BATCH_EVENTS: Final = 200
BATCH_BYTES: Final = 512 * 1024
BATCHES: Final = 50
#: Events that are written out before calls get their turn.
_AT_ONCE: Final = 10
#: Sealed values that name who acted, the first one that an event has.
_WHO: Final = ("by", "person", "on_behalf_of", "requested_by")


class _Rooms(LogStore, TaskStore, Protocol):
    """The store interfaces that an export reads."""


class ExportTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A sink, and what it is told: names of people or not, sealed values by name, the leaf's exact text or
    its hash alone. Being behind by more than `lag` is a finding.
    """

    name: str
    sink: EvidenceSink
    people: bool = False
    values: frozenset[str] = frozenset()
    leaf: bool = True
    lag: timedelta = timedelta(minutes=15)


class ExportLag(msgspec.Struct, frozen=True):
    """How far a sink is behind the signed log: events that it has not taken, and the oldest one's time."""

    events: int = 0
    since: datetime | None = None


class Exports:
    """Exports to all sinks. For one event loop; of several replicas, the one that does the shared chores."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        cursors: Followers,
        signed: Callable[[], Head | None],
        findings: Findings,
        tenant: str,
        origin: str,
        version: str,
        targets: Mapping[str, ExportTarget],
    ) -> None:
        """Take the dependencies; `signed` returns the last signed head."""
        self._store = store
        self._clock = clock
        self._cursors = cursors
        self._signed = signed
        self._findings = findings
        self._tenant = tenant
        self._origin = origin
        self._version = version
        self.targets = targets
        #: By sink: the head that the lines under way lead to.
        self._heads: dict[str, Head] = {}
        self._due_s: dict[str, float] = {}
        self._pause_s: dict[str, float] = {}
        self._late: set[str] | None = None
        #: Why exporting fails, and how far each sink is behind.
        self.failing: dict[str, str] = {}
        self.lags: dict[str, ExportLag] = {}

    async def turn_of(self, name: str) -> int:
        """Export to one sink what is due; return the number of events. For a separate background loop."""
        target, sent = self.targets[name], 0
        if self._clock.boot_s() >= self._due_s.get(name, 0.0):
            try:
                for _ in range(BATCHES):
                    taken = await self._batch(target)
                    sent += taken
                    if not taken:
                        break
            except RemitError as fault:
                self._failed(name, fault)
            else:
                self._pause_s.pop(name, None)
                if self.failing.pop(name, None) is not None:
                    log.warning("the export `%s` works again", name)
        await self._look(target)
        return sent

    async def _batch(self, target: ExportTarget) -> int:
        """Do steps 1 to 3 once; return how many events the sink has taken."""
        cursor = CURSOR + target.name
        position = await self._cursors.position(cursor, first=0)
        # The head stays until the lines have reached it: a busy log would otherwise get no checkpoint.
        head = self._heads.get(target.name) or self._signed()
        if head is None or head.size <= position:
            self._heads.pop(target.name, None)
            self.lags[target.name] = ExportLag()
            return 0
        self._heads[target.name] = head
        lines = await self._lines(target, position, head.size)
        reached = lines[-1].index + 1
        now = self._signed() or head
        self.lags[target.name] = ExportLag(max(now.size, head.size) - position, lines[0].at)
        if reached == head.size:
            lines.append(await self._checkpoint(head))
        await target.sink.send(lines)
        await self._cursors.advance(cursor, reached)
        if reached == head.size:
            self._heads.pop(target.name, None)
        return reached - position

    async def _lines(self, target: ExportTarget, start: int, before: int) -> list[ExportLine]:
        """Return the next events' lines; at least one, whatever its size."""
        opened = target.people or bool(target.values)
        most = min(BATCH_EVENTS, before - start)
        page = await self._store.entries(self._tenant, start=start, limit=most, opened=opened)
        entries = {entry.index: entry for entry in page}
        hashes: Sequence[bytes] = ()
        if list(entries) != list(range(start, start + most)):  # events were pruned
            hashes = await self._store.hashes(self._tenant, 0, start, most)
        people: dict[str, str] = {}
        lines: list[ExportLine] = []
        size = 0
        for number, index in enumerate(range(start, start + most)):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            if index in entries:
                line = event_of(await self._event(target, entries[index], people))
            elif number < len(hashes):
                line = pruned_of(
                    index, hashes[number], origin=self._origin, version=self._version, at=self._clock.now()
                )
            else:
                break
            size += len(line.text)
            if lines and size > BATCH_BYTES:
                break
            lines.append(line)
        return lines

    async def _event(self, target: ExportTarget, entry: Entry, people: dict[str, str]) -> ExportedEvent:
        openings = entry.openings or {}
        return ExportedEvent(
            index=entry.index,
            leaf=entry.leaf,
            origin=self._origin,
            version=self._version,
            person=await self._person(entry, people) if target.people else WITHHELD,
            openings={name: openings[name] for name in sorted(target.values & openings.keys())},
            leaf_text=target.leaf,
        )

    async def _person(self, entry: Entry, people: dict[str, str]) -> str:
        """Return the person who acted, else the person of the task; empty if there is none."""
        for name in _WHO:
            if (said := (entry.opened or {}).get(name)) and isinstance(said, str) and person_of(said):
                return said
        if entry.task and entry.task not in people:
            task = await self._store.task(self._tenant, entry.task)
            people[entry.task] = (task.on_behalf_of or task.speaker) if task else ""
        return people.get(entry.task, "")

    async def _checkpoint(self, head: Head) -> ExportLine:
        """Return the line of a head, which proves the last event before it."""
        (last,) = await self._store.hashes(self._tenant, 0, head.size - 1, 1)
        path = await self._store.inclusion(self._tenant, head.size - 1, head.size)
        return checkpoint_of(
            head.note,
            head.size,
            last,
            path,
            origin=self._origin,
            version=self._version,
            at=self._clock.now(),
        )

    def _failed(self, name: str, fault: RemitError) -> None:
        first_s, longest_s = PAUSE_S
        pause_s = min(self._pause_s.get(name, first_s / 2) * 2, longest_s)
        self._pause_s[name] = pause_s
        self._due_s[name] = self._clock.boot_s() + pause_s
        if name not in self.failing:
            log.warning("the export `%s` fails: %s", name, fault)
        self.failing[name] = fault.message

    async def _look(self, target: ExportTarget) -> None:
        """Do step 4."""
        if self._late is None:
            kinds = (FindingKind.EXPORT_LATE,)
            known = await self._findings.about(state=FindingState.OPEN, kinds=kinds)
            self._late = {str(one.facts.get("export", "")) for one in known}
        since = self.lags.get(target.name, ExportLag()).since
        late = since is not None and self._clock.now() - since > target.lag
        about = f"export:{target.name}"
        if late and target.name not in self._late:
            facts = {"export": target.name, "why": self.failing.get(target.name, "")}
            await self._findings.see(FindingKind.EXPORT_LATE, about, target.name, facts)
            self._late.add(target.name)
        elif since is None and target.name in self._late:
            await self._findings.settle(
                FindingKind.EXPORT_LATE, about, by="remit", resolution="it has caught up"
            )
            self._late.discard(target.name)
