# SPDX-License-Identifier: Apache-2.0
"""The relay for HTTP APIs: a request is forwarded to the HTTP endpoint with the task's token.

The gateway judges the headers. The relay removes those that belong to one connection or identify the sender.
It forwards all others, which must be declared parameters or are refused.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import Any, Final

import aiohttp
from aiohttp import web

from remit_sdk.errors import AgentFault, GatewayRefused
from remit_sdk.gateway_client import GatewayClient, GatewayReply

Json = Any

MAX_REQUEST_BYTES: Final = 16 * 1024 * 1024
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_TARGET: Final = re.compile(r"[/?][\x21\x22\x24-\x7e]*")
#: Headers of one connection or of the sender's identity, never forwarded from child to gateway.
_NOT_PASSED_ON: Final = frozenset(
    {
        "accept-encoding", "authorization", "connection", "content-length", "dpop", "expect", "host",
        "keep-alive", "proxy-authorization", "proxy-connection", "remit-task", "te", "trailer",
        "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip
#: Headers not returned from gateway to child: also those about tokens, or the client would start a login.
_NOT_PASSED_BACK: Final = frozenset(
    {
        "connection", "content-length", "date", "dpop-nonce", "keep-alive", "location", "server",
        "set-cookie", "transfer-encoding", "www-authenticate",
    }
)  # fmt: skip


async def relay_api(
    gateway: GatewayClient, request: web.BaseRequest, upstream: str, below: str, own: str
) -> web.StreamResponse:
    """Forward one request of an API to the gateway.

    `below` is its target below the upstream, `own` the relay's URL for APIs.
    """
    if request.method not in METHODS:
        return _problem(405, "method", "use GET, POST, PUT, PATCH or DELETE")
    if not _TARGET.fullmatch(below):
        return _problem(400, "bad-path", "the address contains a character that must be encoded")
    body = await read_whole(request, MAX_REQUEST_BYTES)
    if body is None:
        return _problem(413, "too-large", f"the body is over {MAX_REQUEST_BYTES} bytes")
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        if lower in headers:
            return _problem(400, "given-twice", f"the header `{lower[:60]}` is given twice")
        if lower not in _NOT_PASSED_ON:
            headers[lower] = value
    try:
        answer = await gateway.send(request.method, upstream, headers, body or None, below=below)
    except GatewayRefused as fault:
        return _problem(fault.status if fault.status in (401, 403, 404) else 403, fault.code, str(fault))
    except AgentFault as fault:
        # Whether the gateway received the call is unknown, so it is not sent again.
        return _problem(502, "gateway-unreachable", str(fault))
    async with answer.response:
        back = web.StreamResponse(status=answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _NOT_PASSED_BACK:
                back.headers.add(name, value)
        there = f"{gateway.public_url}/http/"
        if (location := answer.headers.get("Location", "")).startswith(there):
            back.headers["Location"] = f"{own}/{location.removeprefix(there)}"
        if answer.body is not None:
            back.content_length = len(answer.body)
        elif "Content-Length" in answer.headers:
            back.content_length = int(answer.headers["Content-Length"])
        await pour(request, answer, back)
        return back


async def read_whole(request: web.BaseRequest, most: int) -> bytes | None:
    """Read a request's body; return None if it is over the limit."""
    out = bytearray()
    async for chunk in request.content.iter_any():
        out += chunk
        if len(out) > most:
            return None
    return bytes(out)


async def pour(request: web.BaseRequest, answer: GatewayReply, back: web.StreamResponse) -> None:
    """Stream an answer to the child at the child's pace; a broken answer also ends incomplete for the
    child.
    """
    await back.prepare(request)
    try:
        if answer.body is not None:
            await back.write(answer.body)
        else:
            async for chunk in answer.response.content.iter_any():
                await back.write(chunk)
        await back.write_eof()
    except (aiohttp.ClientError, TimeoutError, OSError):
        if isinstance(request.transport, asyncio.Transport):
            with suppress(OSError):
                request.transport.abort()


def _problem(status: int, code: str, message: str) -> web.Response:
    told: Json = {"type": "about:blank", "status": status, "detail": message, "code": code}
    return web.Response(status=status, text=json.dumps(told), content_type="application/problem+json")
