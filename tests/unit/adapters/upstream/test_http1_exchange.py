# SPDX-License-Identifier: Apache-2.0
"""What one exchange with an upstream does, from the write to the last byte."""

import asyncio

import pytest

from remit.core.errors import OutOfOrder, UpstreamFault, UpstreamUnreachable
from tests.clients.raw_peer import OK, Visit, answering, ask, each_loop, pool_of, raw_peer

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@each_loop
async def test_a_request_is_one_write_of_head_and_body() -> None:
    """The upstream gets the method, target, host, headers and body, and nothing that was not asked for."""
    async with raw_peer(answering(OK)) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        connection.send(b"POST", b"/mcp?a=1", [(b"X-One", b"1"), (b"accept", b"*/*")], b"body")
        assert (await connection.head()).status == 200
        assert await connection.body() == b"ok"
        connection.release()
        assert peer.requests == [
            b"POST /mcp?a=1 HTTP/1.1\r\nhost: %s\r\naccept-encoding: identity\r\n"
            b"X-One: 1\r\naccept: */*\r\ncontent-length: 4\r\n\r\nbody" % peer.origin.authority.encode()
        ]


@each_loop
async def test_a_connection_serves_again() -> None:
    """Exchanges in a row use one connection."""
    async with raw_peer(answering(OK, CHUNKED + b"1\r\na\r\n0\r\n\r\n", OK)) as peer, pool_of(peer) as pool:
        assert [await ask(pool) for _ in range(3)] == [(200, b"ok"), (200, b"a"), (200, b"ok")]
        assert peer.visits == 1


@each_loop
async def test_a_large_request_arrives_whole() -> None:
    """A body of several megabytes is written from the same synchronous send."""
    body = bytes(range(256)) * 16_384
    async with raw_peer(answering(OK)) as peer, pool_of(peer) as pool:
        await ask(pool, body=body)
        assert peer.requests[0].endswith(b"\r\n\r\n" + body)


@each_loop
async def test_header_names_are_lowered_and_repeats_are_kept() -> None:
    """A head gives every value in order; `get` gives a value only when there is exactly one."""
    answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\nX-B: b\r\nContent-Length: 0\r\n\r\n"
    async with raw_peer(answering(answer)) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        connection.send(b"GET", b"/", [])
        head = await connection.head()
        assert head.values(b"x-a") == [b"1", b"2"]
        assert head.get(b"x-a") is None
        assert head.get(b"x-b") == b"b"
        assert head.get(b"x-empty") == b""
        assert head.get(b"x-none") is None
        connection.release()


@each_loop
async def test_pieces_come_as_they_arrive() -> None:
    """A streamed body is read while the upstream is still writing it."""
    taken = asyncio.Event()

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(CHUNKED + b"3\r\none\r\n")
        await taken.wait()
        visit.say(b"3\r\ntwo\r\n0\r\nX-Trailer: dropped\r\n\r\n")
        await visit.request()

    async with raw_peer(serve) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        connection.send(b"POST", b"/", [])
        pieces = []
        async for piece in connection.chunks():
            pieces.append(piece)
            taken.set()
        assert pieces == [b"one", b"two"]
        assert (await connection.head()).values(b"x-trailer") == []
        connection.release()


@each_loop
async def test_an_upstream_is_held_back_while_nobody_reads() -> None:
    """What waits in memory stays near the mark however much the upstream has to say, and nothing is lost."""
    size = 32 * 1024 * 1024

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        await asyncio.sleep(0.01)  # so that the idle time-out is running before the pause begins
        for _ in range(size // 65536):
            visit.say(bytes(65536))
            await visit.writer.drain()

    # The idle time-out is shorter than the pause: it does not run against a reader who takes its time. (And
    # longer than a busy machine lets this test wait between two pieces.)
    async with raw_peer(serve) as peer, pool_of(peer, idle_timeout_s=2) as pool:
        connection = await pool.acquire()
        connection.send(b"GET", b"/", [])
        assert (await connection.head()).status == 200
        await asyncio.sleep(2.2)
        assert connection._wire is not None
        assert connection._wire.unread_bytes < 1024 * 1024
        assert sum([len(piece) async for piece in connection.chunks()]) == size
        connection.release()


@each_loop
@pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 404, 500, 503])
async def test_every_final_status_is_an_answer(status: int) -> None:
    """Redirects are not followed and errors are not raised: the caller gets what was said."""
    answer = b"HTTP/1.1 %d X\r\nlocation: http://other.test/\r\ncontent-length: 0\r\n\r\n" % status
    async with raw_peer(answering(answer)) as peer, pool_of(peer) as pool:
        assert await ask(pool) == (status, b"")
        assert len(peer.requests) == 1


@each_loop
async def test_informational_responses_are_skipped() -> None:
    """A 103 before the answer is dropped with its headers."""
    answer = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK
    async with raw_peer(answering(answer)) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        connection.send(b"POST", b"/", [])
        head = await connection.head()
        assert (head.status, head.values(b"link")) == (200, [])
        connection.release()


@each_loop
async def test_responses_without_a_body_end_at_their_head() -> None:
    """204, 304 and the answer to HEAD are complete without a body, whatever length they state."""
    answers = (
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        OK,
    )
    async with raw_peer(answering(*answers)) as peer, pool_of(peer) as pool:
        assert await ask(pool, b"GET", b"") == (204, b"")
        assert peer.visits == 1
        # The next two state the length of a body that they do not have. If that were wrong, the body would
        # follow, so their connections are not used again.
        assert await ask(pool, b"GET", b"") == (304, b"")
        assert await ask(pool, b"HEAD", b"") == (200, b"")
        assert await ask(pool) == (200, b"ok")
        assert peer.visits == 3


