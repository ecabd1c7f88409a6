# SPDX-License-Identifier: Apache-2.0
"""A real Envoy sends requests upstream itself and asks remit first: real clients, real upstreams."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from remit.core.evidence.event import EventKind
from tests.servers.envoy_server import asking_envoy
from tests.worlds.behind_envoy import a_call, asked_world, upstream_ports
from tests.worlds.mcp_endpoint import BASIC, LEGACY, GatewayWorld

Json = Any


@asynccontextmanager
async def behind(folder: Path, **settings: Json) -> AsyncIterator[tuple[GatewayWorld, str]]:
    """A world behind Envoy; gives it and Envoy's address."""
    async with (
        asked_world(folder, **settings) as (world, place),
        asking_envoy(folder, {"pipe": {"path": str(place)}}, upstream_ports(world)) as port,
    ):
        yield world, f"http://127.0.0.1:{port}"


@asynccontextmanager
async def client(base: str, token: str, era: str, upstream: str) -> AsyncIterator[Client]:
    """An official client with a task's token."""
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(
            streamable_http_client(f"{base}/mcp/{upstream}", http_client=http),
            mode=era,
            read_timeout_seconds=60,
        ) as connected,
    ):
        yield connected


@pytest.mark.parametrize(("era", "upstream"), [("auto", "files"), ("legacy", "notes")])
async def test_official_client_works_behind_envoy(tmp_path: Path, era: str, upstream: str) -> None:
    """It sees its task's tools, its call reaches the upstream, and a refused one does not; all is recorded."""
    async with behind(tmp_path) as (world, base), client(base, world.token, era, upstream) as mcp:
        names = {tool.name for tool in (await mcp.list_tools()).tools}
        assert "echo" in names
        assert "crash" not in names
        result = await mcp.call_tool("echo", {"text": "ok"})
        assert isinstance(result, CallToolResult)
        assert result.structured_content["arguments"] == {"text": "ok"}
        with pytest.raises(MCPError) as refused:
            await mcp.call_tool("crash", {})
        assert refused.value.error.code == -32001
        assert [one["name"] for one in world.calls(upstream)] == ["echo"]
        made = await world.facts(EventKind.DECISION_MADE)
        assert [(one["outcome"], one["enforced_by"]) for one in made] == [("permit", "envoy"), ("deny", "envoy")]
