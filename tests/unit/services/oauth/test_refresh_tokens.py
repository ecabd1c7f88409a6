# SPDX-License-Identifier: Apache-2.0
"""Codes, refresh tokens, introspection and revocation: what replaces what, and how it is taken back."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import Malformed
from remit.core.identity.workload import Confirmation
from remit.core.tasks.task import TaskState
from remit.services.oauth.access_tokens import TokenQuestion
from remit.services.oauth.client_authentication import TokenClient
from remit_sdk.dpop import DpopProver
from tests.worlds.oauth import (
    CHALLENGE,
    REDIRECT,
    VERIFIER,
    OAuthWorld,
    claims_of,
    coded,
    error_of,
    oauth_world,
    redeem,
)
from tests.worlds.services import PUBLIC_URL
from tests.worlds.values import TENANT

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """A gateway with agents of every kind of proof."""
    async with oauth_world(tmp_path) as opened:
        yield opened


# Codes and refresh.


async def test_a_code_becomes_tokens(world: OAuthWorld) -> None:
    """What a person has agreed to is the token's task; a refresh token comes with it."""
    task, code = await coded(world)
    told = await redeem(world, code)
    claims = claims_of(world, told)
    assert (claims.task, claims.on_behalf_of) == (task, "lena")
    assert claims.grant_id.startswith("fam_")
    assert told.json["refresh_token"].startswith("rmr_")


@pytest.mark.parametrize(
    ("by", "changes"),
    [
        ("other-bot", {}),
        ("contract-bot", {"redirect_uri": "http://127.0.0.1/other"}),
        ("contract-bot", {"code_verifier": "b" * 43}),
        ("contract-bot", {"code_verifier": "short"}),
        ("contract-bot", {"code": "unknown"}),
    ],
)
async def test_a_code_is_for_whom_it_was_given_to(
    world: OAuthWorld, by: str, changes: dict[str, str]
) -> None:
    """Another client, address or verifier gets nothing; the code still works for its client."""
    _, code = await coded(world)
    assert error_of(await redeem(world, code, by, **changes)) == (400, "invalid_grant")
    assert (await redeem(world, code)).status == 200


async def test_a_code_that_ran_out_gives_nothing(world: OAuthWorld) -> None:
    """A minute later it is too late."""
    _, code = await coded(world)
    world.clock.advance(61)
    assert error_of(await redeem(world, code)) == (400, "invalid_grant")


async def test_a_code_bound_to_a_key_needs_it(world: OAuthWorld) -> None:
    """RFC 9449 section 10: `dpop_jkt` of the request is the key of the proof."""
    _, code = await coded(world, dpop_jkt=DpopProver().key.thumbprint)
    assert error_of(await redeem(world, code)) == (400, "invalid_grant")


async def test_a_code_that_comes_again_takes_everything_back(world: OAuthWorld) -> None:
    """RFC 6749 section 4.1.2: what was issued for it is revoked, access token and refresh token alike."""
    _, code = await coded(world)
    told = await redeem(world, code)
    assert error_of(await redeem(world, code, "other-bot")) == (400, "invalid_grant")
    me = await world.ask("GET", "/api/v1/me", by=told.json["access_token"])
    assert (me.status, me.json["code"]) == (401, "token-revoked")
    again = await world.ask_token(
        "refresh_token", by="contract-bot", refresh_token=told.json["refresh_token"]
    )
    assert error_of(again) == (400, "invalid_grant")
    assert "token.revoked" in await world.kinds()


async def test_refresh_tokens_replace_each_other(world: OAuthWorld) -> None:
    """Each use gives the next one; for a narrower resource where asked, never a wider one."""
    _, code = await coded(world, resource=(f"{PUBLIC_URL}/mcp/contracts",))
    told = await redeem(world, code)
    for _ in range(3):
        before = told.json["refresh_token"]
        told = await world.ask_token("refresh_token", by="contract-bot", refresh_token=before)
        assert claims_of(world, told).audience == (f"{PUBLIC_URL}/mcp/contracts",)
        assert told.json["refresh_token"] != before
    wider = await world.ask_token(
        "refresh_token",
        by="contract-bot",
        refresh_token=told.json["refresh_token"],
        resource=f"{PUBLIC_URL}/mcp",
    )
    assert error_of(wider) == (400, "invalid_target")


