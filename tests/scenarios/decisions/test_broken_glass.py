# SPDX-License-Identifier: Apache-2.0
"""Threat: break-glass is a way around a guardrail, around the requester, or around the evidence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.decision import Outcome
from remit.core.errors import Conflict
from remit.core.evidence.event import EventKind
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Role
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.decisions.approvers import FRESH
from remit.services.decisions.break_glass import GlassRule
from tests.worlds.approvers import (
    TWO,
    a_session,
    approver_world,
    asking,
    code_of,
    signed_in_by_code,
    under,
    with_role,
    yes,
)
from tests.worlds.calls import ASK, CallWorld

Json = Any
WHY = "the payment system is down, and salaries are due"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk whose payments ask two people; group `leads` may break the glass."""
    async with approver_world(tmp_path, break_glass=GlassRule("leads")) as made:
        yield made


async def broken(
    world: CallWorld, approval: str, name: str = "gil", reason: str = WHY, **more: Json
) -> Approval:
    """Break the glass as a person who has just signed in with a passkey."""
    given: dict[str, Json] = {"session": a_session(world, name)} | more
    return await world.services.decisions.glass.approve(approval, await world.person(name), reason, **given)


async def review(world: CallWorld, approval: str, name: str, comment: str = "it was needed") -> Json:
    """Review it as a person."""
    return await world.services.decisions.glass.review(approval, await world.person(name), comment)


async def asked(world: CallWorld, amount: int = 1) -> tuple[str, str]:
    """Open a task, and ask about a payment; return the approval and the token."""
    _, token = await world.open()
    return await world.asked(token, amount=amount), token


async def test_one_person_approves_now_and_another_one_reviews_it(world: CallWorld) -> None:
    """Once, for exactly this call; the trail names the missing people, and the finding waits for a review."""
    approval, token = await asked(world)
    given = await broken(world, approval)
    assert (given.state, given.broken_glass) == (ApprovalState.APPROVED, True)
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT
    assert await world.outcome(token, "pay", amount=1) is Outcome.DEFER
    (trail,) = await world.facts(EventKind.GLASS_BROKEN)
    assert (trail["approval"], trail["missing"]) == (approval, "2 approvers")
    findings = world.services.findings.findings
    (finding,) = [one for one in await findings.about("person:gil") if one.kind is FindingKind.BROKEN_GLASS]
    assert (finding.id, finding.state) == (trail["finding"], FindingState.OPEN)
    assert await code_of(findings.resolve(finding.id, by="root", resolution="fine")) == "review-due"
    assert (await review(world, approval, "omar")).resolved_by == "omar"
    assert (await findings.get(finding.id)).state is FindingState.RESOLVED


async def test_it_is_off_by_default(tmp_path: Path) -> None:
    """No one has it who was not named."""
    async with approver_world(tmp_path) as world:
        approval, _ = await asked(world)
        assert await code_of(broken(world, approval)) == "glass-off"


async def test_what_a_guardrail_forbids_stays_forbidden(world: CallWorld) -> None:
    """Neither is there a question, nor does an approval from before the rule count."""
    approval, token = await asked(world)
    await broken(world, approval)
    never = '@id("never") forbid (principal, action, resource) when { resource.financial };\n'
    await under(world, TWO + never)
    end = await world.call(token, "pay", amount=1)
    assert (end.decision.outcome, end.decision.approval) == (Outcome.DENY, "")
    assert await world.services.decisions.approvals.listed(ApprovalState.PENDING) == []


async def test_rules_that_ask_anew_ask_after_a_broken_glass(world: CallWorld) -> None:
    """It waives the rules that were shown, and no other."""
    approval, token = await asked(world)
    await broken(world, approval)
    more = ASK.replace("ask-for-money", "ask-too").replace(
        "@otherwise", '@approver_group("leads") @otherwise'
    )
    await under(world, TWO + more)
    assert await world.asked(token, amount=1) != approval


