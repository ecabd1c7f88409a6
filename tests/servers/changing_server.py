# SPDX-License-Identifier: Apache-2.0
"""An MCP server over stdio whose tools are what a file says, and which tells when the file has changed.

    python changing_server.py TOOLS.json

Any call looks at the file; `tools/list` gives what it holds. A line on `TOOLS.json.calls` per call.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

Json = Any


def say(message: Json) -> None:
    """Write one message."""
    with LOCK:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def answer(method: str, params: Json, tools: Path) -> Json:
    """Return the result of a request, or None where the method is not known."""
    if method == "initialize":
        return {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "changing", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": json.loads(tools.read_text())}
    if method == "tools/call":
        with tools.with_suffix(".calls").open("a") as calls:
            calls.write(json.dumps(params) + "\n")
        return {"content": [{"type": "text", "text": "done"}]}
    return {} if method == "ping" else None


def watch(tools: Path) -> None:
    """Tell of each change of the file."""
    seen = tools.stat().st_mtime_ns
    while True:
        time.sleep(0.02)
        if (now := tools.stat().st_mtime_ns) != seen:
            seen = now
            say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})


def main(tools: Path) -> None:
    """Serve until standard input ends."""
    threading.Thread(target=watch, args=(tools,), daemon=True).start()
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        result = answer(message["method"], message.get("params", {}), tools)
        body = {"error": {"code": -32601, "message": "not known"}} if result is None else {"result": result}
        say({"jsonrpc": "2.0", "id": message["id"], **body})
    os._exit(0)


LOCK = threading.Lock()

if __name__ == "__main__":
    main(Path(sys.argv[1]))
