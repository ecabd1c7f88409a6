# SPDX-License-Identifier: Apache-2.0
"""A task's way to the gateway's doors: the token is put on here, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Protocol

import aiohttp

from remit.sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit.sdk.errors import GatewayRefused, GatewayUnreachable
from remit.sdk.session import ENDED
from remit.sdk.wire import TASK_HEADER, Gateway, segment

#: Read of a refusal, to show it.
MAX_REFUSAL_BYTES: Final = 64 * 1024
#: What the HTTP door says of its own answers; an API cannot.
REFUSED: Final = "Remit-Refused"


class Tokens(Protocol):
    """Where the token comes from."""

    @property
    def id(self) -> str:
        """The task that its tokens are of; empty where nobody knows."""
        ...

    async def token(self, *, upstream: str = "", door: str = "mcp", not_this: str = "") -> str:
        """Return a token for one upstream at a door, or for all together; never `not_this`, which was
        refused.

        Raises `GatewayRefused`.
        """
        ...


class GatewayReply:
    """An answer of the gateway: status and headers, and its body either still to be read or read already."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes | None = None) -> None:
        """Take the response; with `body` it was read and released."""
        self.response = response
        self.body = body
        self.status = response.status
        self.headers = response.headers


class GatewayClient:
    """Sends requests to the gateway as the task, each with the token of that moment."""

    def __init__(self, gateway: Gateway, tokens: Tokens, prover: DpopProver | None = None) -> None:
        """Take the pool and the source of tokens; with a prover the tokens are bound to its key (DPoP)."""
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
        """Send one request; the caller closes the answer's response. With `below` it is one of an HTTP API,
        for that address below the upstream's.

        Sent again, once, with a new token, is only what the gateway refused before it looked at the call: a
        401, or a refusal that says that the task has ended and nothing was sent. Raises `GatewayUnreachable`,
        or `GatewayRefused` where no token is to be had.
        """
        door = "mcp" if below is None else "http"
        path = f"/{door}/{segment(upstream)}" if upstream else f"/{door}"
        path += below or ""
        token = await self._tokens.token(upstream=upstream, door=door)
        answer = await self._send(method, path, headers, body, token)
        if answer.status not in (401, 403, 409) or (below is not None and REFUSED not in answer.headers):
            # INVARIANT: what an API itself answers is never taken for a refusal after which to send again.
            return answer
        refusal = await _read_refusal(answer.response)
        if answer.status == 401 or _says_ended(refusal):
            try:
                fresh = await self._tokens.token(upstream=upstream, door=door, not_this=token)
            except (GatewayRefused, GatewayUnreachable):
                return GatewayReply(answer.response, refusal)
            return await self._send(method, path, headers, body, fresh)
        return GatewayReply(answer.response, refusal)

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, token: str
    ) -> GatewayReply:
        # Replicas find each other's tasks by the token; a balancer before them, by this.
        headers = {**headers, TASK_HEADER: self._tokens.id} if self._tokens.id else headers
        if self._prover is None:
            # INVARIANT: what is in `headers` was chosen by name; no Authorization of the caller's is in it.
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
        # JSON-RPC, or a problem of the HTTP door.
        data = told["error"]["data"] if "error" in told else told
        return data["code"] in ENDED and data["outcome"] == "not-sent"
    except (ValueError, KeyError, TypeError):
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
