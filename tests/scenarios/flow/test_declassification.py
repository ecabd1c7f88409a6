# SPDX-License-Identifier: Apache-2.0
"""Declassification: who may, what they must have looked at, and what it does not undo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.errors import (
    Busy,
    ChangedMeanwhile,
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    StoreUnavailable,
)
from remit.core.flow.stored_labels import LOOSE, ROOT
from remit.core.label import Label, Lowering, Trust
from remit.core.tasks.task import Task
from remit.ports.store.units import Unit
from remit.services.flow.declassification import task_digest
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import full_disk
from tests.worlds.tickets import UNTRUSTED, Desks, desks
from tests.worlds.values import TENANT

Json = Any
TRUSTED = Lowering(trusted=True)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Desks]:
    """A world of tickets."""
    async with desks(tmp_path) as made:
        yield made


async def lower(world: Desks, task: Task, by: str = "omar", seen: str = "", **more: Json) -> Task:
    """Declassify what a task carries."""
    now = await world.services.tasks.tasks.get(task.id)
    return await world.services.flow.declassifications.task(
        task.id,
        more.get("lowering", TRUSTED),
        await world.person(by),
        reason=more.get("reason", "I have read the contract"),
        seen=seen or task_digest(now),
    )


async def lower_data(world: Desks, resource: str, by: str = "omar", **more: Json) -> None:
    """Declassify what lies in a resource of the desk."""
    found = await world.services.flow.declassifications.get("desk", resource)
    await world.services.flow.declassifications.resource(
        "desk",
        resource,
        more.get("lowering", Lowering(trusted=True, to_class="public")),
        await world.person(by),
        reason="I have read the ticket",
        seen=more.get("seen", found.digest),
    )


async def lowered(world: Desks) -> list[dict[str, Json]]:
    """Return what the evidence says of declassifications."""
    await world.services.store.commit(Unit(tenant=TENANT))
    entries = await world.services.store.entries(TENANT, kinds=["label.lowered"], opened=True)
    return [msgspec.json.decode(one.leaf)["facts"] | {"opened": one.opened} for one in entries]


async def test_an_approver_declassifies_a_task(world: Desks) -> None:
    """By name and with a reason; a restart and an older token do not bring the label back."""
    task, token = await world.tainted()
    old = await task_token(world.services, task.id, confirmation=HELD)
    done = await lower(world, task)
    assert done.label == Label("internal")
    (facts,) = await lowered(world)
    assert (facts["what"], facts["trust"], facts["reason"]) == ("task", "trusted", "I have read the contract")
    assert facts["was"]["trust"] == "untrusted"
    assert facts["opened"] == {"by": "omar"}
    await world.outcome(old, "read_ticket", ticket=1)
    await world.outcome(token, "read_ticket", ticket=1)
    assert await world.label(task) == Label("internal")
    world.services.tasks.live.drop(task.id)
    assert (await world.services.tasks.live.load(task.id)).label == Label("internal")


async def test_what_is_read_afterwards_raises_the_label_again(world: Desks) -> None:
    """It was said of data that was there."""
    task, token = await world.tainted()
    await lower(world, task)
    await world.outcome(token, "contract", id="C-43")
    assert await world.label(task) == UNTRUSTED


@pytest.mark.parametrize("by", ["lena", "root"])
async def test_only_an_approver_does_and_not_whom_the_work_is_for(world: Desks, by: str) -> None:
    """Administrators are no approvers; the person who stated the task never approves its declassification."""
    task, _ = await world.tainted()
    with pytest.raises(Forbidden):
        await lower(world, task, by)
    assert await world.label(task) == UNTRUSTED
    assert await lowered(world) == []


async def test_what_has_changed_since_somebody_looked_is_not_declassified(world: Desks) -> None:
    """They would say it of data that they have not seen."""
    task, _ = await world.tainted()
    with pytest.raises(ChangedMeanwhile):
        await lower(world, task, seen="sha256:other")
    with pytest.raises(Malformed):
        await lower(world, task, reason=" ")
    with pytest.raises(Malformed):
        await lower(world, task, lowering=Lowering(to_class="cosmic"))
    with pytest.raises(Malformed):
        await lower(world, task, lowering=Lowering(to_class="restricted"))
    assert await world.label(task) == UNTRUSTED


async def test_a_task_with_calls_in_hand_is_not_declassified(world: Desks) -> None:
    """What they bring could be the very data."""
    task, token = await world.tainted()
    world.desk.open.clear()
    arrived = len(world.desk.arrived)
    reading = asyncio.create_task(world.call(token, "contract", id="C-43"))
    await world.until(lambda: len(world.desk.arrived) > arrived)
    with pytest.raises(Conflict):
        await lower(world, task)
    world.desk.open.set()
    await reading
    assert await world.label(task) == UNTRUSTED


async def test_while_it_is_declassified_a_task_takes_no_calls(world: Desks) -> None:
    """A call would be decided under one label and leave its data under another."""
    task, token = await world.tainted()
    live = await world.services.tasks.live.load(task.id)
    live.lowering = True
    with pytest.raises(Busy):
        await world.call(token, "read_ticket", ticket=1)
    with pytest.raises(Conflict):
        await lower(world, task)
    live.lowering = False
    await lower(world, task)
    await world.call(token, "read_ticket", ticket=1)


async def test_a_task_whose_child_carries_more_is_not_declassified(world: Desks) -> None:
    """What the child has read can still flow back."""
    parent, _ = await world.begin()
    child, token = await world.hand(parent)
    await world.outcome(token, "contract", id="C-42")
    with pytest.raises(Conflict):
        await lower(world, parent)
    await lower(world, child)
    await lower(world, parent)
    assert (await world.label(parent)).trust is Trust.TRUSTED


async def test_an_approver_declassifies_a_ticket_and_lists_are_clean_again(world: Desks) -> None:
    """The upstream as a whole is counted again; other tickets stay as they are."""
    _, token = await world.tainted()
    await world.outcome(token, "comment", ticket=7, text="as the contract says")
    await lower_data(world, "ticket/7")
    reader, theirs = await world.begin("other")
    await world.outcome(theirs, "read_ticket", ticket=7)
    await world.outcome(theirs, "list_tickets", query="open")
    assert await world.label(reader) == Label()
    (facts,) = await lowered(world)
    assert (facts["what"], facts["upstream"], facts["resources"]) == ("resource", "desk", 1)
    assert facts["opened"] == {"by": "omar", "resource": "ticket/7"}
    await world.outcome(token, "comment", ticket=8, text="as the contract says")
    await world.outcome(theirs, "read_ticket", ticket=8)
    assert await world.label(reader) == UNTRUSTED


async def test_a_resource_is_found_however_its_name_is_written(world: Desks) -> None:
    """As a description of its tool would fill it; a pattern names nothing, and never the whole upstream."""
    _, token = await world.tainted()
    await world.outcome(token, "comment", ticket="T-7", text="as the contract says")
    found = await world.services.flow.declassifications.get("desk", "Ticket/T-7")
    assert found.resource == "ticket/t-7"
    with pytest.raises(NotFound):
        await world.services.flow.declassifications.get("desk", "ticket/*")
    await lower_data(world, "ticket/T-7")
    assert (await lowered(world))[0]["opened"]["resource"] == "ticket/t-7"


async def test_declassifying_one_of_two_leaves_the_other(world: Desks) -> None:
    """In the list, too."""
    _, token = await world.tainted()
    for ticket in (7, 8):
        await world.outcome(token, "comment", ticket=ticket, text="as the contract says")
    await lower_data(world, "ticket/7")
    reader, theirs = await world.begin("other")
    await world.outcome(theirs, "read_ticket", ticket=7)
    assert await world.label(reader) == Label()
    await world.outcome(theirs, "list_tickets", query="open")
    assert await world.label(reader) == UNTRUSTED


async def test_the_upstream_as_a_whole_can_be_declassified(world: Desks) -> None:
    """Writes whose resource is not known, too; a restart keeps it so."""
    _, token = await world.tainted()
    await world.outcome(token, "note", text="as the contract says")
    await world.outcome(token, "create", text="as the contract says")
    await world.outcome(token, "comment", ticket=7, text="as the contract says")
    await lower_data(world, ROOT)
    reader, theirs = await world.begin("other")
    for ticket in (7, 8):
        await world.outcome(theirs, "read_ticket", ticket=ticket)
    await world.outcome(theirs, "list_tickets", query="open")
    assert await world.label(reader) == Label()


async def test_an_upstream_of_which_no_resource_is_known_can_be_looked_at_and_declassified(
    world: Desks,
) -> None:
    """What was written to resources that no answer named is shown under the upstream's own name."""
    _, token = await world.tainted()
    await world.outcome(token, "create", text="as the contract says")
    declassifications = world.services.flow.declassifications
    (row,) = await declassifications.listed("desk")
    assert row.resource.startswith(LOOSE)
    found = await declassifications.get("desk", ROOT)
    assert (found.resource, found.below, found.writers) == (ROOT, row.label, row.writers)
    await lower_data(world, ROOT)
    reader, theirs = await world.begin("other")
    await world.outcome(theirs, "read_ticket", ticket=7)
    assert await world.label(reader) == Label()


