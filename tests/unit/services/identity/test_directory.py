# SPDX-License-Identifier: Apache-2.0
"""Agents over time: their owners, what proves each agent, and what is found."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.errors import Conflict, Fenced, Malformed, NotFound, Unauthenticated
from remit.core.evidence.event import EventKind
from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Agent, AgentState, Role
from remit.core.identity.workload import (
    Assurance,
    AttestationMethod,
    Attested,
    Binding,
    IssuerBinding,
    KeyBinding,
    SpiffeBinding,
    workload_of,
)
from remit.ports.store.changes import PutAgent
from remit.ports.store.units import Unit
from remit.services.identity.directory import Directory, NewAgent, NewPerson
from tests.samples.tokens import HELD, agent_token, task_token
from tests.worlds.calls import KEYS, CallWorld, call_world

ISSUER = "https://issuer.example"
SUBJECT = "repo:acme/app"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """The desk, with a second administrator."""
    async with call_world(tmp_path) as made:
        new = NewPerson(name="rita", roles=(Role.ADMINISTRATOR,), groups=("night",))
        await made.services.identity.directory.add_person(new, by="remit")
        yield made


async def register(world: CallWorld, name: str = "new-bot", **changes: Any) -> Agent:
    """Register an agent."""
    wanted = {
        "name": name,
        "owner": "lena",
        "purpose": "works",
        "bindings": (SpiffeBinding(f"spiffe://example.org/{name}"),),
    } | changes
    return await world.services.identity.directory.register(NewAgent(**wanted), by="root")


async def found(world: CallWorld, about: str = "", state: FindingState = FindingState.OPEN) -> list[Finding]:
    """Return the findings so far, once what was noticed has been written."""
    await world.services.findings.sightings.flush()
    return await world.services.findings.findings.about(about, state)


# Who answers.


@pytest.mark.parametrize("owner", ["nobody", "group:nobody", "group:", "", "  "])
async def test_an_agent_needs_somebody_who_answers_for_it(world: CallWorld, owner: str) -> None:
    """A person who is there, or a team that has an active member."""
    with pytest.raises(Malformed):
        await register(world, owner=owner)
    assert (await register(world, owner="group:staff")).team == "staff"


async def test_an_agent_whose_owner_is_gone_is_found(world: CallWorld) -> None:
    """The owner is a deactivated person or an emptied team; a new owner settles the finding."""
    await register(world, owner="rita")
    await register(world, "team-bot", owner="group:night")
    await world.services.identity.personnel.deactivate("rita", by="root", reason="left")
    kinds = {(one.kind, one.about) for one in await found(world)}
    assert kinds == {
        (FindingKind.OWNERLESS, "agent:new-bot"),
        (FindingKind.OWNERLESS, "agent:team-bot"),
    }
    await world.services.identity.directory.look_at_owners()
    assert len(await world.facts(EventKind.FINDING_SEEN)) == 2
    await world.services.identity.directory.set_owner("new-bot", "lena", by="root")
    assert {one.about for one in await found(world)} == {"agent:team-bot"}
    await world.services.identity.personnel.activate("rita", by="root")
    assert await found(world) == []
    await world.services.identity.personnel.deactivate("rita", by="root", reason="left again")
    assert [one.count for one in await found(world)] == [2]


async def test_findings_suspend_an_agent_where_the_configuration_says_so(
    world: CallWorld,
) -> None:
    """And its tasks end with it."""
    services = world.services
    strict = Directory(
        store=services.store,
        clock=services.clock,
        live=services.tasks.live,
        policies=services.policies,
        revocations=services.endings.revocations,
        findings=services.findings.findings,
        members=services.tasks.live._members,
        tenant=services.tenant,
        suspend_on=frozenset({FindingKind.OWNERLESS}),
    )
    await register(world, owner="rita")
    await services.identity.personnel.deactivate("rita", by="root")
    assert (await strict.agent("new-bot")).state is AgentState.SUSPENDED
    changed = (await world.facts(EventKind.AGENT_CHANGED))[-1]
    assert (changed["change"], changed["state"]) == ("state", "suspended")


# What proves each agent.


def by_issuer(**claims: Any) -> IssuerBinding:
    """Return a binding to a token of one subject."""
    return IssuerBinding(ISSUER, SUBJECT, claims)


@pytest.mark.parametrize(
    ("mine", "theirs", "free"),
    [
        (SpiffeBinding("spiffe://example.org/a"), SpiffeBinding("spiffe://example.org/a"), False),
        (SpiffeBinding("spiffe://example.org/a"), SpiffeBinding("spiffe://example.org/b"), True),
        (by_issuer(), by_issuer(), False),
        (by_issuer(), by_issuer(ref="refs/heads/main"), False),
        (by_issuer(ref="refs/heads/main"), by_issuer(environment="prod"), False),
        (by_issuer(ref="refs/heads/main"), by_issuer(ref="refs/heads/next"), True),
        (by_issuer(ref="refs/heads/*"), by_issuer(ref="refs/heads/next"), False),
        (by_issuer(ref=["refs/heads/a", "refs/heads/b"]), by_issuer(ref=["refs/heads/b"]), False),
    ],
)
async def test_one_workload_is_one_agent(
    world: CallWorld, mine: Binding, theirs: Binding, free: bool
) -> None:
    """A binding that one workload could satisfy together with another agent's is refused."""
    await register(world, "mine-bot", bindings=(mine,))
    if free:
        await register(world, "their-bot", bindings=(theirs,))
        return
    with pytest.raises(Conflict, match="unbind") as told:
        await register(world, "their-bot", bindings=(theirs,))
    assert told.value.code == "workload-taken"
    assert await world.services.store.agent(world.services.tenant, "their-bot") is None


