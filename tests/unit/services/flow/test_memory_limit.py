# SPDX-License-Identifier: Apache-2.0
"""What all live tasks of a process remember stays within a bound, and what is forgotten is not trusted."""

import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.services.flow.memory_limit import MemoryLimit
from remit.services.tasks.live_tasks import LiveTask
from tests.worlds.flow import FlowWorld, flow_world
from tests.worlds.values import WorldEntropy

ROOM = 20_000
"""Bytes: what about 400 values take, with the places where they stood."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[FlowWorld]:
    """The office, with room for few values."""
    async with flow_world(tmp_path) as made:
        made.services.mediation.mediator._parts.observer._room = MemoryLimit(
            made.services.tasks.live, WorldEntropy("room"), size_bytes=ROOM
        )
        yield made


async def worked(world: FlowWorld, rows: int) -> tuple[LiveTask, str]:
    """Open a task that looks Bob up among others; gives it with its token."""
    people = [{"name": f"Person {n}", "email": f"p{n}@example.com"} for n in range(rows)]
    world.office.answers["find_contact"] = [{"name": "Bob Stone", "email": "bob@example.com"}, *people]
    task = await world.open("Mail Bob Stone or ann@example.com")
    await world.run("find_contact", name="Bob Stone")
    return await world.services.tasks.live.load(task.id), world.token


async def test_those_who_remember_most_forget_first(world: FlowWorld) -> None:
    """A task that has read a lot makes no small one forget; all together stay within the bound."""
    small, _ = await worked(world, 3)
    large, _ = await worked(world, 60)
    last, _ = await worked(world, 20)
    for _ in range(6):
        last, _ = await worked(world, 20)
        assert sum(one.index.size_bytes for one in world.services.tasks.live.all()) <= ROOM
    assert len(large.index) == 0
    assert min(len(small.index), len(last.index)) > 0


async def test_who_has_forgotten_asks_again_and_keeps_the_intent(world: FlowWorld) -> None:
    """What was reached is unknown afterwards, also where it is read again; what was stated still counts."""
    _, token = await worked(world, 60)
    assert await world.outcome("send_mail", to="bob@example.com", body="x") is Outcome.PERMIT
    first = world.task
    await worked(world, 60)
    world.task, world.token = first, token
    assert await world.outcome("send_mail", to="bob@example.com", body="x") is Outcome.DEFER
    await world.run("find_contact", name="Bob Stone")
    assert await world.outcome("send_mail", to="bob@example.com", body="x") is Outcome.DEFER
    assert await world.outcome("send_mail", to="ann@example.com", body="x") is Outcome.PERMIT


async def test_what_a_task_forgets_its_children_forget(world: FlowWorld) -> None:
    """They would keep it in memory, uncounted, as often as a task is handed down; the intent stays theirs."""
    parent, _ = await worked(world, 60)
    await world.hand_down()
    assert await world.outcome("send_mail", to="bob@example.com", body="x") is Outcome.PERMIT
    gone = weakref.ref(parent.index)
    child, token = world.task, world.token
    await worked(world, 60)
    await worked(world, 60)
    assert gone() is None
    world.task, world.token = child, token
    assert await world.outcome("send_mail", to="bob@example.com", body="x") is Outcome.DEFER
    assert await world.outcome("send_mail", to="ann@example.com", body="x") is Outcome.PERMIT
