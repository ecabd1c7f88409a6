# SPDX-License-Identifier: Apache-2.0
"""Threat: an API writes its answer in so many small pieces that no other call, and no end, has a turn."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.mcp.http_response import HttpAnswer
from remit.core.tools.http_api import ReplyPiece
from remit.core.tools.http_api.response import complete
from tests.clients.raw_peer import Visit, each_loop, pool_of, raw_peer

CHUNKS = 8_000
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def tiny(visit: Visit) -> None:
    """Answer in chunks of one byte each, which the network brings together."""
    await visit.request()
    visit.say(HEAD + b"1\r\na\r\n" * CHUNKS + b"0\r\n\r\n")
    await visit.request()


@each_loop
async def test_small_pieces_are_put_together() -> None:
    """Each piece that is passed on costs a round of work, in which no other task runs."""
    async with raw_peer(tiny) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        connection.send(b"GET", b"/", [])
        await connection.head()
        pieces = [piece async for piece in connection.chunks()]
        connection.release()
    assert b"".join(pieces) == b"a" * CHUNKS
    assert len(pieces) < 100


def test_what_waits_is_looked_at_once() -> None:
    """An event that never ends is not read from its beginning with each piece that comes."""
    before = b"\n\n\n" + b"a" * 64
    for piece in (ReplyPiece.EVENTS, ReplyPiece.LINES):
        assert complete(piece, before + b"b", len(before)) == 0
    for cut in range(1, 4):
        whole = b"data: x\r\n\r\n"
        assert complete(ReplyPiece.EVENTS, whole, len(whole) - cut) == len(whole)


async def turns_beside(take: Callable[[], Awaitable[Any]], times: int) -> int:
    """Take what an upstream said so many times; give how often another task had a turn meanwhile."""
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(another())
    for _ in range(times):
        await take()
    beside.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await beside
    return turns


async def events(visit: Visit) -> None:
    """Tell of a great many things at once."""
    await visit.request()
    told = b'data: {"jsonrpc":"2.0","method":"x"}\n\n' * 2000
    visit.say(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + told)
    await visit.request()


@each_loop
async def test_between_two_messages_of_a_stream_others_have_a_turn() -> None:
    """Sixteen calls whose server only chatters held up every other call, and the leases of all tasks."""
    async with raw_peer(events) as peer, pool_of(peer) as pool:
        connection = await pool.acquire()
        connection.send(b"POST", b"/", [], b"{}")
        answer = HttpAnswer(connection, "chatty", BufferBound(2**20), 2**20)
        assert await turns_beside(answer.next, 2000) >= 1900
        connection.release()
