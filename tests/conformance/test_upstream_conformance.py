# SPDX-License-Identifier: Apache-2.0
"""Every adapter of the upstream port keeps the port's word, over each transport and in each protocol era.

The servers are real: the examples, written with the official SDK; `mcp-server-git`, which others wrote; and
a scripted one that breaks on request.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.runtime.system import SystemEntropy
from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.mcp_http import McpHttp
from remit.adapters.upstream.mcp_stdio import McpStdio
from remit.core.errors import Busy, OutOfOrder, UpstreamFault, UpstreamUnreachable
from remit.core.mediation import Chunk, ChunkKind
from remit.ports.upstream import Call, Catalogue, Exchange, Upstream
from tests.scripted_mcp import ScriptedHttp, scripted_http

ROOT = Path(__file__).parents[2]
SCRIPTED = str(ROOT / "tests" / "scripted_mcp.py")
KINDS = ["stdio-modern", "stdio-legacy", "http-modern", "http-legacy"]
VERSIONS = {"modern": "2026-07-28", "legacy": "2025-11-25"}
MAX_RESULT_BYTES = 1024 * 1024


class Told:
    """What an upstream told beside its calls."""

    def __init__(self) -> None:
        self.changes = 0
        self.notifications: list[tuple[str, Any]] = []
        self.states: list[bool] = []

    def on_change(self) -> None:
        """Count a change of the lists."""
        self.changes += 1

    def on_notification(self, method: str, params: Any) -> None:
        """Keep a notification."""
        self.notifications.append((method, params))

    def on_state(self, name: str, up: bool) -> None:
        """Keep a change of state."""
        self.states.append(up)


class Subject:
    """An upstream under test, with what is known of its server."""

    def __init__(
        self, kind: str, upstream: McpStdio | McpHttp, told: Told, http: ScriptedHttp | None = None
    ) -> None:
        self.transport, self.era = kind.split("-")
        self.upstream: Upstream = upstream
        self.bound = upstream.bound
        self.told = told
        self.http = http

    def over(self, transport: str) -> bool:
        """Whether it is spoken to over this transport."""
        return self.transport == transport


async def until(true: Callable[[], Any]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for is a plain value
            await asyncio.sleep(0.01)


def settings(told: Told, **more: Any) -> dict[str, Any]:
    """What both adapters are given."""
    common = {
        "entropy": SystemEntropy(),
        "bound": BufferBound(8 * MAX_RESULT_BYTES),
        "max_result_bytes": MAX_RESULT_BYTES,
        "on_state": told.on_state,
    }
    return {**common, **more}


@asynccontextmanager
async def example_url(server: str, folder: Path) -> AsyncIterator[str]:
    """The address of an example server that runs while the block does."""
    argv = [str(ROOT / "examples" / "servers" / f"{server}.py"), str(folder), "--http", "0"]
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        async for line in process.stderr:
            if found := re.search(rb"http://127\.0\.0\.1:\d+", line):
                yield found[0].decode() + "/mcp"
                break
        else:
            pytest.fail(f"`{server}` ended before it said where it listens")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture(params=KINDS)
async def contracts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """The contracts server of the examples, which speaks both eras."""
    kind: str = request.param
    told = Told()
    folder = Path(shutil.copytree(ROOT / "examples" / "story" / "legal", tmp_path / "legal"))
    probe = kind.endswith("modern")
    async with AsyncExitStack() as stack:
        upstream: McpStdio | McpHttp
        if kind.startswith("stdio"):
            argv = [sys.executable, str(ROOT / "examples" / "servers" / "contracts.py"), str(folder)]
            upstream = McpStdio("contracts", argv, probe=probe, **settings(told))
        else:
            url = await stack.enter_async_context(example_url("contracts", folder))
            upstream = McpHttp("contracts", url, probe=probe, **settings(told))
        await upstream.start(told.on_change, told.on_notification)
        stack.push_async_callback(upstream.stop)
        yield Subject(kind, upstream, told)


@pytest.fixture(params=KINDS)
async def scripted(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """The server that breaks on request, which speaks one era alone."""
    kind: str = request.param
    transport, era = kind.split("-")
    told = Told()
    async with AsyncExitStack() as stack:
        http = None
        upstream: McpStdio | McpHttp
        if transport == "stdio":
            fast = {"restart_base_s": 0.05, "restart_max_s": 0.1, "grace_s": 0.5}
            upstream = McpStdio("scripted", [sys.executable, SCRIPTED, era], **settings(told, **fast))
        else:
            http = await stack.enter_async_context(scripted_http(era))
            upstream = McpHttp("scripted", http.url, retry_base_s=0.05, retry_max_s=0.1, **settings(told))
        await upstream.start(told.on_change, told.on_notification)
        stack.push_async_callback(upstream.stop)
        yield Subject(kind, upstream, told, http)


def tool(name: str, *, task: str = "t1", meta: dict[str, Any] | None = None, **arguments: Any) -> Call:
    """A call of a tool."""
    return Call(
        method="tools/call", params={"name": name, "arguments": arguments}, task=task, meta=meta or {}
    )


def asking(name: str, **more: Any) -> Call:
    """A call of a tool without arguments, with more of what the port lets a call say."""
    return Call(method="tools/call", params={"name": name, "arguments": {}}, task="t1", **more)


async def to_end(exchange: Exchange) -> list[Chunk]:
    """Every chunk of an exchange that has been sent."""
    chunks: list[Chunk] = []
    async with asyncio.timeout(20):
        while not chunks or not chunks[-1].last:
            chunks.append(await exchange.receive())
    return chunks


async def run(subject: Subject, call: Call, headers: dict[str, str] | None = None) -> list[Chunk]:
    """Every chunk of a call."""
    exchange = await subject.upstream.prepare(call, headers or {})
    try:
        exchange.send()
        return await to_end(exchange)
    finally:
        exchange.release()


async def test_a_catalogue_holds_all_that_a_server_offers(contracts: Subject) -> None:
    """Tools, resource templates and prompts come as the server's own wire entries, with its era."""
    catalogue = await contracts.upstream.catalogue()
    assert catalogue.protocol == VERSIONS[contracts.era]
    assert catalogue.server["name"] == "contracts"
    assert catalogue.instructions == "Contracts of the legal team."
    assert {t["name"] for t in catalogue.tools} == {"read", "list", "write_summary", "export"}
    assert len(catalogue.resource_templates) == 2
    assert [p["name"] for p in catalogue.prompts] == ["summarise"]
    assert "tools" in catalogue.capabilities


