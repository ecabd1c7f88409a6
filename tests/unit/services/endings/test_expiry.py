# SPDX-License-Identifier: Apache-2.0
"""Which tasks have run out: what a look costs, and who is looked after."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from unittest import mock

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.tasks.task import TaskState
from remit.services.endings import expiry as run_out
from tests.worlds.calls import CallWorld, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk."""
    async with call_world(tmp_path) as made:
        yield made


async def test_what_is_bound_is_not_read_again(world: CallWorld) -> None:
    """A look binds unattended tasks; from then on memory shows when each has run out."""
    tasks = [(await world.open(idle_s=600))[0].id for _ in range(3)]
    live, store = world.services.tasks.live, world.services.store
    for task in tasks:
        live.drop(task)
    assert await world.services.endings.revocations.expire() == []
    assert all(live.get(task) is not None for task in tasks)
    with mock.patch.object(store, "task", side_effect=AssertionError):
        assert await world.services.endings.revocations.expire() == []
    world.clock.advance(601)
    ended = [one.tasks[0] for one in await world.services.endings.revocations.expire()]
    assert sorted(ended) == sorted(tasks)


async def test_others_have_their_turns_while_many_tasks_are_looked_at(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are bound, no turn of the loop has more than some of them."""
    monkeypatch.setattr(run_out, "IN_A_TURN", 2)
    for _ in range(9):
        task, _ = await world.open(idle_s=600)
        await world.services.tasks.live.load(task.id)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    looking = run_out.Expiry._bound(world.services.endings.revocations._run_out, world.clock.boot_s())
    assert await looking == []
    counting.cancel()
    assert turns >= 4


async def test_one_that_only_waits_to_begin_is_not_idle(world: CallWorld) -> None:
    """A task that is proposed ends by its deadline alone."""
    task, _ = await world.open(idle_s=5)
    live = await world.services.tasks.live.load(task.id)
    live.task = msgspec.structs.replace(task, state=TaskState.PROPOSED)
    world.clock.advance(10)
    assert await world.services.endings.revocations.expire() == []


async def test_what_is_used_up_goes_by_the_grants_that_a_task_has_now(world: CallWorld) -> None:
    """Their ceilings are worked out once, and again when it has others."""
    other, _ = await world.open()
    task, token = await world.open("twice")
    for _ in range(2):
        assert await world.outcome(token, "write") is Outcome.PERMIT
    live = await world.services.tasks.live.load(task.id)
    assert "used up" in live.used_up()
    live.narrow(msgspec.structs.replace(live.task, grants=other.grants))
    assert live.used_up() == ""
    live.narrow(task)
    assert "used up" in live.used_up()
