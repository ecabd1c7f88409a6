# SPDX-License-Identifier: Apache-2.0
"""Fetching from addresses in the configuration. The fetcher is made at the first fetch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from remit.adapters.attestor.bundles import Context
from remit.ports.fetch import Fetched

if TYPE_CHECKING:
    from remit.adapters.fetch.ssrf_guard import GuardedFetch


class Fetching(TypedDict, total=False):
    """The arguments of `GuardedFetch`."""

    private: bool
    plain_loopback: bool
    ca_file: Path | None
    headers: Callable[[], Mapping[str, str]]
    context: Context | None


class LazyFetch:
    """`ports.fetch.Fetch` and `ports.delivery.Deliver`: a `GuardedFetch` that is made at the first fetch."""

    def __init__(self, **told: Unpack[Fetching]) -> None:
        """Keep the arguments of the fetcher."""
        self._told = told

    @cached_property
    def fetch(self) -> GuardedFetch:
        """The fetcher itself; raises `ConfigInvalid`."""
        from remit.adapters.fetch.ssrf_guard import GuardedFetch

        return GuardedFetch(**self._told)

    async def get(
        self, url: str, *, accept: str = "application/json", max_bytes: int = 262_144, timeout_s: float = 5.0
    ) -> Fetched:
        """Return the answer to one GET, whatever its status; raise `SourceUnavailable`."""
        return await self.fetch.get(url, accept=accept, max_bytes=max_bytes, timeout_s=timeout_s)

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
        return await self.fetch.post(
            url, body, media=media, headers=headers, accept=accept, max_bytes=max_bytes, timeout_s=timeout_s
        )


def guarded_fetch(**told: Unpack[Fetching]) -> LazyFetch | GuardedFetch:
    """Return the fetcher, which also delivers; raises `ConfigInvalid` if certificate authorities are
    unreadable.
    """
    late = LazyFetch(**told)
    if told.get("ca_file") is not None:
        return late.fetch
    return late
