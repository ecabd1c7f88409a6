# SPDX-License-Identifier: Apache-2.0
"""Fetches documents with a guard against server-side request forgery.

The name is resolved once, here. Each address found is checked, and the connection goes to these addresses
only, so that the name cannot resolve differently in between. Redirects are refused, not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from remit.core.errors import ConfigInvalid, SourceUnavailable
from remit.ports.fetch import Fetched

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL: Final = 2048
#: Most fetches at once. Further ones wait, and the wait counts towards their timeout.
AT_ONCE: Final = 32
#: Most addresses of one name that are considered.
MAX_ADDRESSES: Final = 16
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
#: RFC 4291 section 2.4 and IANA: all global unicast addresses of IPv6 assigned so far.
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
#: Never contacted: the addresses of cloud metadata and credentials besides the link-local ones (AWS and
#: Google over IPv6, Alibaba, Oracle in 192.0.0.0/24, and Azure, whose address is a public one), and IANA's
#: reserved networks that some versions of Python do not know.
_NEVER: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "3fff::/20",
    )
)
_PLAIN: Final = ("", "identity")


class GuardedFetch:
    """`ports.fetch.Fetch` and `ports.delivery.Deliver` over aiohttp.

    `private` also permits addresses of private networks (a cluster's own API server), `plain_loopback` also
    `http` to this machine (development). Neither ever permits the addresses of cloud metadata, link-local or
    not. `ca_file` holds the certificate authorities that replace the system's, `context` returns the complete
    TLS context for one request; `headers` returns additional headers for each request.
    """

    def __init__(
        self,
        *,
        private: bool = False,
        plain_loopback: bool = False,
        ca_file: Path | None = None,
        context: Callable[[], Awaitable[ssl.SSLContext]] | None = None,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Read the certificate authorities; raise `ConfigInvalid`."""
        self._private = private
        self._plain_loopback = plain_loopback
        self._headers = headers
        self._context = context
        try:
            self._tls = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError):
            raise ConfigInvalid(
                f"the certificate authorities in `{ca_file}` cannot be read", remediation="give a PEM file"
            ) from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._free = asyncio.Semaphore(AT_ONCE)
        # Resolving blocks a thread: this fetcher has separate threads, so that slow names delay nothing else.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="resolve")

    async def get(
        self, url: str, *, accept: str = "application/json", max_bytes: int = 262_144, timeout_s: float = 5.0
    ) -> Fetched:
        """Return the answer to one GET, whatever its status; raise `SourceUnavailable`."""
        return await self._within(timeout_s, "GET", url, {"Accept": accept}, None, max_bytes)

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        media: str,
        headers: Mapping[str, str] | None = None,
        accept: str = "application/json",
        max_bytes: int = 262_144,
        timeout_s: float = 10.0,
    ) -> Fetched:
        """Return the answer to one POST, whatever its status; raise `SourceUnavailable`."""
        given = {**(headers or {}), "Accept": accept, "Content-Type": media}
        return await self._within(timeout_s, "POST", url, given, body, max_bytes)

    async def _within(
        self,
        timeout_s: float,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        max_bytes: int,
    ) -> Fetched:
        try:
            async with asyncio.timeout(timeout_s), self._free:
                return await self._ask(method, url, headers, body, max_bytes)
        except TimeoutError:
            raise _failed(url, "did not answer in time", "fetch-timeout") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise _failed(url, "could not be fetched", "fetch-failed", debug=_why(fault)) from None

    async def _ask(
        self, method: str, url: str, given: Mapping[str, str], body: bytes | None, max_bytes: int
    ) -> Fetched:
        parts = self._checked(url)
        addresses = await self._resolve(url, parts)
        tls = await self._context() if self._context else self._tls
        connector = aiohttp.TCPConnector(
            resolver=_Pinned(addresses), use_dns_cache=False, ssl=tls, force_close=True
        )
        headers = {**self._headers(), **given, "Accept-Encoding": "identity"}
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as session,
            session.request(method, url, headers=headers, data=body, allow_redirects=False) as response,
        ):
            if 300 <= response.status < 400:
                raise _failed(url, "redirects elsewhere", "fetch-redirected", "give the final address")
            if response.headers.get("Content-Encoding", "").lower() not in _PLAIN:
                raise _failed(url, "answers with a content coding that was not requested", "fetch-failed")
            return Fetched(
                url=url,
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=await _read(response, url, max_bytes),
            )

    def _checked(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise _forbidden(url, "is not an address") from None
        if not host or len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise _forbidden(url, "is not an address")
        if "@" in parts.netloc or "#" in url or "\\" in url:
            raise _forbidden(url, "has parts that a document address must not have")
        if parts.scheme != "https" and not (parts.scheme == "http" and self._plain_loopback):
            raise _forbidden(url, "is not an https address")
        return parts

    async def _resolve(self, url: str, parts: SplitResult) -> list[tuple[socket.AddressFamily, str, int]]:
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError) as fault:
            raise _failed(url, "has no known address", "fetch-failed", debug=_why(fault)) from None
        addresses: list[tuple[socket.AddressFamily, str, int]] = [
            (family, str(where[0]), port) for family, _, _, _, where in found[:MAX_ADDRESSES]
        ]
        for _, address, _ in addresses:
            # INVARIANT: one address that is not permitted refuses the name, whatever its other addresses are.
            if not self._permitted(address, parts.scheme):
                raise _forbidden(url, "is at a forbidden address")
        return addresses

    def _permitted(self, text: str, scheme: str) -> bool:
        try:
            address = _meant(ipaddress.ip_address(text))
        except ValueError:
            return False
        if address.is_loopback:
            return self._plain_loopback or (self._private and scheme == "https")
        if scheme != "https" or address.is_multicast or address.is_unspecified or address.is_link_local:
            return False
        if any(address in one for one in _NEVER):
            return False
        if address.is_global and (address.version == 4 or address in _UNICAST):
            return True
        return self._private and address.is_private and not address.is_reserved


def _meant(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 address, or the address unchanged (RFC 4291, 3056, 4380,
    6052).
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ValueError("an address with a scope")
        if address in _NAT64:
            return ipaddress.IPv4Address(address.packed[-4:])
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return inner
        if address.packed[:12] == bytes(12) and not address.is_loopback and not address.is_unspecified:
            return ipaddress.IPv4Address(address.packed[-4:])  # IPv4-compatible, deprecated
    return address


class _Pinned(AbstractResolver):
    """A resolver that returns the checked addresses for every name."""

    def __init__(self, addresses: list[tuple[socket.AddressFamily, str, int]]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the checked addresses in aiohttp's form."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=number,
                family=kind,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, address, number in self._addresses
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""


async def _read(response: aiohttp.ClientResponse, url: str, max_bytes: int) -> bytes:
    too_large = _failed(url, f"has more than {max_bytes} bytes", "fetch-too-large")
    if (response.content_length or 0) > max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)


def _why(fault: Exception) -> str:
    """Describe a fault without secrets.

    System messages about an address or TLS hold no secret; a message about a request or answer may repeat all
    of it, including our own headers.
    """
    return repr(fault) if isinstance(fault, OSError) else type(fault).__name__


def _failed(url: str, what: str, code: str, remediation: str = "", debug: str = "") -> SourceUnavailable:
    return SourceUnavailable(f"`{url[:200]}` {what}", code=code, remediation=remediation, debug=debug)


def _forbidden(url: str, what: str) -> SourceUnavailable:
    return _failed(url, what, "fetch-forbidden", "give a public https address")
