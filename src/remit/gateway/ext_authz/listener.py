# SPDX-License-Identifier: Apache-2.0
"""The listener for Envoy: a Unix socket, or TLS with a certificate that the configuration names.

It answers gRPC and, where configured, HTTP/1.1; it knows them by the first bytes of a connection.

INVARIANT: what can connect could ask in Envoy's place, so there is no listener without one of the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from grpclib.config import Configuration
from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.proto import ProtoCodec
from grpclib.exceptions import GRPCError
from grpclib.protocol import H2Protocol
from grpclib.server import Server, Stream

from remit.core.errors import RemitError
from remit.gateway.ext_authz.check_request import read_request
from remit.gateway.ext_authz.check_response import AnsweredRequest, written
from remit.gateway.ext_authz.endpoint import ExtAuthzEndpoint, unreadable
from remit.gateway.ext_authz.http_checks import HTTP2, HttpChecks
from remit.gateway.ext_authz.messages import CHECK, message

log = logging.getLogger(__name__)

#: Connections in total: a proxy opens one for each of its threads.
MAX_CONNECTIONS: Final = 256
#: What a message has beside the body of the request: headers, of which Envoy accepts 60 KiB, and attributes.
_BESIDE_BODY: Final = 256 * 1024
#: Window of one connection; a body that is larger arrives in turns.
_WINDOW: Final = 4 * 1024 * 1024


class ProxyTls(msgspec.Struct, frozen=True, kw_only=True):
    """TLS of the listener: own certificate, and whose certificates are taken for the proxy's.

    `clients` are DNS names or URIs, such as SPIFFE IDs, one of which a certificate must have.
    """

    certificate: Path
    key: Path
    clients_ca: Path
    clients: frozenset[str]

    def context(self) -> ssl.SSLContext:
        """Return the context of the server; raises `OSError` for files that cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(self.clients_ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


class ExtAuthzListener:
    """Serves `Check` until it is closed. Runs on one event loop."""

    def __init__(self, endpoint: ExtAuthzEndpoint, *, max_request_bytes: int, http: bool = False) -> None:
        """Keep the endpoint and the largest body of a request; `http`: whether it answers that form, too."""
        self.http = http
        self.check = endpoint.check
        self.max_message_bytes = max_request_bytes + _BESIDE_BODY
        self._servers: list[asyncio.AbstractServer] = []
        self.connections: set[_Connection] = set()

    async def on_socket(self, bound: socket.socket) -> None:
        """Serve a Unix socket, whose mode says who may connect."""
        loop = asyncio.get_running_loop()
        self._servers.append(
            await loop.create_unix_server(lambda: _Connection(self, frozenset()), sock=bound)
        )

    async def on_address(self, host: str, port: int, tls: ProxyTls) -> int:
        """Serve an address with TLS; return the port."""
        loop = asyncio.get_running_loop()
        context = tls.context()
        context.set_alpn_protocols(["h2", "http/1.1"] if self.http else ["h2"])
        server = await loop.create_server(lambda: _Connection(self, tls.clients), host, port, ssl=context)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and close all connections."""
        for server in self._servers:
            server.close()
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)
        self._servers.clear()

    def protocol(self) -> H2Protocol:
        """Return the gRPC layer of one connection."""
        config = Configuration(http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW)
        return _Connected([self], codec=ProtoCodec(), config=config).protocol()

    def __mapping__(self) -> dict[str, Handler]:
        """Return the method in the form that `grpclib` needs."""
        kind = Cardinality.UNARY_UNARY
        return {CHECK: Handler(self._check, kind, message("CheckRequest"), message("CheckResponse"))}

    async def _check(self, stream: Stream[Any, Any]) -> None:
        told = await stream.recv_message()
        if told is None:
            raise GRPCError(Status.INVALID_ARGUMENT, "a `CheckRequest` is missing")
        try:
            asked = read_request(told)
        except RemitError as error:
            await stream.send_message(written(unreadable(error), None))
            return
        outcome = await self.check(asked)
        await stream.send_message(written(outcome, None if isinstance(outcome, AnsweredRequest) else asked))


class _Connected(Server):
    """The gRPC layer of one connection."""

    def protocol(self) -> H2Protocol:
        """Return the HTTP/2 protocol of the connection."""
        return self._protocol_factory()


class _Connection(asyncio.Protocol):
    """One connection and its limits; `clients` are the names one of which its certificate must have."""

    def __init__(self, listener: ExtAuthzListener, clients: frozenset[str]) -> None:
        self._listener = listener
        self._clients = clients
        self._transport: asyncio.Transport | None = None
        self._inner: H2Protocol | HttpChecks | None = None
        self._begun = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every event loop derives its transports from asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        if len(self._listener.connections) >= MAX_CONNECTIONS or not self._expected(transport):
            log.warning("a connection for external authorization was refused")
            self._transport.abort()
            return
        self._listener.connections.add(self)

    def _expected(self, transport: asyncio.BaseTransport) -> bool:
        shown = transport.get_extra_info("peercert")
        if not self._clients:
            return transport.get_extra_info("sslcontext") is None
        names = {value for kind, value in (shown or {}).get("subjectAltName", ()) if kind in ("DNS", "URI")}
        return bool(names & self._clients)

    def _begin(self, transport: asyncio.Transport) -> H2Protocol | HttpChecks:
        """Return what reads the form of the check that the connection has begun."""
        if self._listener.http and not self._begun.startswith(HTTP2):
            return HttpChecks(transport, self._listener.check, self._listener.max_message_bytes)
        inner = self._listener.protocol()
        inner.connection_made(transport)
        return inner

    def data_received(self, data: bytes) -> None:
        if self not in self._listener.connections or self._transport is None:
            return
        try:
            if self._inner is None:
                data = self._begun = self._begun + data
                if len(data) < len(HTTP2):
                    return
                self._inner = self._begin(self._transport)
                self._begun = b""
            self._inner.data_received(data)
            too_large = self._too_large(self._inner)
        except Exception:  # the edge: malformed bytes end only this connection
            log.info("a connection for external authorization broke the protocol", exc_info=True)
            self.abort()
            return
        if too_large:
            log.warning("a connection for external authorization exceeded its limits and was closed")
            self.abort()

    def _too_large(self, inner: H2Protocol | HttpChecks) -> bool:
        if isinstance(inner, HttpChecks):
            return inner.too_large
        streams = inner.processor.streams.values()
        return any(one.data_received > self._listener.max_message_bytes for one in streams)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.connections.discard(self)
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.connection_lost(exc)

    def abort(self) -> None:
        """Close the connection at once."""
        with contextlib.suppress(RuntimeError):
            if self._transport is not None:
                self._transport.abort()
