# SPDX-License-Identifier: Apache-2.0
"""The process at the other end of a Unix socket, as the kernel reports it."""

from __future__ import annotations

from typing import Protocol

from remit.ports.attestor import ShownPeer


class Peer(Protocol):
    """The process that opened one connection.

    It is held by the kernel's handle on that very process, so that another process that gets the same number
    later is not confused with it.
    """

    @property
    def pid(self) -> int:
        """The process id at the time of the connection."""
        ...

    @property
    def uid(self) -> int:
        """The effective user id at the time of the connection."""
        ...

    async def shown(self) -> ShownPeer:
        """Return the process's evidence, with the SHA-256 of its executable, read now.

        Raises `Unauthenticated` where the process has ended, or where it cannot be determined
        (`peer-unknown`).
        """
        ...

    def close(self) -> None:
        """Release the process handle; call this when the connection is closed."""
        ...


class Peers(Protocol):
    """Inspects connected Unix sockets. Safe for many at once on one event loop."""

    def at(self, descriptor: int) -> Peer:
        """Return the process at the other end of a connected Unix socket.

        Raises `Unauthenticated` (`peer-unknown`) where the kernel does not report it.
        """
        ...
