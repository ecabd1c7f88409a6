# SPDX-License-Identifier: Apache-2.0
"""Threat: proving that a secret is dead sends it to an attacker, or tells an attacker which guess is right.

A secret goes only to a place of the configuration, after its fingerprint was compared, a few times an hour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from remit.core.discovery.discovered import Discovered
from remit.core.errors import Busy, Conflict, Malformed
from remit.core.findings.kinds import FindingKind, Severity
from remit.ports.broker import Probe
from remit.ports.store.changes import PutFinding
from remit.services.discovery.deliveries import ScanPart
from remit.services.discovery.proofs import OF_FINDING, ProofOutcome
from tests.samples.discovered import KEY, an_exposed
from tests.worlds.services import ServiceWorld, service_world

Json = Any
SECRET = "the-first"


class Place:
    """A place of the configuration that keeps what it was sent."""

    def __init__(self, upstream: str, place: str, opens: str = "postgresql", user: str = "") -> None:
        self.upstream, self.place, self.opens, self.user = upstream, place, opens, user
        self.sent: list[tuple[str, str]] = []
        self.valid: set[str] = {SECRET}
        self.answers: dict[bool, Probe] = {True: Probe.ACCEPTED, False: Probe.REFUSED}

    async def probe(self, secret: str, user: str) -> Probe:
        """Answer as a server that knows the valid secrets."""
        self.sent.append((secret, user))
        return self.answers[secret in self.valid]


@pytest.fixture
async def places() -> list[Place]:
    """Provide a database whose account is known, one whose is not, GitHub, and an issuer."""
    return [
        Place("crm", "db.example.com:5432/crm", user="crm_app"),
        Place("shop", "db.example.com:5432/shop"),
        Place("code", "https://api.github.com/user", "github"),
        Place("idp", "https://idp.example.com/whoami", "oauth"),
    ]


@pytest.fixture
async def world(tmp_path: Path, places: list[Place]) -> AsyncIterator[ServiceWorld]:
    """Provide a gateway with these places."""
    async with service_world(tmp_path, probes=places, key=lambda: KEY) as opened:
        yield opened


async def found(world: ServiceWorld, *some: Discovered) -> None:
    """Deliver findings."""
    name = f"scn_{len(some)}_{world.clock.boot_s()}_{some[0].id[-6:]}"
    part = ScanPart(scope="house", scan=name, found=some)
    await world.services.discovery.deliveries.take(part, by="otto")


async def prove(world: ServiceWorld, one: Discovered, secret: str = SECRET, **more: Json) -> ProofOutcome:
    """Prove a finding."""
    proofs = world.services.discovery.proofs
    return (await proofs.prove(one.id, secret, by="root", **more)).outcome


HERE = {"target": "db.example.com:5432/crm", "user": "crm_app"}


@pytest.mark.parametrize(
    ("evidence", "more", "code"),
    [
        ({"target": "evil.example:5432/crm"}, {}, "no-place"),
        ({"target": "evil.example:5432/crm"}, {"upstream": "crm"}, "no-place"),
        ({"target": "db.example.com.evil.example/crm"}, {}, "no-place"),
        ({"target": "postgresql://db.example.com@evil.example/crm"}, {}, "no-place"),
        ({"target": "db.example.com:5433/crm"}, {}, "no-place"),
        ({"target": "db.example.com/crm/../shop"}, {}, "no-place"),
        ({"target": "db.example.com:99999/crm"}, {}, "no-place"),
        ({"target": "[::1"}, {}, "no-place"),
        ({"target": "db.example.com"}, {}, "no-place"),
        ({}, {}, "no-place"),
        ({"type": "github-token"}, {"upstream": "crm"}, "no-place"),
        ({"type": "stripe"}, {}, "no-place"),
        ({**HERE, "user": "postgres"}, {}, "other-account"),
        ({"target": "db.example.com:5432/shop"}, {}, "no-account"),
        ({"type": "github", "target": "https://ghe.example.com/api"}, {}, "no-place"),
        ({"type": "oauth-token"}, {}, "no-place"),
        ({"type": "oauth-token", "target": "https://idp.evil.example"}, {"upstream": "idp"}, "no-place"),
        ({"type": "oauth-client-secret"}, {"upstream": "idp"}, "no-place"),
    ],
)
async def test_a_finding_never_chooses_where_a_secret_is_sent(
    world: ServiceWorld, places: list[Place], evidence: Json, more: Json, code: str
) -> None:
    """Whatever address was planted beside it: nothing is sent anywhere."""
    one = an_exposed(SECRET, **evidence)
    await found(world, one)
    with pytest.raises(Conflict) as refused:
        await prove(world, one, **more)
    assert refused.value.code == code
    assert all(place.sent == [] for place in places)


@pytest.mark.parametrize(
    ("evidence", "more", "number"),
    [
        ({"type": "github", "target": "github.com"}, {}, 2),
        ({"type": "github-token"}, {}, 2),
        ({"type": "oauth-token", "target": "https://idp.example.com"}, {}, 3),
        ({"type": "oauth"}, {"upstream": "idp"}, 3),
    ],
)
async def test_a_token_is_tried_at_the_issuer_that_it_is_of(
    world: ServiceWorld, places: list[Place], evidence: Json, more: Json, number: int
) -> None:
    """Its own target names it, the form of GitHub's, or the person."""
    one = an_exposed(SECRET, **evidence)
    await found(world, one)
    assert await prove(world, one, **more) is ProofOutcome.WORKS
    assert [len(place.sent) for place in places] == [2 * (one == number) for one in range(4)]


