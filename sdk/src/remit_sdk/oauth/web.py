# SPDX-License-Identifier: Apache-2.0
"""HTTP for an OAuth client: https (or this machine), bounded, without automatic redirects."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import aiohttp

from remit_sdk.connector import AgentConnector, Look
from remit_sdk.errors import AgentFault, GatewayUnreachable
from remit_sdk.retry_guard import once
from remit_sdk.wire import ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S, MAX_ANSWER_BYTES, is_loopback

Json = Any

FORM: Final = "application/x-www-form-urlencoded"


class HttpPage:
    """An answer that was read completely."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Keep status, headers and body."""
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> dict[str, Json]:
        """Return the body as a JSON object; empty if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class OAuthHttp:
    """A connection pool to all servers that discovery finds. Created and closed in one event loop."""

    def __init__(self, *, ca_file: str = "", look: Look | None = None) -> None:
        """Keep the certificate authorities to trust (by default the system's), and the check of each new
        connection.
        """
        self.http = aiohttp.ClientSession(
            connector=AgentConnector(ssl.create_default_context(cafile=ca_file or None), look),
            middlewares=(once,),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self.http.close()

    async def open(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        """Send one request and return its answer, with an unread body; the caller closes it."""
        try:
            return await self.http.request(
                method, checked_url(url), headers=headers, data=body, allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise GatewayUnreachable(f"{_origin(url)} is not reachable ({type(fault).__name__})") from None

    async def get(self, url: str) -> HttpPage:
        """Fetch a document."""
        return await self._whole("GET", url, {"Accept": "application/json"}, None)

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> HttpPage:
        """Send a form."""
        told = {"Accept": "application/json", "Content-Type": FORM, **headers}
        return await self._whole("POST", url, told, urlencode(form).encode())

    async def post_json(self, url: str, value: Json) -> HttpPage:
        """Send a JSON value."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        return await self._whole("POST", url, headers, json.dumps(value).encode())

    async def _whole(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> HttpPage:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = await self.open(method, url, headers=headers, body=body)
                async with answer:
                    out = bytearray()
                    async for chunk in answer.content.iter_any():
                        out += chunk
                        if len(out) > MAX_ANSWER_BYTES:
                            raise GatewayUnreachable(f"the answer of {_origin(url)} is too large")
                    return HttpPage(answer.status, answer.headers, bytes(out))
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise GatewayUnreachable(f"{_origin(url)} did not answer ({type(fault).__name__})") from None


def checked_url(url: str) -> str:
    """Return a URL to which secrets may be sent: https, or this machine; raise `AgentFault` for any other."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not safe or not parts.hostname or "@" in parts.netloc:
        raise AgentFault(
            f"`{url[:200]}` is not an address that may receive tokens", remediation="use `https:`"
        )
    return url


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
