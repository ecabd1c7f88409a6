# SPDX-License-Identifier: Apache-2.0
"""Threat: one person decides alone what needs several people, or people of a group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from remit.core.decisions.approval import ApprovalState, OvertakenBy
from remit.core.decisions.decision import Outcome
from remit.core.errors import Conflict, Forbidden, Malformed, NotFound
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.core.tools.tool import ArgumentRole
from remit.ports.store.changes import PutPerson, TakeCredential
from remit.ports.store.units import Unit
from remit.services.decisions import approvals
from tests.worlds.approvers import (
    GROUPS,
    PAYMENTS,
    TWO,
    TWO_OF_PAYMENTS,
    approver_world,
    asking,
    code_of,
    signed_in_by_code,
    under,
    with_role,
    yes,
)
from tests.worlds.calls import ASK, CallWorld
from tests.worlds.services import PERMIT
from tests.worlds.values import TENANT

BOUNDED = asking('@approvers("2") @bounded("9") @bounded_high_risk("9")')


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk whose payments ask two people."""
    async with approver_world(tmp_path) as made:
        yield made


# Quorum.


async def test_a_call_passes_once_two_people_have_approved_it(world: CallWorld) -> None:
    """After the first it still waits, and asks nothing again; each answer is an event."""
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    first = await yes(world, approval, "omar", comment="the invoice fits")
    assert (first.state, len(first.answers), first.needed) == (ApprovalState.PENDING, 1, 2)
    assert await world.asked(token, amount=1) == approval
    second = await yes(world, approval, "ada")
    assert second.state is ApprovalState.APPROVED
    kept = await world.services.decisions.approvals.get(approval)
    assert [(one.by, one.comment) for one in kept.answers] == [("omar", "the invoice fits"), ("ada", "")]
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT
    assert await world.outcome(token, "pay", amount=1) is Outcome.DEFER
    (joined,) = await world.facts(EventKind.APPROVAL_ANSWERED)
    assert (joined["given"], joined["needed"]) == (1, 2)
    (decided,) = await world.facts(EventKind.APPROVAL_DECIDED)
    assert (decided["state"], decided["given"]) == ("approved", 2)


async def test_one_denial_denies(world: CallWorld) -> None:
    """Also after a yes, and of the person who said it."""
    _, token = await world.open()
    for n, name in enumerate(("ada", "omar")):
        approval = await world.asked(token, amount=n)
        await yes(world, approval, "omar")
        denied = await yes(world, approval, name, approve=False)
        assert denied.state is ApprovalState.DENIED
        assert await code_of(yes(world, approval, "mona")) == "conflict"
        assert await world.outcome(token, "pay", amount=n) is Outcome.DENY


