# SPDX-License-Identifier: Apache-2.0
"""Plans of open tasks grow for the asking until untrusted data was read, and by a human's answer then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.approval import ApprovalState
from remit.core.decisions.decision import Outcome
from remit.core.errors import Busy, Conflict, Fenced, Forbidden, Malformed
from remit.core.evidence.event import EventKind
from remit.core.label import Label, Trust
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.plan import PlanEntry, tools_of
from remit.core.tasks.task import HandDown
from remit.services.decisions.approvals import MAX_PENDING
from remit.services.decisions.plan_changes import Extension
from remit.services.tasks.opening_rules import DelegatedOpening
from tests.worlds.calls import ASK, CallWorld, a_bundle, a_type, call_world
from tests.worlds.services import PERMIT

#: What the person asks for, in words that ask for each tool of the desk.
GOAL = "Read what is at the desk, write a note, and pay"
PLAN_RULES = (
    Path(__file__).parents[4] / "src" / "remit" / "templates" / "policies" / "26-plan.cedar"
).read_text()


def planning_bundle() -> Bundle:
    """Return the desk with the default rules of plans; what it reads is untrusted, and work is handed
    down.
    """
    bundle = a_bundle(PERMIT + ASK + PLAN_RULES)
    wild = Label(data_class="internal", trust=Trust.UNTRUSTED)
    tools = bundle.tools | {"desk/read": msgspec.structs.replace(bundle.tools["desk/read"], label=wild)}
    down = a_type("handed", delegates=HandDown(to=("other",)))
    narrow = a_type("hello", grants=(GrantTemplate("desk/write", {"text": {"exact": "hello"}}),))
    types = bundle.task_types | {one.name: one for one in (down, narrow)}
    return msgspec.structs.replace(bundle, tools=tools, task_types=types)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk whose plans mean what they mean by default."""
    async with call_world(tmp_path) as made:
        await made.services.policies.apply(planning_bundle(), by="root")
        await made.learn()
        yield made


async def extend(world: CallWorld, task: str, *add: str | PlanEntry) -> Extension:
    """Ask for more, as the agent."""
    return await world.services.decisions.plans.extend(task, add, by="agent:clerk")


async def question(world: CallWorld, task: str, *add: str | PlanEntry) -> str:
    """Ask for more where a human is asked; gives the approval's id."""
    done = await extend(world, task, *add)
    assert done.decision is not None
    assert done.decision.outcome is Outcome.DEFER, done.decision
    return done.decision.approval


async def test_what_is_not_planned_waits_for_an_extension(world: CallWorld) -> None:
    """It is granted all along: the refusal says how it would be permitted."""
    task, token = await world.open(goal=GOAL, plan=("desk/read",))
    assert {grant.tool for grant in task.grants} == {"desk/read", "desk/write", "desk/pay"}
    refusal = (await world.call(token, "write")).decision
    assert (refusal.outcome, refusal.reasons[0].rule) == (Outcome.DENY, "plan/first")
    assert "extend the plan" in refusal.reasons[0].remediation
    assert (await extend(world, task.id, "desk/write")).holds
    assert await world.outcome(token, "write") is Outcome.PERMIT
    assert await world.outcome(token, "read") is Outcome.PERMIT


async def test_an_extension_before_reading_is_recorded(world: CallWorld) -> None:
    """As a decision, and as what it did, with the label and nothing read."""
    task, _ = await world.open(goal=GOAL, plan=("desk/read",))
    assert [one["plan"] for one in await world.facts(EventKind.TASK_OPENED)] == [["desk/read"]]
    await extend(world, task.id, "desk/write")
    (decided,) = await world.facts(EventKind.DECISION_MADE)
    assert (decided["tool"], decided["outcome"]) == ("remit/plan", "permit")
    assert await world.facts(EventKind.PLAN_EXTENDED) == [
        {"tools": ["desk/write"], "declared": False, "class": "public", "trust": "trusted", "read": []}
    ]
    kept = await world.services.store.task(task.tenant, task.id)
    assert kept is not None
    assert tools_of(kept.plan) == ("desk/read", "desk/write")


