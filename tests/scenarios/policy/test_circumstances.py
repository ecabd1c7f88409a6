# SPDX-License-Identifier: Apache-2.0
"""Policies read circumstances that the agent cannot forge: time, place, freezes, risk, findings, budgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.core.circumstances.circumstances import RiskLevel
from remit.core.circumstances.time_window import TimeWindow
from remit.core.decisions.decision import Outcome
from remit.core.errors import Malformed, NotFound, StoreUnavailable
from remit.core.evidence.event import EventKind
from remit.core.findings.kinds import FindingKind
from remit.core.policy.vocabulary import DeclaredNames
from remit.core.scope import ScopeKind, scope
from remit.core.signals.risk import ReportedRisk
from remit.core.signals.signal import SignalKind
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import PutValue
from remit.ports.store.units import Unit
from remit.services.decisions.circumstances import MAX_AGE_S
from remit.services.decisions.freezes import FREEZE
from remit.services.mediation.mediator import RequestedCall
from remit.services.signals.subjects import SubjectRules
from remit.services.tasks.tasks import DelegatedOpening
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import TO_ALL, CallWorld, Heard, a_bundle, a_type, call_world
from tests.worlds.services import PERMIT
from tests.worlds.signals import signals_world, user
from tests.worlds.values import TENANT

Json = Any
#: The world's clock begins on a Monday at 09:00 UTC.
OFFICE = TimeWindow(zone="UTC", days=frozenset(range(5)), opens=time(8), closes=time(18))
DECLARED = DeclaredNames(windows=("office",), networks=("lab",))
SCOPE = 'principal, action == Action::"desk/write", resource'


def forbid(condition: str, word: str = "when") -> str:
    """Return policies with one forbid of writes."""
    return f'{PERMIT}@id("no")\nforbid ({SCOPE})\n{word} {{ {condition} }};\n'


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk with a window and a network."""
    async with call_world(
        tmp_path,
        windows={"office": OFFICE},
        networks={"lab": ("192.0.2.0/24",)},
        engine=CedarPolicies(declared=DECLARED),
    ) as made:
        yield made


async def under(world: CallWorld, policy: str) -> str:
    """Put policies in force and open a task; return its token."""
    await world.services.policies.apply(a_bundle(policy, "sha256:circumstances"), by="root")
    return (await world.open())[1]


async def from_place(world: CallWorld, token: str, origin: str) -> Outcome:
    """Write from a place."""
    asked = RequestedCall(
        token=token, proven=HELD, upstream="desk", name="write", arguments={}, origin=origin
    )
    return (await world.services.mediation.mediator.run(asked, Heard())).decision.outcome


async def test_a_freeze_refuses_changes_until_it_ends(world: CallWorld) -> None:
    """From its declaration on; it ends by itself."""
    token = await under(world, forbid("context.environment.frozen"))
    freezes = world.services.decisions.freezes
    assert await world.outcome(token, "write") is Outcome.PERMIT
    freeze = await freezes.declare(world.clock.now() + timedelta(minutes=2), reason="audit", by="root")
    world.services.decisions.surroundings.changed()
    assert await world.outcome(token, "write") is Outcome.DENY
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await freezes.in_force() == [freeze]
    world.clock.advance(120)
    assert await freezes.in_force() == []
    assert await world.outcome(token, "write") is Outcome.PERMIT
    (told,) = await world.facts(EventKind.CHANGE_FROZEN)
    assert (told["freeze"], told["reason"], told["until"]) == (freeze.id, "audit", freeze.until.isoformat())


