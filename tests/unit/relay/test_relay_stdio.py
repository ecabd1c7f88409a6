# SPDX-License-Identifier: Apache-2.0
"""Lines on standard streams, and what becomes of one that is too long to be taken."""

import asyncio
import json
import os
import select
import socket
from typing import Any

import pytest
from aiohttp import web

from remit.relay.bridge import CALLS_AT_ONCE, Bridge
from remit.relay.jsonrpc_message import guess_id
from remit.relay.stdio import Lines, LineWriter, LongLine
from remit_sdk.gateway_client import GatewayClient
from remit_sdk.wire import Gateway

Json = Any


class Nobody:
    """No token is to be had: nothing may be asked for."""

    id = "tsk_1"

    async def token(self, *, upstream: str = "", endpoint: str = "mcp", not_this: str = "") -> str:
        """Fail."""
        raise AssertionError


async def lines_of(text: bytes, limit: int) -> list[bytes | LongLine]:
    """Return what is read of a pipe that holds `text`."""
    out, into = os.pipe()
    os.write(into, text)
    os.close(into)
    try:
        return [line async for line in Lines(out, limit)]
    finally:
        os.close(out)


async def test_lines_come_whole_up_to_the_limit_and_a_longer_one_by_its_ends() -> None:
    """What is too long is skipped to its end, and nothing of it is taken for another line."""
    long = b"a" * 1000 + b"b" * 1000
    read = await lines_of(b"one\n\n" + b"x" * 100 + b"\n" + long + b"\ntwo\r\n" + long, 100)
    ends = LongLine(long[:512], long[-512:])
    assert read == [b"one", b"x" * 100, ends, b"two", ends]


async def test_a_reader_ends_when_its_shim_is_gone_and_closes_its_descriptor() -> None:
    """Nothing waits for a client that keeps its end open, not even a line that is not taken."""
    for waiting in (b"", b"line\n" * 100):
        out, into = os.pipe()
        os.write(into, waiting)
        shim, client = socket.socketpair()
        lines = Lines(out, until=shim.fileno())
        reading = aiter(lines)
        first = asyncio.ensure_future(anext(reading, None))
        await asyncio.sleep(0)
        client.close()
        assert await first in (None, b"line")
        await lines.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(out)
        os.close(into)
        shim.close()


async def test_a_closed_writer_writes_no_more_and_closes_after_the_line_in_hand() -> None:
    """The number of a closed descriptor may be another client's: a slow writer never writes to it."""
    out, into = os.pipe()
    writer = LineWriter(into)
    slow = asyncio.create_task(writer.write(b"x" * 1_000_000))
    while not select.select([out], [], [], 0)[0]:  # noqa: ASYNC110 - a pipe has no event
        await asyncio.sleep(0.01)
    writer.close()
    assert os.fstat(into)  # still in hand
    while await asyncio.to_thread(os.read, out, 65536):
        pass
    await slow
    with pytest.raises(BrokenPipeError):
        await writer.write(b"more")
    os.close(out)


@pytest.mark.parametrize(
    ("head", "tail", "found"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{', b"}}", 7),
        (b'{"method": "tools/call", "jsonrpc": "2.0", "id": "a\\"1", "params": {', b"}}", 'a"1'),
        (b'{"id":-3,"params":{', b"}}", -3),
        (b'{"method":"tools/call","params":{', b'aaa"}},"jsonrpc":"2.0","id":12}', 12),
        (b'{"params":{', b'}},"id":12,"method":"tools/call","jsonrpc":"2.0"} ', 12),
        # An argument is no id of a message, nor is a text that looks like one.
        (b'{"params":{"arguments":{"id":5,', b'"id":6}}}', None),
        (b'{"params":{"a":"', b'\\",\\"id\\":5}"}}', None),
        (b'{"method":"notifications/x","params":{', b"}}", None),
        (b'{"id":1.5,"params":{', b"}}", None),
    ],
)
def test_the_id_of_a_message_is_found_at_its_ends(head: bytes, tail: bytes, found: Json) -> None:
    """Official clients write it before the params or behind them."""
    assert guess_id(head, tail) == found


async def test_a_request_that_is_too_long_gets_its_answer() -> None:
    """The client hears why under the id of its request, and is not left to wait."""
    (out, into), (told, answers) = os.pipe(), os.pipe()
    request = {
        "jsonrpc": "2.0",
        "id": 4,
        "method": "tools/call",
        "params": {"arguments": {"text": "x" * 2000}},
    }
    os.write(into, json.dumps(request).encode() + b"\n")
    os.close(into)
    gateway = Gateway("http://127.0.0.1:9")
    try:
        async with asyncio.timeout(60):
            await Bridge(GatewayClient(gateway, Nobody()), Lines(out, 1000), LineWriter(answers)).run()
        answer = json.loads(os.read(told, 65_536))
    finally:
        await gateway.close()
        for one in (out, told, answers):
            os.close(one)
    assert (answer["id"], answer["error"]["data"]["code"]) == (4, "too-large")
    assert "1000 bytes; send less" in answer["error"]["message"]


class Held:
    """A gateway's MCP address whose calls stand still until they are let go; keeps what arrived."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.most = self.now = 0
        self.let_go = asyncio.Event()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer under the id that was sent."""
        message = await request.json()
        self.seen.append(message["id"])
        if message["method"] == "tools/call":
            self.now += 1
            self.most = max(self.most, self.now)
            await self.let_go.wait()
            self.now -= 1
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": {}})


class Purse:
    """One token for all."""

    id = "tsk_1"

    async def token(self, *, upstream: str = "", endpoint: str = "mcp", not_this: str = "") -> str:
        """Return it."""
        return "t"


async def test_calls_beyond_what_a_gateway_takes_at_once_wait_and_can_be_cancelled() -> None:
    """None is refused for being one too many; one that is cancelled while it waits is never made."""
    held = Held()
    runner = web.ServerRunner(web.Server(held.serve))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gateway = Gateway(f"http://127.0.0.1:{runner.addresses[0][1]}")
    (out, into), (told, answers) = os.pipe(), os.pipe()
    total = CALLS_AT_ONCE + 20
    calls = [
        {"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": "x"}} for n in range(total)
    ]
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": total - 1}}
    # All that stands before it has been read once this arrives.
    ping = {"jsonrpc": "2.0", "id": total, "method": "ping"}
    os.write(into, b"".join(json.dumps(one).encode() + b"\n" for one in (*calls, cancelled, ping)))
    running = asyncio.create_task(
        Bridge(GatewayClient(gateway, Purse()), Lines(out), LineWriter(answers)).run()
    )
    try:
        async with asyncio.timeout(60):
            while held.now < CALLS_AT_ONCE or total not in held.seen:  # noqa: ASYNC110 - no event exists
                await asyncio.sleep(0.01)
            held.let_go.set()
            os.close(into)
            await running
        ids = [json.loads(line)["id"] for line in os.read(told, 65_536).splitlines()]
    finally:
        await gateway.close()
        await runner.cleanup()
        for one in (out, told, answers):
            os.close(one)
    assert held.most == CALLS_AT_ONCE
    assert sorted(ids) == sorted(held.seen) == [*range(total - 1), total]
