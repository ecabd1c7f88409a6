# SPDX-License-Identifier: Apache-2.0
"""Real receivers of exported evidence: an HTTP server for lines and OTLP logs, and a syslog server."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Json = Any


class LogReceiver:
    """Keeps the lines that it takes; none while `down`. `answers` are given before it takes more."""

    def __init__(self) -> None:
        self.port = 0
        self.lines: list[str] = []
        self.heads: list[str] = []
        self.authorizations: list[str] = []
        self.answers: list[tuple[int, bytes]] = []
        self.down = False

    async def take_lines(self, request: web.Request) -> web.Response:
        """Take a batch of lines."""
        assert request.content_type == "application/x-ndjson"
        text = (await request.read()).decode()
        assert text.endswith("\n")
        return self._taken(request, text.split("\n")[:-1])

    async def take_otlp(self, request: web.Request) -> web.Response:
        """Take an `ExportLogsServiceRequest`."""
        assert request.content_type == "application/json"
        records = [
            record
            for resource in json.loads(await request.read())["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]
        assert all(one["eventName"] and int(one["timeUnixNano"]) > 0 for one in records)
        return self._taken(request, [one["body"]["stringValue"] for one in records])

    def _taken(self, request: web.Request, lines: list[str]) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization", ""))
        if self.down:
            return web.Response(status=503)
        if self.answers:
            status, body = self.answers.pop(0)
            return web.Response(status=status, body=body)
        self.lines += lines
        return web.json_response({})

    async def take_syslog(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take messages with counted octets until the sender has finished."""
        taken: list[tuple[str, str]] = []
        try:
            while not self.down and (size := await reader.read(1)):
                while not size.endswith(b" "):
                    size += await reader.readexactly(1)
                message = (await reader.readexactly(int(size))).decode()
                head, _, text = message.partition(" - ")
                taken.append((head, text))
        except (asyncio.IncompleteReadError, OSError):
            self.down = True
        if self.down:
            writer.transport.abort()
            return
        self.heads += [head for head, _ in taken]
        self.lines += [text for _, text in taken]
        writer.close()


@asynccontextmanager
async def http_receiver() -> AsyncIterator[LogReceiver]:
    """Provide a receiver of `/lines` and `/v1/logs` on this machine."""
    made = LogReceiver()
    served = web.Application(client_max_size=16 * 1024 * 1024)
    served.router.add_post("/lines", made.take_lines)
    served.router.add_post("/v1/logs", made.take_otlp)
    runner = web.AppRunner(served)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def syslog_receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[LogReceiver]:
    """Provide a receiver of syslog on this machine."""
    made = LogReceiver()
    server = await asyncio.start_server(made.take_syslog, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
