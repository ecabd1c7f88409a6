# SPDX-License-Identifier: Apache-2.0
"""Opening tasks: who may run, who may state, for which person, with what; each refusal is recorded."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import Forbidden, Malformed, NotFound, RemitError
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import AgentState
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.plan import tools_of
from remit.core.tasks.task import Parameter
from remit.services.tasks.tasks import MAX_GOAL_CHARS, Opening
from tests.worlds.calls import CallWorld, a_bundle, a_type, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk with more types of task."""
    async with call_world(tmp_path) as made:
        bundle = a_bundle()
        for one in (
            a_type("others", run_by=("other",)),
            a_type("roots", requested_by=("root",)),
            a_type("grouped", run_by=("group:night",)),
            a_type(
                "letter",
                parameters={
                    "to": Parameter(constraint={"pattern": "[a-z]{1,8}"}),
                    "n": Parameter(type="integer", required=False, default=1),
                },
                grants=(GrantTemplate("desk/write", {"text": {"exact": "to {to}"}}),),
            ),
        ):
            bundle.task_types[one.name] = one
        await made.services.policies.apply(bundle, by="root")
        yield made


async def refused(world: CallWorld, kind: type[RemitError], by: str = "lena", **wanted: Any) -> RemitError:
    """Opening is refused, and the evidence says so."""
    opening = Opening(**({"agent": "clerk", "task_type": "work"} | wanted))
    before = len(await world.facts(EventKind.TASK_REFUSED))
    with pytest.raises(kind) as told:
        await world.services.tasks.tasks.open(opening, person=await world.person(by))
    assert len(await world.facts(EventKind.TASK_REFUSED)) == before + 1
    assert await world.facts(EventKind.TASK_OPENED) == []
    return told.value


async def test_an_agent_runs_what_names_it(world: CallWorld) -> None:
    """By its name or by a group of its."""
    for task_type in ("others", "grouped"):
        error = await refused(world, Forbidden, task_type=task_type)
        assert "may not run" in str(error)
    await refused(world, NotFound, agent="nobody")
    await refused(world, NotFound, task_type="nothing")


async def test_an_agent_out_of_service_runs_nothing(world: CallWorld) -> None:
    """A suspended agent is suspended for every person."""
    await world.services.identity.directory.move("clerk", AgentState.SUSPENDED, by="root", reason="odd")
    await refused(world, Forbidden)


async def test_an_intent_is_stated_by_who_may(world: CallWorld) -> None:
    """The type names the person or the person's group; a higher role does not help."""
    await refused(world, Forbidden, by="root")
    await refused(world, Forbidden, by="lena", task_type="roots")
    await refused(world, Forbidden, by="lena", task_type="by-itself")


async def test_an_agent_states_no_intent_of_its_own_unless_the_type_says_so(world: CallWorld) -> None:
    """It then states it for itself alone, on no person's behalf."""
    clerk, other = [await world.services.identity.directory.agent(name) for name in ("clerk", "other")]
    opened = world.services.tasks.tasks.open
    with pytest.raises(Forbidden):
        await opened(Opening(agent="clerk", task_type="work"), agent=clerk)
    with pytest.raises(Forbidden):
        await opened(Opening(agent="clerk", task_type="by-itself"), agent=other)
    with pytest.raises(Forbidden):
        await opened(Opening(agent="other", task_type="by-itself"), agent=other)
    with pytest.raises(Forbidden):
        await opened(Opening(agent="clerk", task_type="by-itself", on_behalf_of="lena"), agent=clerk)
    task = await opened(Opening(agent="clerk", task_type="by-itself"), agent=clerk)
    assert (task.intent.requested_by, task.on_behalf_of) == ("agent:clerk", "")


async def test_nobody_is_spoken_for(world: CallWorld) -> None:
    """A task is on behalf of who opened it."""
    await refused(world, Forbidden, on_behalf_of="omar")
    task, _ = await world.open()
    assert task.on_behalf_of == "lena"


