# SPDX-License-Identifier: Apache-2.0
"""What others' scenarios run against: the fixture server behind the gateway, and the relay before it.

The suite's client sends no token, as most MCP clients send none: it gets the address that `remit connect
--http` prints, and the relay does the rest. So it goes suite, relay, gateway, fixture server.
"""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.gateways.live_gateway import ROOT, LiveGateway
from tests.servers.ports import free_port

Json = Any

UPSTREAM = "fixture"
OPERATIONS = ("resources:read", "resources:subscribe", "prompts:get", "completion:complete")
#: The agent may call all that the fixture server offers, with whatever arguments and answers.
POLICY = """
@id("the-interop-task-may-call-everything")
permit (principal, action, resource);
"""


@contextlib.contextmanager
def fixture_server() -> Iterator[str]:
    """Run the fixture server as its own process, and return its address."""
    port = free_port()
    command = [sys.executable, "-m", "tests.interop.fixture", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the fixture server did not start")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(120)


def lay_out(folder: Path, gateway: LiveGateway, upstream: str, tools: list[str]) -> None:
    """Write the folder of the gateway: one upstream, all its tools described and granted."""
    for place in ("policies", "tools", "tasks"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    config = {
        "listen": {"port": gateway.port},
        "upstreams": {UPSTREAM: {"url": upstream}},
        "groups": {"writers": ["ana"]},
    }
    (folder / "remit.yaml").write_text(json.dumps(config))
    (folder / "policies" / "interop.cedar").write_text(POLICY)
    harmless = {"effect": "none", "audience": "self", "labels": {"class": "public", "trust": "trusted"}}
    names = [*tools, *OPERATIONS]
    described = {"upstream": UPSTREAM, "tools": dict.fromkeys(names, harmless)}
    (folder / "tools" / f"{UPSTREAM}.yaml").write_text(json.dumps(described))
    task = {
        "task": "interop",
        "purpose": "Run the scenarios of others",
        "run_by": ["note-bot"],
        "requested_by": ["agent:note-bot"],
        "requires_person": False,
        "grants": [{"tool": f"{UPSTREAM}/{name}", "other_arguments": True} for name in names],
    }
    (folder / "tasks" / "interop.yaml").write_text(json.dumps(task))


def offered() -> list[str]:
    """Return the names of the fixture server's tools."""
    from tests.interop.fixture.__main__ import OFFERED
    from tests.interop.fixture.base import server

    assert OFFERED
    return [tool.name for tool in server._tool_manager.list_tools()]


@contextlib.contextmanager
def governed(folder: Path) -> Iterator[str]:
    """Provide the address of a relay to the fixture server through the gateway of a new folder."""
    with fixture_server() as upstream:
        gateway = LiveGateway(folder)
        lay_out(folder, gateway, upstream, offered())
        with gateway:
            words = (
                "connect",
                "--agent",
                "note-bot",
                "--task",
                "interop",
                "--upstream",
                UPSTREAM,
                "--http",
                "--alone",
            )
            relay = gateway.start(*words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            assert relay.stdout is not None
            try:
                address = relay.stdout.readline().strip()
                if not address:
                    raise RuntimeError(f"`remit connect` ended with {relay.wait(10)}")
                yield address
            finally:
                relay.terminate()
                relay.wait(120)
                relay.stdout.close()