async def test_after_reading_a_human_is_asked_and_sees_what_was_read(world: CallWorld) -> None:
    """The question holds exactly what would be added, and which call brought what others may have written."""
    task, token = await world.open(goal=GOAL, plan=("desk/read",))
    await world.call(token, "read")
    approval = await world.services.decisions.approvals.get(await question(world, task.id, "desk/write"))
    assert (approval.tool, approval.arguments) == ("remit/plan", {"add": [{"tool": "desk/write"}]})
    assert "untrusted data came with call 1, `desk/read`" in approval.reasons
    await world.approve(approval.id)
    assert (await extend(world, task.id, "desk/write")).holds
    (event,) = await world.facts(EventKind.PLAN_EXTENDED)
    assert (event["class"], event["trust"], event["read"]) == ("internal", "untrusted", [[1, "desk/read"]])
    assert (await world.services.decisions.approvals.get(approval.id)).state is ApprovalState.CONSUMED
    assert await world.outcome(token, "write") is Outcome.PERMIT


async def test_an_answer_extends_a_plan_once_and_by_nothing_else(world: CallWorld) -> None:
    """Not by another tool, not by looser arguments, and not again on another task."""
    entry = PlanEntry("desk/write", {"text": {"exact": "hello"}})
    task, token = await world.open(goal=GOAL, plan=("desk/read",))
    await world.call(token, "read")
    await world.approve(await question(world, task.id, entry))
    await question(world, task.id, "desk/write")
    await question(world, task.id, "desk/pay")
    assert (await extend(world, task.id, entry)).holds
    await question(world, task.id, "desk/write")
    again = await extend(world, task.id, entry)
    assert (again.holds, again.decision) == (True, None)
    assert len(await world.facts(EventKind.PLAN_EXTENDED)) == 1
    other, token = await world.open(goal=GOAL, plan=("desk/read",))
    await world.call(token, "read")
    await question(world, other.id, entry)


async def test_the_same_answer_is_taken_once_however_many_ask(world: CallWorld) -> None:
    """Asked ten times at the same moment, the plan grows by one event, and the others find it grown."""
    task, token = await world.open(goal=GOAL, plan=("desk/read",))
    await world.call(token, "read")
    await world.approve(await question(world, task.id, "desk/write"))
    done = await asyncio.gather(*(extend(world, task.id, "desk/write") for _ in range(10)))
    assert all(one.holds for one in done)
    assert sum(one.decision is not None for one in done) == 1
    assert len(await world.facts(EventKind.PLAN_EXTENDED)) == 1


async def test_a_denied_extension_stays_denied(world: CallWorld) -> None:
    """The approver is not asked until they approve."""
    task, token = await world.open(goal=GOAL, plan=("desk/read",))
    await world.call(token, "read")
    await world.approve(await question(world, task.id, "desk/write"), approve=False)
    done = await extend(world, task.id, "desk/write")
    assert done.decision is not None
    assert (done.decision.outcome, done.holds) == (Outcome.DENY, False)
    assert tools_of(done.task.plan) == ("desk/read",)


async def test_a_plan_gives_nothing(world: CallWorld) -> None:
    """What is not granted cannot be planned, and what is planned is held against the grant all the same."""
    with pytest.raises(Forbidden, match="plan names `desk/odd`"):
        await world.open(goal=GOAL, plan=("desk/odd",))
    task, token = await world.open("hello", goal=GOAL, plan=())
    refusal = (await extend(world, task.id, "desk/pay")).decision
    assert refusal is not None
    assert (refusal.outcome, refusal.reasons[0].code) == (Outcome.DENY, "plan")
    assert (await world.facts(EventKind.DECISION_MADE))[-1]["outcome"] == "deny"
    assert (await extend(world, task.id, PlanEntry("desk/write", {"text": {"anything": {}}}))).holds
    assert await world.outcome(token, "write", text="bye") is Outcome.DENY
    assert await world.outcome(token, "write", text="hello") is Outcome.PERMIT


