# SPDX-License-Identifier: Apache-2.0
"""Threat: an upstream, or an attacker on the way to it, makes one call's answer out of another's bytes.

A third-party upstream shares connections between calls of different tasks. If it could leave bytes on a
connection that the next call takes for its answer, it would speak for a tool that was never called, past
every label and every obligation of the call that those bytes belong to. So a response that could be framed in
two ways is refused, and a connection on which unrequested bytes arrived serves no further call.
"""

import asyncio
from typing import Any

import pytest

from remit.adapters.upstream.http1 import Connection
from remit.core.errors import UpstreamFault, UpstreamUnreachable
from tests.clients.raw_peer import OK, Visit, answering, ask, each_loop, pool_of, raw_peer, until

H = b"HTTP/1.1 200 OK\r\n"
EVIL = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"

FRAMED_IN_TWO_WAYS = {
    "length and chunks": H + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": H + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": H + b"content-length: 2\r\ncontent-length: 3\r\n\r\nabc",
    "one length twice": H + b"content-length: 2\r\ncontent-length: 2\r\n\r\nab",
    "a list of lengths": H + b"content-length: 2, 2\r\n\r\nab",
    "a signed length": H + b"content-length: +2\r\n\r\nab",
    "a negative length": H + b"content-length: -2\r\n\r\nab",
    "a hexadecimal length": H + b"content-length: 0x2\r\n\r\nab",
    "an empty length": H + b"content-length:\r\n\r\nab",
    "a length beyond 64 bits": H + b"content-length: 18446744073709551618\r\n\r\nab",
    "another coding": H + b"transfer-encoding: gzip\r\n\r\nab",
    "another coding before": H + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "another coding after": H + b"transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": H + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two transfer codings": H + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": H + b"transfer-encoding: identity\r\n\r\nab",
    "a look-alike": H + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a look-alike of the name": H + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "a control character": H + b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded header": H + b"x-a: b\r\n content-length: 2\r\n\r\nab",
    "a folded coding": H + b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a bare line feed": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nab",
    "a bare carriage return": H + b"x-a: b\rcontent-length: 2\r\n\r\nab",
    "a null": H + b"x-a: \0\r\ncontent-length: 2\r\n\r\nab",
    "a header without a name": H + b": b\r\ncontent-length: 2\r\n\r\nab",
    "a header without a colon": H + b"content-length\r\n\r\nab",
    "a chunk size with a sign": H + b"transfer-encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n",
    "a chunk size with a prefix": H + b"transfer-encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": H
    + b"transfer-encoding: chunked\r\n\r\n10000000000000002\r\nab\r\n0\r\n\r\n",
    "a chunk size with spaces": H + b"transfer-encoding: chunked\r\n\r\n2 \r\nab\r\n0\r\n\r\n",
    "a chunk that ends elsewhere": H + b"transfer-encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n",
    "a chunk with a bare line feed": H + b"transfer-encoding: chunked\r\n\r\n2\nab\n0\n\n",
}
NOT_HTTP1 = {
    "another protocol": b"RTSP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab",
    "streaming radio": b"ICY 200 OK\r\ncontent-length: 2\r\n\r\nab",
    "HTTP/2": b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nab",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\ncontent-length: 2\r\n\r\nab",
    "no status line": b"ab",
    "an empty line first": b"\r\n" + OK,
    "a status of two digits": b"HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nab",
    "a status beyond all": b"HTTP/1.1 999 What\r\ncontent-length: 2\r\n\r\nab",
    "a status beyond those of servers": b"HTTP/1.1 600 What\r\ncontent-length: 2\r\n\r\nab",
    "a status before all": b"HTTP/1.1 099 What\r\ncontent-length: 2\r\n\r\nab",
    "no status": b"HTTP/1.1 000 What\r\ncontent-length: 2\r\n\r\nab",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "an unnamed upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "a compressed body": H + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\nab",
}
TOO_MUCH = {
    "a body by its length": H + b"content-length: 1001\r\n\r\n",
    "a body beyond counting": H + b"content-length: 9223372036854775807\r\n\r\n",
    "a body in chunks": H + b"transfer-encoding: chunked\r\n\r\n" + (b"64\r\n" + b"a" * 100 + b"\r\n") * 11,
    "a body without end": H + b"\r\n" + b"a" * 1001,
    "one header": H + b"x-a: " + b"a" * 2000 + b"\r\ncontent-length: 0\r\n\r\n",
    "a header without end": H + b"x-a: " + b"a" * 2000,
    "a name without end": H + b"a" * 2000,
    "a reason without end": b"HTTP/1.1 200 " + b"a" * 2000,
    "many headers": H + b"a:\r\n" * 33 + b"content-length: 0\r\n\r\n",
    "a chunk extension": H + b"transfer-encoding: chunked\r\n\r\n1;" + b"a" * 2000,
    "trailers": H + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"x-a: aaaaaaaaaa\r\n" * 100,
    "informational responses": b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK,
}
LIMITS: dict[str, Any] = {
    "max_header_bytes": 1024,
    "max_header_count": 32,
    "max_body_bytes": 1000,
    "max_informational": 8,
}


async def refused(answer: bytes, pieces: int) -> None:
    """The answer is a fault, and the next call is answered on another connection."""

    async def serve(visit: Visit) -> None:
        await visit.request()
        if len(peer.requests) > 1:
            visit.say(OK)
        elif pieces == 1:
            visit.say(answer)
        else:
            for byte in answer:
                visit.say(bytes((byte,)))
                await asyncio.sleep(0)
        await visit.request()

    async with raw_peer(serve) as peer, pool_of(peer, max_connections=1, idle_timeout_s=5, **LIMITS) as pool:
        with pytest.raises(UpstreamFault) as caught:
            await ask(pool)
        assert caught.value.sent
        assert caught.value.code != "upstream-timeout"
        assert len(peer.requests) == 1
        assert await ask(pool) == (200, b"ok")
        assert peer.visits == 2


