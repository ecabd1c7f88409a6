# SPDX-License-Identifier: Apache-2.0
"""HTTP for brokers: one request, one answer, both bounded; no redirects, no retries.

The addresses come from the configuration, so they may be anywhere. Plain `http` is only for this machine,
which the configuration checks.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import aiohttp
import msgspec
import orjson

from remit.core.errors import KeyUnavailable, NothingDone
from remit.core.json_value import Json

MAX_ANSWER_BYTES: Final = 256 * 1024
TIMEOUT_S: Final = 8.0
MAX_CONNECTIONS: Final = 16
#: The code for a source that did not answer, or answered that it cannot do so now.
SILENT: Final = "source-lost"


class BrokerResponse(msgspec.Struct, frozen=True):
    """An answer that was read completely; `challenge` is its `WWW-Authenticate` header."""

    status: int
    body: bytes = b""
    challenge: str = ""

    @property
    def object(self) -> dict[str, Json]:
        """The JSON object in the body; empty if there is none."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}


class _Broken(aiohttp.ClientConnectionError):
    """The connection broke before an answer arrived."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the client from repeating a request that may have been executed.

    A secret that was replaced would be lost.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as fault:
        raise _Broken from fault


class BrokerHttp:
    """A connection pool to one source.

    It belongs to one event loop and connects at the first request. `timeout_s` is the longest wait for a
    whole answer.
    """

    def __init__(self, name: str, *, tls: ssl.SSLContext | None = None, timeout_s: float = TIMEOUT_S) -> None:
        """Store the name of the source for error messages."""
        self.timeout_s = timeout_s
        self._name = name
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Json = None,
        content: bytes | None = None,
    ) -> BrokerResponse:
        """Send a request and return the answer whatever its status.

        Raises `KeyUnavailable` if no answer arrives, `NothingDone` if the request was not even sent.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=self._tls or True),
                middlewares=(_once,),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json"},
                trust_env=False,
            )
        given: dict[str, Json] = {"data": form} if form is not None else {}
        if json is not None:
            given = {"data": orjson.dumps(json)}
        if content is not None:
            given = {"data": content}
        try:
            async with self._session.request(
                # A redirect would carry the credential to another server.
                method,
                url,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.timeout_s),
                **given,
            ) as answer:
                body = b""
                while len(body) <= MAX_ANSWER_BYTES and (more := await answer.content.read(65_536)):
                    body += more
                status = answer.status
                challenge = ", ".join(answer.headers.getall("WWW-Authenticate", ()))
        except aiohttp.ClientConnectorError as fault:
            raise NothingDone(
                f"{self._name} does not answer",
                code=SILENT,
                remediation="check that it runs and is reachable from here",
                debug=type(fault).__name__,
            ) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as fault:
            raise KeyUnavailable(
                f"{self._name} does not answer",
                code=SILENT,
                remediation="check that it runs and is reachable from here",
                debug=type(fault).__name__,
            ) from None
        if len(body) > MAX_ANSWER_BYTES:
            raise KeyUnavailable(
                f"the answer of {self._name} is too large",
                code="source-refused",
                remediation="check its address",
            )
        return BrokerResponse(status, body, challenge)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()


def until_of(told: Json) -> datetime | None:
    """Return the time that a source names as the end of a credential; None where it names none."""
    try:
        until = datetime.fromisoformat(told)
    except (TypeError, ValueError):
        return None
    return until if until.tzinfo is not None else None