@each_loop
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
    ],
)
async def test_an_orderly_end_ends_a_body_without_length(head: bytes) -> None:
    """A body that nothing else frames is complete when the upstream ends the connection in order."""

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(head + b"until the end")
        visit.end()

    async with raw_peer(serve) as peer, pool_of(peer) as pool:
        assert await ask(pool) == (200, b"until the end")
        assert await ask(pool) == (200, b"until the end")
        assert peer.visits == 2


@each_loop
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_will_close_is_not_used_again(answer: bytes) -> None:
    """`connection: close`, and HTTP/1.0 without keep-alive, end the connection with the response."""
    async with raw_peer(answering(answer, answer)) as peer, pool_of(peer) as pool:
        assert await ask(pool) == (200, b"ok")
        assert await ask(pool) == (200, b"ok")
        assert peer.visits == 2


@each_loop
async def test_silence_after_the_request_leaves_the_outcome_unknown() -> None:
    """A connection that ends without an answer is a fault with `sent`; the request is never written twice."""

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(OK)
        await visit.request()
        visit.end()

    async with raw_peer(serve) as peer, pool_of(peer) as pool:
        assert await ask(pool) == (200, b"ok")
        with pytest.raises(UpstreamUnreachable) as caught:
            await ask(pool)
        assert caught.value.sent
        assert not isinstance(caught.value, UpstreamFault)
        assert (len(peer.requests), peer.visits) == (2, 1)


@each_loop
@pytest.mark.parametrize(
    "part",
    [
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
        CHUNKED + b"5\r\nabc",
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n",
    ],
)
async def test_a_response_cut_short_is_a_fault(part: bytes) -> None:
    """An end before the framing's own end is never taken for a complete response."""

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(part)
        visit.end()

    async with raw_peer(serve) as peer, pool_of(peer) as pool:
        with pytest.raises(UpstreamFault) as caught:
            await ask(pool)
        assert (caught.value.sent, caught.value.code) == (True, "upstream-truncated")


@each_loop
async def test_an_upstream_that_does_not_answer_runs_into_the_time_out() -> None:
    """Bytes of a head, dripped one by one, do not extend the time for the head."""

    async def serve(visit: Visit) -> None:
        await visit.request()
        for byte in b"HTTP/1.1 200 OK\r\n" + b"x-drip: 1\r\n" * 1000:
            visit.say(bytes((byte,)))
            await asyncio.sleep(0.01)

    async with raw_peer(serve) as peer, pool_of(peer, header_timeout_s=0.1) as pool:
        with pytest.raises(UpstreamFault) as caught:
            await ask(pool)
        assert (caught.value.sent, caught.value.code) == (True, "upstream-timeout")


@each_loop
async def test_an_upstream_that_falls_silent_runs_into_the_time_out() -> None:
    """Within a body, silence for the idle time-out is a fault for the reader of the body."""

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(CHUNKED + b"3\r\none\r\n")
        await visit.request()

    async with raw_peer(serve) as peer, pool_of(peer, idle_timeout_s=0.05) as pool:
        connection = await pool.acquire()
        connection.send(b"POST", b"/", [])
        pieces = connection.chunks()
        assert await anext(pieces) == b"one"
        with pytest.raises(UpstreamFault) as caught:
            await anext(pieces)
        assert (caught.value.sent, caught.value.code) == (True, "upstream-timeout")
        connection.release()


@each_loop
async def test_abort_ends_the_wait_of_the_reader() -> None:
    """Cutting a connection from elsewhere gives its reader a fault with `sent`, at once."""

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(CHUNKED + b"3\r\none\r\n")
        await visit.request()

    async with raw_peer(serve) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        connection.send(b"POST", b"/", [])
        await connection.head()
        reader = asyncio.ensure_future(connection.body())
        await asyncio.sleep(0)
        connection.abort()
        with pytest.raises(UpstreamUnreachable) as caught:
            await reader
        assert (caught.value.sent, caught.value.code) == (True, "upstream-cut")


@each_loop
async def test_a_connection_given_back_is_dead() -> None:
    """A late abort, release or read of an old exchange does not touch the next one on the same wire."""
    two = CHUNKED + b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    async with raw_peer(answering(two, OK)) as peer, pool_of(peer) as pool:
        old = await pool.acquire()
        old.send(b"POST", b"/", [])
        rest = old.chunks()
        assert await anext(rest) == b"ab"
        old.release()
        new = await pool.acquire()
        new.send(b"POST", b"/", [])
        await new.head()
        old.abort()
        old.release()
        with pytest.raises(OutOfOrder):
            old.send(b"POST", b"/", [])
        with pytest.raises(OutOfOrder):
            await anext(rest)
        assert await new.body() == b"ok"
        new.release()
        assert peer.visits == 1


@each_loop
async def test_steps_out_of_order_are_refused() -> None:
    """Nothing can be read before it was asked for, and a connection in hand is good for one request."""
    async with raw_peer(answering(OK)) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        with pytest.raises(OutOfOrder):
            await connection.head()
        connection.send(b"POST", b"/", [])
        with pytest.raises(OutOfOrder):
            connection.send(b"POST", b"/", [])
        assert await connection.body() == b"ok"
        connection.release()
        assert len(peer.requests) == 1
