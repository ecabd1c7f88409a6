# SPDX-License-Identifier: Apache-2.0
"""An unknown client can neither fill the memory nor keep connections for itself, nor write bytes that an
intermediary before the server reads in another way.
"""

import asyncio
import contextlib
import gc
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from remit.cli.serve import connections as connection
from remit.cli.serve.connections import MAX_HEAD_BYTES, AddressLimit, BoundedConnection, without_upgrade
from tests.clients.raw_peer import each_loop

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


#: A large answer, and what of it has been given to the server.
PIECE, PIECES = b"a" * 65_536, 512
GIVEN: list[int] = []


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the number of bytes of the body, once released where that is asked for; or with the names
    of the headers, or without having read the body.
    """
    size = 0
    if scope["path"] == "/refused":
        head = [(b"content-length", b"7"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": head})
        await send({"type": "http.response.body", "body": b"refused"})
        return
    while scope["path"] != "/unread":
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(1.3)
    body = str(size).encode()
    if scope["path"] == "/large":
        body = PIECE
    if scope["path"] == "/headers":
        body = b" ".join(name for name, _ in scope["headers"])
    pieces = PIECES if body is PIECE else 1
    head = [(b"content-length", str(len(body) * pieces).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    for _ in range(pieces - 1):
        await send({"type": "http.response.body", "body": body, "more_body": True})
        GIVEN.append(len(body))
    await send({"type": "http.response.body", "body": body})


LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await reader.read(1024 * 1024):
        yield piece


@asynccontextmanager
async def _served(kind: type[BoundedConnection] = BoundedConnection) -> AsyncIterator[int]:
    config = uvicorn.Config(_echo, port=0, http=kind, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def _sent(port: int, pieces: list[bytes]) -> bytes:
    """Send the pieces as far as they are taken, and give all that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    told = asyncio.create_task(reader.read())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return await told
    except ConnectionError:
        return await told if told.done() and told.exception() is None else b""
    finally:
        told.cancel()
        writer.close()


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX: ",
        b"GET /",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
)
async def test_a_head_without_an_end_closes_the_connection(beginning: bytes) -> None:
    """A header, an address, a trailer or a chunk's extension that does not end is cut off at the bound."""
    async with _served() as port, asyncio.timeout(60):
        endless = [beginning, *[b"a" * 16_384] * (20 * MAX_HEAD_BYTES // 16_384)]
        told = await _sent(port, endless)
        assert b" 200 " not in told


async def test_many_small_headers_count_together() -> None:
    """A great many headers are bounded as one long one is."""
    async with _served() as port, asyncio.timeout(60):
        many = [b"GET / HTTP/1.1\r\nHost: x\r\n", *[b"A: b\r\n" * 1000] * 200]
        assert b" 200 " not in await _sent(port, many)


async def test_a_head_that_does_not_come_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says nothing, half a head, or only line breaks does not keep the connection."""
    monkeypatch.setattr(connection, "HEAD_TIMEOUT_S", 0.2)
    async with _served() as port, asyncio.timeout(60):
        for beginning in (b"", b"\r\n", b"GET / HTTP/1.1\r\nHost:"):
            assert await _sent(port, [beginning]) == b""


async def test_a_whole_request_has_the_time_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes longer than a head may take is waited for, and the connection lives on."""
    monkeypatch.setattr(connection, "HEAD_TIMEOUT_S", 1.0)
    async with _served() as port, asyncio.timeout(60):
        ask = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        told = await _sent(port, [ask + last])
        assert told.count(b" 200 ") == 2


async def test_a_body_is_not_counted_as_a_head() -> None:
    """A large body passes, in one piece or in small chunks, and the next request of the connection too."""
    size = 5 * MAX_HEAD_BYTES
    whole = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"
    async with _served() as port, asyncio.timeout(60):
        told = await _sent(port, [whole, chunked])
        assert told.count(b" 200 ") == 2
        assert str(size).encode() in told
        assert told.endswith(b"50000")


CHUNKED = b"POST /headers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
ANOTHER = b"GET /headers HTTP/1.1\r\nHost: x\r\nX-Smuggled: y\r\n\r\n"


async def test_a_trailer_is_no_header() -> None:
    """An intermediary before the server reads nothing after the body as a header, and neither does the
    server.
    """
    async with _served() as port, asyncio.timeout(60):
        trailers = b"1\r\na\r\n0\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
        last = b"GET /headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        told = await _sent(port, [CHUNKED + b"\r\n" + trailers + last])
        assert b"host transfer-encodingHTTP/1.1" in told
        assert told.endswith(b"host connection")


@pytest.mark.parametrize("name", [b"Upgrade", b"upgrade"])
async def test_a_wish_for_another_protocol_is_ignored(name: bytes) -> None:
    """The parser would leave the body to that protocol, and read it as a separate request. Java's client
    offers HTTP/2 with its first request, whatever that is.
    """
    async with _served() as port, asyncio.timeout(60):
        head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n" + name + b": h2c\r\n"
        framed = b"HTTP2-Settings: AAEAAEAAAAIAAAAB\r\nContent-Length: %d\r\n\r\n" % len(ANOTHER)
        last = b"GET /headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        whole = await _sent(port, [head % b"/" + framed, ANOTHER + last])
        assert b"\r\n\r\n%dHTTP/1.1 200" % len(ANOTHER) in whole
        assert whole.endswith(b"host connection")
        names = await _sent(port, [head % b"/headers" + framed + ANOTHER + last])
        assert b"host connection http2-settings content-lengthHTTP/1.1" in names


@pytest.mark.parametrize("written", [b"uPgRaDe: h2c\r\n", b"Upgrade: h2c\r\n a\r\n"])
async def test_a_body_is_no_request_where_another_protocol_is_asked_for(written: bytes) -> None:
    """A wish that is written oddly, or over two lines, is not taken out, and refused."""
    async with _served() as port, asyncio.timeout(60):
        head = b"POST /headers HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n" + written + b"\r\n"
        told = await _sent(port, [head, ANOTHER])
        assert b"x-smuggled" not in told
        assert b" 400 " in told


@pytest.mark.parametrize("left", [b"Upgr", b"Upgrade: h2", b"Upgrade: h2c\r\n"])
def test_only_of_a_whole_head_is_a_wish_taken_out(left: bytes) -> None:
    """What comes in pieces is left to the parser, and so refused; a body is never touched."""
    head = b"POST / HTTP/1.1\r\nConnection: upgrade\r\n"
    assert without_upgrade(head + left) == head + left
    body = b"\r\n\r\nUpgrade: a\r\nb"
    assert without_upgrade(head + b"upgrade: h2c" + body + body) == head[:-2] + body + body


async def test_what_follows_a_tunnel_is_no_request() -> None:
    """`CONNECT` is answered, and the connection ends."""
    async with _served() as port, asyncio.timeout(60):
        told = await _sent(port, [b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", ANOTHER])
        assert b"x-smuggled" not in told


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/2.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_a_head_that_two_could_read_differently_is_refused(head: bytes) -> None:
    """A coding that would have to be undone, a version that has none, two hosts: 400, and nothing is read."""
    async with _served() as port, asyncio.timeout(60):
        told = await _sent(port, [head + b"0\r\n\r\n"])
        assert told.startswith(b"HTTP/1.1 400 ")
        assert told.count(b"HTTP/1.1 ") == 1


async def test_what_is_no_request_is_not_the_answer_to_the_one_before() -> None:
    """A refusal that came before the answer to a request would be taken for that answer."""
    async with _served() as port, asyncio.timeout(60):
        told = await _sent(port, [b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nno request\r\n\r\n"])
        assert told == b""
        assert b" 400 " in await _sent(port, [b"no request\r\n\r\n"])


async def test_requests_that_wait_on_one_connection_are_few() -> None:
    """Each would be held, as large as it becomes when it is read, until those before it are answered."""
    async with _served() as port, asyncio.timeout(60):
        one = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        assert await _sent(port, [one * 10_000]) == b""
        last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert (await _sent(port, [one * connection.MAX_WAITING + last])).count(b" 200 ") == 33


async def test_short_headers_are_counted() -> None:
    """They become many times as large as they were sent."""
    async with _served() as port, asyncio.timeout(60):
        head = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * (connection.MAX_HEADERS + 1)
        assert b" 400 " in await _sent(port, [head])


async def test_a_body_that_nobody_waits_for_does_not_keep_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who has their answer before their body has come sends it soon, or not at all."""
    monkeypatch.setattr(connection, "HEAD_TIMEOUT_S", 0.2)
    async with _served() as port, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"a")
        assert await reader.read() == b""
        writer.close()


async def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be held as long as its client likes, and the upstream's connection with it."""
    monkeypatch.setattr(connection, "TAKE_TIMEOUT_S", 0.5)
    async with _served() as port, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(LARGE)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(1)
        try:
            taken = sum([len(piece) async for piece in _pieces(reader)])
        except ConnectionError:
            taken = 0
        assert taken < len(PIECE) * PIECES
        writer.close()


@each_loop
async def test_what_nobody_takes_is_not_written() -> None:
    """Otherwise a result of any size would lie in the connection: of no call, in no bound, past any end. A
    client that reads it gets it whole.
    """
    GIVEN.clear()
    async with _served() as port, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(LARGE)
        await reader.readuntil(b"\r\n\r\n")
        assert len(GIVEN) < PIECES - 1
        assert len(await reader.readexactly(len(PIECE) * PIECES)) == len(PIECE) * PIECES
        writer.close()


def _first_sent_then_read(port: int, size: int) -> bytes:
    """Send a whole request before looking for an answer, as most clients do."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        head = f"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        line.sendall(head.encode() + bytes(size))
        told = b""
        while piece := line.recv(65_536):
            told += piece
        return told


async def test_who_is_refused_while_still_sending_can_read_why() -> None:
    """The last answer is not lost to a reset: what is still sent is let go, and then the connection ends."""
    async with _served() as port:
        told = await asyncio.to_thread(_first_sent_then_read, port, 20_000_000)
    assert told.startswith(b"HTTP/1.1 413 ")
    assert told.endswith(b"refused")


async def test_who_sends_on_and_on_after_the_last_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is let go has a bound."""
    monkeypatch.setattr(connection, "LINGER_BYTES", 1000)
    async with _served() as port:
        with pytest.raises(ConnectionError):
            await asyncio.to_thread(_first_sent_then_read, port, 200_000_000)


async def test_who_stays_after_the_last_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not come keeps no connection."""
    monkeypatch.setattr(connection, "LINGER_S", 0.1)
    async with _served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        assert (await reader.read()).endswith(b"refused")
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(60):
                while True:
                    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.01)
        writer.close()


def _limited(most: int, *proxies: str, total: int = 1000) -> type[BoundedConnection]:
    """Return connections of which one address may have so many, and all together `total`."""
    limit = AddressLimit(most, proxies, total)
    return type("LimitedConnection", (BoundedConnection,), {"addresses": limit})


async def test_all_addresses_together_hold_a_bounded_number_of_connections() -> None:
    """Who has many addresses shuts no one out: held connections give way first, and served ones stay."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with _served(_limited(2, total=4)) as port, asyncio.timeout(60):
        every = []
        for number in range(2, 10):
            every.append(
                await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.0.{number}", 0))
            )
            await asyncio.sleep(0)
        assert (await _sent(port, [request])).startswith(b"HTTP/1.1 200 ")
        for reader, _ in every[:5]:
            assert await _ended(reader)
        every.append(await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.10", 0)))
        for _, writer in every[5:]:
            writer.write(LARGE)
        await asyncio.sleep(0.1)
        answered = await _sent(port, [request])
        assert answered.startswith(b"HTTP/1.1 503 ")
        assert b"`limits.max_connections`" in answered
        for _, writer in every:
            writer.close()


async def _ended(reader: asyncio.StreamReader) -> bool:
    """Return whether the other side has closed a connection without a word."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_one_address_holds_a_bounded_number_of_connections() -> None:
    """While all are served, a further one is told why, also while it sends, and of twice as many none is;
    when some are closed, others are served.
    """
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with _served(_limited(2)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in held:
            writer.write(LARGE)
        await asyncio.sleep(0.1)
        answered = await _sent(port, [request])
        assert answered.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answered
        assert b"max_connections_per_address" in answered
        turned_away = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert await _sent(port, [request]) == b""
        for _, writer in (*held, *turned_away):
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(60):
            while not (await _sent(port, [request])).startswith(b"HTTP/1.1 200 "):
                pass


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GE",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGE",
    ],
)
async def test_connections_that_are_only_held_give_way(begun: bytes) -> None:
    """A program that holds all of its address shuts out no one there: nothing sent, a part, or no more."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with _served(_limited(3)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _, writer in held:
            writer.write(begun)
        for reader, _ in held if begun.startswith(b"GET") else []:
            await reader.readuntil(b"\r\n\r\n0")
        for _ in range(4):
            assert (await _sent(port, [request])).startswith(b"HTTP/1.1 200 ")
        for _, writer in held:
            writer.close()


async def test_a_trusted_proxy_has_no_such_limit() -> None:
    """Behind it, one address stands for many clients."""
    async with _served(_limited(1, "127.0.0.0/8")) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        answered = await _sent(port, [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"])
        assert answered.startswith(b"HTTP/1.1 200 ")
        for _, writer in held:
            writer.close()


@each_loop
@pytest.mark.parametrize("after", [b"", HALF, LARGE])
async def test_a_connection_that_was_lost_leaves_nothing_in_memory(after: bytes) -> None:
    """What it leaves would stay until a collection of all objects: hours, with all that its calls held."""
    left: list[weakref.ref[object]] = []

    class Seen(BoundedConnection):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            left.append(weakref.ref(self))

    gc.disable()
    try:
        async with _served(Seen) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await reader.readuntil(b"0")
            writer.write(after)
            await writer.drain()
            writer.close()
        assert [one() for one in left] == [None]
    finally:
        gc.enable()
