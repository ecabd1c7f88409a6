# SPDX-License-Identifier: Apache-2.0
"""Anomalies are few, rest on events, and say in one sentence with numbers what is odd."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.evidence.event import EventKind
from remit.core.findings.anomaly_rules import AnomalyRules
from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.label import Audience
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import GrantTemplate
from remit.core.tools.tool import Argument, ArgumentRole, Effect
from remit.ports.store.log import EventSearch
from remit.ports.store.units import Unit
from remit.services.decisions.circumstances import MAX_AGE_S
from remit.services.findings.anomaly_watch import MAX_BEHIND, places_of
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import (
    ASK,
    OPEN_GRANTS,
    CallWorld,
    a_bundle,
    a_surface,
    a_tool,
    a_type,
    call_world,
)
from tests.worlds.desk_replicas import desk_replicas
from tests.worlds.services import PERMIT
from tests.worlds.values import an_event

Json = Any
DAY_S = 86400.0
SEND = a_tool(
    "send",
    Effect.IRREVERSIBLE,
    audience=Audience("external"),
    arguments={"to": Argument(ArgumentRole.DESTINATION), "text": Argument(ArgumentRole.CONTENT)},
)
STRICT = """
@id("no-secrets")
forbid (principal, action == Action::"desk/write", resource)
when { context.args has "text" && context.args.text == "no" };
"""


def desk(policy: str = PERMIT + ASK) -> Bundle:
    """Return the bundle of a desk that also sends."""
    bundle = a_bundle(policy, digest=f"sha256:{abs(hash(policy))}")
    work = a_type(grants=(*OPEN_GRANTS, GrantTemplate("desk/send", other_arguments=True)))
    return msgspec.structs.replace(
        bundle,
        tools={**bundle.tools, SEND.id: SEND},
        task_types={**bundle.task_types, "work": work},
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk that sends, whose log is watched from its first event."""
    async with call_world(tmp_path) as made:
        await settle(made)
        yield made


async def settle(world: CallWorld) -> None:
    """Apply the bundle of the desk that sends, and begin to watch."""
    world.desk.surfaces["send"] = a_surface("send")
    await world.services.policies.apply(desk(), by="remit")
    await world.learn()
    await watched(world)


async def watched(world: CallWorld) -> list[Finding]:
    """Look for anomalies; return the open findings."""
    await world.facts(EventKind.TOOL_CALLED)
    await world.services.findings.anomalies.turn()
    return await world.services.findings.findings.about(state=FindingState.OPEN)


async def decisions(world: CallWorld) -> int:
    """Return the number of decided calls."""
    wanted = EventSearch(kinds=(EventKind.DECISION_MADE.value,))
    found = await world.services.evidence.searches.tally(wanted, zone=timedelta())
    return sum(sum(one.decided.values()) for one in found.tallies)


