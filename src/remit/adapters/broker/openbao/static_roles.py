# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault: a standing database role whose password OpenBao changes (a static role).

1. The current password is read (`MOUNT/static-creds/ROLE`). A password that OpenBao is about to change is
   changed first, so that no task begins with a password that ends soon.
2. The credential is revoked by having OpenBao change the password (`MOUNT/rotate-role/ROLE`). A password that
   is no longer current counts as revoked.
3. The credential is probed by a login at the database.

All tasks share one role, and so one password: when the end of one task changes it, the password is dead for
the other tasks too, including those of other replicas. Before each call remit asks OpenBao whether the task's
password is still current (`counts`), because only OpenBao knows of every change, by any party. A call already
in progress may fail at the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from remit.adapters.broker.http import SILENT
from remit.adapters.broker.injection import Injection
from remit.adapters.broker.openbao.client import BaoSource, bao_refused, bao_said, unreadable
from remit.adapters.broker.postgres.login_probe import named, place_of, tried
from remit.core.errors import KeyUnavailable
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential

LOGIN_S: Final = 8.0
#: A password that OpenBao changes within this time, or within a fifth of its period, is changed before use.
SOON_S: Final = 60
#: Longest wait of a call for OpenBao to confirm its password; and the pause after OpenBao did not answer.
COUNTS_S: Final = 2.0
PAUSE_S: Final = 1.0
#: How long a password stays usable without OpenBao's confirmation.
KEEP_S: Final = 300.0


class _Password(msgspec.Struct, frozen=True):
    user: str
    password: str
    left_s: int
    period_s: int

    @property
    def ending(self) -> bool:
        """Whether OpenBao is about to change the password."""
        return self.left_s <= min(SOON_S, self.period_s // 5)


class OpenBaoStaticBroker:
    """`ports.broker.Shared` for one static role of a database engine."""

    kind = "openbao-static-role"
    standing = False
    traceable = False

    def __init__(
        self,
        bao: BaoSource,
        mount: str,
        role: str,
        *,
        login: str,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Store the static role; `login` is the address of the PostgreSQL database that accepts the password.

        Raises `ConfigInvalid` for an invalid address.
        """
        self._bao = bao
        self._read = f"{mount.strip('/')}/static-creds/{role}"
        self._rotate = f"{mount.strip('/')}/rotate-role/{role}"
        self._injection = Injection(headers, env)
        self._login = place_of(login)
        self._sink = named(self._login)
        self._turn = asyncio.Lock()
        #: The number of readings begun for calls, and the result of the last one.
        self._readings = 0
        self._last: _Password | None = None
        #: When OpenBao last returned the password, and until when a silent OpenBao is not asked again.
        self._heard_s = bao.clock.boot_s()
        self._quiet_until_s = 0.0

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Implement step 1; raises `KeyUnavailable`."""
        async with self._turn:
            now = await self._now()
            if now.ending:
                await self._change()
                now = await self._now()
        place = self._login
        values = {
            "username": now.user,
            "password": now.password,
            "host": str(place.get("host", "localhost")),
            "port": str(place.get("port", 5432)),
            "database": str(place.get("dbname", now.user)),
        }
        carried = self._injection.filled(values, "OpenBao")
        return UpstreamCredential(
            lease=wanted.lease,
            sink=f"{now.user}@{self._sink}",
            until=self._bao.until(now.left_s),
            headers=carried.headers,
            env=carried.env,
            secrets=(now.password,),
            handle={"username": now.user, "password": now.password},
        )

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Revoke the credential (step 2). Raises `KeyUnavailable`."""
        password = credential.handle.get("password", "")
        if not password:
            raise unreadable(credential.lease)
        async with self._turn:
            if (await self._now()).password == password:
                await self._change()

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Do step 3."""
        handle = credential.handle
        as_whom = {"user": handle.get("username", ""), "password": handle.get("password", "")}
        try:
            async with asyncio.timeout(LOGIN_S):
                return await tried(self._login | as_whom)
        except TimeoutError:
            return Probe.UNREACHABLE

    async def counts(self, credential: UpstreamCredential) -> bool:
        """Return whether this is the password that OpenBao currently returns.

        Waiting calls share one reading, which begins after each of them has arrived.
        """
        if self._bao.clock.boot_s() < self._quiet_until_s:
            return True
        came = self._readings
        try:
            async with asyncio.timeout(COUNTS_S), self._turn:
                if self._readings == came or self._last is None:
                    self._readings, self._last = self._readings + 1, None
                    self._last = await self._now()
                return self._last.password == credential.handle.get("password")
        except (TimeoutError, KeyUnavailable) as fault:
            now_s = self._bao.clock.boot_s()
            lost = KeyUnavailable("OpenBao does not answer", code=SILENT, remediation="check that it runs")
            why = fault if isinstance(fault, KeyUnavailable) else lost
            if why.code != SILENT or now_s - self._heard_s > KEEP_S:
                raise why from None
            self._quiet_until_s = now_s + PAUSE_S
            return True

    async def close(self) -> None:
        """Close all connections."""
        await self._bao.close()

    async def _now(self) -> _Password:
        answer = await self._bao.ask("GET", self._read)
        told = answer.object.get("data")
        if answer.status != 200 or not isinstance(told, dict):
            raise bao_said(self._read, answer.status)
        user, password = told.get("username"), told.get("password")
        left_s, period_s = told.get("ttl"), told.get("rotation_period")
        if not isinstance(user, str) or not isinstance(password, str) or not user or not password:
            raise bao_refused(self._read, "it returned no name and password")
        if type(left_s) is not int:
            raise bao_refused(self._read, "it returned no expiry of the password")
        self._heard_s = self._bao.clock.boot_s()
        # A password that rotates by schedule has no period: then only `SOON_S` applies.
        return _Password(user, password, left_s, period_s if type(period_s) is int else 5 * SOON_S)

    async def _change(self) -> None:
        self._last = None
        answer = await self._bao.ask("POST", self._rotate, {})
        if answer.status not in (200, 204):
            raise bao_refused(self._rotate, f"status {answer.status}")
