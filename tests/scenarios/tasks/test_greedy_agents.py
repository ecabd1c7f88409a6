# SPDX-License-Identifier: Apache-2.0
"""An agent with a good token occupies the endpoint, floods people and evidence, or outlives an end."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.api import http_messages as wire
from remit.core.decisions.approval import ApprovalState
from remit.core.errors import Forbidden
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Person, Role
from remit.gateway.mcp import McpLimits
from remit.gateway.mcp.calls import MAX_NAME
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import MAX_PENDING
from tests.refusals import failure
from tests.samples.tokens import agent_token
from tests.worlds.mcp_endpoint import BASIC, ENVELOPE, MODERN, GatewayWorld, gateway_world
from tests.worlds.services import service_world
from tests.worlds.values import an_approval

Json = Any
LIMITS = McpLimits(body_timeout_s=0.1, max_calls_in_flight=4, max_calls_per_agent=3)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint and its gateway."""
    async with gateway_world(tmp_path, LIMITS) as opened:
        yield opened


def _asked(world: GatewayWorld, method: str, params: Json, **meta: Json) -> tuple[Json, bytes]:
    """Return scope and body of a request of 2026-07-28."""
    params = {**params, "_meta": {**ENVELOPE, **meta}}
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    headers = {**BASIC, "authorization": f"Bearer {world.token}"}
    headers |= {"mcp-protocol-version": MODERN, "mcp-method": method}
    if "name" in params:
        headers["mcp-name"] = params["name"]
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/mcp/files", "headers": raw}
    return scope, json.dumps(body).encode()


async def test_a_body_that_never_comes_is_not_waited_for(world: GatewayWorld) -> None:
    """A request that announces a body and sends none gives its place back in time."""
    told: list[Json] = []

    async def never() -> Json:
        await asyncio.Event().wait()

    async def send(message: MutableMapping[str, Json]) -> None:
        told.append(message)

    scope, _ = _asked(world, "tools/list", {})
    async with asyncio.timeout(60):
        await world.endpoint(scope, never, send)
    assert told[0]["status"] == 408


