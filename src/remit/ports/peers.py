# SPDX-License-Identifier: Apache-2.0
"""Who is at the other end of a Unix socket, as the kernel tells it."""

from __future__ import annotations

from typing import Protocol

from remit.ports.attestor import ShownPeer


class Peer(Protocol):
    """The process that opened one connection. Held by the kernel's handle on that very process, so another
    process that gets the same number later is not taken for it.
    """

    @property
    def pid(self) -> int:
        """Its process id, when it connected."""
        ...

    @property
    def uid(self) -> int:
        """Its effective user id, when it connected."""
        ...

    async def shown(self) -> ShownPeer:
        """Return what it shows, with the SHA-256 of its executable, read now; raises `Unauthenticated` where
        it has ended, or where it cannot be told (`peer-unknown`).
        """
        ...

    def close(self) -> None:
        """Let go of the process; to be called when the connection is closed."""
        ...


class Peers(Protocol):
    """Looks at connected Unix sockets. Safe for many at once on one event loop."""

    def at(self, descriptor: int) -> Peer:
        """Return the process at the other end of a connected Unix socket; raises `Unauthenticated`
        (`peer-unknown`) where the kernel does not tell.
        """
        ...
