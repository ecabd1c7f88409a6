# SPDX-License-Identifier: Apache-2.0
"""Labels around the calls: declassified while others write, in containers, and what refusals say of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome
from remit.core.errors import ChangedMeanwhile, Conflict, Forbidden
from remit.core.flow.stored_labels import MAX_WRITERS, ROOT
from remit.core.label import Audience, Classes, Label, Lowering
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import Task
from remit.services.flow.declassification import task_digest
from remit.services.tasks.live_tasks import LiveTask
from remit.services.tasks.tasks import Opening
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import Heard
from tests.worlds.tickets import GRANTS, TOOLS, Desks, desks
from tests.worlds.values import TENANT

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Desks]:
    """A world of tickets."""
    async with desks(tmp_path) as made:
        yield made


async def lower(world: Desks, task: Task) -> Task:
    """Declassify what a task carries, as omar."""
    now = await world.services.tasks.tasks.get(task.id)
    return await world.services.flow.declassifications.task(
        task.id,
        Lowering(trusted=True),
        await world.person("omar"),
        reason="I have read the contract",
        seen=task_digest(now),
    )


async def lower_data(world: Desks, resource: str, seen: str = "") -> None:
    """Declassify what lies in a resource of the desk, as omar."""
    found = await world.services.flow.declassifications.get("desk", resource)
    await world.services.flow.declassifications.resource(
        "desk",
        resource,
        Lowering(trusted=True, to_class="public"),
        await world.person("omar"),
        reason="I have read the tickets",
        seen=seen or found.digest,
    )


async def test_who_looked_at_a_container_has_not_seen_what_was_written_into_it_since(world: Desks) -> None:
    """Though the container carries no more by it: another ticket does."""
    _, token = await world.tainted()
    await world.outcome(token, "comment", ticket=7, text="as the contract says")
    for container, ticket in (("ticket", 8), (ROOT, 9)):
        seen = (await world.services.flow.declassifications.get("desk", container)).digest
        await world.outcome(token, "comment", ticket=ticket, text="as the contract says")
        with pytest.raises(ChangedMeanwhile):
            await lower_data(world, container, seen)
        # What adds nothing anywhere is no reason to look again.
        seen = (await world.services.flow.declassifications.get("desk", container)).digest
        await world.outcome(token, "comment", ticket=ticket, text="once more")
        assert (await world.services.flow.declassifications.get("desk", container)).digest == seen


async def test_nobody_declassifies_a_container_in_which_their_own_task_wrote(world: Desks) -> None:
    """Though it remembers only some of those who wrote there: each resource in it remembers its own."""
    opening = Opening(agent="clerk", task_type="work", goal="look after the tickets")
    omar = msgspec.structs.replace(await world.person("omar"), groups=("staff",))
    own = await world.services.tasks.tasks.open(opening, person=omar)
    theirs = await task_token(world.services, own.id, confirmation=HELD)
    await world.outcome(theirs, "contract", id="C-42")
    for ticket in range(MAX_WRITERS + 3):
        _, token = await world.tainted()
        token = theirs if ticket == MAX_WRITERS else token
        await world.outcome(token, "comment", ticket=ticket, text="as the contract says")
    whole = await world.services.flow.declassifications.get("desk", "ticket")
    assert own.id not in {one.task for one in whole.writers}
    for container in ("ticket", ROOT):
        with pytest.raises(Forbidden):
            await lower_data(world, container)


async def test_what_the_person_says_while_a_task_is_declassified_is_not_lost(world: Desks) -> None:
    """Each puts the task back with what the other has changed."""
    task, _ = await world.tainted()
    lena = await world.person("lena")
    await asyncio.gather(
        world.services.tasks.tasks.add_message(task.id, "and ticket 7", lena), lower(world, task)
    )
    kept = await world.services.store.task(TENANT, task.id)
    assert kept is not None
    assert [message.text for message in kept.intent.messages] == ["and ticket 7"]
    assert (kept.lowered is not None, kept.label) == (True, Label("internal"))


async def test_what_is_handed_over_has_not_been_written_to_since_that_was_decided(world: Desks) -> None:
    """A call that shares by id was decided on the stored content; another writer changed it in the meantime:
    the caller must call again.
    """
    tools = {tool.name: tool for tool in TOOLS}
    tools["share"] = msgspec.structs.replace(tools["share"], audience=Audience("group:staff"))
    classes = Classes(clearance=Classes().clearance | {"group:staff": "internal"})
    await world.apply(tools=tuple(tools.values()), classes=classes)
    _, token = await world.begin()
    assert await world.outcome(token, "share", item="7") is Outcome.PERMIT
    authorizer = world.services.mediation.mediator._parts.authorizer
    decide, waiting = authorizer.decide, asyncio.Event()

    async def slowly(request: AccessRequest, live: LiveTask) -> Any:
        ruling = await decide(request, live)
        if request.tool.name == "share":
            await waiting.wait()
        return ruling

    authorizer.decide = slowly  # type: ignore[method-assign]
    sharing = asyncio.create_task(world.call(token, "share", item="7"))
    _, other = await world.tainted()
    assert await world.outcome(other, "comment", ticket=7, text="as the contract says") is Outcome.PERMIT
    waiting.set()
    with pytest.raises(Conflict) as refused:
        await sharing
    assert refused.value.code == "label-rose"
    assert await world.outcome(token, "share", item="7") is Outcome.PERMIT


async def test_a_ceiling_of_a_grant_holds_for_what_is_written_while_a_read_is_under_way(world: Desks) -> None:
    """The read was decided on what lay there; what others wrote since is not released above the ceiling."""
    grants = tuple(
        GrantTemplate(one.tool, other_arguments=True, ceilings={"result_class": "public"})
        if one.tool == "desk/read_ticket"
        else one
        for one in GRANTS
    )
    await world.apply(grants=grants)
    _, token = await world.tainted()
    reader, theirs = await world.begin("other")
    world.desk.open.clear()
    arrived = len(world.desk.arrived)
    heard = Heard()
    reading = asyncio.create_task(world.call(theirs, "read_ticket", heard, ticket=7))
    await world.until(lambda: len(world.desk.arrived) > arrived)
    writing = asyncio.create_task(world.call(token, "comment", ticket=7, text="as the contract says"))
    await world.until(lambda: len(world.desk.arrived) > arrived + 1)
    world.desk.open.set()
    await writing
    with pytest.raises(Conflict) as refused:
        await reading
    assert refused.value.code == "result-class"
    assert heard.chunks == []
    assert (await world.label(reader)).data_class == "public"
    assert await world.outcome(theirs, "read_ticket", ticket=7) is Outcome.DENY
