# SPDX-License-Identifier: Apache-2.0
"""The gateway on the agent's side: one origin, verified TLS, no redirects, no proxies, no cookies."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from yarl import URL

from remit_sdk.connector import AgentConnector, Look
from remit_sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit_sdk.errors import AgentFault, GatewayRefused, GatewayUnreachable
from remit_sdk.retry_guard import once

Json = Any

CONNECT_TIMEOUT_S: Final = 10
ANSWER_TIMEOUT_S: Final = 30
MAX_ANSWER_BYTES: Final = 1024 * 1024
#: Names the task of a request, for a load balancer before several replicas. It is a hint and grants nothing.
TASK_HEADER: Final = "Remit-Task"
#: Maximum number of bytes of an answer to buffer before its sender must wait.
READ_AHEAD_BYTES: Final = 64 * 1024


class Gateway:
    """A connection pool to one gateway. Created and closed in one event loop."""

    def __init__(
        self, base_url: str, *, ca_file: str = "", public_url: str = "", look: Look | None = None
    ) -> None:
        """Keep the gateway's URL; plain `http:` is permitted only for the local machine.

        `ca_file` names the certificate authorities to trust instead of the system's. `public_url` is the
        gateway's own URL, if it differs. `look` checks each connection before it is used.
        """
        self.base_url = checked_base(base_url)
        self.public_url = (public_url or self.base_url).rstrip("/")
        tls: ssl.SSLContext | bool = True
        if self.base_url.startswith("https:"):
            tls = ssl.create_default_context(cafile=ca_file or None)
        self._http = aiohttp.ClientSession(
            connector=AgentConnector(tls, look),
            middlewares=(once,),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            auto_decompress=False,
            # Proxies and passwords of the environment are ignored: tokens are sent only to the gateway.
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            read_bufsize=READ_AHEAD_BYTES,
        )

    def resource(self, upstream: str, endpoint: str = "mcp") -> str:
        """Return the gateway's resource of one upstream at an endpoint (RFC 8707); without a name, of all
        upstreams.
        """
        return f"{self.public_url}/{endpoint}" + (f"/{segment(upstream)}" if upstream else "")

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        """Send one request and return its answer, with an unread body. The caller closes it.

        No request is sent twice and no redirect is followed. Raise `GatewayUnreachable`.
        """
        try:
            return await self._http.request(
                method,
                # Unchanged: normalization could produce another URL than the signed one.
                URL(self.base_url + path, encoded=True),
                headers={**headers, "Accept-Encoding": "identity", "User-Agent": "remit-agent"},
                data=body,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise self.unreachable(fault) from None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        bearer: str = "",
        body: Json = None,
        form: Mapping[str, str] | None = None,
        prover: DpopProver | None = None,
        task: str = "",
    ) -> Json:
        """Send a request to a management endpoint, and return its JSON answer (None for an empty one).

        With a prover the request carries a DPoP proof: a requested token is bound to its key, and `bearer` is
        such a token. `task` is the task that the request concerns, if any.

        Raise `GatewayRefused` for any status other than 2xx, `GatewayUnreachable` if there is no usable
        answer.
        """
        headers = {"Accept": "application/json, application/problem+json"}
        data: bytes | None = None
        if task:
            headers[TASK_HEADER] = task
        if bearer:
            headers["Authorization"] = f"{'DPoP' if prover is not None else 'Bearer'} {bearer}"
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            data = urlencode(form).encode()
        elif body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False).encode()
        # RFC 9449 section 4.2: without query.
        url = self.public_url + path.partition("?")[0]
        for tries_left in reversed(range(PROOF_TRIES if prover is not None else 1)):
            if prover is not None:
                headers[HEADER] = prover.proof(method, url, bearer)
            status, told, answer = await self._whole(method, path, headers, data)
            if prover is not None:
                prover.learn(url, told)
                if tries_left and prover.again(url, status, told, _error_of(status, answer)):
                    continue
            return self._read(status, answer)
        raise AssertionError("the loop returns or raises")

    async def _whole(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                response = await self.exchange(method, path, headers=headers, body=body)
                async with response:
                    return response.status, response.headers, await _bounded(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise self.unreachable(fault) from None

    def _read(self, status: int, answer: bytes) -> Json:
        try:
            value = json.loads(answer) if answer else None
        except ValueError:
            value = None
            if 200 <= status < 300:
                raise GatewayUnreachable(
                    f"the server at {self.base_url} is not a remit gateway", remediation="check the address"
                ) from None
        if 200 <= status < 300:
            return value
        told: dict[str, Json] = value if isinstance(value, dict) else {}
        message = str(told.get("detail") or told.get("error_description") or f"the gateway answered {status}")
        code = str(told.get("code") or told.get("error") or "")
        raise GatewayRefused(
            message[:600], status=status, code=code, remediation=str(told.get("remediation") or "")
        )

    def unreachable(self, fault: BaseException) -> GatewayUnreachable:
        """Return a transport error as a `GatewayUnreachable`."""
        what = (
            "the certificate is invalid" if isinstance(fault, ssl.SSLError | aiohttp.ClientSSLError) else ""
        )
        what = what or ("it did not answer in time" if isinstance(fault, TimeoutError) else "no connection")
        return GatewayUnreachable(
            f"the gateway at {self.base_url} is not reachable ({what})",
            remediation="start it with `remit up`",
        )


def _error_of(status: int, answer: bytes) -> str:
    """Return the OAuth error of an answer (RFC 6749 section 5.2); empty if it has none."""
    try:
        told = json.loads(answer) if status in (400, 401) else None
    except ValueError:
        return ""
    return str(told.get("error", "")) if isinstance(told, dict) else ""


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    out = bytearray()
    async for chunk in response.content.iter_any():
        out += chunk
        if len(out) > MAX_ANSWER_BYTES:
            raise GatewayUnreachable("the gateway's answer is too large", remediation="check the address")
    return bytes(out)


def checked_base(base_url: str) -> str:
    """Return a gateway's URL in normalized form; raise `AgentFault` for an unsafe one."""
    base = base_url.rstrip("/")
    try:
        parts = urlsplit(base)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise AgentFault(f"`{base_url[:200]}` is not a gateway address", remediation="write `https://host`")
    if "@" in parts.netloc:
        raise AgentFault("the gateway's address contains a name or password", remediation="remove it")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise AgentFault(
            f"`{base}` would send tokens in the clear",
            remediation="use `https:` for a gateway on another machine",
        )
    return base


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: `localhost`, or an address of the loopback interface."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def segment(text: str) -> str:
    """Return a text as one path segment."""
    return quote(text, safe="")
