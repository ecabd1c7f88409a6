# SPDX-License-Identifier: Apache-2.0
"""remit itself before the upstream: all nine steps of each call, evidence durable or buffered, in a file or a
PostgreSQL database.
"""

import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.calls import echo_call
from bench.governed_bundle import DATABASE, UPSTREAM, write_bundle
from bench.target import Child, EchoServer, answers, free_port
from remit.cli.demo.database import Database

SOAK = 100_000


class Governed:
    """remit in one process with a hundred policies, one agent and one task.

    `durable` waits for the disk before each call goes on, `buffered` for the operating system alone.
    """

    tool = "echo"
    soak = SOAK
    url = ""
    pid = 0
    ready_s = 0.0
    listens = ""
    """What else stands under `listen`."""

    def __init__(self, durability: str, kind: str = "sqlite", tasks: int = 1) -> None:
        """Choose the durability, the store (a database server has no reserved CPU), and tasks to open."""
        self.name = f"remit-{durability}" if kind == "sqlite" else f"remit-{kind}"
        self._kind = kind
        self._tasks = tasks
        self.tokens: list[str] = []
        self._database: Database | None = None
        self.headers: Mapping[str, str] = {}
        self._durability = durability
        self._child: Child | None = None
        self._folder: Path | None = None

    def start(self, upstream: EchoServer, cpu: int | None) -> None:
        """Write a bundle and start remit with it, on the disk whose `fdatasync` the bench measures."""
        port = free_port()
        build = Path("build")
        build.mkdir(exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="bench-remit-", dir=build))
        config = write_bundle(
            self._folder, upstream.url, port, self._durability, self._kind, listens=self.listens
        )
        known: dict[str, str] = {}
        if self._kind == "postgres":
            self._database = Database(secrets.token_urlsafe(12), durable=self._durability == "durable")
            self._database.start()
            known[DATABASE] = self._database.url()
        self.url = f"http://127.0.0.1:{port}/mcp/{UPSTREAM}"
        argv = [sys.executable, "-m", "bench.serve_governed", str(config), str(self._tasks)]
        self._child = Child(argv, cpu, known, speaks=True)
        self.pid = self._child.pid
        self.tokens = [self._child.line() for _ in range(self._tasks)]
        self.headers = {"authorization": f"Bearer {self.tokens[0]}"}
        call = echo_call(0, self.url, self.tool, self.headers)
        body = call.body.encode()
        self.ready_s = self._child.wait_until(lambda: answers(self.url, body, call.headers))

    def stop(self) -> None:
        """Stop remit and remove its files."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        if self._database is not None:
            self._database.remove()
            self._database = None
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None
