# SPDX-License-Identifier: Apache-2.0
"""OpenBao and Vault for brokers: remit's authentication there, and single requests.

1. remit uses a token from the configuration, or logs in (AppRole, JWT, Kubernetes) and receives one.
2. When a token ends, OpenBao revokes what was obtained with it. So remit uses a login token for new
   credentials only in the first half of its life, and treats a credential as ending no later than the token
   that obtained it.
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

#: A longer life is treated as a mistake of the server, and cut to this.
MAX_LIFE: Final = timedelta(days=366)
#: This soon after a login, a refusal is not taken as a loss of the token: each login creates a token at
#: OpenBao.
AGAIN: Final = timedelta(seconds=30)
#: Status codes that mean "not now", besides 500 and above.
BUSY: Final = (412, 429)


class BaoLogin(msgspec.Struct, frozen=True):
    """A login: the path of the method, and a reader of the form that is sent at each login."""

    path: str
    form: Callable[[], Mapping[str, str]]


class BaoSource:
    """One OpenBao server, with remit's authentication. For one event loop."""

    def __init__(
        self,
        address: str,
        known_by: Callable[[], str] | BaoLogin,
        *,
        web: BrokerHttp,
        clock: Clock,
        namespace: str = "",
    ) -> None:
        """Store the address, and the reader of remit's token or the way to log in."""
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
        """Return when a credential obtained just now ends, given its life in seconds."""
        ends = [self._until] if self._until is not None else []
        if type(life) is int and life > 0:
            ends.append(self.clock.now() + min(timedelta(seconds=min(life, 2**31)), MAX_LIFE))
        return min(ends, default=None)

    async def ask(self, method: str, path: str, body: Json = None) -> BrokerResponse:
        """Send a request as remit, and return the answer whatever its status.

        Raises `KeyUnavailable` if no answer arrives, or the login fails.
        """
        if not isinstance(self._known_by, BaoLogin):
            return await self.ask_as(self._known_by(), method, path, body)
        answer = await self.ask_as(await self._entered(self._known_by), method, path, body)
        if answer.status == 403 and self._begun is not None and self.clock.now() - self._begun > AGAIN:
            # The token may have been revoked. The request was refused, so it is sent again.
            self._token = ""
            answer = await self.ask_as(await self._entered(self._known_by), method, path, body)
        return answer

    async def ask_as(self, token: str, method: str, path: str, body: Json = None) -> BrokerResponse:
        """Send a request with `token`; with an empty one, unauthenticated."""
        headers = {"X-Vault-Request": "true"}
        if token:
            headers["X-Vault-Token"] = token
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        return await self._web.ask(method, f"{self._address}/v1/{path}", headers=headers, json=body)

    async def ask_for(self, path: str, content: bytes, kind: str) -> BrokerResponse:
        """Send an unauthenticated request whose body is not JSON."""
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
    """Return the error for a failed request, temporary or not, by the status of OpenBao's answer."""
    if status < 500 and status not in BUSY:
        return bao_refused(path, f"status {status}")
    return KeyUnavailable(
        f"OpenBao cannot serve `{path}` now: status {status}",
        code=SILENT,
        remediation="check whether it is sealed, a lagging standby, or overloaded",
    )


def bao_refused(path: str, why: str) -> KeyUnavailable:
    """Return the error for a request that OpenBao refuses."""
    return KeyUnavailable(
        f"OpenBao refuses `{path}`: {why}",
        code="source-refused",
        remediation="check the policy of remit's token, the path and OpenBao's audit log",
    )


def unreadable(lease: str) -> KeyUnavailable:
    """Return the error for a lease that cannot be revoked because its record can no longer be read."""
    return KeyUnavailable(
        f"lease `{lease}` can no longer be read",
        code="lease-unreadable",
        remediation="restore the sealing keys, or revoke it at OpenBao",
    )
