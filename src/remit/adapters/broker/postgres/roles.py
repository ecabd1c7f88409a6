# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: a role of its own for each task, with what the task needs and nothing else, dropped at its end.

1. the role is named after the lease, so that it can be taken back by name; its password is random, goes to
   the server as a SCRAM verifier, and ends with the task's deadline
2. it is created and granted in one transaction: there is no half of it
3. at the end the role goes with its sessions and all that it owns (`postgres_ending`)
4. the sink is tried by a login with its password, and the catalogue is asked for what is left of the role
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from psycopg import sql

from remit.adapters.broker.injection import Injection
from remit.adapters.broker.narrowing import PLACE, texts_of
from remit.adapters.broker.postgres.administrator import Connection, address_of, connected, place_in
from remit.adapters.broker.postgres.login_probe import tried
from remit.adapters.broker.postgres.role_end import end_role, remains
from remit.adapters.broker.postgres.role_rights import granted, names_of_grants, rights_beyond, see_bounded
from remit.core.errors import ConfigInvalid, KeyUnavailable, NothingDone
from remit.core.json_value import Json
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from remit.ports.runtime import Entropy

PASSWORD_BYTES: Final = 24
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
        texts = texts_of(wanted)
        statements = [self._filled(one, role, texts) for one in self._grants]
        address = self._address()
        place = place_in(address)
        async with connected(address) as db, db.transaction():
            oid = await self._make(db, role, password, until.isoformat())
            # A member ends its sessions and drops what it owns, and what it has given to other such roles.
            await db.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))
            async with names_of_grants(db):
                for one in statements:
                    await db.execute(one)
            await see_bounded(db, role)
        carried = self._injection.filled(place | {"user": role, "password": password}, "PostgreSQL")
        return UpstreamCredential(
            lease=wanted.lease,
            sink=f"{place['host']}:{place['port']}/{place['database']}",
            until=until,
            headers=carried.headers,
            env=carried.env,
            secrets=(password,),
            handle={"password": password, "oid": str(oid)},
        )

    async def revoke(self, credential: UpstreamCredential) -> None:
        """3. Raises `KeyUnavailable` as long as the role, or anything of it, is there."""
        await end_role(self._address(), role_of(credential.lease))

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """4. A refused login shows nothing by itself: a role can have another password, and a session."""
        password, role = credential.handle.get("password", ""), role_of(credential.lease)
        try:
            address = self._address()
            if await tried(address | {"user": role, "password": password}) is Probe.ACCEPTED:
                return Probe.ACCEPTED
            session, anything = await remains(address, role, int(credential.handle.get("oid", "0")))
        except KeyUnavailable:
            return Probe.UNREACHABLE
        if session:
            return Probe.ACCEPTED
        return Probe.UNREACHABLE if anything else Probe.REFUSED

    async def beyond_rows(self) -> list[tuple[str, str]]:
        """Say what a role may do beyond reading and writing rows, and what to do about each: of a role that
        is rolled back. Raises `KeyUnavailable`.
        """
        role = role_of(f"lse_{self._entropy.bytes(8).hex()}")
        statements = [self._filled(one, role, _AnyText()) for one in self._grants]
        async with connected(self._address()) as db, db.transaction(force_rollback=True):
            await self._make(db, role, role, "epoch")
            async with names_of_grants(db):
                failed = await granted(db, statements)
            await see_bounded(db, role)
            found = await rights_beyond(db, role)
        if failed:
            found.append((f"was not given {failed} of its `grants`, which need a task's parameters", ""))
        return found

    async def _make(self, db: Connection, role: str, password: str, until: str) -> int:
        """Make a role that may log in, and give its number."""
        verifier = db.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        made = sql.SQL(
            "create role {} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls "
            "password {} valid until {} connection limit {}"
        )
        await db.execute(
            made.format(
                sql.Identifier(role),
                sql.Literal(verifier),
                sql.Literal(until),
                sql.Literal(self._connections),
            )
        )
        found = await db.execute("select oid from pg_catalog.pg_roles where rolname = %s", (role,))
        ((oid,),) = await found.fetchall()
        return int(oid)

    def _filled(self, template: str, role: str, texts: Mapping[str, Json]) -> sql.Composed:
        """Fill a statement in; texts are quoted as literals, never pasted."""
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
                    remediation="give the task type that parameter, or remove it from `grants`",
                )
            at = place.end()
        parts.append(sql.SQL(template[at:]))
        return sql.Composed(parts)

    def _address(self) -> dict[str, Json]:
        return address_of(self._admin)


class _AnyText(dict[str, Json]):
    """Values of no task: a role that is only looked at is about nothing."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Json:
        return ""


def _check_quotes(template: str) -> None:
    """INVARIANT: a text is a literal by the quotes that it brings, and within others it could end them."""
    for part in _QUOTED.finditer(template):
        if found := PLACE.search(part[0]):
            raise ConfigInvalid(
                f"`{found[0][:40]}` is within quotes or a comment in a grant of a database role",
                key="grants",
                remediation="remove the quotes: it becomes a quoted literal; join texts with `||`",
            )


def role_of(lease: str) -> str:
    """Return the name of a lease's role; raises `KeyUnavailable` for what is no lease."""
    if not _LEASE.fullmatch(lease):
        raise KeyUnavailable(
            f"`{lease[:40]}` is not a lease", code="source-refused", remediation="see `remit who`"
        )
    return f"remit_{lease}"
