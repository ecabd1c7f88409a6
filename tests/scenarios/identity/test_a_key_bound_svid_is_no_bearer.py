# SPDX-License-Identifier: Apache-2.0
"""A WIT-SVID gets a token only from the one who holds its key, once for each proof."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.worlds.attestation import WorldAuthority, workload_proof
from tests.worlds.oauth import SPIFFE_ASSERTION, OAuthWorld, claims_of, error_of, oauth_world
from tests.worlds.services import PUBLIC_URL, Told

URL = f"{PUBLIC_URL}/oauth/token"
KEY = ECKey.generate_key("P-256")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """An authorization server that trusts a trust domain."""
    async with oauth_world(tmp_path) as opened:
        yield opened


def shown(world: OAuthWorld, number: int = 1, **more: Any) -> dict[str, str]:
    """Return the headers of a request: the document, and its proof."""
    token = more.pop("token", None) or world.authority.wit_svid(KEY, now=world.clock.now())
    key = more.pop("key", KEY)
    proof = workload_proof(key, token, more.pop("url", URL), world.clock.now(), jti=f"proof-{number}", **more)
    return {"workload-identity-token": token, "authorization": f"WPT {proof}"}


async def ask(world: OAuthWorld, headers: dict[str, str], **fields: str) -> Told:
    """Ask for a token."""
    return await world.ask_token("client_credentials", headers=headers, **fields)


async def test_its_holder_gets_a_token(world: OAuthWorld) -> None:
    """Key-bound, for the agent with the SPIFFE ID; also with the proof in a separate header."""
    claims = claims_of(world, await ask(world, shown(world)))
    assert (claims.client_id, claims.assurance.word, str(claims.attestation)) == (
        "spire-bot",
        "key-bound",
        "wit-svid",
    )
    headers = shown(world, 2)
    headers["workload-proof-token"] = headers.pop("authorization").removeprefix("WPT ")
    told = await ask(world, headers, client_id="spiffe://example.org/worker")
    assert claims_of(world, told).client_id == "spire-bot"


async def test_a_proof_works_once(world: OAuthWorld) -> None:
    """Who sees the request cannot repeat it; the next proof works."""
    headers = shown(world)
    assert (await ask(world, headers)).status == 200
    assert error_of(await ask(world, headers)) == (401, "invalid_client")
    assert (await ask(world, shown(world, 2))).status == 200


async def test_a_thief_gets_nothing(world: OAuthWorld) -> None:
    """The document alone, as a bearer token or an assertion; with a proof by another key, for another
    document, for another address; of another trust domain; of one that has run out.
    """
    now = world.clock.now()
    token = world.authority.wit_svid(KEY, now=now)
    other = ECKey.generate_key("P-256")
    foreign = WorldAuthority("other.example").wit_svid(KEY, now=now)
    forged = WorldAuthority().wit_svid(other, now=now)
    old = world.authority.wit_svid(KEY, now=now, exp=int(now.timestamp()) - 60)
    refusals = [
        await ask(world, {"workload-identity-token": token}),
        await ask(world, {"authorization": f"Bearer {token}"}),
        await ask(world, {}, client_assertion_type=SPIFFE_ASSERTION, client_assertion=token),
        await world.ask_token(
            "client_credentials",
            client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            client_assertion=token,
        ),
        await ask(world, shown(world, 10, key=other)),
        await ask(
            world, shown(world, 11) | {"workload-identity-token": world.authority.wit_svid(other, now=now)}
        ),
        await ask(world, shown(world, 12, url=f"{PUBLIC_URL}/oauth/introspect")),
        await ask(world, shown(world, 13, token=foreign)),
        await ask(world, shown(world, 14, token=forged, key=other)),
        await ask(world, shown(world, 15, token=old)),
        await ask(world, shown(world, 16), client_id="pod-bot"),
        await ask(world, shown(world, 17, header={"alg": "none"})),
        await ask(world, shown(world, 18) | {"workload-proof-token": "x.y.z"}),
    ]
    for number, told in enumerate(refusals):
        assert error_of(told) == (401, "invalid_client"), (number, told.content)
        assert told.json["error_description"], number
    assert (await ask(world, shown(world, 19))).status == 200


async def test_two_credentials_are_refused(world: OAuthWorld) -> None:
    """A proof and an assertion in one request: which one counts would be the sender's choice."""
    told = await world.ask_token("client_credentials", by="contract-bot", headers=shown(world))
    assert error_of(told) == (401, "invalid_client")
