# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: a separate role per task, with only the rights that the task needs, dropped at its end.

1. The role is named after the lease, so that it can be revoked by name. Its password is random, goes to the
   server as a SCRAM verifier, and expires with the task's deadline.
2. The role is created and granted in one transaction, so that it never exists in part.
3. At the end the role is dropped with its sessions and everything that it owns (`role_end`).
4. The sink is probed by a login with the password, and the catalogue is queried for remains of the role.
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
#: Places where a text would be inside other quotes: strings, names, dollar-quoted bodies, comments.
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
    """`ports.broker.Broker` for one database, as an administrator that may create roles (`CREATEROLE`)."""

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
        """Store the reader of the administrator's address, and the statements that grant a role its rights.

        In the statements `{role}` is the role; `{task}`, `{agent}`, `{person}` and the names of the task's
        parameters are texts. `connections` is how many sessions a role may have at once. Raises
        `ConfigInvalid` for a statement with one of these within quotes.
        """
        for one in grants:
            _check_quotes(one)
        self._admin = admin
        self._grants = tuple(grants)
        self._injection = Injection(headers, env)
        self._entropy = entropy
        self._connections = connections

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Create and grant a role (steps 1 and 2).

        Raises `KeyUnavailable`, also where a statement names a parameter that the task does not have.
        """
        role, until = role_of(wanted.lease), wanted.task.deadline
        password = base64.urlsafe_b64encode(self._entropy.bytes(PASSWORD_BYTES)).decode().rstrip("=")
        texts = texts_of(wanted)
        statements = [self._filled(one, role, texts) for one in self._grants]
        address = self._address()
        place = place_in(address)
        async with connected(address) as db, db.transaction():
            oid = await self._make(db, role, password, until.isoformat())
            # A member can end the role's sessions, drop what it owns, and revoke what it granted to other
            # leased roles.
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
        """Drop the role (step 3). Raises `KeyUnavailable` while the role, or anything of it, remains."""
        await end_role(self._address(), role_of(credential.lease))

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Probe the role (step 4). A refused login alone proves nothing: the role can have another password
        and a session.
        """
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
        """Return a role's rights beyond reading and writing rows, each with a remediation.

        A role is created for this and rolled back. Raises `KeyUnavailable`.
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
        """Create a role that may log in, and return its oid."""
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
        """Fill in a statement; texts are quoted as literals, never concatenated."""
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
    """Placeholder values for a role that is only inspected and belongs to no task."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Json:
        return ""


def _check_quotes(template: str) -> None:
    """Refuse placeholders within quotes; raises `ConfigInvalid`.

    INVARIANT: an inserted text is a literal only by its own quotes; inside other quotes it could end them.
    """
    for part in _QUOTED.finditer(template):
        if found := PLACE.search(part[0]):
            raise ConfigInvalid(
                f"`{found[0][:40]}` is within quotes or a comment in a grant of a database role",
                key="grants",
                remediation="remove the quotes: it becomes a quoted literal; join texts with `||`",
            )


def role_of(lease: str) -> str:
    """Return the name of a lease's role; raises `KeyUnavailable` for a text that is not a lease id."""
    if not _LEASE.fullmatch(lease):
        raise KeyUnavailable(
            f"`{lease[:40]}` is not a lease", code="source-refused", remediation="see `remit who`"
        )
    return f"remit_{lease}"
