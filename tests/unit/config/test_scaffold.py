# SPDX-License-Identifier: Apache-2.0
"""What `remit init` writes runs as it is."""

from pathlib import Path

from mcp import ClientSession, StdioServerParameters, stdio_client

from remit.config import load_bundle, load_config
from remit.config.scaffold import scaffold


async def test_the_example_server_offers_what_the_tool_file_describes(tmp_path: Path) -> None:
    """The command of the scaffold starts a real MCP server with exactly the described tools."""
    scaffold(tmp_path)
    config = load_config(tmp_path)
    program, *arguments = config.upstreams["notes"].command
    server = StdioServerParameters(command=program, args=arguments, cwd=tmp_path)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        offered = {f"notes/{tool.name}" for tool in (await session.list_tools()).tools}
        note = await session.call_tool("read_note", {"name": "shopping"})
    assert offered == set(load_bundle(config).tools)
    assert "milk" in str(note.content)
