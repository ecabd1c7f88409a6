# SPDX-License-Identifier: Apache-2.0
"""Who owns a family of tasks, as one replica takes it over."""

import asyncio
from typing import Any

import pytest

from remit.core.errors import Elsewhere
from remit.core.event import EventKind
from remit.ports.fleet import TakeTask, owner_key
from remit.ports.store import Receipt, Unit
from remit.services.ownership import Ownership
from tests.world import TENANT, WorldClock

Json = Any


class World:
    """A store in which a task was owned before."""

    several = True
    id = "writer_here"

    def __init__(self, owner: str = "") -> None:
        self.owner = owner
        self.units: list[Unit] = []
        parts: Json = self
        self.ownership = Ownership(replicas=parts, store=parts, clock=WorldClock(), tenant=TENANT)

    def check(self) -> None:
        """It has a lease."""

    async def commit(self, unit: Unit) -> Receipt:
        """Commit, in another turn of the loop."""
        await asyncio.sleep(0)
        self.units.append(unit)
        if self.owner and isinstance(unit.changes[0], TakeTask):
            raise Elsewhere("tsk_1", self.owner)
        return Receipt((), {owner_key("tsk_1"): 2})

    def told(self) -> list[EventKind]:
        """Give what the evidence says."""
        return [event.kind for unit in self.units for event in unit.events]


async def test_a_take_over_that_several_calls_ask_for_is_one_and_told_once() -> None:
    """All of them go on with it, and one takes the task to be new here."""
    world = World()
    found = await asyncio.gather(*(world.ownership.take("tsk_1") for _ in range(3)))
    assert world.told() == [EventKind.TASK_TAKEN_OVER]
    assert found == [True, True, True]
    assert world.ownership.holds("tsk_1")
    assert await world.ownership.take("tsk_1") is False
    assert len(world.units) == 2


async def test_a_call_that_is_given_up_gives_up_nobody_elses_take_over() -> None:
    """The one that began it goes away; the other one gets it."""
    world = World()
    first, second = (asyncio.create_task(world.ownership.take("tsk_1")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert world.told() == [EventKind.TASK_TAKEN_OVER]


async def test_everybody_is_told_whose_it_is_and_may_ask_again() -> None:
    """Nothing of a taking that was refused is kept."""
    world = World("writer_there")
    for error in await asyncio.gather(
        *(world.ownership.take("tsk_1") for _ in range(3)), return_exceptions=True
    ):
        assert isinstance(error, Elsewhere)
        assert (error.code, error.owner) == ("task-elsewhere", "writer_there")
    world.owner = ""
    assert await world.ownership.take("tsk_1")
    with pytest.raises(Elsewhere):
        world.ownership.checks("tsk_2")
