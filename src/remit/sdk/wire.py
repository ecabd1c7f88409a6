# SPDX-License-Identifier: Apache-2.0
"""The gateway as an agent reaches it: one origin, TLS verified, no redirects, no proxies, no cookies."""

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

from remit.sdk.connector import AgentConnector, Look
from remit.sdk.dpop import HEADER, PROOF_TRIES, DpopProver
from remit.sdk.errors import AgentFault, GatewayRefused, GatewayUnreachable
from remit.sdk.retry_guard import once

Json = Any

CONNECT_TIMEOUT_S: Final = 10
ANSWER_TIMEOUT_S: Final = 30
MAX_ANSWER_BYTES: Final = 1024 * 1024
#: Names the task of a request, for whatever stands before several replicas. It is a hint and gives nothing.
TASK_HEADER: Final = "Remit-Task"
#: How much of an answer is held before its sender is made to wait.
READ_AHEAD_BYTES: Final = 64 * 1024


class Gateway:
    """A connection pool to one gateway. Made and closed inside one event loop."""

    def __init__(
        self, base_url: str, *, ca_file: str = "", public_url: str = "", look: Look | None = None
    ) -> None:
        """Take the gateway's address; plain `http:` is for the local machine alone.

        `ca_file` names the certificate authorities to trust instead of the system's; `public_url` is what the
        gateway calls itself, if not its address. `look` looks at each connection before it is used.
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
            # Proxies and passwords of the environment are not ours to use: tokens go to the gateway alone.
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            read_bufsize=READ_AHEAD_BYTES,
        )

    def resource(self, upstream: str, door: str = "mcp") -> str:
        """Return the gateway's resource of one upstream at a door (RFC 8707); without a name, of all."""
        return f"{self.public_url}/{door}" + (f"/{segment(upstream)}" if upstream else "")

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        """Send one request and give its answer, with the body still to be read. The caller closes it.

        Nothing is sent twice and no redirect is followed. Raises `GatewayUnreachable`.
        """
        try:
            return await self._http.request(
                method,
                # As it is: an address that is written again can be another one than was signed.
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
        """Ask a management endpoint, and give its JSON answer (None for an empty one).

        With a prover it carries a DPoP proof: a token that is asked for is bound to its key, and `bearer` is
        one that is. `task` is the task that it is about, if it is about one.

        Raises `GatewayRefused` for any other status than 2xx, `GatewayUnreachable` for no usable answer.
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
        url = self.public_url + path
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
        """Return a transport's fault as ours."""
        what = (
            "the certificate is invalid" if isinstance(fault, ssl.SSLError | aiohttp.ClientSSLError) else ""
        )
        what = what or ("it did not answer in time" if isinstance(fault, TimeoutError) else "no connection")
        return GatewayUnreachable(
            f"the gateway at {self.base_url} is not reachable ({what})",
            remediation="start it with `remit up`",
        )


def _error_of(status: int, answer: bytes) -> str:
    """Return the OAuth error of an answer (RFC 6749 section 5.2), empty where it has none."""
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
    """Return a gateway's address in the form that is used; raises `AgentFault` for one that is not safe."""
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
    """Whether a host is this machine: `localhost`, or an address of the loopback interface."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")