async def test_a_refresh_token_that_comes_again_ends_its_family(world: OAuthWorld) -> None:
    """RFC 9700 section 4.14.2: the newest access and refresh tokens are dead too, and it is recorded."""
    _, code = await coded(world)
    first = await redeem(world, code)
    stolen = first.json["refresh_token"]
    second = await world.ask_token("refresh_token", by="contract-bot", refresh_token=stolen)
    assert second.status == 200
    assert error_of(await world.ask_token("refresh_token", by="contract-bot", refresh_token=stolen)) == (
        400,
        "invalid_grant",
    )
    for given in (first, second):
        me = await world.ask("GET", "/api/v1/me", by=given.json["access_token"])
        assert me.json["code"] == "token-revoked"
    newest = await world.ask_token(
        "refresh_token", by="contract-bot", refresh_token=second.json["refresh_token"]
    )
    assert error_of(newest) == (400, "invalid_grant")
    assert (await world.kinds()).count("token.revoked") == 1


async def test_of_two_uses_at_once_one_wins_and_both_lose(world: OAuthWorld) -> None:
    """The thief cannot be identified: the first use's token is revoked when the second comes."""
    _, code = await coded(world)
    redeemed = await asyncio.gather(redeem(world, code), redeem(world, code))
    assert sorted(told.status for told in redeemed) == [200, 400]
    good = next(told for told in redeemed if told.status == 200)
    me = await world.ask("GET", "/api/v1/me", by=good.json["access_token"])
    assert me.json["code"] == "token-revoked"
    _, code = await coded(world)
    text = (await redeem(world, code)).json["refresh_token"]
    told = await asyncio.gather(
        *(world.ask_token("refresh_token", by="contract-bot", refresh_token=text) for _ in range(2))
    )
    assert sorted(one.status for one in told) == [200, 400]
    good = next(one for one in told if one.status == 200)
    me = await world.ask("GET", "/api/v1/me", by=good.json["access_token"])
    assert me.json["code"] == "token-revoked"


async def test_a_refresh_token_of_a_bound_grant_needs_a_key(world: OAuthWorld) -> None:
    """RFC 9449 section 5: without a proof it gives nothing, so that no client falls back to a bare token. An
    agent that proves itself may take another key.
    """
    world.clock.jump(time.time() - world.clock.now().timestamp())  # proofs go by the time of day
    _, code = await coded(world)
    fields: dict[str, Any] = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    first = await world.with_proof(DpopProver(), "authorization_code", by="contract-bot", **fields)
    text = first.json["refresh_token"]
    bare = await world.ask_token("refresh_token", by="contract-bot", refresh_token=text)
    assert error_of(bare) == (400, "invalid_grant")
    prover = DpopProver()
    told = await world.with_proof(prover, "refresh_token", by="contract-bot", refresh_token=text)
    assert claims_of(world, told).confirmation.jkt == prover.key.thumbprint


async def test_a_public_clients_refresh_token_is_its_keys(world: OAuthWorld) -> None:
    """RFC 9449 section 5: an application that proves nothing else is known by the key of its grant alone."""
    task, _ = await coded(world)
    live, agent = (
        await world.services.tasks.live.load(task),
        await world.services.identity.directory.agent("contract-bot"),
    )
    families = world.services.oauth.families
    client = TokenClient(agent=agent, client_id="contract-bot")
    mine, other = (TokenQuestion(how="test", confirmation=Confirmation(jkt=key)) for key in ("mine", "other"))

    async def text() -> str:
        code = await world.code(live.task.id, CHALLENGE)
        given = await families.redeem(client, code, redirect_uri=REDIRECT, verifier=VERIFIER, asking=mine)
        return given.refresh

    for stranger in (other, TokenQuestion(how="test")):
        with pytest.raises(Malformed) as refused:
            await families.refresh(client, await text(), stranger)
        assert (refused.value.code, "bound to a key" in refused.value.message) == ("invalid_grant", True)
    assert (await families.refresh(client, await text(), mine)).claims.confirmation.jkt == "mine"


async def test_a_refresh_token_is_its_clients_own(world: OAuthWorld) -> None:
    """Another agent gets nothing for it, and does not use it up."""
    _, code = await coded(world)
    text = (await redeem(world, code)).json["refresh_token"]
    told = await world.ask_token("refresh_token", by="other-bot", refresh_token=text)
    assert error_of(told) == (400, "invalid_grant")
    assert (await world.ask_token("refresh_token", by="contract-bot", refresh_token=text)).status == 200


