# SPDX-License-Identifier: Apache-2.0
"""Streams that report calls that go on: to which clients, at what pace, and until when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from remit.core.identity.principals import Role
from remit.services.identity.directory import NewPerson
from tests.servers.deferring_mcp import (
    ABLE,
    EXTENSION,
    OWN_ID,
    QUESTION,
    DeferringServer,
    deferring_bundle,
    text,
)
from tests.worlds.deferring import DeferringWorld
from tests.worlds.mcp_endpoint import BASIC, ENVELOPE, MODERN, gateway_world

Json = Any


class Stream:
    """`subscriptions/listen` for some calls, until the listener hangs up."""

    def __init__(self, world: DeferringWorld, handles: Json, *, token: str = "", meta: Json = ABLE) -> None:
        self.sent: list[MutableMapping[str, Json]] = []
        self.hung_up = asyncio.Event()
        params = {"notifications": {"taskIds": handles}, "_meta": {**ENVELOPE, **meta}}
        body = {"jsonrpc": "2.0", "id": "sub", "method": "subscriptions/listen", "params": params}
        self._content = [json.dumps(body).encode()]
        headers = BASIC | {
            "authorization": f"Bearer {token or world.gateway.token}",
            "mcp-protocol-version": MODERN,
            "mcp-method": "subscriptions/listen",
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": "/mcp/files", "headers": raw}
        self.task = asyncio.create_task(world.gateway.endpoint(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Json]:
        if self._content:
            return {"type": "http.request", "body": self._content.pop(), "more_body": False}
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Json]) -> None:
        self.sent.append(message)

    @property
    def body(self) -> str:
        """All that came so far."""
        return b"".join(one.get("body", b"") for one in self.sent).decode()

    @property
    def honoured(self) -> Json:
        """What the stream was said to tell of."""
        return self._messages[0]["params"]["notifications"]

    @property
    def told(self) -> list[Json]:
        """What it has told so far."""
        return [one["params"] for one in self._messages if one.get("method") == "notifications/tasks"]

    @property
    def _messages(self) -> list[Json]:
        return [json.loads(line[6:]) for line in self.body.split("\n") if line.startswith("data: ")]

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(30):
            while not ready():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[DeferringWorld]:
    """The endpoint, and a task that may call what is deferred."""
    server = DeferringServer()
    server.first = {"pollIntervalMs": 100}
    async with gateway_world(tmp_path, server=server, bundle=deferring_bundle()) as gateway:
        yield DeferringWorld(gateway, server)


async def passing(world: DeferringWorld, stream: Stream, ready: Callable[[], bool]) -> None:
    """Let time pass until something holds."""

    def enough() -> bool:
        world.gateway.clock.advance(0.2)
        return ready()

    await stream.until(enough)


async def later(world: DeferringWorld, stream: Stream, count: int) -> None:
    """Let time pass until the stream has told so much."""
    await passing(world, stream, lambda: len(stream.told) >= count)


async def test_a_change_is_told_once(world: DeferringWorld) -> None:
    """Each way that a call stands in is told when it is seen, under our handle, until the call has ended."""
    handle = await world.begin("ask")
    stream = Stream(world, [handle])
    await later(world, stream, 1)
    assert stream.honoured == {"taskIds": [handle]}
    world.server.job().update(status="input_required", inputRequests=QUESTION)
    await later(world, stream, 2)
    world.server.job().pop("inputRequests")
    world.server.finish(**text("all"))
    await later(world, stream, 3)
    assert [one["status"] for one in stream.told] == ["working", "input_required", "completed"]
    assert {one["taskId"] for one in stream.told} == {handle}
    assert stream.told[1]["inputRequests"] == QUESTION
    assert stream.told[2]["result"]["content"][0]["text"] == "all"
    assert all("resultType" not in one and one["_meta"] for one in stream.told)
    assert OWN_ID not in stream.body
    assert await world.outcomes() == [("ok", "")]
    stream.hung_up.set()
    await stream.task


async def test_nobody_hears_of_anothers_calls(world: DeferringWorld) -> None:
    """Of a handle of another task, of one that never was, and of an upstream's own id nothing is told."""
    handle = await world.begin()
    _, token = await world.gateway.open()
    stream = Stream(world, [handle, "call_x", f"{OWN_ID}-1"], token=token)
    await stream.until(lambda: bool(stream.sent))
    assert stream.honoured == {}
    world.server.finish()
    world.gateway.clock.advance(1)
    await asyncio.sleep(0.2)
    assert stream.told == []
    assert world.server.asked("tasks/get") == []
    stream.hung_up.set()
    await stream.task


