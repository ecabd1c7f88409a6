# SPDX-License-Identifier: Apache-2.0
"""Several replicas of remit on one PostgreSQL, for measurements.

    with Replicas(3, upstream.url) as fleet:
        task = fleet.open(0)                  # over REST, at the first one
        told = fleet.end(1, task)             # milliseconds that the end took at the second, and its closure
        fleet.pause(2)                        # SIGSTOP; `go_on` lets it run again

What may be measured with it: ends on three healthy replicas (to reach: p99 <= 50 ms), with one that is paused
(<= its lease + 100 ms), and calls a second with one, two and four. `fleet.urls` are the MCP addresses,
`fleet.token` opens one task that any of them serves.
"""

import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple, Self

from bench.calls import echo_call
from bench.governed_bundle import AGENT, DATABASE, TASK_TYPE, UPSTREAM, write_bundle
from bench.load import Plan
from bench.measure import TEXTS
from bench.target import Child, free_port
from remit.cli.demo.database import Database

Json = Any


class Ended(NamedTuple):
    """An end: how long its caller waited, and its record."""

    took_ms: float
    closure: Json


class Replicas:
    """So many processes, with keys and head in common. Not for threads."""

    def __init__(
        self, count: int, upstream_url: str, *, durability: str = "durable", lease_ms: int = 1000
    ) -> None:
        """Remember what to start."""
        self._count = count
        self._upstream_url = upstream_url
        self._durability = durability
        self._lease_ms = lease_ms
        self._children: list[Child] = []
        self._ports: list[int] = []
        self._told: list[Json] = []
        build = Path("build")
        build.mkdir(exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="bench-replicas-", dir=build)).resolve()
        self._database = Database(secrets.token_urlsafe(12), durable=durability == "durable")

    def __enter__(self) -> Self:
        """Start the database and all replicas; return once each answers."""
        self._database.start()
        for number in range(self._count):
            self._start(number)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all, and remove their files."""
        for number, child in enumerate(self._children):
            self.go_on(number)
            child.stop()
        self._database.remove()
        shutil.rmtree(self._folder)

    @property
    def urls(self) -> list[str]:
        """The MCP addresses of the echo upstream, one for each replica."""
        return [f"http://127.0.0.1:{port}/mcp/{UPSTREAM}" for port in self._ports]

    @property
    def ports(self) -> list[int]:
        """Where they listen."""
        return list(self._ports)

    @property
    def pids(self) -> list[int]:
        """Their processes."""
        return [child.pid for child in self._children]

    @property
    def token(self) -> str:
        """A token of the task that the first one has open from the start."""
        return self.tokens[0]

    @property
    def tokens(self) -> list[str]:
        """A token of a task for each replica, which owns it."""
        return [str(told["token"]) for told in self._told]

    @property
    def database(self) -> int:
        """The process of the database, whose children serve the connections."""
        assert self._database.process is not None
        return self._database.process.pid

    def _start(self, number: int) -> None:
        port = free_port()
        self._ports.append(port)
        if number == 0:
            self._write(port)
        argv = [sys.executable, "-m", "bench.serve_replica", str(self.bundle / "remit.yaml"), str(port)]
        argv += ["first"] if number == 0 else []
        child = Child(argv, None, {DATABASE: self._database.url()}, speaks=True)
        self._children.append(child)
        self._told.append(json.loads(child.line()))
        child.wait_until(lambda: self._ready(port))

    def _write(self, port: int) -> None:
        """Write the bundle, which is the same for every replica but for the port."""
        config = write_bundle(self.bundle, self._upstream_url, port, self._durability, "postgres")
        text, public = config.read_text("utf-8"), f"http://127.0.0.1:{port}"
        text = text.replace(f"listen: {{port: {port}}}", f"listen: {{port: {port}, public_url: '{public}'}}")
        text += f"replica: {{lease_ms: {self._lease_ms}}}\n"
        for name in ("keys", "log_head"):
            text += f"{name}: {{path: '{self._folder / name}'}}\n"
        config.write_text(text, "utf-8")

    @staticmethod
    def _ready(port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def plans(
        self, count: int, connections: int, *, further: int | None = 0, cpu: int | None = None
    ) -> list[Plan]:
        """Return a plan of so many calls for each replica, with the task of the one that is `further` on.

        `None`: with the task of the first one, for all.
        """
        found = []
        for number, url in enumerate(self.urls):
            token = self.token if further is None else self.tokens[(number + further) % self._count]
            headers = {"authorization": f"Bearer {token}"}
            calls = [echo_call(one, url, "echo", headers) for one in range(min(count, TEXTS))]
            found.append(Plan(url, calls, connections, count, 60.0 + count / 50, cpu=cpu))
        return found

    def ask(self, number: int, method: str, path: str, body: Json = None) -> Json:
        """Make one call to the management endpoints of a replica, as the person."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._ports[number]}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self._told[0]['session']}",
                "content-type": "application/json",
            },
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - addresses of our own
            return json.load(answer)

    def open(self, number: int) -> str:
        """Open a task at a replica; gives its id."""
        told = self.ask(number, "POST", "/api/v1/tasks", {"agent": AGENT, "task_type": TASK_TYPE})
        return str(told["id"])

    def end(self, number: int, task: str) -> Ended:
        """End a task at a replica, and report how long its caller waited."""
        began = time.perf_counter()
        closure = self.ask(number, "POST", "/api/v1/end", {"kind": "task", "name": task})
        return Ended((time.perf_counter() - began) * 1000, closure)

    @property
    def bundle(self) -> Path:
        """The folder of the bundle, which all replicas read."""
        return self._folder / "bundle"

    def pause(self, number: int) -> None:
        """Stop a replica where it is."""
        os.kill(self.pids[number], signal.SIGSTOP)

    def go_on(self, number: int) -> None:
        """Let it go on."""
        os.kill(self.pids[number], signal.SIGCONT)
