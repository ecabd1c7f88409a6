# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault: credentials that a secrets engine creates under a revocable lease.

1. The path of a secrets engine returns a credential with a lease (`database/creds/...`, `ssh/creds/...`,
   `aws/creds/...`). A credential without a lease could not be revoked, and is not used.
2. The lease is revoked; the answer waits until the engine has done it (`sync`).
3. remit asks OpenBao whether it knows the lease, which is the statement of the source. A database credential
   is also probed by a login at the database. A login alone is no proof: the holder can change the password,
   and OpenBao can fail to drop the role that it created.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from remit.adapters.broker.injection import Injection
from remit.adapters.broker.narrowing import fill, texts_of
from remit.adapters.broker.openbao.client import BaoSource, bao_refused, unreadable
from remit.adapters.broker.postgres.login_probe import named, place_of, tried
from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json
from remit.ports.broker import LeaseWanted, Probe, UnfitCredential, UpstreamCredential

#: Values of a credential that identify it and grant no access.
_NAMES: Final = frozenset({"username", "user", "access_key", "arn", "ip", "port", "key_type"})
LOGIN_S: Final = 8.0


class OpenBaoBroker:
    """`ports.broker.Broker` for one path of a secrets engine."""

    kind = "openbao-lease"
    standing = False
    #: remit does not know a lease whose answer was lost; that lease lives until it expires.
    traceable = False

    def __init__(
        self,
        bao: BaoSource,
        path: str,
        *,
        parameters: Mapping[str, Json] | None = None,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        login: str = "",
    ) -> None:
        """Store the path.

        With `parameters`, the path is written to instead of read, with the parameters filled in for the task.
        `login` is the address of the PostgreSQL database that accepts the credential
        (`postgresql://host:port/database`); raises `ConfigInvalid` for an invalid one.
        """
        self._bao = bao
        self._path = path.strip("/")
        self._parameters = dict(parameters or {})
        self._injection = Injection(headers, env)
        self._login = place_of(login) if login else {}
        self._sink = named(self._login) if login else self._path

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Implement step 1; raises `KeyUnavailable`."""
        if self._parameters:
            body = fill(self._parameters, texts_of(wanted), _any_text)
            answer = await self._bao.ask("POST", self._path, body)
        else:
            answer = await self._bao.ask("GET", self._path)
        told = answer.object
        lease, data = told.get("lease_id"), told.get("data")
        if answer.status != 200 or not isinstance(data, dict):
            raise bao_refused(self._path, f"status {answer.status}")
        if not isinstance(lease, str) or not lease:
            raise bao_refused(self._path, "it returned no lease, so the credential could not be revoked")
        values = {name: str(value) for name, value in data.items() if isinstance(value, str | int)}
        found = UpstreamCredential(
            lease=wanted.lease,
            sink=self._sink,
            until=self._bao.until(told.get("lease_duration")),
            secrets=tuple(
                text for name, text in values.items() if self._injection.uses(name) and name not in _NAMES
            ),
            handle={
                "lease_id": lease,
                "username": values.get("username", ""),
                "password": values.get("password", ""),
            },
        )
        try:
            carried = self._injection.filled(values, "OpenBao")
        except KeyUnavailable as why:
            raise UnfitCredential(why, found) from None
        return msgspec.structs.replace(found, headers=carried.headers, env=carried.env)

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Revoke the lease (step 2). Raises `KeyUnavailable`. A lease that is gone counts as revoked."""
        lease = credential.handle.get("lease_id", "")
        if not lease:
            raise unreadable(credential.lease)
        answer = await self._bao.ask("PUT", "sys/leases/revoke", {"lease_id": lease, "sync": True})
        if answer.status not in (200, 204):
            raise bao_refused("sys/leases/revoke", f"status {answer.status}")

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Do step 3."""
        handle = credential.handle
        if self._login:
            as_whom = {"user": handle.get("username", ""), "password": handle.get("password", "")}
            try:
                async with asyncio.timeout(LOGIN_S):
                    found = await tried(self._login | as_whom)
            except TimeoutError:
                return Probe.UNREACHABLE
            if found is not Probe.REFUSED:
                return found
        try:
            answer = await self._bao.ask("PUT", "sys/leases/lookup", {"lease_id": handle.get("lease_id", "")})
        except KeyUnavailable:
            return Probe.UNREACHABLE
        if answer.status == 200:
            return Probe.ACCEPTED
        errors = answer.object.get("errors")
        # The only answer for a lease that does not exist; a refused lookup has another answer.
        return Probe.REFUSED if answer.status == 400 and errors == ["invalid lease"] else Probe.UNREACHABLE

    async def close(self) -> None:
        """Close all connections."""
        await self._bao.close()


def _any_text(text: str) -> bool:
    """Permit any text: a parameter is a separate value, and the engine's role decides what it permits."""
    return True
