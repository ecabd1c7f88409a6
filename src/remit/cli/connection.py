# SPDX-License-Identifier: Apache-2.0
"""One client's connection, bounded before anything is known of the client.

The HTTP parser keeps a header until its end has come, however long that is and however long it takes: without
a bound, whoever can connect could fill the memory, or hold connections until there are no more of them.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from remit.gateway.asgi import TARGET

#: What may come of one request without being body: its line, headers, the framing of chunks, trailers. A
#: header that is whole by the end of one read from the socket may be longer, by that read.
MAX_HEAD_BYTES = 65_536
#: Seconds within which the head of a request must have come, from the first byte of the connection or of the
#: request on.
HEAD_TIMEOUT_S = 20.0


class OneWrite:
    """What the server writes one response to: its head waits for the first of its body, so that an answer is
    one write and one packet. A head that no body follows in the same turn of the event loop goes alone.
    """

    __slots__ = ("_head", "_loop", "_transport", "_written")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Write to the transport of the connection."""
        self._transport = transport
        self._loop = loop
        self._head = b""
        self._written = False

    def write(self, data: bytes) -> None:
        """Write, after what was written before."""
        if self._head:
            data, self._head = self._head + data, b""
        elif not self._written:
            self._written = True
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection once all is written."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection closes."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class BoundedConnection(HttpToolsProtocol):
    """The server's protocol, which closes a connection whose request has too long or too late a head."""

    _unread = 0
    _begun = False
    _has_head = False
    _patience: asyncio.TimerHandle | None = None
    _shown: tuple[bytes, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        chain = getattr(transport.get_extra_info("ssl_object"), "peer_chain", None)
        self._shown = chain() if chain is not None else ()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and count what of it is no body."""
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        elif not self._has_head and (self._begun or self._unread) and not self.transport.is_closing():
            # Of a request that is whole nothing is left: the time that its answer takes is not counted here.
            self._wait()

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        self._begun = True
        super().on_message_begin()
        if self._shown:
            # What the client showed in the handshake, in DER, its own certificate first. Not judged yet.
            self.scope["remit.peer_certificate"] = list(self._shown)  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        """The head is there: what follows has other bounds.

        A target that names its host is kept: the server would forget it, and serve what it asks of others.
        """
        if not self.url.startswith(b"/"):
            self.scope[TARGET] = self.url  # type: ignore[typeddict-unknown-key]
            if self.parser.get_method() == b"CONNECT" or self.url == b"*":
                # It has no path, without which the server takes it for nothing at all.
                self.url = b"/"
        self._has_head = True
        self._wait_no_more()
        super().on_headers_complete()
        # It has not begun yet.
        self.cycle.transport = OneWrite(self.transport, self.loop)  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """A piece of body has come."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next request begins anew."""
        self._unread = 0
        self._begun = self._has_head = False
        super().on_message_complete()

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.transport.close()
