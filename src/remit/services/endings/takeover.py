# SPDX-License-Identifier: Apache-2.0
"""What lost replicas have left behind, and the maintenance that one replica does for all.

1. one replica at a time does the maintenance: it owns the chores as it owns tasks, and another replica takes
   them over later
2. permits without an outcome whose writer is gone are closed as `unknown`, no matter which replica wrote them
3. a replica that was declared dead may still continue: a process that was stopped in the middle of a write
   may finish the write hours later. So each such permit is *adrift* for a day: every end whose scope contains
   it lists it
4. the credentials that it held are revoked
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from remit.core.endings.closure import Indeterminate
from remit.core.errors import Elsewhere
from remit.core.evidence.event import CallOutcome, Event
from remit.core.evidence.events.decisions import ToolCalled
from remit.core.scope import Raised
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, PutValue
from remit.ports.store.log import LogStore
from remit.ports.store.replicas import Fleet
from remit.ports.store.tasks import TaskStore
from remit.ports.store.units import Unit
from remit.services.credentials.leases import Leases
from remit.services.endings.events import EndEvents
from remit.services.replicas.replica_lease import Acknowledgements, Replicas
from remit.services.replicas.task_ownership import Ownership

#: The key that the maintenance replica owns.
CHORES = "chores"
PREFIX = "adrift:"
ADRIFT = timedelta(days=1)
#: Seconds between two searches for credentials of lost replicas.
LOOK_S = 30.0


class OrphanedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One permit of a replica that was declared dead."""

    call: str
    task: str
    tool: str
    effect: str = ""
    replica: str
    since: datetime


class _Rooms(LogStore, TaskStore, Protocol):
    """The store interfaces that a takeover reads."""


