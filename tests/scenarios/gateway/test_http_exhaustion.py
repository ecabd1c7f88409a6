# SPDX-License-Identifier: Apache-2.0
"""Threat: an agent, or an API, that is slow, or is many at once, keeps the endpoint from all others."""

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import msgspec

from remit.core.tools.tool import surface_digest, surface_of
from remit.gateway.endpoints import http_endpoint
from remit.gateway.http import HttpLimits
from tests.worlds.http_endpoint import RestWorld, rest_world

Json = Any


def scope_of(world: RestWorld, path: str, method: str = "GET", **headers: str) -> dict[str, Any]:
    """Return the scope of a request of the task."""
    given = {"authorization": f"Bearer {world.token}", **headers}
    return {
        "type": "http",
        "method": method,
        "path": f"/http/shop{path}",
        "raw_path": f"/http/shop{path}".encode(),
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
    }


class Client:
    """An ASGI client that sends its body and takes its answer at its own pace."""

    def __init__(self, *, body: bytes = b"", sends: bool = True, takes: bool = True) -> None:
        self._body, self._sends, self._takes = body, sends, takes
        self.status = 0
        self.content = b""
        self.whole = False

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the body, or never."""
        if not self._sends:
            await asyncio.Event().wait()
        self._sends = False
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a part of the answer, or never."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if not self._takes:
            await asyncio.Event().wait()
        self.content += message.get("body", b"")
        self.whole = not message.get("more_body", False)


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    """408, and the connection is closed: what comes later is no request."""
    async with rest_world(tmp_path, HttpLimits(body_timeout_s=0.05)) as world:
        client = Client(sends=False)
        scope = scope_of(world, "/payments", "POST", content_type="application/json")
        await world.endpoint(scope, client.receive, client.send)
        assert client.status == 408
        assert world.api.seen == []


async def test_an_agent_that_does_not_take_its_answer_is_given_up(tmp_path: Path) -> None:
    """It would hold a connection to the API as long as it likes; the next call has it again."""
    async with rest_world(tmp_path, HttpLimits(reader_timeout_s=0.05), max_connections=1) as world:
        slow = Client(takes=False)
        await world.endpoint(scope_of(world, "/say/download"), slow.receive, slow.send)
        assert not slow.whole
        assert (await world.get("/customers/c-1")).status == 200


async def test_an_api_that_says_nothing_is_a_problem(tmp_path: Path) -> None:
    """502 or 504 with an outcome that is not known; nothing is sent again."""
    async with rest_world(tmp_path, call_timeout_s=2) as world:
        told = await world.get("/say/slow")
        assert told.status in (502, 504)
        assert told.json["outcome"] == "unknown"
        assert len(world.api.seen) == 1


async def test_more_connections_than_there_are_is_busy(tmp_path: Path) -> None:
    """Who waits too long for a connection is told to come again; nothing was sent for them."""
    async with rest_world(tmp_path, max_connections=1, connect_timeout_s=2) as world:
        first = asyncio.create_task(world.get("/say/slow"))
        while not world.api.seen:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
        told = await world.get("/customers/c-1")
        assert (told.status, told.headers["retry-after"]) == (503, "1")
        assert len(world.api.seen) == 1
        world.api.let_go.set()
        await first


async def test_one_agent_cannot_have_all_of_the_endpoint(tmp_path: Path) -> None:
    """Beyond its own bound it is busy; requests in hand are counted over endpoints."""
    async with rest_world(tmp_path) as world:
        world.endpoint = http_endpoint(world.services, limits=HttpLimits(max_calls_per_agent=1))
        first = asyncio.create_task(world.get("/say/slow"))
        while not world.api.seen:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
        assert (await world.get("/customers/c-1")).status == 503
        world.api.let_go.set()
        await first
        assert (await world.get("/customers/c-1")).status == 200


async def test_a_decision_is_not_carried_out_by_another_document(tmp_path: Path) -> None:
    """A call that waits for its turn while the document changes goes nowhere: 409, and nothing is sent."""
    async with rest_world(tmp_path) as world:
        upstream = world.upstream
        prepare = upstream.prepare
        moved = upstream.api.routes["getCustomer"].wire | {"description": "something else"}

        async def later(call: Json, headers: Json) -> Json:
            # The bundle was applied between decision and write.
            upstream.api.routes["getCustomer"] = replaced(upstream.api.routes["getCustomer"], moved)
            return await prepare(call, headers)

        upstream.prepare = later  # type: ignore[method-assign]
        told = await world.get("/customers/c-1")
        assert (told.status, told.json["code"]) == (409, "tool-changed")
        assert world.api.seen == []


def replaced(route: Json, wire: Json) -> Json:
    """Return a route with another surface."""
    return msgspec.structs.replace(route, wire=wire, digest=surface_digest(surface_of(wire)))
