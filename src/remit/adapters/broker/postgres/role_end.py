# SPDX-License-Identifier: Apache-2.0
"""The end of a PostgreSQL role against the resistance of its holder.

1. The role loses the right to log in. The role can hold its own row locked (`alter role current_user password
   ...`, not committed), so the statement waits in the queue for that row while step 2 ends the lock's holder.
2. The role's sessions, prepared transactions and subscriptions are ended repeatedly, until a round after step
   1 has found none. This includes logins in progress: with `post_auth_delay` a client makes PostgreSQL wait
   between the login and the first appearance of the session.
3. In each database the role's objects are dropped, with everything that depends on them, and its privileges
   are revoked. Nothing is transferred to another role: a function that runs with its owner's rights would
   then have that role's rights.
4. The role is dropped. PostgreSQL does that only if nothing in any database belongs to the role.

`remains` looks for everything that could still serve the holder, by a catalogue query for each kind.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from remit.adapters.broker.postgres.administrator import Connection, connected
from remit.adapters.broker.postgres.role_blockers import unblocked
from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json

#: Longest time for steps 1 and 2.
ENDS_S: Final = 5.0
PAUSE_S: Final = 0.005
#: Number of objects dropped at once: each takes an entry in the server's lock table.
AT_ONCE: Final = 100

#: Backends without a visible user: they are logging in, or serve the server itself.
_UNSEEN: Final = """
select distinct pid from pg_locks where locktype = 'virtualxid' and pid <> pg_backend_pid() and not exists
  (select from pg_stat_activity seen where seen.pid = pg_locks.pid and seen.usesysid is not null)"""
_HELD_IN: Final = """
select datname from pg_database where oid in (select dbid from pg_prepared_xact() where ownerid = %(role)s)
  or oid in (select subdbid from pg_subscription where subowner = %(role)s)"""
_OWNED_IN: Final = """
select datname from pg_database where datname <> current_database() and oid in
  (select dbid from pg_shdepend where refclassid = 'pg_authid'::regclass and refobjid = %(role)s)"""
#: Privileges that other roles granted to the role, by grantor. `drop owned` revokes them in the name of the
#: role with the widest grant options, which can be the leased role itself.
_GIVEN: Final = """
select giver.rolname, format('revoke all on %%s %%s from %%I cascade', kind, name, %(name)s::text) from (
    select case relkind when 'S' then 'sequence' else 'table' end kind, oid::regclass::text name, relacl acl
      from pg_class
    union all select 'table', attrelid::regclass::text, attacl from pg_attribute where attacl is not null
    union all select 'routine', oid::regprocedure::text, proacl from pg_proc
    union all select 'type', oid::regtype::text, typacl from pg_type
    union all select 'schema', quote_ident(nspname), nspacl from pg_namespace
    union all select 'large object', oid::text, lomacl from pg_largeobject_metadata
    union all select 'foreign server', quote_ident(srvname), srvacl from pg_foreign_server
  ) objects, aclexplode(acl) given join pg_roles giver on giver.oid = given.grantor
  where grantee = %(role)s and grantor <> %(role)s and pg_has_role(giver.oid, 'member') group by 1, 2"""
_UNLINK: Final = """
select lo_unlink(oid) from
  (select oid from pg_largeobject_metadata where lomowner = %(role)s limit %(some)s) theirs"""
_IN_PARTS: Final = """
select format('drop %%s if exists %%s cascade', kind, string_agg(name, ', ')) from (
    select kind, name, row_number() over (partition by kind) / %(some)s part from (
      select case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
          else 'table' end kind, oid::regclass::text name
        from pg_class where relowner = %(role)s and relkind in ('r', 'p', 'v', 'm', 'f')
      union all select 'routine', oid::regprocedure::text from pg_proc where proowner = %(role)s
    ) owned) numbered group by kind, part"""
#: Without the role's oid: a session of any role that no longer exists.
_REMAINS: Final = """
select
  exists (select from pg_stat_activity where usesysid = %(role)s or %(role)s = 0 and usesysid is not null
    and not exists (select from pg_roles known where known.oid = usesysid)),
  exists (select from pg_roles where oid = %(role)s or rolname = %(name)s)
  or exists (select from pg_prepared_xact() where ownerid = %(role)s)
  or exists (select from pg_subscription where subowner = %(role)s)
  or exists (select from pg_shdepend where refclassid = 'pg_authid'::regclass and refobjid = %(role)s)
  or exists (select from pg_auth_members where %(role)s in (roleid, member, grantor))
  or exists (select from pg_db_role_setting where setrole = %(role)s and %(role)s <> 0)"""


async def end_role(address: dict[str, Json], role: str) -> None:
    """End a role (steps 1 to 4). Raises `KeyUnavailable` while anything of the role remains."""
    async with _opened(address) as db:
        name = sql.Identifier(role)
        if (oid := await _number(db, role, name)) is None:
            return
        # Granted again: before PostgreSQL 16 a role can remove its members.
        await db.execute(sql.SQL("grant {} to current_user").format(name))
        shutting = asyncio.ensure_future(_shut(address, name))
        try:
            await _quiet(db, address, name, oid, shutting)
        finally:
            shutting.cancel()
            await asyncio.gather(shutting, return_exceptions=True)
        for database in await _rows(db, _OWNED_IN, role=oid):
            async with _elsewhere(address, *database) as there:
                await _disown(there, role, oid)
                await _drop_owned(there, name, oid, "drop owned by {} cascade")
        await _take_back_memberships(db, name, oid)
        await _disown(db, role, oid)
        await _drop_owned(db, name, oid, "drop owned by {} cascade", "drop role {}")


async def _number(db: Connection, role: str, name: sql.Identifier) -> int | None:
    """Return a role's oid; `None` if the role does not exist and is not being created.

    A killed remit process can have left a transaction that creates the role and is still committing. Creating
    a role of the same name waits for that transaction, so remit creates one and rolls it back.
    """
    asked = "select oid from pg_roles where rolname = %(name)s"
    if not (found := await _rows(db, asked, name=role)):
        with contextlib.suppress(psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject):
            async with db.transaction(force_rollback=True):
                await db.execute(sql.SQL("create role {} nologin").format(name))
        found = await _rows(db, asked, name=role)
    return int(found[0][0]) if found else None


async def remains(address: dict[str, Json], role: str, oid: int) -> tuple[bool, bool]:
    """Return whether a session of the role remains, and whether anything else of it does.

    `oid` is 0 if unknown. Raises `KeyUnavailable`.
    """
    async with _opened(address) as db:
        found = await _rows(db, "select oid from pg_roles where rolname = %(name)s", name=role)
        told = await _rows(db, _REMAINS, role=found[0][0] if found else oid, name=role)
        return bool(told[0][0]), bool(told[0][1])


async def _shut(address: dict[str, Json], name: sql.Identifier) -> None:
    """Do step 1."""
    async with _opened(address) as db:
        while True:
            try:
                await db.execute(sql.SQL("alter role {} nologin").format(name))
            except (psycopg.errors.LockNotAvailable, psycopg.errors.InternalError_):
                # The row is still locked, or changed during the wait.
                await asyncio.sleep(PAUSE_S)
            else:
                return


async def _quiet(
    db: Connection, address: dict[str, Json], name: sql.Identifier, oid: int, shutting: asyncio.Future[None]
) -> None:
    """Do step 2."""
    end_s = asyncio.get_running_loop().time() + ENDS_S
    while True:
        shut = shutting.done()
        left = await _end_sessions(db, name, oid)
        for database in await _rows(db, _HELD_IN, role=oid):
            left += 1
            async with _elsewhere(address, *database) as there:
                await _end_held(there, name, oid)
        if shut and not left:
            shutting.result()
            return
        if asyncio.get_running_loop().time() > end_s:
            raise KeyUnavailable(
                "sessions of the role do not end",
                code="sessions-left",
                remediation="check `pg_stat_activity` and `pg_prepared_xacts` for what they wait for",
            )
        await asyncio.sleep(PAUSE_S)


async def _end_sessions(db: Connection, name: sql.Identifier, oid: int) -> int:
    """End each session as the role itself, so that no other role's session ends. Returns how many were
    found.
    """
    seen = await _rows(db, "select pid from pg_stat_activity where usesysid = %(role)s", role=oid)
    unseen = await _rows(db, _UNSEEN)
    found = len(seen)
    async with _acting_as(db, name):
        for number, (pid,) in enumerate((*seen, *unseen)):
            try:
                ((ended,),) = await _rows(db, "select pg_terminate_backend(%(pid)s)", pid=pid)
            except psycopg.errors.InsufficientPrivilege:
                continue  # a session of another role
            found += ended and number >= len(seen)
    return found


async def _end_held(db: Connection, name: sql.Identifier, oid: int) -> None:
    """End the role's prepared transactions and subscriptions in this database."""
    prepared = await _rows(
        db,
        "select gid from pg_prepared_xact() where ownerid = %(role)s and dbid = "
        "(select oid from pg_database where datname = current_database())",
        role=oid,
    )
    subscribed = await _rows(
        db,
        "select subname from pg_subscription where subowner = %(role)s and subdbid = "
        "(select oid from pg_database where datname = current_database())",
        role=oid,
    )
    async with _acting_as(db, name):
        for (gid,) in prepared:
            await db.execute(sql.SQL("rollback prepared {}").format(sql.Literal(gid)))
        for (subscription,) in subscribed:
            # Without its slot: the slot is at a publisher that the role has chosen.
            for statement in ("alter {} disable", "alter {} set (slot_name = none)", "drop {}"):
                named = sql.SQL("subscription {}").format(sql.Identifier(subscription))
                await db.execute(sql.SQL(statement).format(named))


