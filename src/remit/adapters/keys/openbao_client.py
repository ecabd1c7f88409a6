# SPDX-License-Identifier: Apache-2.0
"""A client of OpenBao with bounded requests and answers.

During an outage each call raises `KeyUnavailable` at once.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

import aiohttp
import orjson

from remit.core.errors import KeyUnavailable
from remit.core.json_value import Json
from remit.ports.runtime import Clock

#: Longest wait for an answer. A transit operation takes a few milliseconds.
TIMEOUT_S = 3.0
#: Seconds after a failure in which every call is refused before one tries again, so that no calls queue up
#: during an outage.
PAUSE_S = 1.0
MAX_ANSWER_BYTES = 256 * 1024
MAX_CONNECTIONS = 16


class Bao:
    """A client of one OpenBao server, authenticated by `token`; for one event loop.

    `token` is called for each request, so that an agent may replace the token in its file.
    """

    def __init__(
        self,
        address: str,
        token: Callable[[], str],
        clock: Clock,
        *,
        namespace: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take the address; the first request connects."""
        self._address = address.rstrip("/")
        self._token = token
        self._clock = clock
        self._namespace = namespace
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._down_until = float("-inf")
        #: Number of requests sent, for statistics.
        self.asked = 0

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def read(self, path: str) -> dict[str, Json] | None:
        """Return the data at a path, or `None` if there is none; raise `KeyUnavailable`."""
        return await self._ask("GET", path, None)

    async def write(self, path: str, **body: Json) -> dict[str, Json]:
        """Send a write and return the data of the answer; raise `KeyUnavailable`."""
        found = await self._ask("POST", path, body)
        if found is None:
            raise self._refused(path, "the key or path does not exist")
        return found

    async def renew(self) -> None:
        """Renew the token if it is renewable."""
        found = await self.read("auth/token/lookup-self") or {}
        if found.get("renewable"):
            await self.write("auth/token/renew-self")

    async def _ask(self, method: str, path: str, body: Json) -> dict[str, Json] | None:
        if self._clock.boot_s() < self._down_until:
            raise self._lost("it did not answer a moment ago")
        headers = {"X-Vault-Token": self._token(), "X-Vault-Request": "true"}
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        self.asked += 1
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=self._tls or True),
            )
        try:
            async with self._session.request(
                method,
                f"{self._address}/v1/{path}",
                data=orjson.dumps(body) if body is not None else None,
                headers=headers,
                # A redirect would send the token elsewhere.
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as response:
                content = await response.content.read(MAX_ANSWER_BYTES + 1)
                while len(content) <= MAX_ANSWER_BYTES and not response.content.at_eof():
                    content += await response.content.read(MAX_ANSWER_BYTES + 1)
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError) as fault:
            self._down_until = self._clock.boot_s() + PAUSE_S
            raise self._lost(type(fault).__name__) from fault
        return self._read(path, status, content)

    def _read(self, path: str, status: int, content: bytes) -> dict[str, Json] | None:
        if status == 404:
            return None
        if status == 204 or (status == 200 and not content):
            return {}
        if status in (502, 503, 504, 472, 473):
            # Sealed, standby or absent: further requests within the pause fail at once.
            self._down_until = self._clock.boot_s() + PAUSE_S
        if status != 200:
            raise self._refused(path, f"status {status}", content[:500].decode("utf-8", "replace"))
        try:
            found = orjson.loads(content) if len(content) <= MAX_ANSWER_BYTES else None
        except orjson.JSONDecodeError:
            found = None
        data = found.get("data") if isinstance(found, dict) else None
        if data is None and isinstance(found, dict) and "auth" in found:
            data = {}
        if not isinstance(data, dict):
            raise self._refused(path, "its answer cannot be read")
        return data

    def _lost(self, debug: str) -> KeyUnavailable:
        return KeyUnavailable(
            f"OpenBao at `{self._address}` does not answer",
            code="key-store-lost",
            remediation="check that it runs, is unsealed and is reachable from here",
            debug=debug,
        )

    def _refused(self, path: str, why: str, debug: str = "") -> KeyUnavailable:
        return KeyUnavailable(
            f"OpenBao refuses `{path}`: {why}",
            code="key-store-refused",
            remediation="check the policy of remit's token and OpenBao's audit log",
            debug=debug,
        )