async def test_a_person_lifts_a_freeze_with_a_reason(world: CallWorld) -> None:
    """Another freeze stays in force."""
    token = await under(world, forbid("context.environment.frozen"))
    freezes, surroundings = world.services.decisions.freezes, world.services.decisions.surroundings
    end = world.clock.now() + timedelta(hours=1)
    one, other = [await freezes.declare(end, reason="r", by="root") for _ in range(2)]
    with pytest.raises(Malformed):
        await freezes.lift(one.id, reason=" ", by="root")
    await freezes.lift(one.id, reason="released", by="root")
    surroundings.changed()
    assert await world.outcome(token, "write") is Outcome.DENY
    await freezes.lift(other.id, reason="released", by="root")
    surroundings.changed()
    assert await world.outcome(token, "write") is Outcome.PERMIT
    with pytest.raises(NotFound):
        await freezes.lift(other.id, reason="again", by="root")
    assert [one["reason"] for one in await world.facts(EventKind.FREEZE_LIFTED)] == ["released"] * 2


@pytest.mark.parametrize("hours", [0, -1, 24 * 91])
async def test_a_freeze_has_an_end(world: CallWorld, hours: int) -> None:
    """Neither past nor beyond three months."""
    with pytest.raises(Malformed) as refused:
        await world.services.decisions.freezes.declare(
            world.clock.now() + timedelta(hours=hours), reason="audit", by="root"
        )
    assert refused.value.code == "freeze-end"


async def test_another_replica_reads_a_freeze_within_a_second(world: CallWorld) -> None:
    """A change of the store counts without any message to this process."""
    token = await under(world, forbid("context.environment.frozen"))
    assert await world.outcome(token, "write") is Outcome.PERMIT
    end = world.clock.now() + timedelta(hours=1)
    await world.services.decisions.freezes.declare(end, reason="elsewhere", by="root")
    world.clock.advance(MAX_AGE_S)
    assert await world.outcome(token, "write") is Outcome.DENY


