# SPDX-License-Identifier: Apache-2.0
"""A connection in hand: one request, one response, then it is given back."""

from collections.abc import AsyncIterator, Callable, Sequence

from remit.adapters.upstream.http1.request import RequestHead
from remit.adapters.upstream.http1.response import Phase, ResponseHead
from remit.adapters.upstream.http1.transport import HttpTransport
from remit.core.errors import OutOfOrder, UpstreamUnreachable

_BODY, _COMPLETE = Phase.BODY, Phase.COMPLETE


class Connection:
    """A connection that `Pool.acquire` put in hand, for one exchange.

    It belongs to one task, except `abort`, which any code on the same event loop may call. When it has been
    given back it is dead: it cannot read or cut the exchange that comes next on the same wire.
    """

    __slots__ = ("_give_back", "_request", "_sent", "_wire")

    def __init__(
        self, wire: HttpTransport, request: RequestHead, give_back: Callable[[HttpTransport], None]
    ) -> None:
        """Hold a wire until it is given back."""
        self._wire: HttpTransport | None = wire
        self._request = request
        self._give_back = give_back
        self._sent = False

    def send(
        self, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes = b""
    ) -> None:
        """Write the request now, in one piece, at most once; nothing is awaited.

        `target` is a path with an optional query; `headers` hold no framing or connection headers. Raises
        `UpstreamUnreachable` with `sent=False` if the connection was lost since it came to hand, `Malformed`
        for a request that could be read in two ways, `OutOfOrder` for a second request; nothing is written
        then. Whether bytes left the machine after this returned cannot be known: every later fault has
        `sent=True`.
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

        Raises `UpstreamUnreachable` (nothing came), `UpstreamFault` (what came breaks HTTP, a limit or a
        time-out), both with `sent=True`.
        """
        wire = self._asked()
        if wire.head is None and wire.fault is None:
            await wire.wait(_BODY)
        if wire.fault is not None:
            raise wire.fault
        assert wire.head is not None
        return wire.head

    async def body(self) -> bytes:
        """Wait for all of the response's body that was not taken yet; raises as `head` does."""
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
        """Yield the body's pieces as they arrive; the upstream is held back while nobody takes them.

        Pieces are what has arrived meanwhile. Raises as `head` does; a fault drops the pieces not taken yet.
        """
        wire = self._asked()
        while True:
            if wire.fault is not None:
                raise wire.fault
            # After each wait and each yield: the connection may have been given back, and the wire be
            # another's.
            self._held()
            if wire.chunks:
                yield wire.take()
            elif wire.phase >= _COMPLETE:
                return
            else:
                await wire.wait(_BODY)

    def release(self) -> None:
        """Give the connection back; safe to call twice.

        It serves again only if its response was complete, asked to be kept alive, and nothing else arrived;
        if no request was sent, it goes back as it was. In every other case it is closed.
        """
        wire = self._wire
        if wire is not None:
            self._wire = None
            self._give_back(wire)

    def abort(self) -> None:
        """Close the connection now; safe at any time. Whoever waits on it gets `UpstreamUnreachable`."""
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
