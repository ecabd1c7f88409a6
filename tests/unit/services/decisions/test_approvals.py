# SPDX-License-Identifier: Apache-2.0
"""Approvals: one question for one exact call, one answer by another person, one use, and an end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from remit.core.decisions.approval import ApprovalState
from remit.core.decisions.decision import Outcome
from remit.core.errors import Busy, Conflict, Forbidden, NotFound
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Person, Role
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import MAX_PENDING
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import CallWorld, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def state(world: CallWorld, approval: str) -> ApprovalState:
    """Return where an approval stands."""
    return (await world.services.decisions.approvals.get(approval)).state


async def test_the_same_call_asks_one_question(world: CallWorld) -> None:
    """However often it is tried, also all at once; another argument is another question."""
    _, token = await world.open()
    first = await world.asked(token, amount=1)
    again = await asyncio.gather(*(world.asked(token, amount=1) for _ in range(5)))
    assert set(again) == {first}
    assert await world.asked(token, amount=2) != first
    _, other = await world.open()
    assert await world.asked(other, amount=1) != first
    assert len(await world.facts(EventKind.APPROVAL_REQUESTED)) == 3


async def test_people_are_not_flooded(world: CallWorld) -> None:
    """A task may have twenty questions open, counted when they come at once too."""
    _, token = await world.open()
    ends = await asyncio.gather(
        *(world.asked(token, amount=n) for n in range(MAX_PENDING + 5)), return_exceptions=True
    )
    assert sum(isinstance(end, Busy) for end in ends) == 5
    assert len(await world.services.decisions.approvals.listed(ApprovalState.PENDING)) == MAX_PENDING
    with pytest.raises(Busy):
        await world.call(token, "pay", amount=99)


async def test_an_approval_permits_exactly_its_call_once(world: CallWorld) -> None:
    """Not another amount, not another task, not twice."""
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await world.approve(approval)
    _, other = await world.open()
    assert await world.outcome(other, "pay", amount=1) is Outcome.DEFER
    assert await world.outcome(token, "pay", amount=2) is Outcome.DEFER
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT
    assert await state(world, approval) is ApprovalState.CONSUMED
    assert await world.outcome(token, "pay", amount=1) is Outcome.DEFER
    assert [one["arguments"] for one in world.desk.arrived] == [{"amount": 1}]


async def test_a_denial_permits_nothing(world: CallWorld) -> None:
    """Nor is it asked again while it stands; another call is another question."""
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await world.approve(approval, approve=False)
    assert await state(world, approval) is ApprovalState.DENIED
    end = await world.call(token, "pay", amount=1)
    assert end.decision.outcome is Outcome.DENY
    assert end.decision.reasons[0].code == "denied"
    assert len(await world.facts(EventKind.APPROVAL_REQUESTED)) == 1
    assert await world.asked(token, amount=2) != approval
    assert world.desk.arrived == []


async def test_no_answer_is_a_refusal(world: CallWorld) -> None:
    """Once its time has passed it can neither be answered nor used."""
    _, token = await world.open()
    asked, given = await world.asked(token, amount=1), await world.asked(token, amount=2)
    await world.approve(given)
    world.clock.advance(900)
    assert [await state(world, one) for one in (asked, given)] == [ApprovalState.EXPIRED] * 2
    with pytest.raises(Conflict):
        await world.approve(asked)
    token = await task_token(
        world.services, (await world.services.decisions.approvals.get(asked)).task, confirmation=HELD
    )
    assert await world.asked(token, amount=2) != given


async def test_a_question_never_outlives_its_task(world: CallWorld) -> None:
    """Asked shortly before the deadline, it expires with the task."""
    task, _ = await world.open()
    world.clock.advance(1800 - 60)
    token = await task_token(world.services, task.id, confirmation=HELD)
    approval = await world.services.decisions.approvals.get(await world.asked(token))
    assert approval.expires == task.deadline


@pytest.mark.parametrize("how", ["deactivate", "roles", "sign out"])
async def test_an_approval_goes_with_the_word_of_whoever_gave_it(world: CallWorld, how: str) -> None:
    """Where its approver leaves, is none any longer, or is signed out, it expires and stays so."""
    personnel = world.services.identity.personnel
    _, token = await world.open()
    given, used, refused = [await world.asked(token, amount=n) for n in (1, 2, 3)]
    await world.approve(given)
    await world.approve(used)
    await world.approve(refused, approve=False)
    assert await world.outcome(token, "pay", amount=2) is Outcome.PERMIT
    before = (await world.person("omar")).roles
    match how:
        case "deactivate":
            await personnel.deactivate("omar", by="root")
            await personnel.activate("omar", by="root")
        case "roles":
            await personnel.change_roles("omar", frozenset({Role.AUDITOR}), by="root")
            await personnel.change_roles("omar", before, by="root")
        case _:
            await personnel.sign_out("omar", by="root")
    assert [await state(world, one) for one in (given, used, refused)] == [
        ApprovalState.EXPIRED,
        ApprovalState.CONSUMED,
        ApprovalState.DENIED,
    ]
    assert await world.outcome(token, "pay", amount=1) is Outcome.DEFER
    assert [one["arguments"]["amount"] for one in world.desk.arrived] == [2]


async def test_other_roles_leave_an_approval_as_it_is(world: CallWorld) -> None:
    """An approver who becomes an auditor, too, has still said yes."""
    _, token = await world.open()
    await world.approve(await world.asked(token, amount=1))
    roles = frozenset({Role.APPROVER, Role.AUDITOR})
    await world.services.identity.personnel.change_roles("omar", roles, by="root")
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT


async def test_an_approval_that_came_past_the_change_of_its_approver_permits_nothing(
    world: CallWorld,
) -> None:
    """A person who is no approver when a call is made has permitted nothing, whatever the answer states; nor
    when they are one again.
    """
    _, token = await world.open()
    omar = await world.person("omar")
    for changed in (
        msgspec.structs.replace(omar, active=False),
        msgspec.structs.replace(omar, roles=frozenset()),
    ):
        approval = await world.asked(token, amount=1)
        await world.services.store.commit(Unit((PutPerson(changed),)))
        await world.services.decisions.approvals.answer(approval, omar, approve=True)
        assert await world.outcome(token, "pay", amount=1) is Outcome.DEFER
        await world.services.store.commit(Unit((PutPerson(omar),)))
        assert await world.outcome(token, "pay", amount=1) is Outcome.DEFER
    await world.approve(await world.asked(token, amount=1))
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT


async def test_a_change_of_an_approver_holds_beside_calls_that_use_their_word(world: CallWorld) -> None:
    """Approvals that are used in the same moment do not prevent their approver's sign-out."""
    _, token = await world.open()
    asked = [await world.asked(token, amount=n) for n in range(8)]
    for one in asked:
        await world.approve(one)
    calls = [world.outcome(token, "pay", amount=n) for n in range(8)]
    out = world.services.identity.personnel.sign_out("omar", by="root")
    # A call whose approval expires under it is told to ask again.
    *outcomes, signed_out = await asyncio.gather(*calls, out, return_exceptions=True)
    assert isinstance(signed_out, Person)
    assert all(isinstance(one, Outcome | Conflict) for one in outcomes)
    states = [await state(world, one) for one in asked]
    assert set(states) <= {ApprovalState.CONSUMED, ApprovalState.EXPIRED}
    permitted = [one is ApprovalState.CONSUMED for one in states]
    assert permitted == [outcome is Outcome.PERMIT for outcome in outcomes]


