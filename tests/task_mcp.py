# SPDX-License-Identifier: Apache-2.0
"""An MCP server over stdio that tells what it was started with, and does all it can to outlive its task.

python task_mcp.py [stubborn]
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.scripted_mcp import Crash, Emit, Hang, ScriptedServer, dumps

Json = Any


class TaskServer(ScriptedServer):
    """Its tools are told apart by a word, so that one description is enough for all of them."""

    def __init__(self) -> None:
        super().__init__("modern")
        self.extra_tools = [{"name": "do", "inputSchema": {"type": "object"}}]

    def do_do(self, arguments: Json, meta: Json, request_id: Json, emit: Emit) -> Json:
        """Do what the word says."""
        told = getattr(self, arguments["word"])()
        return {"content": [], "structuredContent": told | {"pid": os.getpid()}}

    def show(self) -> Json:
        """What it was started with."""
        return {"token": os.environ.get("API_TOKEN", ""), "argv": sys.argv}

    def talk(self) -> Json:
        """Write its credential into its log: by itself, in an address, and in a line that is too long."""
        token = os.environ.get("API_TOKEN", "")
        for line in (
            token,
            f"cannot reach https://me:{token}@api.example/",
            "x" * 230 + f" t={token} " * 900,
        ):
            sys.stderr.write(f"talks {line}\n")
        sys.stderr.flush()
        return {}

    def length(self) -> Json:
        """How long the token is; the token stays here."""
        return {"length": len(os.environ.get("API_TOKEN", ""))}

    def fork_twice(self) -> Json:
        """Leave a process behind of another parent, session and group that ignores being asked to end."""
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.setsid()
            if (orphan := os.fork()) == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
                os.close(1)
                os.close(0)
                time.sleep(600)
            os.write(writing, str(orphan).encode())
            os._exit(0)
        os.waitpid(child, 0)
        return {"orphan": int(os.read(reading, 20))}

    def fork_and_die(self) -> Json:
        """Leave such a process behind, and end."""
        told = self.fork_twice()
        sys.stderr.write(f"orphan {told['orphan']}\n")
        sys.stderr.flush()
        raise Crash


def serve(options: list[str]) -> None:
    """Answer until nothing more comes."""
    if "stubborn" in options:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server, out = TaskServer(), sys.stdout.buffer

    def emit(message: bytes) -> None:
        out.write(message + b"\n")
        out.flush()

    for line in sys.stdin.buffer:
        try:
            answer = server.answer(json.loads(line), emit)
        except Hang:
            continue
        except Crash:
            os._exit(3)
        if answer is not None:
            emit(dumps(answer))
    while "stubborn" in options:
        time.sleep(600)


if __name__ == "__main__":
    serve(sys.argv[1:])
