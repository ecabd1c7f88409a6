# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire to an MCP server over HTTP, and what is made of its refusals."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from remit.adapters.runtime.system import SystemEntropy
from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.http1 import ResponseHead
from remit.adapters.upstream.mcp.http import McpHttp
from remit.adapters.upstream.mcp.http_response import HttpRefused, path_led_to
from remit.core.cooperative_steps import Steps, finish
from remit.core.decisions.mediation import Chunk
from remit.core.errors import ConfigInvalid, UpstreamFault, UpstreamUnreachable
from remit.ports.upstream import Call
from tests.servers.scripted_mcp import ScriptedHttp, begin, scripted_http

Found = TypeVar("Found")


def tool(name: str, task: str = "t1", **more: Any) -> Call:
    """A call of a tool."""
    arguments = more.pop("arguments", {})
    return Call(method="tools/call", params={"name": name, "arguments": arguments}, task=task, **more)


async def run(upstream: McpHttp, call: Call, headers: dict[str, str] | None = None) -> Chunk:
    """The last chunk of a call."""
    exchange = await upstream.prepare(call, headers or {})
    try:
        exchange.send()
        while True:
            chunk = await asyncio.wait_for(exchange.receive(), 60)
            if chunk.kind == "request":
                assert chunk.request_id is not None
                exchange.respond(chunk.request_id, b'{"code":-32601,"message":"no"}', error=True)
            if chunk.last:
                return chunk
    finally:
        exchange.release()


@asynccontextmanager
async def connected(era: str, **settings: Any) -> AsyncIterator[tuple[McpHttp, ScriptedHttp]]:
    """An upstream that has started, and its server."""
    async with scripted_http(era) as server:
        upstream = McpHttp(
            "s",
            server.url,
            entropy=SystemEntropy(),
            bound=BufferBound(1 << 24),
            retry_base_s=0.05,
            **settings,
        )
        try:
            await upstream.start(lambda: None, lambda method, params: None)
            yield upstream, server
        finally:
            await upstream.stop()


def posts(server: ScriptedHttp, method: str) -> list[dict[str, Any]]:
    """The messages of one method that the server got."""
    return [message for message in server.server.seen if message.get("method") == method]


async def until(true: Any) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - what is waited for is a plain value
            await asyncio.sleep(0.01)


async def test_modern_headers_repeat_the_body() -> None:
    """Version, method, name and annotated arguments are headers; what is not plain ASCII is encoded."""
    async with connected("modern") as (upstream, server):
        await run(
            upstream, tool("echo", arguments={"text": "caf\u00e9", "n": 1}), {"Authorization": "Bearer x"}
        )
        method, headers = server.requests[-1]
        assert method == "POST"
        assert headers["mcp-protocol-version"] == "2026-07-28"
        assert headers["mcp-method"] == "tools/call"
        assert headers["mcp-name"] == "echo"
        assert headers["mcp-param-text"] == "=?base64?Y2Fmw6k=?="
        assert headers["authorization"] == "Bearer x"
        assert headers["accept"] == "application/json, text/event-stream"
        assert "mcp-session-id" not in headers


async def test_the_lease_is_for_its_call_and_ours_for_our_questions() -> None:
    """A call without a lease carries no credential, least of all the one for our own questions."""
    async with connected("modern", headers={"authorization": "Bearer own"}) as (upstream, server):
        assert server.requests[0][1]["authorization"] == "Bearer own"
        await upstream.catalogue()
        await run(upstream, tool("echo"))
        assert "authorization" not in server.requests[-1][1]


@pytest.mark.parametrize("name", ["Mcp-Session-Id", "mcp-param-text", "Content-Type", "mcp-method"])
async def test_a_credential_cannot_speak_for_the_adapter(name: str) -> None:
    """Headers that route or frame are not a credential's to set."""
    async with connected("modern") as (upstream, _):
        with pytest.raises(ConfigInvalid, match="may not set"):
            await upstream.prepare(tool("echo"), {name: "x"})


class Counted:
    """Turns that count long work, and may cut it after its first step."""

    def __init__(self, cut: Callable[[], None] = lambda: None) -> None:
        self.long = 0
        self._cut = cut

    async def take(
        self, steps: Steps[Found], turned: Callable[[], object] = lambda: None, *, long: bool = False
    ) -> Found:
        """Do the first step, and then the rest."""
        self.long += long
        next(steps)
        self._cut()
        turned()
        return finish(steps)


