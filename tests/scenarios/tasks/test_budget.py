# SPDX-License-Identifier: Apache-2.0
"""What a task may use up is used up once: by calls that happened, never by calls that did not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import RemitError, StoreUnavailable, UpstreamUnreachable
from remit.core.evidence.event import EventKind
from remit.ports.store.tasks import Usage
from tests.worlds.calls import CallWorld, call_world, full_disk


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk with small budgets."""
    async with call_world(tmp_path) as made:
        yield made


async def refused(world: CallWorld, token: str, name: str, code: str, **arguments: Any) -> None:
    """A call is refused for this reason, and nothing arrives."""
    before = len(world.desk.arrived)
    end = await world.call(token, name, **arguments)
    assert end.decision.outcome is Outcome.DENY
    assert code in [reason.code for reason in end.decision.reasons]
    assert len(world.desk.arrived) == before


async def test_a_spent_budget_refuses_and_says_so(world: CallWorld) -> None:
    """The second call of a task of one call is refused, with the reason and the remediation."""
    task, token = await world.open("one-call")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    await refused(world, token, "read", "budget-exhausted")
    assert await world.services.store.usage(world.services.tenant, task.id) == Usage(calls=1)


async def test_reading_is_no_effect(world: CallWorld) -> None:
    """A bound on effects bounds effects alone."""
    _, token = await world.open("one-effect")
    for _ in range(3):
        assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await world.outcome(token, "write") is Outcome.PERMIT
    await refused(world, token, "write", "budget-exhausted")
    assert await world.outcome(token, "read") is Outcome.PERMIT


async def test_refused_calls_cost_nothing(world: CallWorld) -> None:
    """A call that the grant refuses, or that waits for a human, spends no budget."""
    _, token = await world.open("hello")
    await refused(world, token, "write", "argument-refused", text="goodbye")
    task, token = await world.open("one-effect")
    await world.asked(token)
    assert await world.services.store.usage(world.services.tenant, task.id) == Usage()
    assert await world.outcome(token, "write") is Outcome.PERMIT


async def test_a_call_that_could_not_be_recorded_costs_nothing(world: CallWorld) -> None:
    """A full disk gives the reservation back."""
    _, filler = await world.open()
    _, token = await world.open("one-effect")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    with full_disk(world):
        with contextlib.suppress(StoreUnavailable):
            while len(world.desk.arrived) < 1000:
                await world.call(filler, "read", text="x" * 20_000)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await world.call(token, "write", text="x" * 20_000)
    assert await world.outcome(token, "write", text="x" * 20_000) is Outcome.PERMIT
    await refused(world, token, "write", "budget-exhausted")


async def test_a_permit_is_spent_whatever_came_of_it(world: CallWorld) -> None:
    """Budget is taken by the commit of step 5; what may have happened is not given back."""
    _, token = await world.open("one-effect")
    world.desk.lost = True
    with pytest.raises(UpstreamUnreachable):
        await world.call(token, "write")
    world.desk.lost = False
    await refused(world, token, "write", "budget-exhausted")


async def test_a_ceiling_bounds_the_sum_of_an_amount(world: CallWorld) -> None:
    """Ten in all: in tenths too, without drift; what would go over is refused and the rest can be spent."""
    _, token = await world.open("purse")
    for _ in range(30):
        assert await world.outcome(token, "write", amount=0.3) is Outcome.PERMIT
    await refused(world, token, "write", "budget-exhausted", amount=1.000001)
    assert await world.outcome(token, "write", amount=1) is Outcome.PERMIT
    await refused(world, token, "write", "budget-exhausted", amount=0.000001)


@pytest.mark.parametrize("amount", [-1, "3", True, None, 1e300])
async def test_an_odd_amount_does_not_get_past_a_ceiling(world: CallWorld, amount: object) -> None:
    """Negative amounts refill nothing, and what is no number is no amount."""
    _, token = await world.open("purse")
    assert await world.outcome(token, "write", amount=10) is Outcome.PERMIT
    assert await world.outcome(token, "write", amount=amount) is Outcome.DENY
    assert await world.outcome(token, "write") is Outcome.DENY
    assert await world.outcome(token, "write", amount=0.5) is Outcome.DENY


async def test_a_ceiling_on_calls_is_of_the_grant(world: CallWorld) -> None:
    """A grant for two calls is a grant for two calls, many at once included."""
    _, token = await world.open("twice")
    ends = await asyncio.gather(
        *(world.call(token, "write", text=str(n)) for n in range(10)), return_exceptions=True
    )
    assert all(isinstance(end, RemitError) or not isinstance(end, BaseException) for end in ends)
    assert len(world.desk.arrived) == 2


async def test_what_is_used_up_is_named(world: CallWorld) -> None:
    """A ceiling on calls, or on the sum of an argument: each refusal says which it was."""
    cases: list[tuple[str, int, dict[str, Any], str]] = [
        ("twice", 2, {}, "the grant's ceiling on calls is used up"),
        ("purse", 1, {"amount": 10}, "the grant's ceiling on `amount` is used up"),
    ]
    for name, made, asked, said in cases:
        _, token = await world.open(name)
        for _ in range(made):
            assert await world.outcome(token, "write", **asked) is Outcome.PERMIT
        end = await world.call(token, "write", **asked)
        assert said in [one.text for one in end.decision.reasons]


async def test_result_bytes_refuse_the_next_call(world: CallWorld) -> None:
    """What came in has come in; once it is over the bound nothing more is called."""
    _, token = await world.open("few-bytes")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    await refused(world, token, "read", "budget-exhausted")


async def test_budgets_survive_a_restart(tmp_path: Path) -> None:
    """What was spent before a restart stays spent: calls, effects, sums, bytes."""
    async with call_world(tmp_path) as world:
        _, call = await world.open("one-call")
        _, purse = await world.open("purse")
        _, few = await world.open("few-bytes")
        await world.call(call, "read")
        await world.call(purse, "write", amount=9)
        await world.call(few, "read")
        await world.facts(EventKind.TOOL_CALLED)
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        await refused(world, call, "read", "budget-exhausted")
        await refused(world, few, "read", "budget-exhausted")
        await refused(world, purse, "write", "budget-exhausted", amount=2)
        assert await world.outcome(purse, "write", amount=1) is Outcome.PERMIT