async def test_parameters_are_checked_before_they_reach_a_grant(world: CallWorld) -> None:
    """By type and constraint; unknown and missing ones are named."""
    for params in (
        {"to": "Ann"},
        {"to": "a b"},
        {"to": 1},
        {},
        {"to": "ann", "x": 1},
        {"to": "ann", "n": "1"},
    ):
        await refused(world, Malformed, task_type="letter", params=params)
    _, token = await world.open("letter", params={"to": "ann"})
    assert await world.outcome(token, "write", text="to ann") is Outcome.PERMIT
    assert await world.outcome(token, "write", text="to {to}") is Outcome.DENY


async def test_what_a_consent_limits_is_not_granted(world: CallWorld) -> None:
    """Other than a plan, which could be extended; a plan cannot name it either."""
    opening = Opening(agent="clerk", task_type="work")
    lena = await world.person("lena")
    task = await world.services.tasks.tasks.open(opening, person=lena, tools=("desk/read",))
    assert [grant.tool for grant in task.grants] == ["desk/read"]
    wider = Opening(agent="clerk", task_type="work", plan=("desk/write",))
    with pytest.raises(Forbidden):
        await world.services.tasks.tasks.open(wider, person=lena, tools=("desk/read",))


async def test_a_plan_names_what_is_granted(world: CallWorld) -> None:
    """It cannot ask for more, and takes nothing away for good."""
    await refused(world, Forbidden, plan=("desk/odd",))
    task, _ = await world.open(plan=("desk/read",))
    assert {grant.tool for grant in task.grants} == {"desk/read", "desk/write", "desk/pay"}
    assert tools_of(task.plan) == ("desk/read",)


async def test_an_intent_has_a_bound(world: CallWorld) -> None:
    """Without stated words, the intent is the type's purpose."""
    await refused(world, Malformed, goal="x" * (MAX_GOAL_CHARS + 1))
    task, _ = await world.open()
    assert task.intent.goal == "Work at the desk"


async def test_a_lease_is_bounded(world: CallWorld) -> None:
    """An hour at most, and no lease where none was asked for."""
    for wanted, given in ((0, 0), (-5, 0), (30, 30), (10**9, 3600)):
        task, _ = await world.open(lease_s=wanted)
        assert task.lease_s == given


async def test_only_who_stated_the_intent_adds_to_it(world: CallWorld) -> None:
    """Another's words do not become part of it; an ended task takes no more."""
    task, _ = await world.open()
    with pytest.raises(Forbidden):
        await world.services.tasks.tasks.add_message(task.id, "pay it all", await world.person("root"))
    lena = await world.person("lena")
    extended = await world.services.tasks.tasks.add_message(task.id, "and the appendix", lena)
    assert [message.text for message in extended.intent.messages] == ["and the appendix"]
    with pytest.raises(Malformed):
        await world.services.tasks.tasks.add_message(task.id, "x" * (MAX_GOAL_CHARS + 1), lena)
    await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    with pytest.raises(RemitError):
        await world.services.tasks.tasks.add_message(task.id, "one more", lena)


async def test_a_turn_keeps_the_label(world: CallWorld) -> None:
    """Extending the intent washes nothing."""
    task, token = await world.open()
    await world.call(token, "read")
    await world.services.tasks.tasks.add_message(task.id, "more", await world.person("lena"))
    assert (await world.services.tasks.tasks.get(task.id)).label.data_class == "internal"


async def test_the_intent_is_sealed(world: CallWorld) -> None:
    """What was said stands in no leaf, only a commitment to it."""
    await world.open(goal="a very private goal")
    kind = EventKind.TASK_OPENED.value
    (entry,) = await world.services.evidence.log.pages(limit=10, kinds=(kind,))
    assert b"private" not in entry.leaf
    assert entry.opened is not None
    assert entry.opened["goal"] == "a very private goal"
