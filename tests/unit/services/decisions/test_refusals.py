# SPDX-License-Identifier: Apache-2.0
"""A task that is refused in a loop does not fill the evidence; it stays refused all the same."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.evidence.event import EventKind
from remit.services.decisions.refusals import BURST, PER_S
from tests.worlds.calls import CallWorld, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def refuse(world: CallWorld, token: str, times: int) -> None:
    """Call what was not granted."""
    for _ in range(times):
        assert await world.outcome(token, "unheard-of") is Outcome.DENY


async def written(world: CallWorld) -> int:
    """Return the number of decisions in the evidence."""
    return len(await world.services.evidence.log.pages(limit=1000, kinds=(EventKind.DECISION_MADE.value,)))


async def test_a_flood_of_refusals_is_counted(world: CallWorld) -> None:
    """Beyond the burst nothing is written one by one; the count follows, once, with codes and tools."""
    _, token = await world.open()
    await refuse(world, token, BURST + 30)
    assert await written(world) == BURST
    assert await world.services.mediation.mediator.count_refusals() == 1
    assert await world.services.mediation.mediator.count_refusals() == 0
    told = await world.facts(EventKind.REFUSALS_COUNTED)
    assert [(one["count"], one["codes"], one["tools"]) for one in told] == [
        (30, ["not-granted"], ["desk/unheard-of"])
    ]


async def test_one_flood_hides_no_other_task(world: CallWorld) -> None:
    """Another task's refusals are written, and those of this one again after a while."""
    _, token = await world.open()
    await refuse(world, token, BURST + 1)
    _, other = await world.open()
    await refuse(world, other, 1)
    assert await written(world) == BURST + 1
    world.clock.advance(2 / PER_S)
    await refuse(world, token, 3)
    assert await written(world) == BURST + 3


async def test_a_question_to_people_is_never_merely_counted(world: CallWorld) -> None:
    """A deferred call is written with the question that it asks, however many were refused before."""
    _, token = await world.open()
    await refuse(world, token, BURST + 5)
    approval = await world.asked(token, amount=1)
    assert (await world.services.decisions.approvals.get(approval)).tool == "desk/pay"
    assert await written(world) == BURST + 1


async def test_invented_names_hide_no_tool_that_exists(world: CallWorld) -> None:
    """However many they are: the count names the tool, and how often it was refused."""
    _, token = await world.open("hello")
    for number in range(BURST):
        await world.outcome(token, f"invented-{number}")
    for number in range(400):
        await world.outcome(token, f"invented-{number % 130}")
        if number % 4 == 0:
            assert await world.outcome(token, "pay", amount=1) is Outcome.DENY
    await world.services.mediation.mediator.count_refusals()
    (told,) = await world.facts(EventKind.REFUSALS_COUNTED)
    assert told["count"] == 500
    assert (told["tools"][0], told["times"][0]) == ("desk/pay", 100)
    assert len(told["tools"]) == 10


async def test_a_task_that_could_be_new_is_forgotten(world: CallWorld) -> None:
    """What is remembered of refused tasks does not grow with tasks that came and went."""
    _, token = await world.open()
    await refuse(world, token, BURST + 1)
    _, other = await world.open()
    world.clock.advance(BURST / PER_S)
    await refuse(world, other, 1)
    refusals = world.services.mediation.mediator._parts.refusals
    assert len(refusals._tasks) == 2  # the count of the first one is not written yet
    assert await world.services.mediation.mediator.count_refusals() == 1
    _, third = await world.open()
    await refuse(world, third, 1)
    assert len(refusals._tasks) == 2
