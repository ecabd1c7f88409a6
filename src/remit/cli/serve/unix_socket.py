# SPDX-License-Identifier: Apache-2.0
"""The same endpoints on a Unix socket, where the kernel identifies the process at the other end.

The socket serves what the port serves; in addition, the caller is known. Step 1 decides whether that proves
anything: `ports.attestor` grades it `asserted`.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import uvicorn

from remit.api.spiffe.socket_path import MODES, bind
from remit.cli.serve.connections import BoundedConnection
from remit.core.errors import Unauthenticated
from remit.gateway.forwarding.routing import FROM_WORKER
from remit.ports.peers import Peer, Peers

#: Connections of one user at once; a further one is closed, so that no user can take all of them.
MAX_CONNECTIONS_OF_USER = 256


class LocalConnection(BoundedConnection):
    """A connection over the Unix socket; its peer is identified once, when it begins."""

    peers: Peers
    users: Counter[int]
    #: Its process was identified when it connected, and may have ended since.
    keepable = False
    _peer: Peer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Identify the process that connected; refuse to serve an unidentified one."""
        super().connection_made(transport)
        try:
            peer = self.peers.at(transport.get_extra_info("socket").fileno())
        except Unauthenticated:
            transport.abort()
            return
        self._peer = peer
        self.users[peer.uid] += 1
        if self.users[peer.uid] > MAX_CONNECTIONS_OF_USER:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the handles of the process."""
        if self._peer is not None:
            self.users[self._peer.uid] -= 1
            if not self.users[self._peer.uid]:
                del self.users[self._peer.uid]
            self._peer.close()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Pass the peer on to the endpoints."""
        super().on_message_begin()
        if self._peer is not None:
            # A `ports.peers.Peer`; `await peer.shown()` returns the evidence that an attestor judges.
            self.scope["remit.peer"] = self._peer  # type: ignore[typeddict-unknown-key]


async def listen(
    server: uvicorn.Server,
    place: Path,
    peers: Peers,
    open_to: str = "user",
    given: socket.socket | None = None,
) -> socket.socket:
    """Serve on a Unix socket at `place` what `server` serves, until it stops, and return the socket.

    `given` is the socket of the run before. Raises `ConfigInvalid` if another file is there, or another
    process listens. Replaces a socket that a killed process left behind.
    """
    sock = await asyncio.to_thread(_socket_at, place, MODES[open_to], given)
    kind = type("ServedConnection", (LocalConnection,), {"peers": peers, "users": Counter()})

    def connection() -> Any:
        return kind(config=server.config, server_state=server.server_state, app_state={})

    loop = asyncio.get_running_loop()
    # The path stays when this server closes: the next run may listen there with the same socket.
    more: Any = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
    server.servers.append(await loop.create_unix_server(connection, sock=sock, **more))

    return sock


class WorkerConnection(BoundedConnection):
    """A connection of another worker of this machine, which is only used for requests that it passes on."""

    keepable = False

    def on_message_begin(self) -> None:
        """Mark the request: without the header that only replicas write, it is refused."""
        super().on_message_begin()
        self.scope[FROM_WORKER] = True  # type: ignore[typeddict-unknown-key]


async def listen_for_workers(server: uvicorn.Server, place: Path) -> None:
    """Serve at `place` what other workers pass on, until `server` stops; raises like `listen`."""
    sock = await asyncio.to_thread(bind, place, MODES["user"], "listen")

    def connection() -> Any:
        return WorkerConnection(config=server.config, server_state=server.server_state, app_state={})

    server.servers.append(await asyncio.get_running_loop().create_unix_server(connection, sock=sock))


def _socket_at(place: Path, mode: int, given: socket.socket | None) -> socket.socket:
    """Return the socket of the run before if it is still the one at `place`, and otherwise another one."""
    if given is None:
        return bind(place, mode, "listen.socket")
    if given.getsockname() != str(place) or not place.is_socket():
        given.close()
        return bind(place, mode, "listen.socket")
    place.chmod(mode)
    given.setblocking(False)
    return given
