# SPDX-License-Identifier: Apache-2.0
"""The connections to one origin: kept, counted, and assigned in the order of the requests."""

import asyncio
import ssl
from collections import deque

from remit.adapters.upstream.http1.address import Limits, Origin
from remit.adapters.upstream.http1.connection import Connection
from remit.adapters.upstream.http1.request import RequestHead
from remit.adapters.upstream.http1.transport import HttpTransport
from remit.core.errors import Busy, ConfigInvalid, UpstreamUnreachable


class Pool:
    """At most `limits.max_connections` connections to one origin. For one event loop; not thread-safe.

    INVARIANT: `_open` is the number of connections that exist, are being made, or have been promised to a
    waiter.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
        path: str = "",
    ) -> None:
        """Start without connections. Under `https` the certificate and its host name are always verified.

        With a `path`, connect to that Unix socket; `origin` is then only what requests name.
        """
        self._origin = origin
        self._path = path
        self._limits = limits or Limits()
        self._tls = _verifying(origin, ssl_context)
        self._request = RequestHead(origin)
        self._idle: list[HttpTransport] = []  # last in, first out: the others may grow old and close
        self._wires: set[HttpTransport] = set()
        self._open = 0
        self._waiters: deque[asyncio.Future[HttpTransport | None]] = deque()
        self._closed = False
        self._all_lost: asyncio.Future[None] | None = None

    async def acquire(self) -> Connection:
        """Return a usable idle connection or a new one; wait in the queue when all are in use.

        Nothing has been sent when this raises: `UpstreamUnreachable` with `sent=False` if the upstream cannot
        be reached or its certificate is invalid, `Busy` if no connection became free, each within
        `connect_timeout_s`.
        """
        if self._closed:
            raise self._closed_here()
        wire = None if self._waiters else self._take_idle()
        if wire is None:
            wire = await self._wait_for_wire()
        return Connection(wire, self._request, self._give_back)

    async def close(self) -> None:
        """Cut every connection, including acquired ones, and wait until they are gone."""
        self._closed = True
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(self._closed_here())
        for wire in tuple(self._wires):
            wire.cut()
        if self._wires:
            if self._all_lost is None:
                self._all_lost = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._all_lost)

    def _take_idle(self) -> HttpTransport | None:
        while self._idle:
            wire = self._idle.pop()
            if wire.quiet():
                return wire
            wire.cut()  # stale, or it sent unsolicited data
        return None

    async def _wait_for_wire(self) -> HttpTransport:
        """Queue for a connection or a permit to make one, and make it."""
        connecting = False
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                handed: HttpTransport | None = None
                if self._waiters or self._open >= self._limits.max_connections:
                    handed = await self._queue()
                    while handed is not None and not handed.quiet():
                        # It was lost before this waiter resumed. The waiter keeps its place in the queue.
                        handed.cut()
                        handed = await self._queue(first=True)
                else:
                    self._open += 1
                connecting = handed is None
                return handed or await self._connect()
        except TimeoutError as error:
            if connecting:
                raise self._unreachable("did not accept a connection in time") from error
            raise Busy(
                f"all {self._limits.max_connections} connections to the upstream `{self._origin}` are in use",
                remediation="try again, or raise the upstream's `max_connections`",
            ) from error

    async def _queue(self, *, first: bool = False) -> HttpTransport | None:
        """Wait in the queue. None is a permit to make a connection, which is counted already."""
        if self._closed:
            raise self._closed_here()
        waiter: asyncio.Future[HttpTransport | None] = asyncio.get_running_loop().create_future()
        if first:
            self._waiters.appendleft(waiter)
        else:
            self._waiters.append(waiter)
        self._serve_queue()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # It was served in the same iteration of the event loop in which it was cancelled: pass the
                # connection on.
                wire = waiter.result()
                if wire is None:
                    self._open -= 1
                else:
                    self._idle.append(wire)
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            self._serve_queue()
            raise

    def _serve_queue(self) -> None:
        """Assign free connections and permits to the waiters, in their order."""
        while self._waiters:
            if self._waiters[0].done():
                self._waiters.popleft()
                continue
            wire = self._take_idle()
            if wire is None:
                if self._open >= self._limits.max_connections:
                    return
                self._open += 1
            self._waiters.popleft().set_result(wire)

    async def _connect(self) -> HttpTransport:
        """Make a connection that is counted already."""
        loop = asyncio.get_running_loop()
        wire = HttpTransport(loop, str(self._origin), self._limits, self._on_closed)
        try:
            if self._path:
                await loop.create_unix_connection(lambda: wire, self._path)
            else:
                await loop.create_connection(
                    lambda: wire,
                    self._origin.host,
                    self._origin.port,
                    ssl=self._tls,
                    server_hostname=self._origin.host if self._tls else None,
                )
        except BaseException as error:
            self._open -= 1
            self._serve_queue()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise self._unreachable(
                    f"has an invalid certificate ({error.verify_message})",
                    remediation="repair the certificate, or give the upstream's CA in its `tls` section",
                ) from error
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise self._unreachable("cannot be reached", debug=str(error)) from error
            raise
        if wire.lost:
            self._open -= 1
            self._serve_queue()
            raise self._unreachable("closed the connection immediately")
        self._wires.add(wire)
        if self._closed:
            wire.cut()
            raise self._closed_here()
        return wire

    def _give_back(self, wire: HttpTransport) -> None:
        if wire.retire() and not self._closed:
            self._idle.append(wire)
            if self._waiters:
                self._serve_queue()
        elif self._closed:
            wire.cut()

    def _on_closed(self, wire: HttpTransport) -> None:
        """Remove a lost connection and free its place."""
        if wire not in self._wires:
            return  # lost while it was being made: `_connect` corrects the count
        self._wires.remove(wire)
        self._open -= 1
        if wire in self._idle:
            self._idle.remove(wire)
        if self._all_lost is not None and not self._wires and not self._all_lost.done():
            self._all_lost.set_result(None)
        if not self._closed:
            self._serve_queue()

    def _unreachable(
        self, what: str, *, remediation: str = "check its address and that it runs", debug: str = ""
    ) -> UpstreamUnreachable:
        return UpstreamUnreachable(
            f"the upstream `{self._origin}` {what}", sent=False, remediation=remediation, debug=debug
        )

    def _closed_here(self) -> UpstreamUnreachable:
        return self._unreachable("is no longer in use", remediation="restart it")


def _verifying(origin: Origin, context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Return the TLS context to use; refuse one that does not verify the server."""
    if origin.scheme == "http":
        if context is not None:
            raise ConfigInvalid(
                f"TLS settings for `{origin}`, which uses no TLS", remediation="use `https` or remove them"
            )
        return None
    if context is None:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
    if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
        raise ConfigInvalid(
            f"the TLS settings for `{origin}` do not verify the upstream",
            remediation="give its CA instead of trusting every certificate",
        )
    return context
