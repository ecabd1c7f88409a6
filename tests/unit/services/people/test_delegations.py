# SPDX-License-Identifier: Apache-2.0
"""On whose behalf: an agent acts only for a person who has agreed, and only until that person withdraws."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import Conflict, Fenced, Forbidden, Malformed, NotFound, RemitError
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import HandDown, Parameter, Task
from remit.services.identity.directory import NewPerson
from remit.services.people.delegations import NewDelegation
from remit.services.tasks.opening_rules import DelegatedOpening, Opening
from tests.samples.tokens import task_token
from tests.worlds.calls import CallWorld, a_bundle, a_type, call_world

LETTER = a_type(
    "letter",
    parameters={
        "to": Parameter(constraint={"pattern": "[a-z]{1,8}"}),
        "tone": Parameter(required=False, default="kind"),
    },
    grants=(GrantTemplate("desk/read", {"text": {"exact": "to {to}"}}),),
    delegates=HandDown(("other",)),
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk where letters are written, with an operator beside the others."""
    async with call_world(tmp_path) as made:
        bundle = a_bundle()
        bundle.task_types["letter"] = LETTER
        await made.services.policies.apply(bundle, by="root")
        new = NewPerson(name="otto", roles=(Role.OPERATOR,), groups=("staff",))
        await made.services.identity.directory.add_person(new, by="root")
        yield made


async def agree(world: CallWorld, person: str = "lena", **changes: Any) -> Delegation:
    """Make a record."""
    wanted = {
        "agent": "clerk",
        "task_type": "letter",
        "params": {"to": "ann"},
        "goal": "write to ann",
    } | changes
    return await world.services.people.delegations.add(NewDelegation(**wanted), await world.person(person))


async def act(world: CallWorld, **changes: Any) -> Task:
    """Have the agent open a task for lena by itself."""
    wanted = {"agent": "clerk", "task_type": "letter", "on_behalf_of": "lena"} | changes
    agent = await world.services.identity.directory.agent(wanted["agent"])
    return await world.services.tasks.tasks.open(Opening(**wanted), agent=agent)


async def test_an_agent_acts_for_a_person_under_their_record_alone(world: CallWorld) -> None:
    """Without one it is refused, for each part that does not fit; with one the person's words stand."""
    with pytest.raises(Forbidden, match="has not delegated"):
        await act(world)
    record = await agree(world)
    task = await act(world, goal="send me everything")
    assert (task.on_behalf_of, task.intent.requested_by, task.intent.goal) == ("lena", "lena", "write to ann")
    assert (task.delegation, task.intent.params["to"]) == (record.id, "ann")
    assert task.deadline <= record.expires
    for changes in ({"on_behalf_of": "otto"}, {"agent": "other"}, {"task_type": "work"}):
        with pytest.raises(Forbidden, match="has not delegated"):
            await act(world, **changes)
    opened = (await world.facts(EventKind.TASK_OPENED))[-1]
    assert opened["delegation"] == record.id
    assert (
        await world.outcome(await task_token(world.services, task.id), "read", text="to ann")
        is Outcome.PERMIT
    )


async def test_what_an_agent_chooses_is_never_intent(world: CallWorld) -> None:
    """It chooses what was left open, within the type: that stands in the grant, and not in the intent."""
    await agree(world, params={}, open=("to",))
    task = await act(world, params={"to": "bob"})
    assert "to" not in task.intent.params
    assert task.intent.params["tone"] == "kind"
    token = await task_token(world.services, task.id)
    assert await world.outcome(token, "read", text="to bob") is Outcome.PERMIT
    assert await world.outcome(token, "read", text="to ann") is Outcome.DENY
    for params in ({"to": "NO"}, {"to": "bob", "tone": "rude"}, {}):
        with pytest.raises((Forbidden, Malformed)):
            await act(world, params=params)


async def test_what_a_person_fixed_stays(world: CallWorld) -> None:
    """Another value is refused; the newest record that fits is taken."""
    first = await agree(world)
    with pytest.raises(Forbidden, match="fixes"):
        await act(world, params={"to": "bob"})
    world.clock.advance(1)
    second = await agree(world, params={"to": "bob"})
    assert (await act(world, params={"to": "bob"})).delegation == second.id
    assert (await act(world, params={"to": "ann"})).delegation == first.id
    assert (await act(world)).delegation == second.id


