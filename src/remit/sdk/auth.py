# SPDX-License-Identifier: Apache-2.0
"""A task's token on every request of an `httpx2` client, such as the `auth` of the official MCP client.

async with AgentSession(url, "note-bot", key) as agent:
    task = await agent.open("tidy-note")
    http = httpx2.AsyncClient(auth=TaskAuth(task, agent.prover))
    async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
        ...

Call an HTTP API with `TaskAuth(task, agent.prover, upstream="crm", endpoint="http")`, at `{url}/http/crm`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx2

from remit.sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit.sdk.gateway_client import Tokens
from remit.sdk.wire import TASK_HEADER


class TaskAuth(httpx2.Auth):
    """Sends a token with a proof of its key (DPoP), and gets a new token when the gateway refuses the old
    one.
    """

    requires_request_body = True

    def __init__(
        self, tokens: Tokens, prover: DpopProver, *, upstream: str = "", endpoint: str = "mcp"
    ) -> None:
        """Keep the source of tokens, the key to which they are bound, and the upstream and endpoint to call.

        Without `upstream`, the calls go to all upstreams of the endpoint together.
        """
        self._endpoint = endpoint
        self._upstream = upstream
        self._tokens = tokens
        self._prover = prover

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send a request until the gateway accepts its credentials: with the required nonce, and a fresh
        token.
        """
        url = str(request.url)
        token, fresh = await self._tokens.token(upstream=self._upstream, endpoint=self._endpoint), False
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
            token = await self._tokens.token(upstream=self._upstream, endpoint=self._endpoint, not_this=token)
