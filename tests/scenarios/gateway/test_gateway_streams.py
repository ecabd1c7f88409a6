# SPDX-License-Identifier: Apache-2.0
"""Streams, cancellation and disconnects: nothing waits for an agent that has gone, and an end cuts
everything.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.evidence.event import EventKind
from remit.core.scope import ScopeKind
from remit.gateway.mcp import McpLimits
from remit.gateway.mcp.calls import CallVisit
from tests.refusals import own_failure
from tests.worlds.mcp_endpoint import ENVELOPE, LEGACY, MODERN, GatewayWorld, Line, gateway_world, messages

Json = Any
URI = "note://1"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint and its gateway."""
    async with gateway_world(tmp_path, McpLimits(max_calls_in_flight=4, streams_per_task=2)) as world:
        yield world


def listen(world: GatewayWorld, id: Json = "sub", **wanted: Json) -> Line:
    """Open a stream of 2026-07-28."""
    params = {"notifications": wanted, "_meta": ENVELOPE}
    body = {"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params}
    return Line(world, body, {"mcp-protocol-version": MODERN, "mcp-method": "subscriptions/listen"})


def call(world: GatewayWorld, name: str, session: str = "", id: Json = 7) -> Line:
    """Begin a call that may take its time."""
    params: Json = {"name": name, "arguments": {}}
    if session:
        headers = {"mcp-protocol-version": LEGACY, "mcp-session-id": session}
    else:
        params["_meta"] = ENVELOPE
        headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": name}
    return Line(world, {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}, headers)


async def ended(world: GatewayWorld, line: Line) -> Json:
    """Wait for the end of the only call, and give what the evidence says of it."""
    async with asyncio.timeout(60):
        await line.task
        while not (found := await world.facts(EventKind.TOOL_CALLED)):  # noqa: ASYNC110 - written behind
            await asyncio.sleep(0.01)
    return found[0]


async def test_progress_makes_a_stream(world: GatewayWorld) -> None:
    """What comes before the result makes an event stream; the result is its last event."""
    told = await world.call("progress", meta={"progressToken": "mine"})
    assert told.headers["content-type"] == "text/event-stream"
    *before, last = messages(told)
    assert [one["params"]["progressToken"] for one in before] == ["mine", "mine"]
    assert last["id"] == 7
    assert not own_failure(last)


async def test_nothing_is_told_that_was_not_asked_for(world: GatewayWorld) -> None:
    """Without a progress token there is no progress, without a level there are no log messages."""
    assert (await world.call("progress")).headers["content-type"] == "application/json"
    assert len(messages(await world.call("log"))) == 1
    quiet = await world.call("log", meta={"io.modelcontextprotocol/logLevel": "error"})
    assert len(messages(quiet)) == 1


async def test_an_agents_meta_does_not_travel(world: GatewayWorld) -> None:
    """Of `_meta` only the name of a trace goes upstream: free text beside the arguments would be a disclosure
    without a decision.
    """
    trace = {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}
    told = {"tracestate": "note=4111", "baggage": "note=4111", "secret": "x", "a/b": 1}
    await world.call("echo", {"text": "ok"}, meta={**trace, **told})
    (params,) = world.calls()
    assert {
        key: value for key, value in params["_meta"].items() if "modelcontextprotocol" not in key
    } == trace


async def test_a_disconnect_cancels_the_call(world: GatewayWorld) -> None:
    """An agent that hangs up ends its call; the evidence says that the outcome is unknown."""
    line = call(world, "hang")
    await line.until(lambda: bool(world.calls()))
    line.hung_up.set()
    assert (await ended(world, line))["ended_by"] == "agent"
    assert line.sent == []


async def test_a_session_can_cancel_its_own_call(world: GatewayWorld) -> None:
    """`notifications/cancelled` ends the request that it names, in its own session alone."""
    mine, other = await world.session(), await world.session()
    line = call(world, "hang", mine)
    await line.until(lambda: bool(world.calls()))
    params = {"requestId": 7}
    assert (await world.legacy("notifications/cancelled", params, session=other, id=None)).status == 202
    await asyncio.sleep(0.05)
    assert not line.task.done()
    assert (await world.legacy("notifications/cancelled", params, session=mine, id=None)).status == 202
    assert (await ended(world, line))["outcome"] == "unknown"
    assert b'"code":-31006' in line.sent[-1]["body"]


async def test_an_end_cuts_calls_in_hand(world: GatewayWorld) -> None:
    """The end of the task ends its waiting call at once, and none of its answer is released."""
    line = call(world, "hang")
    await line.until(lambda: bool(world.calls()))
    closure = await world.services.endings.revocations.end_task(world.task, reason="done", by="lena")
    assert len(closure.indeterminate) == 1
    assert (await ended(world, line))["ended_by"] == "fence"
    assert b'"status":"task-ended"' in line.sent[1]["body"]


async def test_too_many_calls_are_busy(world: GatewayWorld) -> None:
    """Beyond the bound an agent is told to come again: 503 with Retry-After."""
    lines = [call(world, "hang", id=n) for n in range(4)]
    await lines[0].until(lambda: len(world.calls()) == 4)
    told = await world.call("echo", {"text": "ok"})
    assert (told.status, told.headers["retry-after"], told.json["error"]["code"]) == (503, "1", -32000)
    for line in lines:
        line.hung_up.set()
        await line.task
    assert (await world.call("echo", {"text": "ok"})).status == 200


async def test_a_stream_tells_what_changed(world: GatewayWorld) -> None:
    """The first event says what is honoured; then come announcements with the stream's id, and no others."""
    line = listen(world, toolsListChanged=True, resourceSubscriptions=[URI, "secret://1"])
    await line.until(lambda: len(line.messages) >= 1)
    first = line.messages[0]
    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert first["params"]["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": [URI]}
    world.endpoint.changed("notes")
    world.endpoint.notified("files", "notifications/resources/updated", {"uri": "note://2"})
    world.endpoint.notified("files", "notifications/message", {"data": "secret"})
    world.endpoint.changed("files")
    world.endpoint.notified("files", "notifications/resources/updated", {"uri": URI, "extra": "secret"})
    await line.until(lambda: line.messages[-1]["method"].endswith("updated") and len(line.messages) >= 3)
    told = {one["method"] for one in line.messages[1:]}
    assert told == {"notifications/tools/list_changed", "notifications/resources/updated"}
    for one in line.messages:
        assert one["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "sub"}
        assert "extra" not in one["params"]
    line.hung_up.set()
    await line.task


async def test_only_lists_that_changed_are_announced(world: GatewayWorld) -> None:
    """A client that follows all lists reads again what it must, and no more."""
    line = listen(world, toolsListChanged=True, promptsListChanged=True, resourcesListChanged=True)
    await line.until(lambda: len(line.messages) >= 1)
    world.endpoint.changed("files", frozenset({"prompts"}))
    world.endpoint.changed("files", frozenset())
    world.endpoint.changed("files", frozenset({"resources"}))
    await line.until(lambda: line.messages[-1]["method"] == "notifications/resources/list_changed")
    told = [one["method"] for one in line.messages[1:]]
    assert told == ["notifications/prompts/list_changed", "notifications/resources/list_changed"]
    line.hung_up.set()
    await line.task


async def test_an_end_closes_streams(world: GatewayWorld) -> None:
    """The end of a task closes its streams and sessions; nothing is announced on them after that."""
    session = await world.session()
    new = listen(world, toolsListChanged=True)
    old = Line(world, None, {"mcp-protocol-version": LEGACY, "mcp-session-id": session}, "GET")
    await new.until(lambda: bool(new.messages))
    await old.until(lambda: len(old.sent) >= 2)
    await world.services.endings.revocations.end_task(world.task, reason="done", by="lena")
    async with asyncio.timeout(60):
        await asyncio.gather(new.task, old.task)
    heard = len(new.messages), len(old.messages)
    world.endpoint.changed("files")
    assert (len(new.messages), len(old.messages)) == heard


async def test_a_fenced_upstream_announces_nothing(world: GatewayWorld) -> None:
    """The fence is checked before each announcement, whichever request raised it."""
    line = listen(world, toolsListChanged=True)
    await line.until(lambda: bool(line.messages))
    await world.services.endings.revocations.end_scope(ScopeKind.UPSTREAM, "files", reason="bad", by="lena")
    world.endpoint.changed("files")
    async with asyncio.timeout(60):
        await line.task
    assert "notifications/tools/list_changed" not in {one.get("method") for one in line.messages}


async def test_a_session_has_one_stream(world: GatewayWorld) -> None:
    """A second GET on a session is a conflict; streams of a task have a bound."""
    session = await world.session()
    headers = {"mcp-protocol-version": LEGACY, "mcp-session-id": session}
    first = Line(world, None, headers, "GET")
    await first.until(lambda: len(first.sent) >= 2)
    second = Line(world, None, headers, "GET")
    await second.task
    assert second.sent[0]["status"] == 409
    third, fourth = listen(world), listen(world)
    await fourth.task
    assert fourth.sent[0]["status"] == 503
    for line in (first, third):
        line.hung_up.set()
        await line.task


async def test_a_session_follows_a_resource(world: GatewayWorld) -> None:
    """A subscription is a separate call: granted ones are followed until they are given up."""
    session = await world.session()
    assert "error" in (await world.legacy("resources/subscribe", {"uri": "secret://1"}, session=session)).json
    told = await world.legacy("resources/subscribe", {"uri": URI}, session=session)
    assert told.json["result"] == {} or told.json["result"] == {"resultType": "complete"}
    line = Line(world, None, {"mcp-protocol-version": LEGACY, "mcp-session-id": session}, "GET")
    await line.until(lambda: len(line.sent) >= 2)
    world.endpoint.notified("files", "notifications/resources/updated", {"uri": URI})
    await line.until(lambda: any(one["params"] == {"uri": URI} for one in line.messages))
    line.hung_up.set()
    await line.task


async def test_a_call_that_was_answered_leaves_nothing_in_memory(world: GatewayWorld) -> None:
    """What it leaves would stay until a collection of all objects."""
    gc.collect()
    gc.disable()
    try:
        for name in ("echo", "progress", "absent"):
            await world.call(
                name, {"text": "hello"} if name == "echo" else None, meta={"progressToken": "mine"}
            )
        assert [one for one in gc.get_objects() if isinstance(one, CallVisit)] == []
    finally:
        gc.enable()