async def test_rank_speaks_for_nobody(world: CallWorld) -> None:
    """An operator opens nothing in another's name unless that person has said so."""
    opening = Opening(agent="clerk", task_type="letter", params={"to": "ann"}, on_behalf_of="lena")
    otto = await world.person("otto")
    with pytest.raises(Forbidden, match="has not delegated"):
        await world.services.tasks.tasks.open(opening, person=otto)
    record = await agree(world)
    task = await world.services.tasks.tasks.open(opening, person=otto)
    assert (task.on_behalf_of, task.intent.requested_by, task.delegation) == ("lena", "otto", record.id)


async def test_revoking_ends_what_was_opened_under_it(world: CallWorld) -> None:
    """With all that was handed down from it; and no more is opened, not even what was on its way."""
    record = await agree(world)
    task = await act(world)
    other = await world.services.identity.directory.agent("other")
    child = await world.services.tasks.tasks.open_child(task.id, other, DelegatedOpening())
    tokens = [await task_token(world.services, one.id) for one in (task, child)]
    closure = await world.services.people.delegations.revoke(record.id, by="lena", reason="enough")
    assert set(closure.tasks) == {task.id, child.id}
    for token in tokens:
        with pytest.raises(Fenced):
            await world.call(token, "read", text="to ann")
    with pytest.raises(Forbidden):
        await act(world)
    assert len(await world.facts(EventKind.DELEGATION_REVOKED)) == 1
    await world.services.people.delegations.revoke(record.id, by="lena", reason="again")
    assert len(await world.facts(EventKind.DELEGATION_REVOKED)) == 1


async def test_no_task_slips_through_while_a_record_is_revoked(world: CallWorld) -> None:
    """Whichever comes first."""
    for _ in range(10):
        record = await agree(world)
        opening = asyncio.create_task(act(world))
        revoking = asyncio.create_task(
            world.services.people.delegations.revoke(record.id, by="lena", reason="")
        )
        task, _ = await asyncio.gather(opening, revoking, return_exceptions=True)
        if isinstance(task, Task):
            live = await world.services.tasks.live.load(task.id)
            with pytest.raises(Fenced):
                world.services.tasks.live.check(live, world.clock.now())
        else:
            assert isinstance(task, RemitError)


async def test_a_record_that_has_run_out_says_nothing(world: CallWorld) -> None:
    """Nor does one whose person may not state such work any more."""
    await agree(world, valid_s=60)
    world.clock.advance(61)
    with pytest.raises(Forbidden, match="has not delegated"):
        await act(world)
    await agree(world)
    await world.services.identity.personnel.deactivate("lena", by="root")
    with pytest.raises((Forbidden, Conflict)):
        await act(world)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"agent": "nobody"}, NotFound),
        ({"task_type": "nothing"}, NotFound),
        ({"params": {"to": "NO"}}, Malformed),
        ({"params": {"to": 1}}, Malformed),
        ({"params": {"x": "y", "to": "ann"}}, Malformed),
        ({"params": {}}, Malformed),
        ({"params": {"to": "ann"}, "open": ("to",)}, Malformed),
        ({"open": ("x",)}, Malformed),
        ({"person": "omar"}, Forbidden),
    ],
)
async def test_a_record_says_what_is_wrong_with_it_when_it_is_made(
    world: CallWorld, changes: dict[str, Any], fault: type[RemitError]
) -> None:
    """Everything that it fixes or leaves open is checked; who may not state the work may not agree to it."""
    with pytest.raises(fault):
        await agree(world, **changes)
    assert await world.facts(EventKind.DELEGATION_MADE) == []


async def test_an_agent_opens_no_more_by_itself_than_it_may(world: CallWorld) -> None:
    """So many in a minute; a flood of refusals is counted, and the count is written."""
    clerk = await world.services.identity.directory.agent("clerk")
    opening = Opening(agent="clerk", task_type="by-itself")
    for _ in range(60):
        await world.services.tasks.tasks.open(opening, agent=clerk)
    for _ in range(40):
        with pytest.raises(RemitError) as told:
            await world.services.tasks.tasks.open(opening, agent=clerk)
        assert told.value.code == "too-many-openings"
    assert len(await world.facts(EventKind.TASK_REFUSED)) == 20
    world.clock.advance(61)
    for _ in range(40):
        await world.services.tasks.tasks.open(opening, agent=clerk)
    with pytest.raises(RemitError) as told:
        await world.services.tasks.tasks.open(opening, agent=clerk)
    assert told.value.code == "too-many-tasks"
    assert (await world.facts(EventKind.TASK_REFUSED))[-1]["further"] == 20
