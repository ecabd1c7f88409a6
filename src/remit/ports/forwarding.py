# SPDX-License-Identifier: Apache-2.0
"""Passing a request on to another replica, and its answer back as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec


class ForwardedRequest(msgspec.Struct, frozen=True):
    """One request: `target` is its path with the query, as bytes."""

    method: str
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class ForwardedAnswer(Protocol):
    """The answer, whose head is there; its body comes in pieces."""

    @property
    def status(self) -> int:
        """Its status."""
        ...

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Its headers."""
        ...

    def pieces(self) -> AsyncIterator[bytes]:
        """Return its body as it comes."""
        ...


class Forwarder(Protocol):
    """Connections to other replicas. For one event loop.

    `ask` raises `UpstreamUnreachable`; with `sent` unset nothing has reached the other one. Whoever leaves
    the context before the end cuts the connection, which the other one notices.
    """

    def ask(self, address: str, request: ForwardedRequest) -> AbstractAsyncContextManager[ForwardedAnswer]:
        """Send a request to the replica at an address, once."""
        ...

    async def close(self) -> None:
        """Cut all connections."""
        ...
