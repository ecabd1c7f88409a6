# SPDX-License-Identifier: Apache-2.0
"""The bench's load generator counts what is right and notices what is wrong."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
import pytest
from mcp import Client

from bench.calls import echo_call
from bench.load import Plan, Tally, carry_out, percentile
from bench.upstream import answer

Answer = Callable[[int, bytes], bytes]


def plan_for(url: str, *, count: int = 40, concurrency: int = 4) -> Plan:
    """A small plan of distinct echo calls."""
    calls = [echo_call(n, url, "echo", {"authorization": "Bearer fictional"}) for n in range(count)]
    return Plan(url, calls, concurrency, count, limit_s=120)


@asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    """The bench's own upstream in its own process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.upstream", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/mcp"
    finally:
        process.terminate()
        await process.communicate()


async def outcome_against(response: Answer, **shape: int) -> Tally:
    """What the load generator says of a server that answers its n-th request on a connection like this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = 0
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                out = response(asked, await reader.readexactly(size))
                asked += 1
                if not out:
                    break
                # Two writes, so that an answer arrives in pieces.
                writer.write(out[:20])
                await writer.drain()
                writer.write(out[20:])
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        return await carry_out(plan_for(f"http://127.0.0.1:{port}/mcp", **shape))


def http(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """An HTTP answer with a length."""
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def right(body: bytes) -> bytes:
    """The upstream's answer."""
    out = answer(body)
    assert out is not None
    return out


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_upstream_speaks_to_the_official_client_in_both_eras(mode: str) -> None:
    """What the bench calls an MCP server is one."""
    async with upstream() as url, Client(url, mode=mode, read_timeout_seconds=120) as client:
        assert client.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[mode]
        assert [t.name for t in (await client.list_tools()).tools] == ["echo", "read", "write"]
        result = await client.call_tool("echo", {"text": "hei"})
        assert not result.is_error


async def test_every_call_of_a_plan_is_sent_and_answered() -> None:
    """A run of the real upstream has no errors and a latency for each call."""
    async with upstream() as url:
        outcome = await carry_out(plan_for(url, count=500, concurrency=16))
    assert (outcome.calls, outcome.errors, outcome.first_errors) == (500, 0, [])
    assert 0 < outcome.p50_ms <= outcome.p99_ms


async def test_an_answer_in_chunks_or_as_an_event_stream_is_understood() -> None:
    """Both forms of a streamable HTTP answer count as right."""

    def chunked(_: int, body: bytes) -> bytes:
        out = right(body)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        return head + b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (9, out[:9], len(out) - 9, out[9:])

    def streamed(_: int, body: bytes) -> bytes:
        first = b'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n'
        return http(first + b"data: " + right(body) + b"\n\n", kind="text/event-stream")

    assert (await outcome_against(chunked)).errors == 0
    assert (await outcome_against(streamed)).errors == 0


async def test_wrong_answers_are_errors() -> None:
    """Another text, another id, a JSON-RPC error, a refusal and nonsense all count, each once."""

    def other_text(_: int, body: bytes) -> bytes:
        return http(right(body).replace(b"fox", b"cat"))

    def other_id(_: int, body: bytes) -> bytes:
        return http(orjson.dumps(orjson.loads(right(body)) | {"id": -1}))

    def fault(_: int, body: bytes) -> bytes:
        return http(
            orjson.dumps({"id": orjson.loads(body)["id"], "error": {"code": -32603, "message": "no"}})
        )

    def refusal(_: int, body: bytes) -> bytes:
        return http(right(body), "401 Unauthorized")

    def nonsense(_: int, body: bytes) -> bytes:
        return http(b"<html>")

    for response in (other_text, other_id, fault, refusal, nonsense):
        outcome = await outcome_against(response)
        assert (outcome.calls, outcome.errors) == (40, 40)
        assert outcome.first_errors


async def test_a_connection_that_breaks_is_an_error_and_does_not_hang() -> None:
    """A server that hangs up in the middle of a call ends that connection's share of the run."""
    outcome = await outcome_against(lambda asked, body: http(right(body)) if asked < 3 else b"")
    assert (outcome.calls, outcome.errors) == (16, 4)
    assert "connection lost" in outcome.first_errors[0]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """The nearest rank is taken, and nothing is interpolated."""
    values = list(range(1, 101))
    assert (percentile(values, 0.50), percentile(values, 0.99)) == (51, 100)
    assert percentile([], 0.5) == 0
