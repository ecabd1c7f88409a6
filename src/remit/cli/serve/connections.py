# SPDX-License-Identifier: Apache-2.0
"""One client's connection, bounded before anything is known of the client.

The HTTP parser keeps a header until its end has come, however long that is and however long it takes, and
takes as many requests as come at once: without bounds, whoever can connect could fill the memory, or hold
connections until there are no more of them. Nor does it mind what others would frame, or read, in another
way: that is refused here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from remit.gateway.asgi import ROOM
from remit.gateway.request_target import TARGET

#: What may come of one request without being body: its line, headers, the framing of chunks, trailers. A
#: header that is whole by the end of one read from the socket may be longer, by that read.
MAX_HEAD_BYTES = 65_536
#: Seconds within which the head of a request must have come, from the first byte of the connection or of the
#: request on.
HEAD_TIMEOUT_S = 20.0
#: Seconds within which a client takes something of what waits for it. Whoever takes nothing, or hardly any,
#: holds what was asked for them: results in memory, and connections to upstreams.
TAKE_TIMEOUT_S = 60.0
#: Lines that a head may have: short ones become forty times as large as they were sent.
MAX_HEADERS = 256
#: Requests that may wait on one connection until those before them are answered.
MAX_WAITING = 32
#: What is taken in, and let go, of a body that nobody reads after the last answer, and for how long.
LINGER_BYTES = 64 * 1024 * 1024
LINGER_S = 5.0

_VERSIONS = frozenset(("1.0", "1.1"))
_FRAMING = frozenset((b"host", b"transfer-encoding"))
_UPGRADES = (b"\r\nUpgrade:", b"\r\nupgrade:")
_UPGRADE = re.compile(rb"\r\nUpgrade:[^\r\n]*(?=\r\n(?![ \t]))", re.IGNORECASE)


class _Refused(Exception):
    """Stops the parser from inside a callback."""


def close(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
    """Close a connection once all is written, or nobody takes it."""
    if not transport.is_closing():
        transport.close()
        if transport.get_write_buffer_size():
            loop.call_later(TAKE_TIMEOUT_S, transport.abort)


def without_upgrade(data: bytes) -> bytes:
    """Return the beginning of a request without its wish for another protocol, where its whole head is there.

    A server may ignore that wish (RFC 9110 section 7.8), and Java's client has it in its first request; but
    the parser would take the body for the other protocol's.
    """
    if data.find(_UPGRADES[0]) < 0 and data.find(_UPGRADES[1]) < 0:
        return data
    end = data.find(b"\r\n\r\n") + 2
    return data if end < 2 else _UPGRADE.sub(b"", data[:end]) + data[end:]


class SingleWrite:
    """What the server writes one response to: its head waits for the first of its body, so that an answer is
    one write and one packet. A head that no body follows in the same turn of the event loop goes alone.
    """

    __slots__ = ("_end", "_head", "_loop", "_transport", "_written")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        end: Callable[[], None] | None = None,
    ) -> None:
        """Write to the transport of the connection, which `end` closes."""
        self._transport = transport
        self._loop = loop
        self._end = end or partial(close, transport, loop)
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
        """Close the connection once all is written, or nobody takes it."""
        self._flush()
        self._end()

    def is_closing(self) -> bool:
        """Whether the connection closes."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class BoundedConnection(HttpToolsProtocol):
    """The server's protocol, which closes a connection whose request has too long or too late a head, or one
    that two readers could end, or take, differently.
    """

    _unread = 0
    _begun = False
    _has_head = False
    _patience: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None
    _shown: tuple[bytes, ...] = ()
    _let_go = 0
    _linger: asyncio.TimerHandle | None = None
    # By its own name: to find it through `super()` takes longer than it does, for each header.
    _take_header = HttpToolsProtocol.on_header

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        chain = getattr(transport.get_extra_info("ssl_object"), "peer_chain", None)
        self._shown = chain() if chain is not None else ()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_more()
        self._take_no_more()
        if self._linger is not None:
            self._linger.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """More waits for the client than is held for it: it has its time to take some of that."""
        super().pause_writing()
        self._take_no_more()
        self._taking = self.loop.call_later(TAKE_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken enough to go on."""
        self._take_no_more()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more was asked for."""
        close(self.transport, self.loop)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and count what of it is no body. After the last answer it is let go."""
        if self._linger is not None:
            self._let_go += len(data)
            if self._let_go > LINGER_BYTES:
                close(self.transport, self.loop)
            return
        self._unread += len(data)
        super().data_received(data if self._begun or self._has_head else without_upgrade(data))
        if self._unread > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        elif not self._has_head and (self._begun or self._unread) and not self.transport.is_closing():
            # Of a request that is whole nothing is left: the time that its answer takes is not counted here.
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be a request, and close.

        Without a word where another request has its answer yet to come: it would be taken for that one's.
        """
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            own = True
        else:
            own = self._has_head and not self.pipeline and not cycle.response_started
        if own:
            super().send_400_response(msg)
        else:
            close(self.transport, self.loop)

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        if len(self.pipeline) >= MAX_WAITING:
            raise _Refused
        self._begun = True
        super().on_message_begin()
        self.scope[ROOM] = self.flow.drain  # type: ignore[typeddict-unknown-key]
        if self._shown:
            # What the client showed in the handshake, in DER, its own certificate first. Not judged yet.
            self.scope["remit.peer_certificate"] = list(self._shown)  # type: ignore[typeddict-unknown-key]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. A trailer is dropped (RFC 9110 section 6.5.1): the server would take it for a
        header, which whatever stands before it has not seen as one.
        """
        if self._has_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            raise _Refused
        self._take_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there: what follows has other bounds.

        A target that names its host is kept: the server would forget it, and serve what it asks of others.
        """
        self._check_framing()
        if not self.url.startswith(b"/"):
            self.scope[TARGET] = self.url  # type: ignore[typeddict-unknown-key]
            if self.parser.get_method() == b"CONNECT" or self.url == b"*":
                # It has no path, without which the server takes it for nothing at all.
                self.url = b"/"
        self._has_head = True
        self._wait_no_more()
        super().on_headers_complete()
        # It has not begun yet.
        self.cycle.transport = SingleWrite(self.transport, self.loop, self._close)  # type: ignore[assignment]
        if self.parser.should_upgrade():
            # `CONNECT`: what follows is no request.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of body has come."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next request begins again."""
        self._unread = 0
        self._begun = self._has_head = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Serve what waits; a body that nobody waits for any more has as long to end as a head to come."""
        if self._linger is not None:
            self.server_state.total_requests += 1
            self.flow.resume_reading()
            return
        super().on_response_complete()
        if self._has_head and self.cycle.response_complete and not self.transport.is_closing():
            self._wait()

    def _close(self) -> None:
        """Close after the last answer; where the client is still sending, only once it has stopped.

        A connection that is closed on bytes which nobody has read is reset, and the reset takes away the
        answer, often before the client has looked for it (RFC 9112 section 9.6).
        """
        if not self._has_head or self._linger is not None or self.transport.is_closing():
            close(self.transport, self.loop)
            return
        self._linger = self.loop.call_later(LINGER_S, close, self.transport, self.loop)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _check_framing(self) -> None:
        """Refuse a head whose body two readers could end at different bytes (RFC 9112 section 6), or that two
        could take for another host's (section 3.2).

        The parser by itself takes another version, `Transfer-Encoding: gzip, chunked` and two hosts; and
        where another protocol is asked for, it takes the body for what comes after the request.
        """
        version = self.parser.get_http_version()
        framing = [one for one in self.headers if one[0] in _FRAMING]
        codings = [value.strip().lower() for name, value in framing if name != b"host"]
        if (
            version not in _VERSIONS
            or len(framing) - len(codings) > 1
            or (codings and (codings != [b"chunked"] or version != "1.1"))
            or (self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT")
        ):
            raise _Refused

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _take_no_more(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _give_up(self) -> None:
        self._patience = None
        close(self.transport, self.loop)
