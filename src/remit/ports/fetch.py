# SPDX-License-Identifier: Apache-2.0
"""Fetching of small public documents whose address comes from outside: key sets, metadata, bundles."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: names of `headers` are in lower case, and of several headers with one name the last is
    kept.
    """

    url: str
    status: int
    headers: dict[str, str] = {}
    body: bytes = b""

    @property
    def max_age_s(self) -> int | None:
        """How long the answer may be cached (RFC 9111 section 5.2.2); `None` where it does not state that."""
        for directive in self.headers.get("cache-control", "").lower().split(","):
            name, _, value = directive.strip().partition("=")
            if name in ("no-store", "no-cache"):
                return 0
            if name == "max-age" and value.strip('"').isdecimal():
                return min(int(value.strip('"')), 366 * 24 * 3600)
        return None


class Fetch(Protocol):
    """Sends GET requests for documents. Safe for many at once on one event loop; keeps nothing."""

    async def get(
        self, url: str, *, accept: str = "application/json", max_bytes: int = 262_144, timeout_s: float = 5.0
    ) -> Fetched:
        """Return the answer to one GET, whatever its status; raises `SourceUnavailable`.

        Only `https` (and `http` to this machine where the configuration permits it), and only to addresses
        that the configuration or their public nature permits, checked after resolution on the very address of
        the connection. Redirects are refused. `max_bytes` and `timeout_s` bound the whole request, name
        resolution included. No cookie, credential or proxy of the process is used.
        """
        ...
