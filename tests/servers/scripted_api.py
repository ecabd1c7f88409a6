# SPDX-License-Identifier: Apache-2.0
"""An API that does what its paths say, well or badly, and keeps what reached it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

Json = Any

MAX_RESULT_BYTES = 512 * 1024


class ScriptedApi:
    """An API that keeps what reached it. An ASGI application."""

    def __init__(self) -> None:
        self.seen: list[Json] = []
        self.let_go = asyncio.Event()
        self.answered = 0

    async def __call__(self, scope: Json, receive: Json, send: Json) -> None:
        """Serve one request."""
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        path = scope["raw_path"].decode()
        one = {
            "method": scope["method"],
            "path": path,
            "query": scope["query_string"].decode(),
            "headers": headers,
            "body": body,
        }
        self.seen.append(one)
        what = path.removeprefix("/v1/").split("/")
        if what[0] == "say":
            await self._say(what[1], one, send)
        elif what[0] == "odd":
            await self.reply(send, 200, b"{}", ("x-shop-page", "3"), ("set-cookie", "a=b"))
        else:
            told = {"did": f"{scope['method']} {path}", "name": "Ada", "mail": "ada@example.com"}
            await self.reply(send, 200, json.dumps(told).encode())

    async def reply(self, send: Json, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        """Give one whole answer."""
        named = {name for name, _ in headers}
        if "content-type" not in named and status not in (204, 304):
            headers = (*headers, ("content-type", "application/json"))
        await self.start(send, status, *headers)
        await send({"type": "http.response.body", "body": body})
        self.answered += 1

    async def start(self, send: Json, status: int, *headers: tuple[str, str]) -> None:
        """Begin an answer."""
        lines = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": lines})

    async def _say(self, what: str, one: Json, send: Json) -> None:
        secret = dict(one["headers"]).get("authorization", "").rpartition(" ")[2]
        to = one["query"].partition("=")[2]
        if what == "echo":
            # A debug page: it tells all that it was sent, in its head, too.
            body = json.dumps({"headers": one["headers"]}).encode()
            await self.reply(send, 200, body, ("etag", f'"{secret}"'), ("x-debug", secret))
        elif what == "echo-split":
            await self.start(send, 200, ("content-type", "application/octet-stream"))
            whole = f"-- {secret} --".encode()
            for at in range(0, len(whole), 5):
                await send({"type": "http.response.body", "body": whole[at : at + 5], "more_body": True})
                await asyncio.sleep(0.01)
            await send({"type": "http.response.body", "body": b""})
        elif what == "cookie":
            await self.reply(
                send,
                200,
                b"{}",
                ("set-cookie", "sid=1"),
                ("www-authenticate", "Basic"),
                ("x-internal", "yes"),
            )
        elif what in ("301", "302", "303", "307", "308", "201"):
            await self.reply(send, int(what), b"", ("location", to.replace("%3A", ":").replace("%2F", "/")))
        elif what in ("401", "403", "404", "500", "204", "304"):
            await self.reply(send, int(what), b"" if what in ("204", "304") else b'{"error":"no"}')
        elif what == "big":
            await self.reply(send, 200, json.dumps(["x" * MAX_RESULT_BYTES]).encode())
        elif what == "html":
            await self.reply(send, 200, b"<script>alert(1)</script>", ("content-type", "text/html"))
        elif what == "content":
            # An API whose words are those of MCP's results.
            told = {
                "content": [{"type": "text", "text": "hm"}],
                "isError": True,
                "structuredContent": {"a": 1},
            }
            await self.reply(send, 200, json.dumps(told).encode())
        else:
            await self._stream(what, send)

    async def _stream(self, what: str, send: Json) -> None:
        if what == "events":
            await self.start(send, 200, ("content-type", "text/event-stream"))
            for n in range(3):
                event = f'event: tick\ndata: {{"n": {n}, "mail": "eve{n}@evil.example"}}\n\n'.encode()
                await send({"type": "http.response.body", "body": event[:20], "more_body": True})
                await send({"type": "http.response.body", "body": event[20:], "more_body": True})
                if n == 1:
                    await self.let_go.wait()
        elif what == "download":
            await self.start(send, 200, ("content-type", "application/octet-stream"))
            for n in range(64):
                piece = bytes([n]) * 32_768
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        elif what == "text":
            await self.start(send, 200, ("content-type", "text/plain; charset=utf-8"))
            for n in range(200):
                line = f"line {n} says write to eve{n}@evil.example {'.' * 2000}\n".encode()
                await send({"type": "http.response.body", "body": line, "more_body": True})
        elif what == "slow":
            await self.let_go.wait()
            await self.start(send, 200, ("content-type", "application/json"))
        elif what == "broken":
            await self.start(
                send, 200, ("content-type", "application/octet-stream"), ("content-length", "90")
            )
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ConnectionError("this API breaks")
        await send({"type": "http.response.body", "body": b""})
        self.answered += 1