async def test_a_refresh_token_ends_with_its_task(world: OAuthWorld) -> None:
    """The grant outlives nothing."""
    task, code = await coded(world)
    text = (await redeem(world, code)).json["refresh_token"]
    await world.services.endings.revocations.end_task(
        task, reason="done", by="lena", state=TaskState.COMPLETED
    )
    told = await world.ask_token("refresh_token", by="contract-bot", refresh_token=text)
    assert error_of(told) == (400, "invalid_grant")


# Introspection and revocation.


async def test_introspection_tells_the_owner(world: OAuthWorld) -> None:
    """RFC 7662: claims, chain, authorization details, and the state of its task; no other caller learns
    anything.
    """
    given = await world.review()
    told = await world.at("/oauth/introspect", by="contract-bot", token=given.json["access_token"])
    assert (told.json["active"], told.json["client_id"], told.json["act"]["sub"]) == (
        True,
        "contract-bot",
        "contract-bot",
    )
    assert told.json["mission"]["state"] == "active"
    assert told.json["authorization_details"] == given.json["authorization_details"]
    for by, token in (("other-bot", given.json["access_token"]), ("contract-bot", "nonsense")):
        assert (await world.at("/oauth/introspect", by=by, token=token)).json == {"active": False}
    assert error_of(await world.at("/oauth/introspect", token="x")) == (401, "invalid_client")


async def test_introspection_tells_how_a_task_ended(world: OAuthWorld) -> None:
    """A token of an ended task is not active, and its owner is told how the task stands."""
    given = await world.review()
    await world.services.endings.revocations.end_task(
        given.json["mission_id"], reason="done", by="lena", state=TaskState.COMPLETED
    )
    told = await world.at("/oauth/introspect", by="contract-bot", token=given.json["access_token"])
    assert (told.json["active"], told.json["mission"]["state"]) == (False, "completed")


async def test_a_named_introspector_may_ask_about_every_token(tmp_path: Path) -> None:
    """A resource server that the configuration names."""
    async with oauth_world(tmp_path, introspectors=frozenset({"other-bot"})) as world:
        given = await world.review()
        told = await world.at("/oauth/introspect", by="other-bot", token=given.json["access_token"])
        assert told.json["active"] is True


async def test_a_revoked_token_is_refused_at_once(world: OAuthWorld) -> None:
    """RFC 7009: at every endpoint, and by introspection; others' tokens are not ours to revoke."""
    given = (await world.review()).json["access_token"]
    told = await world.at("/oauth/revoke", by="other-bot", token=given)
    assert error_of(told) == (400, "unauthorized_client")
    assert (await world.ask("GET", "/api/v1/me", by=given)).status == 200
    for _ in range(2):
        assert (await world.at("/oauth/revoke", by="contract-bot", token=given)).status == 200
    assert (await world.ask("GET", "/api/v1/me", by=given)).json["code"] == "token-revoked"
    told = await world.at("/oauth/introspect", by="contract-bot", token=given)
    assert told.json == {"active": False}


async def test_revoking_a_refresh_token_ends_its_family(world: OAuthWorld) -> None:
    """RFC 7009 section 2.1: the access tokens of the same grant go with it."""
    _, code = await coded(world)
    given = await redeem(world, code)
    told = await world.at("/oauth/introspect", by="contract-bot", token=given.json["refresh_token"])
    assert told.json["active"] is True
    assert (
        await world.at("/oauth/revoke", by="contract-bot", token=given.json["refresh_token"])
    ).status == 200
    me = await world.ask("GET", "/api/v1/me", by=given.json["access_token"])
    assert me.json["code"] == "token-revoked"
    assert (await world.at("/oauth/revoke", by="contract-bot", token="unknown")).status == 200


async def test_what_was_taken_back_stays_so_after_a_restart(world: OAuthWorld) -> None:
    """It is in the store, not in memory alone."""
    given = await world.review()
    await world.at("/oauth/revoke", by="contract-bot", token=given.json["access_token"])
    claims = json.loads(base64.urlsafe_b64decode(given.json["access_token"].split(".")[1] + "=="))
    assert claims["jti"] in world.services.store.withdrawn(TENANT)
