# SPDX-License-Identifier: Apache-2.0
"""The first reading: which tools the sessions called, so that the rehearsal can have a description of each."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from remit.cli.hindsight.transcript_files import TranscriptFile, lines
from remit.core.coding.calls import coding_call
from remit.core.coding.mcp_names import McpTool, mcp_tool
from remit.core.transcripts.turns import Call

MAX_TOOLS: Final = 2_000
_TYPES: Final = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


class Survey(msgspec.Struct):
    """The tools that were called: of MCP servers with the arguments seen, and those that no file describes."""

    clients: set[str] = set()
    mcp: dict[McpTool, dict[str, str]] = {}
    others: dict[str, set[str]] = {}
    left_out: int = 0

    def schema(self, tool: McpTool) -> dict[str, Any]:
        """Return a schema of the arguments that were seen."""
        seen = self.mcp[tool]
        return {"type": "object", "properties": {name: {"type": kind} for name, kind in seen.items()}}


def survey(files: list[TranscriptFile]) -> Survey:
    """Read the transcripts for the tools that they call."""
    made = Survey(clients=set(), mcp={}, others={})
    seen: set[int] = set()
    for file in files:
        reader = file.reader(seen)
        made.clients.add(file.client)
        try:
            for line in lines(file.path):
                # Most lines have no call: they are told apart before they are decoded.
                if line is None or not _may_call(line):
                    continue
                for turn in reader.read(line):
                    if isinstance(turn, Call):
                        _note(made, file.client, turn)
        except OSError:
            continue
    return made


def _may_call(line: bytes) -> bool:
    return b"tool_use" in line or b"_call" in line or b"toolCalls" in line


def _note(made: Survey, client: str, call: Call) -> None:
    given = call.arguments if isinstance(call.arguments, dict) else {}
    tool = mcp_tool(call.name)
    if tool is None:
        other = made.others.setdefault(client, set())
        if len(other) < MAX_TOOLS:
            read = coding_call(client, call.name, call.arguments, cwd=call.cwd, workspace=call.cwd)
            if not read.described:
                other.add(read.tool)
        return
    if tool not in made.mcp and len(made.mcp) >= MAX_TOOLS:
        made.left_out += 1
        return
    arguments = made.mcp.setdefault(tool, {})
    for name, value in given.items():
        if len(arguments) < 50 and isinstance(name, str) and len(name) <= 64 and name.isprintable():
            arguments.setdefault(name, _TYPES.get(type(value), "string"))
