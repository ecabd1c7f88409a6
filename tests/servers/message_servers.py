# SPDX-License-Identifier: Apache-2.0
"""Real servers that take messages for people on this machine: over HTTP, and by SMTP."""

from __future__ import annotations

import asyncio
import email
import email.message
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.clients.mail import SmtpPeer

Json = Any


class MessageServer:
    """Keeps what it takes; `answers` are statuses that it gives first. It is silent until `speak` is set."""

    def __init__(self) -> None:
        self.place = ""
        self.taken: list[Json] = []
        self.arrived = 0
        self.answers: list[int] = []
        self.speak = asyncio.Event()
        self.speak.set()

    async def take(self, request: web.Request) -> web.Response:
        """Take one."""
        told = await request.json()
        self.arrived += 1
        await self.speak.wait()
        if self.answers:
            return web.Response(status=self.answers.pop(0), headers={"Location": "/elsewhere"})
        self.taken.append(told)
        return web.json_response({})


@asynccontextmanager
async def message_server() -> AsyncIterator[MessageServer]:
    """Provide one that serves HTTP."""
    made = MessageServer()
    served = web.Application()
    served.router.add_route("*", "/{path:.*}", made.take)
    runner = web.AppRunner(served, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.place = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        made.speak.set()
        await runner.cleanup()


class MailServer:
    """Its last message, and the address that apprise uses for it."""

    def __init__(self) -> None:
        self.peer = SmtpPeer()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        writer.write(self.peer.greeting())
        while data := await reader.read(65_536):
            writer.write(self.peer.hear(data))
            await writer.drain()
        writer.close()

    def message(self) -> dict[str, str]:
        """Return the text of each part of the last message, by its type."""
        assert self.peer.message is not None
        parts = email.message_from_bytes(self.peer.message).walk()
        return {one.get_content_type(): _text(one) for one in parts if not one.is_multipart()}


def _text(part: email.message.Message) -> str:
    found = part.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found.decode()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """Provide one that speaks SMTP."""
    made = MailServer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.url = f"mailto://127.0.0.1:{port}?from=remit@acme.example&to=omar@acme.example&mode=insecure"
    async with server:
        yield made
