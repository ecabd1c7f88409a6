# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault: a standing role of a database whose password OpenBao changes (a static role).

1. the password that counts now is read (`MOUNT/static-creds/ROLE`). One that OpenBao is about to change is
   changed first, so that nobody begins with what ends soon
2. it is taken back by having OpenBao change it (`MOUNT/rotate-role/ROLE`); one that counts no more is gone
3. it is tried by a login at the database

All tasks have one role, and so one password: what one task's end changes is dead for the others too, those of
other replicas among them. OpenBao is asked before each call whether what its task has still counts
(`counts`): it alone knows, whoever has it changed, and when. A call that is under way may fail at the
database.
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
#: A password that OpenBao changes sooner, or in a fifth of its period, is changed before it is used.
SOON_S: Final = 60
#: Longest wait of a call for OpenBao to say whether its password counts; the pause after it has said nothing.
COUNTS_S: Final = 2.0
PAUSE_S: Final = 1.0
#: For how long a password counts that OpenBao does not confirm.
KEEP_S: Final = 300.0


class _Password(msgspec.Struct, frozen=True):
    user: str
    password: str
    left_s: int
    period_s: int

    @property
    def ending(self) -> bool:
        """Whether OpenBao is about to change it."""
        return self.left_s <= min(SOON_S, self.period_s // 5)


class OpenBaoStaticBroker:
    """`ports.broker.Shared` at one static role of a database engine."""

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
        """Take where it is; `login` is the address of the PostgreSQL database that takes the password. Raises
        `ConfigInvalid` for what is none.
        """
        self._bao = bao
        self._read = f"{mount.strip('/')}/static-creds/{role}"
        self._rotate = f"{mount.strip('/')}/rotate-role/{role}"
        self._injection = Injection(headers, env)
        self._login = place_of(login)
        self._sink = named(self._login)
        self._turn = asyncio.Lock()
        #: Readings for calls that have begun, and what the last one found.
        self._readings = 0
        self._last: _Password | None = None
        #: When OpenBao has last given the password, and until when it is not asked again, for it was silent.
        self._heard_s = bao.clock.boot_s()
        self._quiet_until_s = 0.0

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """1. Raises `KeyUnavailable`."""
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
        """2. Raises `KeyUnavailable`."""
        password = credential.handle.get("password", "")
        if not password:
            raise unreadable(credential.lease)
        async with self._turn:
            if (await self._now()).password == password:
                await self._change()

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """3."""
        handle = credential.handle
        as_whom = {"user": handle.get("username", ""), "password": handle.get("password", "")}
        try:
            async with asyncio.timeout(LOGIN_S):
                return await tried(self._login | as_whom)
        except TimeoutError:
            return Probe.UNREACHABLE

    async def counts(self, credential: UpstreamCredential) -> bool:
        """Whether it is the password that OpenBao gives now. Calls that wait share one reading, which has
        begun after each of them came.
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
        # By a schedule it has no period: then the bound alone counts.
        return _Password(user, password, left_s, period_s if type(period_s) is int else 5 * SOON_S)

    async def _change(self) -> None:
        self._last = None
        answer = await self._bao.ask("POST", self._rotate, {})
        if answer.status not in (200, 204):
            raise bao_refused(self._rotate, f"status {answer.status}")