async def test_a_planned_argument_binds_for_the_whole_task(world: CallWorld) -> None:
    """Another value is not planned; the refusal says which argument departs and what the plan says of it."""
    task, token = await world.open(goal=GOAL, plan=(PlanEntry("desk/write", {"text": {"exact": "hello"}}),))
    assert await world.outcome(token, "write", text="hello") is Outcome.PERMIT
    refusal = (await world.call(token, "write", text="bye")).decision
    assert refusal.outcome is Outcome.DENY
    assert [(one.rule, one.argument) for one in refusal.reasons] == [("plan/first", ""), ("plan", "text")]
    assert refusal.reasons[1].remediation == "the plan: `text` must be `hello`"
    assert (await extend(world, task.id, "desk/write")).holds
    assert await world.outcome(token, "write", text="bye") is Outcome.PERMIT


async def test_a_constraint_that_is_not_understood_is_an_error(world: CallWorld) -> None:
    """At open and later alike; nothing is planned then."""
    odd = PlanEntry("desk/write", {"text": {"rhymes_with": "hello"}})
    with pytest.raises(Malformed):
        await world.open(goal=GOAL, plan=(odd,))
    task, _ = await world.open(goal=GOAL, plan=())
    with pytest.raises(Malformed):
        await extend(world, task.id, odd)


async def test_the_first_plan_of_a_task_narrows_it(world: CallWorld) -> None:
    """A task without a plan has nothing unplanned. Once it has one, the rest waits for an extension."""
    task, token = await world.open()
    assert await world.outcome(token, "write") is Outcome.PERMIT
    assert (await extend(world, task.id, "desk/read")).holds
    assert (await world.facts(EventKind.PLAN_EXTENDED))[0]["declared"] is True
    assert await world.outcome(token, "write") is Outcome.DENY


async def test_a_first_plan_after_reading_needs_a_human(world: CallWorld) -> None:
    """Else what was read could have itself planned; no human is asked about what no person asked for."""
    task, token = await world.open(goal=GOAL)
    await world.call(token, "read")
    await question(world, task.id, "desk/write")
    other, token = await world.open(goal="Read what is at the desk")
    await world.call(token, "read")
    refused = (await extend(world, other.id, "desk/read", "desk/write")).decision
    assert refused is not None
    assert (refused.outcome, refused.reasons[0].rule) == (Outcome.DENY, "plan/unasked-later")


async def test_an_extension_takes_no_budget(world: CallWorld) -> None:
    """What it leads to is counted."""
    task, token = await world.open("one-call", goal=GOAL, plan=())
    assert (await extend(world, task.id, "desk/write")).holds
    assert await world.outcome(token, "write") is Outcome.PERMIT


async def test_nothing_is_planned_for_what_has_ended(world: CallWorld) -> None:
    """Also where the question was approved before the end."""
    task, token = await world.open(goal=GOAL, plan=("desk/read",))
    await world.call(token, "read")
    await world.approve(await question(world, task.id, "desk/write"))
    await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
    with pytest.raises((Fenced, Conflict)):
        await extend(world, task.id, "desk/write")
    assert await world.facts(EventKind.PLAN_EXTENDED) == []


async def test_people_are_not_flooded_with_plans(world: CallWorld) -> None:
    """Extensions count among the questions of a task."""
    task, token = await world.open(goal=GOAL, plan=("desk/read",))
    await world.call(token, "read")
    for n in range(MAX_PENDING):
        await question(world, task.id, PlanEntry("desk/write", {"text": {"exact": str(n)}}))
    with pytest.raises(Busy):
        await extend(world, task.id, "desk/pay")