async def test_another_secret_is_not_tried_and_guesses_are_few(
    world: ServiceWorld, places: list[Place]
) -> None:
    """A guess tells nothing but that it is another one, five times an hour; each is evidence."""
    one = an_exposed(SECRET, **HERE)
    await found(world, one)
    for _ in range(OF_FINDING):
        with pytest.raises(Malformed) as refused:
            await prove(world, one, "a-guess")
        assert refused.value.code == "another-secret"
    with pytest.raises(Busy):
        await prove(world, one, SECRET)
    assert places[0].sent == []
    assert (await world.kinds()).count("finding.proven") == OF_FINDING
    world.clock.advance(3_600)
    assert await prove(world, one) is ProofOutcome.WORKS


async def test_what_the_persons_command_compared_counts_without_a_key(
    tmp_path: Path, places: list[Place]
) -> None:
    """And the evidence says who compared."""
    async with service_world(tmp_path, probes=places) as world:
        one = an_exposed(SECRET, **HERE)
        await found(world, one)
        with pytest.raises(Malformed):
            await prove(world, one)
        places[0].valid.clear()
        assert await prove(world, one, compared=True) is ProofOutcome.REFUSED
        pages = await world.services.evidence.log.pages(limit=1000)
        told = [msgspec.json.decode(entry.leaf)["facts"] for entry in pages if entry.kind == "finding.proven"]
        assert {fact["compared"] for fact in told} == {"person"}


async def test_a_refusal_settles_every_finding_about_the_secret_for_good(
    world: ServiceWorld, places: list[Place]
) -> None:
    """Files that still hold it open nothing again; other secrets stay open."""
    one = an_exposed(SECRET, **HERE)
    shared = msgspec.structs.replace(one, kind=FindingKind.SECRET_SHARED)
    other = an_exposed("another", **HERE)
    await found(world, one, shared, other)
    places[0].valid.clear()
    assert await prove(world, one) is ProofOutcome.REFUSED
    assert places[0].sent == [(SECRET, "crm_app")]
    findings = world.services.findings.findings
    await found(world, one, shared, other, an_exposed("a third"))
    states = [(await findings.get(each.id)).state.value for each in (one, shared, other)]
    assert states == ["resolved", "resolved", "open"]
    await findings.reopen(one.id, by="root", reason="the old password is back")
    assert (await findings.get(one.id)).proven is None


async def test_a_scan_beside_a_proof_does_not_lose_it(world: ServiceWorld, places: list[Place]) -> None:
    """The attempt was made: its outcome is kept, whatever changed the finding meanwhile."""
    one = an_exposed(SECRET, **HERE)
    await found(world, one)
    places[0].valid.clear()
    store, commit = world.services.store, world.services.store.commit
    broken: list[Any] = []

    async def beside(unit: Any) -> Any:
        if any(isinstance(change, PutFinding) for change in unit.changes) and not broken:
            broken.append(unit)
            world.clock.advance(1)
            with mock.patch.object(store, "commit", commit):
                await found(world, one)
        return await commit(unit)

    with mock.patch.object(store, "commit", beside):
        assert await prove(world, one) is ProofOutcome.REFUSED
    assert broken
    after = await world.services.findings.findings.get(one.id)
    assert (after.state.value, after.count) == ("resolved", 2)


