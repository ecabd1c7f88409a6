# SPDX-License-Identifier: Apache-2.0
"""Findings about secrets: exposed, shared, personal, long-lived, left over, in the wrong environment."""

from typing import Any

import msgspec

from remit.core.discovery.declared import DeclaredAgent, DeclaredServer
from remit.core.discovery.discovered import Discovered, ExposedSecret, FilePlace, Piece, SourceKind
from remit.core.discovery.secrets.detectors import SecretDetectors
from remit.core.discovery.secrets.findings import secret_findings
from remit.core.findings.kinds import FindingKind, Severity
from tests.secrets_corpus.corpus import PARTS, corpus


def secret(file: str = "a.py", **given: Any) -> ExposedSecret:
    """Return a secret in a file."""
    place = given.pop("place", FilePlace(file=file, line=3))
    start = {"rule": "assigned-secret", "type": "password", "fingerprint": "f" * 32, "tail": "x7"}
    return ExposedSecret(**{**start, "place": place, "start": 0, "end": 9, "confidence": 0.9, **given})


def kinds(found: list[Discovered]) -> set[str]:
    """Return the kinds of findings."""
    return {one.kind.value for one in found}


def only(found: list[Discovered], kind: FindingKind) -> Discovered:
    """Return the one finding of a kind."""
    (one,) = (one for one in found if one.kind is kind)
    return one


def test_a_secret_in_many_places_is_one_finding_with_all_places() -> None:
    """The fingerprint is the subject; a moved line is no other finding."""
    found = secret_findings([secret("b.py"), secret("a.py"), secret("a.py")], [], [])
    one = only(found, FindingKind.SECRET_EXPOSED)
    assert [place.file for place in one.places] == ["a.py", "b.py"]
    moved = secret_findings([secret(place=FilePlace(file="a.py", line=90))], [], [])
    assert only(moved, FindingKind.SECRET_EXPOSED).id == one.id


def test_the_id_of_an_access_key_and_its_secret_are_one_credential() -> None:
    """An id that stands alone is still told."""
    pair = [
        secret("a", rule="aws-access-key", type="aws", fingerprint="1" * 32, tail="LWMR"),
        secret("a", rule="aws-secret-key", type="aws", fingerprint="2" * 32, user="AKIA...LWMR"),
    ]
    alone = secret("b", rule="aws-access-key", type="aws", fingerprint="3" * 32, tail="XYZ2")
    exposed = [
        one for one in secret_findings([*pair, alone], [], []) if one.kind is FindingKind.SECRET_EXPOSED
    ]
    assert {one.evidence["fingerprint"] for one in exposed} == {"2" * 32, "3" * 32}


def test_two_agents_with_one_secret_share_it() -> None:
    """Both are named."""
    found = secret_findings([secret("a.py", agent="a"), secret("b.py", agent="b")], [], [])
    assert only(found, FindingKind.SECRET_SHARED).evidence["used_by"] == ["agent a", "agent b"]


def test_two_clients_with_one_secret_share_it() -> None:
    """Servers tell which client reads a file."""
    servers = [
        DeclaredServer(name="s", place=FilePlace(file=f), client=c)
        for f, c in (("a", "cursor"), ("b", "zed"))
    ]
    shared = only(secret_findings([secret("a"), secret("b")], [], servers), FindingKind.SECRET_SHARED)
    assert shared.severity is Severity.HIGH


def test_versions_of_one_file_share_nothing() -> None:
    """A history repeats a secret without a second user."""
    places = [FilePlace(file=f, commit="c" * 40) for f in ("a.py", "b.py")]
    assert "secret-shared" not in kinds(secret_findings([secret(place=place) for place in places], [], []))


def test_an_agent_with_a_person_s_credential_is_found() -> None:
    """By the form of the token, or by the user that it belongs to; a service account is no person."""
    personal = FindingKind.PERSONAL_CREDENTIAL.value
    pat = secret(".mcp.json", rule="github-classic-token", type="github")
    assert personal in kinds(secret_findings([pat], [], []))
    assert personal in kinds(secret_findings([secret("prompts/a.md", user="ana.weber@corp.de")], [], []))
    assert personal not in kinds(secret_findings([secret("prompts/a.md", user="svc_crm")], [], []))
    assert personal not in kinds(secret_findings([secret("src/a.py", user="ana.weber@corp.de")], [], []))


