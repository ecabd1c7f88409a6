# SPDX-License-Identifier: Apache-2.0
"""Client authentication and the grants of the token endpoint: what they grant, and which clients they
refuse.
"""

import base64
import hashlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from remit.api.oauth.paths import INTROSPECTION_PATH
from remit.core.label import Label, Trust
from remit.core.oauth.access_token import LABEL_CLAIM
from remit.core.tasks.task import TaskState
from remit_sdk.dpop import DpopProver
from tests.worlds.oauth import (
    JWT_BEARER,
    SPIFFE_ASSERTION,
    OAuthWorld,
    claims_of,
    details,
    error_of,
    oauth_world,
)
from tests.worlds.services import PUBLIC_URL
from tests.worlds.values import TENANT

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """A gateway with agents of every kind of proof."""
    async with oauth_world(tmp_path) as opened:
        yield opened


# Tasks.


async def test_a_tokens_task_is_named_by_its_agent(world: OAuthWorld) -> None:
    """The token states its actor, the person behind it, the task and how the actor was proven; the answer
    states the authority.
    """
    told = await world.review()
    claims = claims_of(world, told)
    assert (claims.subject, claims.client_id, claims.on_behalf_of) == ("lena", "contract-bot", "lena")
    assert (claims.scope, claims.task) == ("remit:task", told.json["mission_id"])
    assert claims.attestation is not None
    assert claims.attestation.value == "private-key"
    assert claims.authority_hash.startswith("sha-256:")
    assert claims.audience == (f"{PUBLIC_URL}/mcp", f"{PUBLIC_URL}/mcp/contracts", f"{PUBLIC_URL}/api/v1")
    entry = told.json["authorization_details"][0]
    assert (entry["type"], entry["resource"], entry["actions"]) == (
        "mission_resource_access",
        f"{PUBLIC_URL}/mcp/contracts",
        ["read"],
    )
    assert entry["delegation"]["max_depth"] == 2


async def test_a_token_is_for_the_resource_that_was_asked(world: OAuthWorld) -> None:
    """RFC 8707: exactly that one is the audience, and what is not here cannot be asked for."""
    told = await world.review(resource=f"{PUBLIC_URL}/mcp/contracts")
    assert claims_of(world, told).audience == (f"{PUBLIC_URL}/mcp/contracts",)
    elsewhere = await world.ask_token(
        "client_credentials", by="contract-bot", resource=f"{PUBLIC_URL}/mcp/nowhere"
    )
    assert error_of(elsewhere) == (400, "invalid_target")


async def test_another_agents_task_is_not_there(world: OAuthWorld) -> None:
    """A caller that names a task of another agent learns nothing of it."""
    task = (await world.review()).json["mission_id"]
    for named in (task, "tsk_none"):
        told = await world.task_token(named, "other-bot")
        assert error_of(told) == (400, "invalid_grant")
        assert told.json["code"] == "no-task"
    assert (await world.kinds())[-1] == "token.refused"


async def test_an_ended_task_gives_no_token(world: OAuthWorld) -> None:
    """The drafts' gate: only an active mission lets tokens be derived; the answer names how it ended."""
    task = (await world.review()).json["mission_id"]
    await world.services.endings.revocations.end_task(
        task, reason="done", by="lena", state=TaskState.COMPLETED
    )
    told = await world.task_token(task)
    assert error_of(told) == (400, "invalid_grant")
    assert told.json["code"] == "task-ended"


@pytest.mark.parametrize(
    "written",
    [
        "nonsense",
        "[]",
        '[{"type": "other"}]',
        details("read"),
        details("read", "list", max_amount={"amount": "5", "currency": "EUR"}),
        details("read", "list", "write"),
        details("read", "list", resource="nowhere"),
    ],
)
async def test_details_that_would_not_be_kept_are_refused(world: OAuthWorld, written: str) -> None:
    """RFC 9396: an unknown constraint fails closed, and a part of a task is no token of it."""
    told = await world.review(authorization_details=written)
    assert error_of(told) == (400, "invalid_authorization_details")


async def test_details_that_name_the_whole_are_kept(world: OAuthWorld) -> None:
    """A client that asks for the task's full authority gets it."""
    assert (await world.review(authorization_details=details("read", "list"))).status == 200


