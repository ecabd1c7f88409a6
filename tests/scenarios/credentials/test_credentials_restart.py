# SPDX-License-Identifier: Apache-2.0
"""Credentials of upstreams over a restart: what a process has left, the next one takes back."""

import asyncio
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.evidence.event import EventKind
from remit.core.keys.own_keys import KeyKind
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import call_world
from tests.worlds.credentials import closure_now, desk_world


@pytest.fixture
def broker() -> ScriptedBroker:
    """What gives the desk's credentials."""
    return ScriptedBroker()


@pytest.mark.parametrize("traceable", [False, True])
async def test_a_restart_takes_back_what_was_left(
    tmp_path: Path, broker: ScriptedBroker, traceable: bool
) -> None:
    """A process that died between issue and end: the next one takes back what no call uses any more."""
    broker.traceable = traceable
    async with desk_world(tmp_path, broker) as world:
        task, token = await world.open()
        await world.call(token, "read")
    (lease,) = broker.alive
    async with desk_world(tmp_path, broker, "again") as world:
        assert await world.services.credentials.leases.recover() == 1
        await world.until(lambda: not world.services.credentials.leases.of(task=task.id))
        assert (broker.alive, broker.revoked) == ({}, [lease])
        assert await world.outcome(token, "read") is Outcome.PERMIT
        assert len(broker.alive) == 1
        await world.services.credentials.leases.stop()
        assert broker.alive == {}


async def test_what_a_source_did_not_live_to_tell_is_taken_back_by_name(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    """The process died while it waited: a lease was kept before its source was asked."""
    broker.traceable = True
    async with desk_world(tmp_path, broker) as world:
        _, token = await world.open()
        broker.open.clear()
        call = asyncio.create_task(world.call(token, "read"))
        await world.until(lambda: bool(broker.obtained))
        kept = await world.services.store.values(world.services.tenant, "lease:")
        call.cancel()
    assert [one["sealed"] for one in kept] == [""]
    broker.alive[broker.obtained[0].lease] = "made, and nobody heard of it"
    broker.open.set()
    async with desk_world(tmp_path, broker, "again") as world:
        await world.services.credentials.leases.recover()
        await world.until(lambda: not broker.alive)
        await world.until(lambda: not world.services.credentials.leases._back.open)


async def test_a_restart_goes_on_with_an_open_closure(tmp_path: Path, broker: ScriptedBroker) -> None:
    """What was still open when the process stopped is closed by the next one, counted from the end itself."""
    async with desk_world(tmp_path, broker) as world:
        task, token = await world.open()
        await world.call(token, "read")
        broker.down = True
        await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
        await world.services.credentials.leases.stop()
    broker.down = False
    async with desk_world(tmp_path, broker, "again") as world:
        world.clock.advance(90)
        await world.services.credentials.leases.recover()
        await world.until(lambda: not world.services.credentials.leases.of(task=task.id))
        (closing,) = await closure_now(world.services, f"task:{task.id}")
        assert closing.refused_after_ms == 90_000


async def test_a_broker_that_is_gone_leaves_its_credentials_open(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    """A configuration without it cannot take back what it gave: that is told, and not forgotten."""
    async with desk_world(tmp_path, broker) as world:
        task, token = await world.open()
        await world.call(token, "read")
    async with call_world(tmp_path, seed="again", settle=False, settle_s=0.05) as world:
        await world.reopen()
        await world.services.credentials.leases.recover()
        await asyncio.sleep(0.1)
        world.clock.advance(60)
        await world.services.credentials.leases.sweep()
        (alarm,) = await world.facts(EventKind.LEASE_OPEN)
        assert alarm["why"] == "broker-gone"
        assert len(world.services.credentials.leases.of(task=task.id)) == 1
        await world.services.credentials.leases.stop()
    async with desk_world(tmp_path, broker, "third") as world:
        await world.services.credentials.leases.recover()
        await world.until(lambda: not broker.alive)


async def test_another_sealing_key_opens_what_was_sealed_before(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    """A rotation seals again what is held, before the old key is destroyed."""
    async with desk_world(tmp_path, broker) as world:
        _, token = await world.open()
        await world.call(token, "read")
        await world.services.identity.rotations.rotate(KeyKind.SEALING, by="root")
        await world.services.identity.rotations.keep()
        (kept,) = await world.services.store.values(world.services.tenant, "lease:")
        assert kept["sealed_by"] == "2"
        await world.services.credentials.leases.stop()
    assert broker.alive == {}
