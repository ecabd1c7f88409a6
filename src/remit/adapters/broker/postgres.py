# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: a role of its own for each task, with what the task needs and nothing else, dropped at its end.

1. the role is named after the lease, so that it can be taken back by name; its password is random, goes to
   the server as a SCRAM verifier, and ends with the task's deadline
2. it is created and granted in one transaction: there is no half of it
3. at the end it may log in no more, then its sessions are ended, what it owns goes to the administrator, its
   privileges are dropped, and so is the role
4. the sink is tried by a login with its password
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from remit.adapters.broker.injection import Injection
from remit.adapters.broker.login import CONNECT_S, tried
from remit.adapters.broker.narrowing import PLACE, texts_of
from remit.core.errors import ConfigInvalid, KeyUnavailable, NothingDone
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from remit.ports.runtime import Entropy

Json = Any
Connection = psycopg.AsyncConnection[tuple[Any, ...]]

PASSWORD_BYTES: Final = 24
#: Longest wait for the sessions of a role to end.
SESSIONS_S: Final = 5.0
_LEASE: Final = re.compile(r"lse_[a-z0-9]{1,32}")
#: Where a text has other quotes around it than its own: strings, names, bodies between dollars, comments.
_QUOTED: Final = re.compile(
    r"""
      (?<![\w$])[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)
    | '(?:[^']|'')*(?:'|\Z)
    | "(?:[^"]|"")*(?:"|\Z)
    | (?<![\w$])\$(?P<tag>[^\W\d]\w*|)\$.*?(?:\$(?P=tag)\$|\Z)
    | --[^\n]*
    | /\*.*(?:\*/|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)


class PostgresBroker:
    """`ports.broker.Broker` at one database, as an administrator that may create roles (`CREATEROLE`)."""

    kind = "postgres-role"
    standing = False
    traceable = True

    def __init__(
        self,
        admin: Callable[[], str],
        *,
        grants: Sequence[str],
        entropy: Entropy,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        connections: int = 5,
    ) -> None:
        """Take what reads the administrator's address, and the statements that give a role what it needs.

        In these `{role}` is the role; `{task}`, `{agent}`, `{person}` and the names of the task's parameters
        are texts. `connections` is how many sessions a role may have at once. Raises `ConfigInvalid` for a
        statement with one of these within quotes.
        """
        for one in grants:
            _check_quotes(one)
        self._admin = admin
        self._grants = tuple(grants)
        self._injection = Injection(headers, env)
        self._entropy = entropy
        self._connections = connections

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """1, 2. Raises `KeyUnavailable`, also where a statement names a parameter that the task has not."""
        role, until = role_of(wanted.lease), wanted.task.deadline
        password = base64.urlsafe_b64encode(self._entropy.bytes(PASSWORD_BYTES)).decode().rstrip("=")
        statements = [self._statement(one, role, wanted) for one in self._grants]
        async with self._connected() as (db, place), db.transaction():
            verifier = db.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
            await db.execute(
                sql.SQL(
                    "create role {} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls "
                    "password {} valid until {} connection limit {}"
                ).format(
                    sql.Identifier(role),
                    sql.Literal(verifier),
                    sql.Literal(until.isoformat()),
                    sql.Literal(self._connections),
                )
            )
            for one in statements:
                await db.execute(one)
        carried = self._injection.filled(place | {"user": role, "password": password}, "PostgreSQL")
        return UpstreamCredential(
            lease=wanted.lease,
            sink=f"{place['host']}:{place['port']}/{place['database']}",
            until=until,
            headers=carried.headers,
            env=carried.env,
            secrets=(password,),
            handle={"password": password},
        )

    async def revoke(self, credential: UpstreamCredential) -> None:
        """3. Raises `KeyUnavailable` as long as the role, or a session of it, is there."""
        role = role_of(credential.lease)
        async with self._connected() as (db, _):
            found = await (
                await db.execute("select oid from pg_roles where rolname = %s", (role,))
            ).fetchone()
            if found is None:
                return
            name = sql.Identifier(role)
            # Committed by itself: no session begins from here on.
            await db.execute(sql.SQL("alter role {} nologin").format(name))
            # To end its sessions and take over what it owns one must be a member of it.
            await db.execute(sql.SQL("grant {} to current_user").format(name))
            await self._end_sessions(db, found[0])
            async with db.transaction():
                await db.execute(sql.SQL("reassign owned by {} to current_user").format(name))
                await db.execute(sql.SQL("drop owned by {}").format(name))
                await db.execute(sql.SQL("drop role {}").format(name))
            # One that had logged in just before it was shut, and was not to be seen yet.
            await self._end_sessions(db, found[0])

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """4. A refusal counts where the server says that it is about this role, or the catalogue does."""
        password, role = credential.handle.get("password", ""), role_of(credential.lease)
        try:
            found = await tried(self._address() | {"user": role, "password": password})
        except KeyUnavailable:
            return Probe.UNREACHABLE
        if found is not Probe.UNREACHABLE:
            return found
        # It may speak another language: it is asked whether that role may log in at all.
        try:
            async with self._connected() as (db, _):
                may = await (
                    await db.execute("select 1 from pg_roles where rolname = %s and rolcanlogin", (role,))
                ).fetchone()
        except KeyUnavailable:
            return Probe.UNREACHABLE
        return Probe.REFUSED if may is None else Probe.UNREACHABLE

    async def _end_sessions(self, db: Connection, role: int) -> None:
        end_s = asyncio.get_running_loop().time() + SESSIONS_S
        while True:
            told = await db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usesysid = %s", (role,)
            )
            if not await told.fetchall():
                return
            if asyncio.get_running_loop().time() > end_s:
                raise KeyUnavailable(
                    "sessions of the role do not end",
                    code="sessions-left",
                    way_out="look at `pg_stat_activity`, and let remit's administrator signal backends",
                )
            await asyncio.sleep(0.005)

    def _statement(self, template: str, role: str, wanted: LeaseWanted) -> sql.Composed:
        """Fill a statement in; texts are quoted as literals, never pasted."""
        texts = texts_of(wanted)
        parts: list[sql.Composable] = []
        at = 0
        for place in PLACE.finditer(template):
            parts.append(sql.SQL(template[at : place.start()]))
            name = place.group(1)
            if name == "role":
                parts.append(sql.Identifier(role))
            elif name in texts:
                parts.append(sql.Literal(texts[name]))
            else:
                raise NothingDone(
                    f"the task has no parameter `{name[:40]}`, which a grant of its database role needs",
                    code="lease-parameter",
                    way_out="give the task type that parameter, or leave it out of `grants`",
                )
            at = place.end()
        parts.append(sql.SQL(template[at:]))
        return sql.Composed(parts)

    def _address(self) -> dict[str, Json]:
        try:
            address = conninfo_to_dict(self._admin())
        except psycopg.Error:
            raise KeyUnavailable(
                "the address of the database cannot be read",
                code="source-refused",
                way_out="write `postgresql://user:password@host:port/database`",
            ) from None
        return {"connect_timeout": CONNECT_S, **address}

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Connection, dict[str, str]]]:
        address = self._address()
        place = {
            "host": str(address.get("host", "localhost")),
            "port": str(address.get("port", 5432)),
            "database": str(address.get("dbname", address.get("user", ""))),
        }
        try:
            async with await psycopg.AsyncConnection.connect(**address, autocommit=True) as db:
                yield db, place
        except psycopg.Error as fault:
            # Its text may repeat a statement: only the code is told.
            lost = fault.sqlstate is None
            raise KeyUnavailable(
                f"PostgreSQL at `{place['host']}:{place['port']}` "
                + ("cannot be used now" if lost else f"refuses: {fault.sqlstate}"),
                code="source-lost" if lost else "source-refused",
                way_out="look at its log, at the address, and at what remit's administrator may do there",
                debug=type(fault).__name__,
            ) from None


def _check_quotes(template: str) -> None:
    """INVARIANT: a text is a literal by the quotes that it brings, and within others it could end them."""
    for part in _QUOTED.finditer(template):
        if found := PLACE.search(part[0]):
            raise ConfigInvalid(
                f"`{found[0][:40]}` stands within quotes or a comment in a grant of a database role",
                key="grants",
                way_out="leave the quotes out: it is a literal of its own; join texts with `||`",
            )


def role_of(lease: str) -> str:
    """Give the name of a lease's role; raises `KeyUnavailable` for what is no lease."""
    if not _LEASE.fullmatch(lease):
        raise KeyUnavailable(f"`{lease[:40]}` is no lease", code="source-refused", way_out="see `remit who`")
    return f"remit_{lease}"
