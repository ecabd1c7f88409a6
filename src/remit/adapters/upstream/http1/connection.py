# SPDX-License-Identifier: Apache-2.0
"""An acquired connection: one request and one response, then it is given back."""

from collections.abc import AsyncIterator, Callable, Sequence

from remit.adapters.upstream.http1.request import RequestHead
from remit.adapters.upstream.http1.response import Phase, ResponseHead
from remit.adapters.upstream.http1.transport import HttpTransport
from remit.core.errors import OutOfOrder, UpstreamUnreachable

_BODY, _COMPLETE = Phase.BODY, Phase.COMPLETE


class Connection:
    """A connection from `Pool.acquire`, for one exchange.

    It belongs to one task, except `abort`, which any code on the same event loop may call. After it has been
    given back it is unusable: it cannot read or cut the next exchange on the same transport.
    """

    __slots__ = ("_give_back", "_request", "_sent", "_wire")

    def __init__(
        self, wire: HttpTransport, request: RequestHead, give_back: Callable[[HttpTransport], None]
    ) -> None:
        """Hold a transport until it is given back."""
        self._wire: HttpTransport | None = wire
        self._request = request
        self._give_back = give_back
        self._sent = False

    def send(
        self, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes = b""
    ) -> None:
        """Write the request now, in one piece, at most once, without an await.

        `target` is a path with an optional query; `headers` contain no framing or connection headers. Raises
        `UpstreamUnreachable` with `sent=False` if the connection was lost since it was acquired, `Malformed`
        for an ambiguous request, `OutOfOrder` for a second request; in these cases nothing is written. After
        this returns, remit cannot know whether bytes left the machine: every later fault has `sent=True`.
        """
        wire = self._held()
        if self._sent:
            raise OutOfOrder(
                "a request was sent on this connection before", remediation="acquire one for each request"
            )
        head = self._request.encode(method, target, headers, len(body))
        if not wire.usable():
            raise UpstreamUnreachable(
                "the connection was lost before anything was sent on it",
                remediation="acquire another and send again",
            )
        self._sent = True
        wire.write(head, body, head_only=method == b"HEAD")

    async def head(self) -> ResponseHead:
        """Wait for the response's status and headers, whatever the status is.

        Raises `UpstreamUnreachable` (no answer arrived) or `UpstreamFault` (the answer violates HTTP, a limit
        or a time-out), both with `sent=True`.
        """
        wire = self._asked()
        if wire.head is None and wire.fault is None:
            await wire.wait(_BODY)
        if wire.fault is not None:
            raise wire.fault
        assert wire.head is not None
        return wire.head

    async def body(self) -> bytes:
        """Wait for the rest of the response's body; raises as `head` does."""
        wire = self._asked()
        if wire.phase < _COMPLETE:
            wire.collect()
            await wire.wait(_COMPLETE)
        if wire.fault is not None:
            raise wire.fault
        self._held()
        chunks = wire.chunks
        whole = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        wire.unread_bytes = 0
        return whole

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body's pieces as they arrive; an unread body pauses the upstream.

        A piece is what has arrived since the last one. Raises as `head` does; a fault drops the pieces not
        taken yet.
        """
        wire = self._asked()
        while True:
            if wire.fault is not None:
                raise wire.fault
            # After each wait and each yield: the connection may have been given back, and another exchange
            # may use the transport.
            self._held()
            if wire.chunks:
                yield wire.take()
            elif wire.phase >= _COMPLETE:
                return
            else:
                await wire.wait(_BODY)

    def release(self) -> None:
        """Give the connection back; safe to call twice.

        The connection is reused only if its response was complete, permitted keep-alive, and nothing else
        arrived. If no request was sent, it goes back unchanged. In every other case it is closed.
        """
        wire = self._wire
        if wire is not None:
            self._wire = None
            self._give_back(wire)

    def abort(self) -> None:
        """Close the connection now; safe at any time. A waiting reader gets `UpstreamUnreachable`."""
        wire = self._wire
        if wire is not None:
            self._wire = None
            wire.cut()

    def _held(self) -> HttpTransport:
        if self._wire is None:
            raise OutOfOrder("the connection was released", remediation="acquire one for each request")
        return self._wire

    def _asked(self) -> HttpTransport:
        wire = self._held()
        if not self._sent:
            raise OutOfOrder(
                "no request was sent, so there is no answer", remediation="send the request first"
            )
        return wire
