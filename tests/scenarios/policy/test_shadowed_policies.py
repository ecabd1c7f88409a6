# SPDX-License-Identifier: Apache-2.0
"""A candidate decides beside the policies in force: its differences are found, and nothing else changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.adapters.policy.languages import PolicyLanguages
from remit.adapters.policy.rego import RegoPolicies
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome, PolicyAnswer
from remit.core.errors import ConfigInvalid, Conflict, NotFound
from remit.core.evidence.event import EventKind
from remit.core.policy.bundle import PolicySource
from remit.services.policy import shadow as shadowing
from remit.services.policy.shadow import PolicyShadow, ShadowReport
from tests.servers import opa_server
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import ASK, CallWorld, a_bundle, call_world
from tests.worlds.desk_replicas import desk_replicas
from tests.worlds.services import PERMIT

NO_WRITES = (
    '@id("no-writes")\n@reason("`{tool}` writes")\n'
    'forbid (principal, action == Action::"desk/write", resource);\n'
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk, where money is asked about."""
    async with call_world(tmp_path) as made:
        yield made


def shadow_of(world: CallWorld) -> PolicyShadow:
    """What shadows in a world."""
    return world.services.decisions.shadow


def candidate(text: str) -> list[PolicySource]:
    """Policies in one file."""
    return [PolicySource("policies/base.cedar", text)]


async def shadowed(world: CallWorld, text: str) -> None:
    """Start to shadow a candidate."""
    await shadow_of(world).start(candidate(text), by="root", reason="a try")


async def found(world: CallWorld) -> ShadowReport:
    """The report, once everything that was asked is decided."""
    await shadow_of(world).settled()
    await shadow_of(world).turn()
    report = await shadow_of(world).report()
    assert report is not None
    return report


async def test_a_candidate_changes_no_answer_and_shows_what_it_would_have_changed(world: CallWorld) -> None:
    """By agent, person, task type, tool and rule, with the call itself; each difference is an event."""
    await shadowed(world, PERMIT + ASK + NO_WRITES)
    task, token = await world.open()
    assert await world.outcome(token, "write", text="a") is Outcome.PERMIT
    assert await world.outcome(token, "read") is Outcome.PERMIT
    await world.asked(token)
    report = await found(world)
    assert (report.replay.read, report.replay.replayed, report.replay.skipped) == (3, 3, {})
    assert report.replay.same == {"permit": 1, "defer": 1}
    (flips,) = report.replay.flips.values()
    assert (flips.before, flips.after, flips.more_permissive) == (Outcome.PERMIT, Outcome.DENY, False)
    counted = (flips.calls, flips.agents, flips.task_types, flips.people, flips.tools, flips.rules)
    assert counted == (1, {"clerk": 1}, {"work": 1}, {"lena": 1}, {"desk/write": 1}, {"no-writes": 1})
    assert (flips.examples[0].task, flips.examples[0].why) == (task.id, ("`desk/write` writes",))
    (fact,) = await world.facts(EventKind.SHADOW_DIFFERED)
    assert (fact["tool"], fact["before"], fact["after"], fact["rules"]) == (
        "desk/write",
        "permit",
        "deny",
        ["no-writes"],
    )
    assert len(world.desk.arrived) == 2


async def test_what_a_candidate_permits_more_is_marked(world: CallWorld) -> None:
    """A question that the candidate would not ask."""
    await shadowed(world, PERMIT)
    _, token = await world.open()
    await world.asked(token)
    (flips,) = (await found(world)).replay.flips.values()
    assert (flips.before, flips.after, flips.more_permissive) == (Outcome.DEFER, Outcome.PERMIT, True)


async def test_an_approved_call_is_no_difference_while_the_candidate_asks_by_the_same_rule(
    world: CallWorld,
) -> None:
    """Even if it words the rule otherwise: it would have asked the same person."""
    await shadowed(world, PERMIT + ASK.replace("moves money", "costs money"))
    _, token = await world.open()
    await world.approve(await world.asked(token, amount=5))
    assert await world.outcome(token, "pay", amount=5) is Outcome.PERMIT
    assert (await found(world)).replay.flips == {}


async def test_what_something_else_refused_is_not_a_difference(world: CallWorld) -> None:
    """A grant refused the call, so no policy changes that."""
    await shadowed(world, PERMIT + NO_WRITES)
    _, token = await world.open("hello")
    assert await world.outcome(token, "write", text="goodbye") is Outcome.DENY
    replay = (await found(world)).replay
    assert (replay.refused_elsewhere, replay.flips) == (1, {})


