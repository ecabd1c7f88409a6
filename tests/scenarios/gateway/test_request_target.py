# SPDX-License-Identifier: Apache-2.0
"""Threat: a request that names another host, or asks for a tunnel, is served as if it had named remit."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn

from remit.cli.serve.connections import BoundedConnection
from remit.gateway.request_target import own_target_only
from tests.worlds.http_endpoint import RestWorld, rest_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[RestWorld]:
    """A shop behind the endpoint."""
    async with rest_world(tmp_path) as made:
        yield made


@asynccontextmanager
async def listening(world: RestWorld) -> AsyncIterator[int]:
    """Serve the endpoint as `remit up` does."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = own_target_only(world.endpoint, world.base)
    config = uvicorn.Config(app, lifespan="off", log_level="critical", http=BoundedConnection, ws="none")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await serving


async def raw(port: int, request: bytes) -> bytes:
    """Send bytes, and give what comes back until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(60):
        got = await reader.read(65_536)
    writer.close()
    return got


async def test_a_host_header_decides_nothing(world: RestWorld) -> None:
    """RFC 9112 section 3.2.2: the target does; and two lengths of one body are no request at all."""
    async with listening(world) as port:
        own = f"{world.base}/http/shop/customers/c-1"
        head = f"authorization: Bearer {world.token}\r\nconnection: close\r\n"
        got = await raw(port, f"GET {own} HTTP/1.1\r\nhost: evil.example\r\n{head}\r\n".encode())
        assert b"Ada" in got
        assert "evil" not in str(world.api.seen)
        seen = len(world.api.seen)
        for other in ("http://evil.example/http/shop/customers/c-1", f"{world.upstream.base}/customers/c-1"):
            got = await raw(port, f"GET {other} HTTP/1.1\r\nhost: {own[7:]}\r\n{head}\r\n".encode())
            assert got.startswith(b"HTTP/1.1 421")
            assert json.loads(got.partition(b"\r\n\r\n")[2])["code"] == "not-here"
        both = f"content-length: 5\r\ntransfer-encoding: chunked\r\n{head}"
        got = await raw(port, f"POST {own} HTTP/1.1\r\nhost: a\r\n{both}\r\n0\r\n\r\n".encode())
        assert got.startswith(b"HTTP/1.1 400")
        assert len(world.api.seen) == seen


async def test_bytes_after_a_refused_tunnel_are_no_request(world: RestWorld) -> None:
    """Nothing that is sent into the tunnel is read as a request."""
    async with listening(world) as port:
        inner = b"GET /http/shop/customers/c-1 HTTP/1.1\r\nhost: a\r\n"
        inner += f"authorization: Bearer {world.token}\r\n\r\n".encode()
        got = await raw(port, b"CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443\r\n\r\n" + inner)
        assert got.startswith(b"HTTP/1.1 421")
        assert b"Ada" not in got
    assert world.api.seen == []
