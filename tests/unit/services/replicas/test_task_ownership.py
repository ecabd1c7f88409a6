# SPDX-License-Identifier: Apache-2.0
"""Who owns a family of tasks, as one replica takes it over."""

import asyncio
from functools import partial
from typing import Any

import pytest

from remit.core.errors import Elsewhere, OutOfForce
from remit.core.evidence.event import EventKind
from remit.core.tasks.task import Ancestor
from remit.ports.store.replicas import HoldTask, LeaveTask, TakeTask, owner_key
from remit.ports.store.units import Receipt, Unit
from remit.services.replicas.task_ownership import Ownership, root_of
from tests.worlds.values import START, TENANT, WorldClock, a_task

Json = Any


class World:
    """A store in which a task was owned before."""

    id = "writer_here"

    def __init__(self, owner: str = "", epoch: int = 2, *, several: bool = True) -> None:
        self.owner = owner
        self.epoch = epoch
        self.several = several
        self.leased = True
        self.units: list[Unit] = []
        parts: Json = self
        self.ownership = Ownership(replicas=parts, store=parts, clock=WorldClock(), tenant=TENANT)

    def check(self) -> None:
        """Raise where it has no lease."""
        if not self.leased:
            raise OutOfForce

    async def commit(self, unit: Unit) -> Receipt:
        """Commit, in another turn of the loop."""
        await asyncio.sleep(0)
        self.units.append(unit)
        if self.owner and isinstance(unit.changes[0], TakeTask):
            raise Elsewhere("tsk_1", self.owner)
        return Receipt((), {owner_key("tsk_1"): self.epoch})

    def told(self) -> list[EventKind]:
        """Return what the evidence says."""
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


async def test_a_take_over_is_told_with_who_took_it_and_only_if_it_still_holds_then() -> None:
    """In one commit that the store refuses where another one was faster."""
    world = World()
    await world.ownership.take("tsk_1")
    taken, told = world.units
    assert taken.changes == (TakeTask(TENANT, "tsk_1", world.id),)
    assert told.changes == (HoldTask(TENANT, "tsk_1", world.id, 2),)
    (event,) = told.events
    assert (event.task, event.tenant, event.at) == ("tsk_1", TENANT, START)
    assert event.facts == {"replica": world.id, "epoch": 2}


@pytest.mark.parametrize(("epoch", "told"), [(1, True), (2, False)])
async def test_what_nobody_had_before_and_what_is_not_to_be_told_leaves_no_trace(
    epoch: int, told: bool
) -> None:
    """A task that is opened here is no take-over."""
    world = World(epoch=epoch)
    assert await world.ownership.take("tsk_1", told=told)
    assert world.told() == []
    assert world.ownership.checks("tsk_1") == (HoldTask(TENANT, "tsk_1", world.id, epoch),)


async def test_who_has_no_lease_takes_nothing_over() -> None:
    """Not even at the store."""
    world = World()
    world.leased = False
    with pytest.raises(OutOfForce):
        await world.ownership.take("tsk_1")
    assert world.units == []
    assert not world.ownership.holds("tsk_1")


async def test_what_is_owned_is_owned_until_it_is_let_go() -> None:
    """Each by itself, or all of it; letting go of what is not owned is nothing."""
    world = World()
    for over in (partial(world.ownership.drop, "tsk_1"), world.ownership.lose):
        await world.ownership.take("tsk_1", told=False)
        assert (len(world.ownership), world.ownership.holds("tsk_1")) == (1, True)
        assert not world.ownership.holds("tsk_2")
        over()
        assert (len(world.ownership), world.ownership.holds("tsk_1")) == (0, False)
        with pytest.raises(Elsewhere):
            world.ownership.checks("tsk_1")
    world.ownership.drop("tsk_2")


async def test_one_that_came_back_under_another_name_owns_nothing_of_before() -> None:
    """Its commits would be refused, and it knows."""
    world = World()
    await world.ownership.take("tsk_1")
    world.id = "writer_again"
    assert not world.ownership.holds("tsk_1")
    assert world.ownership.replica == "writer_again"


def test_the_end_of_a_family_frees_it_and_that_of_a_child_does_not() -> None:
    """A family has one owner: who owns the task that all the others go back to."""
    parent = a_task("tsk_1")
    line = tuple(Ancestor(name, "clerk", "lena") for name in ("tsk_2", "tsk_1"))
    child = a_task("tsk_3", lineage=line)
    assert (root_of(parent), root_of(child)) == ("tsk_1", "tsk_1")
    ownership = World().ownership
    assert ownership.ended(parent) == (LeaveTask(TENANT, "tsk_1", ended=True),)
    assert ownership.ended(child) == ()


async def test_a_process_that_is_alone_owns_everything_and_asks_nobody() -> None:
    """Nothing is committed for it, and nothing checked."""
    world = World(several=False)
    assert world.ownership.holds("tsk_1")
    assert not await world.ownership.take("tsk_1")
    assert (world.units, world.ownership.checks("tsk_1"), world.ownership.ended(a_task())) == ([], (), ())