async def test_a_binding_comes_and_goes(world: CallWorld) -> None:
    """Bound, it is found by its workload; unbound, it is free for another, and tokens and tasks are gone."""
    directory, store = world.services.identity.directory, world.services.store
    spiffe = SpiffeBinding("spiffe://example.org/clerk")
    changed = await directory.bind("clerk", spiffe, by="root")
    assert len(changed.bindings) == 2
    assert await directory.bind("clerk", spiffe, by="root") == changed
    assert [one.name for one in await store.agents_bound(world.services.tenant, spiffe.spiffe_id)] == [
        "clerk"
    ]
    _, token = await world.open()
    own = await agent_token(world.services, changed)
    key = workload_of(KeyBinding(KEYS["clerk"]))
    left = await directory.unbind("clerk", key, by="root", reason="leaked")
    assert left.bindings == (spiffe,)
    with pytest.raises((Fenced, Unauthenticated)):
        await world.call(token, "read")
    claims = world.services.identity.authenticator.unproven(own, world.clock.now())
    assert claims.issued < left.tokens_from
    await register(world, bindings=(KeyBinding(KEYS["clerk"]),))
    world.clock.advance(2)
    _, token = await world.open()
    await world.call(token, "read")
    with pytest.raises(NotFound):
        await directory.unbind("clerk", key, by="root")
    assert [one["change"] for one in await world.facts(EventKind.AGENT_CHANGED)] == ["bound", "unbound"]


async def test_an_old_token_of_a_task_is_refused_after_an_unbinding(world: CallWorld) -> None:
    """Even for a task that was opened since."""
    task, _ = await world.open()
    old = world.services.identity.authenticator.unproven(
        await task_token(world.services, task.id), world.clock.now()
    )
    await world.services.identity.directory.bind("clerk", SpiffeBinding("spiffe://example.org/c"), by="root")
    await world.services.identity.directory.unbind("clerk", "spiffe://example.org/c", by="root")
    live = await world.services.tasks.live.load((await world.open())[0].id)
    assert old.issued < live.agent.tokens_from


