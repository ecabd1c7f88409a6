# SPDX-License-Identifier: Apache-2.0
"""What an agent uses of what it is granted: what counts as granted, and over which window use is counted."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.evidence.event import Event
from remit.core.evidence.events.system import SubjectForgotten
from remit.ports.store.units import Unit
from remit.services.inspection.grant_use import EVENTS, WINDOW, GrantedUse
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.values import TENANT


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """The desk."""
    async with call_world(tmp_path) as made:
        yield made


async def use_of(world: CallWorld, agent: str = "clerk") -> GrantedUse:
    """Return the use of an agent."""
    found = await world.services.identity.directory.agent(agent)
    tasks = await world.services.tasks.tasks.newest(agent=agent)
    await world.services.store.commit(Unit(tenant=TENANT))
    return await world.services.inspection.granted_use.of(
        found, [one for one in tasks if one.active_at(world.clock.now())]
    )


async def test_what_task_types_and_open_tasks_grant_is_granted(world: CallWorld) -> None:
    """The highest tier first; a refused call is no use, and one that waits for a person is."""
    _, token = await world.open()
    await world.asked(token, "pay", amount=1)
    await world.call(token, "read", text="a")
    _, hello = await world.open("hello")
    await world.call(hello, "write", text="bye")
    use = await use_of(world)
    assert [one.tool for one in use.tools] == ["desk/pay", "desk/write", "desk/read"]
    pay, write, read = use.tools
    assert (pay.asked, pay.open_tasks, pay.tier) == (1, 1, "autonomous")
    assert (write.refused, write.used, write.open_tasks) == (1, False, 2)
    assert "by-itself" in read.task_types
    assert use.unused == (write,)
    assert use.others == ()
    assert (await use_of(world, "other")).unused == (await use_of(world, "other")).tools


async def test_a_call_without_a_grant_is_named_apart(world: CallWorld) -> None:
    """It is not granted, however often the agent asks for it."""
    _, token = await world.open("hello")
    await world.call(token, "odd", text="a")
    (odd,) = (await use_of(world)).others
    assert (odd.tool, odd.refused, odd.granted) == ("desk/odd", 1, False)


async def test_use_is_counted_over_a_window_of_time(world: CallWorld) -> None:
    """Never from before the agent's registration, and not from before thirty days."""
    _, token = await world.open()
    await world.call(token, "read", text="a")
    registered = (await world.services.identity.directory.agent("clerk")).created
    assert (await use_of(world)).since == registered
    world.clock.advance((WINDOW + timedelta(days=2)).total_seconds())
    use = await use_of(world)
    assert use.since == world.clock.now() - WINDOW
    assert not any(one.used for one in use.tools)


async def test_a_count_goes_on_where_it_was(world: CallWorld) -> None:
    """Asked again, it counts each call once, whether or not there was one in between."""
    _, token = await world.open()
    for calls in (1, 2, 3):
        await world.call(token, "read", text="a")
        for _ in range(2):
            (read,) = (one for one in (await use_of(world)).tools if one.tool == "desk/read")
            assert read.permitted == calls


async def test_use_is_counted_over_a_window_of_events(world: CallWorld) -> None:
    """However long the log is; the report says from when on it has counted."""
    _, token = await world.open()
    await world.call(token, "read", text="a")
    world.clock.advance(60)
    later = world.clock.now()
    filler = Event.of(SubjectForgotten(reason="", by="root"), at=later, tenant=TENANT)
    for _ in range(EVENTS // 1000):
        await world.services.store.commit(Unit(events=(filler,) * 1000))
    use = await use_of(world)
    assert use.since == later
    assert not any(one.used for one in use.tools)