async def test_a_long_result_is_read_in_turns_and_a_short_one_at_once() -> None:
    """The result is the same."""
    for size, turns in ((100, 0), (200_000, 1)):
        async with connected("modern") as (upstream, _):
            call, counted = tool("echo", arguments={"text": "x" * size}), Counted()
            exchange = await upstream.prepare(call, {})
            exchange.send()
            assert await exchange.receive(counted) == await run(upstream, call)
            assert counted.long == turns
            exchange.release()


async def test_a_call_that_is_cut_while_its_result_is_read_returns_nothing() -> None:
    """What had arrived is dropped."""
    async with connected("modern") as (upstream, _):
        exchange = await upstream.prepare(tool("echo", arguments={"text": "x" * 200_000}), {})
        exchange.send()
        with pytest.raises(UpstreamUnreachable, match="cancelled by remit"):
            await exchange.receive(Counted(exchange.release))


async def test_each_task_has_a_session_of_its_own_and_it_ends_with_the_task() -> None:
    """Calls of one task share a session, opened once for all that wait; `end_task` deletes it."""
    async with connected("legacy") as (upstream, server):
        await asyncio.gather(
            *(run(upstream, tool("echo", "a")) for _ in range(5)), run(upstream, tool("echo", "b"))
        )
        assert len(posts(server, "initialize")) == 3  # ours, a's, b's
        used = {headers.get("mcp-session-id") for method, headers in server.requests if method == "POST"}
        assert used == {None, "s0", "s1", "s2"}
        session = upstream.sessions["a"].id
        assert session is not None
        await upstream.end_task("a")
        assert server.ended == [session.decode()]
        await upstream.end_task("a")
        await upstream.end_task("never")
    assert len(server.ended) == 3


async def test_a_lost_session_is_opened_again_for_later_calls_only() -> None:
    """The call that found it lost is not sent again."""
    async with connected("legacy") as (upstream, server):
        await run(upstream, tool("echo"))
        server.ended += server.sessions
        with pytest.raises(UpstreamFault) as fault:
            await run(upstream, tool("echo"))
        assert (fault.value.code, fault.value.sent) == ("upstream-session-lost", True)
        assert len(posts(server, "tools/call")) == 1
        await run(upstream, tool("echo"))
        await upstream.catalogue()


async def test_the_log_level_is_set_when_it_changes() -> None:
    """Once per session in the legacy era, with each request in the modern one."""
    async with connected("legacy") as (upstream, server):
        for level in ("info", "info", "error"):
            await run(upstream, tool("log", log_level=level))
        assert [m["params"]["level"] for m in posts(server, "logging/setLevel")] == ["info", "error"]
    async with connected("modern") as (upstream, server):
        await run(upstream, tool("log", log_level="info"))
        meta = posts(server, "tools/call")[-1]["params"]["_meta"]
        assert meta["io.modelcontextprotocol/logLevel"] == "info"


async def test_a_servers_question_is_answered_on_another_connection() -> None:
    """`respond` posts the refusal in the session; a ping is answered without anyone seeing it."""
    async with connected("legacy") as (upstream, server):
        await run(upstream, tool("ask"))
        await run(upstream, tool("ping"))
        await until(lambda: len([m for m in server.server.seen if m.get("id") in ("q1", "p1")]) == 2)
        answers = {m["id"]: m for m in server.server.seen if m.get("id") in ("q1", "p1")}
        assert answers["q1"]["error"]["code"] == -32601
        assert answers["p1"]["result"] == {}


async def test_a_modern_server_that_asks_by_itself_breaks_its_protocol() -> None:
    """The modern era has no questions of a server's own."""
    async with connected("modern") as (upstream, _):
        with pytest.raises(UpstreamFault, match="sent a request that"):
            await run(upstream, tool("ping"))


async def test_a_stream_that_is_closed_to_be_taken_up_again_is_not() -> None:
    """The call has an unknown outcome, and the fault says what the server must not do (2025-11-25)."""

    async def closing(message: Any, headers: Any, receive: Any, send: Any) -> None:
        await begin(send, 200, {"content-type": "text/event-stream"})
        await send({"type": "http.response.body", "body": b"id: 1\nretry: 500\ndata: \n\n"})

    async with connected("legacy") as (upstream, server):
        await upstream.catalogue()
        await run(upstream, tool("echo"))
        server.post = closing  # type: ignore[method-assign]
        with pytest.raises(UpstreamFault, match="without an answer") as fault:
            await run(upstream, tool("echo"))
        assert "`Last-Event-ID`" in fault.value.remediation
        assert fault.value.sent


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"http://127.0.0.1:9/mcp", "/mcp"),
        (b"/mcp/?session=hunter2", "/mcp/"),
        (b"//evil.example/mcp", ""),
        (b"https://evil.example", ""),
        (b"/say `this` to the agent", ""),
        (b"", ""),
    ],
)
def test_the_log_says_which_path_a_redirect_leads_to(location: bytes, path: str) -> None:
    """Most often it is a slash more or less; hosts, queries and free text are not repeated."""
    head = ResponseHead(307, [(b"location", location)])
    assert path_led_to(head) == path
    assert "log" in HttpRefused("files", 307).remediation


