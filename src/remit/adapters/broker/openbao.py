# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault: credentials that a secrets engine makes, under a lease that can be taken back.

1. the path of a secrets engine gives a credential with a lease (`database/creds/...`, `aws/creds/...`); what
   comes without one could not be taken back, and is not used
2. the lease is revoked, and the answer waits until the engine has done it (`sync`)
3. a database's credential is tried by a login at the database; another one by asking whether its lease is
   known, which is the word of its source
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from remit.adapters.broker.injection import Injection
from remit.adapters.broker.login import named, place_of, tried
from remit.adapters.broker.web import BrokerWeb, WebAnswer
from remit.core.errors import KeyUnavailable
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from remit.ports.runtime import Clock

Json = Any

#: Values of a credential that name it and open nothing.
_NAMES: Final = frozenset({"username", "user", "access_key", "serial_number"})
LOGIN_S: Final = 8.0


class OpenBaoBroker:
    """`ports.broker.Broker` at one path of a secrets engine, as whoever holds `token`."""

    kind = "openbao-lease"
    standing = False
    #: A lease whose answer was lost is not known here; it ends by its own time.
    traceable = False

    def __init__(
        self,
        address: str,
        token: Callable[[], str],
        path: str,
        *,
        web: BrokerWeb,
        clock: Clock,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        login: str = "",
        namespace: str = "",
    ) -> None:
        """Take where it is; `token` is read at each request. `login` is the address of the PostgreSQL
        database that takes the credential (`postgresql://host:port/database`); raises `ConfigInvalid` for
        what is none.
        """
        self._address = address.rstrip("/")
        self._token = token
        self._path = path.strip("/")
        self._injection = Injection(headers, env)
        self._web = web
        self._clock = clock
        self._login = place_of(login) if login else {}
        self._namespace = namespace
        self._sink = named(self._login) if login else self._path

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """1. Raises `KeyUnavailable`."""
        answer = await self._ask("GET", self._path)
        told = answer.object
        lease, data, life = told.get("lease_id"), told.get("data"), told.get("lease_duration")
        if answer.status != 200 or not isinstance(data, dict):
            raise self._refused(self._path, f"status {answer.status}")
        if not isinstance(lease, str) or not lease:
            raise self._refused(self._path, "it gives no lease, so that nothing could be taken back")
        values = {name: str(value) for name, value in data.items() if isinstance(value, str | int)}
        try:
            carried = self._injection.filled(values, "OpenBao")
        except KeyUnavailable:
            # What cannot be injected is not left behind.
            await self._revoke(lease)
            raise
        return UpstreamCredential(
            lease=wanted.lease,
            sink=self._sink,
            until=self._clock.now() + timedelta(seconds=life) if type(life) is int and life > 0 else None,
            headers=carried.headers,
            env=carried.env,
            secrets=tuple(
                text for name, text in values.items() if self._injection.uses(name) and name not in _NAMES
            ),
            handle={
                "lease_id": lease,
                "username": values.get("username", ""),
                "password": values.get("password", ""),
            },
        )

    async def revoke(self, credential: UpstreamCredential) -> None:
        """2. Raises `KeyUnavailable`. A lease that is gone is taken back."""
        lease = credential.handle.get("lease_id", "")
        if not lease:
            raise KeyUnavailable(
                f"lease `{credential.lease}` cannot be read any more",
                code="lease-unreadable",
                way_out="restore the sealing keys, or revoke it at OpenBao",
            )
        await self._revoke(lease)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """3."""
        handle = credential.handle
        if self._login:
            as_whom = {"user": handle.get("username", ""), "password": handle.get("password", "")}
            try:
                async with asyncio.timeout(LOGIN_S):
                    return await tried(self._login | as_whom)
            except TimeoutError:
                return Probe.UNREACHABLE
        try:
            answer = await self._ask("PUT", "sys/leases/lookup", {"lease_id": handle.get("lease_id", "")})
        except KeyUnavailable:
            return Probe.UNREACHABLE
        if answer.status == 200:
            return Probe.ACCEPTED
        errors = answer.object.get("errors")
        # The one answer to a lease that is not there; a refusal to answer is another one.
        return Probe.REFUSED if answer.status == 400 and errors == ["invalid lease"] else Probe.UNREACHABLE

    async def close(self) -> None:
        """Close all connections."""
        await self._web.close()

    async def _revoke(self, lease: str) -> None:
        answer = await self._ask("PUT", "sys/leases/revoke", {"lease_id": lease, "sync": True})
        if answer.status not in (200, 204):
            raise self._refused("sys/leases/revoke", f"status {answer.status}")

    async def _ask(self, method: str, path: str, body: Json = None) -> WebAnswer:
        headers = {"X-Vault-Token": self._token(), "X-Vault-Request": "true"}
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        return await self._web.ask(method, f"{self._address}/v1/{path}", headers=headers, json=body)

    def _refused(self, path: str, why: str) -> KeyUnavailable:
        return KeyUnavailable(
            f"OpenBao refuses `{path}`: {why}",
            code="source-refused",
            way_out="look at the policy of remit's token, at the path, and at OpenBao's audit log",
        )