@each_loop
@pytest.mark.parametrize("pieces", [1, 2], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("answer", FRAMED_IN_TWO_WAYS.values(), ids=FRAMED_IN_TWO_WAYS.keys())
async def test_a_response_framed_in_two_ways_is_refused(answer: bytes, pieces: int) -> None:
    """Where two readers could see different ends, nothing is read."""
    await refused(answer, pieces)


@each_loop
@pytest.mark.parametrize("answer", NOT_HTTP1.values(), ids=NOT_HTTP1.keys())
async def test_a_response_that_is_not_plain_http1_is_refused(answer: bytes) -> None:
    """Other protocols, other versions, switched protocols and unrequested content codings are refused."""
    await refused(answer, 1)


@each_loop
@pytest.mark.parametrize("answer", TOO_MUCH.values(), ids=TOO_MUCH.keys())
async def test_a_response_without_measure_is_refused(answer: bytes) -> None:
    """Every part of a response has a bound, including the parts that no client gets to see."""
    await refused(answer, 1)


@each_loop
@pytest.mark.parametrize(
    "extra", [EVIL, b"H", b"HTTP/1.1 ", b"x", b"\0" * 100, b"HTTP/1.1 100 Continue\r\n\r\n"]
)
async def test_what_follows_a_response_answers_nobody(extra: bytes) -> None:
    """Bytes after a complete response spoil the connection, not the response, and are never an answer."""
    async with raw_peer(answering(OK + extra, OK)) as peer, pool_of(peer, max_connections=1) as pool:
        assert await ask(pool) == (200, b"ok")
        assert await ask(pool) == (200, b"ok")
        assert peer.visits == 2


@each_loop
@pytest.mark.parametrize("late", [EVIL, b"H", b"\r\n"])
async def test_a_response_that_comes_while_nobody_asks_answers_nobody(late: bytes) -> None:
    """Anything that comes some time after a response, on a connection that is idle, closes the connection."""
    sent = asyncio.Event()

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(OK)
        await visit.writer.drain()
        await asyncio.sleep(0.02)
        visit.say(late)
        sent.set()
        await visit.request()
        visit.say(EVIL)

    async with raw_peer(serve) as peer, pool_of(peer, max_connections=1) as pool:
        for visits in range(1, 4):
            assert await ask(pool) == (200, b"ok")
            await sent.wait()
            sent.clear()
            await asyncio.sleep(0.01)
            assert peer.visits == visits


@each_loop
async def test_a_response_before_the_request_answers_nobody() -> None:
    """An upstream that answers on connection, before it was asked, is not heard."""

    async def serve(visit: Visit) -> None:
        visit.say(EVIL)
        await visit.request()

    async with raw_peer(serve) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        await until(lambda: connection._wire is None or not connection._wire.usable())
        with pytest.raises(UpstreamUnreachable) as caught:
            connection.send(b"POST", b"/", [])
        assert not caught.value.sent
        assert peer.requests == []
        connection.release()


@each_loop
async def test_a_body_after_a_response_without_one_answers_nobody() -> None:
    """A 304 that sends the body it may not have does not feed it to the next call."""
    for first in (
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: %d\r\n\r\n" % len(EVIL),
        b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
    ):
        async with raw_peer(answering(first + EVIL, OK)) as peer, pool_of(peer, max_connections=1) as pool:
            assert (await ask(pool, b"GET", b""))[1] == b""
            assert await ask(pool) == (200, b"ok")
            assert peer.visits == 2


@each_loop
async def test_an_answer_to_head_with_a_body_answers_nobody() -> None:
    """The body that HEAD may not have is not the next call's answer."""
    first = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(EVIL)
    async with raw_peer(answering(first + EVIL, OK)) as peer, pool_of(peer, max_connections=1) as pool:
        assert await ask(pool, b"HEAD", b"") == (200, b"")
        assert await ask(pool) == (200, b"ok")
        assert peer.visits == 2


@each_loop
async def test_a_response_left_unread_answers_nobody() -> None:
    """A caller that goes away in the middle of a response takes its connection with it."""
    began = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"

    async def serve(visit: Visit) -> None:
        await visit.request()
        if len(peer.requests) == 1:
            visit.say(began)
            await asyncio.sleep(0.02)
            visit.say(EVIL)
        else:
            visit.say(OK)
        await visit.request()

    async with raw_peer(serve) as peer, pool_of(peer, max_connections=1) as pool:
        connection: Connection = await pool.acquire()
        connection.send(b"POST", b"/", [])
        await connection.head()
        connection.release()
        assert await ask(pool) == (200, b"ok")
        assert peer.visits == 2


@each_loop
async def test_every_call_gets_its_own_answer() -> None:
    """Two hundred calls at once over five connections, answered in pieces: none gets another's answer."""

    async def serve(visit: Visit) -> None:
        while True:
            body = (await visit.request()).rpartition(b"\r\n\r\n")[2]
            answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
            if len(body) % 3 == 0:
                answer += EVIL
            for start in range(0, len(answer), 7):
                visit.say(answer[start : start + 7])
                await asyncio.sleep(0)

    async with raw_peer(serve) as peer, pool_of(peer, max_connections=5) as pool:
        bodies = [b"%d" % number * (number % 5 + 1) for number in range(200)]
        answers = await asyncio.gather(*(ask(pool, body=body) for body in bodies))
        assert answers == [(200, body) for body in bodies]
