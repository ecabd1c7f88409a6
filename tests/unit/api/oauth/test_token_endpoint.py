# SPDX-License-Identifier: Apache-2.0
"""The token endpoint keeps to RFC 6749, RFC 7523 and RFC 8414."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.identity.principals import AgentState
from tests.worlds.services import PUBLIC_URL, ServiceWorld, Told, service_world

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway that people and agents have moved into."""
    async with service_world(tmp_path) as opened:
        yield opened


def fields(world: ServiceWorld, **changes: Any) -> dict[str, str]:
    """Return a sound request; a field changed to `None` is left out."""
    given = {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": world.assertion("contract-bot"),
    } | changes
    return {name: value for name, value in given.items() if value is not None}


def refused(told: Told, code: str) -> bool:
    """Whether an answer is an OAuth error with this code, and nothing of it may be kept."""
    status = 401 if code == "invalid_client" else 400
    return (told.status, told.json["error"], told.headers["cache-control"]) == (status, code, "no-store")


async def test_a_client_assertion_becomes_an_agent_token(world: ServiceWorld) -> None:
    """A signed assertion gets a short token with the scope `remit:agent`, and it is recorded."""
    told = await world.form(fields(world))
    assert told.status == 200
    assert (told.json["token_type"], told.json["scope"], told.json["expires_in"]) == (
        "Bearer",
        "remit:agent",
        300,
    )
    assert told.headers["cache-control"] == "no-store"
    me = await world.ask("GET", "/api/v1/me", by=told.json["access_token"])
    assert (me.json["kind"], me.json["name"]) == ("agent", "contract-bot")
    assert (await world.kinds())[-1] == "token.issued"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion": None}, "invalid_client"),
        ({"client_assertion_type": "other"}, "invalid_client"),
        ({"client_assertion": "not.a.jwt"}, "invalid_client"),
        ({"client_id": "other-bot"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"resource": "https://example.org/"}, "invalid_target"),
    ],
)
async def test_a_wrong_request_gets_its_code(world: ServiceWorld, changes: dict[str, Any], code: str) -> None:
    """Each fault has the error code of its RFC."""
    assert refused(await world.form(fields(world, **changes)), code)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://example.org"},
        {"sub": "other-bot", "iss": "other-bot"},
        {"iss": "other-bot"},
        {"exp": 1},
        {"exp": 9_999_999_999},
        {"jti": ""},
    ],
)
async def test_a_wrong_assertion_is_refused_and_recorded(world: ServiceWorld, claims: dict[str, Any]) -> None:
    """An assertion for another audience, of another client, expired, too long, or without id is refused."""
    told = await world.form(fields(world, client_assertion=world.assertion("contract-bot", **claims)))
    assert refused(told, "invalid_client")
    assert (await world.kinds())[-1] == "token.refused"


async def test_an_assertion_works_once(world: ServiceWorld) -> None:
    """A replayed assertion is refused."""
    form = fields(world)
    assert (await world.form(form)).status == 200
    assert refused(await world.form(form), "invalid_client")


async def test_a_suspended_agent_gets_nothing(world: ServiceWorld) -> None:
    """Suspension ends the agent's tokens at once, and no new one is issued."""
    token = await world.agent_token()
    await world.services.identity.directory.move(
        "contract-bot", AgentState.SUSPENDED, by="root", reason="odd"
    )
    assert (await world.ask("GET", "/api/v1/me", by=token)).json["code"] == "agent-state"
    assert refused(await world.form(fields(world)), "invalid_client")


async def test_a_parameter_given_twice_is_refused(world: ServiceWorld) -> None:
    """RFC 6749 section 3.2: parameters must not come more than once, and belong into the body."""
    assert refused(await world.form(b"grant_type=client_credentials&grant_type=password"), "invalid_request")
    assert refused(await world.form(b"%ff=%ff"), "invalid_request")
    assert refused(await world.form(b"x=" + b"y" * 40_000), "invalid_request")
    assert refused(await world.form(fields(world), {"content-type": "application/json"}), "invalid_request")
    told = await world.form(fields(world), {"authorization": "Basic Zm9vOmJhcg=="})
    assert refused(told, "invalid_client")
    assert told.headers["www-authenticate"] == "Basic"


async def test_metadata_names_what_is_there(world: ServiceWorld) -> None:
    """RFC 8414: the metadata names the endpoints that exist and nothing more."""
    told = (await world.ask("GET", "/.well-known/oauth-authorization-server")).json
    assert told["issuer"] == PUBLIC_URL
    assert told["token_endpoint"] == f"{PUBLIC_URL}/oauth/token"
    keys = (await world.ask("GET", told["jwks_uri"].removeprefix(PUBLIC_URL))).json["keys"]
    assert keys
    assert not [key for key in keys if "d" in key]
    for name in ("authorization", "introspection", "revocation"):
        assert told[f"{name}_endpoint"].startswith(f"{PUBLIC_URL}/oauth/")
    # A certificate cannot be shown without TLS.
    assert told["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "spiffe_jwt"]
