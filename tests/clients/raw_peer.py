# SPDX-License-Identifier: Apache-2.0
"""A TCP or TLS server that says exactly the bytes that a test tells it to say."""

import asyncio
import functools
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvloop

from remit.adapters.upstream.http1 import Limits, Origin, Pool

Serve = Callable[["Visit"], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Visit:
    """One connection, as the peer sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Read one request, head and body; raises `IncompleteReadError` when there is none."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        return head + await self.reader.readexactly(size)

    def say(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)

    def end(self) -> None:
        """End in order: FIN, under TLS after close_notify."""
        self.writer.close()

    def cut(self) -> None:
        """End without a word: under TLS without close_notify."""
        self.writer.transport.abort()


class RawPeer:
    """Counts its visits and keeps every request that it read."""

    def __init__(self, serve: Serve, port: int, scheme: str) -> None:
        self.serve = serve
        self.origin = Origin.parse(f"{scheme}://localhost:{port}")
        self.visits = 0
        self.requests: list[bytes] = []


@asynccontextmanager
async def raw_peer(serve: Serve, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawPeer]:
    """Run `serve` for each connection, until the block ends."""
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.visits += 1
        writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        guest = Visit(reader, writer)
        original = guest.request

        async def remember() -> bytes:
            request = await original()
            peer.requests.append(request)
            return request

        guest.request = remember  # type: ignore[method-assign]
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            await serve(guest)

    server = await asyncio.start_server(visit, "localhost", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    peer = RawPeer(serve, port, "https" if tls else "http")
    # One address family only: `localhost` may resolve to both, on different ports.
    host = server.sockets[0].getsockname()[0]
    if not tls:
        peer.origin = Origin("http", host, port)
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)
        await server.wait_closed()


@asynccontextmanager
async def pool_of(peer: RawPeer, *, tls: ssl.SSLContext | None = None, **limits: Any) -> AsyncIterator[Pool]:
    """Provide a pool to the peer, closed when the block ends."""
    pool = Pool(peer.origin, limits=Limits(**limits), ssl_context=tls)
    try:
        yield pool
    finally:
        await pool.close()


def answering(*answers: bytes) -> Serve:
    """Answer each request, on whatever connection, with the next of these; then keep the connection open."""
    left = list(answers)

    async def serve(visit: Visit) -> None:
        while True:
            await visit.request()
            visit.say(left.pop(0))

    return serve


async def ask(pool: Pool, method: bytes = b"POST", body: bytes = b"{}") -> tuple[int, bytes]:
    """Make one whole exchange."""
    connection = await pool.acquire()
    try:
        connection.send(method, b"/", [], body)
        head = await connection.head()
        return head.status, await connection.body()
    finally:
        connection.release()


async def until(so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not so():  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.001)


def each_loop(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on asyncio's own event loop and on uvloop, whose transports differ in small ways."""
    signature = inspect.signature(story)

    def test(*, new_loop: Callable[[], asyncio.AbstractEventLoop], **arguments: object) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(asyncio.wait_for(story(**arguments), 120))

    loop = inspect.Parameter("new_loop", inspect.Parameter.KEYWORD_ONLY)
    functools.update_wrapper(test, story)
    test.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), loop], return_annotation=None
    )
    del test.__wrapped__  # type: ignore[attr-defined]
    marked: Callable[..., None] = pytest.mark.parametrize(
        "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
    )(test)
    return marked