async def test_a_management_body_that_never_comes_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds where the caller has not shown who they are."""
    monkeypatch.setattr(wire, "BODY_TIMEOUT_S", 0.1)
    told: list[Json] = []

    async def never() -> Json:
        await asyncio.Event().wait()

    async def send(message: MutableMapping[str, Json]) -> None:
        told.append(message)

    async with service_world(tmp_path) as services, asyncio.timeout(60):
        for path in ("/oauth/token", "/api/v1/sign-in"):
            scope: dict[str, Any] = {
                "type": "http",
                "method": "POST",
                "path": path,
                "headers": [],
                "query_string": b"",
            }
            told.clear()
            await services.asgi(scope | {"client": ("127.0.0.1", 1)}, never, send)
            assert told[0]["status"] in (400, 408)


async def test_one_agent_does_not_take_the_endpoint_from_others(world: GatewayWorld) -> None:
    """With as many requests in hand as one agent may have, it is told to wait, and another is served."""
    services = world.services
    agent = await services.identity.directory.agent("bot")
    other = await agent_token(services, msgspec.structs.replace(agent, name="other"))
    waiting = [asyncio.create_task(world.call("hang")) for _ in range(LIMITS.max_calls_per_agent)]
    async with asyncio.timeout(60):
        while len(world.calls()) < len(waiting):  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
    assert failure((await world.modern("tools/list")).json)["code"] == "busy"
    told = await world.modern("tools/list", token=other)
    assert failure(told.json)["code"] == "no-task"
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert "result" in (await world.modern("tools/list")).json


async def test_an_endless_name_leaves_its_beginning_behind(world: GatewayWorld) -> None:
    """A name that no tool could have is unknown, and the evidence has as much of it as of any name."""
    session = await world.session()
    for name in ("x" * (MAX_NAME + 1), "x" * 900_000):
        told = await world.legacy("tools/call", {"name": name}, session=session)
        assert failure(told.json)["code"] == "unknown-tool"
    written = await world.facts(EventKind.DECISION_MADE)
    assert [one["tool"] for one in written] == [f"/{'x' * MAX_NAME}"] * 2


async def test_ever_so_many_arguments_get_a_few_reasons(world: GatewayWorld) -> None:
    """What a refusal says does not grow with what was asked."""
    many = {f"a{number}": 0 for number in range(20_000)}
    session = await world.session(path="/mcp")
    told = await world.legacy(
        "tools/call", {"name": "files__echo", "arguments": {"text": "no", "_-text": "ok", **many}},
        session=session, path="/mcp",
    )  # fmt: skip
    assert len(failure(told.json)["reasons"]) <= 20
    subscribe = {"uri": "note://1", **many}
    live = await world.services.tasks.live.load(world.task)
    assert len(live.grants["files/resources:read"][0].permits(subscribe)) == 20


@pytest.mark.parametrize("tool", ["big", "progress"])
async def test_an_answer_that_is_being_handed_out_stops_at_the_end(world: GatewayWorld, tool: str) -> None:
    """A slow reader gets no more of a large answer once the end of its task has returned; nor of one that is
    the last event of a stream.
    """
    sizes: list[int] = []
    reading, hung_up = asyncio.Event(), asyncio.Event()
    call = {"name": tool, "arguments": {"n": 3_000_000}}
    scope, body = _asked(world, "tools/call", call, progressToken="mine")
    sent = False

    async def receive() -> Json:
        nonlocal sent
        if sent:
            await hung_up.wait()
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Json]) -> None:
        sizes.append(len(message.get("body", b"")))
        if sizes[-1] > 60_000:
            reading.set()
            await asyncio.Event().wait()  # reads no further

    answering = asyncio.create_task(world.endpoint(scope, receive, send))
    async with asyncio.timeout(60):
        await reading.wait()
        closure = await world.services.endings.revocations.end_task(world.task, reason="", by="lena")
        await answering
    assert sum(sizes) < 70_000
    assert [one.tool for one in closure.indeterminate] == [f"files/{tool}"]
    assert not (await world.services.tasks.live.load(world.task)).in_hand


async def _pending(world: GatewayWorld) -> int:
    return len(await world.services.decisions.approvals.listed(ApprovalState.PENDING))


async def test_calls_of_one_moment_ask_one_question(tmp_path: Path) -> None:
    """The same call many times at once is one question; many calls at once stay within the bound."""
    async with gateway_world(tmp_path) as world:
        told = await asyncio.gather(*(world.call("error", {"n": 1}) for _ in range(30)))
        asked = {failure(one.json)["approval"] for one in told}
        assert len(asked) == await _pending(world) == 1
        told = await asyncio.gather(*(world.call("error", {"n": number}) for number in range(2, 60)))
        codes = [failure(one.json)["code"] for one in told]
        assert codes.count("approval-required") == MAX_PENDING - 1
        assert await _pending(world) == MAX_PENDING
        requested = await world.facts(EventKind.APPROVAL_REQUESTED)
        assert len(requested) == MAX_PENDING


async def test_a_question_does_not_scroll_away(world: GatewayWorld) -> None:
    """However many approvals came after it, one that waits for an answer is listed."""
    services, clock = world.services, world.clock
    known = {"task": world.task, "requested": clock.now(), "expires": clock.now().replace(year=2100)}
    old = an_approval("apr_old", **known)
    answered = [
        an_approval(f"apr_{number}", state=ApprovalState.DENIED, **known | {"requested": old.expires})
        for number in range(150)
    ]
    await services.store.commit(
        Unit(tuple(PutApproval(one) for one in (old, *answered)), tenant=services.tenant)
    )
    assert [one.id for one in await services.decisions.approvals.listed(ApprovalState.PENDING)] == ["apr_old"]
    assert "apr_old" in [one.id for one in await services.decisions.approvals.listed()]
    assert len(await services.decisions.approvals.listed(ApprovalState.DENIED)) == 150


async def test_who_stated_the_intent_does_not_approve(tmp_path: Path) -> None:
    """Where a task is done for no named person, or for another person, its author still counts as its
    requester.
    """
    async with gateway_world(tmp_path) as world:
        services = world.services
        lena = Person(
            tenant=services.tenant,
            name="lena",
            roles=frozenset({Role.APPROVER}),
            created=services.clock.now(),
        )
        eve = msgspec.structs.replace(lena, name="eve")
        told = await world.call("error", {"n": 1})
        asked = failure(told.json)["approval"]
        stored = await services.decisions.approvals.get(asked)
        for behalf in ("", "leo"):
            approval = msgspec.structs.replace(stored, requested_for=behalf)
            with pytest.raises(Forbidden):
                approval.answered(lena, True, services.clock.now())
            assert approval.answered(eve, True, services.clock.now()).state is ApprovalState.APPROVED
