# SPDX-License-Identifier: Apache-2.0
"""The first reading: which tools the sessions called, so that the rehearsal can have a description of each.

It also notes a word of each argument whose source a decision asks for: destinations, selectors, packages. A
trusted result without any of these words cannot hold one of the arguments, so the replay need not index it.
Untrusted results are always indexed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec

from remit.cli.hindsight.account import host_of
from remit.cli.hindsight.transcript_files import TranscriptFile, lines
from remit.core.coding.calls import coding_call
from remit.core.coding.mcp_names import McpTool, mcp_tool
from remit.core.flow.values.normal_text import folded
from remit.core.json_value import Json
from remit.core.transcripts.turns import CallTurn

MAX_TOOLS: Final = 2_000
MAX_WORDS: Final = 2_000
"""Distinct words of the arguments of one transcript; with more of them, everything is indexed."""
_WORD: Final = re.compile(r"[^\W_]{3,}")
#: Arguments of the built-in descriptions whose source counts.
_JUDGED: Final = ("to", "outside", "packages", "secret_files")
_TYPES: Final = {
    str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object",
}  # fmt: skip


class Survey(msgspec.Struct):
    """The tools that were called: MCP tools with the arguments seen, and those that no file describes."""

    clients: set[str] = set()
    mcp: dict[McpTool, dict[str, str]] = {}
    others: dict[str, set[str]] = {}
    left_out: int = 0
    words: dict[Path, set[str]] = {}

    def schema(self, tool: McpTool) -> dict[str, Any]:
        """Return a schema of the arguments that were seen."""
        seen = self.mcp[tool]
        return {"type": "object", "properties": {name: {"type": kind} for name, kind in seen.items()}}


def survey(files: list[TranscriptFile]) -> Survey:
    """Read the transcripts for the tools that they call."""
    made = Survey(clients=set(), mcp={}, others={}, words={})
    seen: set[int] = set()
    for file in files:
        reader = file.reader(seen)
        made.clients.add(file.client)
        words = made.words[file.path] = set()
        try:
            for line in lines(file.path):
                # Most lines have no call: they are told apart before they are decoded.
                if line is None or not _may_call(line):
                    continue
                for turn in reader.read(line):
                    if isinstance(turn, CallTurn):
                        _note(made, file.client, turn, reader.workspace, words)
        except OSError:
            continue
    return made


def _may_call(line: bytes) -> bool:
    return b"tool_use" in line or b"_call" in line or b"toolCalls" in line


def _note(made: Survey, client: str, call: CallTurn, workspace: str, words: set[str]) -> None:
    given = call.arguments if isinstance(call.arguments, dict) else {}
    tool = mcp_tool(call.name)
    if tool is None:
        read = coding_call(client, call.name, call.arguments, cwd=call.cwd or workspace, workspace=workspace)
        other = made.others.setdefault(client, set())
        if not read.described and len(other) < MAX_TOOLS:
            other.add(read.tool)
        judged: dict[str, Json] = {name: read.arguments[name] for name in _JUDGED if name in read.arguments}
        if read.tool in ("file.write-outside", "file.write-guarded"):
            judged = {"paths": read.arguments["paths"]}
        _add_words(judged if read.described else given, words)
        return
    _add_words(given, words)
    if tool not in made.mcp and len(made.mcp) >= MAX_TOOLS:
        made.left_out += 1
        return
    arguments = made.mcp.setdefault(tool, {})
    for name, value in given.items():
        if len(arguments) < 50 and isinstance(name, str) and len(name) <= 64 and name.isprintable():
            arguments.setdefault(name, _TYPES.get(type(value), "string"))


def _add_words(value: object, words: set[str]) -> None:
    """Add the longest word of each text in a value; of an address, the longest one of its host."""
    if isinstance(value, str):
        found = _WORD.findall(folded(host_of(value)))
        if found and len(words) <= MAX_WORDS:
            words.add(max(found, key=len))
    elif isinstance(value, dict):
        for one in value.values():
            _add_words(one, words)
    elif isinstance(value, list):
        for one in value:
            _add_words(one, words)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        words.add(str(value))


def mentions(text: str, words: set[str]) -> bool:
    """Return whether a text may hold one of these words."""
    if len(words) > MAX_WORDS:
        return True
    return bool(words) and not words.isdisjoint(_WORD.findall(folded(text)))
