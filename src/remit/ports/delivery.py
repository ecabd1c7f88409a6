# SPDX-License-Identifier: Apache-2.0
"""Sending of data to an address that the configuration or its owner has named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from remit.ports.fetch import Fetched


class Deliver(Protocol):
    """Sends POST requests. Safe for many at once on one event loop; keeps nothing."""

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
        """Return the answer to one POST, whatever its status; raises `SourceUnavailable`.

        Under the same guard as `Fetch.get`. Nothing is sent twice: a lost answer stays lost.
        """
        ...