async def test_a_result_comes_as_its_own_bytes(contracts: Subject) -> None:
    """The last chunk holds the JSON of `result`, and says whether the tool failed."""
    (chunk,) = await run(contracts, tool("read", path="contracts/C-42.md"))
    assert chunk.kind is ChunkKind.RESULT
    assert not chunk.is_error
    assert type(chunk.body) is bytes
    assert "pressure gauges" in json.loads(chunk.body)["content"][0]["text"]
    (chunk,) = await run(contracts, tool("read", path="../outside"))
    assert (chunk.kind, chunk.is_error) == (ChunkKind.RESULT, True)


async def test_resources_prompts_and_completion_pass(contracts: Subject) -> None:
    """Every method is one request, whatever its name needs in headers."""
    read = Call(method="resources/read", params={"uri": "contract://C-42"}, task="t1")
    get = Call(
        method="prompts/get", params={"name": "summarise", "arguments": {"contract": "C-42"}}, task="t1"
    )
    ref = {"type": "ref/prompt", "name": "summarise"}
    params = {"ref": ref, "argument": {"name": "contract", "value": "C"}}
    complete = Call(method="completion/complete", params=params, task="t1")
    for call, key in [(read, "contents"), (get, "messages"), (complete, "completion")]:
        (chunk,) = await run(contracts, call)
        assert chunk.kind is ChunkKind.RESULT
        assert json.loads(chunk.body)[key]


