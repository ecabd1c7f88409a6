# SPDX-License-Identifier: Apache-2.0
"""An approver permits less than was asked: exactly the narrower call passes, once, and the agent is told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.decision import Outcome
from remit.core.errors import Conflict, Forbidden, Malformed
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.core.tasks.grant import GrantTemplate
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import ASK, CallWorld, a_bundle, a_type, call_world
from tests.worlds.services import PERMIT

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def narrow(world: CallWorld, approval: str, by: str = "omar", **values: Json) -> Approval:
    """Let a person approve less."""
    return await world.services.decisions.approvals.answer(
        approval, await world.person(by), approve=True, narrow=values
    )


async def state(world: CallWorld, approval: str) -> ApprovalState:
    """Return where an approval stands."""
    return (await world.services.decisions.approvals.get(approval)).state


async def test_the_narrower_call_passes_once_and_the_wider_one_never(world: CallWorld) -> None:
    """The answer to the wider one says exactly what was permitted instead."""
    _, token = await world.open()
    question = await world.asked(token, amount=5000, text="rent")
    given = await narrow(world, question, amount=500)
    assert (await state(world, question), given.state) == (ApprovalState.NARROWED, ApprovalState.APPROVED)

    end = await world.call(token, "pay", amount=5000, text="rent")
    assert end.decision.outcome is Outcome.DENY
    assert end.decision.reasons[0].code == "narrowed"
    assert end.decision.instead is not None
    assert end.decision.instead.arguments == {"amount": 500, "text": "rent"}
    assert (end.decision.instead.approval, end.decision.instead.changed) == (given.id, ("amount",))

    assert await world.outcome(token, "pay", amount=400, text="rent") is Outcome.DEFER
    made = await world.call(token, "pay", **end.decision.instead.arguments)
    assert (made.decision.outcome, made.decision.approval) == (Outcome.PERMIT, given.id)
    assert await state(world, given.id) is ApprovalState.CONSUMED
    assert await world.outcome(token, "pay", amount=500, text="rent") is Outcome.DEFER
    assert [one["arguments"] for one in world.desk.arrived] == [{"amount": 500, "text": "rent"}]


async def test_the_wider_call_is_not_asked_again_once_the_narrower_one_was_made(world: CallWorld) -> None:
    """No person is asked twice; when the question's time is over, it can be asked again."""
    task, token = await world.open()
    question = await world.asked(token, amount=5000)
    await narrow(world, question, amount=500)
    assert await world.outcome(token, "pay", amount=500) is Outcome.PERMIT
    end = await world.call(token, "pay", amount=5000)
    assert (end.decision.outcome, end.decision.reasons[0].code) == (Outcome.DENY, "narrowed")
    assert end.decision.instead is None
    assert len(await world.facts(EventKind.APPROVAL_REQUESTED)) == 1
    world.clock.advance(901)
    token = await task_token(world.services, task.id, confirmation=HELD)
    assert (await world.asked(token, amount=5000)) != question


async def test_the_evidence_tells_what_was_narrowed(world: CallWorld) -> None:
    """The question, the approval of the narrower call, its digest, and the names of what changed."""
    _, token = await world.open()
    question = await world.asked(token, amount=5000)
    given = await narrow(world, question, amount=500)
    (decided,) = await world.facts(EventKind.APPROVAL_DECIDED)
    assert (decided["approval"], decided["state"]) == (question, "narrowed")
    assert (decided["instead"], decided["instead_call"]) == (given.id, given.call)
    assert decided["narrowed"] == ["amount"]


async def test_nothing_wider_is_ever_approved(world: CallWorld) -> None:
    """Not another value, not another argument, not several calls; the question stays open."""
    _, token = await world.open()
    question = await world.asked(token, amount=5000, text="rent")
    for values in ({"amount": 5000}, {"amount": 9000}, {"text": "ren"}, {"other": 1}, {"amount": 1, "x": 1}):
        with pytest.raises(Malformed):
            await narrow(world, question, **values)
    omar = await world.person("omar")
    answer = world.services.decisions.approvals.answer
    less = {"amount": 1}
    with pytest.raises(Malformed):
        await answer(question, omar, approve=True, narrow=less, most=2)
    with pytest.raises(Malformed):
        await answer(question, omar, approve=False, narrow=less)
    assert await state(world, question) is ApprovalState.PENDING


