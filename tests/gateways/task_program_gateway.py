# SPDX-License-Identifier: Apache-2.0
"""A gateway with an upstream `crm` that runs as a separate program for each task."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remit.adapters.upstream.processes.marks import marked
from tests.gateways.leasing_gateway import LeasingGateway
from tests.gateways.live_gateway import ROOT, LiveGateway
from tests.namespaces import outside
from tests.servers.authorization_server import Authorities

Json = Any

PROGRAM = [sys.executable, str(ROOT / "tests/servers/task_mcp.py")]
TOOLS = """
upstream: crm
tools:
  do:
    effect: none
    audience: self
    labels: {class: internal, trust: trusted}
    arguments:
      word: {role: selector}
"""


def lease_at(server: Authorities) -> Json:
    """Return what `remit.yaml` says of a program that holds a token of this server."""
    return {
        "oauth": server.oauth(),
        "env": {"API_TOKEN": "{token}"},
    }


class ProcessGateway(LeasingGateway):
    """The gateway; `settings` is more of what `remit.yaml` says of the upstream, `more` of all else; `python`
    runs the program."""

    def __init__(
        self,
        folder: Path,
        lease: Json,
        *options: str,
        more: str = "",
        python: str = sys.executable,
        **settings: Json,
    ) -> None:
        super().__init__(folder, lease)
        self.settings = more
        self._crm: Json = {
            "command": [python, *PROGRAM[1:], *options],
            "sender_constraint": "optional",
        } | settings
        if lease:
            self._crm["lease"] = lease
        if lease or settings.get("per_task"):
            # A busy machine shall not have a program ended because this process did not run for some seconds.
            self._crm = {"process_lease_s": 120} | self._crm

    async def _begin(self) -> None:
        config = self.folder / "remit.yaml"
        if "  crm: " not in config.read_text():
            config.write_text(
                config.read_text().replace("upstreams:\n", f"upstreams:\n  crm: {json.dumps(self._crm)}\n", 1)
            )
            (self.folder / "tools" / "crm.yaml").write_text(TOOLS)
            task = self.folder / "tasks" / "look-up.yaml"
            task.write_text(task.read_text().replace("crm/echo", "crm/do"))
        await LiveGateway._begin(self)

    def do(self, token: str, word: str) -> Json:
        """Have the program do something; gives what it tells."""
        return outside(json.loads(self.call(token, word, tool="do"))["structuredContent"])

    def eventually(self, reached: Callable[[], Any]) -> None:
        """Wait until something holds that is looked for from outside of the gateway's loop."""
        end_s = time.monotonic() + 120
        while not reached():
            assert time.monotonic() < end_s, "it never came to hold"
            time.sleep(0.02)

    def processes(self) -> dict[str, list[int]]:
        """Return the processes of each lease that remit holds or takes back."""
        return {
            held["lease"]: marked(held["lease"])
            for task in self.tasks()
            for held in self.services.credentials.leases.of(task=task.id)
            if held["kind"] == "process"
        }
