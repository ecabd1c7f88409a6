# SPDX-License-Identifier: Apache-2.0
"""An HTTP API whose operations are named after what they do, for the conformance of upstreams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from remit.core.tools.http_api import Api, read_api
from tests.worlds.mcp_endpoint import served

Json = Any

NAMES = ("echo", "big", "overlong", "hang", "crash", "malformed")
_BODY = {"content": {"application/json": {"schema": {"type": "object", "properties": {"n": {}, "text": {}}}}}}


def scripted_api() -> Api:
    """Return its operations."""
    paths = {f"/{name}": {"post": {"operationId": name, "requestBody": _BODY}} for name in NAMES}
    return read_api({"openapi": "3.1.0", "info": {"title": "scripted", "version": "1"}, "paths": paths})


async def scripted(scope: Json, receive: Json, send: Json) -> None:
    """Serve one request."""
    body = b""
    while True:
        part = await receive()
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    arguments = json.loads(body or b"{}")
    name = scope["path"].removeprefix("/")
    if name == "hang":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    said = json.dumps({"arguments": arguments}, indent=2).encode()
    if name in ("big", "overlong"):
        said = json.dumps({"text": "x" * int(arguments["n"])}).encode()
    length = len(said) + (name == "malformed")
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})
    if name == "malformed":
        raise ConnectionError("less came than was said")


@asynccontextmanager
async def scripted_rest() -> AsyncIterator[str]:
    """Serve it; gives its address."""
    async with served(scripted) as url:
        yield url
