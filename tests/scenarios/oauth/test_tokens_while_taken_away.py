# SPDX-License-Identifier: Apache-2.0
"""Tokens asked for while they are being taken away: what was used, ended or revoked gives nothing, ever."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import RemitError
from remit.core.identity.principals import AgentState
from remit.core.tasks.task import TaskState
from tests.worlds.oauth import ACCESS_TOKEN, EXCHANGE, OAuthWorld, oauth_world
from tests.worlds.services import Told

Json = Any

VERIFIER = "a" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
MANY = 16


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """A gateway with agents of every kind of proof."""
    async with oauth_world(tmp_path) as opened:
        yield opened


async def coded(world: OAuthWorld) -> dict[str, Json]:
    """Return the form by which a code is redeemed."""
    task = await world.open(await world.session("lena"), task_type="review", params={})
    code = await world.code(task, CHALLENGE)
    return {"code": code, "redirect_uri": "http://127.0.0.1/cb", "code_verifier": VERIFIER}


async def redeem(world: OAuthWorld, fields: dict[str, Json]) -> Told:
    """Redeem a code."""
    return await world.ask_token("authorization_code", by="contract-bot", **fields)


async def refresh(world: OAuthWorld, told: Told) -> Told:
    """Use a refresh token."""
    token = told.json["refresh_token"]
    return await world.ask_token("refresh_token", by="contract-bot", refresh_token=token)


async def exchanged(world: OAuthWorld, token: str, by: str) -> Told:
    """Exchange an access token."""
    return await world.ask_token(EXCHANGE, by=by, subject_token=token, subject_token_type=ACCESS_TOKEN)


async def alive(world: OAuthWorld, answers: Sequence[Told]) -> int:
    """Count the tokens, of all that were given, that still open something."""
    count = 0
    for told in answers:
        if told.status == 200:
            try:
                now = world.clock.now()
                await world.services.tasks.live.bind(
                    world.services.identity.authenticator.unproven(told.json["access_token"], now), now
                )
            except RemitError:
                pass
            else:
                count += 1
            again = await refresh(world, told) if "refresh_token" in told.json else None
            count += again is not None and again.status == 200
    return count


async def test_a_code_that_many_redeem_at_once(world: OAuthWorld) -> None:
    """One gets tokens, and since others tried, they are worth nothing."""
    fields = await coded(world)
    answers = await asyncio.gather(*(redeem(world, fields) for _ in range(MANY)))
    assert sorted(one.status for one in answers) == [200] + [400] * (MANY - 1)
    assert await alive(world, answers) == 0


async def test_a_refresh_token_that_many_use_at_once(world: OAuthWorld) -> None:
    """The same; and what was given before, under the same grant, is dead too."""
    first = await redeem(world, await coded(world))
    answers = await asyncio.gather(*(refresh(world, first) for _ in range(MANY)))
    assert sorted(one.status for one in answers) == [200] + [400] * (MANY - 1)
    assert await alive(world, [first, *answers]) == 0


async def test_tokens_that_are_asked_for_while_their_grant_is_revoked(world: OAuthWorld) -> None:
    """Refreshed, exchanged or handed down in that moment: none of them outlives it."""
    for pause in range(8):
        first = await redeem(world, await coded(world))
        token = first.json["access_token"]

        async def take_back(told: Told = first, turns: int = pause) -> Told:
            for _ in range(turns * 5):
                await asyncio.sleep(0)
            return await world.at("/oauth/revoke", by="contract-bot", token=told.json["refresh_token"])

        revoked, *answers = await asyncio.gather(
            take_back(),
            refresh(world, first),
            exchanged(world, token, "contract-bot"),
            exchanged(world, token, "other-bot"),
        )
        assert revoked.status == 200
        assert await alive(world, [first, *answers]) == 0


@pytest.mark.parametrize("what", ["task", "agent", "person"])
async def test_tokens_that_are_asked_for_during_an_end(world: OAuthWorld, what: str) -> None:
    """However far they came: after the end has returned no token works, and no child is open."""
    services = world.services
    for pause in range(6):
        task = await world.open(await world.session("lena"), task_type="review", params={})
        token = (await world.task_token(task)).json["access_token"]

        async def end(name: str = task, turns: int = pause) -> None:
            for _ in range(turns * 6):
                await asyncio.sleep(0)
            if what == "task":
                await services.endings.revocations.end_task(name, reason="enough", by="lena")
            elif what == "agent":
                await services.identity.directory.move(
                    "contract-bot", AgentState.SUSPENDED, by="root", reason="odd"
                )
            else:
                await services.identity.personnel.deactivate("lena", by="root")

        ending = asyncio.create_task(end())
        answers = await asyncio.gather(
            *(world.task_token(task) for _ in range(3)),
            *(exchanged(world, token, by) for by in ("contract-bot", "other-bot", "third-bot")),
        )
        await ending
        assert await alive(world, answers) == 0
        assert await services.store.tasks(services.tenant, state=TaskState.ACTIVE) == []
        if what == "agent":
            await services.identity.directory.move(
                "contract-bot", AgentState.ACTIVE, by="root", reason="looked at"
            )
        elif what == "person":
            await services.identity.personnel.activate("lena", by="root")
        assert await alive(world, answers) == 0
