# SPDX-License-Identifier: Apache-2.0
"""Reported model calls count against budgets of tokens and money, each once; a task whose budget is used up
ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.endings.closure import Cause
from remit.core.errors import Fenced
from remit.core.evidence.event import EventKind
from remit.core.policy.bundle import Bundle
from remit.core.tasks.model_prices import NO_PRICES, ModelPrice, ModelPrices
from remit.core.tasks.model_usage import ModelCall
from remit.core.tasks.task import Budgets
from remit.services.tasks.opening_rules import DelegatedOpening
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import TO_ALL, CallWorld, a_bundle, a_type, call_world
from tests.worlds.services import PERMIT

#: A token of `m-1` costs 10 millionths, one of `m-2` 1; what a cache holds costs a tenth.
PRICES = ModelPrices(
    "EUR",
    {
        "m-1": ModelPrice(10_000_000, 10_000_000, 1_000_000, 10_000_000),
        "m-2": ModelPrice(1_000_000, 1_000_000, 100_000, 1_000_000),
    },
)


def bundle(policy: str = PERMIT) -> Bundle:
    """Return a bundle whose tasks of type `thinking` have 100 tokens."""
    made = a_bundle(policy, "sha256:tokens")
    made.task_types["thinking"] = a_type("thinking", budgets=Budgets(tokens=100), delegates=TO_ALL)
    made.task_types["paying"] = a_type("paying", budgets=Budgets(spend=1_000), delegates=TO_ALL)
    return msgspec.structs.replace(made, prices=PRICES)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk where tasks think."""
    async with call_world(tmp_path) as made:
        await made.services.policies.apply(bundle(), by="root")
        yield made


def call(number: int, tokens: int) -> ModelCall:
    """A reported model call."""
    return ModelCall(span=f"trace/{number}", model="m-1", input_tokens=tokens - 1, output_tokens=1)


async def report(world: CallWorld, task: str, *calls: ModelCall) -> int:
    """Report model calls of a task."""
    return await world.services.tasks.usage.report(task, calls)


async def test_a_task_ends_when_its_tokens_are_used_up(world: CallWorld) -> None:
    """Until it ends it takes no further call; the closure names the budget."""
    task, token = await world.open("thinking")
    assert await report(world, task.id, call(1, 99)) == 1
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await report(world, task.id, call(2, 500)) == 1
    decision = (await world.call(token, "read")).decision
    assert (decision.outcome, [one.code for one in decision.reasons]) == (
        Outcome.DENY,
        ["budget-exhausted"],
    )
    (closure,) = await world.services.endings.revocations.expire()
    assert (closure.cause, closure.tasks) == (Cause.BUDGET, (task.id,))
    with pytest.raises(Fenced):
        await world.call(token, "read")
    with pytest.raises(Fenced):
        await report(world, task.id, call(3, 1))
    told = await world.facts(EventKind.MODEL_USED)
    assert [(one["model"], one["input_tokens"], one["span"]) for one in told] == [
        ("m-1", 98, "trace/1"),
        ("m-1", 499, "trace/2"),
    ]


async def test_a_report_counts_once_however_often_it_is_sent(world: CallWorld) -> None:
    """One after another, at once, and after a restart of the exporter."""
    task, token = await world.open("thinking")
    assert await report(world, task.id, call(1, 60)) == 1
    assert await report(world, task.id, call(1, 60), call(1, 99)) == 0
    assert sum(await asyncio.gather(*(report(world, task.id, call(2, 30)) for _ in range(5)))) == 1
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert len(await world.facts(EventKind.MODEL_USED)) == 2


async def test_the_tokens_of_a_child_count_for_its_parent(world: CallWorld) -> None:
    """Otherwise a task would think in its children."""
    parent, token = await world.open("thinking")
    other = await world.services.identity.directory.agent("other")
    child = await world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening(brief="help"))
    await report(world, parent.id, call(1, 50))
    await report(world, child.id, call(1, 50))
    own = await task_token(world.services, child.id, confirmation=HELD)
    for one in (token, own):
        assert (await world.call(one, "read")).decision.outcome is Outcome.DENY
    closures = await world.services.endings.revocations.expire()
    assert parent.id in {task for one in closures for task in one.tasks}


async def test_tokens_are_kept_over_a_restart(tmp_path: Path) -> None:
    """A task whose budget was used up at a process that is gone ends at the next start."""
    async with call_world(tmp_path) as world:
        await world.services.policies.apply(bundle(), by="root")
        task, _ = await world.open("thinking")
        await report(world, task.id, call(1, 100))
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        closures = await world.services.endings.spent.end()
        assert [one.tasks for one in closures] == [(task.id,)]


