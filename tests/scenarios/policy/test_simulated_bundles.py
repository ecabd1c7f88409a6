# SPDX-License-Identifier: Apache-2.0
"""Recorded calls are decided again under another bundle: exactly, or with the reason why that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.decisions.policy_replay import PolicyReplay
from remit.core.errors import Busy, ConfigInvalid
from remit.core.identity.principals import AgentState
from remit.core.policy.bundle import Bundle
from remit.core.tasks.history import CountOf, HistoryCounter
from remit.core.tools.tool import Argument
from remit.ports.store.changes import PutAgent
from remit.ports.store.units import Unit
from remit.services.inspection.simulation import Simulated
from tests.scenarios.flow.flow_corpus.corpus import open_organisation
from tests.worlds.calls import ASK, TOOLS, CallWorld, a_bundle, call_world
from tests.worlds.services import PERMIT

Json = Any
NO_WRITES = (
    '@id("no-writes")\n@reason("`{tool}` writes")\n'
    'forbid (principal, action == Action::"desk/write", resource);\n'
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk, where money is asked about."""
    async with call_world(tmp_path) as made:
        yield made


def candidate(policy: str) -> Bundle:
    """The desk's bundle with other policies."""
    return a_bundle(policy, "sha256:candidate")


async def simulated(world: CallWorld, bundle: Bundle, **more: Json) -> Simulated:
    """Simulate a bundle, once what is under way has been written."""
    await world.services.store.commit(Unit(tenant=world.services.tenant))
    return await world.services.inspection.simulations.run(bundle, **more)


async def replayed(world: CallWorld, policy: str) -> PolicyReplay:
    """The replay under other policies."""
    return (await simulated(world, candidate(policy))).replay


async def test_a_new_rule_shows_whose_calls_it_would_refuse(world: CallWorld) -> None:
    """By agent, person, task type, tool and rule, with the calls themselves."""
    task, token = await world.open()
    for text in ("a", "b"):
        assert await world.outcome(token, "write", text=text) is Outcome.PERMIT
    await world.outcome(token, "read")
    replay = await replayed(world, PERMIT + ASK + NO_WRITES)
    assert (replay.read, replay.replayed, replay.unaffected, replay.skipped) == (3, 2, 1, {})
    (flips,) = replay.flips.values()
    assert (flips.before, flips.after, flips.more_permissive) == (Outcome.PERMIT, Outcome.DENY, False)
    counted = (flips.calls, flips.agents, flips.task_types, flips.tools, flips.rules)
    assert counted == (2, {"clerk": 2}, {"work": 2}, {"desk/write": 2}, {"no-writes": 2})
    example = flips.examples[0]
    assert (example.task, example.rules_before, example.rules_after) == (
        task.id,
        ("permit-granted",),
        ("no-writes",),
    )
    assert example.why == ("`desk/write` writes",)


async def test_a_rule_that_is_dropped_shows_what_becomes_permitted(world: CallWorld) -> None:
    """It is marked as more permissive, with the rule that asked before."""
    _, token = await world.open()
    await world.asked(token)
    (flips,) = (await replayed(world, PERMIT)).flips.values()
    assert (flips.before, flips.after, flips.more_permissive) == (Outcome.DEFER, Outcome.PERMIT, True)
    assert flips.rules == {"ask-for-money": 1}


async def test_an_approval_counts_for_the_rules_that_it_waived(world: CallWorld) -> None:
    """A call that was approved is no change while the same rule asks, and one if another rule asks too."""
    _, token = await world.open()
    await world.approve(await world.asked(token, amount=5))
    assert await world.outcome(token, "pay", amount=5) is Outcome.PERMIT
    other = ASK.replace("ask-for-money", "ask-for-effects").replace("resource.financial", "true")
    found = await replayed(world, PERMIT + ASK + other)
    (flips,) = found.flips.values()
    assert (flips.before, flips.after, flips.calls) == (Outcome.PERMIT, Outcome.DEFER, 1)
    assert (await replayed(world, PERMIT + ASK)).flips == {}


async def test_what_something_else_refused_stays_refused(world: CallWorld) -> None:
    """No policy gives a task more than its grants and budgets."""
    _, token = await world.open("hello")
    assert await world.outcome(token, "write", text="goodbye") is Outcome.DENY
    replay = await replayed(world, PERMIT + ASK + NO_WRITES)
    assert (replay.replayed, replay.refused_elsewhere, replay.flips) == (1, 1, {})


async def test_another_description_of_a_tool_is_part_of_a_bundle(world: CallWorld) -> None:
    """The candidate's own description counts."""
    _, token = await world.open()
    await world.outcome(token, "write")
    tools = {**TOOLS, "desk/write": msgspec.structs.replace(TOOLS["desk/write"], financial=True)}
    bundle = msgspec.structs.replace(candidate(PERMIT + ASK), tools=tools)
    (flips,) = (await simulated(world, bundle)).replay.flips.values()
    assert (flips.before, flips.after) == (Outcome.PERMIT, Outcome.DEFER)


async def test_a_decision_that_lost_its_facts_is_counted_and_not_guessed(world: CallWorld) -> None:
    """An agent that has changed, and values that were forgotten."""
    _, token = await world.open()
    await world.outcome(token, "write")
    agent = await world.services.identity.directory.agent("clerk")
    changed = msgspec.structs.replace(agent, owner="omar")
    await world.services.store.commit(Unit(changes=(PutAgent(changed),)))
    assert (await replayed(world, PERMIT + NO_WRITES)).skipped == {"agent-changed": 1}
    suspended = msgspec.structs.replace(agent, state=AgentState.SUSPENDED)
    await world.services.store.commit(Unit(changes=(PutAgent(suspended),)))
    assert (await replayed(world, PERMIT + NO_WRITES)).skipped == {}
    await world.services.evidence.log.forget("lena", by="root")
    assert (await replayed(world, PERMIT + NO_WRITES)).skipped == {"values-forgotten": 1}


