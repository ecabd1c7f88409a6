# SPDX-License-Identifier: Apache-2.0
"""Attacks on grants: what is limited, taken back or used up in one way is so in every other way."""

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import Unauthenticated
from remit.core.evidence.event import EventKind
from remit.services.tasks.opening_limits import OpeningBounds
from tests.worlds.oauth import (
    ACCESS_TOKEN,
    EXCHANGE,
    JWT_BEARER,
    OAuthWorld,
    claims_of,
    details,
    error_of,
    oauth_world,
)
from tests.worlds.services import PUBLIC_URL, Told

Json = Any

ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
VERIFIER = "a" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1/cb"
#: The order of the group of P-256 (FIPS 186-5, SP 800-186).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """A gateway with agents of every kind of proof."""
    async with oauth_world(tmp_path) as opened:
        yield opened


def twin(token: str) -> str:
    """Return a token the other signature of ECDSA that holds: (r, n - s), which needs no key."""
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    other = raw[:32] + (ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    return f"{signed}.{base64.urlsafe_b64encode(other).rstrip(b'=').decode()}"


async def coded(world: OAuthWorld) -> Told:
    """Return the tokens of a code that lena has agreed to."""
    task = await world.open(await world.session("lena"), task_type="review", params={})
    code = await world.code(task, CHALLENGE)
    fields: dict[str, Any] = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    told = await world.ask_token("authorization_code", by="contract-bot", **fields)
    assert told.status == 200, told.content
    return told


async def exchanged(world: OAuthWorld, subject: str, by: str = "contract-bot") -> Told:
    """Exchange an access token."""
    return await world.ask_token(EXCHANGE, by=by, subject_token=subject, subject_token_type=ACCESS_TOKEN)


async def test_an_id_token_with_its_twin_signature_is_used_up_too(world: OAuthWorld) -> None:
    """A person's ID token opens one task, in whichever spelling it comes again."""
    token = world.enterprise.token(world.clock.now(), {"typ": "JWT"}, aud=PUBLIC_URL, sub="lena-there")
    fields: dict[str, Any] = {"subject_token_type": ID_TOKEN}
    first = await world.ask_token(EXCHANGE, by="contract-bot", subject_token=token, **fields)
    assert first.status == 200, first.content
    for again in (token, twin(token)):
        told = await world.ask_token(EXCHANGE, by="contract-bot", subject_token=again, **fields)
        assert error_of(told) == (400, "invalid_grant")
        assert "used before" in told.json["error_description"]


async def test_an_assertion_for_one_resource_gives_no_task_elsewhere(world: OAuthWorld) -> None:
    """An ID-JAG that names a resource limits the task, not only the first of its tokens."""
    there, elsewhere = f"{PUBLIC_URL}/mcp/contracts", f"{PUBLIC_URL}/mcp/changes"
    told = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=world.id_jag(resource=elsewhere))
    assert told.status == 400
    assert EventKind.TASK_OPENED.value not in await world.kinds()
    jag = world.id_jag(resource=[there], jti="jag-2")
    given = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=jag)
    again = await world.task_token(given.json["mission_id"])
    for one in (given, again):
        tools = {entry["resource"] for entry in one.json["authorization_details"]}
        assert tools == {there}
    both = world.id_jag(resource=[there, "https://elsewhere.example"], jti="jag-3")
    told = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=both)
    assert error_of(told) == (400, "invalid_target")
    # What could not be used opened nothing.
    assert (await world.kinds()).count(EventKind.TASK_OPENED.value) == 1


async def test_what_was_exchanged_is_taken_back_with_its_grant(world: OAuthWorld) -> None:
    """A refresh token that is revoked, or comes twice, ends what its access tokens were exchanged for."""
    for stolen in (False, True):
        first = await coded(world)
        same = await exchanged(world, first.json["access_token"])
        again = await exchanged(world, same.json["access_token"])
        child = await exchanged(world, again.json["access_token"], by="other-bot")
        refresh = first.json["refresh_token"]
        if stolen:
            for status in (200, 400):
                told = await world.ask_token("refresh_token", by="contract-bot", refresh_token=refresh)
                assert told.status == status
        else:
            assert (await world.at("/oauth/revoke", by="contract-bot", token=refresh)).status == 200
        for one in (first, same, again, child):
            with pytest.raises(Unauthenticated, match="revoked"):
                claims_of(world, one)