async def test_a_question_about_a_call_is_not_shadowed(world: CallWorld) -> None:
    """`remit can` decides nothing."""
    await shadowed(world, PERMIT + NO_WRITES)
    task, _ = await world.open()
    await world.services.inspection.reports.can(task.id, "desk/write", {})
    assert (await found(world)).replay.read == 0


async def test_a_longer_plan_is_shadowed_like_a_call_where_policies_decide_it(world: CallWorld) -> None:
    """What names no granted tool was refused before any policy was asked."""
    await shadowed(
        world, PERMIT + '@id("no-plans")\nforbid (principal, action == Action::"remit/plan", resource);'
    )
    task, _ = await world.open("hello")
    for tool in ("desk/write", "desk/pay"):
        await world.services.decisions.plans.extend(task.id, [tool], by="clerk")
    replay = (await found(world)).replay
    assert (replay.read, replay.flips["permit-deny"].rules) == (1, {"no-plans": 1})


async def test_a_full_queue_is_counted_and_keeps_no_call_waiting(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls go on; the report says how many of them the candidate has not seen."""
    monkeypatch.setattr(shadowing, "MAX_WAITING", 1)
    await shadowed(world, PERMIT + NO_WRITES)
    _, token = await world.open()
    outcomes = [await world.outcome(token, "write", text=str(number)) for number in range(4)]
    assert outcomes == [Outcome.PERMIT] * 4
    replay = (await found(world)).replay
    assert replay.read == 4
    assert replay.skipped["queue-full"] == 4 - replay.replayed
    assert replay.skipped["queue-full"] > 0


class Failing:
    """A loaded policy that fails."""

    history: frozenset[str] = frozenset()

    served = False
    digest = ""

    def evaluate(self, request: AccessRequest) -> PolicyAnswer:
        """Fail as no engine should."""
        raise ZeroDivisionError


async def test_a_candidate_that_fails_harms_no_call(world: CallWorld) -> None:
    """The failure is counted, and the next calls are answered."""
    await shadowed(world, PERMIT + NO_WRITES)
    shadow_of(world)._loaded = Failing()  # type: ignore[assignment]
    _, token = await world.open()
    assert await world.outcome(token, "write", text="a") is Outcome.PERMIT
    assert (await found(world)).replay.skipped == {"failed": 1}


async def test_a_rule_that_errs_is_a_refusal_of_the_candidate_alone(world: CallWorld) -> None:
    """That is what it would be in force."""
    errs = (
        '@id("errs")\nforbid (principal, action, resource) '
        "when { context.tier_level + 9223372036854775807 > 0 };\n"
    )
    await shadowed(world, PERMIT + ASK + errs)
    _, token = await world.open()
    assert await world.outcome(token, "write", text="a") is Outcome.PERMIT
    (flips,) = (await found(world)).replay.flips.values()
    assert flips.after is Outcome.DENY
    assert "errs" in flips.examples[0].why[0]


async def test_policies_that_are_not_valid_are_not_shadowed(world: CallWorld) -> None:
    """The error names the rule, and nothing is started."""
    with pytest.raises(ConfigInvalid, match="extern"):
        await shadowed(world, PERMIT + NO_WRITES.replace(");", ') when { context.audience == "extern" };'))
    assert await shadow_of(world).report() is None
    assert await world.facts(EventKind.SHADOW_STARTED) == []


async def test_one_candidate_is_shadowed_at_a_time(world: CallWorld) -> None:
    """The second one has to wait, and after a stop there is none."""
    await shadowed(world, PERMIT)
    with pytest.raises(Conflict):
        await shadowed(world, PERMIT + NO_WRITES)
    await shadow_of(world).stop(by="root")
    with pytest.raises(NotFound):
        await shadow_of(world).stop(by="root")


async def test_a_stop_records_what_was_counted(world: CallWorld) -> None:
    """With the totals, and the reason; then nothing is shadowed any more."""
    await shadowed(world, PERMIT + NO_WRITES)
    _, token = await world.open()
    await world.outcome(token, "write", text="a")
    await world.outcome(token, "read")
    report = await shadow_of(world).stop(by="root", reason="seen enough")
    assert report.replay.read == 2
    (fact,) = await world.facts(EventKind.SHADOW_STOPPED)
    assert {name: fact[name] for name in ("calls", "shadowed", "differing", "more_permissive", "reason")} == {
        "calls": 2,
        "shadowed": 2,
        "differing": 1,
        "more_permissive": 0,
        "reason": "seen enough",
    }
    assert len(await world.facts(EventKind.SHADOW_DIFFERED)) == 1
    await world.outcome(token, "write", text="b")
    assert await shadow_of(world).report() is None


async def test_another_process_on_the_store_shadows_what_it_decides_itself(tmp_path: Path) -> None:
    """After a restart the counts go on, and the report has those of both."""
    async with call_world(tmp_path) as first:
        await shadowed(first, PERMIT + ASK + NO_WRITES)
        _, token = await first.open()
        await first.outcome(token, "write", text="a")
        await shadow_of(first).settled()
        await shadow_of(first).close()
    async with call_world(tmp_path, seed="second", settle=False) as second:
        await second.reopen()
        await shadow_of(second).turn()
        _, token = await second.open()
        await second.outcome(token, "write", text="b")
        report = await found(second)
        assert report.replay.flips["permit-deny"].calls == 2
        assert len(report.tallies) == 2


async def test_a_candidate_follows_the_tools_that_are_in_force(world: CallWorld) -> None:
    """It is loaded again with another bundle; where it does not fit any more, the report says why."""
    await shadowed(world, PERMIT + ASK + NO_WRITES)
    bundle = a_bundle(digest="sha256:other")
    del bundle.tools["desk/write"]
    world.desk.surfaces.pop("write")
    await world.learn()
    await world.services.policies.apply(bundle, by="root")
    await world.services.tools.registry.described()
    await shadow_of(world).turn()
    _, token = await world.open()
    await world.outcome(token, "read")
    report = await found(world)
    assert report.replay.skipped == {"not-ready": 1}
    assert "desk/write" in report.tallies[0].fault


async def test_a_translation_to_the_other_language_is_shadowed_before_it_counts(tmp_path: Path) -> None:
    """The policies in force are in Cedar; what differs of the translation in Rego is found."""
    rego = RegoPolicies(program=opa_server.program())
    engine = PolicyLanguages(CedarPolicies(), {".rego": lambda: rego})
    translated = (
        'package remit\n\npermit contains "permit-granted"\n\n'
        "# METADATA\n# custom: {otherwise: approval}\n"
        'forbid contains "ask-for-money" if input.resource.financial\n'
    )
    async with call_world(tmp_path, engine=engine) as world:
        for text, flips in (
            (translated, {}),
            (translated.replace("otherwise: approval", "reason: no"), {"defer-deny": 1}),
        ):
            await shadow_of(world).start([PolicySource("policies/base.rego", text)], by="root")
            _, token = await world.open()
            await world.outcome(token, "write", text="a")
            await world.asked(token, amount=5)
            replay = (await shadow_of(world).stop(by="root")).replay
            assert replay.replayed == 2
            assert {name: one.calls for name, one in replay.flips.items()} == flips


async def test_the_share_of_the_processor_bounds_the_pace(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a turn of some seconds of work, the thread rests nine times as long at 10 percent."""
    rested: list[float] = []
    sleep = asyncio.sleep

    async def rest(seconds: float) -> None:
        rested.append(seconds)
        await sleep(0)

    await shadowed(world, PERMIT)
    monkeypatch.setattr(
        shadowing, "_decided", lambda policy, requests, new: (["failed"] * len(requests), 2.0)
    )
    monkeypatch.setattr(asyncio, "sleep", rest)
    _, token = await world.open()
    await world.outcome(token, "read")
    await shadow_of(world).settled()
    assert 18.0 in rested


async def test_each_replica_shadows_what_it_decides_and_the_report_has_all(
    tmp_path: Path, postgres: str
) -> None:
    """One starts it, the others follow; a stop on another one ends it for all."""
    async with desk_replicas(tmp_path, postgres, ScriptedBroker(), ScriptedBroker()) as (one, other):
        await shadowed(one, PERMIT + ASK + NO_WRITES)
        await shadow_of(other).turn()
        for replica in (one, other):
            _, token = await replica.open()
            assert await replica.outcome(token, "write", text="a") is Outcome.PERMIT
            await shadow_of(replica).settled()
            await shadow_of(replica).turn()
        report = await found(one)
        assert (report.replay.read, report.replay.flips["permit-deny"].calls) == (2, 2)
        assert len(report.tallies) == 2
        stopped = await shadow_of(other).stop(by="root")
        assert stopped.replay.read == 2
        await shadow_of(one).turn()
        assert await shadow_of(one).report() is None
        assert len(await one.facts(EventKind.SHADOW_DIFFERED)) == 2
