# SPDX-License-Identifier: Apache-2.0
"""The rights of a leased PostgreSQL role beyond reading and writing rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from psycopg import sql

from remit.adapters.broker.postgres.administrator import Connection
from remit.core.errors import NothingDone

#: Roles that can create other roles, databases or sessions, or run or write programs on the server's machine.
#: All of these outlive the role that made them.
_UNBOUNDED: Final = """
select rolname from pg_catalog.pg_roles where pg_catalog.pg_has_role(%(role)s, oid, 'member')
  and (rolsuper or rolcreaterole or rolcreatedb or rolreplication
       or rolname in ('pg_execute_server_program', 'pg_write_server_files')) order by rolname limit 1"""

_CREATES: Final = """
select nspname from pg_namespace where nspname !~ '^pg_' and has_schema_privilege(%(role)s, oid, 'create')
  order by nspname"""
_TRIGGERS: Final = """
select oid::regclass::text from pg_class where relkind in ('r', 'p', 'v', 'f') and relnamespace not in
  (select oid from pg_namespace where nspname ~ '^pg_' or nspname = 'information_schema')
  and has_table_privilege(%(role)s, oid, 'trigger') order by 1"""
_MEMBER: Final = """
select rolname from pg_roles where rolname <> %(role)s and pg_has_role(%(role)s, oid, 'member') order by 1"""
_IN_DATABASE: Final = """
select privilege from unnest(array['create', 'temp']) privilege
  where has_database_privilege(%(role)s, current_database(), privilege)"""
_ELSEWHERE: Final = """
select datname from pg_database where datallowconn and datname <> current_database()
  and has_database_privilege(%(role)s, oid, 'connect') order by 1"""

#: Each query, what it finds, and the remediation.
_LOOKS: Final = (
    (_CREATES, "may create in schema {}", "`revoke create on schema ... from public`"),
    (_IN_DATABASE, "may use {} in its database", "`revoke create, temp on database ... from public`"),
    (_ELSEWHERE, "may connect to database {}", "`revoke connect on database ... from public`"),
    (_TRIGGERS, "may create triggers on {}", "remove `trigger` from `grants`"),
    (_MEMBER, "may act as {}, and objects created so are not dropped", "grant privileges, not roles"),
)


async def see_bounded(db: Connection, role: str) -> None:
    """Raise `NothingDone` for a role that could create things which the end of the role would not find."""
    found = await (await db.execute(_UNBOUNDED, {"role": role})).fetchone()
    if found is not None:
        raise NothingDone(
            f"a leased role with the rights of `{found[0][:63]}` could create roles, databases or programs "
            "that outlive it",
            code="lease-unbounded",
            remediation="remove that from `grants`: a task's role must not create objects that outlive it",
        )


async def rights_beyond(db: Connection, role: str) -> list[tuple[str, str]]:
    """Return the rights of a role beyond its rows, each with a remediation."""
    found = []
    for look, says, remediation in _LOOKS:
        names = [name for (name,) in await (await db.execute(look, {"role": role})).fetchall()]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            found.append((says.format(", ".join(f"`{one}`" for one in names[:3]) + more), remediation))
    return found


@asynccontextmanager
async def names_of_grants(db: Connection) -> AsyncIterator[None]:
    """Let configured statements name objects in `public` without a schema, within a transaction."""
    await db.execute("set local search_path to public")
    yield
    await db.execute("set local search_path to pg_catalog")


async def granted(db: Connection, statements: list[sql.Composed]) -> int:
    """Execute each grant statement in a separate savepoint; return how many failed."""
    failed = 0
    for one in statements:
        try:
            async with db.transaction():
                await db.execute(one)
        except psycopg.DataError:
            failed += 1
    return failed
