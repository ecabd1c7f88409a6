# SPDX-License-Identifier: Apache-2.0
"""The official MCP client works at the endpoint in both protocol eras, before upstreams of either era."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from tests.refusals import said
from tests.worlds.mcp_endpoint import GatewayWorld, gateway_world, served

Era = str
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


@pytest.fixture(params=list(VERSIONS))
def era(request: pytest.FixtureRequest) -> Era:
    """How the client negotiates: each protocol era once."""
    era: Era = request.param
    return era


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint, before upstreams of both eras."""
    async with gateway_world(tmp_path) as world:
        yield world


@asynccontextmanager
async def client(
    world: GatewayWorld, era: Era, path: str = "/mcp/files", **settings: Any
) -> AsyncIterator[Client]:
    """An official client with the task's token, connected through a socket."""
    async with (
        served(world.endpoint) as base,
        httpx2.AsyncClient(headers={"authorization": f"Bearer {world.token}"}, timeout=60) as http,
        Client(
            streamable_http_client(base + path, http_client=http),
            mode=era,
            read_timeout_seconds=120,
            **settings,
        ) as connected,
    ):
        yield connected


async def test_the_client_speaks_the_era_that_it_wants(world: GatewayWorld, era: Era) -> None:
    """A client that can gets 2026-07-28, one that insists gets a session."""
    async with client(world, era) as mcp:
        assert mcp.protocol_version == VERSIONS[era]
        assert mcp.server_info is not None
        assert mcp.server_info.name == "remit"


@pytest.mark.parametrize("upstream", ["files", "notes"])
async def test_a_call_comes_back(world: GatewayWorld, era: Era, upstream: str) -> None:
    """Either era of client gets the result of either era of upstream."""
    async with client(world, era, f"/mcp/{upstream}") as mcp:
        listed = await mcp.list_tools()
        assert "echo" in {tool.name for tool in listed.tools}
        result = await mcp.call_tool("echo", {"text": "ok"})
        assert isinstance(result, CallToolResult)
        assert result.structured_content is not None
        assert result.structured_content["arguments"] == {"text": "ok"}


async def test_all_upstreams_stand_at_one_address(world: GatewayWorld, era: Era) -> None:
    """At `/mcp` each tool has its upstream's name before it."""
    async with client(world, era, "/mcp") as mcp:
        names = {tool.name for tool in (await mcp.list_tools()).tools}
        assert {"files__echo", "notes__echo"} <= names
        result = await mcp.call_tool("notes__echo", {"text": "hello"})
        assert isinstance(result, CallToolResult)
    assert [one["arguments"] for one in world.calls("notes")] == [{"text": "hello"}]


async def test_a_refusal_is_a_result_with_its_reason(world: GatewayWorld, era: Era) -> None:
    """What the grant does not permit is refused with rule and remediation, before anything is forwarded."""
    async with client(world, era) as mcp:
        result = await mcp.call_tool("echo", {"text": "not so"})
    assert result.is_error
    assert result.structured_content["reasons"][0]["argument"] == "text"
    assert result.structured_content["remediation"] in said(result)
    assert world.calls() == []


async def test_progress_comes_before_the_result(world: GatewayWorld, era: Era) -> None:
    """The client's own progress token is put back into what the upstream tells."""
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with client(world, era) as mcp:
        await mcp.call_tool("progress", {}, progress_callback=hear)
    assert heard == [0, 1]


async def test_a_large_result_comes_whole(world: GatewayWorld, era: Era) -> None:
    """A result of megabytes arrives byte for byte."""
    async with client(world, era) as mcp:
        result = await mcp.call_tool("big", {"n": 3_000_000})
        assert isinstance(result, CallToolResult)
        assert len(said(result)) == 3_000_000


async def test_what_a_tool_says_of_its_failure_passes(world: GatewayWorld, era: Era) -> None:
    """A tool's own error is a result, and stays one."""
    async with client(world, era) as mcp:
        result = await mcp.call_tool("fail", {})
        assert isinstance(result, CallToolResult)
        assert result.is_error


async def test_a_server_that_asks_back_gets_no_answer(world: GatewayWorld, era: Era) -> None:
    """A question of an upstream to the agent's user is not passed on."""
    async with client(world, era) as mcp:
        result = await mcp.call_tool("ask", {})
        assert result.is_error


async def test_resources_are_listed_as_granted(world: GatewayWorld, era: Era) -> None:
    """The resource that the grant covers is there."""
    async with client(world, era) as mcp:
        listed = await mcp.list_resources()
        assert [str(one.uri) for one in listed.resources] == ["note://1"]
        assert (await mcp.list_prompts()).prompts == []


async def test_calls_of_one_client_run_side_by_side(world: GatewayWorld, era: Era) -> None:
    """Thirty calls at once come back each with its own answer."""
    async with client(world, era) as mcp:
        results = await asyncio.gather(*(mcp.call_tool("echo", {"text": f"ok{n}"}) for n in range(30)))
        told = [one.structured_content["arguments"]["text"] for one in results]
        assert told == [f"ok{n}" for n in range(30)]


async def test_an_ended_task_gets_nothing_more(world: GatewayWorld, era: Era) -> None:
    """After the end returned no call passes."""
    async with client(world, era) as mcp:
        await mcp.call_tool("echo", {"text": "ok"})
        await world.services.endings.revocations.end_task(world.task, reason="done", by="lena")
        result = await mcp.call_tool("echo", {"text": "ok"})
        assert result.is_error
        assert "This task has ended" in said(result)
    assert len(world.calls()) == 1
