# SPDX-License-Identifier: Apache-2.0
"""The Unix socket of the Workload API, with limits on peers, connections and request sizes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from pathlib import Path
from typing import Final, cast

from grpclib.config import Configuration
from grpclib.encoding.proto import ProtoCodec
from grpclib.protocol import H2Protocol
from grpclib.server import Server

from remit.api.spiffe.socket_path import MODES, bind
from remit.api.spiffe.workload_api import WorkloadApi
from remit.core.errors import Unauthenticated
from remit.ports.peers import Peer, Peers
from remit.services.identity.svid_issuing import SvidIssuing
from remit.services.limits.rate_limit import RateLimit

log = logging.getLogger("remit.workload")

#: Maximum number of connections in total, and of one user; a further connection is closed.
MAX_CONNECTIONS: Final = 512
MAX_CONNECTIONS_OF_USER: Final = 128
#: Maximum number of requests of one user in a minute, over all its connections; a further request is asked to
#: retry.
REQUESTS_OF_USER: Final = 1_200
#: Maximum size of one request; the largest content is a token to validate.
MAX_REQUEST_BYTES: Final = 64 * 1024
#: Maximum excess of failed over successful requests on one connection, before it is closed.
MAX_BROKEN: Final = 100

_WINDOW: Final = 2**16 - 1


class _Connected(Server):
    """The gRPC layer of one connection."""

    def protocol(self) -> H2Protocol:
        """Return the HTTP/2 protocol of the connection."""
        return self._protocol_factory()


class WorkloadEndpoint:
    """Serves the Workload API on a Unix socket until it is closed. Runs on one event loop."""

    def __init__(self, issuing: SvidIssuing, peers: Peers) -> None:
        """Keep the issuing authority, and the service that identifies peers of sockets."""
        self._issuing = issuing
        self._peers = peers
        self._pace = RateLimit(REQUESTS_OF_USER, 60.0)
        self._server: asyncio.AbstractServer | None = None
        self._place: Path | None = None
        self.connections: set[_Connection] = set()

    async def open(self, place: Path, open_to: str = "user") -> None:
        """Listen at `place`; replace a socket on which no process listens.

        Raise `ConfigInvalid` if something else is at `place`, or another process listens there.
        """
        sock = await asyncio.to_thread(bind, place, MODES[open_to])
        self._place = place
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Connection(self), sock=sock)

    async def close(self) -> None:
        """Stop listening, close all connections, and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)
        self._server = None
        if self._place is not None:
            with contextlib.suppress(OSError):
                self._place.unlink()

    def admit(self, connection: _Connection, descriptor: int) -> H2Protocol:
        """Return the protocol for a new connection; raise `Unauthenticated` for a refused one."""
        peer = self._peers.at(descriptor)
        connection.peer = peer
        users = Counter(one.peer.uid for one in self.connections if one.peer is not None)
        if len(self.connections) >= MAX_CONNECTIONS or users[peer.uid] >= MAX_CONNECTIONS_OF_USER:
            raise Unauthenticated("too many connections", code="busy", remediation="close some of them")
        self.connections.add(connection)
        config = Configuration(http2_connection_window_size=_WINDOW * 4, http2_stream_window_size=_WINDOW)
        servant = WorkloadApi(self._issuing, peer, self._pace)
        # Without the optional codec for status details, which would depend on other installed packages.
        return _Connected([servant], codec=ProtoCodec(), config=config).protocol()


class _Connection(asyncio.Protocol):
    """One connection and its limits. The peer is identified once, when the connection begins."""

    def __init__(self, endpoint: WorkloadEndpoint) -> None:
        self._endpoint = endpoint
        self._transport: asyncio.Transport | None = None
        self._inner: H2Protocol | None = None
        self.peer: Peer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every event loop derives its transports from asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        try:
            self._inner = self._endpoint.admit(self, transport.get_extra_info("socket").fileno())
        except Unauthenticated as fault:
            log.warning("a connection to the workload API was refused: %s", fault)
            self._transport.abort()
            return
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        inner = self._inner
        if inner is None:
            return
        try:
            inner.data_received(data)
            streams = inner.processor.streams.values()
            too_large = any(one.data_received > MAX_REQUEST_BYTES for one in streams)
            connection = inner.connection
            broken = connection.streams_failed - connection.streams_succeeded
        except Exception:  # the edge: malformed bytes end only this connection
            log.info("a connection to the workload API broke the protocol", exc_info=True)
            self.abort()
            return
        if too_large or broken > MAX_BROKEN:
            log.warning("a connection to the workload API exceeded its limits and was closed")
            self.abort()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._endpoint.connections.discard(self)
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.connection_lost(exc)
        if self.peer is not None:
            self.peer.close()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()
