# SPDX-License-Identifier: Apache-2.0
"""Trying exposed secrets at the places of the configuration: a login, or who the bearer of a token is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.postgres.login_probe import named, place_of, tried
from remit.core.errors import RemitError
from remit.core.json_value import Json
from remit.ports.broker import Probe

#: Parts of an address that an attempt keeps; account and password are those of the attempt.
_PLACE: Final = ("host", "hostaddr", "port", "dbname", "sslmode", "sslrootcert", "channel_binding")
#: Characters that a token may have in a header.
_TOKEN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=:|")
#: What GitHub takes as a bearer token; the last form is that of tokens from before 2021.
_OF_GITHUB: Final = re.compile(r"gh[opsu]_|github_pat_|[0-9a-f]{40}$")


class PostgresSecretProbe:
    """`ports.broker.SecretProbe`: a login at a database, and nothing after it."""

    opens = "postgresql"

    def __init__(self, upstream: str, address: Callable[[], str], user: str = "") -> None:
        """Take the reader of the address, which may hold an account of remit's own."""
        self.upstream = upstream
        self.user = user
        self._read = address

    @property
    def place(self) -> str:
        """The database, as `host:port/database`; empty while its address cannot be read."""
        try:
            return named(self._address())
        except RemitError:
            return ""

    def _address(self) -> dict[str, Json]:
        given = place_of(self._read())
        return {name: given[name] for name in _PLACE if name in given}

    async def probe(self, secret: str, user: str) -> Probe:
        """Return whether the database lets the account in."""
        try:
            address = self._address()
        except RemitError:
            return Probe.UNREACHABLE
        if not secret or not user or "\0" in secret + user or not {"host", "dbname"} <= address.keys():
            return Probe.UNREACHABLE
        # A server that asks for the password in clear, or for a digest of it, gets nothing; one that asks for
        # nothing says nothing about the password.
        safe = {"require_auth": "scram-sha-256", "application_name": "remit"}
        return await tried({**address, **safe, "user": user, "password": secret})


class BearerSecretProbe:
    """`ports.broker.SecretProbe`: a GET with the secret as a bearer token.

    200 to 299 is accepted, 401 refused. Anything else, such as 403, says nothing about the token.
    """

    user = ""

    def __init__(self, upstream: str, opens: str, url: str, web: BrokerHttp) -> None:
        """Take the address, which the configuration names, and the connection to it."""
        self.upstream = upstream
        self.opens = opens
        self.place = url
        self._web = web

    async def probe(self, secret: str, user: str) -> Probe:
        """Return whether the address accepts the token."""
        # A refresh token of GitHub, for one, is refused as a bearer token while it lives.
        unlike = self.opens == "github" and not _OF_GITHUB.match(secret)
        if not secret or not set(secret) <= _TOKEN or unlike:
            return Probe.UNREACHABLE
        try:
            answer = await self._web.ask("GET", self.place, headers={"Authorization": f"Bearer {secret}"})
        except RemitError:
            return Probe.UNREACHABLE
        if 200 <= answer.status < 300:
            return Probe.ACCEPTED
        return Probe.REFUSED if answer.status == 401 else Probe.UNREACHABLE