def test_a_person_with_an_agent_s_credential_is_found() -> None:
    """The same service account stands in an agent's file and in a person's shell history."""
    found = secret_findings(
        [secret(".mcp.json", user="svc_crm"), secret(".bash_history", user="svc_crm")], [], []
    )
    assert only(found, FindingKind.PERSONAL_CREDENTIAL).evidence["way"] == "person"


def test_credentials_without_an_end_are_long_lived() -> None:
    """An access key of a user never ends; a session key does."""
    lasting = FindingKind.LONG_LIVED_CREDENTIAL.value
    assert lasting in kinds(secret_findings([secret(rule="aws-access-key", type="aws")], [], []))
    assert lasting not in kinds(secret_findings([secret(rule="aws-session-key", type="aws")], [], []))


def test_the_credential_of_a_disabled_server_outlives_it() -> None:
    """Unless an enabled one uses it, too."""
    place = FilePlace(file="m.json", inside="mcpServers.crm")
    off = DeclaredServer(name="crm", place=place, client="cursor", disabled=True)
    inside = secret(place=FilePlace(file="m.json", inside="mcpServers.crm.env.TOKEN"))
    outlives = FindingKind.CREDENTIAL_OUTLIVES.value
    assert outlives in kinds(secret_findings([inside], [], [off]))
    assert outlives not in kinds(secret_findings([inside, secret("a.py")], [], [off]))


def test_a_production_target_in_a_development_place_is_crossed() -> None:
    """By the words of the host and the path, or by the agent's environment."""
    crossed = FindingKind.ENVIRONMENT_CROSSED.value
    target = {"type": "postgresql", "target": "db.prod.corp"}
    assert crossed in kinds(secret_findings([secret(".env.development", **target)], [], []))
    agent = DeclaredAgent(name="a", place=FilePlace(file="x"), framework="crewai", environment="development")
    assert crossed in kinds(secret_findings([secret("x.py", agent="a", **target)], [agent], []))
    assert crossed not in kinds(secret_findings([secret(".env.production", **target)], [], []))
    assert crossed not in kinds(
        secret_findings([secret("products/live_demo.py", target="product-db")], [], [])
    )


def test_the_owner_is_the_agents_or_the_person_s() -> None:
    """An agent's declared owner comes first, then the user, then the home folder."""
    agent = DeclaredAgent(name="a", place=FilePlace(file="x"), framework="adk", owner="team-crm")
    assert secret_findings([secret(agent="a", user="ana@corp.de")], [agent], [])[0].owner == "team-crm"
    assert secret_findings([secret(user="ana@corp.de")], [], [])[0].owner == "ana@corp.de"
    assert secret_findings([secret("home/mira/.env")], [], [])[0].owner == "mira"


def test_reach_and_remediation_are_spelt_out() -> None:
    """A database password says what it opens, and what replaces it."""
    one = secret_findings([secret(type="postgresql", user="app", target="db.prod.corp")], [], [])[0]
    assert one.reach == ("PostgreSQL at db.prod.corp as app",)
    assert "lease" in one.remediation
    assert one.severity is Severity.CRITICAL


def test_no_finding_holds_a_secret() -> None:
    """Whatever the text: the findings, as JSON and as text, hold none of its secrets, nor half of one."""
    detectors = SecretDetectors(b"k" * 32)
    for case in (case for part in PARTS for case in corpus(part, 1)):
        piece = Piece(text=case.text, place=FilePlace(file=".mcp.json", line=1), kind=SourceKind(case.kind))
        secrets = detectors.find(piece)
        found = secret_findings(secrets, [], [])
        shown = msgspec.json.encode([secrets, found]).decode() + repr([secrets, found, detectors])
        for start, end in case.secrets:
            value = case.text[start:end]
            assert value not in shown
            assert len(value) < 16 or value[: len(value) // 2] not in shown