async def test_a_withdrawn_token_is_refused_while_its_task_is_open(world: CallWorld) -> None:
    """An end is a separate commit: until it comes, the withdrawal alone refuses what was issued before."""
    services = world.services
    task, token = await world.open()
    agent = await services.identity.directory.agent("clerk")
    from_then = int(world.clock.now().timestamp()) + 1
    left = msgspec.structs.replace(agent, tokens_from=from_then)
    await services.store.commit(Unit((PutAgent(left, was=agent),)))
    services.tasks.live.refresh_agent(left)
    with pytest.raises(Unauthenticated) as refused:
        await world.call(token, "read")
    assert refused.value.code == "token-withdrawn"
    world.clock.advance(1)
    anew = await task_token(services, task.id, confirmation=HELD)
    assert services.identity.authenticator.unproven(anew, world.clock.now()).issued == from_then
    await world.call(anew, "read")


async def test_what_an_agent_is_made_of_is_held_against_what_it_says(world: CallWorld) -> None:
    """Drift is a finding; registering what is new settles it."""
    agent = await world.services.identity.directory.set_manifest("clerk", "sha256:one", by="root")
    world.services.findings.sightings.manifest(agent, "sha256:one")
    assert await found(world) == []
    world.services.findings.sightings.manifest(agent, "sha256:two")
    (drift,) = await found(world, "agent:clerk")
    assert drift.facts == {"registered": "sha256:one", "reported": "sha256:two"}
    await world.services.identity.directory.set_manifest("clerk", "sha256:two", by="root")
    assert await found(world) == []
    assert len(await world.facts(EventKind.FINDING_RESOLVED)) == 1


# One identity in two hands.


def proof(agent: str, method: AttestationMethod = AttestationMethod.PRIVATE_KEY, **more: Any) -> Attested:
    """Return what an agent proved."""
    workload = (
        workload_of(KeyBinding(KEYS[agent])) if method is AttestationMethod.PRIVATE_KEY else "spiffe://x/a"
    )
    return Attested(workload=workload, method=method, assurance=Assurance.KEY_BOUND, **more)


async def test_one_key_in_two_places_is_found(world: CallWorld) -> None:
    """Once their turns cross; a restart, which never comes back as it was, is none."""
    clerk = await world.services.identity.directory.agent("clerk")
    for instance in ("one", "one", "two", "two", "three"):
        world.services.findings.sightings.proved(clerk, proof("clerk"), instance=instance, address="10.0.0.1")
    assert await found(world) == []
    world.services.findings.sightings.proved(clerk, proof("clerk"), instance="two", address="10.0.0.1")
    (shared,) = await found(world)
    assert (shared.kind, shared.about) == (FindingKind.SHARED_KEY, "agent:clerk")
    assert (shared.facts["first"], shared.facts["second"]) == ("instance two", "instance three")
    last = await world.services.store.last_proof(world.services.tenant, "clerk")
    assert last is not None
    assert (last.method, last.place) == ("private-key", "instance one")


async def test_a_thief_who_names_no_instance_is_found_too(world: CallWorld) -> None:
    """The address is the place then; and an old place is no place in use."""
    clerk = await world.services.identity.directory.agent("clerk")
    see = world.services.findings.sightings.proved
    see(clerk, proof("clerk"), instance="one", address="10.0.0.1")
    see(clerk, proof("clerk"), address="10.6.6.6")
    world.clock.advance(3600)
    see(clerk, proof("clerk"), instance="one", address="10.0.0.1")
    assert await found(world) == []
    see(clerk, proof("clerk"), address="10.6.6.6")
    assert await found(world) == []
    see(clerk, proof("clerk"), instance="one", address="10.0.0.1")
    assert [one.kind for one in await found(world)] == [FindingKind.SHARED_KEY]


