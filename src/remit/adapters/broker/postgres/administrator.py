# SPDX-License-Identifier: Apache-2.0
"""The connections of remit's administrator to the databases of a PostgreSQL server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from remit.adapters.broker.postgres.login_probe import CONNECT_S, named
from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

#: Longest wait for one lock, since other sessions queue behind the waiting one. Longer than the second after
#: which PostgreSQL cancels a vacuum that blocks others.
LOCK_S: Final = 2


def address_of(admin: Callable[[], str]) -> dict[str, Json]:
    """Read the administrator's address; raises `KeyUnavailable`."""
    try:
        address = conninfo_to_dict(admin())
    except psycopg.Error:
        raise KeyUnavailable(
            "the address of the database cannot be read",
            code="source-refused",
            remediation="write `postgresql://user:password@host:port/database`",
        ) from None
    return {"connect_timeout": CONNECT_S, **address}


def place_in(address: dict[str, Json]) -> dict[str, str]:
    """Return the host, port and database of an address."""
    return {
        "host": str(address.get("host", "localhost")),
        "port": str(address.get("port", 5432)),
        "database": str(address.get("dbname", address.get("user", ""))),
    }


@asynccontextmanager
async def connected(address: dict[str, Json]) -> AsyncIterator[Connection]:
    """Connect, with a bounded wait for locks; raises `KeyUnavailable` for failures inside the block.

    INVARIANT: a name without a schema is one of PostgreSQL's own. Otherwise a role that may create a schema
    could name it after the administrator, which `$user` in a search path denotes; and a role that may create
    in a schema of the path could define a function that matches a call better than PostgreSQL's own.
    """
    try:
        async with await psycopg.AsyncConnection.connect(**address, autocommit=True) as db:
            bounds = sql.SQL("set lock_timeout to {}; set search_path to pg_catalog")
            await db.execute(bounds.format(sql.Literal(f"{LOCK_S}s")))
            yield db
    except psycopg.Error as fault:
        # The error's text may repeat a statement, so only its code is reported.
        lost = fault.sqlstate is None
        raise KeyUnavailable(
            f"PostgreSQL at `{named(address)}` "
            + ("cannot be used now" if lost else f"refuses: {fault.sqlstate}"),
            code="source-lost" if lost else "source-refused",
            remediation="check its log, the address and the rights of remit's administrator there",
            debug=type(fault).__name__,
        ) from None