async def test_a_child_does_not_outlive_its_parents_tokens_by_a_restart(tmp_path: Path) -> None:
    """The parent is not in memory then; its tokens are used up all the same, for the child's calls too."""
    policy = PERMIT + (
        '@id("spare") forbid (principal, action == Action::"desk/write", resource)\n'
        "unless { context.budget has tokens_left && context.budget.tokens_left >= 50 };\n"
    )
    made = bundle(policy)
    made.task_types["thinking"] = msgspec.structs.replace(
        made.task_types["thinking"], ends_when_spent=False, budgets=Budgets(tokens=100)
    )
    async with call_world(tmp_path) as world:
        await world.services.policies.apply(made, by="root")
        parent, _ = await world.open("thinking")
        other = await world.services.identity.directory.agent("other")
        spent, spare = [
            await world.services.tasks.tasks.open_child(one.id, other, DelegatedOpening(brief="help"))
            for one in (parent, (await world.open("thinking"))[0])
        ]
        await report(world, parent.id, call(1, 100))
        await report(world, spare.parent, call(2, 51))
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        await world.services.policies.apply(made, by="root")
        tokens = [await task_token(world.services, one.id, confirmation=HELD) for one in (spent, spare)]
        assert await world.outcome(tokens[0], "read") is Outcome.DENY
        assert await world.outcome(tokens[1], "read") is Outcome.PERMIT
        assert await world.outcome(tokens[1], "write") is Outcome.DENY


async def test_without_a_budget_reports_are_only_recorded(world: CallWorld) -> None:
    """The evidence has them."""
    task, token = await world.open("work")
    assert await report(world, task.id, call(1, 10**9)) == 1
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert len(await world.facts(EventKind.MODEL_USED)) == 1


async def test_a_policy_reads_what_is_left(world: CallWorld) -> None:
    """The rest of the budget is kept for the end of the work."""
    rule = (
        '@id("spare") forbid (principal, action == Action::"desk/write", resource)\n'
        "unless { context.budget has tokens_left && context.budget.tokens_left >= 50 };\n"
    )
    await world.services.policies.apply(bundle(PERMIT + rule), by="root")
    task, token = await world.open("thinking")
    await report(world, task.id, call(1, 50))
    assert await world.outcome(token, "write") is Outcome.PERMIT
    await report(world, task.id, call(2, 1))
    assert await world.outcome(token, "write") is Outcome.DENY
    assert await world.outcome(token, "read") is Outcome.PERMIT


def paid(number: int, tokens: int, model: str = "m-1", cached: int = 0) -> ModelCall:
    """A reported model call of a model."""
    return ModelCall(
        span=f"paid/{number}", model=model, input_tokens=tokens, output_tokens=0, cached_tokens=cached
    )


async def test_a_task_ends_when_its_money_is_used_up(world: CallWorld) -> None:
    """By the prices of the table; a model without one costs the highest. The evidence says what was paid."""
    task, token = await world.open("paying")
    await report(world, task.id, paid(1, 50), paid(2, 60, "m-2"), paid(3, 30, "m-9"))
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await report(world, task.id, paid(3, 30, "m-9")) == 0
    await report(world, task.id, paid(4, 140, cached=140))
    decision = (await world.call(token, "read")).decision
    assert (decision.outcome, [one.code for one in decision.reasons]) == (
        Outcome.DENY,
        ["budget-exhausted"],
    )
    (closure,) = await world.services.endings.revocations.expire()
    assert (closure.cause, closure.tasks) == (Cause.BUDGET, (task.id,))
    told = await world.facts(EventKind.MODEL_USED)
    assert [(one["cost"], one["priced_as"]) for one in told] == [
        (500, "m-1"),
        (60, "m-2"),
        (300, ""),
        (140, "m-1"),
    ]
    assert {one["currency"] for one in told} == {"EUR"}


async def test_the_money_of_a_child_counts_for_its_parent(world: CallWorld) -> None:
    """Otherwise a task would pay by its children."""
    parent, token = await world.open("paying")
    other = await world.services.identity.directory.agent("other")
    child = await world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening(brief="help"))
    await report(world, parent.id, paid(1, 50))
    await report(world, child.id, paid(2, 50))
    assert (await world.call(token, "read")).decision.outcome is Outcome.DENY


async def test_money_is_kept_over_a_restart(tmp_path: Path) -> None:
    """A task whose money was used up at a process that is gone ends at the next start."""
    async with call_world(tmp_path) as world:
        await world.services.policies.apply(bundle(), by="root")
        task, _ = await world.open("paying")
        await report(world, task.id, paid(1, 100))
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        closures = await world.services.endings.spent.end()
        assert [one.tasks for one in closures] == [(task.id,)]


async def test_a_call_without_any_price_uses_the_money_up(world: CallWorld) -> None:
    """An open task keeps its budget when the table is removed."""
    task, token = await world.open("paying")
    bare = msgspec.structs.replace(bundle(), prices=NO_PRICES, digest="sha256:unpriced")
    await world.services.policies.apply(bare, by="root")
    await report(world, task.id, paid(1, 1))
    assert (await world.call(token, "read")).decision.outcome is Outcome.DENY
    (told,) = await world.facts(EventKind.MODEL_USED)
    assert "cost" not in told


async def test_a_policy_reads_what_is_left_of_the_money(world: CallWorld) -> None:
    """In millionths; tasks without such a budget have no such fact."""
    rule = (
        '@id("spare") forbid (principal, action == Action::"desk/write", resource)\n'
        "unless { context.budget has spend_left && context.budget.spend_left >= 500 };\n"
    )
    await world.services.policies.apply(bundle(PERMIT + rule), by="root")
    task, token = await world.open("paying")
    await report(world, task.id, paid(1, 50))
    assert await world.outcome(token, "write") is Outcome.PERMIT
    await report(world, task.id, paid(2, 1, "m-2"))
    assert await world.outcome(token, "write") is Outcome.DENY
    _, other = await world.open("thinking")
    assert await world.outcome(other, "write") is Outcome.DENY
