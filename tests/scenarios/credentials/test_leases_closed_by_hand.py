# SPDX-License-Identifier: Apache-2.0
"""Threat: a credential that cannot be shown to be dead is reported as dead, or stays open for ever."""

from pathlib import Path

import pytest

from remit.core.endings.closure import Closing, Closure
from remit.core.errors import Conflict, NotFound
from remit.core.evidence.event import EventKind
from remit.core.evidence.receipt import ReceiptReading
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.services.assembly.services import Services
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld
from tests.worlds.credentials import desk_world, of_leases
from tests.worlds.desk_replicas import desk_replicas

WHY = "its machine was scrapped"


class LostBroker(ScriptedBroker):
    """Its source and sink were on a machine that is gone."""

    def lose(self) -> None:
        """Lose it."""
        self.down = self.sink_down = True


async def ended(world: CallWorld, broker: LostBroker) -> Closure:
    """End a task whose credential cannot be tried any more."""
    task, token = await world.open()
    await world.call(token, "read")
    broker.lose()
    return await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")


async def lease_in(services: Services, closure: Closure) -> Closing:
    """Return what a closure says of its credential now."""
    (found,) = of_leases((await services.evidence.receipts.closure(closure.id)).closings)
    return found


async def test_what_nobody_can_try_is_closed_by_hand_and_never_called_dead(tmp_path: Path) -> None:
    """Who closed it and why stand in the closure and in the log, and the next start does not try it again."""
    broker = LostBroker()
    async with desk_world(tmp_path, broker) as world:
        services, closure = world.services, await ended(world, broker)
        lease = (await lease_in(services, closure)).lease
        await services.credentials.sink_alarms.look()
        told = await services.credentials.leases.left.close(lease, by="root", because=WHY)
        assert told == await lease_in(services, closure)
        assert (told.by_hand, told.open, told.refused_after_ms) == (True, False, None)
        assert told.detail == f"closed by root, because {WHY}"
        assert (await services.evidence.receipts.closure(closure.id)).closed
        (facts,) = await world.facts(EventKind.LEASE_CLOSED)
        assert (facts["lease"], facts["reason"], facts["why"]) == (lease, WHY, "source-down")
        assert await world.facts(EventKind.LEASE_DEAD) == []
        assert await services.credentials.leases.sweep() == 0
        await services.credentials.sink_alarms.look()
        (finding,) = await services.findings.findings.about(state=FindingState.RESOLVED)
        assert finding.kind is FindingKind.SINK_OPEN
        with pytest.raises(NotFound):
            await services.credentials.leases.left.close(lease, by="root", because=WHY)
    async with desk_world(tmp_path, broker, "again") as world:
        assert await world.services.credentials.leases.recover() == 0


async def test_a_receipt_tells_what_was_closed_by_hand_from_what_is_dead() -> None:
    """Out of the log's own records."""
    reading = ReceiptReading("cls_1")
    closing = ["scripted", "desk door", -1, -1, 3, "lse_1"]
    made = {"closure": "cls_1", "scope": "task:t", "fence_us": 1, "tasks": 1, "indeterminate": []}
    reading.take("closure.made", "now", made | {"closings": [closing]})
    reading.take("lease.closed", "later", {"lease": "lse_1", "reason": WHY})
    told = reading.read()
    assert told is not None
    (one,) = told.closings
    assert (one.by_hand, one.refused_after_ms, one.detail) == (
        True,
        None,
        f"closed by a person, because {WHY}",
    )
    assert told.closed


@pytest.mark.parametrize("turns_out", ["alive", "dead"])
async def test_what_can_be_tried_after_all_is_not_a_persons_to_say(tmp_path: Path, turns_out: str) -> None:
    """The credential is tried once more, whatever the person states."""
    broker = LostBroker()
    async with desk_world(tmp_path, broker) as world:
        closure = await ended(world, broker)
        lease = (await lease_in(world.services, closure)).lease
        broker.sink_down = False
        broker.down = turns_out == "alive"
        with pytest.raises(Conflict) as refused:
            await world.services.credentials.leases.left.close(lease, by="root", because=WHY)
        assert refused.value.code == f"lease-{turns_out}"
        assert (await lease_in(world.services, closure)).open is (turns_out == "alive")
        assert await world.facts(EventKind.LEASE_CLOSED) == []
        await world.services.credentials.leases.stop()


async def test_what_a_task_uses_is_not_closed_by_hand(tmp_path: Path) -> None:
    """The credential would go on being used, and nothing would take it back."""
    broker = LostBroker()
    async with desk_world(tmp_path, broker) as world:
        _, token = await world.open()
        await world.call(token, "read")
        (lease,) = broker.alive
        with pytest.raises(Conflict) as refused:
            await world.services.credentials.leases.left.close(lease, by="root", because=WHY)
        assert refused.value.code == "lease-in-use"


async def test_any_replica_closes_what_another_cannot_end(tmp_path: Path, postgres: str) -> None:
    """The replica that was taking it back sees that, and leaves the closure unchanged."""
    broker = LostBroker()
    async with desk_replicas(tmp_path, postgres, broker, broker) as (holder, other):
        task, token = await holder.open()
        await holder.call(token, "read")
        (lease,) = broker.alive
        with pytest.raises(Conflict):
            await other.services.credentials.leases.left.close(lease, by="root", because=WHY)
        broker.lose()
        ending = holder.services.endings.revocations.end_task(task.id, reason="enough", by="root")
        closure = await ending
        await other.services.credentials.leases.left.close(lease, by="root", because=WHY)
        holder.clock.advance(5)
        await holder.look()
        assert await holder.services.credentials.leases.sweep() == 0
        assert (await lease_in(holder.services, closure)).by_hand