async def test_a_turn_and_an_extension_at_once_are_both_kept(world: CallWorld) -> None:
    """Neither puts back what the other has changed."""
    task, _ = await world.open(goal=GOAL, plan=())
    lena = await world.person("lena")
    await asyncio.gather(
        *(world.services.tasks.tasks.add_message(task.id, f"and {n}", lena) for n in range(5)),
        *(extend(world, task.id, tool) for tool in ("desk/read", "desk/write", "desk/pay")),
    )
    kept = await world.services.store.task(task.tenant, task.id)
    assert kept is not None
    assert set(tools_of(kept.plan) or ()) == {"desk/read", "desk/write", "desk/pay"}
    assert len(kept.intent.messages) == 5


async def test_a_childs_plan_lies_within_its_parents(world: CallWorld) -> None:
    """It is handed what was planned, and asks for more only once its parent plans it."""
    task, _ = await world.open(
        "handed", goal=GOAL, plan=(PlanEntry("desk/write", {"text": {"exact": "hello"}}),)
    )
    other = await world.services.identity.directory.agent("other")

    async def hand(**wanted: Any) -> Any:
        return await world.services.tasks.tasks.open_child(task.id, other, DelegatedOpening(**wanted))

    with pytest.raises(Forbidden, match="not in the parent task's plan"):
        await hand(tools=("desk/read",))
    assert {one.tool for one in (await hand(tools=("desk/write",))).grants} == {"desk/write"}
    child = await hand()
    assert child.plan is not None
    assert child.plan[0].permits({"text": "bye"}) != ()
    refused = await extend(world, child.id, "desk/read")
    assert refused.decision is not None
    assert refused.decision.outcome is Outcome.DENY
    assert (await extend(world, task.id, "desk/read")).holds
    assert (await extend(world, child.id, "desk/read")).holds
    # Wider than its parent's it is not, whatever it asks for.
    grown = await extend(world, child.id, "desk/write")
    assert all(one.permits({"text": "bye"}) for one in grown.task.plan or () if one.tool == "desk/write")


async def test_a_site_decides_otherwise_what_a_plan_means(world: CallWorld) -> None:
    """The rule that the guide to plans shows: extensions of one agent are asked about from the start."""
    guide = (Path(__file__).parents[4] / "docs" / "howto" / "plan-a-task.md").read_text()
    rule = guide.partition("```cedar\n")[2].partition("```")[0].replace("contract-bot", "clerk")
    policies = (PolicySource("base.cedar", PERMIT + PLAN_RULES + rule),)
    await world.services.policies.apply(
        msgspec.structs.replace(planning_bundle(), policies=policies), by="root"
    )
    task, _ = await world.open(goal=GOAL, plan=())
    await question(world, task.id, "desk/write")
    other, _ = await world.open(agent="other", goal=GOAL, plan=())
    assert (await extend(world, other.id, "desk/write")).holds


async def test_without_a_plan_nothing_changes(world: CallWorld) -> None:
    """Neither before nor after reading."""
    _, token = await world.open()
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await world.outcome(token, "write") is Outcome.PERMIT


async def test_an_answer_that_comes_while_an_extension_is_decided_is_not_missed(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second question is asked, and the plan grows by the answer that was given."""
    task, token = await world.open(goal=GOAL, plan=("desk/read",))
    await world.call(token, "read")
    approval = await question(world, task.id, "desk/write")
    authorizer = world.services.decisions.authorizer
    decide = authorizer.decide

    async def answered_meanwhile(*asked: Any) -> Any:
        ruling = await decide(*asked)
        monkeypatch.setattr(authorizer, "decide", decide)
        await world.approve(approval)
        return ruling

    monkeypatch.setattr(authorizer, "decide", answered_meanwhile)
    assert (await extend(world, task.id, "desk/write")).holds
    assert len(await world.facts(EventKind.APPROVAL_REQUESTED)) == 1
