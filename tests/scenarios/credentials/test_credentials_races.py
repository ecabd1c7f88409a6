# SPDX-License-Identifier: Apache-2.0
"""Calls, ends, failures of the source and restarts in any order: no credential outlives its task."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import RemitError
from remit.core.evidence.event import EventKind
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld
from tests.worlds.credentials import desk_world, of_leases

Json = Any


class JitteryBroker(ScriptedBroker):
    """Answers after a few turns of the loop, and now and then not at all."""

    def __init__(self, dice: random.Random, *, traceable: bool) -> None:
        super().__init__(traceable=traceable)
        self._dice = dice
        self.fails = 0.15

    async def _turns(self) -> None:
        for _ in range(self._dice.randrange(6)):
            await asyncio.sleep(0)
        self.down = self._dice.random() < self.fails

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Return one, or fail before or after it was made."""
        await self._turns()
        given = await super().obtain(wanted)
        await self._turns()
        return given

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Take it back, or fail before that."""
        await self._turns()
        await super().revoke(credential)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Try it, or not reach it."""
        await self._turns()
        return Probe.UNREACHABLE if self.down else await super().probe(credential)


class JitteryProcesses(JitteryBroker):
    """Starts what serves one task."""

    kind = "scripted-process"


class JitteryShared(JitteryBroker):
    """A broker of one shared credential that finds now and then that the credential was changed."""

    async def counts(self, credential: UpstreamCredential) -> bool:
        """Say so after a few turns of the loop."""
        await self._turns()
        return credential.lease in self.alive and self._dice.random() > 0.3


async def a_task_of_its_own(world: CallWorld, dice: random.Random) -> tuple[str, int]:
    """Open a task, call from several loops, and end it at some moment; gives how many arrived after that."""
    task, token = await world.open()

    async def calls() -> None:
        for _ in range(3):
            try:
                await world.call(token, "write")
            except RemitError:
                await asyncio.sleep(0)

    loops = [asyncio.create_task(calls()) for _ in range(3)]
    for _ in range(dice.randrange(60)):
        await asyncio.sleep(0)
    await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    await asyncio.gather(*loops)
    return task.id, len(loops)


@pytest.mark.parametrize("seed", range(12))
async def test_no_credential_outlives_its_task(tmp_path: Path, seed: int) -> None:
    """Whatever came between: the source has none, the store has none, and every closure is closed. So it is
    of what tasks share too, and of programs that are begun once their credential is there.
    """
    dice = random.Random(seed)
    broker = (JitteryShared if seed % 3 else JitteryBroker)(dice, traceable=bool(seed % 2))
    process = JitteryProcesses(dice, traceable=True) if seed >= 6 else None
    async with desk_world(tmp_path, broker, process=process) as world:
        for _ in range(4):
            await asyncio.gather(*(a_task_of_its_own(world, dice) for _ in range(5)))
        kinds = [one for one in (broker, process) if one is not None]
        for one in kinds:
            one.fails = 0.0
        while await world.services.credentials.leases.sweep():
            world.clock.advance(60)
            await asyncio.sleep(0.005)
        assert [one.alive for one in kinds] == [{} for _ in kinds]
        assert await world.services.store.values(world.services.tenant, "lease:") == []
        for closure in await world.services.store.closures(world.services.tenant, limit=1_000):
            assert closure.closed, closure
            assert len({one.lease for one in of_leases(closure.closings)}) == len(of_leases(closure.closings))
        issued = {one["lease"] for one in await world.facts(EventKind.LEASE_ISSUED)}
        dead = {one["lease"] for one in await world.facts(EventKind.LEASE_DEAD)}
        assert issued
        assert issued <= dead
        shown = {one["Authorization"].removeprefix("Bearer s3cret-") for one in world.desk.headers}
        assert shown <= issued
        assert world.services.credentials.leases.counts() == {"held": 0, "open": 0}
