# SPDX-License-Identifier: Apache-2.0
"""Servers of the older SSE transport, behind `remit.relay.sse_bridge`: real server, real client."""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.server.mcpserver import Context, MCPServer

from tests.servers.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
Json = Any


@pytest.fixture
def address() -> Iterator[str]:
    """A server that speaks only SSE."""
    server = MCPServer("old", instructions="Of an older age.")

    @server.tool()
    def greet(name: str, ctx: Context) -> str:
        """Greet."""
        request = ctx.request_context.request
        assert request is not None
        return f"hello {name}, {request.headers['x-key']}"

    port = free_port()
    running = uvicorn.Server(uvicorn.Config(server.sse_app(), port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        thread.join(0.05)
    yield f"http://127.0.0.1:{port}/sse"
    running.should_exit = True
    running.force_exit = True
    thread.join()


async def test_messages_pass_in_both_directions_with_the_headers(address: str) -> None:
    """Tools, instructions and results are the server's; the header is from the environment."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "HEADER_X-Key": "k1"}
    words = ["-P", "-m", "remit.relay.sse_bridge", address]
    start = StdioServerParameters(command=sys.executable, args=words, env=env)
    async with Client(start, mode="legacy", read_timeout_seconds=60) as client:
        assert client.instructions == "Of an older age."
        assert [tool.name for tool in (await client.list_tools()).tools] == ["greet"]
        result = await client.call_tool("greet", {"name": "ana"})
        assert [getattr(one, "text", "") for one in result.content] == ["hello ana, k1"]