# Client authentication.


async def test_a_workloads_own_token_stands_for_its_agent(world: OAuthWorld) -> None:
    """RFC 7523: the token of a trusted platform gives one of ours, again and again until it runs out."""
    token = world.platform.token(world.clock.now(), aud=PUBLIC_URL)
    for _ in range(2):
        claims = claims_of(world, await world.ask_token(JWT_BEARER, assertion=token))
        assert (claims.client_id, claims.assurance.word) == ("pod-bot", "federated-bearer")
    stranger = world.platform.token(world.clock.now(), aud=PUBLIC_URL, sub="another")
    assert error_of(await world.ask_token(JWT_BEARER, assertion=stranger)) == (400, "invalid_grant")
    world.clock.advance(400)
    assert error_of(await world.ask_token(JWT_BEARER, assertion=token)) == (400, "invalid_grant")


async def test_a_workloads_own_token_authenticates_a_client(world: OAuthWorld) -> None:
    """RFC 7521 section 4.2: the same token as a client assertion, for every grant."""
    told = await world.ask_token(
        "client_credentials",
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion=world.platform.token(world.clock.now(), aud=PUBLIC_URL),
    )
    assert claims_of(world, told).client_id == "pod-bot"


async def test_a_jwt_svid_authenticates_a_client(world: OAuthWorld) -> None:
    """`jwt-spiffe`: the SPIFFE ID is the client; another name for it is refused."""
    svid = world.authority.jwt_svid(now=world.clock.now(), aud=PUBLIC_URL)
    fields: dict[str, Any] = {"client_assertion_type": SPIFFE_ASSERTION, "client_assertion": svid}
    for client_id in ("spire-bot", "spiffe://example.org/worker"):
        told = await world.ask_token("client_credentials", client_id=client_id, **fields)
        assert claims_of(world, told).client_id == "spire-bot"
    told = await world.ask_token("client_credentials", client_id="pod-bot", **fields)
    assert error_of(told) == (401, "invalid_client")


async def test_an_x509_svid_authenticates_a_client_and_binds_its_token(world: OAuthWorld) -> None:
    """RFC 8705: the token is bound to the certificate, and its assurance is the highest."""
    chain = world.authority.svid()
    told = await world.over_tls(
        chain, grant_type="client_credentials", client_id="spiffe://example.org/worker"
    )
    claims = claims_of(world, told)
    assert (claims.client_id, claims.assurance.word) == ("spire-bot", "attested")
    digest = hashlib.sha256(chain[0]).digest()
    assert claims.confirmation.x5t_s256 == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert told.json["token_type"] == "Bearer"


def self_signed(world: OAuthWorld, agent: str, days: int = 1) -> bytes:
    """Return a certificate that an agent has made over its registered key."""
    key = serialization.load_pem_private_key(world.keys[agent].as_pem(private=True), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, agent)])
    now = world.clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


async def test_a_certificate_over_a_registered_key_authenticates_a_client(world: OAuthWorld) -> None:
    """RFC 8705 section 2.2: the registered key counts; for another agent, or out of time, it does not."""
    chain = (self_signed(world, "contract-bot"),)
    told = await world.over_tls(chain, grant_type="client_credentials", client_id="contract-bot")
    claims = claims_of(world, told)
    assert (claims.client_id, claims.assurance.word) == ("contract-bot", "key-bound")
    assert claims.confirmation.x5t_s256
    for certificate, client_id in (
        (chain[0], "other-bot"),
        (self_signed(world, "contract-bot", -1), "contract-bot"),
    ):
        told = await world.over_tls((certificate,), grant_type="client_credentials", client_id=client_id)
        assert error_of(told) == (401, "invalid_client")


# DPoP.


async def test_a_proof_binds_the_token(world: OAuthWorld) -> None:
    """RFC 9449 section 5: first a nonce is asked for, then the token is bound to the proof's key."""
    prover = DpopProver()
    world.clock.jump(time.time() - world.clock.now().timestamp())
    told = await world.with_proof(prover, "client_credentials", by="contract-bot")
    assert told.json["token_type"] == "DPoP"
    assert claims_of(world, told).confirmation.jkt == prover.key.thumbprint
    told = await world.ask_token("client_credentials", by="contract-bot", headers={"dpop": "nonsense"})
    assert error_of(told) == (400, "invalid_dpop_proof")


