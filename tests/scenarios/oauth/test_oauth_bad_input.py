# SPDX-License-Identifier: Apache-2.0
"""Bad input at the authorization server: replayed, misdirected, out of time, too large. Each is refused with
the standard's error, recorded, and costs others nothing.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from remit.api.oauth.forms import MAX_FORM_BYTES
from tests.worlds.oauth import ACCESS_TOKEN, EXCHANGE, JWT_BEARER, OAuthWorld, error_of, oauth_world
from tests.worlds.services import LOOPBACK, PUBLIC_URL, Told, exchange

Json = Any

TEN_MEGABYTES = 10 * 1024 * 1024


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """A gateway with agents of every kind of proof."""
    async with oauth_world(tmp_path) as opened:
        yield opened


async def refusals(world: OAuthWorld) -> int:
    """Return how many refusals stand in the evidence."""
    return (await world.kinds()).count("token.refused")


async def test_a_replayed_assertion_is_refused_and_a_flood_of_them_counted(world: OAuthWorld) -> None:
    """The first use counts, all others are refused; the evidence holds their number, and not each of them."""
    form = {"grant_type": "client_credentials", **world.proof_of("contract-bot")}
    assert (await world.form(form)).status == 200
    before = await refusals(world)
    for _ in range(60):
        assert error_of(await world.form(form)) == (401, "invalid_client")
    assert await refusals(world) - before == 20
    world.clock.advance(1)
    assert error_of(await world.form(form)) == (401, "invalid_client")
    last = (await world.services.evidence.log.pages(limit=1000))[-1]
    assert b'"further":40' in last.leaf


async def test_a_used_assertion_stays_used_after_a_restart(tmp_path: Path) -> None:
    """Its id is in the store, and not in memory alone; another one of the same agent is taken."""
    async with oauth_world(tmp_path) as world:
        used, fresh = world.proof_of("contract-bot"), world.proof_of("contract-bot")
        assert (await world.form({"grant_type": "client_credentials", **used})).status == 200
    again = OAuthWorld(tmp_path, seed="second")
    try:
        told = await again.form({"grant_type": "client_credentials", **used})
        assert error_of(told) == (401, "invalid_client")
        assert (await again.form({"grant_type": "client_credentials", **fresh})).status == 200
    finally:
        await again.services.store.close()


@pytest.mark.parametrize("audience", ["https://other.example", f"{PUBLIC_URL}/", [], f"{PUBLIC_URL}/mcp"])
async def test_an_assertion_for_another_audience_is_refused(world: OAuthWorld, audience: Json) -> None:
    """Neither another server's, nor nearly ours: RFC 7523 section 3 compares texts."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": world.assertion("contract-bot", aud=audience),
    }
    assert error_of(await world.form(form)) == (401, "invalid_client")
    assert (await world.kinds())[-1] == "token.refused"


@pytest.mark.parametrize(
    ("leeway_s", "ahead_s", "status"), [(5, 4, 200), (5, 6, 401), (60, 59, 200), (60, 61, 401), (0, 1, 401)]
)
async def test_clocks_may_be_apart_as_far_as_is_configured(
    tmp_path: Path, leeway_s: int, ahead_s: int, status: int
) -> None:
    """An assertion from the future is taken within the configured seconds, and not beyond."""
    async with oauth_world(tmp_path, leeway_s=leeway_s) as world:
        issued = int(world.clock.now().timestamp()) + ahead_s
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": world.assertion("contract-bot", iat=issued),
        }
        assert (await world.form(form)).status == status


async def in_pieces(world: OAuthWorld, path: str, body: bytes) -> tuple[Told, int]:
    """Send a body piece by piece; gives the answer, and how much of it was taken."""
    taken = 0

    async def asgi(scope: Json, _: Json, send: Json) -> None:
        async def receive() -> Json:
            nonlocal taken
            piece = body[taken : taken + 65_536]
            taken += len(piece)
            return {"type": "http.request", "body": piece, "more_body": taken < len(body)}

        await world.asgi(scope, receive, send)

    headers = [("content-type", "application/x-www-form-urlencoded")]
    return await exchange(asgi, "POST", path, headers, b"", LOOPBACK), taken


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/oauth/token", {"grant_type": "client_credentials", "client_assertion": "@"}),
        ("/oauth/token", {"grant_type": JWT_BEARER, "assertion": "@"}),
        (
            "/oauth/token",
            {"grant_type": EXCHANGE, "subject_token": "@", "subject_token_type": ACCESS_TOKEN},
        ),
        ("/oauth/token", {"grant_type": "refresh_token", "refresh_token": "@"}),
        ("/oauth/introspect", {"token": "@"}),
        ("/oauth/revoke", {"token": "@"}),
        ("/oauth/par", {"client_id": "contract-bot", "mission_intent": "@"}),
    ],
)
async def test_a_token_of_ten_megabytes_is_not_even_read(
    world: OAuthWorld, path: str, fields: dict[str, str]
) -> None:
    """What is over the bound is refused as soon as the bound is passed, and nothing of it is decoded."""
    huge = ".".join(("eyJ" + "A" * (TEN_MEGABYTES // 3),) * 3)
    body = urlencode({name: huge if value == "@" else value for name, value in fields.items()}).encode()
    told, taken = await in_pieces(world, path, body)
    assert told.json["error"] == "invalid_request"
    assert told.status == 413
    assert taken <= MAX_FORM_BYTES + 65_536


async def test_a_bearer_token_of_ten_megabytes_is_refused_before_it_is_looked_at(world: OAuthWorld) -> None:
    """At the management endpoints: 401, by its size alone."""
    told = await world.ask("GET", "/api/v1/me", by="eyJ" + "A" * TEN_MEGABYTES)
    assert (told.status, told.json["code"]) == (401, "authorization")


async def test_a_large_assertion_within_the_form_is_refused(world: OAuthWorld) -> None:
    """The bound of an assertion is lower than that of the form."""
    told = await world.ask_token(JWT_BEARER, assertion="eyJ" + "A" * 40_000)
    assert told.json["error"] == "invalid_grant"
    told = await world.form(
        {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "A" * 20_000,
        }
    )
    assert error_of(told) == (401, "invalid_client")


async def test_others_are_served_meanwhile(world: OAuthWorld) -> None:
    """After all of that an agent with a good proof gets its token."""
    for _ in range(30):
        await world.ask_token(JWT_BEARER, assertion="a.b.c")
    assert (await world.ask_token("client_credentials", by="contract-bot")).status == 200
