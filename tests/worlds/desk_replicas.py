# SPDX-License-Identifier: Apache-2.0
"""Replicas of one desk in this process, on a real PostgreSQL: each goes on when a test has it do so.

Nothing renews or tends by itself, and each clock stands still.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from remit.adapters.store.postgres import PostgresStore
from remit.core.replicas.replica import Replica
from remit.core.scope import Raised
from remit.ports.store.replicas import FenceAck
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld
from tests.worlds.values import START, TENANT, WorldClock, WorldEntropy, WorldSealingKeys

LEASE_S = 10.0

T = TypeVar("T")


class DeskReplica(CallWorld):
    """One of them."""

    def __init__(self, folder: Path, url: str, name: str, broker: ScriptedBroker) -> None:
        store = PostgresStore.open(
            url,
            durability="durable",
            clock=WorldClock(),
            entropy=WorldEntropy(f"store of {name}"),
            sealing=WorldSealingKeys(),
        )
        clock = WorldClock()
        self._missed: list[Raised] = []
        super().__init__(
            folder,
            seed=name,
            clock=clock,
            store=store,
            fleet=store.fleet(TENANT, clock),
            replica=Replica(id="", host=name, joined=START, lease_s=LEASE_S),
            brokers={"desk": broker},
            settle_s=0.2,
        )

    async def look(self) -> None:
        """Renew the lease, and take in what the others have done."""
        await self.services.replicas.membership.renew()

    async def die(self) -> None:
        """Do nothing any more, and never come back under another name."""
        self.services.replicas.membership._leaving = True
        await self.services.credentials.leases.stop()

    def deafen(self) -> None:
        """Have it not hear what the others end, though PostgreSQL tells it."""
        replicas, missed = self.services.replicas.membership, self._missed

        def nothing(raised: tuple[Raised, ...]) -> tuple[list[FenceAck], list[Awaitable[FenceAck]]]:
            missed.extend(raised)
            return [], []

        replicas.events.react = nothing

    async def hear(self) -> None:
        """Have it do now about all of that what a replica does."""
        replicas = self.services.replicas.membership
        replicas.events.react = self.services.endings.reactions.raised
        await replicas._tell(*replicas.events.react(tuple(self._missed)))

    async def meanwhile(self, work: asyncio.Future[T]) -> T:
        """Let the clock run until some work is done, which waits for it."""
        async with asyncio.timeout(60):
            while not work.done():
                self.clock.advance(0.5)
                await self.look()
                await asyncio.sleep(0.01)
        return await work


async def bury_others(*living: DeskReplica) -> None:
    """Take those for gone that are silent for so long that they are."""
    for _ in range(6):
        for one in living:
            one.clock.advance(LEASE_S / 2)
            await one.look()
    for one in living:
        await one.look()
        await one.services.replicas.membership.keep_up()


@asynccontextmanager
async def desk_replicas(folder: Path, url: str, *brokers: ScriptedBroker) -> AsyncIterator[list[DeskReplica]]:
    """Provide one replica for each broker, all entered; the first one has brought people and agents in."""
    async with AsyncExitStack() as stack:
        made = []
        for number, broker in enumerate(brokers):
            one = DeskReplica(folder, url, f"replica-{number}", broker)
            stack.push_async_callback(one.services.store.close)
            stack.push_async_callback(one.services.replicas.membership.leave)
            await one.services.replicas.membership.enter()
            await (one.reopen() if number else one.settle_in())
            made.append(one)
        for one in made:
            await one.look()
        yield made
