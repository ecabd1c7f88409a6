# SPDX-License-Identifier: Apache-2.0
"""Connections to other replicas (`ports.forwarding`), by the client for calls to upstreams."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from remit.adapters.upstream.http1 import Connection, Limits, Origin, Pool, ResponseHead
from remit.core.replicas.replica import socket_of
from remit.ports.forwarding import ForwardedRequest

#: Another replica limits its own answers; streams may be silent for a long time.
LIMITS: Final = Limits(
    max_body_bytes=2**40,
    connect_timeout_s=2.0,
    header_timeout_s=3600.0,
    idle_timeout_s=86_400.0,
    max_connections=1024,
)
#: Replicas come and go: the least recently used pools are closed.
MOST_POOLS: Final = 64
#: What requests to a worker of the same machine name as their host.
_HERE: Final = Origin("http", "localhost", 80)


class OwnerAnswer:
    """One answer that is being received."""

    def __init__(self, head: ResponseHead, connection: Connection) -> None:
        """Store a connection whose head has arrived."""
        self.status = head.status
        self.headers = head.headers
        self._connection = connection

    def pieces(self) -> AsyncIterator[bytes]:
        """Return the body as it arrives."""
        return self._connection.chunks()


class HttpForwarder:
    """One pool of connections for each replica."""

    def __init__(self, tls_ca: str = "") -> None:
        """Store `tls_ca`, the file of CA certificates for other replicas, in addition to the system's."""
        self._tls_ca = tls_ca
        self._pools: dict[str, Pool] = {}

    @asynccontextmanager
    async def ask(self, address: str, request: ForwardedRequest) -> AsyncIterator[OwnerAnswer]:
        """Send a request once, and yield its answer."""
        connection = await (await self._pool(address)).acquire()
        try:
            connection.send(request.method.encode(), request.target, request.headers, request.body)
            yield OwnerAnswer(await connection.head(), connection)
        finally:
            connection.release()

    async def _pool(self, address: str) -> Pool:
        pool = self._pools.pop(address, None)
        if pool is None:
            path = socket_of(address)
            origin = _HERE if path else Origin.parse(address)
            context: ssl.SSLContext | None = None
            if origin.scheme == "https":
                context = ssl.create_default_context(cafile=self._tls_ca or None)
            pool = Pool(origin, limits=LIMITS, ssl_context=context, path=path)
        self._pools[address] = pool  # the most recently used pool is last
        if len(self._pools) > MOST_POOLS:
            await self._pools.pop(next(iter(self._pools))).close()
        return pool

    async def close(self) -> None:
        """Cut all connections."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.close()
