# SPDX-License-Identifier: Apache-2.0
"""The tool server behind every target: the least MCP that is still MCP, so that it hides no target's cost.

Raw ASGI under uvicorn, JSON answers, both protocol eras: 2026-07-28 without sessions, and 2025-11-25 with
`initialize`. Its tools `echo` and `write` give their text back, `read` gives a result by its name
(`bench.results`). Run it with `python -m bench.upstream`; it prints its port as the first line.
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import uvicorn

from bench.results import text_of

MODERN = "2026-07-28"
LEGACY = "2025-11-25"

TOOLS = [
    {
        "name": name,
        "description": description,
        "inputSchema": {"type": "object", "properties": {given: {"type": "string"}}, "required": [given]},
    }
    for name, given, description in (
        ("echo", "text", "Give the text back."),
        ("read", "name", "Give the result that has this name."),
        ("write", "text", "Keep the text."),
    )
]
SERVER = {"name": "echo", "version": "1.0.0"}
STAMP = {"io.modelcontextprotocol/serverInfo": SERVER}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def discover(_: dict[str, Any]) -> dict[str, Any]:
    """What the server offers (2026-07-28)."""
    return {
        "resultType": "complete",
        "supportedVersions": [MODERN],
        "capabilities": {"tools": {}},
        "ttlMs": 3_600_000,
        "cacheScope": "public",
        "_meta": STAMP,
    }


def initialize(_: dict[str, Any]) -> dict[str, Any]:
    """The handshake (2025-11-25); no session is opened, as that revision allows."""
    return {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": SERVER}


def list_tools(_: dict[str, Any]) -> dict[str, Any]:
    """The tools; a client of the older era skips the members it does not know."""
    return {"resultType": "complete", "tools": TOOLS, "ttlMs": 3_600_000, "cacheScope": "public"}


def call_tool(params: dict[str, Any]) -> dict[str, Any]:
    """Return the text, or what has the name."""
    given = params["arguments"]
    text = text_of(given["name"]) if params["name"] == "read" else given["text"]
    return {"resultType": "complete", "content": [{"type": "text", "text": text}], "isError": False}


def ping(_: dict[str, Any]) -> dict[str, Any]:
    """Nothing, which says that the server lives (2025-11-25)."""
    return {}


METHODS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "tools/call": call_tool,
    "tools/list": list_tools,
    "server/discover": discover,
    "initialize": initialize,
    "ping": ping,
}


def answer(body: bytes) -> bytes | None:
    """The JSON-RPC answer to one message; None for a notification."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return orjson.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "not JSON"}})
    if "id" not in message:
        return None
    method = METHODS.get(message.get("method"))
    if method is None:
        error = {"code": -32601, "message": "no such method"}
        return orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error})
    try:
        result = method(message.get("params") or {})
    except (KeyError, TypeError, ValueError):
        error = {"code": -32602, "message": "`read` takes a `name`, the others a `text`"}
        return orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error})
    return orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """One HTTP exchange: a POST with one JSON-RPC message; no GET stream, no session to DELETE."""
    if scope["method"] != "POST":
        await send({"type": "http.response.start", "status": 405, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    answered = answer(body)
    status, out = (202, b"") if answered is None else (200, answered)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(out))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": out})


def serve(application: Application) -> None:
    """Serve on any free port of the loopback interface until stopped, and print it first."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(
        application,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=3600,
    )
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    serve(app)
