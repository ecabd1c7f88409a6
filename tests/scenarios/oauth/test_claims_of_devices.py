# SPDX-License-Identifier: Apache-2.0
"""Threat: an agent claims a compliant device that its platform has not vouched for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remit.core.oauth.access_token import POSTURE_CLAIM
from tests.worlds.oauth import OAuthWorld, claims_of, oauth_world
from tests.worlds.services import PUBLIC_URL

Json = Any
JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def posture(world: OAuthWorld, **claims: Json) -> dict[str, Json]:
    """Return the posture in the token of an agent whose platform states these claims."""
    token = world.platform.token(world.clock.now(), aud=PUBLIC_URL, **claims)
    told = await world.ask_token(
        "client_credentials", client_assertion_type=JWT, client_assertion=token, client_id="pod-bot"
    )
    return claims_of(world, told).principal.posture


async def test_what_the_platform_states_travels_in_the_token(tmp_path: Path) -> None:
    """Under the name and with the type of the configuration; nothing else does."""
    async with oauth_world(tmp_path) as world:
        assert await posture(world, device={"compliant": True}, build="x") == {"compliant": True}
        assert await posture(world, device={"compliant": False}) == {"compliant": False}
        assert await posture(world, device={"compliant": "yes"}) == {}
        assert await posture(world) == {}


async def test_an_agent_with_a_key_states_nothing_about_its_device(tmp_path: Path) -> None:
    """Its own assertion is its own word: a claim in it is not read."""
    async with oauth_world(tmp_path) as world:
        assertion = world.assertion(
            "contract-bot", device={"compliant": True}, **{POSTURE_CLAIM: {"compliant": True}}
        )
        told = await world.ask_token(
            "client_credentials", client_assertion_type=JWT, client_assertion=assertion
        )
        assert claims_of(world, told).principal.posture == {}