async def test_an_end_ends_the_stream(world: DeferringWorld) -> None:
    """What is seen after the end of the task is reported to no client."""
    stream = Stream(world, [await world.begin()])
    await later(world, stream, 1)
    await world.services.endings.revocations.end_task(world.gateway.task, reason="r", by="lena")
    await world.gateway.endpoint.on_end(world.gateway.task)
    world.server.finish()
    await asyncio.wait_for(stream.task, 30)
    assert len(stream.told) == 1


async def test_an_upstream_that_hangs_does_not_hold_the_end(world: DeferringWorld) -> None:
    """A look that waits for its upstream is cut with the task, and so is the stream."""
    world.server.silent = True
    stream = Stream(world, [await world.begin()])

    def asked() -> bool:
        world.gateway.clock.advance(0.2)
        return bool(world.server.asked("tasks/get"))

    await stream.until(asked)
    await world.services.endings.revocations.end_task(world.gateway.task, reason="r", by="lena")
    await asyncio.wait_for(stream.task, 30)
    assert all(one["status"] == "working" for one in stream.told)


async def test_a_token_that_runs_out_ends_the_stream(world: DeferringWorld) -> None:
    """A listener's token is checked at each look, not only when the stream began."""
    stream = Stream(world, [await world.begin()])
    await later(world, stream, 1)
    world.gateway.clock.advance(400)
    world.server.finish()
    await asyncio.wait_for(stream.task, 30)
    assert [one["status"] for one in stream.told] == ["working"]


@pytest.mark.parametrize("handles", ["x", [7], {"a": 1}, ["x"] * 101])
async def test_what_is_no_list_of_handles_is_refused(world: DeferringWorld, handles: Json) -> None:
    """`taskIds` is a list of strings, and not too many."""
    stream = Stream(world, handles)
    await stream.task
    assert json.loads(stream.body)["error"]["code"] == -32602


async def test_only_who_knows_the_extension_may_listen(world: DeferringWorld) -> None:
    """Who did not declare it is told what is missing."""
    stream = Stream(world, ["x"], meta={})
    await stream.task
    error = json.loads(stream.body)["error"]
    assert error["code"] == -32021
    assert error["data"]["requiredCapabilities"] == {"extensions": {EXTENSION: {}}}


async def test_a_parked_call_is_followed_to_its_end(world: DeferringWorld) -> None:
    """The stream tells that it waits, has it made after the answer, and goes on under one handle."""
    handle = await world.begin("pay", {"n": 1})
    stream = Stream(world, [handle])
    await later(world, stream, 1)
    assert stream.honoured == {"taskIds": [handle]}
    assert "not decided yet" in stream.told[0]["statusMessage"]
    await world.services.identity.directory.add_person(
        NewPerson(name="gil", roles=(Role.APPROVER,)), by="remit"
    )
    gil = await world.services.identity.directory.person("gil")
    await world.services.decisions.approvals.answer(handle, gil, approve=True)
    await passing(world, stream, lambda: bool(world.server.jobs))
    world.server.finish(**text("paid"))
    await passing(world, stream, lambda: stream.told[-1]["status"] == "completed")
    assert {one["taskId"] for one in stream.told} == {handle}
    assert stream.told[-1]["result"]["content"][0]["text"] == "paid"
    assert (await world.get(handle))["status"] == "completed"
    assert len(world.gateway.calls()) == 1
    assert OWN_ID not in stream.body
    stream.hung_up.set()
    await stream.task
