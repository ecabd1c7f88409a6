# SPDX-License-Identifier: Apache-2.0
"""A standing PostgreSQL role that may change its own password, and an optional publisher of the password."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import psycopg
from psycopg import sql

from remit.adapters.broker.injection import Injection
from remit.adapters.broker.postgres.login_probe import CONNECT_S, named, place_of, tried
from remit.core.errors import KeyUnavailable
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from remit.ports.rotating import Keep


class PostgresPassword:
    """`ports.rotating.Rotating`: the password of one role.

    `first` reads the configured password; `publisher` receives each new one.
    """

    def __init__(
        self,
        address: str,
        user: str,
        first: Callable[[], str],
        publisher: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Store the address of the database; raises `ConfigInvalid` for an invalid one."""
        self._address = {"connect_timeout": CONNECT_S, **place_of(address), "user": user}
        self._user = user
        self._first = first
        self._publisher = publisher
        self.sink = f"{user}@{named(self._address)}"

    @property
    def first(self) -> str:
        """The configured password."""
        return self._first()

    async def change(self, old: str, new: str, keep: Keep) -> str:
        """Log in with the old password and set the new one. The server receives a verifier, never the
        password.
        """
        try:
            async with await psycopg.AsyncConnection.connect(
                **self._address, password=old, autocommit=True
            ) as db:
                verifier = db.pgconn.encrypt_password(
                    new.encode(), self._user.encode(), b"scram-sha-256"
                ).decode()
                await db.execute(
                    sql.SQL("alter role {} password {}").format(
                        sql.Identifier(self._user), sql.Literal(verifier)
                    )
                )
        except psycopg.Error as fault:
            # The error's text may repeat the statement, so only its code is reported.
            why = f"refuses: {fault.sqlstate}" if fault.sqlstate else "cannot be used now"
            raise KeyUnavailable(
                f"PostgreSQL at `{named(self._address)}` {why}",
                code="source-refused" if fault.sqlstate else "source-lost",
                remediation="check its log and that the role may change its own password",
                debug=type(fault).__name__,
            ) from None
        return new

    async def known(self, current: str, keep: Keep) -> str:
        """Return `current`: a database reveals no passwords."""
        return current

    async def works(self, secret: str) -> Probe:
        """Return the result of a login with the secret."""
        return await tried({**self._address, "password": secret})

    async def publish(self, secret: str) -> None:
        """Pass the secret to the publisher, if there is one."""
        if self._publisher is not None:
            await self._publisher(secret)


class PasswordBroker:
    """`ports.broker.Replaceable`: returns a standing role with its current password."""

    kind = "standing-password"
    standing = True
    traceable = False

    def __init__(
        self,
        upstream: str,
        address: str,
        user: str,
        password: Callable[[], str],
        *,
        headers: Mapping[str, str],
        replace: Callable[[], Awaitable[bool]],
    ) -> None:
        """Store the reader of the current password, and the function that replaces it.

        `replace` returns whether the replacement succeeded.
        """
        place = place_of(address)
        self._address = {"connect_timeout": CONNECT_S, **place, "user": user}
        self._replace = replace
        self._id = f"standing:{upstream}"
        self._values = {
            "user": user,
            "host": str(place.get("host", "localhost")),
            "port": str(place.get("port", 5432)),
            "database": str(place.get("dbname", user)),
        }
        self._password = password
        self._injection = Injection(headers)

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Return the credential with the current password."""
        password = self._password()
        carried = self._injection.filled({**self._values, "password": password}, "PostgreSQL")
        return UpstreamCredential(lease=self._id, headers=carried.headers, secrets=(password,))

    def now(self, lease: str) -> UpstreamCredential:
        """Return the current password as a credential, so that a later probe can show that it is dead."""
        password = self._password()
        sink = f"{self._values['user']}@{named(self._address)}"
        return UpstreamCredential(lease=lease, sink=sink, secrets=(password,), handle={"password": password})

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Replace the password of this credential; one that was replaced already counts as revoked."""
        if self._password() == credential.handle.get("password") and not await self._replace():
            raise KeyUnavailable(
                "the password could not be changed",
                code="secret-stuck",
                remediation="see `remit finding list`; it is tried again",
            )

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Log in with the credential's password."""
        return await tried({**self._address, "password": credential.handle.get("password", "")})