async def test_the_refresh_token_of_an_ended_task_is_told_as_dead(world: OAuthWorld) -> None:
    """Introspection says of a refresh token what the token endpoint would."""
    told = await coded(world)
    refresh = told.json["refresh_token"]
    alive = await world.at("/oauth/introspect", by="contract-bot", token=refresh)
    assert alive.json["active"] is True
    await world.services.endings.revocations.end_task(told.json["mission_id"], reason="enough", by="lena")
    dead = await world.at("/oauth/introspect", by="contract-bot", token=refresh)
    assert dead.json == {"active": False}
    again = await world.ask_token("refresh_token", by="contract-bot", refresh_token=refresh)
    assert error_of(again) == (400, "invalid_grant")


async def test_an_agent_hands_down_no_flood_of_tasks(tmp_path: Path) -> None:
    """Neither fast nor slowly: others still hand theirs down, and what was asked for in vain is recorded."""
    bounds = OpeningBounds(per_minute=6, open_at_once=8)
    async with oauth_world(tmp_path, openings=bounds) as world:
        parent = (await world.review()).json["access_token"]
        given = [await exchanged(world, parent, by="other-bot") for _ in range(7)]
        assert [one.status for one in given] == [200] * 6 + [503]
        assert given[-1].json["error"] == "temporarily_unavailable"
        world.clock.advance(61)
        parent = (await world.review()).json["access_token"]
        given += [await exchanged(world, parent, by="other-bot") for _ in range(3)]
        assert [one.status for one in given[-3:]] == [200, 200, 503]
        assert EventKind.TASK_REFUSED.value in await world.kinds()
        # Another agent is not kept from its own: the first child hands its task down further.
        world.clock.advance(61)
        assert (await exchanged(world, parent, by="third-bot")).status == 200
        first = given[0].json["mission_id"]
        again = await world.task_token(first, agent="other-bot")
        assert (await exchanged(world, again.json["access_token"], by="third-bot")).status == 200


async def test_an_issuers_word_is_not_told_as_a_persons(world: OAuthWorld) -> None:
    """`who` states who vouched for a task: no person was signed in where an issuer did."""
    told = await world.ask_token(JWT_BEARER, by="contract-bot", assertion=world.id_jag())
    found = await world.services.inspection.who.of(told.json["mission_id"])
    (intent, *_) = found["proof"]["below"]
    assert intent["says"] == "requested by issuer:enterprise"
    assert "whom remit authenticated" not in str(intent)
    assert "on behalf of lena, as stated by enterprise" in str(intent)


async def test_who_asks_for_less_is_not_given_more(world: OAuthWorld) -> None:
    """A code or a refresh token with `authorization_details` of a part gives nothing, and is not used up."""
    task = await world.open(await world.session("lena"), task_type="review", params={})
    code = await world.code(task, CHALLENGE)
    fields: dict[str, Any] = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    part, whole = details("read"), details("read", "list")
    narrow = await world.ask_token(
        "authorization_code", by="contract-bot", authorization_details=part, **fields
    )
    assert error_of(narrow) == (400, "invalid_authorization_details")
    told = await world.ask_token(
        "authorization_code", by="contract-bot", authorization_details=whole, **fields
    )
    assert told.status == 200, told.content
    for asked, status in ((part, 400), (whole, 200)):
        again = await world.ask_token(
            "refresh_token",
            by="contract-bot",
            refresh_token=told.json["refresh_token"],
            authorization_details=asked,
        )
        assert again.status == status, again.content


async def test_an_agents_token_for_another_resource_opens_no_task(world: OAuthWorld) -> None:
    """Where tasks are opened, only a token that was asked for there is taken; without a resource it is."""
    there = f"{PUBLIC_URL}/mcp/contracts"
    elsewhere = await world.ask_token("client_credentials", by="contract-bot", resource=there)
    body = {"agent": "contract-bot", "task_type": "nightly-check"}
    told = await world.ask("POST", "/api/v1/tasks", body, by=elsewhere.json["access_token"])
    assert (told.status, told.json["code"]) == (401, "token-audience")
    own = await world.agent_token("contract-bot")
    assert (await world.ask("POST", "/api/v1/tasks", body, by=own)).status == 201
