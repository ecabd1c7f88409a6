# SPDX-License-Identifier: Apache-2.0
"""remit itself before the upstream: all nine steps of each call, evidence durable or buffered."""

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.calls import echo_call
from bench.governed_bundle import UPSTREAM, write_bundle
from bench.target import Child, EchoServer, answers, free_port

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

    def __init__(self, durability: str) -> None:
        """Choose what is waited for."""
        self.name = f"remit-{durability}"
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
        config = write_bundle(self._folder, upstream.url, port, self._durability)
        self.url = f"http://127.0.0.1:{port}/mcp/{UPSTREAM}"
        self._child = Child([sys.executable, "-m", "bench.serve_governed", str(config)], cpu, speaks=True)
        self.pid = self._child.pid
        self.headers = {"authorization": f"Bearer {self._child.line()}"}
        call = echo_call(0, self.url, self.tool, self.headers)
        body = call.body.encode()
        self.ready_s = self._child.wait_until(lambda: answers(self.url, body, call.headers))

    def stop(self) -> None:
        """Stop remit and remove its files."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None
