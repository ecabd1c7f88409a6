# SPDX-License-Identifier: Apache-2.0
"""The register of the story: a real PostgreSQL, and a careless server in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remit.cli.demo.database import Database
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json

ADMIN: Final = "REGISTER_ADMIN"
START_S: Final = 120.0
#: The grants of a task at the database: it sees the row of its own change.
GRANTS: Final = (
    "grant select on changes to {role}",
    "create policy {role} on changes to {role} using (id = {change})",
)


@dataclass(frozen=True)
class SqlTools:
    """The register's address, and the log in which its server writes every credential that it receives."""

    port: int
    admin: str
    log: Path

    @property
    def upstream(self) -> Json:
        """The upstream's entry in `remit.yaml`: one role for each task, dropped when the task ends."""
        return {
            "url": f"http://127.0.0.1:{self.port}/mcp",
            "lease": {
                "postgres": {"admin": f"env:{ADMIN}", "grants": GRANTS},
                "headers": {"X-Database": "postgresql://{user}:{password}@{host}:{port}/{database}"},
            },
        }

    @property
    def stolen(self) -> str:
        """The last address in the server's log: role and password of a task."""
        return self.log.read_text().splitlines()[-1]


@asynccontextmanager
async def register(folder: Path, examples: Path, port: int) -> AsyncIterator[SqlTools]:
    """Provide the register while the block runs."""
    log = folder / "register.log"
    server = subprocess.Popen(  # noqa: ASYNC220, S603
        [
            sys.executable,
            str(examples / "servers" / "register.py"),
            *("--http", str(port), "--careless", str(log)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        database = await asyncio.to_thread(Database, secrets.token_urlsafe(18))
        try:
            await asyncio.to_thread(database.start)
            script = examples / "story" / "register" / "register.sql"
            await asyncio.to_thread(database.ask, script.read_text())
            await asyncio.to_thread(_wait, server, port)
            yield SqlTools(port, database.url(), log)
        finally:
            await asyncio.to_thread(database.remove)
    finally:
        server.terminate()
        await asyncio.to_thread(server.wait, 15)


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise ConfigInvalid(
        f"the register's server does not listen on port {port}",
        remediation="run the server by hand to see why",
    )
