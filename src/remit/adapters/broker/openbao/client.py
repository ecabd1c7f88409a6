# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault as brokers speak to them: as whom, one question, one answer.

1. remit is known there by a token that is given to it, or logs in by a way of its own (AppRole, JWT,
   Kubernetes) and gets one
2. OpenBao takes back what a token obtained when that token ends. So a token of a login is used for new
   credentials in the first half of its life alone, and what is obtained with it does not count as longer
   living than it
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.adapters.broker.http import SILENT, BrokerHttp, BrokerResponse
from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json
from remit.ports.runtime import Clock

#: A longer life is taken for a mistake of the server's, and not believed.
MAX_LIFE: Final = timedelta(days=366)
#: So soon after a login a refusal is not taken for the loss of its token: each login makes a token there.
AGAIN: Final = timedelta(seconds=30)
#: Answers that say "not now", besides those of 500 and more.
BUSY: Final = (412, 429)


class BaoLogin(msgspec.Struct, frozen=True):
    """A login: the path of the method, and what reads the form that is sent at each login."""

    path: str
    form: Callable[[], Mapping[str, str]]


class BaoSource:
    """One OpenBao, as remit. For one event loop."""

    def __init__(
        self,
        address: str,
        known_by: Callable[[], str] | BaoLogin,
        *,
        web: BrokerHttp,
        clock: Clock,
        namespace: str = "",
    ) -> None:
        """Take where it is, and what reads remit's token at each request, or how remit logs in."""
        self._address = address.rstrip("/")
        self._known_by = known_by
        self._web = web
        self.clock = clock
        self._namespace = namespace
        self._entering = asyncio.Lock()
        self._token = ""
        self._begun: datetime | None = None
        self._until: datetime | None = None

    def until(self, life: Json) -> datetime | None:
        """Say when what was obtained just now ends, having a life of so many seconds."""
        ends = [self._until] if self._until is not None else []
        if type(life) is int and life > 0:
            ends.append(self.clock.now() + min(timedelta(seconds=min(life, 2**31)), MAX_LIFE))
        return min(ends, default=None)

    async def ask(self, method: str, path: str, body: Json = None) -> BrokerResponse:
        """Ask as remit, and give the answer whatever its status; raises `KeyUnavailable` where there is none,
        or no login.
        """
        if not isinstance(self._known_by, BaoLogin):
            return await self.ask_as(self._known_by(), method, path, body)
        answer = await self.ask_as(await self._entered(self._known_by), method, path, body)
        if answer.status == 403 and self._begun is not None and self.clock.now() - self._begun > AGAIN:
            # The token may have been taken from us. Nothing was done, so it is asked again.
            self._token = ""
            answer = await self.ask_as(await self._entered(self._known_by), method, path, body)
        return answer

    async def ask_as(self, token: str, method: str, path: str, body: Json = None) -> BrokerResponse:
        """Ask as whoever holds `token`; empty: as nobody."""
        headers = {"X-Vault-Request": "true"}
        if token:
            headers["X-Vault-Token"] = token
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        return await self._web.ask(method, f"{self._address}/v1/{path}", headers=headers, json=body)

    async def ask_for(self, path: str, content: bytes, kind: str) -> BrokerResponse:
        """Ask something that anybody may, which is not JSON."""
        headers = {"Content-Type": kind}
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        return await self._web.ask("POST", f"{self._address}/v1/{path}", headers=headers, content=content)

    async def close(self) -> None:
        """Close all connections."""
        await self._web.close()

    async def _entered(self, login: BaoLogin) -> str:
        async with self._entering:
            if self._token and not self._old():
                return self._token
            answer = await self.ask_as("", "POST", login.path, dict(login.form()))
            told = answer.object.get("auth")
            token = told.get("client_token") if isinstance(told, dict) else None
            if answer.status != 200 or not isinstance(token, str) or not token:
                raise bao_said(login.path, answer.status)
            assert isinstance(told, dict)
            self._token, self._begun, self._until = token, self.clock.now(), None
            self._until = self.until(told.get("lease_duration"))
            return token

    def _old(self) -> bool:
        if self._until is None or self._begun is None:
            return False
        return self.clock.now() >= self._begun + (self._until - self._begun) / 2


def bao_said(path: str, status: int) -> KeyUnavailable:
    """Say that OpenBao does not do what it is asked, be it now or at all, by the status of its answer."""
    if status < 500 and status not in BUSY:
        return bao_refused(path, f"status {status}")
    return KeyUnavailable(
        f"OpenBao cannot serve `{path}` now: status {status}",
        code=SILENT,
        remediation="check whether it is sealed, a lagging standby, or overloaded",
    )


def bao_refused(path: str, why: str) -> KeyUnavailable:
    """Say that OpenBao does not do what it is asked."""
    return KeyUnavailable(
        f"OpenBao refuses `{path}`: {why}",
        code="source-refused",
        remediation="check the policy of remit's token, the path and OpenBao's audit log",
    )


def unreadable(lease: str) -> KeyUnavailable:
    """Say that nobody can take back what cannot be read."""
    return KeyUnavailable(
        f"lease `{lease}` can no longer be read",
        code="lease-unreadable",
        remediation="restore the sealing keys, or revoke it at OpenBao",
    )
