# SPDX-License-Identifier: Apache-2.0
"""A task's token on every request of an `httpx2` client: what the official MCP client takes as its `auth`.

async with AgentSession(url, "note-bot", key) as agent:
    task = await agent.open("tidy-note")
    http = httpx2.AsyncClient(auth=TaskAuth(task, agent.prover))
    async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
        ...

An HTTP API is called with `TaskAuth(task, agent.prover, upstream="crm", door="http")`, at `{url}/http/crm`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx2

from remit.sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit.sdk.gateway_client import Tokens
from remit.sdk.wire import TASK_HEADER


class TaskAuth(httpx2.Auth):
    """Shows a token with a proof of its key (DPoP), and gets another where the gateway takes it no longer."""

    requires_request_body = True

    def __init__(self, tokens: Tokens, prover: DpopProver, *, upstream: str = "", door: str = "mcp") -> None:
        """Take where tokens come from, the key that they are bound to, and the upstream that is called, at
        which door; all of them together where none is named.
        """
        self._door = door
        self._upstream = upstream
        self._tokens = tokens
        self._prover = prover

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send a request until it is looked at: with the nonce that the gateway wants, and a fresh token."""
        url = str(request.url)
        token, fresh = await self._tokens.token(upstream=self._upstream, door=self._door), False
        if self._tokens.id:
            request.headers[TASK_HEADER] = self._tokens.id
        for _ in range(PROOF_TRIES + 1):
            request.headers["Authorization"] = f"DPoP {token}"
            request.headers[HEADER] = self._prover.proof(request.method, url, token)
            response = yield request
            self._prover.learn(url, response.headers)
            if self._prover.again(url, response.status_code, response.headers):
                continue
            if response.status_code != 401 or fresh:
                return
            fresh = True
            token = await self._tokens.token(upstream=self._upstream, door=self._door, not_this=token)
