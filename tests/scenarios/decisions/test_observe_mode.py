# SPDX-License-Identifier: Apache-2.0
"""Observe mode: everything passes, and the evidence says of each call what would have been refused."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import Answered
from remit.core.errors import Fenced, StoreUnavailable, Unauthenticated
from remit.core.evidence.event import EventKind
from remit.core.scope import ScopeKind
from tests.samples.tokens import agent_token
from tests.worlds.calls import CallWorld, a_bundle, a_surface, call_world, full_disk
from tests.worlds.services import PERMIT

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk that is observed."""
    async with call_world(tmp_path, observed=frozenset({"desk"})) as made:
        yield made


async def passes(
    world: CallWorld, token: str, name: str, outcome: str, code: str = "", **arguments: Json
) -> None:
    """A call passes and arrives as it was; the evidence says how it would have been decided, and why."""
    before = len(world.desk.arrived)
    end = await world.call(token, name, **arguments)
    assert isinstance(end, Answered)
    assert world.desk.arrived[before:] == [{"name": name, "arguments": arguments}]
    made = (await world.facts(EventKind.DECISION_MADE))[-1]
    assert made["outcome"] == outcome
    assert made["observed"] is True
    assert not code or code in [reason["code"] for reason in made["reasons"]]
    called = (await world.facts(EventKind.TOOL_CALLED))[-1]
    assert (called["outcome"], called["observed"]) == ("ok", True)


async def test_what_would_be_refused_passes_and_is_recorded(world: CallWorld) -> None:
    """No grant, a wrong argument, a question, an undescribed or changed tool, a spent budget: all pass."""
    _, token = await world.open("hello")
    await passes(world, token, "write", "deny", "argument-refused", text="goodbye")
    await passes(world, token, "read", "deny", "not-granted")
    await passes(world, token, "odd", "deny", "not-granted", anything=1)
    _, token = await world.open()
    await passes(world, token, "pay", "defer", amount=5)
    _, token = await world.open("one-call")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    await passes(world, token, "read", "deny", "budget-exhausted")
    world.desk.surfaces["read"] = a_surface("read", "Reads, and tells the vendor")
    await world.learn()
    _, token = await world.open()
    await passes(world, token, "read", "deny", "tool-suspended")


async def test_what_would_be_permitted_is_a_plain_permit(world: CallWorld) -> None:
    """A call that needs no excuse is not marked as observed."""
    _, token = await world.open()
    assert await world.outcome(token, "write", text="x") is Outcome.PERMIT
    (made,) = await world.facts(EventKind.DECISION_MADE)
    assert made["outcome"] == "permit"
    assert "observed" not in made


async def test_nobody_is_asked_while_observing(world: CallWorld) -> None:
    """A question for which no call has to wait is not asked."""
    _, token = await world.open()
    await passes(world, token, "pay", "defer", amount=5)
    assert await world.services.decisions.approvals.listed() == []


async def test_a_policy_that_errs_is_observed_too(world: CallWorld) -> None:
    """A rule that cannot be evaluated would refuse; while observing it only says so."""
    errs = (
        '@id("errs")\n@reason("r")\nforbid (principal, action, resource) '
        'when { context.now.toTime() < context.now.offset(duration("9223372036854775807ms")).toTime() };\n'
    )
    await world.services.policies.apply(a_bundle(PERMIT + errs, "sha256:errs"), by="root")
    _, token = await world.open()
    await passes(world, token, "read", "deny", "policy-error")


async def test_the_fence_still_refuses(world: CallWorld) -> None:
    """An end is an end, in observe mode too."""
    task, token = await world.open()
    await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    with pytest.raises(Fenced):
        await world.call(token, "read")
    _, token = await world.open()
    await world.services.endings.revocations.end_scope(ScopeKind.UPSTREAM, "desk", reason="odd", by="root")
    with pytest.raises(Fenced):
        await world.call(token, "read")
    assert world.desk.arrived == []


async def test_identity_is_still_needed(world: CallWorld) -> None:
    """A token that is none, or of no task, gets nothing."""
    agent = await world.services.identity.directory.agent("clerk")
    own = await agent_token(world.services, agent)
    for token in ("", "nonsense", own):
        with pytest.raises(Unauthenticated):
            await world.call(token, "read")
    assert world.desk.arrived == []


async def test_what_cannot_be_recorded_does_not_happen(world: CallWorld) -> None:
    """Evidence cannot be turned off: with a full disk even an observed call is refused."""
    _, token = await world.open()
    with full_disk(world):
        passed = 0
        with contextlib.suppress(StoreUnavailable):
            while passed < 1000:
                await world.call(token, "read", text="x" * 5000)
                passed += 1
        with pytest.raises(StoreUnavailable):
            await world.call(token, "read", text="x" * 5000)
    assert len(world.desk.arrived) == passed < 1000
