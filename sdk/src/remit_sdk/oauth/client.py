# SPDX-License-Identifier: Apache-2.0
"""Requests to a protected resource, with the token that it requires.

1. A request is sent with the current token, under its scheme, with a proof if the token is bound to a key.
2. 401: the resource names its authorization server; the client requests a token there and repeats the
   request.
3. 403 `insufficient_scope`: the client requests all previous and needed scopes (step-up), a few times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

import aiohttp

from remit_sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit_sdk.errors import GatewayRefused
from remit_sdk.oauth.discovery import (
    Challenge,
    IssuerMetadata,
    Resource,
    find_resource,
    find_server,
    read_challenge,
)
from remit_sdk.oauth.endpoint import Token
from remit_sdk.oauth.grants import GrantContext, TokenGrant
from remit_sdk.oauth.web import OAuthHttp

#: Maximum number of new tokens for one request.
MAX_ASKED: Final = 3


class _Held(NamedTuple):
    token: Token
    resource: Resource
    server: IssuerMetadata


class OAuthClient:
    """One client for any number of MCP servers. For one event loop."""

    def __init__(self, web: OAuthHttp, grant: TokenGrant, *, prover: DpopProver | None = None) -> None:
        """Keep the grant; with a prover, tokens are bound to its key if the server supports DPoP."""
        self._web = web
        self._grant = grant
        self._prover = prover
        self._held: dict[str, _Held] = {}
        self._turn = asyncio.Lock()

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        """Send one request and return its answer, with an unread body; the caller closes it.

        Raise `GatewayRefused` if no token can be obtained, `AgentFault` if a server's metadata cannot be
        trusted, `GatewayUnreachable` if no server answers.
        """
        held = await self._current(url)
        for asked in range(MAX_ASKED + 1):
            answer = await self._send(method, url, headers, body, held)
            challenge = read_challenge(answer.headers)
            had = set(held.token.scope.split()) if held else set()
            if answer.status == 403 and challenge.error == "insufficient_scope" and held is not None:
                # If the token already has the scope, requesting it again does not help.
                if set(challenge.scope.split()) <= had or asked == MAX_ASKED:
                    return answer
            elif answer.status != 401 or asked == MAX_ASKED:
                return answer
            answer.release()
            held = await self._ask(url, challenge, had if answer.status == 403 else set(), held)
        raise AssertionError("the loop returns or raises")

    async def token(self, url: str) -> Token:
        """Return a token for a resource; request one if there is none yet."""
        held = await self._current(url) or await self._ask(url, Challenge(), set(), None)
        return held.token

    async def _current(self, url: str) -> _Held | None:
        held = self._held.get(url)
        if held is None or held.token.usable:
            return held
        async with self._turn:
            held = self._held.get(url)
            if held is None or held.token.usable:
                return held
            occasion = self._occasion(held.resource, held.server, held.token.scope)
            try:
                fresh = held._replace(token=await self._grant.refresh(occasion, held.token))
            except GatewayRefused:
                # The refresh token was used or revoked: the resource's challenge will state what it needs.
                self._held.pop(url, None)
                return None
            self._held[url] = fresh
            return fresh

    async def _ask(self, url: str, challenge: Challenge, had: set[str], not_this: _Held | None) -> _Held:
        async with self._turn:
            held = self._held.get(url)
            if held is not None and held is not not_this:
                return held  # another request got a token in the meantime
            self._held.pop(url, None)
            # Discovered again each time: a resource may move to another authorization server.
            resource = await find_resource(self._web, url, challenge)
            server = await find_server(self._web, resource.issuer)
            wanted = challenge.scope.split() or list(resource.scopes)
            scope = " ".join(dict.fromkeys([*sorted(had), *wanted]))
            token = await self._grant.token(self._occasion(resource, server, scope))
            made = self._held[url] = _Held(token, resource, server)
            return made

    def _occasion(self, resource: Resource, server: IssuerMetadata, scope: str) -> GrantContext:
        algorithms = server.names("dpop_signing_alg_values_supported")
        prover = self._prover if self._prover and self._prover.key.algorithm in algorithms else None
        return GrantContext(self._web, resource, server, scope, prover)

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, held: _Held | None
    ) -> aiohttp.ClientResponse:
        shown = dict(headers)
        if held is None or held.token.kind == "bearer" or self._prover is None:
            if held is not None:
                shown["Authorization"] = f"Bearer {held.token.text}"
            return await self._web.open(method, url, headers=shown, body=body)
        shown["Authorization"] = f"DPoP {held.token.text}"
        for tries_left in reversed(range(PROOF_TRIES)):
            shown[HEADER] = self._prover.proof(method, url, held.token.text)
            answer = await self._web.open(method, url, headers=shown, body=body)
            self._prover.learn(url, answer.headers)
            if not tries_left or not self._prover.again(url, answer.status, answer.headers):
                return answer
            answer.release()
        raise AssertionError("the loop returns")
