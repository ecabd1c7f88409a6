# SPDX-License-Identifier: Apache-2.0
"""The address of an upstream, and the limits of its connections."""

import re
from dataclasses import dataclass, fields
from typing import Literal
from urllib.parse import urlsplit

from remit.core.errors import ConfigInvalid

_DEFAULT_PORTS = {"http": 80, "https": 443}
# `urlsplit` silently drops tabs and line breaks, so they are refused first.
_URL = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port (RFC 6454). `host` is in lower case, an IPv6 address without brackets."""

    scheme: Literal["http", "https"]
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> "Origin":
        """Return the origin of a base URL; raises `ConfigInvalid`."""
        return split_base_url(url)[0]

    @property
    def authority(self) -> str:
        """The `host` header's value: with the port unless it is the scheme's default (RFC 9110 section
        7.2).
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def split_base_url(url: str, *, query: bool = False) -> tuple[Origin, bytes]:
    """Split a base URL into its origin and its path, which is `/` when empty; raises `ConfigInvalid`.

    Only `http` and `https`. User information, fragments and, without `query`, queries are refused: they do
    not belong in a base URL. With `query`, it is the end of the path.
    """
    if not _URL.fullmatch(url):
        raise _unusable(
            url, "has a character that a URL cannot have", "percent-encode it; write the host in punycode"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _unusable(url, "cannot be parsed", "write it as `https://host:port/path`") from error
    scheme = parts.scheme
    if scheme not in ("http", "https"):
        raise _unusable(url, "is neither http nor https", "use `http://` or `https://`")
    if "@" in parts.netloc:
        # The URL may contain a password here, so the error does not repeat it.
        raise ConfigInvalid(
            "a base URL contains user information",
            remediation="move the credential to the upstream's credential section",
        )
    if "#" in url or ("?" in url and not query):
        raise _unusable(url, "has a query or a fragment", "end it after the path")
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or port == 0:
        raise _unusable(url, "has no usable host or port", "write it as `https://host:port/path`")
    scheme_ok: Literal["http", "https"] = "https" if scheme == "https" else "http"
    return Origin(scheme_ok, host, port or _DEFAULT_PORTS[scheme]), _target(parts.path, parts.query)


def _target(path: str, query: str) -> bytes:
    return f"{path or '/'}{f'?{query}' if query else ''}".encode("ascii")


def _unusable(url: str, what: str, remediation: str) -> ConfigInvalid:
    return ConfigInvalid(f"the base URL `{ascii(url)[1:-1]}` {what}", remediation=remediation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on the size and duration of exchanges with an upstream.

    Sizes are in bytes per response, times in seconds. `connect_timeout_s` bounds the whole of `Pool.acquire`
    (the wait for a free connection, name resolution, TCP and TLS). `header_timeout_s` runs from the write to
    the end of the response's head. `idle_timeout_s` is the longest silence within a body while it is being
    read. `max_idle_s` is how long an unused connection is kept.
    """

    max_header_bytes: int = 64 * 1024
    max_header_count: int = 256
    max_body_bytes: int = 64 * 1024 * 1024
    max_informational: int = 8
    connect_timeout_s: float = 10.0
    header_timeout_s: float = 60.0
    idle_timeout_s: float = 60.0
    max_connections: int = 64
    max_idle_s: float = 15.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ConfigInvalid(
                    f"the limit is `{getattr(self, field.name)}`",
                    key=field.name,
                    remediation="give it a value above zero",
                )
