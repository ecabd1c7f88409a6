# SPDX-License-Identifier: Apache-2.0
"""An OpenID Connect provider that gives the answers that a test wants, right or wrong, on its own port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey

Json = Any


class ProviderWorld:
    """A provider. `claims` goes over what an ID token says, `metadata` over what discovery says."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one"})
        self.published = [self.key]
        self.signing = self.key
        self.header: dict[str, Json] = {}
        self.claims: dict[str, Json] = {}
        self.metadata: dict[str, Json] = {}
        self.now = 0
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str] = []
        self.nonce = ""
        self.issuer = ""
        self.token_status = 200
        self.delay_s = 0.0

    async def discovery(self, request: web.Request) -> web.Response:
        """Return the metadata."""
        self.asked.append(request.path)
        await asyncio.sleep(self.delay_s)
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["ES256"],
        }
        return web.json_response(found | self.metadata)

    async def jwks(self, request: web.Request) -> web.Response:
        """Return the keys."""
        self.asked.append(request.path)
        keys = [one.as_dict(private=False) | {"use": "sig", "kid": str(one.kid)} for one in self.published]
        return web.json_response({"keys": keys})

    async def token(self, request: web.Request) -> web.Response:
        """Return an ID token."""
        self.asked.append(request.path)
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        self.authorizations.append(request.headers.get("Authorization", ""))
        claims = {
            "iss": self.issuer,
            "aud": "remit",
            "sub": "subject-1",
            "iat": self.now,
            "exp": self.now + 300,
            "nonce": self.nonce,
            "preferred_username": "lena",
        } | self.claims
        told = {name: value for name, value in claims.items() if value is not None}
        header: dict[str, Json] = {"alg": "ES256", "kid": self.signing.kid} | self.header
        token = jws.serialize_compact(header, json.dumps(told).encode(), self.signing, algorithms=["ES256"])
        body = {"access_token": "a", "token_type": "Bearer", "id_token": token}
        return web.json_response(body, status=self.token_status)


@asynccontextmanager
async def provider_world() -> AsyncIterator[ProviderWorld]:
    """Serve a provider on a free port of this machine."""
    world = ProviderWorld()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", world.discovery)
    app.router.add_get("/jwks", world.jwks)
    app.router.add_post("/token", world.token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    world.issuer = f"http://127.0.0.1:{port}"
    try:
        yield world
    finally:
        await runner.cleanup()


@pytest.fixture
async def provider() -> AsyncIterator[ProviderWorld]:
    """The organisation's provider."""
    async with provider_world() as made:
        yield made