async def test_a_sensitive_argument_is_not_replayed_where_a_rule_reads_it(world: CallWorld) -> None:
    """Only its digest is kept; a rule that does not read it decides as before."""
    hidden = msgspec.structs.replace(TOOLS["desk/write"], arguments={"text": Argument(sensitive=True)})
    tools = {**TOOLS, "desk/write": hidden}
    with_hidden = msgspec.structs.replace(a_bundle(digest="sha256:hidden"), tools=tools)
    await world.services.policies.apply(with_hidden, by="root")
    await world.services.tools.registry.described()
    _, token = await world.open()
    await world.outcome(token, "write", text="secret")
    reading = NO_WRITES.replace(
        "resource);", 'resource) when { context.args has text && context.args.text == "x" };'
    )
    for policy, skipped in ((NO_WRITES, {}), (reading, {"values-hidden": 1})):
        bundle = msgspec.structs.replace(with_hidden, policies=candidate(PERMIT + policy).policies)
        assert (await simulated(world, bundle)).replay.skipped == skipped


async def test_a_call_that_no_changed_rule_can_match_needs_no_deciding(world: CallWorld) -> None:
    """Its decision stays, whatever it was; on request it is decided all the same."""
    _, token = await world.open()
    await world.outcome(token, "read")
    for every, counted in ((False, (1, 0)), (True, (0, 1))):
        found = await simulated(world, candidate(PERMIT + ASK + NO_WRITES), every=every)
        assert (found.replay.unaffected, found.replay.replayed) == counted


async def test_a_bundle_that_is_not_valid_is_not_simulated(world: CallWorld) -> None:
    """The fault is that of a check."""
    with pytest.raises(ConfigInvalid):
        await simulated(world, candidate("permit (principal"))


async def test_simulations_do_not_run_beside_each_other(world: CallWorld) -> None:
    """Each takes a processor."""
    simulations = world.services.inspection.simulations
    async with simulations._running:
        with pytest.raises(Busy):
            await simulations.run(candidate(PERMIT))


async def test_a_limit_takes_the_newest_decisions(world: CallWorld) -> None:
    """In parts, from the end of the log."""
    _, token = await world.open()
    for text in ("first", "second", "third"):
        await world.outcome(token, "write", text=text)
    assert (await simulated(world, candidate(PERMIT + NO_WRITES), limit=2)).replay.read == 2


@pytest.mark.parametrize("name", ["shop", "clinic"])
def test_every_decision_of_the_corpus_is_reproduced(name: str) -> None:
    """Decided again under the bundle that made it, each call is decided by the same rules: the record holds
    every fact that the guardrails read.
    """
    organisation = open_organisation(name)
    rehearsal = organisation.rehearsal
    try:
        for task in organisation.tasks:
            organisation.run(task, plan=False)
            organisation.run(task, plan=True)
        for task, attack in list(organisation.pairs())[:40]:
            organisation.run(task, attack, plan=False)
        rehearsal.events()
        services = rehearsal.stage.services
        simulated = services.inspection.simulations.run(services.policies.applied.bundle, every=True)
        found = rehearsal.run(simulated)
    finally:
        rehearsal.close()
    assert found.replay.read > 100
    assert (found.replay.skipped, found.replay.flips) == ({}, {})


def counted(policy: str, *counters: HistoryCounter) -> Bundle:
    """The desk's bundle with counters."""
    digest = f"sha256:{abs(hash((policy, counters)))}"
    return msgspec.structs.replace(a_bundle(PERMIT + policy, digest), history=counters)


async def test_the_history_of_each_call_is_the_recorded_one(world: CallWorld) -> None:
    """A candidate's rule reads what the call was told then, though its counter has gone on since."""
    writes = HistoryCounter(name="writes", of=CountOf.CALLS, tools=("desk/write",))
    await world.services.policies.apply(counted("", writes), by="remit")
    _, token = await world.open()
    for number in range(5):
        await world.outcome(token, "write", text=f"{number}")
    two = (
        '@id("two")\nforbid (principal, action == Action::"desk/write", resource)'
        " when { context.history.writes >= 2 };\n"
    )
    replay = (await simulated(world, counted(two, writes))).replay
    (flips,) = replay.flips.values()
    assert (flips.calls, flips.rules, replay.skipped) == (3, {"two": 3}, {})


async def test_a_history_that_was_not_counted_is_not_guessed(world: CallWorld) -> None:
    """Neither for a new counter, nor for one that counts something else; other calls are replayed."""
    writes = HistoryCounter(name="writes", of=CountOf.CALLS, tools=("desk/write",))
    rule = (
        '@id("two")\nforbid (principal, action == Action::"desk/write", resource)'
        " when { context.history.writes >= 2 };\n"
    )
    await world.services.policies.apply(counted(rule, writes), by="remit")
    _, token = await world.open()
    for tool in ("write", "read", "write"):
        await world.outcome(token, tool)
    wider = msgspec.structs.replace(writes, tools=())
    replay = (await simulated(world, counted(rule, wider))).replay
    assert (replay.skipped, replay.flips) == ({"history-unknown": 2}, {})
    fresh = HistoryCounter(name="others", of=CountOf.CALLS)
    other = rule.replace("context.history.writes", "context.history.others")
    replay = (await simulated(world, counted(other, writes, fresh))).replay
    assert (replay.skipped, replay.flips) == ({"history-unknown": 2}, {})
