# SPDX-License-Identifier: Apache-2.0
"""The part of a replica when another replica has ended something: it does the same for its own tasks.

1. cut its calls in progress under the fence; those that were sent are indeterminate
2. begin to revoke the credentials that it holds for the tasks under the fence, and release these tasks
3. report 1 to the replica that ends, at once; report the result of 2 later
4. keep the closure up to date if a credential outlives the end
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from remit.core.endings.closure import Closing, Closure
from remit.core.errors import RemitError
from remit.core.evidence.events.state_rows import StateChanged
from remit.core.policy.bundle import Bundle
from remit.core.scope import Raised, risen
from remit.ports.runtime import Clock
from remit.ports.store.endings import EndingStore
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.replicas import FenceAck, FleetSight
from remit.services.credentials.lease_records import HeldLease
from remit.services.credentials.leases import Leases
from remit.services.endings.closure import upstream_of
from remit.services.endings.ending import Endings
from remit.services.policy.bundle import Policies
from remit.services.replicas.events import ReplicaEvents
from remit.services.replicas.task_ownership import Ownership
from remit.services.tasks.calls_in_flight import cut
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tools.pinned_tools import ToolCatalogue

log = logging.getLogger("remit.replicas")

#: Tries to find a closure that lists credentials of this replica, and the pause between them in seconds.
TRIES = 60
PAUSE_S = 0.5
#: Seconds between two checks whether the bundle that another replica applied has arrived here.
RELOAD_S = 2.0


class _Rooms(EndingStore, PrincipalStore, Protocol):
    """The store interfaces that show what other replicas ended."""


class RemoteEndings:
    """Follows what other replicas do. For one event loop."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        live: LiveTasks,
        ownership: Ownership,
        leases: Leases,
        revocations: Endings,
        policies: Policies,
        tools: ToolCatalogue,
        events: ReplicaEvents,
        tenant: str,
        reload: Callable[[], Bundle] | None,
        adopted: Callable[[], Awaitable[object]],
    ) -> None:
        """Take the parts; `reload` reads the bundle again, and `adopted` holds open tasks against one that
        came into force.
        """
        self._store = store
        self._clock = clock
        self._live = live
        self._ownership = ownership
        self._leases = leases
        self._revocations = revocations
        self._policies = policies
        self._tools = tools
        self._tenant = tenant
        self._listing: set[asyncio.Task[None]] = set()
        self._applied = ""
        self._reload_s = 0.0
        self._reload = reload
        self._adopted = adopted
        events.react = self.raised
        events.changed.append(self.changed)
        events.lost.append(self.lost)

    def raised(self, raised: tuple[Raised, ...]) -> tuple[list[FenceAck], list[Awaitable[FenceAck]]]:
        """1, 2. Apply raised fences, without awaiting; return the acknowledgements, and those that follow
        later.
        """
        epochs = self._store.epochs(self._tenant)
        now: list[FenceAck] = []
        later: list[Awaitable[FenceAck]] = []
        for one in raised:
            listed = tuple(cut(self._live.all(), (one.scope,), epochs))
            if self._revocations.ending(one.scope):
                # The end in progress here does the rest.
                now.append(FenceAck(scope=one.scope, epoch=one.epoch, replica="", indeterminate=listed))
                continue
            under = [
                live
                for live in self._live.all()
                if one.scope in live.scopes and risen(live.task.epochs, epochs, (one.scope,))
            ]
            names = [live.task.id for live in under]
            leases = self._leases.end(names, upstream_of(one.scope), self._clock.boot_s())
            ack = FenceAck(
                scope=one.scope,
                epoch=one.epoch,
                replica="",
                indeterminate=listed,
                closings=tuple(held.closing() for held in leases),
                settled=not leases,
            )
            now.append(ack)
            if leases:
                later.append(self._followed(one, ack, leases))
            for live in under:
                self._live.drop(live.task.id)
                self._ownership.drop(live.root)
                self._run(self._revocations.tell_of_end(live.task.id))
        return now, later

    async def _followed(self, raised: Raised, ack: FenceAck, leases: list[HeldLease]) -> FenceAck:
        """Do step 3."""
        closings: list[Closing] = await self._leases.settled(leases, wait=True)
        self._run(self._listed(raised, leases))
        return msgspec.structs.replace(ack, closings=tuple(closings), settled=True)

    async def _listed(self, raised: Raised, leases: list[HeldLease]) -> None:
        """Do step 4."""
        names = {held.id for held in leases}
        for _ in range(TRIES):
            kept = await self._store.closures(self._tenant, scope=raised.scope, limit=10)
            found: list[Closure] = [one for one in kept if any(each.lease in names for each in one.closings)]
            for closure in found:
                await self._leases.listed(leases, closure)
            if found:
                return
            await asyncio.sleep(PAUSE_S)

    def changed(self, sight: FleetSight) -> None:
        """Apply the changes of other replicas: agents, reviews of tools, the policy bundle in force."""
        if sight.bundle != self._applied:
            self._reload_s = 0.0  # what was tried before was for another bundle
        self._applied = sight.bundle
        if sight.agents or sight.pins:
            self._run(self._registered(sight))
        now_s = self._clock.boot_s()
        if self.superseded and self._reload is not None and now_s >= self._reload_s:
            self._reload_s = now_s + RELOAD_S
            self._run(self._followed_bundle(self._reload, sight.bundle))

    @property
    def in_force(self) -> str:
        """The digest of the bundle that any replica applied last."""
        return self._applied or self._policies.digest

    @property
    def superseded(self) -> bool:
        """Whether another replica has put a different bundle in force since."""
        return bool(self._applied) and self._applied != self._policies.digest

    async def _registered(self, sight: FleetSight) -> None:
        for name in sight.agents:
            try:
                agent = await self._store.agent(self._tenant, name)
            except StateChanged:
                self._live.forget_agent(name)  # the next call meets the fault
                continue
            if agent is not None:
                self._live.refresh_agent(agent)
        if sight.pins:
            await self._tools.load()
        await self._policies.refresh()

    async def _followed_bundle(self, reload: Callable[[], Bundle], wanted: str) -> None:
        """Apply the bundle that another replica has put in force: from the store where it is held there, else
        if the local files contain it too.
        """
        if await self._policies.adopt_held(wanted):
            await self._adopted()
            return
        bundle = await asyncio.to_thread(reload)
        if bundle.digest == wanted:
            await self._policies.adopt(bundle)
            await self._adopted()

    async def lost(self) -> None:
        """Give up everything: this replica was declared dead, its calls are over, others own its tasks."""
        for live in self._live.all():
            for call in list(live.in_hand):
                call.stop()
            self._live.drop(live.task.id)
            await self._revocations.tell_of_end(live.task.id)
        self._ownership.lose()
        self._leases.abandon()

    async def stop(self) -> None:
        """Stop all work in progress."""
        for task in self._listing:
            task.cancel()
        await asyncio.gather(*self._listing, return_exceptions=True)

    def _run(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except RemitError as fault:
                # It is retried with the next change, or at the next start.
                log.warning("changes of another replica could not be read: %s", fault)

        task = asyncio.get_running_loop().create_task(run())
        self._listing.add(task)
        task.add_done_callback(self._listing.discard)