async def test_what_a_server_does_not_know_is_its_own_error(contracts: Subject) -> None:
    """A JSON-RPC error is a chunk, not a fault, with whatever HTTP status it came."""
    (chunk,) = await run(contracts, Call(method="no/such", params={}, task="t1"))
    assert chunk.kind is ChunkKind.ERROR
    assert json.loads(chunk.body)["code"] == -32601
    unknown = Call(method="resources/read", params={"uri": "contract://C-\u00e9"}, task="t1")
    (chunk,) = await run(contracts, unknown)
    assert chunk.kind is ChunkKind.ERROR


async def test_many_calls_at_once_get_each_its_own_answer(scripted: Subject) -> None:
    """Answers go to whoever asked, in whatever order they come."""
    calls = [run(scripted, tool("echo", task=f"t{n % 3}", n=n)) for n in range(40)]
    for n, (chunk,) in enumerate(await asyncio.gather(*calls)):
        assert json.loads(chunk.body)["structuredContent"]["arguments"] == {"n": n}


async def test_a_server_of_one_era_is_found_out(scripted: Subject) -> None:
    """The modern question is asked first; a legacy server gets its handshake, and both give two pages."""
    catalogue: Catalogue = await scripted.upstream.catalogue()
    assert catalogue.protocol == VERSIONS[scripted.era]
    assert catalogue.instructions == "be kind"
    assert len(catalogue.tools) == 14
    assert len(catalogue.resources) == 1
    assert catalogue.resource_templates == ()


async def test_meta_is_ours(scripted: Subject) -> None:
    """Trace context travels; nothing that the protocol reserves comes from the agent."""
    meta = {
        "traceparent": "00-1",
        "progressToken": "the agent's",
        "io.modelcontextprotocol/clientInfo": {"name": "the agent"},
        "io.modelcontextprotocol/clientCapabilities": {"sampling": {}},
    }
    call = tool("echo", meta=meta, text="a")
    smuggled = Call(method=call.method, params={**call.params, "_meta": meta}, task="t1")
    for sent in (call, smuggled):
        (chunk,) = await run(scripted, sent)
        got = json.loads(chunk.body)["structuredContent"]["meta"]
        assert "progressToken" not in got
        if scripted.era == "modern":
            assert got["io.modelcontextprotocol/protocolVersion"] == VERSIONS["modern"]
            assert got["io.modelcontextprotocol/clientCapabilities"] == {}
            assert got["io.modelcontextprotocol/clientInfo"]["name"] == "remit"
        else:
            assert not [key for key in got if key.startswith("io.modelcontextprotocol/")]
        assert got.get("traceparent") == ("00-1" if sent is call else None)


async def test_progress_comes_before_the_result_and_only_when_wanted(scripted: Subject) -> None:
    """Notifications of a call are chunks of it, with a token of our own."""
    *notes, last = await run(scripted, asking("progress", wants_progress=True))
    assert [(note.kind, note.method) for note in notes] == [
        (ChunkKind.NOTIFICATION, "notifications/progress")
    ] * 2
    assert [json.loads(note.body)["progress"] for note in notes] == [0, 1]
    assert last.kind is ChunkKind.RESULT
    assert [c.kind for c in await run(scripted, asking("progress"))] == [ChunkKind.RESULT]


async def test_a_log_message_reaches_only_the_call_it_belongs_to(scripted: Subject) -> None:
    """Over HTTP the call's stream says whose it is; over stdio nothing does, so nobody gets it."""
    chunks = await run(scripted, asking("log", log_level="info"))
    methods = [chunk.method for chunk in chunks]
    assert methods == (["notifications/message", ""] if scripted.over("http") else [""])


async def test_tool_errors_and_protocol_errors_are_told_apart(scripted: Subject) -> None:
    """`isError` is the tool's, a JSON-RPC error the protocol's."""
    (failed,) = await run(scripted, asking("fail"))
    assert (failed.kind, failed.is_error) == (ChunkKind.RESULT, True)
    (broken,) = await run(scripted, asking("error"))
    assert (broken.kind, json.loads(broken.body)["code"]) == (ChunkKind.ERROR, -32603)