async def test_what_remit_has_scanned_itself_it_compares_itself(
    world: ServiceWorld, places: list[Place]
) -> None:
    """A person's word does not stand for the fingerprint then."""
    one = an_exposed(SECRET, **HERE)
    part = ScanPart(scope="here", scan="scn_of_remit", found=(one,))
    await world.services.discovery.deliveries.take(part, by="remit")
    await found(world, one)  # that another one reports it, too, changes nothing
    with pytest.raises(Malformed):
        await prove(world, one, "another", compared=True)
    assert places[0].sent == []
    assert await prove(world, one, compared=True) is ProofOutcome.WORKS


@pytest.mark.parametrize(
    "more", [{"user": "nobody"}, {"target": "old.example.com:5432/crm"}, {"type": "github"}]
)
@pytest.mark.parametrize("kind", [FindingKind.SECRET_EXPOSED, FindingKind.SECRET_SHARED])
async def test_another_account_or_place_of_the_same_secret_is_not_proven_with_it(
    world: ServiceWorld, places: list[Place], kind: FindingKind, more: Json
) -> None:
    """A planted sighting has a wrong account refused, and the secret still opens the right one."""
    one = an_exposed(SECRET, **{**HERE, "target": "db.example.com:5432/shop"})
    await found(world, one)
    planted = an_exposed(SECRET, **{**HERE, "target": "db.example.com:5432/shop", **more})
    planted = msgspec.structs.replace(planted, kind=kind, severity=Severity.LOW)
    part = ScanPart(scope="planted", scan="scn_planted", found=(planted,))
    await world.services.discovery.deliveries.take(part, by="other")
    with pytest.raises(Conflict) as refused:
        await prove(world, one)
    assert refused.value.code == "told-differently"
    assert places[1].sent == []
    if kind is FindingKind.SECRET_SHARED:
        findings = world.services.findings.findings
        await findings.reject(planted.id, by="root", reason="it was planted")
        places[1].valid.clear()
        assert await prove(world, one) is ProofOutcome.REFUSED
        assert (await findings.get(planted.id)).state.value == "false"


@pytest.mark.parametrize(
    ("right", "wrong", "outcome"),
    [
        (Probe.ACCEPTED, Probe.REFUSED, ProofOutcome.WORKS),
        (Probe.ACCEPTED, Probe.ACCEPTED, ProofOutcome.UNKNOWN),
        (Probe.ACCEPTED, Probe.UNREACHABLE, ProofOutcome.UNKNOWN),
        (Probe.UNREACHABLE, Probe.UNREACHABLE, ProofOutcome.UNKNOWN),
    ],
)
async def test_only_a_clear_answer_counts(
    world: ServiceWorld, places: list[Place], right: Probe, wrong: Probe, outcome: ProofOutcome
) -> None:
    """A place that lets everyone in says nothing about the secret."""
    one = an_exposed(SECRET, **HERE)
    await found(world, one)
    places[0].answers = {True: right, False: wrong}
    assert await prove(world, one) is outcome
    assert (await world.services.findings.findings.get(one.id)).state.value == "open"


def holding(folder: Path, secret: str) -> list[Path]:
    """Return the files that hold a secret."""
    return [one for one in folder.rglob("*") if one.is_file() and secret.encode() in one.read_bytes()]


async def test_nothing_of_the_secret_is_kept(world: ServiceWorld, tmp_path: Path) -> None:
    """Not in the store, the evidence or the answer, however the attempt ends."""
    secret = "Zx-unusual-value-91"
    one = an_exposed(secret, **HERE)
    await found(world, one)
    root = await world.session("root")
    path = f"/api/v1/findings/{one.id}/proof"
    place = (await world.ask("GET", path, by=root)).json
    assert place == {"at": "upstream:crm", "place": "db.example.com:5432/crm", "account": "crm_app"}
    for given in (secret, f"{secret}{secret}"):
        told = await world.ask("POST", path, {"secret": given}, by=root)
        assert secret not in told.content.decode()
    await world.services.evidence.log.checkpoint()
    assert holding(tmp_path, secret) == []
    agent = await world.agent_token("other-bot")
    assert (await world.ask("POST", path, {"secret": secret}, by=agent)).status == 403


async def test_a_finding_about_anything_else_has_no_proof(world: ServiceWorld) -> None:
    """Such as one that remit observes itself."""
    own = await world.services.findings.findings.see(FindingKind.SHARED_KEY, "agent:x", "x", {})
    with pytest.raises(Malformed) as refused:
        await world.services.discovery.proofs.prove(own.id, SECRET, by="root")
    assert refused.value.code == "no-credential"
