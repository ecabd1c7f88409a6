# SPDX-License-Identifier: Apache-2.0
"""Every adapter of the upstream port keeps the port's word, over each transport and in each protocol era.

The servers are real: the examples, written with the official SDK; `mcp-server-git`, which others wrote; and
a scripted one that breaks on request.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.adapters.upstream.mcp.stdio import McpStdio
from remit.core.decisions.mediation import ChunkKind
from remit.core.errors import Busy, OutOfOrder, UpstreamFault, UpstreamUnreachable
from remit.ports.upstream import Call, Catalogue
from tests.worlds.upstream_subjects import (
    CALLABLE,
    KINDS,
    MAX_RESULT_BYTES,
    VERSIONS,
    Subject,
    Told,
    asking,
    contracts_upstream,
    run,
    scripted_upstream,
    settings,
    to_end,
    tool,
    until,
)


@pytest.fixture(params=KINDS)
async def contracts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """The contracts server of the examples, which speaks both eras."""
    async with contracts_upstream(request.param, tmp_path) as subject:
        yield subject


@pytest.fixture(params=KINDS)
async def scripted(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """The server that breaks on request, which speaks one era alone."""
    async with scripted_upstream(request.param) as subject:
        yield subject


@pytest.fixture(params=CALLABLE)
async def called(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """The same, and an HTTP API with operations of the same names."""
    async with scripted_upstream(request.param) as subject:
        yield subject


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


async def test_many_calls_at_once_get_each_its_own_answer(called: Subject) -> None:
    """Each answer goes to the call that requested it, in any order of arrival."""
    calls = [run(called, tool("echo", task=f"t{n % 3}", n=n)) for n in range(40)]
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
    """Over HTTP the call's stream identifies the call; over stdio nothing does, so no call gets the
    message.
    """
    chunks = await run(scripted, asking("log", log_level="info"))
    methods = [chunk.method for chunk in chunks]
    assert methods == (["notifications/message", ""] if scripted.over("http") else [""])


async def test_tool_errors_and_protocol_errors_are_told_apart(scripted: Subject) -> None:
    """`isError` is the tool's, a JSON-RPC error the protocol's."""
    (failed,) = await run(scripted, asking("fail"))
    assert (failed.kind, failed.is_error) == (ChunkKind.RESULT, True)
    (broken,) = await run(scripted, asking("error"))
    assert (broken.kind, json.loads(broken.body)["code"]) == (ChunkKind.ERROR, -32603)


async def test_a_servers_question_is_told_from_a_result(scripted: Subject) -> None:
    """A modern `input_required` is a result that wants input; a legacy question a chunk over HTTP alone."""
    chunks = await run(scripted, asking("ask"))
    if scripted.era == "modern":
        assert [(c.kind, c.wants_input) for c in chunks] == [(ChunkKind.RESULT, True)]
    elif scripted.over("http"):
        assert [(c.kind, c.method, c.request_id) for c in chunks[:1]] == [
            (ChunkKind.REQUEST, "elicitation/create", "q1")
        ]
        assert chunks[-1].kind is ChunkKind.RESULT
    else:
        assert [c.kind for c in chunks] == [ChunkKind.RESULT]


async def test_bodies_have_no_line_breaks(called: Subject) -> None:
    """However a server indents, a body can be embedded in a stream of lines or events."""
    (chunk,) = await run(called, tool("echo", text="two\nlines"))
    assert b"\n" not in chunk.body
    assert json.loads(chunk.body)["structuredContent"]["arguments"] == {"text": "two\nlines"}


async def test_a_result_within_the_limit_passes_and_one_beyond_it_is_a_fault(called: Subject) -> None:
    """The limit holds wherever the id stands in the message, and the upstream serves on after it."""
    (chunk,) = await run(called, tool("big", n=MAX_RESULT_BYTES // 2))
    assert chunk.size > MAX_RESULT_BYTES // 2
    for name in ("big", "overlong"):
        with pytest.raises(UpstreamFault) as fault:
            await run(called, tool(name, n=2 * MAX_RESULT_BYTES))
        assert (fault.value.sent, fault.value.code) == (True, "upstream-too-large")
    assert (await run(called, tool("echo")))[-1].kind is ChunkKind.RESULT
    bound = called.bound
    assert bound.held_bytes == 0


async def test_nothing_is_asked_while_too_much_waits(called: Subject) -> None:
    """The memory for answers is shared; at its bound a call is refused before it is sent."""
    bound = called.bound
    bound.held_bytes += bound.max_buffered_bytes
    with pytest.raises(Busy):
        await called.upstream.prepare(tool("echo"), {})
    bound.held_bytes -= bound.max_buffered_bytes
    await run(called, tool("echo"))


async def test_a_malformed_answer_is_a_fault_of_its_call_alone(called: Subject) -> None:
    """What is not JSON-RPC ends the call that it answers; others go on."""
    hanging = await called.upstream.prepare(tool("hang", task="t2"), {})
    hanging.send()
    waiting = asyncio.create_task(hanging.receive())
    with pytest.raises(UpstreamFault) as fault:
        await run(called, asking("malformed"))
    assert fault.value.sent
    assert (await run(called, tool("echo")))[-1].kind is ChunkKind.RESULT
    assert not waiting.done()
    hanging.release()
    with pytest.raises(UpstreamUnreachable):
        await waiting


async def test_a_release_ends_the_wait(called: Subject) -> None:
    """`receive` ends in `UpstreamUnreachable` that says the call was sent; releasing twice is harmless."""
    exchange = await called.upstream.prepare(tool("hang"), {})
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
    assert (await run(called, tool("echo")))[-1].kind is ChunkKind.RESULT


async def test_an_unsent_call_can_be_dropped(called: Subject) -> None:
    """A released exchange that was never sent reaches no server and leaves the connection good."""
    exchange = await called.upstream.prepare(tool("crash"), {})
    exchange.cancel("fence")
    exchange.release()
    with pytest.raises((UpstreamUnreachable, OutOfOrder)):
        exchange.send()
    assert (await run(called, tool("echo")))[-1].kind is ChunkKind.RESULT
    assert called.told.states == []


async def test_a_call_is_sent_at_most_once(called: Subject) -> None:
    """A second `send` writes nothing."""
    exchange = await called.upstream.prepare(tool("echo"), {})
    exchange.send()
    with pytest.raises(OutOfOrder):
        exchange.send()
    await to_end(exchange)
    exchange.release()


async def test_a_cancel_is_told_as_the_era_and_transport_can(called: Subject) -> None:
    """A notification where there is one; over modern HTTP the closed response says it."""
    exchange = await called.upstream.prepare(tool("hang"), {})
    exchange.send()
    waiting = asyncio.create_task(exchange.receive())
    await asyncio.sleep(0.1)
    exchange.cancel("fence")
    exchange.cancel("fence")
    exchange.release()
    with pytest.raises(UpstreamUnreachable):
        await waiting
    if called.http is not None and called.era == "legacy":
        seen = called.http.server.seen
        await until(lambda: [m for m in seen if m.get("method") == "notifications/cancelled"])
        assert len([m for m in seen if m.get("method") == "notifications/cancelled"]) == 1
    assert (await run(called, tool("echo")))[-1].kind is ChunkKind.RESULT


async def test_a_changed_list_is_told(scripted: Subject) -> None:
    """`list_changed` says which, and then calls `on_change`, on whatever stream it comes."""
    before = scripted.told.changes
    await run(scripted, asking("change"))
    if scripted.over("stdio"):
        await until(lambda: scripted.told.changes > before)
        assert scripted.told.notifications == [("notifications/tools/list_changed", {})]


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


async def test_a_stopped_upstream_refuses_and_stops_twice(called: Subject) -> None:
    """After `stop` nothing can be sent; stopping again is harmless."""
    await called.upstream.stop()
    await called.upstream.stop()
    with pytest.raises(UpstreamUnreachable) as fault:
        await called.upstream.prepare(tool("echo"), {})
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
