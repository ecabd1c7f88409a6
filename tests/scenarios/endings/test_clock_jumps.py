# SPDX-License-Identifier: Apache-2.0
"""The time of day is set an hour forth or back: nothing lives longer by that, nothing comes back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import Fenced, RemitError
from remit.core.evidence.event import EventKind
from remit.core.tasks.task import TaskState
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.credentials import closure_now, desk_world

HOUR_S = 3600


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk."""
    async with call_world(tmp_path) as made:
        yield made


def life_s(world: CallWorld, deadline: object) -> float:
    """Return how long a task lives by the time of day."""
    return (deadline - world.clock.now()).total_seconds()  # type: ignore[operator, no-any-return]


async def test_forth_beyond_the_deadline_ends_the_task_at_once(world: CallWorld) -> None:
    """What has run out by the time of day has run out, though no second has passed."""
    task, token = await world.open()
    world.clock.jump(life_s(world, task.deadline))
    with pytest.raises(RemitError):
        await world.call(token, "read")
    (closure,) = await world.services.endings.revocations.expire()
    assert closure.tasks == (task.id,)
    assert closure.closed
    assert all(one.refused_after_ms is not None and one.refused_after_ms >= 0 for one in closure.closings)
    assert world.desk.arrived == []


async def test_back_lets_no_task_outlive_its_deadline(world: CallWorld) -> None:
    """A deadline is also counted in seconds that pass: the task ends by these, whatever the clock says."""
    task, token = await world.open()
    whole_s = life_s(world, task.deadline)
    world.clock.jump(-HOUR_S)
    world.clock.advance(whole_s)
    assert world.clock.now() < task.deadline
    with pytest.raises(RemitError):
        await world.call(token, "read")
    (closure,) = await world.services.endings.revocations.expire()
    assert (closure.tasks, closure.cause.value) == ((task.id,), "deadline")
    found = await world.services.tasks.tasks.get(task.id)
    assert found.state is TaskState.EXPIRED
    assert await world.services.endings.revocations.expire() == []


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
async def test_what_has_ended_stays_ended(world: CallWorld, jump_s: int) -> None:
    """An epoch is a number, and no time."""
    task, token = await world.open()
    assert await world.outcome(token, "read") is Outcome.PERMIT
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="ana")
    world.clock.jump(jump_s)
    with pytest.raises(RemitError):
        await world.call(token, "read")
    assert (
        await world.services.endings.revocations.end_task(task.id, reason="again", by="ana")
    ).id == closure.id
    assert len(world.desk.arrived) == 1


async def test_a_lease_does_not_hear_of_it(world: CallWorld) -> None:
    """Who renews in time goes on, and who does not is late, by seconds that pass alone."""
    _, token = await world.open(lease_s=60)
    world.clock.jump(60)
    assert await world.outcome(token, "read") is Outcome.PERMIT
    world.clock.jump(-60)
    world.clock.advance(60)
    with pytest.raises(Fenced) as refused:
        await world.call(token, "read")
    assert refused.value.code == "task-lease"


async def test_milliseconds_of_a_closure_are_not_the_clocks(tmp_path: Path) -> None:
    """Set back between an end and the next start: it was still not refused before it was ended."""
    broker = ScriptedBroker(traceable=True)
    async with desk_world(tmp_path, broker) as world:
        task, token = await world.open()
        await world.call(token, "read")
        broker.down = True
        closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="ana")
        assert not closure.closed
        now = world.clock.now()
    broker.down = False
    async with desk_world(tmp_path, broker, "again") as world:
        world.clock.jump((now - world.clock.now()).total_seconds() - HOUR_S)
        assert await world.services.credentials.leases.recover() == 1
        await world.until(lambda: not world.services.credentials.leases.counts()["open"])
        (closing,) = await closure_now(world.services, closure.scope)
        assert closing.refused_after_ms is not None
        assert closing.refused_after_ms >= 0
        (dead,) = await world.facts(EventKind.LEASE_DEAD)
        assert dead["after_us"] >= 0