async def _take_back_memberships(db: Connection, name: sql.Identifier, oid: int) -> None:
    """Revoke the memberships that the role granted (step 3). Before PostgreSQL 16 they would outlive it."""
    given = (
        "select given.rolname, taker.rolname from pg_auth_members"
        " join pg_roles given on given.oid = roleid join pg_roles taker on taker.oid = member"
        " where grantor = %(role)s"
    )
    for pair in await _rows(db, given, role=oid):
        async with _acting_as(db, name):
            await db.execute(sql.SQL("revoke {} from {} cascade").format(*map(sql.Identifier, pair)))


async def _drop_owned(db: Connection, name: sql.Identifier, oid: int, *statements: LiteralString) -> None:
    """Run the statements of steps 3 and 4 in one transaction.

    If the role has more objects than a transaction has locks for, they are dropped in parts first.
    """
    for last in (False, True):
        try:
            async with db.transaction():
                for one in statements:
                    await db.execute(sql.SQL(one).format(name))
        except psycopg.errors.OutOfMemory:
            if last:
                raise
            for (part,) in await _rows(db, _IN_PARTS, role=oid, some=AT_ONCE):
                await db.execute(part)
        else:
            return


async def _disown(db: Connection, role: str, oid: int) -> None:
    """Remove in this database what `drop owned` alone does not remove (step 3)."""
    for giver, revoking in await _rows(db, _GIVEN, role=oid, name=role):
        # If remit may not act as this grantor, the server reports the privilege when the role is dropped.
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            async with _acting_as(db, sql.Identifier(giver)):
                await db.execute(revoking)
    async with _acting_as(db, sql.Identifier(role)):
        # Any role may create large objects, and more of them than one transaction can drop.
        while await _rows(db, _UNLINK, role=oid, some=AT_ONCE):
            pass


@contextlib.asynccontextmanager
async def _acting_as(db: Connection, name: sql.Identifier) -> AsyncIterator[None]:
    await db.execute(sql.SQL("set role {}").format(name))
    try:
        yield
    finally:
        if not db.closed:
            await db.execute("reset role")


@contextlib.asynccontextmanager
async def _opened(address: dict[str, Json]) -> AsyncIterator[Connection]:
    """Connect, with leased roles kept from blocking the connection."""
    async with connected(address) as db, unblocked(address, db):
        yield db


@contextlib.asynccontextmanager
async def _elsewhere(address: dict[str, Json], database: str) -> AsyncIterator[Connection]:
    try:
        async with _opened({**address, "dbname": database}) as db:
            yield db
    except KeyUnavailable as fault:
        raise KeyUnavailable(
            f"the role's objects in database `{database}` cannot be dropped: {fault.message}",
            code="objects-left",
            remediation="let remit's administrator connect there, or `drop owned by ... cascade` there "
            "yourself",
        ) from None


async def _rows(db: Connection, query: str, **values: Json) -> list[tuple[Any, ...]]:
    return await (await db.execute(query, values or None)).fetchall()