async def test_a_servers_question_is_not_answered_by_anyone(scripted: Subject) -> None:
    """A modern `input_required` becomes an error; a legacy question is a chunk over HTTP alone."""
    chunks = await run(scripted, asking("ask"))
    if scripted.era == "modern":
        assert [c.kind for c in chunks] == [ChunkKind.ERROR]
        assert json.loads(chunks[0].body)["data"]["code"] == "not-passed-on"
    elif scripted.over("http"):
        assert [(c.kind, c.method, c.request_id) for c in chunks[:1]] == [
            (ChunkKind.REQUEST, "elicitation/create", "q1")
        ]
        assert chunks[-1].kind is ChunkKind.RESULT
    else:
        assert [c.kind for c in chunks] == [ChunkKind.RESULT]


async def test_bodies_have_no_line_breaks(scripted: Subject) -> None:
    """However a server indents, whoever embeds a body in a stream of lines or events can do so."""
    (chunk,) = await run(scripted, tool("echo", text="two\nlines"))
    assert b"\n" not in chunk.body
    assert json.loads(chunk.body)["structuredContent"]["arguments"] == {"text": "two\nlines"}


async def test_a_result_within_the_limit_passes_and_one_beyond_it_is_a_fault(scripted: Subject) -> None:
    """The limit holds wherever the id stands in the message, and the upstream serves on after it."""
    (chunk,) = await run(scripted, tool("big", n=MAX_RESULT_BYTES // 2))
    assert chunk.size > MAX_RESULT_BYTES // 2
    for name in ("big", "overlong"):
        with pytest.raises(UpstreamFault) as fault:
            await run(scripted, tool(name, n=2 * MAX_RESULT_BYTES))
        assert (fault.value.sent, fault.value.code) == (True, "upstream-too-large")
    assert (await run(scripted, tool("echo")))[-1].kind is ChunkKind.RESULT
    bound = scripted.bound
    assert bound.held_bytes == 0


async def test_nothing_is_asked_while_too_much_waits(scripted: Subject) -> None:
    """The memory for answers is shared; at its bound a call is refused before it is sent."""
    bound = scripted.bound
    bound.held_bytes += bound.max_buffered_bytes
    with pytest.raises(Busy):
        await scripted.upstream.prepare(tool("echo"), {})
    bound.held_bytes -= bound.max_buffered_bytes
    await run(scripted, tool("echo"))


async def test_a_malformed_answer_is_a_fault_of_its_call_alone(scripted: Subject) -> None:
    """What is not JSON-RPC ends the call that it answers; others go on."""
    hanging = await scripted.upstream.prepare(tool("hang", task="t2"), {})
    hanging.send()
    waiting = asyncio.create_task(hanging.receive())
    with pytest.raises(UpstreamFault) as fault:
        await run(scripted, asking("malformed"))
    assert fault.value.sent
    assert (await run(scripted, tool("echo")))[-1].kind is ChunkKind.RESULT
    assert not waiting.done()
    hanging.release()
    with pytest.raises(UpstreamUnreachable):
        await waiting


async def test_a_release_ends_the_wait(scripted: Subject) -> None:
    """`receive` ends in `UpstreamUnreachable` that says the call was sent; releasing twice is harmless."""
    exchange = await scripted.upstream.prepare(tool("hang"), {})
    exchange.send()
    waiting = asyncio.create_task(exchange.receive())
    await asyncio.sleep(0.05)
    exchange.release()
    exchange.release()
    with pytest.raises(UpstreamUnreachable) as fault:
        await waiting
    assert fault.value.sent
    with pytest.raises(UpstreamUnreachable):
        await exchange.receive()
    assert (await run(scripted, tool("echo")))[-1].kind is ChunkKind.RESULT


async def test_an_unsent_call_can_be_dropped(scripted: Subject) -> None:
    """A released exchange that was never sent reaches no server and leaves the connection good."""
    exchange = await scripted.upstream.prepare(tool("crash"), {})
    exchange.cancel("fence")
    exchange.release()
    with pytest.raises((UpstreamUnreachable, OutOfOrder)):
        exchange.send()
    assert (await run(scripted, tool("echo")))[-1].kind is ChunkKind.RESULT
    assert scripted.told.states == []


async def test_a_call_is_sent_at_most_once(scripted: Subject) -> None:
    """A second `send` writes nothing."""
    exchange = await scripted.upstream.prepare(tool("echo"), {})
    exchange.send()
    with pytest.raises(OutOfOrder):
        exchange.send()
    await to_end(exchange)
    exchange.release()


async def test_a_cancel_is_told_as_the_era_and_transport_can(scripted: Subject) -> None:
    """A notification where there is one; over modern HTTP the closed response says it."""
    exchange = await scripted.upstream.prepare(tool("hang"), {})
    exchange.send()
    waiting = asyncio.create_task(exchange.receive())
    await asyncio.sleep(0.1)
    exchange.cancel("fence")
    exchange.cancel("fence")
    exchange.release()
    with pytest.raises(UpstreamUnreachable):
        await waiting
    if scripted.http is not None and scripted.era == "legacy":
        seen = scripted.http.server.seen
        await until(lambda: [m for m in seen if m.get("method") == "notifications/cancelled"])
        assert len([m for m in seen if m.get("method") == "notifications/cancelled"]) == 1
    assert (await run(scripted, tool("echo")))[-1].kind is ChunkKind.RESULT


async def test_a_changed_list_is_told(scripted: Subject) -> None:
    """`list_changed` calls `on_change`, on whatever stream it comes."""
    before = scripted.told.changes
    await run(scripted, asking("change"))
    if scripted.over("stdio"):
        await until(lambda: scripted.told.changes > before)


async def test_a_subscription_tells_of_updates(scripted: Subject) -> None:
    """`resources/subscribe` answers with a result in either era; modern updates follow on their own."""
    subscribe = Call(method="resources/subscribe", params={"uri": "note://1"}, task="t1")
    (chunk,) = await run(scripted, subscribe)
    assert chunk.kind is ChunkKind.RESULT
    if scripted.era == "modern":
        await until(lambda: scripted.told.notifications)
        assert scripted.told.notifications == [("notifications/resources/updated", {"uri": "note://1"})]
        unsubscribe = Call(method="resources/unsubscribe", params={"uri": "note://1"}, task="t1")
        (chunk,) = await run(scripted, unsubscribe)
        assert chunk.body == b"{}"
    await scripted.upstream.end_task("t1")


async def test_a_stopped_upstream_refuses_and_stops_twice(scripted: Subject) -> None:
    """After `stop` nothing can be sent; stopping again is harmless."""
    await scripted.upstream.stop()
    await scripted.upstream.stop()
    with pytest.raises(UpstreamUnreachable) as fault:
        await scripted.upstream.prepare(tool("echo"), {})
    assert not fault.value.sent


async def test_a_server_that_others_wrote_is_spoken_to(tmp_path: Path) -> None:
    """`mcp-server-git` answers about a real repository."""
    program = Path(sys.executable).with_name("mcp-server-git")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com"]
    for argv in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        await asyncio.to_thread(subprocess.run, [*git, *argv], cwd=tmp_path, check=True)
    told = Told()
    upstream = McpStdio("git", [str(program), "--repository", str(tmp_path)], **settings(told))
    await upstream.start(told.on_change, told.on_notification)
    try:
        catalogue = await upstream.catalogue()
        assert "git_log" in {t["name"] for t in catalogue.tools}
        subject = Subject("stdio-modern", upstream, told)
        (chunk,) = await run(subject, tool("git_log", repo_path=str(tmp_path)))
        assert b"first" in chunk.body
    finally:
        await upstream.stop()
