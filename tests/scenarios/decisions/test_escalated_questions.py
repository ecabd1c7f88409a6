# SPDX-License-Identifier: Apache-2.0
"""A question without an answer goes to a further group, and no one has approved it by that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.decisions.approval import ApprovalState
from remit.core.decisions.decision import Outcome
from remit.core.evidence.event import EventKind
from remit.services.decisions.escalations import EscalationStep
from tests.worlds.approvers import (
    GROUPS,
    PAYMENTS,
    TWO,
    TWO_OF_PAYMENTS,
    approver_world,
    code_of,
    under,
    yes,
)
from tests.worlds.calls import CallWorld

STEPS = (EscalationStep(timedelta(minutes=5), "leads"), EscalationStep(timedelta(minutes=10), "board"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk whose payments ask group `payments`, then `leads`, then `board`."""
    async with approver_world(tmp_path, escalate=STEPS) as made:
        await under(made, PAYMENTS)
        yield made


async def turn(world: CallWorld, seconds: float = 0) -> None:
    """Let time pass, and the chore run."""
    world.clock.advance(seconds)
    await world.services.decisions.escalations.turn()


async def test_a_further_group_may_answer_after_a_time(world: CallWorld) -> None:
    """Before, it may not; each step is one event, however often the chore runs."""
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await turn(world, 299)
    assert await code_of(yes(world, approval, "gil")) == "approver-group"
    for seconds in (1, 0, 0):
        await turn(world, seconds)
    (step,) = await world.facts(EventKind.APPROVAL_ESCALATED)
    assert (step["approval"], step["to"], step["after_s"], step["given"]) == (approval, "leads", 300, 0)
    found = await world.services.decisions.approvals.get(approval)
    assert (found.state, found.escalated) == (ApprovalState.PENDING, ("leads",))
    # Asked again, it is the same question.
    assert await world.asked(token, amount=1) == approval
    assert await code_of(yes(world, approval, "omar")) == "approver-group"
    assert (await yes(world, approval, "gil")).state is ApprovalState.APPROVED
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT


async def test_escalation_approves_nothing(world: CallWorld) -> None:
    """Through every step, the question stays open, and ends unanswered at its time."""
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    for _ in range(4):
        await turn(world, 224)
    assert (await world.services.decisions.approvals.get(approval)).state is ApprovalState.PENDING
    assert [one["to"] for one in await world.facts(EventKind.APPROVAL_ESCALATED)] == ["leads", "board"]
    await turn(world, 10)
    assert (await world.services.decisions.approvals.get(approval)).state is ApprovalState.EXPIRED
    assert len(await world.facts(EventKind.APPROVAL_ESCALATED)) == 2


async def test_the_number_of_people_stays(world: CallWorld) -> None:
    """Someone of the further group is one of two, not both."""
    await under(world, TWO_OF_PAYMENTS)
    _, token = await world.open()
    approval = await world.asked(token, amount=1)
    await turn(world, 301)
    assert (await yes(world, approval, "gil")).state is ApprovalState.PENDING
    assert (await yes(world, approval, "ada")).state is ApprovalState.APPROVED


async def test_what_was_answered_is_not_escalated(world: CallWorld) -> None:
    """Also an answer of two is kept through an escalation."""
    await under(world, TWO)
    _, token = await world.open()
    answered, half = await world.asked(token, amount=1), await world.asked(token, amount=2)
    await yes(world, answered, "omar")
    await yes(world, answered, "ada")
    await yes(world, half, "omar")
    await turn(world, 301)
    (step,) = await world.facts(EventKind.APPROVAL_ESCALATED)
    assert (step["approval"], step["given"], step["needed"]) == (half, 1, 2)
    assert (await yes(world, half, "ada")).state is ApprovalState.APPROVED


async def test_replicas_and_restarts_escalate_once(world: CallWorld) -> None:
    """Two processes at the same moment, and one that starts late, which makes up for both steps."""
    _, token = await world.open()
    for n in range(3):
        await world.asked(token, amount=n)
    store, clock = world.services.store, world.clock
    other = CallWorld(world.folder, seed="other", members=GROUPS, store=store, clock=clock, escalate=STEPS)
    world.clock.advance(601)
    await asyncio.gather(turn(world), turn(other))
    await turn(other)
    assert len(await world.facts(EventKind.APPROVAL_ESCALATED)) == 6


async def test_an_answer_at_the_moment_of_escalation_is_kept(world: CallWorld) -> None:
    """Whichever is first, the answer counts."""
    await under(world, TWO)
    _, token = await world.open()
    asked = [await world.asked(token, amount=n) for n in range(5)]
    world.clock.advance(301)
    await asyncio.gather(turn(world), *(yes(world, one, "omar") for one in asked))
    for one in asked:
        assert (await yes(world, one, "ada")).state is ApprovalState.APPROVED
