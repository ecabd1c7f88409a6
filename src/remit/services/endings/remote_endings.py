# SPDX-License-Identifier: Apache-2.0
"""What a replica does when another one has ended something: the same as that one, for its own part.

1. cut its calls in hand that lie under the fence; those that were sent are indeterminate
2. begin to take back the credentials that it holds for the tasks under it, and let go of these tasks
3. tell the ender of 1, at once; and later what became of 2
4. keep the closure up to date where a credential outlives the end
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from remit.core.endings.closure import Closing, Closure
from remit.core.errors import RemitError
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
from remit.services.replicas.task_ownership import Ownership
from remit.services.tasks.calls_in_flight import cut
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tools.pinned_tools import ToolCatalogue

log = logging.getLogger("remit.replicas")

#: How often, and with what pause, a closure is looked for that lists credentials of this replica.
TRIES = 60
PAUSE_S = 0.5
#: Seconds between two looks whether the bundle that others apply has come here.
RELOAD_S = 2.0


class _Rooms(EndingStore, PrincipalStore, Protocol):
    """The rooms of the store that tell what other replicas ended."""


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
        tenant: str,
    ) -> None:
        """Take the parts."""
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
        #: Reads the bundle again.
        self.reload: Callable[[], Bundle] | None = None
        #: Holds open tasks against a bundle that came into force.
        self.adopted: Callable[[], Awaitable[object]] | None = None

    def raised(self, raised: tuple[Raised, ...]) -> tuple[list[FenceAck], list[Awaitable[FenceAck]]]:
        """1, 2. Nothing is awaited here."""
        epochs = self._store.epochs(self._tenant)
        now: list[FenceAck] = []
        later: list[Awaitable[FenceAck]] = []
        for one in raised:
            listed = tuple(cut(self._live.all(), (one.scope,), epochs))
            if self._revocations.ending(one.scope):
                # The rest of it is done by the end itself.
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
        """3."""
        closings: list[Closing] = await self._leases.settled(leases, wait=True)
        self._run(self._listed(raised, leases))
        return msgspec.structs.replace(ack, closings=tuple(closings), settled=True)

    async def _listed(self, raised: Raised, leases: list[HeldLease]) -> None:
        """4."""
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
        """Take in what others have changed: agents, what was reviewed of tools, the bundle in force."""
        self._applied = sight.bundle
        if sight.agents or sight.pins:
            self._run(self._registered(sight))
        now_s = self._clock.boot_s()
        if self.superseded and self.reload is not None and now_s >= self._reload_s:
            self._reload_s = now_s + RELOAD_S
            self._run(self._followed_bundle(self.reload, sight.bundle))

    @property
    def in_force(self) -> str:
        """The digest of what was applied last, by whomever."""
        return self._applied or self._policies.digest

    @property
    def superseded(self) -> bool:
        """Whether another replica has put another bundle in force since."""
        return bool(self._applied) and self._applied != self._policies.digest

    async def _registered(self, sight: FleetSight) -> None:
        for name in sight.agents:
            agent = await self._store.agent(self._tenant, name)
            if agent is not None:
                self._live.refresh_agent(agent)
        if sight.pins:
            await self._tools.load()
        await self._policies.refresh()

    async def _followed_bundle(self, reload: Callable[[], Bundle], wanted: str) -> None:
        """Put the bundle in force that another replica has applied, where it lies in the files here, too."""
        bundle = await asyncio.to_thread(reload)
        if bundle.digest == wanted:
            await self._policies.adopt(bundle)
            if self.adopted is not None:
                await self.adopted()

    async def lost(self) -> None:
        """This replica was taken for gone: what it had in hand is over, and what it owned is another's."""
        for live in self._live.all():
            for call in list(live.in_hand):
                call.stop()
            self._live.drop(live.task.id)
            await self._revocations.tell_of_end(live.task.id)
        self._ownership.lose()
        self._leases.abandon()

    async def stop(self) -> None:
        """Follow nothing any longer."""
        for task in self._listing:
            task.cancel()
        await asyncio.gather(*self._listing, return_exceptions=True)

    def _run(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except RemitError as fault:
                # It is looked at again: with the next change, or the next start.
                log.warning("changes of another replica could not be read: %s", fault)

        task = asyncio.get_running_loop().create_task(run())
        self._listing.add(task)
        task.add_done_callback(self._listing.discard)
