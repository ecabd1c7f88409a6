# SPDX-License-Identifier: Apache-2.0
"""What can be measured: a process between the load generator and the upstream."""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, NamedTuple, Protocol
from urllib.parse import urlsplit

READY_LIMIT_S = 60.0


class EchoServer(NamedTuple):
    """The tool server that runs already."""

    url: str
    pid: int


class Target(Protocol):
    """One thing before the upstream; a new one is such a class and a line in `bench/targets.py`.

    The harness calls `start` once, reads the attributes, sends its calls, and calls `stop` in every case.
    """

    name: str
    """How the figures and `--only` call it, such as `envoy`."""

    tool: str
    """The name under which the upstream's `echo` is called here."""

    soak: int
    """Calls to have been sent in a full run before peak memory is read; 0 if the measured ones are enough."""

    url: str
    """Where calls go, known after `start`."""

    headers: Mapping[str, str]
    """What each call carries besides MCP's own headers, such as a token; known after `start`."""

    pid: int
    """The process whose CPU time and memory count, with all its children; known after `start`."""

    ready_s: float
    """Seconds from that process's start until it was ready, known after `start`; 0 if none was started."""

    def start(self, upstream: EchoServer, cpu: int | None) -> None:
        """Start before this upstream, confined to this CPU, and return when it is ready.

        Raises:
            RuntimeError: if it does not get ready within a minute.
        """
        ...

    def stop(self) -> None:
        """Stop it and remove what it left behind; nothing if it was not started."""
        ...


@contextmanager
def confined(cpu: int | None) -> Iterator[None]:
    """Processes started in the block inherit this CPU alone, from their first instruction on (Linux only)."""
    if cpu is None or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Child:
    """A process of the bench: started on one CPU, waited for, stopped.

    What it says goes to a file, for a complaint. With `speaks`, `line` gives its standard output instead,
    which is always read: a process whose pipe is full would stand still.
    """

    def __init__(
        self,
        argv: Sequence[str],
        cpu: int | None,
        env: Mapping[str, str] | None = None,
        *,
        speaks: bool = False,
    ) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - `stop` closes it
        self.argv = list(argv)
        with confined(cpu):
            self.started = time.perf_counter()
            self.process = subprocess.Popen(
                self.argv,
                env=None if env is None else {**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if speaks else self.log,
                stderr=self.log,
            )
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        if self.process.stdout is not None:
            Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    def _listen(self, said: IO[bytes]) -> None:
        with said:
            for line in said:
                self._lines.put(line)
        self._lines.put(b"")

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def line(self) -> str:
        """The next line that it writes to standard output.

        Raises:
            RuntimeError: if it ends instead; the text has what it said.
        """
        if line := self._lines.get():
            return line.decode().strip()
        raise RuntimeError(self.complaint("ended before it was ready"))

    def wait_until(self, ready: Callable[[], bool], limit_s: float = READY_LIMIT_S) -> float:
        """Ask every 2 ms until `ready` says so; returns the seconds since the process was started.

        Raises:
            RuntimeError: if it ends or `limit_s` passes first.
        """
        while not ready():
            if self.process.poll() is not None:
                raise RuntimeError(
                    self.complaint(f"ended with {self.process.returncode} before it was ready")
                )
            if time.perf_counter() - self.started > limit_s:
                raise RuntimeError(self.complaint(f"was not ready within {limit_s:.0f} s"))
            time.sleep(0.002)
        return time.perf_counter() - self.started

    def stop(self) -> None:
        """End it, kindly first."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def complaint(self, what: str) -> str:
        """An error text with the last lines of what it said."""
        self.log.seek(0)
        tail = self.log.read().decode(errors="replace").strip().splitlines()[-8:]
        return "\n".join([f"`{Path(self.argv[0]).name} {' '.join(self.argv[1:4])}` {what}", *tail])


def answers(url: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether a POST to this URL is answered with status 200 now."""
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname or "127.0.0.1", at.port, timeout=10)
    try:
        connection.request("POST", at.path, body, dict(headers))
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
