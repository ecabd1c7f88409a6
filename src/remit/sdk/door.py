# SPDX-License-Identifier: Apache-2.0
"""A task's way to the gateway's MCP endpoint: the token is put on here, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Protocol

import aiohttp

from remit.sdk.dpop import HEADER, PROOF_TRIES, Prover
from remit.sdk.faults import GatewayRefused, GatewayUnreachable
from remit.sdk.session import ENDED
from remit.sdk.wire import Gateway, segment

#: Read of a refusal, to show it.
MAX_REFUSAL_BYTES: Final = 64 * 1024


class Tokens(Protocol):
    """Where the token comes from."""

    async def token(self, *, upstream: str = "", not_this: str = "") -> str:
        """Give a token for one upstream, or for all together; never `not_this`, which was refused.

        Raises `GatewayRefused`.
        """
        ...


class Reply:
    """An answer of the gateway: status and headers, and its body either still to be read or read already."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes | None = None) -> None:
        """Take the response; with `body` it was read and released."""
        self.response = response
        self.body = body
        self.status = response.status
        self.headers = response.headers


class Door:
    """Sends MCP requests to the gateway as the task, each with the token of that moment."""

    def __init__(self, gateway: Gateway, tokens: Tokens, prover: Prover | None = None) -> None:
        """Take the pool and the source of tokens; with a prover the tokens are bound to its key (DPoP)."""
        self._gateway = gateway
        self._tokens = tokens
        self._prover = prover

    async def send(self, method: str, upstream: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request; the caller closes the answer's response.

        Sent again, once, with a new token, is only what the gateway refused before it looked at the call: a
        401, or a refusal that says that the task has ended and nothing was sent. Raises `GatewayUnreachable`,
        or `GatewayRefused` where no token is to be had.
        """
        token = await self._tokens.token(upstream=upstream)
        answer = await self._send(method, upstream, headers, body, token)
        if answer.status not in (401, 403, 409):
            return answer
        refusal = await _read_refusal(answer.response)
        if answer.status == 401 or _says_ended(refusal):
            try:
                fresh = await self._tokens.token(upstream=upstream, not_this=token)
            except (GatewayRefused, GatewayUnreachable):
                return Reply(answer.response, refusal)
            return await self._send(method, upstream, headers, body, fresh)
        return Reply(answer.response, refusal)

    async def _send(
        self, method: str, upstream: str, headers: Mapping[str, str], body: bytes | None, token: str
    ) -> Reply:
        path = f"/mcp/{segment(upstream)}" if upstream else "/mcp"
        if self._prover is None:
            # INVARIANT: what is in `headers` was chosen by name; no Authorization of the caller's is in it.
            shown = {**headers, "Authorization": f"Bearer {token}"}
            return Reply(await self._gateway.exchange(method, path, headers=shown, body=body))
        url = self._gateway.public_url + path
        for tries_left in reversed(range(PROOF_TRIES)):
            proof = self._prover.proof(method, url, token)
            shown = {**headers, "Authorization": f"DPoP {token}", HEADER: proof}
            response = await self._gateway.exchange(method, path, headers=shown, body=body)
            self._prover.learn(url, response.headers)
            if not tries_left or not self._prover.again(url, response.status, response.headers):
                return Reply(response)
            response.release()
        raise AssertionError("the loop returns")


def _says_ended(refusal: bytes) -> bool:
    try:
        data = json.loads(refusal)["error"]["data"]
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