@pytest.mark.parametrize(
    ("status", "words"),
    [(302, "redirects"), (401, "credential"), (403, "credential"), (500, "refused"), (202, "no JSON-RPC")],
)
async def test_a_refusal_is_a_fault_that_says_what_to_do(status: int, words: str) -> None:
    """Nothing is followed, nothing is sent again."""
    async with connected("modern") as (upstream, server):
        await upstream.catalogue()
        server.status = status
        before = len(server.requests)
        with pytest.raises(UpstreamFault, match=words) as fault:
            await run(upstream, tool("echo"))
        assert fault.value.sent
        assert len(server.requests) == before + 1


async def test_a_server_that_is_not_there_at_the_start_is_tried_again() -> None:
    """`start` raises and the watch goes on."""
    async with scripted_http("modern") as server:
        port = int(server.url.split(":")[2].split("/")[0])
    told: list[bool] = []
    upstream = McpHttp(
        "s",
        server.url,
        entropy=SystemEntropy(),
        bound=BufferBound(1 << 20),
        retry_base_s=0.02,
        retry_max_s=0.05,
        on_state=lambda name, up, why: told.append(up),
    )
    try:
        with pytest.raises(UpstreamUnreachable) as fault:
            await upstream.start(lambda: None, lambda method, params: None)
        assert not fault.value.sent
        async with scripted_http("modern", port):
            await until(lambda: told == [False, True])
            await run(upstream, tool("echo"))
            await upstream.stop()
    finally:
        await upstream.stop()


async def test_a_tool_whose_header_annotation_is_invalid_is_left_out() -> None:
    """A client must not offer it (2026-07-28); the other tools stand."""
    async with connected("modern") as (upstream, server):
        bad = {"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "A"}}}
        server.server.extra_tools = [{"name": "bad", "inputSchema": bad}]
        names = {tool["name"] for tool in (await upstream.catalogue()).tools}
        assert "echo" in names
        assert "bad" not in names


async def test_an_entry_with_more_than_one_reading_is_left_out() -> None:
    """A number that two parsers read differently cannot be pinned by digest; the other tools stand."""
    async with connected("legacy") as (upstream, server):
        server.server.extra_tools = [{"name": "bad", "inputSchema": {"maximum": 2**63}}]
        names = {tool["name"] for tool in (await upstream.catalogue()).tools}
        assert "echo" in names
        assert "bad" not in names


async def test_large_numbers_and_other_values_that_json_cannot_carry_are_refused_before_sending() -> None:
    """What cannot be written is malformed, not sent in part."""
    async with connected("modern") as (upstream, server):
        await upstream.catalogue()
        before = len(server.requests)
        with pytest.raises(Exception, match="cannot be written as JSON"):
            await upstream.prepare(tool("echo", arguments={"n": 2**80}), {})
        assert len(server.requests) == before


async def test_what_waits_of_a_stream_counts_too() -> None:
    """A large event is counted while its pieces arrive, and the memory is free again after it."""
    async with connected("modern") as (upstream, _):
        call = tool("progress", wants_progress=True, arguments={"n": 1_000_000})
        await run(upstream, call)
        assert upstream.bound.held_bytes == 0
        upstream.bound.max_buffered_bytes = 500_000
        with pytest.raises(UpstreamFault, match="memory"):
            await run(upstream, call)
        assert upstream.bound.held_bytes == 0


async def test_connections_are_used_again_after_streams_too() -> None:
    """A stream that ended with the answer leaves its connection good."""
    async with connected("modern") as (upstream, _):
        await upstream.catalogue()
        for _ in range(5):
            chunk = await run(upstream, tool("progress", wants_progress=True))
            assert json.loads(chunk.body)["content"] == []
            await until(lambda: len(upstream.pool._idle) == upstream.pool._open)
        assert upstream.pool._open == 1
