# SPDX-License-Identifier: Apache-2.0
"""The tool server with payloads: the echo server, whose `read` gives mails and whose `write` takes them.

`python -m bench.record_upstream` prints its port.
"""

from functools import lru_cache
from typing import Any

from bench import upstream
from bench.provenance import Writer


@lru_cache(maxsize=8)
def mails(size: int) -> Any:
    """Return a result of about so many bytes: mails of 2 KB each, in JSON."""
    return Writer().mailbox(size)


def call_tool(params: dict[str, Any]) -> dict[str, Any]:
    """Answer a call of one of the three tools."""
    if params["name"] == "read":
        return {"resultType": "complete", **mails(params["arguments"]["size"]), "isError": False}
    if params["name"] == "write":
        done = f"{len(params['arguments']['mails'])} written"
        return {"resultType": "complete", "content": [{"type": "text", "text": done}], "isError": False}
    return upstream.call_tool(params)


def list_tools(_: dict[str, Any]) -> dict[str, Any]:
    """The three tools."""
    kinds = {"read": ("size", "integer"), "write": ("mails", "array")}
    more = [
        {
            "name": name,
            "description": f"Do `{name}` with mails.",
            "inputSchema": {
                "type": "object",
                "properties": {argument: {"type": kind}},
                "required": [argument],
            },
        }
        for name, (argument, kind) in kinds.items()
    ]
    return upstream.list_tools({}) | {"tools": [*upstream.TOOLS, *more]}


if __name__ == "__main__":
    upstream.METHODS |= {"tools/call": call_tool, "tools/list": list_tools}
    upstream.serve(upstream.app)
