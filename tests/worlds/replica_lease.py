# SPDX-License-Identifier: Apache-2.0
"""One replica in a fleet that tells what the test has it tell, on clocks that stand still."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from remit.core.errors import RemitError
from remit.core.replicas.replica import Replica
from remit.ports.store.replicas import FenceAck, FleetSight
from remit.ports.store.units import Receipt, Unit
from remit.services.replicas.replica_lease import Replicas
from tests.worlds.values import START, TENANT, WorldClock, WorldEntropy

Json = Any
LEASE_S = 2.0
ME, OTHER = "writer_me", "writer_other"
SCOPE = "task:tsk_1"


def a_replica(name: str, **changes: Any) -> Replica:
    """Make a replica."""
    given = {"id": name, "host": name, "lease_s": LEASE_S, "joined": START}
    return Replica(**{**given, **changes})


class QuietFleet:
    """A fleet that tells what the test has it tell."""

    def __init__(self) -> None:
        self.told: Json = None
        self.forgotten: list[tuple[str, int]] = []

    async def join(self, replica: Replica, told: Json) -> None:
        """Remember the replica to notify."""
        self.told = told

    async def renew(self) -> None:
        """Nothing comes of it before the test says so."""

    look = renew

    async def forget_acks(self, scope: str, epoch: int) -> None:
        """Note what may be forgotten."""
        self.forgotten.append((scope, epoch))

    @contextlib.contextmanager
    def awaiting(self) -> Iterator[None]:
        """Look after word."""
        yield


class World:
    """This replica and another one."""

    def __init__(self) -> None:
        self.clock = WorldClock()
        self.fleet = QuietFleet()
        parts: Json = {"fleet": self.fleet, "store": self, "clock": self.clock}
        self.replicas = Replicas(
            **parts, entropy=WorldEntropy(), tenant=TENANT, me=a_replica("", lease_s=LEASE_S)
        )
        self.replicas.events.react = lambda raised: ([], [])

    writer = ME

    async def enter(self) -> None:
        """Become a replica."""
        await self.replicas.enter()

    def sees(self, *acks: FenceAck, sent_s: float | None = None, others: tuple[Replica, ...] = ()) -> None:
        """Tell of a look that was just answered."""
        sight = FleetSight(
            sent_s=sent_s,
            seen_s=self.clock.boot_s(),
            gone=False,
            replicas=(a_replica(ME), *others),
            acks=acks,
        )
        self.fleet.told(sight)


class KeptFleet(QuietFleet):
    """A fleet that keeps what it is told, and fails as often as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.joined: list[Replica] = []
        self.stated: list[Replica] = []
        self.acked: list[FenceAck] = []
        self.faults: list[RemitError] = []
        #: Set once it has been renewed after a fault.
        self.back = asyncio.Event()

    def _do(self, what: str) -> None:
        self.done.append(what)
        if self.faults:
            raise self.faults.pop()

    async def join(self, replica: Replica, told: Json) -> None:
        """Keep who joined."""
        await super().join(replica, told)
        self.joined.append(replica)
        self._do("join")

    async def renew(self) -> None:
        """Keep that it was asked for."""
        self._do("renew")
        if len(self.joined) > 2:
            self.back.set()

    async def look(self) -> None:
        """Keep that it was asked for."""
        self._do("look")

    async def acknowledge(self, acks: list[FenceAck]) -> None:
        """Keep what was told."""
        self._do("acknowledge")
        self.acked += acks

    async def restate(self, replica: Replica) -> None:
        """Keep what was told."""
        self.stated.append(replica)

    async def leave(self) -> None:
        """Keep that it was asked for."""
        self._do("leave")

    def check(self) -> None:
        """Keep that it was asked for."""
        self._do("check")


class Kept(World):
    """This replica in such a fleet, and what it commits."""

    fleet: KeptFleet

    def __init__(self, **me: Json) -> None:
        super().__init__()
        self.fleet = KeptFleet()
        self.units: list[Unit] = []
        self.refuses: RemitError | None = None
        self.gone: list[str] = []
        parts: Json = {"fleet": self.fleet, "store": self, "clock": self.clock}
        given = a_replica("", **{"address": "http://me", **me})
        self.replicas = Replicas(**parts, entropy=WorldEntropy(), tenant=TENANT, me=given)
        self.replicas.events.gone.append(self.heard_of)

    async def heard_of(self, name: str) -> None:
        """Keep who is said to be gone."""
        self.gone.append(name)

    async def commit(self, unit: Unit) -> Receipt:
        """Keep a unit, or refuse it."""
        self.units.append(unit)
        if self.refuses is not None:
            raise self.refuses
        return Receipt((), {})

    async def leased(self, *others: Replica) -> None:
        """Become a replica with a lease, beside others."""
        await self.enter()
        self.sees(sent_s=self.clock.boot_s(), others=others)

    def tells(self, **more: Json) -> None:
        """Tell of a look at this replica alone."""
        known: Json = {"sent_s": None, "seen_s": self.clock.boot_s(), "gone": False}
        self.fleet.told(FleetSight(**{**known, "replicas": (a_replica(ME),), **more}))


async def turns() -> None:
    """Let everything happen that can without time."""
    for _ in range(10):
        await asyncio.sleep(0)