async def test_who_may_break_it(world: CallWorld) -> None:
    """An approver of the group, with a fresh passkey and a reason; never the requester, nor one behind."""
    approval, _ = await asked(world)
    assert await code_of(broken(world, approval, "omar")) == "glass-group"
    for reason in ("", "   ", "urgent"):
        assert await code_of(broken(world, approval, reason=reason)) == "reason-required"
    assert await code_of(broken(world, approval, session=None)) == "step-up"
    assert await code_of(broken(world, approval, session=a_session(world, "gil", "code"))) == "step-up"
    old = a_session(world, "gil")
    world.clock.advance(FRESH.total_seconds() + 1)
    assert await code_of(broken(world, approval, session=old)) == "step-up"
    assert await code_of(broken(world, approval, call="sha256:other")) == "digest-mismatch"
    await with_role(world, "gil", Role.OPERATOR)
    assert await code_of(broken(world, approval)) == "forbidden"
    assert (await world.services.decisions.approvals.get(approval)).state is ApprovalState.PENDING


async def test_never_for_an_own_request(tmp_path: Path) -> None:
    """Not with every role and group, and not through a sign-in code."""
    (tmp_path / "more").mkdir()
    async with approver_world(tmp_path, break_glass=GlassRule("staff", "none")) as world:
        await with_role(world, "lena", Role.APPROVER, Role.ADMINISTRATOR)
        approval, _ = await asked(world)
        assert await code_of(broken(world, approval, "lena")) == "forbidden"
    async with approver_world(tmp_path / "more", break_glass=GlassRule("leads", "none")) as world:
        await signed_in_by_code(world, "lena", maker="gil")
        approval, _ = await asked(world)
        assert await code_of(broken(world, approval)) == "code-maker"


async def test_a_review_is_by_another_person(world: CallWorld) -> None:
    """Not the breaker or the requester, nor who may be the breaker; not without a role, or without words."""
    approval, _ = await asked(world)
    other, _ = await asked(world)
    await broken(world, approval)
    await with_role(world, "lena", Role.AUDITOR)
    await signed_in_by_code(world, "mona", maker="gil")
    for name, code in (
        ("gil", "own-review"),
        ("lena", "own-review"),
        ("mona", "own-review"),
        ("root", "role"),
    ):
        assert await code_of(review(world, approval, name)) == code
    assert await code_of(review(world, approval, "omar", "ok")) == "reason-required"
    assert await code_of(review(world, other, "omar")) == "not-found"


async def test_what_needs_no_other_person_needs_no_glass(world: CallWorld) -> None:
    """A person who may approve alone does so, and leaves no finding."""
    await under(world, asking(""))
    approval, _ = await asked(world)
    assert await code_of(broken(world, approval)) == "no-glass"
    assert (await yes(world, approval, "gil")).state is ApprovalState.APPROVED


async def test_a_question_is_decided_once(world: CallWorld) -> None:
    """A broken glass and a denial at the same moment: one of them is refused."""
    for n in range(5):
        approval, _ = await asked(world, amount=n)
        ends = await asyncio.gather(
            broken(world, approval), yes(world, approval, "omar", approve=False), return_exceptions=True
        )
        assert sum(isinstance(one, Conflict) for one in ends) == 1
        assert (await world.services.decisions.approvals.get(approval)).state is not ApprovalState.PENDING
    trail = await world.facts(EventKind.GLASS_BROKEN)
    approved = [
        one
        for one in await world.services.decisions.approvals.listed(ApprovalState.APPROVED)
        if one.broken_glass
    ]
    assert len(trail) == len(approved)


async def test_a_broken_glass_goes_with_the_role_of_its_person(world: CallWorld) -> None:
    """As every approval does."""
    approval, token = await asked(world)
    await broken(world, approval)
    await with_role(world, "gil", Role.AUDITOR)
    assert await world.asked(token, amount=1) != approval


async def test_the_group_is_needed_when_the_call_is_made_too(world: CallWorld) -> None:
    """Who was taken out of the group before that has broken no glass."""
    omar = await world.person("omar")
    await world.services.store.commit(Unit((PutPerson(msgspec.structs.replace(omar, groups=("leads",))),)))
    approval, token = await asked(world)
    await broken(world, approval, "omar")
    await world.services.store.commit(Unit((PutPerson(omar),)))
    assert await world.outcome(token, "pay", amount=1) is Outcome.DEFER