class Takeover:
    """Takes over what other processes have left behind. For one event loop."""

    def __init__(
        self,
        *,
        fleet: Fleet | None,
        replicas: Replicas,
        ownership: Ownership,
        leases: Leases,
        store: _Rooms,
        clock: Clock,
        events: EndEvents,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._fleet = fleet
        self._replicas = replicas
        self._ownership = ownership
        self._leases = leases
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._looked_s: float | None = None
        self._recovering = events.recovering
        replicas.events.gone.append(self.gone)

    @property
    def tends(self) -> bool:
        """Whether this replica does the maintenance for all."""
        return self._ownership.holds(CHORES)

    def checks(self) -> tuple[Change, ...]:
        """Return the checks for a commit that only the maintenance replica may make; raise `Elsewhere`."""
        return self._ownership.checks(CHORES)

    async def tend(self) -> None:
        """Run steps 1 to 4. For a background loop."""
        if self._fleet is None:
            return
        with contextlib.suppress(Elsewhere):
            if await self._ownership.take(CHORES, told=False):
                self._looked_s = None
            await self._close()
            now_s = self._clock.boot_s()
            if self._looked_s is None or now_s - self._looked_s >= LOOK_S:
                self._looked_s = now_s
                await self._complete_ends()
                await self._leases.recover(self.living)
                await self._sweep()

    async def recover(self) -> int:
        """2, at a start; return how many permits were closed."""
        if self._fleet is not None:
            return await self._close()
        await self._complete_ends()
        return await self._closed(None)

    async def _complete_ends(self) -> None:
        """Complete ends that were cut short: they list what is closed and taken back after it."""
        for complete in self._recovering:
            await complete()

    async def take_back(self) -> None:
        """4, at the start of a single process; with several, the maintenance replica does it."""
        if self._fleet is None:
            await self._leases.recover()

    async def gone(self, _: str) -> None:
        """Note that a replica is gone, so that a search for what it left begins soon."""
        self._looked_s = None

    def _living(self) -> set[str]:
        return {self._replicas.id, *self._replicas.others}

    async def living(self) -> set[str]:
        """Return the replicas that are not gone at this moment; only this process if there can be no
        others.
        """
        if self._fleet is not None:
            await self._fleet.look()
        return self._living()

    async def _close(self) -> int:
        """2, 3. Close the permits of lost replicas.

        INVARIANT: the writer of a permit had joined before it wrote, so it is gone if a look *after* the read
        of the permit does not show it.
        """
        assert self._fleet is not None
        strange: list[str] = []
        living = self._living()

        def of(writer: str) -> bool:
            if writer in living:
                return False
            strange.append(writer)
            return True

        if not await self._store.unfinished(self._tenant, of):
            return 0
        await self._fleet.look()
        gone = set(strange) - self._living()
        buried = await self._fleet.buried()
        closed = await self._closed(gone, buried)
        await self._fleet.forget(gone & buried)
        return closed

    async def _closed(self, writers: Collection[str] | None, buried: Collection[str] = ()) -> int:
        wrote: list[str] = []

        def of(writer: str) -> bool:
            if writers is not None and writer not in writers:
                return False
            wrote.append(writer)
            return True

        found = await self._store.unfinished(self._tenant, of)
        now = self._clock.now()
        events = tuple(_unknown(one, now) for one in found)
        changes = tuple(
            PutValue(self._tenant, f"{PREFIX}{one.call}", msgspec.to_builtins(_adrift(one, writer, now)))
            for one, writer in zip(found, wrote, strict=True)
            if writer in buried
        )
        if events:
            await self._store.commit(Unit(changes, events))
        return len(events)

    async def _sweep(self) -> None:
        """Delete the permits that have been adrift for a day."""
        now = self._clock.now()
        old = [one for one in await self._all() if now - one.since >= ADRIFT]
        if old:
            changes = tuple(PutValue(self._tenant, f"{PREFIX}{one.call}", None) for one in old)
            await self._store.commit(Unit(changes, tenant=self._tenant))

    async def _all(self) -> list[OrphanedCall]:
        return [msgspec.convert(one, OrphanedCall) for one in await self._store.values(self._tenant, PREFIX)]

    # For ends.

    async def gathered(self, raised: Raised, started_s: float, settle_s: float) -> Acknowledgements:
        """Return the acknowledgements of the other replicas for an end (`Replicas.gathered`).

        Permits that may still reach an upstream are indeterminate too, unless their replica has stated that
        it will no longer send them.
        """
        if self._fleet is None:
            return Acknowledgements()
        # Searched concurrently with the wait; if all replicas answer, none of their permits remains.
        made, left = await asyncio.gather(
            self._replicas.gathered(raised, started_s, settle_s), self._under(raised.scope)
        )
        if made.silent:
            left = await self._under(raised.scope)
        unheard = _unheard(left, made.heard, made.indeterminate)
        return msgspec.structs.replace(made, indeterminate=(*made.indeterminate, *unheard))

    async def left_under(self, target: str) -> list[Indeterminate]:
        """Return the permits of an earlier run of a single process in a scope that have no outcome.

        With several replicas, `gathered` includes them.
        """
        return [] if self._fleet is not None else _unheard(await self._under(target), (), ())

    async def _under(self, target: str) -> list[OrphanedCall]:
        """Return the permits of other processes in a scope that may still reach an upstream.

        These are permits without an outcome, each with its replica, and permits that are adrift, for which no
        replica's statement counts.
        """
        me, writers = self._replicas.id, list[str]()

        def of(writer: str) -> bool:
            if writer == me:
                return False
            writers.append(writer)
            return True

        # Nothing is permitted after the commit of the end, which this process has seen.
        left = await self._store.unfinished(self._tenant, of, known=True)
        now = self._clock.now()
        found = [_adrift(one, writer, now) for one, writer in zip(left, writers, strict=True)]
        # Read second, so that a permit is in at least one of the two results.
        found += [msgspec.structs.replace(one, replica="") for one in await self._all()]
        lies = await self._within(target, {one.task for one in found})
        return [one for one in found if lies(one)]

    async def _within(self, target: str, names: set[str]) -> Callable[[OrphanedCall], bool]:
        tasks = {name: await self._store.task_to_end(self._tenant, name) for name in names}

        def lies(one: OrphanedCall) -> bool:
            task = tasks[one.task]
            # A permit whose task is unknown counts for every scope.
            return task is None or target in task.call_scopes(one.tool)

        return lies


def _unheard(
    found: Iterable[OrphanedCall], heard: Collection[str], known: Iterable[Indeterminate]
) -> list[Indeterminate]:
    """Return the permits whose replicas are not among the `heard`, without those in `known`."""
    listed = {one.decision for one in known}
    out: list[Indeterminate] = []
    for one in found:
        if one.call not in listed and one.replica not in heard:
            listed.add(one.call)
            out.append(Indeterminate(one.call, one.tool, one.effect))
    return out


def _unknown(event: Event, now: datetime) -> Event:
    return Event.of(
        ToolCalled(tool=event.facts.get("tool", ""), outcome=CallOutcome.UNKNOWN, ended_by="restart"),
        at=now,
        tenant=event.tenant,
        task=event.task,
        agent=event.agent,
        call=event.call,
    )


def _adrift(event: Event, replica: str, now: datetime) -> OrphanedCall:
    return OrphanedCall(
        call=event.call,
        task=event.task,
        tool=str(event.facts.get("tool", "")),
        effect=str(event.facts.get("effect", "")),
        replica=replica,
        since=now,
    )
