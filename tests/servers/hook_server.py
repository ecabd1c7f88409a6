# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server that takes webhooks, and checks their signatures by the letter of Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Json = Any

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class HookServer:
    """Keeps what it takes, by id and in order; `answers` are statuses that it gives before it takes more."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[Json] = []
        self.ids: list[str] = []
        self.deliveries = 0
        self.answers: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        """Take one."""
        body = await request.read()
        message, sent = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = f"{message}.{sent}.".encode() + body
        wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert request.headers["webhook-signature"] == f"v1,{wanted}"
        assert request.content_type == "application/json"
        assert sent.isdecimal()
        self.deliveries += 1
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        if message not in self.ids:
            self.ids.append(message)
            self.taken.append(json.loads(body))
        return web.Response(status=204)


@asynccontextmanager
async def hook_server() -> AsyncIterator[HookServer]:
    """Provide one that serves on this machine."""
    made = HookServer()
    served = web.Application()
    served.router.add_post("/hook", made.take)
    runner = web.AppRunner(served)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield made
    finally:
        await runner.cleanup()