async def test_only_who_may_approve_may_narrow(world: CallWorld) -> None:
    """Not the requester, not an administrator; and the narrower call falls with its approver's role."""
    _, token = await world.open()
    question = await world.asked(token, amount=5000)
    for name in ("lena", "root"):
        with pytest.raises(Forbidden):
            await narrow(world, question, by=name, amount=500)
    await narrow(world, question, amount=500)
    await world.services.identity.personnel.change_roles("omar", frozenset({Role.AUDITOR}), by="root")
    assert await world.outcome(token, "pay", amount=500) is Outcome.DEFER
    assert world.desk.arrived == []


async def test_two_approvers_give_one_answer(world: CallWorld) -> None:
    """One approves, one narrows, at the same moment: one of them is told that it is answered."""
    _, token = await world.open()
    question = await world.asked(token, amount=5000)
    omar = await world.person("omar")
    answers = world.services.decisions.approvals
    ends = await asyncio.gather(
        answers.answer(question, omar, approve=True, narrow={"amount": 500}),
        answers.answer(question, omar, approve=True),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, Conflict) for one in ends) == [False, True]
    outcomes = [await world.outcome(token, "pay", amount=amount) for amount in (5000, 500)]
    assert outcomes.count(Outcome.PERMIT) == 1


async def test_a_narrower_call_ends_with_its_task_and_can_be_withdrawn(world: CallWorld) -> None:
    """It is an approval like every other."""
    _, token = await world.open()
    given = await narrow(world, await world.asked(token, amount=5000), amount=500)
    await world.services.decisions.approvals.withdraw(given.id, await world.person("omar"))
    assert await world.outcome(token, "pay", amount=500) is Outcome.DEFER

    task, token = await world.open()
    given = await narrow(world, await world.asked(token, amount=5000), amount=500)
    await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert await state(world, given.id) is ApprovalState.EXPIRED


async def test_a_narrower_call_that_the_grant_refuses_is_refused_when_it_is_answered(
    world: CallWorld,
) -> None:
    """The approver is told, and not the agent that could do nothing with it."""
    bounded = a_type(grants=(GrantTemplate("desk/pay", {"amount": {"range": {"min": 100}}}),))
    bundle = a_bundle()
    await world.services.policies.apply(
        type(bundle)(
            tools=bundle.tools,
            task_types=bundle.task_types | {"work": bounded},
            policies=bundle.policies,
            digest="sha256:bounded",
        ),
        by="root",
    )
    _, token = await world.open()
    question = await world.asked(token, amount=5000)
    with pytest.raises(Malformed) as refused:
        await narrow(world, question, amount=50)
    assert refused.value.code == "not-granted"
    assert await state(world, question) is ApprovalState.PENDING
    assert (await narrow(world, question, amount=100)).state is ApprovalState.APPROVED


async def test_an_approver_may_permit_a_shorter_time(world: CallWorld) -> None:
    """Of this very call, or of a narrower one; never longer than the question."""
    _, token = await world.open()
    omar, now = await world.person("omar"), world.clock.now()
    answer = world.services.decisions.approvals.answer
    first, second = await world.asked(token, amount=10), await world.asked(token, amount=20)
    with pytest.raises(Malformed):
        await answer(first, omar, approve=True, until=now + timedelta(hours=1))
    await answer(first, omar, approve=True, until=now + timedelta(minutes=1))
    await answer(second, omar, approve=True, until=now + timedelta(minutes=1), narrow={"amount": 2})
    world.clock.advance(61)
    assert await world.outcome(token, "pay", amount=10) is Outcome.DEFER
    assert await world.outcome(token, "pay", amount=2) is Outcome.DEFER


ORIGIN = (
    '@id("ask-origin")\n@reason("`{tool}` has an amount that no one stated")\n@otherwise("approval")\n'
    'forbid (principal, action, resource) when { resource.financial && context.flow.amount == "unknown" };\n'
)
TAINT = ORIGIN.replace("ask-origin", "ask-crossed").replace("&&", "&& !context.flow.crossed &&")


@pytest.mark.parametrize(
    ("rule", "outcome"), [(ORIGIN, Outcome.PERMIT), (TAINT, Outcome.DEFER)], ids=["origin", "another fact"]
)
async def test_a_value_that_the_approver_wrote_is_a_stated_value(
    world: CallWorld, rule: str, outcome: Outcome
) -> None:
    """A rule that asks only who stated the amount has its answer; a rule that reads more asks as always."""
    await world.services.policies.apply(a_bundle(PERMIT + ASK + rule), by="root")
    _, token = await world.open(goal="Pay the rent of 5000")
    question = await world.services.decisions.approvals.get(await world.asked(token, amount=5000))
    assert [one.id for one in question.rules] == ["ask-for-money"]
    await narrow(world, question.id, amount=500)
    assert await world.outcome(token, "pay", amount=500) is outcome