async def test_replicas_that_share_a_spiffe_id_are_no_finding(world: CallWorld) -> None:
    """Each has its own certificate: only the same one in two places is found."""
    agent = await register(world)
    for address, serial in (("10.0.0.1", "1"), ("10.0.0.2", "2")) * 3:
        shown = proof("clerk", AttestationMethod.X509_SVID, token_id=serial)
        world.services.findings.sightings.proved(agent, shown, address=address)
    assert await found(world) == []
    for address in ("10.0.0.1", "10.0.0.9", "10.0.0.1"):
        shown = proof("clerk", AttestationMethod.X509_SVID, token_id="1")
        world.services.findings.sightings.proved(agent, shown, address=address)
    assert [one.kind for one in await found(world)] == [FindingKind.SHARED_TOKEN]


async def test_two_programs_under_one_identity_are_found(world: CallWorld) -> None:
    """By what they say they are made of, in turns; a new version that replaces the old is one program."""
    clerk = await world.services.identity.directory.agent("clerk")
    see = world.services.findings.sightings.proved
    for manifest in ("a", "a", "b", "b"):
        see(clerk, proof("clerk"), address="10.0.0.1", manifest=manifest)
    assert await found(world) == []
    see(clerk, proof("clerk"), address="10.0.0.1", manifest="a")
    (one,) = await found(world)
    assert (one.kind, one.facts["by"]) == (FindingKind.TWO_PROGRAMS, "manifest")


async def test_a_token_shown_from_two_addresses_is_found(world: CallWorld) -> None:
    """In turns, whatever this machine is called; the finding names its id and never the token."""
    task, token = await world.open()
    claims = world.services.identity.authenticator.unproven(token, world.clock.now())
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.1", "10.0.0.2"):
        world.services.findings.sightings.shown(claims, address)
    assert await found(world) == []
    world.services.findings.sightings.shown(claims, "127.0.0.1")
    (one,) = await found(world)
    assert one.facts == {
        "token": claims.token_id,
        "first": "address loopback",
        "second": "address 10.0.0.2",
        "by": "address",
        "says": "its token was used at address loopback, at address 10.0.0.2 and there again "
        "within 15 minutes",
    }
    assert task.agent in one.about


async def test_the_same_finding_is_written_once_a_minute(world: CallWorld) -> None:
    """A key that is seen to and fro writes no flood; what was resolved opens again."""
    clerk = await world.services.identity.directory.agent("clerk")

    async def swing(times: int) -> Finding:
        for number in range(times):
            world.services.findings.sightings.proved(clerk, proof("clerk"), instance=f"i{number % 2}")
        return (await found(world))[0]

    first = await swing(500)
    assert (first.count, len(await world.facts(EventKind.FINDING_SEEN))) == (1, 1)
    world.clock.advance(61)
    assert (await swing(500)).count == 2
    assert len(await world.facts(EventKind.FINDING_SEEN)) == 1
    await world.services.findings.findings.resolve(first.id, by="root", resolution="both are ours")
    assert await found(world) == []
    again = await swing(10)
    assert (again.id, again.count, again.state) == (first.id, 3, FindingState.OPEN)
    assert len(await world.facts(EventKind.FINDING_SEEN)) == 2


async def test_two_clients_under_one_agent_are_found(world: CallWorld) -> None:
    """By the names that they give themselves in turns; one that gives none, or nonsense, is not followed."""
    _, token = await world.open()
    claims = world.services.identity.authenticator.unproven(token, world.clock.now())
    for told in (
        {"name": "one", "version": "1"},
        {"name": "one", "version": "2"},
        None,
        {},
        "x",
        {"name": 1},
    ):
        world.services.findings.sightings.program(claims, told)
    world.services.findings.sightings.program(claims, {"name": "two"})
    assert await found(world) == []
    world.services.findings.sightings.program(claims, {"name": "one"})
    (one,) = await found(world)
    assert (one.kind, one.facts["by"]) == (FindingKind.TWO_PROGRAMS, "client")
