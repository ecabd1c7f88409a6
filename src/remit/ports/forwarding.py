# SPDX-License-Identifier: Apache-2.0
"""Forwarding of a request to another replica, and of its answer as the answer arrives."""

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
    """The answer after its head has arrived; its body comes in pieces."""

    @property
    def status(self) -> int:
        """The answer's status."""
        ...

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The answer's headers."""
        ...

    def pieces(self) -> AsyncIterator[bytes]:
        """Return the body in pieces as it arrives."""
        ...


class Forwarder(Protocol):
    """Connections to other replicas. For one event loop.

    `ask` raises `UpstreamUnreachable`; with `sent` unset nothing has reached the other replica. Leaving the
    context before the end cuts the connection, which the other replica notices.
    """

    def ask(self, address: str, request: ForwardedRequest) -> AbstractAsyncContextManager[ForwardedAnswer]:
        """Send a request to the replica at an address, once."""
        ...

    async def close(self) -> None:
        """Cut all connections."""
        ...