# Identity assertions.


async def test_an_identity_assertion_opens_a_task_for_its_person(world: OAuthWorld) -> None:
    """ID-JAG: the issuer's word opens what permits it; the intent is the type's, and never the agent's."""
    told = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=world.id_jag())
    claims = claims_of(world, told)
    assert (claims.client_id, claims.on_behalf_of) == ("contract-bot", "lena")
    task = await world.services.store.task(TENANT, claims.task)
    assert task is not None
    assert (task.type, task.intent.requested_by, task.intent.goal) == (
        "review",
        "issuer:enterprise",
        "Review contracts",
    )
    again = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=world.id_jag())
    assert error_of(again) == (400, "invalid_grant")


async def test_a_task_takes_on_the_label_that_an_identity_assertion_carries(world: OAuthWorld) -> None:
    """Of whichever gateway: a class that is not known here is the highest. Introspection says it, too."""
    carried = {LABEL_CLAIM: {"class": "cosmic", "trust": "untrusted", "categories": ["pii"]}}
    told = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=world.id_jag(**carried))
    claims = claims_of(world, told)
    task = await world.services.store.task(TENANT, claims.task)
    assert task is not None
    assert task.label == Label("restricted", frozenset({"pii"}), Trust.UNTRUSTED)
    assert claims.label == task.label
    asked = await world.at(INTROSPECTION_PATH, by="contract-bot", token=told.json["access_token"])
    assert asked.json[LABEL_CLAIM] == task.label.facts


async def test_what_another_issuer_assumes_is_known_here(world: OAuthWorld) -> None:
    """Else the description of a tool of the same name here would lower what came from that issuer's tool."""
    low = {"class": "public", "trust": "trusted"}
    assumed = {"firm": low, "tools": ["read sha256:one contracts/read"]}
    carried = {LABEL_CLAIM: {"class": "restricted", "trust": "untrusted", "assumed": assumed}}
    told = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=world.id_jag(**carried))
    task = await world.services.store.task(TENANT, claims_of(world, told).task)
    assert task is not None
    assert task.label == Label("restricted", trust=Trust.UNTRUSTED)


async def test_an_identity_assertion_with_a_label_that_cannot_be_read_opens_nothing(
    world: OAuthWorld,
) -> None:
    """It is never passed over."""
    assertion = world.id_jag(**{LABEL_CLAIM: "untrusted"})
    told = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=assertion)
    assert error_of(told) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("by", "claims", "code"),
    [
        ("", {}, "invalid_client"),
        ("other-bot", {}, "invalid_grant"),
        ("contract-bot", {"sub": "nobody"}, "invalid_grant"),
        ("contract-bot", {"aud": "https://other.example"}, "invalid_grant"),
        ("contract-bot", {"client_id": None}, "invalid_grant"),
        ("contract-bot", {"jti": None}, "invalid_grant"),
        ("contract-bot", {"exp": 1}, "invalid_grant"),
        ("contract-bot", {"iss": "https://platform.example"}, "invalid_grant"),
    ],
)
async def test_an_identity_assertion_is_for_one_client_and_server(
    world: OAuthWorld, by: str, claims: dict[str, Json], code: str
) -> None:
    """It grants nothing to any other client."""
    told = await world.ask_token(JWT_BEARER, by=by, assertion=world.id_jag(**claims))
    assert told.json["error"] == code


async def test_an_identity_assertion_limits_the_resource(world: OAuthWorld) -> None:
    """Its `resource` is the token's audience, and no other can be asked for."""
    place = f"{PUBLIC_URL}/mcp/contracts"
    told = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=world.id_jag(resource=place))
    assert claims_of(world, told).audience == (place,)
    told = await world.ask_token(
        JWT_BEARER,
        by="contract-bot",
        assertion=world.id_jag(resource=place, jti="jag-2"),
        resource=f"{PUBLIC_URL}/mcp",
    )
    assert error_of(told) == (400, "invalid_target")
