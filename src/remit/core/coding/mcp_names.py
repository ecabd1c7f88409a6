# SPDX-License-Identifier: Apache-2.0
"""Names under which coding assistants offer the tools of MCP servers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from remit.core.coding.calls import CLIENTS
from remit.core.tools.tool import is_tool_name

_PREFIX: Final = "mcp__"


class McpTool(NamedTuple):
    """A tool of an MCP server: the upstream's name, made of the client's, and the tool's own name."""

    upstream: str
    name: str


def mcp_tool(name: str) -> McpTool | None:
    """Return the MCP tool that a client's name (`mcp__forge__create_issue`) means; None for its own tools."""
    if not name.startswith(_PREFIX):
        return None
    server, _, tool = name.removeprefix(_PREFIX).partition("__")
    upstream = re.sub(r"[^a-z0-9-]+", "-", server.lower()).strip("-")[:60]
    if not upstream or not is_tool_name(tool):
        return None
    if upstream in CLIENTS:
        upstream = f"mcp-{upstream}"
    return McpTool(upstream, tool)


def hyphenated(name: str, upstreams: Iterable[str]) -> McpTool | None:
    """Return the MCP tool that a name of another form (`forge-create_issue`) means, among known servers."""
    for upstream in upstreams:
        tool = name.removeprefix(f"{upstream}-")
        if tool != name and is_tool_name(tool):
            return McpTool(upstream, tool)
    return None
