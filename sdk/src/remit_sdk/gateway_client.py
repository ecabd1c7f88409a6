# SPDX-License-Identifier: Apache-2.0
"""A task's client for the gateway's endpoints: only this module adds the token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Protocol

import aiohttp

from remit_sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit_sdk.errors import GatewayRefused, GatewayUnreachable
from remit_sdk.session import ENDED
from remit_sdk.wire import TASK_HEADER, Gateway, segment

#: Maximum number of bytes of a refusal to read, in order to show it.
MAX_REFUSAL_BYTES: Final = 64 * 1024
#: The header that marks the HTTP endpoint's own answers; an API cannot set it.
REFUSED: Final = "Remit-Refused"
#: The header with the seconds that a call waits for a person.
WAIT_HEADER: Final = "remit-wait"
#: The member of `_meta` by which a result tells programs that its call failed at remit, and how.
FAILURE: Final = "remit/failure"
#: Where agents report the calls of their models.
USAGE_PATH: Final = "/api/v1/otlp/v1/traces"


class Tokens(Protocol):
    """A source of tokens."""

    @property
    def id(self) -> str:
        """The task of the tokens; empty if it is unknown."""
        ...

    async def token(self, *, upstream: str = "", endpoint: str = "mcp", not_this: str = "") -> str:
        """Return a token for one upstream at an endpoint, or for all upstreams together.

        Never return `not_this`, which was refused. Raise `GatewayRefused`.
        """
        ...


class GatewayReply:
    """An answer of the gateway: status, headers, and a body that is either unread or already read."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes | None = None) -> None:
        """Keep the response; with `body` it was read and released already."""
        self.response = response
        self.body = body
        self.status = response.status
        self.headers = response.headers


class GatewayClient:
    """Sends requests to the gateway for the task, each with the current token."""

    def __init__(
        self, gateway: Gateway, tokens: Tokens, prover: DpopProver | None = None, *, wait_s: int = 0
    ) -> None:
        """Keep the pool and the source of tokens; with a prover the tokens are bound to its key (DPoP).

        A call that needs a person's approval waits for `wait_s` seconds, unless it says otherwise itself.
        """
        self._wait_s = wait_s
        self._gateway = gateway
        self._tokens = tokens
        self._prover = prover
        self.public_url = gateway.public_url

    async def send(
        self,
        method: str,
        upstream: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        below: str | None = None,
    ) -> GatewayReply:
        """Send one request; the caller closes the answer's response.

        `below` makes it a request to an HTTP API, with that target below the upstream's path. A request is
        sent again, once, with a new token, only if the gateway refused it before it processed the call: a
        401, or a refusal that states that the task has ended and nothing was sent. Raise
        `GatewayUnreachable`, or `GatewayRefused` if no token can be obtained.
        """
        endpoint = "mcp" if below is None else "http"
        path = f"/{endpoint}/{segment(upstream)}" if upstream else f"/{endpoint}"
        return await self._sent(method, path + (below or ""), headers, body, upstream, endpoint)

    async def report(self, headers: Mapping[str, str], body: bytes) -> GatewayReply:
        """Report the task's model calls (OTLP over HTTP) as `send` sends; a call counts once in any case."""
        return await self._sent("POST", USAGE_PATH, headers, body, "", "api/v1")

    async def _sent(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        upstream: str,
        endpoint: str,
    ) -> GatewayReply:
        token = await self._tokens.token(upstream=upstream, endpoint=endpoint)
        answer = await self._send(method, path, headers, body, token)
        own = answer.headers.get(REFUSED, "")
        if own not in ENDED and (answer.status not in (401, 403, 409) or (endpoint == "http" and not own)):
            # INVARIANT: an API's own answer is never taken for a refusal after which the request is sent
            # again.
            return answer
        refusal = await _read_refusal(answer.response)
        if answer.status == 401 or _says_ended(refusal):
            try:
                fresh = await self._tokens.token(upstream=upstream, endpoint=endpoint, not_this=token)
            except (GatewayRefused, GatewayUnreachable):
                return GatewayReply(answer.response, refusal)
            return await self._send(method, path, headers, body, fresh)
        return GatewayReply(answer.response, refusal)

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, token: str
    ) -> GatewayReply:
        # Replicas find the owner of a task by the token; a load balancer finds it by this header.
        headers = {**headers, TASK_HEADER: self._tokens.id} if self._tokens.id else headers
        headers = {WAIT_HEADER: str(self._wait_s), **headers} if self._wait_s else headers
        if self._prover is None:
            # INVARIANT: `headers` were selected by name; they contain no Authorization of the caller.
            shown = {**headers, "Authorization": f"Bearer {token}"}
            return GatewayReply(await self._gateway.exchange(method, path, headers=shown, body=body))
        # RFC 9449 section 4.2: without query.
        url = self._gateway.public_url + path.partition("?")[0]
        for tries_left in reversed(range(PROOF_TRIES)):
            proof = self._prover.proof(method, url, token)
            shown = {**headers, "Authorization": f"DPoP {token}", HEADER: proof}
            response = await self._gateway.exchange(method, path, headers=shown, body=body)
            self._prover.learn(url, response.headers)
            if not tries_left or not self._prover.again(url, response.status, response.headers):
                return GatewayReply(response)
            response.release()
        raise AssertionError("the loop returns")


def _says_ended(refusal: bytes) -> bool:
    try:
        told = json.loads(refusal)
        # JSON-RPC (an error, or the result of a failed call), or a problem of the HTTP endpoint.
        if "result" in told:
            result = told["result"]
            data = result.get("structuredContent") or result["_meta"][FAILURE]
        else:
            data = told["error"]["data"] if "error" in told else told
        return data["code"] in ENDED and data["outcome"] == "not-sent"
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


async def _read_refusal(response: aiohttp.ClientResponse) -> bytes:
    out = bytearray()
    try:
        async for chunk in response.content.iter_any():
            out += chunk
            if len(out) > MAX_REFUSAL_BYTES:
                response.close()
                break
    except (aiohttp.ClientError, TimeoutError):
        out.clear()
    finally:
        response.release()
    return bytes(out[:MAX_REFUSAL_BYTES])
