# SPDX-License-Identifier: Apache-2.0
"""A task's token on every request, in the flow that `httpx` and `httpx2` share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from remit_sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit_sdk.errors import AgentFault
from remit_sdk.gateway_client import Tokens
from remit_sdk.wire import TASK_HEADER, origin_of


class GatewayTokens(Tokens, Protocol):
    """Tokens for one gateway."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The gateway's URLs; tokens go to no other origin."""
        ...


class TaskAuthFlow:
    """Sends a token with a proof of its key (DPoP), and gets a new token when the gateway refuses the old
    one.
    """

    requires_request_body = True

    def __init__(
        self, tokens: GatewayTokens, prover: DpopProver, *, upstream: str = "", endpoint: str = "mcp"
    ) -> None:
        """Keep the source of tokens, the key to which they are bound, and the upstream and endpoint to call.

        Without `upstream`, the calls go to all upstreams of the endpoint together.
        """
        self._endpoint = endpoint
        self._upstream = upstream
        self._tokens = tokens
        self._prover = prover

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Send a request until the gateway accepts its credentials: with the required nonce, and a fresh
        token.
        """
        url = str(request.url)
        if origin_of(url) not in map(origin_of, self._tokens.addresses):
            raise AgentFault(
                f"`{url[:200]}` is not at this remit, and gets no token",
                remediation="use a client without this `auth` for it",
            )
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