async def test_calls_at_once_read_the_store_once(world: CallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call after a change of this process reads again, and does not take what was read before."""
    token = await under(world, forbid("context.environment.frozen"))
    freezes, store, read = world.services.decisions.freezes, world.services.store, 0
    values = store.values

    async def counted(tenant: str, prefix: str) -> list[Json]:
        nonlocal read
        read += prefix == FREEZE
        return await values(tenant, prefix)

    monkeypatch.setattr(store, "values", counted)
    world.clock.advance(MAX_AGE_S)
    told = await asyncio.gather(*(world.outcome(token, "write") for _ in range(5)))
    assert (told, read) == ([Outcome.PERMIT] * 5, 1)
    world.clock.advance(MAX_AGE_S)
    before = asyncio.ensure_future(world.outcome(token, "write"))
    await freezes.declare(world.clock.now() + timedelta(hours=1), reason="audit", by="root")
    world.services.decisions.surroundings.changed()
    assert await world.outcome(token, "write") is Outcome.DENY
    await before


async def test_circumstances_that_cannot_be_read_permit_nothing(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that answers no more is a refusal, also of a call that only reads."""

    async def nothing(tenant: str, prefix: str) -> list[Json]:
        raise StoreUnavailable("the store is away")

    token = await under(world, forbid("context.environment.frozen"))
    assert await world.outcome(token, "read") is Outcome.PERMIT
    monkeypatch.setattr(world.services.store, "values", nothing)
    world.clock.advance(MAX_AGE_S)
    with pytest.raises(StoreUnavailable):
        await world.outcome(token, "read")


async def test_a_window_is_open_by_the_clock_of_remit(world: CallWorld) -> None:
    """Not by anything that the agent says."""
    token = await under(world, forbid('context.environment.windows.contains("office")', "unless"))
    assert OFFICE.open_at(world.clock.now())
    assert await world.outcome(token, "write") is Outcome.PERMIT
    while OFFICE.open_at(world.clock.now()):
        world.clock.advance(600)
    token = (await world.open())[1]
    assert await world.outcome(token, "write") is Outcome.DENY


@pytest.mark.parametrize(
    ("origin", "outcome"),
    [
        ("192.0.2.7", Outcome.PERMIT),
        ("192.0.3.7", Outcome.DENY),
        ("2001:db8::/64", Outcome.DENY),
        ("", Outcome.DENY),
    ],
)
async def test_a_rule_can_require_a_network(world: CallWorld, origin: str, outcome: Outcome) -> None:
    """A place that is not known is in no zone."""
    token = await under(world, forbid('context.environment.network == "lab"', "unless"))
    assert await from_place(world, token, origin) is outcome


async def test_an_agent_cannot_state_its_own_circumstances(world: CallWorld) -> None:
    """Arguments of the same names are arguments."""
    token = await under(world, forbid('context.environment.network == "lab"', "unless"))
    forged = {"environment": {"network": "lab"}, "network": "lab", "context": {"environment": {}}}
    assert await world.outcome(token, "write", **forged) is Outcome.DENY


async def test_an_open_finding_about_the_agent_counts(world: CallWorld) -> None:
    """A finding about another agent does not, nor does one that was resolved."""
    token = await under(world, forbid('context.posture.findings.contains("manifest-drift")'))
    findings = world.services.findings.findings
    drift = FindingKind.MANIFEST_DRIFT
    await findings.see(drift, "agent:other", "", {"registered": "a", "reported": "b"})
    assert await world.outcome(token, "write") is Outcome.PERMIT
    found = await findings.see(drift, "agent:clerk", "", {"registered": "a", "reported": "b"})
    world.clock.advance(MAX_AGE_S)
    assert await world.outcome(token, "write") is Outcome.DENY
    await findings.resolve(found.id, by="root", resolution="reviewed")
    world.clock.advance(MAX_AGE_S)
    assert await world.outcome(token, "write") is Outcome.PERMIT


async def test_budgets_count_over_the_family(world: CallWorld) -> None:
    """A child's calls count for its family, and what its parent has left is what it has left."""
    bundle = a_bundle(
        PERMIT
        + f'@id("family")\nforbid ({SCOPE})\nwhen {{ context.budget.family_calls >= 3 }};\n'
        + f'@id("left")\nforbid ({SCOPE})\nunless {{ context.budget has calls_left && '
        + "context.budget.calls_left >= 8 };\n",
        "sha256:family",
    )
    bundle.task_types["family"] = a_type("family", budgets=Budgets(calls=10), delegates=TO_ALL)
    await world.services.policies.apply(bundle, by="root")
    parent, token = await world.open("family")
    other = await world.services.identity.directory.agent("other")
    child = await world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening(brief="help"))
    own = await task_token(world.services, child.id, confirmation=HELD)
    for one in (token, own, token):
        assert await world.outcome(one, "write") is Outcome.PERMIT
    for one in (token, own):
        decision = (await world.call(one, "write")).decision
        assert decision.outcome is Outcome.DENY
        assert {rule.id for rule in decision.rules} == {"family", "left"}


async def test_a_family_counts_where_its_parent_is_not_in_memory(tmp_path: Path) -> None:
    """After a restart the store says what the ancestors have used."""
    policy = PERMIT + f'@id("family")\nforbid ({SCOPE})\nwhen {{ context.budget.family_calls >= 2 }};\n'
    bundle = a_bundle(policy, "sha256:family")
    bundle.task_types["family"] = a_type("family", budgets=Budgets(calls=10), delegates=TO_ALL)
    async with call_world(tmp_path) as world:
        await world.services.policies.apply(bundle, by="root")
        parent, token = await world.open("family")
        other = await world.services.identity.directory.agent("other")
        child = await world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening(brief="help"))
        for _ in range(2):
            assert await world.outcome(token, "write") is Outcome.PERMIT
        await world.services.store.commit(Unit(tenant=TENANT))
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        await world.services.policies.apply(bundle, by="root")
        own = await task_token(world.services, child.id, confirmation=HELD)
        assert await world.outcome(own, "write") is Outcome.DENY


# Threats.


