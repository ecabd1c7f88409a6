# SPDX-License-Identifier: Apache-2.0
"""A task whose relay is not heard of any more ends by itself, fenced, and its token is dead."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import Fenced
from remit.core.evidence.event import EventKind
from remit.core.scope import ScopeKind, scope
from remit.core.tasks.task import TaskState
from tests.refusals import refused
from tests.samples.tokens import task_token
from tests.worlds.calls import CallWorld, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk."""
    async with call_world(tmp_path) as made:
        yield made


async def test_a_lease_that_runs_out_ends_the_task(world: CallWorld) -> None:
    """A second without a renewal: refused at once, and ended and fenced by the next round of upkeep."""
    task, token = await world.open(lease_s=1)
    assert await world.outcome(token, "read") is Outcome.PERMIT
    world.clock.advance(1)
    with pytest.raises(Fenced) as refused:
        await world.call(token, "read")
    assert refused.value.code == "task-lease"
    (closure,) = await world.services.endings.revocations.expire()
    assert closure.tasks == (task.id,)
    assert closure.closed
    found = await world.services.tasks.tasks.get(task.id)
    assert (found.state, found.end_reason) == (TaskState.EXPIRED, "the lease was not renewed")
    assert world.services.store.epochs(world.services.tenant)[scope(ScopeKind.TASK, task.id)] == 1
    assert world.desk.arrived == [{"name": "read", "arguments": {}}]
    ended = await world.facts(EventKind.TASK_ENDED)
    assert ended == [{"state": "expired", "reason": "the lease was not renewed", "cause": "lease"}]
    assert await world.services.endings.revocations.expire() == []


async def test_a_lapsed_lease_cannot_be_renewed(world: CallWorld) -> None:
    """Who is late is late, before upkeep has come round too."""
    task, _ = await world.open(lease_s=1)
    world.clock.advance(1)
    with refused("task-lease", Fenced):
        await world.services.tasks.tasks.renew(task.id)
    with refused("task-lease", Fenced):
        await task_token(world.services, task.id)


async def test_a_renewed_lease_goes_on(world: CallWorld) -> None:
    """A lease goes on while it is renewed in time, and not beyond the deadline."""
    task, token = await world.open(lease_s=60)
    for _ in range(4):
        world.clock.advance(59)
        await world.services.tasks.tasks.renew(task.id)
        assert await world.services.endings.revocations.expire() == []
    assert await world.outcome(token, "read") is Outcome.PERMIT
    for _ in range(40):
        world.clock.advance(59)
        if world.clock.now() >= task.deadline:
            break
        await world.services.tasks.tasks.renew(task.id)
    with refused("task-expired", Fenced):
        await world.services.tasks.tasks.renew(task.id)
    (closure,) = await world.services.endings.revocations.expire()
    assert closure.reason == "the deadline has passed"


async def test_a_call_is_no_renewal(world: CallWorld) -> None:
    """A lease says that the relay lives; calls come from the agent."""
    _, token = await world.open(lease_s=2)
    world.clock.advance(1)
    assert await world.outcome(token, "read") is Outcome.PERMIT
    world.clock.advance(1)
    with refused("task-lease", Fenced):
        await world.call(token, "read")


async def test_setting_the_clock_back_gives_no_time(world: CallWorld) -> None:
    """A lease runs on a clock that cannot be set."""
    _, token = await world.open(lease_s=1)
    world.clock.jump(-3)
    world.clock.advance(1)
    with refused("task-lease", Fenced):
        await world.call(token, "read")


async def test_a_call_in_hand_is_cut_when_the_lease_runs_out(world: CallWorld) -> None:
    """Its answer is not released, and the closure lists it as indeterminate."""
    _, token = await world.open(lease_s=1)
    world.desk.open.clear()
    call = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: bool(world.desk.arrived))
    world.clock.advance(1)
    (closure,) = await world.services.endings.revocations.expire()
    assert [one.tool for one in closure.indeterminate] == ["desk/write"]
    world.desk.open.set()
    with refused("fenced", Fenced):
        await call


async def test_a_restart_gives_one_more_lease_and_no_more(tmp_path: Path) -> None:
    """A relay that lived through a restart can renew; one that did not is found out within one lease."""
    async with call_world(tmp_path) as world:
        task, token = await world.open(lease_s=1)
        assert await world.outcome(token, "read") is Outcome.PERMIT
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        assert await world.services.endings.revocations.expire() == []
        world.clock.advance(1)
        (closure,) = await world.services.endings.revocations.expire()
        assert closure.tasks == (task.id,)
        with refused("task-ended", Fenced):
            await world.call(token, "read")
