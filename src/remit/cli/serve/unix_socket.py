# SPDX-License-Identifier: Apache-2.0
"""The same endpoints on a Unix socket, where the kernel identifies the process at the other end.

The socket serves what the port serves; in addition, the caller is known. Step 1 decides whether that proves
anything: `ports.attestor` grades it `asserted`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import uvicorn

from remit.api.spiffe.socket_path import MODES, bind
from remit.cli.serve.connections import BoundedConnection
from remit.core.errors import Unauthenticated
from remit.ports.peers import Peer, Peers

#: Connections of one user at once; a further one is closed, so that no user can take all of them.
MAX_CONNECTIONS_OF_USER = 256


class LocalConnection(BoundedConnection):
    """A connection over the Unix socket; its peer is identified once, when it begins."""

    peers: Peers
    users: Counter[int]
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


async def listen(server: uvicorn.Server, place: Path, peers: Peers, open_to: str = "user") -> None:
    """Serve on a Unix socket at `place` what `server` serves, until it stops.

    Raises `ConfigInvalid` if another file is there, or another process listens. Replaces a socket that a
    killed process left behind.
    """
    sock = await asyncio.to_thread(bind, place, MODES[open_to], "listen.socket")
    kind = type("ServedConnection", (LocalConnection,), {"peers": peers, "users": Counter()})

    def connection() -> Any:
        return kind(config=server.config, server_state=server.server_state, app_state={})

    server.servers.append(await asyncio.get_running_loop().create_unix_server(connection, sock=sock))