async def test_a_person_counts_once(world: CallWorld) -> None:
    """Through however many sessions, one after the other or at the same moment."""
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    ends = await asyncio.gather(*(yes(world, approval, "omar") for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in ends) == 3
    assert await code_of(yes(world, approval, "omar")) == "already-answered"
    kept = await world.services.decisions.approvals.get(approval)
    assert (kept.state, [one.by for one in kept.answers]) == (ApprovalState.PENDING, ["omar"])


async def test_two_people_who_answer_at_the_same_moment_both_count(world: CallWorld) -> None:
    """No answer is lost, and a third at that moment is told that it is decided."""
    _, token = await world.open()
    for n in range(5):
        approval = await world.asked(token, amount=n)
        ends = await asyncio.gather(
            *(yes(world, approval, name) for name in ("omar", "ada", "mona")), return_exceptions=True
        )
        assert sum(isinstance(one, Conflict) for one in ends) == 1
        kept = await world.services.decisions.approvals.get(approval)
        assert (kept.state, len(kept.answers)) == (ApprovalState.APPROVED, 2)


async def test_an_answer_and_a_denial_at_the_same_moment_deny(world: CallWorld) -> None:
    """Whichever is first: a call is not made against a denial that came before the second yes."""
    _, token = await world.open()
    for n in range(5):
        approval = await world.asked(token, amount=n)
        await yes(world, approval, "omar")
        ends = await asyncio.gather(
            yes(world, approval, "ada"), yes(world, approval, "mona", approve=False), return_exceptions=True
        )
        kept = await world.services.decisions.approvals.get(approval)
        assert kept.state in (ApprovalState.APPROVED, ApprovalState.DENIED)
        assert sum(isinstance(one, Conflict) for one in ends) == 1


async def test_an_answer_at_another_replica_counts(world: CallWorld) -> None:
    """The first answer is given here, the second at another process on the same store; who waits hears it."""
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    store, clock = world.services.store, world.clock
    other = CallWorld(world.folder, seed="other", members=GROUPS, store=store, clock=clock)
    await under(other, TWO)
    ends = await asyncio.gather(yes(world, approval, "omar"), yes(other, approval, "ada"))
    assert {one.state for one in ends} == {ApprovalState.PENDING, ApprovalState.APPROVED}
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT


async def test_the_agent_that_waits_hears_only_the_last_answer(world: CallWorld) -> None:
    """The first of two wakes no one."""
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    waiting = asyncio.ensure_future(world.services.decisions.approvals.settled(approval, 60))
    await asyncio.sleep(0)
    await yes(world, approval, "omar")
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    await yes(world, approval, "ada")
    heard = await asyncio.wait_for(waiting, 30)
    assert heard is not None
    assert heard.state is ApprovalState.APPROVED


async def test_the_requester_never_counts(world: CallWorld) -> None:
    """Not as one of two either, with the role."""
    await with_role(world, "lena", Role.APPROVER)
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await yes(world, approval, "omar")
    assert await code_of(yes(world, approval, "lena")) == "forbidden"


@pytest.mark.parametrize("how", ["roles", "deactivate", "sign out", "past the services"])
async def test_an_answer_counts_no_more_once_its_person_is_no_approver(world: CallWorld, how: str) -> None:
    """Between the first and the second answer; the third person completes it."""
    personnel = world.services.identity.personnel
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await yes(world, approval, "omar")
    match how:
        case "roles":
            await personnel.change_roles("omar", frozenset({Role.AUDITOR}), by="root")
        case "deactivate":
            await personnel.deactivate("omar", by="root")
        case "sign out":
            await personnel.sign_out("omar", by="root")
        case _:
            await with_role(world, "omar", Role.AUDITOR)
    assert (await yes(world, approval, "ada")).state is ApprovalState.PENDING
    assert (await yes(world, approval, "mona")).state is ApprovalState.APPROVED


async def test_an_approval_goes_with_the_role_of_any_of_its_people(world: CallWorld) -> None:
    """Also of the one who answered first, after the second answer."""
    personnel = world.services.identity.personnel
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await yes(world, approval, "omar")
    await yes(world, approval, "ada")
    await personnel.change_roles("omar", frozenset({Role.AUDITOR}), by="root")
    assert (await world.services.decisions.approvals.get(approval)).state is ApprovalState.EXPIRED
    assert await world.asked(token, amount=1) != approval


async def test_two_accounts_of_one_person_count_once(world: CallWorld) -> None:
    """Omar made the code by which ada signed in: the second yes may be his own."""
    await signed_in_by_code(world, "ada", maker="omar")
    _, token = await world.open()
    for first, second in (("omar", "ada"), ("ada", "omar")):
        approval = await world.asked(token, amount=len(first))
        await yes(world, approval, first)
        assert await code_of(yes(world, approval, second)) == "code-maker"
        assert (await yes(world, approval, "mona")).state is ApprovalState.APPROVED


async def test_the_account_that_a_person_used_counts_once_after_its_session_is_gone(world: CallWorld) -> None:
    """The people behind an answer are kept with it."""
    await signed_in_by_code(world, "ada", maker="omar")
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await yes(world, approval, "ada")
    world.clock.advance(1)
    for one in await world.services.store.credentials(TENANT, person="ada"):
        await world.services.store.commit(Unit((TakeCredential(one.tenant, one.digest),)))
    assert await code_of(yes(world, approval, "omar")) == "code-maker"


async def test_all_approve_the_same(world: CallWorld) -> None:
    """Of a bounded answer and one for the call alone, the second is refused, and says what the first was."""
    await under(world, BOUNDED, ArgumentRole.SELECTOR)
    _, token = await world.open()
    approval = await world.asked(token, amount=1, text="rent")
    assert (await world.services.decisions.approvals.get(approval)).offer is not None
    await yes(world, approval, "omar", most=3)
    with pytest.raises(Conflict) as refused:
        await yes(world, approval, "ada")
    assert refused.value.code == "other-terms"
    assert "up to 3 such calls" in refused.value.message
    with pytest.raises(Malformed):
        await yes(world, approval, "ada", most=99)
    given = await yes(world, approval, "ada", most=3)
    assert given.bounds is not None
    assert given.bounds.most == 3


async def test_the_earliest_end_counts(world: CallWorld) -> None:
    """Each has approved at least that long."""
    await under(world, BOUNDED, ArgumentRole.SELECTOR)
    _, token = await world.open()
    approval = await world.asked(token, amount=1, text="rent")
    now = world.clock.now()
    await yes(world, approval, "omar", most=2, until=now + timedelta(minutes=5))
    given = await yes(world, approval, "ada", most=2, until=now + timedelta(minutes=10))
    assert given.expires == now + timedelta(minutes=5)


async def test_all_approve_the_same_narrower_call(world: CallWorld) -> None:
    """The whole call, or another amount, is not what the first has approved."""
    _, token = await world.open()
    approval = await world.asked(token, amount=100)
    first = await yes(world, approval, "omar", narrow={"amount": 40})
    assert (first.state, first.agreed_less) == (ApprovalState.PENDING, {"amount": 40})
    for other in ({}, {"amount": 41}, {"amount": 39}):
        assert await code_of(yes(world, approval, "ada", narrow=other)) == "other-terms"
    given = await yes(world, approval, "ada", narrow={"amount": 40})
    assert (given.state, given.arguments["amount"], len(given.answers)) == (ApprovalState.APPROVED, 40, 2)
    assert await world.outcome(token, "pay", amount=100) is Outcome.DENY
    assert await world.outcome(token, "pay", amount=40) is Outcome.PERMIT


async def test_a_question_is_asked_again_when_the_rule_demands_others(world: CallWorld) -> None:
    """An answer for one approver is none for two."""
    await under(world, asking(""))
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await yes(world, approval, "omar")
    await under(world, TWO)
    again = await world.asked(token, amount=1)
    assert again != approval
    assert (await world.services.decisions.approvals.get(again)).needed == 2


# Groups.


async def test_only_the_group_answers(world: CallWorld) -> None:
    """An approver outside sees who can, and neither approves nor denies."""
    await under(world, PAYMENTS)
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    for approve in (True, False):
        with pytest.raises(Forbidden) as refused:
            await yes(world, approval, "omar", approve=approve)
        assert (refused.value.code, refused.value.remediation) == (
            "approver-group",
            "it needs 1 approver of group `payments`",
        )
    assert (await yes(world, approval, "ada")).state is ApprovalState.APPROVED
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT


async def test_two_people_of_a_group(world: CallWorld) -> None:
    """Someone of another group is not the second."""
    await under(world, TWO_OF_PAYMENTS)
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await yes(world, approval, "ada")
    assert await code_of(yes(world, approval, "gil")) == "approver-group"
    assert (await yes(world, approval, "mona")).state is ApprovalState.APPROVED


async def test_a_group_that_the_answer_claims_is_none(world: CallWorld) -> None:
    """Where a caller hands in a person with a forged group, the call does not pass: groups are read again."""
    await under(world, PAYMENTS)
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    forged = msgspec.structs.replace(await world.person("omar"), groups=("payments",))
    assert await code_of(world.services.decisions.approvals.answer(approval, forged, approve=True)) == (
        "approver-group"
    )


async def test_an_approval_counts_while_its_people_are_in_the_group(world: CallWorld) -> None:
    """Membership of a provider's group is read again at the call."""
    await under(world, asking('@approver_group("treasury")'))
    omar = await world.person("omar")
    member = msgspec.structs.replace(omar, groups=("treasury",))
    await world.services.store.commit(Unit((PutPerson(member),)))
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await yes(world, approval, "omar")
    await world.services.store.commit(Unit((PutPerson(omar),)))
    assert await world.asked(token, amount=1) != approval


async def test_what_each_rule_demands_is_met(world: CallWorld) -> None:
    """Two rules ask: one needs two people, the other one of a group; two people outside it are not enough."""
    other = ASK.replace("ask-for-money", "large").replace("@otherwise", '@approver_group("leads") @otherwise')
    await under(world, asking('@approvers("2")', other))
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await yes(world, approval, "omar")
    assert (await yes(world, approval, "ada")).state is ApprovalState.PENDING
    assert await code_of(yes(world, approval, "mona")) == "group-answered"
    assert (await yes(world, approval, "gil")).state is ApprovalState.APPROVED


async def test_a_step_up_may_demand_several(world: CallWorld) -> None:
    """A permit that asks names its people like a forbid that asks."""
    notes = (
        '@id("two") @step_up @approvers("2") permit (principal, action == Action::"desk/write", resource);\n'
    )
    await under(world, PERMIT + notes)
    _, token = await world.open()
    approval = await world.asked(token, "write", text="x")
    assert (await world.services.decisions.approvals.get(approval)).needed == 2
    assert await code_of(yes(world, approval, "omar")) == "step-up"


async def test_an_unknown_approval_is_not_found(world: CallWorld) -> None:
    """As before."""
    with pytest.raises(NotFound):
        await yes(world, "apr_none", "omar")


async def test_a_narrower_call_needs_the_people_of_its_own_rules(world: CallWorld) -> None:
    """A rule about an amount that no person stated is answered by those who write it, if they are enough."""
    origin = (
        '@id("ask-origin")\n@reason("an amount that no one stated")\n{}@otherwise("approval")\n'
        'forbid (principal, action, resource) when {{ context.flow.amount == "unknown" }};\n'
    )
    for demanded, outcome in (("", Outcome.PERMIT), ('@approvers("2")\n', Outcome.DEFER)):
        await under(world, PERMIT + ASK + origin.format(demanded))
        _, token = await world.open(goal="Pay the rent of 5000")
        question = await world.asked(token, amount=5000)
        await yes(world, question, "omar", narrow={"amount": 500})
        assert await world.outcome(token, "pay", amount=500) is outcome


async def test_what_its_approvers_may_not_give_any_more_is_withdrawn(world: CallWorld) -> None:
    """With the next question about the call: it does not come back when they may approve again."""
    _, token = await world.open()
    old = await world.asked(token, amount=1)
    await yes(world, old, "omar")
    await yes(world, old, "ada")
    await with_role(world, "ada", Role.AUDITOR)
    new = await world.asked(token, amount=1)
    assert new != old
    await with_role(world, "ada", Role.APPROVER)
    assert await world.asked(token, amount=1) == new
    kept = await world.services.decisions.approvals.get(old)
    assert (kept.state, kept.overtaken) == (ApprovalState.EXPIRED, OvertakenBy.APPROVERS)
    (_, gone) = await world.facts(EventKind.APPROVAL_DECIDED)
    assert (gone["approval"], gone["state"], gone["overtaken"]) == (old, "withdrawn", "approvers")


async def test_no_question_is_asked_after_the_end_of_its_task(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end has withdrawn all of them; one that was under way is refused by the fence."""
    task, token = await world.open()
    store, commit = world.services.store, world.services.store.commit

    async def late(unit: Unit, **how: bool) -> None:
        if any(one.kind is EventKind.APPROVAL_REQUESTED for one in unit.events):
            monkeypatch.setattr(store, "commit", commit)
            await world.services.endings.revocations.end_task(task.id, reason="done", by="root")
        await commit(unit, **how)

    monkeypatch.setattr(store, "commit", late)
    assert await code_of(world.call(token, "pay", amount=1)) == "fenced"
    assert await world.facts(EventKind.APPROVAL_REQUESTED) == []
    assert await world.services.decisions.approvals.listed(ApprovalState.PENDING) == []


async def test_the_open_questions_of_an_agent_are_bounded(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many tasks it has; what is over, or answered, or another agent's, does not count."""
    monkeypatch.setattr(approvals, "MAX_PENDING_OF_AGENT", 3)
    opened = [await world.open() for _ in range(4)]
    asked = [await world.asked(token, amount=1) for _, token in opened[:3]]
    assert await code_of(world.call(opened[3][1], "pay", amount=1)) == "busy"
    assert await world.asked(opened[0][1], amount=1) == asked[0]
    await yes(world, asked[0], "ada", approve=False)
    await world.asked(opened[3][1], amount=1)
    assert await code_of(world.call(opened[3][1], "pay", amount=2)) == "busy"
    world.clock.advance(901)
    _, token = await world.open()
    await world.asked(token, amount=1)
