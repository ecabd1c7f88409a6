# SPDX-License-Identifier: Apache-2.0
"""remit: an agent's access is a task with its token; `POST /api/v1/end` ends the task."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from bench.governed_bundle import UPSTREAM, write_bundle
from bench.race.gateway import Access, ask, reachable
from bench.serve_ends import Opened
from bench.target import Child, free_port
from remit import __version__

TASKS = 100


class Remit:
    """The gateway of this repository, as `bench` runs it: a hundred policies, every record durable."""

    name = "remit"
    distribution = ""
    means = "`POST /api/v1/end` for the agent's task"
    settings = "as shipped, 100 policies, records durable"
    ends_all = False

    def __init__(self) -> None:
        """Start nothing yet."""
        self._child: Child | None = None
        self._opened = Opened("", [])
        self._tasks: dict[str, str] = {}
        self._base = ""

    def start(self, upstream: str, folder: Path) -> None:
        """Start it with tasks that are open."""
        port = free_port()
        config = write_bundle(folder, upstream, port, "durable")
        argv = [sys.executable, "-m", "bench.serve_ends", str(config), str(TASKS)]
        self._child = Child(argv, None, speaks=True)
        self._opened = msgspec.json.decode(self._child.line(), type=Opened)
        self._base = f"http://127.0.0.1:{port}"
        self._child.wait_until(lambda: reachable(f"{self._base}/health/live"))

    def admit(self) -> Access:
        """Hand out one of the tasks."""
        task, token = self._opened.tasks.pop()
        self._tasks[token] = task
        return Access(f"{self._base}/mcp/{UPSTREAM}", {"authorization": f"Bearer {token}"})

    def end(self, access: Access) -> None:
        """End the task of this token."""
        task = self._tasks[access.headers["authorization"].removeprefix("Bearer ")]
        body: Any = {"kind": "task", "name": task, "reason": "race"}
        headers = {"authorization": f"Bearer {self._opened.session}"}
        ask("POST", f"{self._base}/api/v1/end", body, headers)

    def stop(self) -> None:
        """Stop it."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def version(self) -> str:
        """Return the version of this repository."""
        return __version__
