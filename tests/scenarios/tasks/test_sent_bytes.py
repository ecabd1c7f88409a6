# SPDX-License-Identifier: Apache-2.0
"""Threat: a deceived agent carries data out in many small calls. What it sends counts against a budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.policy.bundle import Bundle
from remit.core.tasks.task import Budgets
from remit.services.tasks.opening_rules import DelegatedOpening
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import TO_ALL, CallWorld, a_bundle, a_type, call_world
from tests.worlds.services import PERMIT

#: `{"text":"0123456789"}` has 21 bytes; the budget pays for two.
TEN = {"text": "0123456789"}


def bundle(policy: str = PERMIT) -> Bundle:
    """Return a bundle whose tasks of type `sending` send 42 bytes."""
    made = a_bundle(policy, "sha256:sending")
    made.task_types["sending"] = a_type("sending", budgets=Budgets(sent_bytes=42), delegates=TO_ALL)
    return made


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk where tasks send."""
    async with call_world(tmp_path) as made:
        await made.services.policies.apply(bundle(), by="root")
        yield made


async def test_what_is_sent_counts_to_the_byte(world: CallWorld) -> None:
    """A call that would exceed the budget is refused, also one of many at once; reading goes on."""
    _, token = await world.open("sending")
    assert await world.outcome(token, "write", **TEN) is Outcome.PERMIT
    made = await asyncio.gather(*(world.outcome(token, "write", **TEN) for _ in range(3)))
    assert sorted(made) == sorted([Outcome.PERMIT, Outcome.DENY, Outcome.DENY])
    decision = (await world.call(token, "write", text="")).decision
    assert [(one.code, one.text) for one in decision.reasons] == [
        ("budget-exhausted", "the task's budget of sent bytes is used up")
    ]
    assert await world.outcome(token, "read", text="0" * 100) is Outcome.PERMIT
    assert await world.services.endings.revocations.expire() == []


async def test_bytes_are_counted_and_not_characters(world: CallWorld) -> None:
    """As the arguments are written: JSON in UTF-8."""
    _, token = await world.open("sending")
    assert await world.outcome(token, "write", text="\u00e4" * 16) is Outcome.DENY
    assert await world.outcome(token, "write", text="\u00e4" * 15) is Outcome.PERMIT


async def test_a_child_sends_from_the_budget_of_its_parent(world: CallWorld) -> None:
    """Otherwise a task would send by its children."""
    parent, token = await world.open("sending")
    other = await world.services.identity.directory.agent("other")
    child = await world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening(brief="help"))
    own = await task_token(world.services, child.id, confirmation=HELD)
    assert await world.outcome(own, "write", **TEN) is Outcome.PERMIT
    assert await world.outcome(token, "write", **TEN) is Outcome.PERMIT
    assert await world.outcome(own, "write", **TEN) is Outcome.DENY


async def test_a_policy_reads_what_is_left_to_send(world: CallWorld) -> None:
    """Before the call that it judges."""
    rule = (
        '@id("spare") forbid (principal, action == Action::"desk/write", resource)\n'
        "unless { context.budget has sent_bytes_left && context.budget.sent_bytes_left >= 30 };\n"
    )
    await world.services.policies.apply(bundle(PERMIT + rule), by="root")
    _, token = await world.open("sending")
    assert await world.outcome(token, "write", **TEN) is Outcome.PERMIT
    decision = (await world.call(token, "write")).decision
    assert (decision.outcome, [one.id for one in decision.rules]) == (Outcome.DENY, ["spare"])