async def test_who_the_writing_task_worked_for_does_not_declassify_it(world: Desks) -> None:
    """Neither does an approver who saw another label, and a place without data has nothing to declassify."""
    _, token = await world.tainted()
    await world.outcome(token, "comment", ticket=7, text="as the contract says")
    with pytest.raises(Forbidden):
        await lower_data(world, "ticket/7", by="lena")
    with pytest.raises(ChangedMeanwhile):
        await lower_data(world, "ticket/7", seen="sha256:other")
    with pytest.raises(NotFound):
        await lower_data(world, "ticket/9")
    assert await lowered(world) == []


async def test_nothing_is_written_while_data_is_declassified(world: Desks) -> None:
    """A write that is under way holds it up, and one that comes meanwhile is told to come again."""
    _, token = await world.tainted()
    await world.outcome(token, "comment", ticket=7, text="as the contract says")
    world.desk.open.clear()
    arrived = len(world.desk.arrived)
    writing = asyncio.create_task(world.call(token, "comment", ticket=7, text="more"))
    await world.until(lambda: len(world.desk.arrived) > arrived)
    with pytest.raises(Conflict):
        await lower_data(world, "ticket/7")
    world.desk.open.set()
    await writing
    shelf = world.services.flow.stored_labels.shelves.of("desk")
    assert shelf is not None
    shelf.closed = True
    with pytest.raises(Busy):
        await world.call(token, "comment", ticket=7, text="more")
    shelf.closed = False
    await world.call(token, "comment", ticket=7, text="more")


async def test_a_declassification_that_cannot_be_kept_has_not_happened(world: Desks) -> None:
    """A full disk leaves the label as it was."""
    task, token = await world.tainted()
    await world.outcome(token, "comment", ticket=7, text="as the contract says")
    with full_disk(world), pytest.raises(StoreUnavailable):
        await _until_full(world, task)
    reader, theirs = await world.begin("other")
    await world.outcome(theirs, "read_ticket", ticket=7)
    assert await world.label(reader) == UNTRUSTED


async def _until_full(world: Desks, task: Task) -> None:
    for _ in range(10_000):
        await world.services.tasks.tasks.add_message(task.id, "x" * 4_000, await world.person("lena"))


async def test_a_sanitizers_result_is_told_of(world: Desks) -> None:
    """A reader of the evidence sees that the result carried less than the sanitizer had read."""
    _, token = await world.tainted()
    await world.outcome(token, "comment", ticket=7, text="as the contract says")
    _, theirs = await world.begin("other")
    await world.outcome(theirs, "clean", ticket=7)
    (facts,) = await lowered(world)
    assert (facts["what"], facts["tool"], facts["trust"]) == ("result", "desk/clean", "trusted")
    assert facts["was"]["trust"] == "untrusted"
