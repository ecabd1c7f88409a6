# SPDX-License-Identifier: Apache-2.0
"""How connections are kept, counted and handed out."""

import asyncio
import socket

import pytest

from remit.adapters.upstream.http1 import Connection, Limits, Origin, Pool, split_base_url
from remit.core.errors import Busy, ConfigInvalid, UpstreamUnreachable
from tests.clients.raw_peer import OK, Visit, answering, ask, each_loop, pool_of, raw_peer, until


@each_loop
async def test_an_idle_connection_that_ended_is_replaced_before_the_write() -> None:
    """A stale connection costs a new one, never an unknown outcome."""

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(OK)
        await visit.writer.drain()
        visit.end()

    async with raw_peer(serve) as peer, pool_of(peer) as pool:
        for _ in range(5):
            assert await ask(pool) == (200, b"ok")
            await until(lambda: not [one for one in pool._idle if one.quiet()])
        assert peer.visits == 5


@each_loop
async def test_an_end_that_the_loop_has_not_seen_is_seen_by_acquire() -> None:
    """`acquire` asks the operating system, so an end that arrived in this very turn is not missed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        pool = Pool(Origin("http", "127.0.0.1", server.getsockname()[1]))
        first = await pool.acquire()
        accepted, _ = server.accept()
        first.release()
        accepted.close()  # from here to the next acquire nothing is awaited
        second = await pool.acquire()
        assert first._wire is not second._wire
        assert second._wire is not None
        assert second._wire.usable()
        second.release()
        await pool.close()


@each_loop
async def test_a_connection_lost_in_hand_is_refused_before_the_write() -> None:
    """What is lost between `acquire` and `send` is a fault that says nothing was sent."""

    async def serve(visit: Visit) -> None:
        visit.end()

    async with raw_peer(serve) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        await until(lambda: connection._wire is None or not connection._wire.usable())
        with pytest.raises(UpstreamUnreachable) as caught:
            connection.send(b"POST", b"/", [])
        assert not caught.value.sent
        connection.release()


@each_loop
async def test_a_connection_that_was_not_used_goes_back_as_it_was() -> None:
    """A call refused at the last look at the fence costs no connection."""
    async with raw_peer(answering(OK)) as peer, pool_of(peer) as pool:
        (await pool.acquire()).release()
        assert await ask(pool) == (200, b"ok")
        assert peer.visits == 1


@each_loop
async def test_connections_are_handed_out_in_the_order_they_were_asked_for() -> None:
    """With every connection in use, the first caller is served first."""
    async with raw_peer(answering(*[OK] * 5)) as peer, pool_of(peer, max_connections=1) as pool:
        order: list[int] = []

        async def call(number: int) -> None:
            connection = await pool.acquire()
            order.append(number)
            connection.send(b"POST", b"/", [])
            await connection.body()
            connection.release()

        await asyncio.gather(*(call(number) for number in range(5)))
        assert order == [0, 1, 2, 3, 4]
        assert peer.visits == 1


@each_loop
async def test_no_more_connections_than_the_limit_are_open() -> None:
    """Forty calls share three connections."""
    async with raw_peer(answering(*[OK] * 40)) as peer, pool_of(peer, max_connections=3) as pool:
        await asyncio.gather(*(ask(pool) for _ in range(40)))
        assert peer.visits == 3


@each_loop
async def test_whoever_stops_waiting_passes_the_place_on() -> None:
    """A cancelled wait loses neither a connection nor the place of those behind it."""
    async with raw_peer(answering(*[OK] * 5)) as peer, pool_of(peer, max_connections=1) as pool:
        held = await pool.acquire()
        waits = [asyncio.ensure_future(pool.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        waits[0].cancel()
        held.release()  # serves the second, since the first has gone
        waits[1].cancel()  # in the same turn, after it was served
        third: Connection = await waits[2]
        third.release()
        assert await ask(pool) == (200, b"ok")
        assert peer.visits == 1
        await asyncio.gather(*waits, return_exceptions=True)


@each_loop
async def test_a_connection_cut_in_hand_frees_its_place() -> None:
    """After an abort the next in the queue may open a connection."""
    async with raw_peer(answering(*[OK] * 2)) as peer, pool_of(peer, max_connections=1) as pool:
        held = await pool.acquire()
        waiting = asyncio.ensure_future(ask(pool))
        await asyncio.sleep(0)
        held.abort()
        assert await waiting == (200, b"ok")
        assert peer.visits == 2


@each_loop
async def test_waiting_for_a_connection_has_an_end() -> None:
    """When no connection comes free in time, the caller is told that the pool is busy."""
    async with raw_peer(answering()) as peer, pool_of(peer, max_connections=1, connect_timeout_s=2) as pool:
        held = await pool.acquire()
        with pytest.raises(Busy):
            await pool.acquire()
        held.release()
        (await pool.acquire()).release()


@each_loop
async def test_an_upstream_that_is_not_there_is_unreachable_and_nothing_was_sent() -> None:
    """A refused connection frees its place, so the next attempt is made as well."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        pool = Pool(Origin("http", "127.0.0.1", unused.getsockname()[1]), limits=Limits(max_connections=1))
        for _ in range(3):
            with pytest.raises(UpstreamUnreachable) as caught:
                await pool.acquire()
            assert not caught.value.sent
        await pool.close()