async def a_day(world: CallWorld, agent: str = "clerk", *, calls: int = 20, seed: int = 0) -> None:
    """Work for a day: reads and writes over some hours, and mail to two places."""
    drawn = random.Random(seed)
    for _ in range(calls // 5):
        _, token = await world.open(agent=agent)
        for _ in range(5):
            name = drawn.choice(("read", "read", "write", "send"))
            to: Json = {"to": drawn.choice(("eve@a.example", "https://b.example/in"))}
            to = to if name == "send" else {}
            await world.call(token, name, text="as usual", **to)
            world.clock.advance(drawn.uniform(10, 50))
        world.clock.advance(3600)
    world.clock.advance(DAY_S - calls * 750)


async def known(world: CallWorld, days: int = 9) -> str:
    """Have the clerk work until its habits are known; return the token of a task."""
    for day in range(days):
        await a_day(world, seed=day)
    assert await watched(world) == []
    _, token = await world.open()
    return token


async def test_a_month_of_ordinary_work_has_few_findings(
    world: CallWorld, record_property: Callable[[str, object], None]
) -> None:
    """Two agents, busy days, mistakes that are corrected, questions that are looked at: none of these. A new
    customer and a first payment: one each.
    """
    await world.services.policies.apply(desk(PERMIT + ASK + STRICT), by="remit")
    for day in range(30):
        for agent in ("clerk", "other"):
            await a_day(world, agent, calls=40 if day % 10 == 9 else 20, seed=day)
        _, token = await world.open()
        assert await world.outcome(token, "write", text="no") is Outcome.DENY
        assert await world.outcome(token, "write", text="yes") is Outcome.PERMIT
        for amount in range(2):
            asked = await world.asked(token, amount=amount)
            world.clock.advance(40)
            await world.approve(asked)
        if day == 20:
            await world.call(token, "send", to="new@customer.example", text="welcome")
        if day == 25:
            assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT
        await watched(world)
    found = await world.services.findings.findings.about()
    decided = await decisions(world)
    record_property("findings in 30 days", f"{len(found)} of {decided} decisions")
    assert decided > 1200
    assert {one.kind for one in found} == {FindingKind.NEW_DESTINATION, FindingKind.NEW_TOOL}
    assert len(found) == 2


async def test_a_new_tool_of_a_known_agent_is_found_with_its_numbers(world: CallWorld) -> None:
    """And again only after it was resolved: what was seen once is known."""
    token = await known(world)
    asked = await world.asked(token, amount=1)
    await world.approve(asked)
    assert await watched(world) == []
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT
    (found,) = await watched(world)
    assert (found.kind, found.about, found.owner) == (FindingKind.NEW_TOOL, "agent:clerk", "lena")
    assert found.severity is Severity.HIGH
    assert found.facts["says"] == "called `desk/pay` for the first time in 9 days and 180 calls"
    (index,) = found.facts["events"]
    (event,) = await world.services.evidence.log.pages(start=index, limit=1)
    leaf = msgspec.json.decode(event.leaf)
    assert (leaf["kind"], leaf["facts"]["tool"]) == ("decision.made", "desk/pay")
    await world.services.findings.findings.resolve(found.id, by="root", resolution="was asked for")
    assert await world.outcome(token, "pay", amount=2) is Outcome.DEFER
    assert await watched(world) == []


async def test_a_new_agent_is_learned_and_found_nothing_about(world: CallWorld) -> None:
    """Neither within its days nor within its calls."""
    _, token = await world.open()
    for number in range(120):
        await world.call(token, ("read", "write", "send")[number % 3], to=f"x@{number}.example")
    assert await watched(world) == []


async def test_a_new_destination_is_found_by_its_domain(world: CallWorld) -> None:
    """Another mailbox of a known domain is none; nor does a refused call teach one."""
    token = await known(world)
    await world.call(token, "send", to="Someone.Else@A.example", text="x")
    assert await watched(world) == []
    await world.call(token, "send", to="drop@evil.example", text="x")
    (found,) = await watched(world)
    assert found.kind is FindingKind.NEW_DESTINATION
    assert found.facts["says"].startswith(
        "sent to `evil.example` with `desk/send` for the first time in 9 days"
    )
    assert found.facts["says"].endswith("after 2 other destinations")


@pytest.mark.parametrize(
    "to",
    [
        "x@evil.example, eve@a.example",
        "mailto:x@evil.example?cc=eve@a.example",
        "https://b.example@evil.example/in",
        "https://evil.example\\@b.example/in",
        "https://b.example/in https://evil.example",
        "\ud800@evil.example",
        "https://[b.example/",
    ],
)
def test_a_new_destination_does_not_hide_beside_a_known_one(to: str) -> None:
    """In one text, in another form, or where programs read the text in different ways."""
    known_places = {
        one for text in ("eve@a.example", "https://b.example/in") for one in places_of(text, whole=False)
    }
    assert set(places_of(to, whole=False)) - known_places


async def test_many_anomalies_share_a_finding_and_none_is_lost(world: CallWorld) -> None:
    """A flood of new destinations makes six findings; the last one names the first and the newest of the
    others, and where all of them are.
    """
    token = await known(world)
    for number in range(60):
        await world.call(token, "send", to=f"x@flood{number}.example", text="x")
    found = await watched(world)
    assert len(found) == 6
    (shared,) = [one for one in found if "number" in one.facts]
    assert shared.facts["number"] == 55
    assert shared.facts["places"][0] == "flood5.example"
    assert shared.facts["places"][-1] == "flood59.example"
    assert f"from event {min(shared.facts['events'])} on" in str(shared.facts["says"])
    assert len(shared.facts["events"]) == 20


async def test_harmless_novelties_do_not_hide_a_harmful_one(world: CallWorld) -> None:
    """Severities do not share findings."""
    many = {
        f"desk/r{number}": a_tool(f"r{number}", Effect.NONE, audience=Audience("self"))
        for number in range(30)
    }
    bundle = desk(PERMIT)
    grants = tuple(GrantTemplate(name, other_arguments=True) for name in many)
    work = bundle.task_types["work"]
    work = msgspec.structs.replace(work, grants=(*work.grants, *grants))
    bundle = msgspec.structs.replace(
        bundle, tools={**bundle.tools, **many}, task_types={**bundle.task_types, "work": work}
    )
    for number in range(30):
        world.desk.surfaces[f"r{number}"] = a_surface(f"r{number}")
    await world.services.policies.apply(bundle, by="remit")
    await world.learn()
    token = await known(world)
    for number in range(30):
        assert await world.outcome(token, f"r{number}") is Outcome.PERMIT
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT
    found = await watched(world)
    assert len(found) == 7
    assert [one.facts["tools"] for one in found if one.severity is Severity.HIGH] == [["desk/pay"]]


async def test_an_unusual_hour_is_found_once(world: CallWorld) -> None:
    """Against the usual busiest hour, not against the average."""
    token = await known(world)
    for _ in range(230):
        await world.call(token, "read")
    (found,) = await watched(world)
    assert found.kind is FindingKind.UNUSUAL_VOLUME
    assert found.facts["calls"] == 201
    assert found.facts["says"].startswith(
        "made 201 calls in an hour; its usual busiest hour of 9 days with work is "
    )


async def test_refused_and_tried_until_it_is_permitted_is_found(world: CallWorld) -> None:
    """Three refusals of a tool and a permitted call of it, also in another task; two are a mistake."""
    await world.services.policies.apply(desk(PERMIT + ASK + STRICT), by="remit")
    _, token = await world.open()
    for _ in range(2):
        await world.call(token, "write", text="no")
    await world.call(token, "write", text="yes")
    assert await watched(world) == []
    for _ in range(3):
        _, token = await world.open()
        world.clock.advance(30)
        await world.call(token, "write", text="no")
    await world.call(token, "write", text="yes")
    (found,) = await watched(world)
    assert found.kind is FindingKind.REFUSED_RETRIED
    assert found.facts["says"] == "was permitted `desk/write` after 3 refusals within 1 minute"
    assert len(found.facts["events"]) == 4


async def test_an_approver_who_does_not_look_is_found(world: CallWorld) -> None:
    """Ten of ten with a yes, each within seconds; and an agent that asks more than thirty times an hour."""
    _, token = await world.open()
    for amount in range(10):
        asked = await world.asked(token, amount=amount)
        world.clock.advance(2)
        await world.approve(asked)
    (found,) = await watched(world)
    assert (found.kind, found.about) == (FindingKind.APPROVAL_FATIGUE, "person:omar")
    assert (
        found.facts["says"]
        == "approved 10 of 10 questions in a row, with at most 2.0 seconds to look at each"
    )
    assert len(found.facts["events"]) == 10
    for amount in range(100, 121):
        if amount == 110:
            _, token = await world.open()
        await world.asked(token, amount=amount)
    (asks,) = [one for one in await watched(world) if one.about == "agent:clerk"]
    assert asks.facts["says"] == "asked people 31 questions within 20 seconds"


async def test_approvals_in_one_go_are_found_however_old_the_questions(world: CallWorld) -> None:
    """A look lasts no longer than since the answer before; a no among them is a look."""
    _, token = await world.open()
    asked = [await world.asked(token, amount=amount) for amount in range(20)]
    world.clock.advance(600)
    for number, one in enumerate(asked[:10]):
        world.clock.advance(1)
        await world.approve(one, approve=number != 5)
    assert await watched(world) == []
    world.clock.advance(60)
    _, token = await world.open()
    for one in [*asked[10:], await world.asked(token, amount=99)]:
        world.clock.advance(1)
        await world.approve(one)
    (found,) = await watched(world)
    assert found.facts["says"].startswith("approved 10 of 10 questions in a row, with at most 1.0 seconds")


async def test_habits_and_half_seen_refusals_outlive_a_restart(tmp_path: Path) -> None:
    """The state is in the store; each event counts once."""
    async with call_world(tmp_path, seed="one") as world:
        await settle(world)
        await known(world)
        clock = world.clock
    async with call_world(tmp_path, seed="two", settle=False, clock=clock) as world:
        await world.reopen()
        await settle(world)
        assert await watched(world) == []
        _, token = await world.open()
        await world.call(token, "send", to="x@evil.example")
        (found,) = await watched(world)
        assert "for the first time in 9 days and 180 calls" in str(found.facts["says"])


async def test_two_replicas_count_each_event_once(tmp_path: Path, postgres: str) -> None:
    """Whichever watches, also both at once; what one has begun to see the other goes on with."""
    async with desk_replicas(tmp_path, postgres, ScriptedBroker(), ScriptedBroker()) as (one, other):
        for each in (one, other):
            await each.services.policies.apply(desk(PERMIT + STRICT), by="remit")
            each.services.findings.anomalies.rules = AnomalyRules(learning_s=0, learning_calls=10)
        await watched(one)
        _, token = await one.open()
        for number in range(12):
            assert await one.outcome(token, "read", text=str(number)) is Outcome.PERMIT
        for _ in range(2):
            await one.call(token, "write", text="no")
        await one.facts(EventKind.TOOL_CALLED)
        turns = (each.services.findings.anomalies.turn() for each in (one, other, one, other))
        await asyncio.gather(*turns)
        assert await watched(other) == []
        await one.call(token, "write", text="no")
        assert await watched(other) == []
        await one.call(token, "write", text="yes")
        await one.facts(EventKind.TOOL_CALLED)
        await asyncio.gather(*(each.services.findings.anomalies.turn() for each in (other, one)))
        found = {finding.kind: finding for finding in await watched(one)}
        assert found.keys() == {FindingKind.REFUSED_RETRIED, FindingKind.NEW_TOOL}
        says = str(found[FindingKind.REFUSED_RETRIED].facts["says"])
        assert says.startswith("was permitted `desk/write` after 3 refusals within ")
        assert str(found[FindingKind.NEW_TOOL].facts["says"]).endswith(" and 12 calls")
        assert {finding.count for finding in found.values()} == {1}


async def test_a_token_at_two_replicas_from_two_places_is_found(tmp_path: Path, postgres: str) -> None:
    """Each has seen one place; a token that moved once is not found, nor one that an unknown sender shows."""
    async with desk_replicas(tmp_path, postgres, ScriptedBroker(), ScriptedBroker()) as (one, other):
        seen = (one.services.findings.sightings, other.services.findings.sightings)

        async def shown(replica: int, token: str, place: str, after_s: float = 20.0) -> None:
            claims = msgspec.structs.replace(made, token_id=token)
            for each in (one, other):
                each.clock.advance(after_s)
            seen[replica].shown(claims, place)
            await seen[replica].flush()

        _, token = await one.open()
        made = one.services.identity.authenticator.unproven(token, one.clock.now())
        await shown(0, "moved", "10.0.0.1")
        await shown(1, "moved", "10.0.0.2")
        await shown(1, "moved", "10.0.0.2")
        await shown(0, "copied", "10.0.0.1")
        await shown(1, "copied", "10.0.0.9")
        await shown(1, "proxied", "")
        await shown(0, "copied", "10.0.0.1")
        await shown(1, "copied", "10.0.0.9")
        await seen[1].compare()
        (found,) = await one.services.findings.findings.about(state=FindingState.OPEN)
        assert (found.kind, found.about) == (FindingKind.SHARED_TOKEN, "agent:clerk")
        assert found.facts["token"] == "copied"
        says = "its token was used at address 10.0.0.1 and at address 10.0.0.9 for 40 seconds at once"
        assert found.facts["says"] == says


async def test_a_token_seen_before_and_after_a_restart_is_found(tmp_path: Path) -> None:
    """What the process before has told counts, for as long as a token lives."""
    async with call_world(tmp_path, seed="one") as world:
        _, token = await world.open()
        claims, clock = world.services.identity.authenticator.unproven(token, world.clock.now()), world.clock
        world.services.findings.sightings.shown(claims, "10.0.0.1")
        await world.services.findings.sightings.flush()
    clock.advance(30)
    async with call_world(tmp_path, seed="two", settle=False, clock=clock) as world:
        await world.reopen()
        sightings = world.services.findings.sightings
        for place in ("10.0.0.9", "10.0.0.1"):
            sightings.shown(claims, place)
            clock.advance(30)
        await sightings.flush()
        await sightings.compare()
        (found,) = await world.services.findings.findings.about(state=FindingState.OPEN)
        assert found.kind is FindingKind.SHARED_TOKEN


async def test_what_was_before_the_watch_is_learned_and_not_told(tmp_path: Path) -> None:
    """A watch that is turned on late finds nothing old, and knows the agent at once."""
    async with call_world(tmp_path) as world:
        world.desk.surfaces["send"] = a_surface("send")
        await world.services.policies.apply(desk(), by="remit")
        await world.learn()
        for day in range(9):
            await a_day(world, seed=day)
        _, token = await world.open()
        await world.call(token, "send", to="x@old.example")
        world.clock.advance(60)
        assert await watched(world) == []
        await world.call(token, "send", to="x@evil.example")
        assert [one.facts["places"] for one in await watched(world)] == [["evil.example"]]


async def test_a_policy_can_refuse_on_an_anomaly_and_on_a_blind_watch(tmp_path: Path) -> None:
    """A finding alone refuses nothing; what no one looked for is told apart from what no one found."""
    async with call_world(tmp_path, tell_blind=True) as world:
        await settle(world)
        token = await known(world)
        rule = (
            '@id("calm")\nforbid (principal, action == Action::"desk/write", resource)\nwhen { '
            'context.posture.findings.containsAny(["new-destination", "anomalies-unseen"]) };\n'
        )
        await world.call(token, "send", to="x@evil.example")
        await watched(world)
        assert await world.outcome(token, "write") is Outcome.PERMIT
        await world.services.policies.apply(desk(PERMIT + rule), by="remit")
        world.clock.advance(MAX_AGE_S)
        assert await world.outcome(token, "write") is Outcome.DENY
        (found,) = await watched(world)
        await world.services.findings.findings.resolve(found.id, by="root", resolution="was asked for")
        world.clock.advance(MAX_AGE_S)
        assert await world.outcome(token, "write") is Outcome.PERMIT
        world.clock.advance(MAX_BEHIND.total_seconds() + 1)
        _, token = await world.open()
        assert await world.outcome(token, "write") is Outcome.DENY
        await watched(world)
        world.clock.advance(MAX_AGE_S)
        assert await world.outcome(token, "write") is Outcome.PERMIT


async def test_a_rule_that_is_off_finds_nothing(world: CallWorld) -> None:
    """And the others go on."""
    watch = world.services.findings.anomalies
    watch.rules = msgspec.structs.replace(watch.rules, on=watch.rules.on - {FindingKind.NEW_DESTINATION})
    token = await known(world)
    await world.call(token, "send", to="x@evil.example")
    for _ in range(230):
        await world.call(token, "read")
    assert [one.kind for one in await watched(world)] == [FindingKind.UNUSUAL_VOLUME]


async def test_an_event_from_the_future_ends_no_window(world: CallWorld) -> None:
    """A clock that was wrong for a moment: what is refused before and after it still counts together."""
    token = await known(world)
    most = world.services.findings.anomalies.rules.refusals
    for number in range(most):
        if number == most // 2:
            facts = {"outcome": "deny", "tool": "desk/odd", "effect": "none", "audience": "self"}
            at = world.clock.now() + timedelta(days=30)
            future = an_event(EventKind.DECISION_MADE, at=at, agent="clerk", facts=facts)
            await world.services.store.commit(Unit(events=(future,)))
            assert not await watched(world)
        assert await world.outcome(token, "unheard-of") is Outcome.DENY
    assert FindingKind.REFUSED_RETRIED in {one.kind for one in await watched(world)}


async def test_an_event_that_cannot_be_read_is_told_and_stops_nothing(world: CallWorld) -> None:
    """The watch goes on behind it."""
    token = await known(world)
    broken = an_event(EventKind.DECISION_MADE, at=world.clock.now(), agent="clerk", facts={"n": 1})
    (index,) = (await world.services.store.commit(Unit(events=(broken,)))).indexes
    await world.call(token, "send", to="eve@elsewhere.example", text="x")
    found = await watched(world)
    (unseen,) = [one for one in found if one.kind is FindingKind.ANOMALIES_UNSEEN]
    assert unseen.facts["events"] == [index]
    assert FindingKind.NEW_DESTINATION in {one.kind for one in found}