async def test_a_risk_that_a_transmitter_reports_counts_until_it_says_otherwise(tmp_path: Path) -> None:
    """Of the person behind the task; an older word does not replace a newer one."""
    kept = {SignalKind.RISK_LEVEL_CHANGE: ()}
    async with signals_world(tmp_path, on=kept) as world:
        token = await under(world, forbid('["medium", "high"].contains(context.environment.risk)'))

        async def told(level: str, **more: Json) -> Outcome:
            event = world.event(SignalKind.RISK_LEVEL_CHANGE, payload={"current_level": level}, **more)
            assert (await world.push(event)).status == 202
            world.clock.advance(MAX_AGE_S)
            world.told_clock.advance(MAX_AGE_S)
            return await world.outcome(token, "write")

        assert await world.outcome(token, "write") is Outcome.PERMIT
        assert await told("MEDIUM") is Outcome.DENY
        assert await told("LOW") is Outcome.PERMIT
        assert await told("HIGH") is Outcome.DENY
        older = int((world.clock.now() - timedelta(minutes=1)).timestamp())
        assert await told("LOW", iat=older) is Outcome.DENY
        assert await told("LOW") is Outcome.PERMIT
        assert await told("never heard of") is Outcome.DENY


async def test_a_transmitter_cannot_lower_the_risk_that_another_one_reports(tmp_path: Path) -> None:
    """Of several words the highest level counts."""
    rules = SubjectRules(issuers=frozenset({"*"}))
    async with signals_world(tmp_path, on={SignalKind.RISK_LEVEL_CHANGE: ()}, rules=rules) as world:
        token = await under(world, forbid('context.environment.risk == "high"'))
        high = world.event(SignalKind.RISK_LEVEL_CHANGE, payload={"current_level": "HIGH"})
        assert (await world.push(high)).status == 202
        low = world.stranger.event(
            SignalKind.RISK_LEVEL_CHANGE, user(), world.clock.now(), payload={"current_level": "LOW"}
        )
        await world.services.signals.heard.receive("other", low)
        world.clock.advance(MAX_AGE_S)
        assert await world.outcome(token, "write") is Outcome.DENY


@pytest.mark.parametrize("reported", ["agent", "task"])
async def test_handing_down_leaves_no_risk_behind(world: CallWorld, reported: str) -> None:
    """What is reported about a task, or about its agent, counts for the tasks handed down from it."""
    bundle = a_bundle(forbid('context.environment.risk == "high"'), "sha256:risk")
    bundle.task_types["family"] = a_type("family", delegates=TO_ALL)
    await world.services.policies.apply(bundle, by="root")
    parent, token = await world.open("family")
    other = await world.services.identity.directory.agent("other")
    child = await world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening(brief="help"))
    own = await task_token(world.services, child.id, confirmation=HELD)
    assert await world.outcome(own, "write") is Outcome.PERMIT
    about = scope(ScopeKind(reported), {"agent": parent.agent, "task": parent.id}[reported])
    risk = ReportedRisk(scope=about, level=RiskLevel.HIGH, at=world.clock.now(), transmitter="edr")
    told = PutValue(TENANT, risk.key, msgspec.to_builtins(risk))
    await world.services.store.commit(Unit((told,), tenant=TENANT))
    world.clock.advance(MAX_AGE_S)
    assert await world.outcome(token, "write") is Outcome.DENY
    assert await world.outcome(own, "write") is Outcome.DENY


async def test_a_recorded_decision_is_decided_again_under_its_own_circumstances(world: CallWorld) -> None:
    """A simulation reads the freeze of then, not that of now."""
    token = await under(world, PERMIT)
    freezes = world.services.decisions.freezes
    await freezes.declare(world.clock.now() + timedelta(minutes=1), reason="audit", by="root")
    world.services.decisions.surroundings.changed()
    assert await world.outcome(token, "write") is Outcome.PERMIT
    world.clock.advance(60)
    assert await world.outcome(token, "write") is Outcome.PERMIT
    await world.services.store.commit(Unit(tenant=TENANT))
    candidate = a_bundle(forbid("context.environment.frozen"), "sha256:candidate")
    replay = (await world.services.inspection.simulations.run(candidate)).replay
    assert (replay.replayed, replay.skipped) == (2, {})
    (flips,) = replay.flips.values()
    assert (flips.calls, flips.after) == (1, Outcome.DENY)
