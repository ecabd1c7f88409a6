# SPDX-License-Identifier: Apache-2.0
"""One connection to an upstream, for its whole life: transport, back-pressure, timers and closing."""

import asyncio
import select
import ssl
from collections.abc import Callable
from math import inf

from remit.adapters.upstream.http1.address import Limits
from remit.adapters.upstream.http1.response import Phase, ResponseReader
from remit.core.errors import OutOfOrder, UpstreamFault, UpstreamUnreachable

# Back-pressure: stop reading above the first, resume below the second (bytes that no reader has taken yet).
PAUSE_ABOVE_BYTES = 64 * 1024
RESUME_BELOW_BYTES = 16 * 1024
# Below this size, copying head and body into one piece costs less than writing two.
_COPY_BELOW_BYTES = 64 * 1024

# As in `response`: module globals are looked up faster.
_IDLE, _HEAD, _BODY, _COMPLETE, _OVER = Phase


class HttpTransport(ResponseReader, asyncio.Protocol):
    """A connection and the response on it. Used by one exchange at a time, from one event loop.

    `on_closed` is called exactly once for each connection that was made, when it is lost.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        origin: str,
        limits: Limits,
        on_closed: Callable[["HttpTransport"], None],
    ) -> None:
        """Prepare for a connection that is about to be made."""
        super().__init__(origin, limits)
        self._loop = loop
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._paused = False
        self._collecting = False
        self._deadline = inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._waiter: asyncio.Future[None] | None = None
        self._waits_for = _COMPLETE

    # The interface for the pool and the acquired connection.

    @property
    def lost(self) -> bool:
        """Whether the connection is gone, or was never made."""
        return self._transport is None

    def usable(self) -> bool:
        """Return whether a request may be written: connected, and without unsolicited data."""
        return self.phase is _IDLE and self._transport is not None and not self._transport.is_closing()

    def quiet(self) -> bool:
        """Return whether the operating system holds no unread bytes, end or error for this usable connection
        either.

        An end that the event loop has not processed yet would leave the outcome of the next request unknown.
        A response that is already waiting would be taken for the next request's.
        """
        return self.usable() and (self._poll is None or not self._poll.poll(0))

    def write(self, head: bytes, body: bytes, *, head_only: bool) -> None:
        """Pass a request to the transport, without an await; the caller has checked `usable`."""
        assert self._transport is not None
        self.expect(head_only=head_only)
        self._collecting = False
        self.phase = _HEAD
        self._expire_in(self._limits.header_timeout_s)
        if len(body) < _COPY_BELOW_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    async def wait(self, phase: Phase) -> None:
        """Wait until the exchange reaches this phase; for `BODY`, until there are more bytes to take."""
        if self._waiter is not None:
            raise OutOfOrder("two tasks read one response", remediation="read each response from one task")
        self._waits_for = phase
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def take(self) -> bytes:
        """Return the next piece of the body that has arrived, and let more arrive."""
        piece = self.chunks.popleft()
        self.unread_bytes -= len(piece)
        if self._paused and self.unread_bytes <= RESUME_BELOW_BYTES:
            self._resume()
        return piece

    def collect(self) -> None:
        """Let the whole body arrive, bounded only by the limit on its size."""
        self._collecting = True
        if self._paused:
            self._resume()

    def retire(self) -> bool:
        """End the exchange; return whether the connection can be reused. If not, it is closed."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self.cut()
            return False
        if self.phase is _COMPLETE and self.reusable and transport.get_write_buffer_size() == 0:
            # (After an answer that arrived before the request was completely written, unsent bytes would
            # precede the next request.)
            self.phase = _IDLE
            self.chunks.clear()
            if self._paused:
                self._resume()
        elif self.phase is not _IDLE:
            self.cut()
            return False
        self._expire_in(self._limits.max_idle_s)
        return True

    def cut(self) -> None:
        """Close now. A task that waits for the response gets `UpstreamUnreachable`."""
        if self.phase is _HEAD or self.phase is _BODY:
            self.fail(
                UpstreamUnreachable(
                    f"the exchange with `{self._origin}` was cancelled by remit",
                    sent=True,
                    remediation="check the outcome at the upstream",
                    code="upstream-cut",
                )
            )
        self._close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport; from now on `on_closed` will be called."""
        # uvloop's transports have asyncio's interface, but not its base class.
        self._transport = transport  # type: ignore[assignment]
        socket = transport.get_extra_info("socket")
        if socket is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Read the bytes that arrived; close the connection if they are unsolicited."""
        if self.phase is not _HEAD and self.phase is not _BODY:
            # Before any request or after a complete response: the bytes answer no request.
            self.reusable = False
            self._close()
            return
        self.feed(data)
        phase = self.phase
        if phase is _BODY:
            if self.unread_bytes > PAUSE_ABOVE_BYTES and not self._collecting:
                self._pause()
            else:
                self._expire_in(self._limits.idle_timeout_s)
        elif phase is _COMPLETE:
            self._deadline = inf
            if not self.reusable:
                self._close()
        elif phase is _OVER:
            self._close()
        self._wake()

    def eof_received(self) -> None:
        """Handle an orderly end; the transport closes itself afterwards."""
        self.end("ended the connection", orderly=self._ended_in_order())
        self._close()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the pending exchange and notify the pool."""
        self.end("reset the connection" if exc else "closed the connection", orderly=False)
        self._close()
        self._wake()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport = None
        self._poll = None
        self._on_closed(self)

    # Helpers of the methods above.

    def _ended_in_order(self) -> bool:
        """Return whether the peer ended in order: under TLS, by close_notify, which asyncio reports like a
        bare FIN.
        """
        tls = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        if tls is None:
            return True
        try:
            # Empty only after close_notify; without it OpenSSL still waits for more.
            return not tls.read(1)
        except ssl.SSLError:
            return False

    def _close(self) -> None:
        """Close the connection; a complete response stays readable."""
        self.reusable = False
        if self.phase is _IDLE:
            self.phase = _OVER
        if self._transport is not None:
            # Not `close`: under TLS that waits for the peer, and no data of ours remains to be delivered.
            self._transport.abort()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and self.phase >= self._waits_for and not waiter.done():
            waiter.set_result(None)

    def _pause(self) -> None:
        self._deadline = inf
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            if self.phase is _BODY:
                self._expire_in(self._limits.idle_timeout_s)

    # Time: one timer for each connection, set again only when it fires or when a deadline moves forward,
    # because a timer for each request would cost as much as reading its answer.

    def _expire_in(self, seconds: float) -> None:
        deadline = self._deadline = self._loop.time() + seconds
        if deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = inf
        left = self._deadline - self._loop.time()
        if left > 0:
            if left < inf:
                self._expire_in(left)
            return
        if self.phase is _HEAD:
            self.fail(self._timed_out("answer", self._limits.header_timeout_s))
        elif self.phase is _BODY:
            self.fail(self._timed_out("read its response", self._limits.idle_timeout_s))
        self._close()
        self._wake()

    def _timed_out(self, what: str, seconds: float) -> UpstreamFault:
        return UpstreamFault(
            f"`{self._origin}` did not {what} within {seconds:g} s",
            sent=True,
            remediation="check the outcome at the upstream, or raise its timeout",
            code="upstream-timeout",
        )
