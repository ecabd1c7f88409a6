# SPDX-License-Identifier: Apache-2.0
"""A sink refuses for many reasons: a closure says dead only of a refusal from after the credential's end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.evidence.event import EventKind
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld
from tests.worlds.credentials import closure_now, desk_world, of_leases


@pytest.fixture
def broker() -> ScriptedBroker:
    """What gives the desk's credentials."""
    return ScriptedBroker(traceable=True)


@pytest.fixture
async def world(tmp_path: Path, broker: ScriptedBroker) -> AsyncIterator[CallWorld]:
    """A desk that takes a credential."""
    async with desk_world(tmp_path, broker) as made:
        yield made
        await made.services.credentials.leases.stop()


async def swept(world: CallWorld) -> None:
    """Let what is due be tried once more."""
    world.clock.advance(60)
    await world.services.credentials.leases.sweep()
    await asyncio.sleep(0.01)


async def test_a_sink_that_refuses_what_was_never_taken_back_closes_nothing(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """However often it refuses: the source has not let go of it, and the sink may take it again."""
    task, token = await world.open()
    await world.call(token, "read")
    broker.down = broker.blind = True
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    for _ in range(3):
        await swept(world)
    assert [one.open for one in of_leases(closure.closings)] == [True]
    assert [one.open for one in await closure_now(world.services, f"task:{task.id}")] == [True]
    assert await world.facts(EventKind.LEASE_DEAD) == []
    broker.down = broker.blind = False
    await swept(world)
    await world.until(lambda: not world.services.credentials.leases.of(task=task.id))
    (closing,) = await closure_now(world.services, f"task:{task.id}")
    assert closing.revoked_after_ms is not None
    assert closing.refused_after_ms is not None
    assert closing.refused_after_ms >= closing.revoked_after_ms


async def test_a_refusal_from_before_its_time_was_over_closes_nothing(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """The time runs out while the sink is asked: that refusal is still one of a credential that lived."""
    broker.until = world.clock.now() + timedelta(minutes=30)
    task, token = await world.open()
    await world.call(token, "read")
    broker.down = broker.blind = True
    over = broker.until

    def late() -> None:
        if world.clock.now() < over:
            world.clock.advance(31 * 60)
        else:
            broker.sink_down = True

    broker.on_probe = late
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert [one.open for one in of_leases(closure.closings)] == [True]


async def test_what_the_sink_goes_on_accepting_is_taken_back_once_more(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """Its source had confirmed the revocation, and that was undone: nothing else would end the credential."""
    task, token = await world.open()
    await world.call(token, "read")
    broker.stale = 1_000
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    (closing,) = of_leases(closure.closings)
    assert closing.open
    assert closing.revoked_after_ms is not None
    broker.stale = 0
    await swept(world)
    await world.until(lambda: not world.services.credentials.leases.of(task=task.id))
    (now,) = await closure_now(world.services, f"task:{task.id}")
    assert not now.open
    assert now.revoked_after_ms == closing.revoked_after_ms
    assert len(await world.facts(EventKind.LEASE_REVOKED)) == 1