async def test_only_another_approver_answers(world: CallWorld) -> None:
    """Not who asks, not an administrator as such; the question stays open."""
    _, token = await world.open()
    approval = await world.asked(token)
    for name in ("lena", "root"):
        with pytest.raises(Forbidden):
            await world.services.decisions.approvals.answer(approval, await world.person(name), approve=True)
    assert await state(world, approval) is ApprovalState.PENDING
    with pytest.raises(NotFound):
        await world.approve("apr_none")


async def test_a_task_that_ends_takes_its_questions_with_it(world: CallWorld) -> None:
    """The open and the given ones; the closure lists them."""
    task, token = await world.open()
    asked, given = await world.asked(token, amount=1), await world.asked(token, amount=2)
    await world.approve(given)
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert {one.name for one in closure.closings if one.kind == "approval"} == {asked, given}
    assert [await state(world, one) for one in (asked, given)] == [ApprovalState.EXPIRED] * 2
    with pytest.raises(Conflict):
        await world.approve(asked)
    # It is over now, and not at the time that it once had.
    ended = world.clock.now()
    world.clock.advance(1)
    for one in (asked, given):
        assert (await world.services.decisions.approvals.get(one)).expires == ended


async def test_what_is_shown_is_what_is_asked(world: CallWorld) -> None:
    """Tool, arguments, rules and reasons of the very call; listed by state and by task."""
    task, token = await world.open()
    approval = await world.services.decisions.approvals.get(await world.asked(token, amount=7, text="rent"))
    assert (approval.tool, approval.arguments) == ("desk/pay", {"amount": 7, "text": "rent"})
    assert ([rule.id for rule in approval.rules], approval.requested_for) == (["ask-for-money"], "lena")
    assert approval.reasons == ("`desk/pay` moves money",)
    assert await world.services.decisions.approvals.listed(ApprovalState.PENDING, task.id) == [approval]
    assert await world.services.decisions.approvals.listed(ApprovalState.APPROVED, task.id) == []
    assert await world.services.decisions.approvals.listed(None, "another") == []


async def test_a_question_without_an_answer_ends_in_a_refusal_that_says_so(world: CallWorld) -> None:
    """It is told once, however many calls ask at the same moment; the call after that asks again."""
    task, token = await world.open()
    question = await world.asked(token, amount=1)
    world.clock.advance(901)
    token = await task_token(world.services, task.id, confirmation=HELD)
    ends = await asyncio.gather(*(world.call(token, "pay", amount=1) for _ in range(3)))
    refused = [end.decision for end in ends if end.decision.outcome is Outcome.DENY]
    assert [one.reasons[0].code for one in refused] == ["unanswered"]
    (again,) = {end.decision.approval for end in ends if end.decision.outcome is Outcome.DEFER}
    assert again != question
    (decided,) = await world.facts(EventKind.APPROVAL_DECIDED)
    assert (decided["approval"], decided["state"]) == (question, "expired")
    assert await state(world, question) is ApprovalState.EXPIRED
