# SPDX-License-Identifier: Apache-2.0
"""Sessions that block the end of a PostgreSQL role: sessions of other leased roles, and of other roles.

If one leased role grants another a privilege in a transaction that it does not commit, the other cannot be
dropped. The same holds for a lock on a table that has a policy for the other. A session of a leased role that
blocks the end of a lease at two successive looks is ended; a session of any other role is reported.
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

#: Seconds between two looks. A statement waits longer than two of these (`LOCK_S`).
LOOK_S: Final = 0.6

#: A prepared transaction has no session: its pid is 0.
_BLOCKERS: Final = """
select distinct pid, coalesce(usename, ''), coalesce(usename ~ '^remit_lse_[a-z0-9]{1,32}$', false)
  from unnest(pg_blocking_pids(%(waiting)s)) pid left join pg_stat_activity using (pid)"""


class WaitedRoles:
    """The sessions that one connection waits for."""

    def __init__(self, address: dict[str, Json], waiting: int) -> None:
        """Watch the backend with the pid `waiting`."""
        self._address = address
        self._waiting = waiting
        self._seen: set[int] = set()
        #: The blocking roles at the last look that are not leased roles.
        self.strangers: list[str] = []

    async def look(self) -> None:
        """Look repeatedly, and end blocking sessions of leased roles."""
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
    """End a session by its pid (0: none) as its own role, so that no other role's session is ended.

    Returns `False` if remit may not act as the role, because it belongs to leases of another owner.
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
    """Keep leased roles from blocking a connection's statements for long while the context is open.

    Raises `KeyUnavailable`, naming the blocking roles, if a statement waited too long for other roles.
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
        # If the watch fails, the only effect is a longer wait.
        await asyncio.gather(looking, return_exceptions=True)
