# SPDX-License-Identifier: Apache-2.0
"""The calls that targets get, in the wire form of MCP 2026-07-28: echoes of distinct texts, reads, writes."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson

from bench.load import EchoCall
from bench.upstream import MODERN

META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1.0.0"},
}


def wire_headers(tool: str) -> dict[str, str]:
    """The headers that MCP 2026-07-28 asks for on a `tools/call`."""
    return {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }


def echo_call(number: int, url: str, tool: str, headers: Mapping[str, str]) -> EchoCall:
    """The call with this number: its id and its text of 64 characters are its own."""
    text = f"call {number:08d} " + "the quick brown fox jumps over the lazy dog and sleeps"[:50]
    return tool_call(number, url, tool, {"text": text}, text, headers)


def tool_call(
    number: int, url: str, tool: str, arguments: Mapping[str, str], text: str, headers: Mapping[str, str]
) -> EchoCall:
    """A call of a tool, whose answer is this text."""
    params = {"name": tool, "arguments": arguments, "_meta": META}
    body = orjson.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).decode()
    merged = {**wire_headers(tool), **headers}
    return EchoCall(path=urlsplit(url).path, headers=merged, body=body, id=number, text=text)
