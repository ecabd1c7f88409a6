# SPDX-License-Identifier: Apache-2.0
"""The same endpoints on a Unix socket, where the kernel says which process is at the other end.

What is served is what the port serves; only who asks can be told. Whether that counts for anything is decided
in step 1: `ports.attestor` grades it `asserted`.
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

#: Connections of one user at once; one more is closed, so that no user can take all that there are.
MAX_CONNECTIONS_OF_USER = 256


class LocalConnection(BoundedConnection):
    """A connection over the Unix socket; its peer is found out once, when it begins."""

    peers: Peers
    users: Counter[int]
    _peer: Peer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Find out who connected; one who cannot be told is not served."""
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
        """Let go of the process."""
        if self._peer is not None:
            self.users[self._peer.uid] -= 1
            if not self.users[self._peer.uid]:
                del self.users[self._peer.uid]
            self._peer.close()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Tell the endpoints whose request this is."""
        super().on_message_begin()
        if self._peer is not None:
            # A `ports.peers.Peer`; `await peer.shown()` gives what an attestor judges.
            self.scope["remit.peer"] = self._peer  # type: ignore[typeddict-unknown-key]


async def listen(server: uvicorn.Server, place: Path, peers: Peers, open_to: str = "user") -> None:
    """Serve on a Unix socket at `place` what `server` serves, until it stops.

    Raises `ConfigInvalid` where something else is there, or somebody else listens. What is left behind
    by a process that was killed is replaced.
    """
    sock = await asyncio.to_thread(bind, place, MODES[open_to], "listen.socket")
    kind = type("ServedConnection", (LocalConnection,), {"peers": peers, "users": Counter()})

    def connection() -> Any:
        return kind(config=server.config, server_state=server.server_state, app_state={})

    server.servers.append(await asyncio.get_running_loop().create_unix_server(connection, sock=sock))
