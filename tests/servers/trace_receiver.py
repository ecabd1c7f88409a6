# SPDX-License-Identifier: Apache-2.0
"""A real receiver of traces: an HTTP server that decodes OTLP with OpenTelemetry's own messages."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class TraceReceiver:
    """Keeps the spans that it takes, with the bytes that they came in."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []
        self.authorizations: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        """Take an `ExportTraceServiceRequest`."""
        body = await request.read()
        if body.startswith(b"\x1f\x8b"):
            body = await asyncio.to_thread(gzip.decompress, body)
        self.bodies.append(body)
        self.authorizations.append(request.headers.get("Authorization", ""))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response(body=b"", content_type="application/x-protobuf")

    def attributes(self, span: Span) -> dict[str, str]:
        """Return the attributes of a span."""
        return {one.key: one.value.string_value for one in span.attributes}


@asynccontextmanager
async def trace_receiver() -> AsyncIterator[TraceReceiver]:
    """Provide a receiver on a free port."""
    made = TraceReceiver()
    app = web.Application()
    app.router.add_post("/v1/traces", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    try:
        yield made
    finally:
        await runner.cleanup()