@each_loop
async def test_an_idle_connection_is_closed_after_a_while() -> None:
    """A connection that is unused for `max_idle_s` is closed from this side."""
    ended = asyncio.Event()

    async def serve(visit: Visit) -> None:
        await visit.request()
        visit.say(OK)
        assert await visit.reader.read() == b""
        ended.set()

    async with raw_peer(serve) as peer, pool_of(peer, max_idle_s=0.05) as pool:
        assert await ask(pool) == (200, b"ok")
        await ended.wait()


@each_loop
async def test_closing_the_pool_ends_everything() -> None:
    """Those who wait, those who read and those who come later get a fault; no connection stays."""

    async def serve(visit: Visit) -> None:
        await visit.request()
        await visit.request()

    async with raw_peer(serve) as peer:
        pool = Pool(peer.origin, limits=Limits(max_connections=1))
        reading = asyncio.ensure_future(ask(pool))
        await until(lambda: peer.requests)
        waiting = asyncio.ensure_future(ask(pool))
        await asyncio.sleep(0)
        await pool.close()
        for task, sent in ((reading, True), (waiting, False)):
            with pytest.raises(UpstreamUnreachable) as caught:
                await task
            assert caught.value.sent is sent
        with pytest.raises(UpstreamUnreachable):
            await pool.acquire()
        await pool.close()


@each_loop
async def test_an_answer_before_the_end_of_the_request_ends_the_connection() -> None:
    """When the upstream answers while the request is still being written, the rest meets no other request."""
    answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"

    async def serve(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        visit.say(answer)
        await asyncio.Event().wait()

    async with raw_peer(serve) as peer, pool_of(peer) as pool:
        for _ in range(2):
            assert await ask(pool, body=bytes(64 * 1024 * 1024)) == (413, b"")
        assert peer.visits == 2


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("http://Tools.Example.test", "tools.example.test", b"/"),
        ("https://tools.example.test:443/mcp", "tools.example.test", b"/mcp"),
        ("http://127.0.0.1:8080/a/b", "127.0.0.1:8080", b"/a/b"),
        ("https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443", b"/"),
    ],
)
def test_a_base_url_gives_its_origin_and_path(url: str, authority: str, path: bytes) -> None:
    """Host in lower case, the scheme's own port left out, an IPv6 address in brackets."""
    origin, target = split_base_url(url)
    assert (origin.authority, target) == (authority, path)
    assert Origin.parse(url) == origin


def test_a_query_belongs_to_the_path_where_it_may_be() -> None:
    """An MCP server's address may have one; an API's, to which paths are appended, may not."""
    origin, target = split_base_url("https://tools.example.test?k=1&b", query=True)
    assert (origin.authority, target) == ("tools.example.test", b"/?k=1&b")
    with pytest.raises(ConfigInvalid):
        split_base_url("https://tools.example.test?k=1")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tools.example.test",
        "ftp://tools.example.test",
        "http://",
        "http://user:secret@tools.example.test",
        "http://tools.example.test/?q",
        "http://tools.example.test/#f",
        "http://tools.example.test:0",
        "http://tools.example.test:99999",
        "http://tools.example.test:x",
        "http://tools.exa\tmple.test",
        "http://tools.example.test/a b",
        "http://tools.example.test/\r\nx",
        "http://tööls.example.test",
        "http://a%0d%0a.test",
        "http://[::1",
    ],
)
def test_any_other_base_url_is_refused(url: str) -> None:
    """What could be read in two ways is refused, and a password in it is not repeated."""
    with pytest.raises(ConfigInvalid) as caught:
        Origin.parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_limits_everything_away_is_refused(value: float) -> None:
    """Every limit is above zero."""
    with pytest.raises(ConfigInvalid):
        Limits(idle_timeout_s=value)
