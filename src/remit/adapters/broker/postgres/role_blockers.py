# SPDX-License-Identifier: Apache-2.0
"""Sessions that the end of a PostgreSQL role waits for: of other leased roles, and of anybody else.

A privilege that one leased role has granted to another, in a transaction that it does not commit, keeps the
other from being dropped; so does a lock on a table of which the other has a policy. Who holds the end of a
lease up like that for two looks is ended, if it is a leased role; anybody else is named.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import psycopg
from psycopg import sql

from remit.adapters.broker.postgres.administrator import Connection, connected
from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json

#: Between two looks. A statement waits for longer than two of these (`LOCK_S`).
LOOK_S: Final = 0.6

#: A prepared transaction has no session: its number is 0.
_BLOCKERS: Final = """
select distinct pid, coalesce(usename, ''), coalesce(usename ~ '^remit_lse_[a-z0-9]{1,32}$', false)
  from unnest(pg_blocking_pids(%(waiting)s)) pid left join pg_stat_activity using (pid)"""


class WaitedRoles:
    """What one connection waits for."""

    def __init__(self, address: dict[str, Json], waiting: int) -> None:
        """Look at the backend with the number `waiting`."""
        self._address = address
        self._waiting = waiting
        self._seen: set[int] = set()
        #: Who was waited for at the last look, and is no leased role.
        self.strangers: list[str] = []

    async def look(self) -> None:
        """Look again and again, and end leased roles that are in the way."""
        await asyncio.sleep(LOOK_S)
        async with connected(self._address) as db:
            while True:
                await self._once(db)
                await asyncio.sleep(LOOK_S)

    async def _once(self, db: Connection) -> None:
        found = await (await db.execute(_BLOCKERS, {"waiting": self._waiting})).fetchall()
        self.strangers = []
        for pid, role, leased in found:
            if not leased or not await _ended(db, role, pid if pid in self._seen else 0):
                self.strangers.append(role or "a prepared transaction")
        self._seen = {pid for pid, _, leased in found if leased}


async def _ended(db: Connection, role: str, pid: int) -> bool:
    """End a session as its own role, so that nobody else's is ended; 0 is none. `False` where it is a role of
    somebody else's leases.
    """
    try:
        await db.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        if pid:
            await db.execute("select pg_terminate_backend(%s)", (pid,))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue):
        return False
    finally:
        if not db.closed:
            await db.execute("reset role")
    return True


@contextlib.asynccontextmanager
async def unblocked(address: dict[str, Json], db: Connection) -> AsyncIterator[None]:
    """While this is held, no statement of a connection waits for a leased role for long.

    Raises `KeyUnavailable`, with who it is, for one that has waited for somebody else for too long.
    """
    waited = WaitedRoles(address, db.info.backend_pid)
    looking = asyncio.ensure_future(waited.look())
    try:
        yield
    except psycopg.errors.LockNotAvailable:
        if not waited.strangers:
            raise
        names = ", ".join(f"`{one[:63]}`" for one in sorted(set(waited.strangers))[:3])
        raise KeyUnavailable(
            f"the objects to change are locked by {names}",
            code="source-locked",
            remediation="end that transaction: see `pg_locks` and `pg_prepared_xacts`",
        ) from None
    finally:
        looking.cancel()
        # That nobody could look shows in nothing but a longer wait.
        await asyncio.gather(looking, return_exceptions=True)
