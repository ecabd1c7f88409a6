# SPDX-License-Identifier: Apache-2.0
"""A client's connection, with limits that apply before anything is known of the client.

The HTTP parser keeps a header until its end arrives, however long it is and however long that takes. It also
accepts any number of requests at once. Without limits, everyone who can connect could fill the memory, or
hold all connections. The parser also accepts messages that another reader would frame or interpret
differently; such messages are refused here.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import weakref
from collections.abc import Callable, Iterable
from functools import partial

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from remit.cli.serve.transfers import MAX_RECEIVED_BYTES, Arrival, Transfers
from remit.gateway.asgi import ROOM, TRANSFER, TRANSFERRED
from remit.gateway.request_target import TARGET
from remit.services.limits.client_address import Proxies

#: Bytes of one request outside its body: request line, headers, chunk framing, trailers. A header that is
#: complete at the end of one read from the socket may be longer, by that read.
MAX_HEAD_BYTES = 65_536
#: Seconds for the head of a request to arrive, counted from the first byte of the connection or of the
#: request.
HEAD_TIMEOUT_S = 20.0
#: Seconds within which a client must take some of the waiting output. A client that takes nothing, or hardly
#: anything, holds resources: results in memory, and connections to upstreams.
TAKE_TIMEOUT_S = 60.0
#: Lines of a head: short lines take forty times their size in memory.
MAX_HEADERS = 256
#: Requests on one connection that may wait for the answers of earlier ones.
MAX_WAITING = 32
#: Bytes and seconds for which an unread body is received and dropped after the last answer.
LINGER_BYTES = 64 * 1024 * 1024
LINGER_S = 5.0

#: Where a `GET` that has begun its answer only listens: its client connects again.
_LISTENING = ("/console", "/api/v1/approvals")
#: Seconds for which an idle connection that the next run cannot take may bring another request.
QUIET_S = 1.0

#: What a connection above the limit of its address is told.
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s"
)
_WHY = (
    b'{"title":"too many connections, from this address or from all","status":503,"code":"connections",'
    b'"remediation":"close some, or raise `limits.max_connections_per_address` or `limits.max_connections`; '
    b'name a proxy in `listen.proxies`"}'
)

_VERSIONS = frozenset(("1.0", "1.1"))
_FRAMING = frozenset((b"host", b"transfer-encoding"))
_UPGRADES = (b"\r\nUpgrade:", b"\r\nupgrade:")
_UPGRADE = re.compile(rb"\r\nUpgrade:[^\r\n]*(?=\r\n(?![ \t]))", re.IGNORECASE)


class _Refused(Exception):
    """Stops the parser from inside a callback."""


def close(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
    """Close a connection once all output is written, or the client stops taking it."""
    if not transport.is_closing():
        transport.close()
        if transport.get_write_buffer_size():
            loop.call_later(TAKE_TIMEOUT_S, transport.abort)


def without_upgrade(data: bytes) -> bytes:
    """Return the beginning of a request without its upgrade header, if the whole head is there.

    A server may ignore the upgrade (RFC 9110 section 7.8), and Java's client sends it in its first request;
    the parser however would take the body as the other protocol's.
    """
    if data.find(_UPGRADES[0]) < 0 and data.find(_UPGRADES[1]) < 0:
        return data
    end = data.find(b"\r\n\r\n") + 2
    return data if end < 2 else _UPGRADE.sub(b"", data[:end]) + data[end:]


class SingleWrite:
    """The transport of one response: the head waits for the first part of the body, so that an answer is one
    write and one packet.

    A head that no body follows in the same iteration of the event loop is sent alone.
    """

    __slots__ = ("_end", "_head", "_loop", "_transport", "_written")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        end: Callable[[], None] | None = None,
    ) -> None:
        """Keep the connection's transport, which `end` closes."""
        self._transport = transport
        self._loop = loop
        self._end = end or partial(close, transport, loop)
        self._head = b""
        self._written = False

    def write(self, data: bytes) -> None:
        """Write data after earlier data."""
        if self._head:
            data, self._head = self._head + data, b""
        elif not self._written:
            self._written = True
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection once all output is written, or the client stops taking it."""
        self._flush()
        self._end()

    def is_closing(self) -> bool:
        """Return whether the connection is closing."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class AddressLimit:
    """Open connections by client address, and how many there may be; trusted proxies have no limit.

    `total` is how many all addresses together may have: someone who has many addresses has many limits.
    """

    def __init__(self, most: int, proxies: Iterable[str] = (), total: int = sys.maxsize) -> None:
        """Begin without connections."""
        self.most = most
        self.total = total
        self._proxies = Proxies(proxies)
        self._open: dict[str, dict[BoundedConnection, None]] = {}
        self._every: dict[BoundedConnection, None] = {}

    def add(self, host: str, connection: BoundedConnection) -> tuple[str, float]:
        """Count a connection; return its place, and how full that place or the whole now is, 1 for full.

        The place is empty if there is no limit: for a proxy, and where no address is known.
        """
        place = self._proxies.sender(host, ()) if host else ""
        if not place:
            return "", 0
        found = self._open.setdefault(place, {})
        found[connection] = self._every[connection] = None
        return place, max(len(found) / self.most, len(self._every) / self.total)

    def give_way(self, place: str, to: BoundedConnection) -> bool:
        """Close the oldest connection that has sent no whole request, else the oldest idle one.

        Return whether there was one. Holding connections open costs nothing: it must not shut out others, of
        the address or of all, who may want to end something.
        """
        among = self._open[place] if len(self._open[place]) > self.most else self._every
        others = [one for one in among if one is not to and not one.transport.is_closing()]
        gone = next((one for one in others if one.is_partial), None)
        gone = gone or next((one for one in others if one.is_idle), None)
        if gone is not None:
            gone.transport.abort()
        return gone is not None

    def remove(self, place: str, connection: BoundedConnection) -> None:
        """Stop counting a connection."""
        found = self._open[place]
        found.pop(connection, None)
        self._every.pop(connection, None)
        if not found:
            del self._open[place]


class BoundedConnection(HttpToolsProtocol):
    """The server's protocol with limits: refuses a head that is too long, too late or ambiguous.

    Ambiguous is a request that two readers could end, or interpret, differently.
    """

    _unread = 0
    _begun = False
    _has_head = False
    _patience: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None
    _shown: tuple[bytes, ...] = ()
    _let_go = 0
    #: Whether the next run of this process can serve the connection: TLS has its state in this run.
    keepable = True
    #: Whether the connection is idle and waits for the next run.
    is_held = False
    #: Where connections of each address are counted, if they are.
    addresses: AddressLimit | None = None
    _place = ""
    _linger: asyncio.TimerHandle | None = None
    #: Where connections go to other workers of this machine, if they do.
    transfers: Transfers | None = None
    #: What another worker has received of the connection: it goes no further.
    arrival: Arrival | None = None
    #: What was received since a request began on the idle connection; `None` if it must stay here.
    _received: bytes | None = None
    #: Whether the request that it begins with may already have gone on.
    _offered = False
    # A direct reference: for each header, a lookup through `super()` takes longer than the method itself.
    _take_header = HttpToolsProtocol.on_header

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request, or serve the one that another worker has received."""
        super().connection_made(transport)
        if self.arrival is not None and not self.arrival.take():
            transport.abort()
            return
        encrypted = transport.get_extra_info("ssl_object")
        self.keepable = self.keepable and encrypted is None
        chain = getattr(encrypted, "peer_chain", None)
        self._shown = chain() if chain is not None else ()
        self._wait()
        if self.addresses is not None and self.client is not None:
            self._place, filled = self.addresses.add(self.client[0], self)
            if filled > 1 and not self.addresses.give_way(self._place, self):
                self._turn_away(filled > 2)
        if self.arrival is not None and not transport.is_closing():
            self.data_received(self.arrival.received)
        if self._hands_over:
            self.settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._wait_no_more()
        self._take_no_more()
        if self._linger is not None:
            self._linger.cancel()
        if self.addresses is not None and self._place:
            self.addresses.remove(self._place, self)
        super().connection_lost(exc)
        # A request refers to its connection. If the connection referred to it, too, only a collection of all
        # objects would free both, and there is hardly ever one.
        self.cycle = self.scope = self.headers = None  # type: ignore[assignment]
        self.pipeline.clear()

    def pause_writing(self) -> None:
        """Start the client's time limit for taking output, because the output buffer is full."""
        super().pause_writing()
        self._take_no_more()
        self._taking = self.loop.call_later(TAKE_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Continue, because the client has taken enough output."""
        self._take_no_more()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection, because no further request came."""
        close(self.transport, self.loop)

    def data_received(self, data: bytes) -> None:
        """Parse received data, and count bytes outside bodies. After the last answer, drop the data."""
        if self._linger is not None:
            self._let_go += len(data)
            if self._let_go > LINGER_BYTES:
                close(self.transport, self.loop)
            return
        if self.transfers is not None and self.arrival is None:
            self._keep(data)
        self._unread += len(data)
        super().data_received(data if self._begun or self._has_head else without_upgrade(data))
        if self._unread > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        elif not self._has_head and (self._begun or self._unread) and not self.transport.is_closing():
            # A complete request leaves nothing to wait for: the time of its answer is not counted here.
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """Refuse data that cannot be a request, and close the connection.

        If an earlier request still has no answer, send none: it would be taken for the answer to that
        request.
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
        """Begin a request at its first byte."""
        if len(self.pipeline) >= MAX_WAITING:
            raise _Refused
        self._begun = True
        super().on_message_begin()
        self.scope[ROOM] = self.flow.drain  # type: ignore[typeddict-unknown-key]
        if self._shown:
            # The certificates that the client presented in the handshake, in DER, its own first. Not yet
            # verified.
            self.scope["remit.peer_certificate"] = list(self._shown)  # type: ignore[typeddict-unknown-key]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; drop a trailer (RFC 9110 section 6.5.1).

        The server would take a trailer for a header that a proxy in front of it has not seen as one.
        """
        if self._has_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            raise _Refused
        self._take_header(name, value)

    def on_headers_complete(self) -> None:
        """Accept the head; other limits apply to what follows.

        Keep a target that names its host: the server would drop the host, and serve a request that is meant
        for another one.
        """
        self._check_framing()
        if not self.url.startswith(b"/"):
            self.scope[TARGET] = self.url  # type: ignore[typeddict-unknown-key]
            if self.parser.get_method() == b"CONNECT" or self.url == b"*":
                # The target has no path, and without a path the server ignores the request.
                self.url = b"/"
        self._has_head = True
        self._wait_no_more()
        super().on_headers_complete()
        if self._hands_over and not self.keepable:
            self.cycle.keep_alive = False
        if self._received is not None and not self._offered:
            self._offered = True
            if not self.expect_100_continue:
                self.scope[TRANSFER] = partial(self._transfer, weakref.proxy(self.cycle))  # type: ignore[typeddict-unknown-key]
        # The response has not begun yet.
        self.cycle.transport = SingleWrite(self.transport, self.loop, self._close)  # type: ignore[assignment]
        if self.parser.should_upgrade():
            # `CONNECT`: the following bytes are not a request.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Get ready for the next request."""
        self._unread = 0
        self._begun = self._has_head = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Serve waiting requests; an unread body has as long to end as a head to arrive."""
        if self._linger is not None:
            self.server_state.total_requests += 1
            self.flow.resume_reading()
            return
        self._received = None
        super().on_response_complete()
        if self._has_head and not self.transport.is_closing() and self.cycle.response_complete:
            self._wait()
        if self._hands_over:
            self.settle()

    # To another worker of this machine.

    def _keep(self, data: bytes) -> None:
        """Keep what is received from the beginning of a request on an idle connection."""
        cycle: RequestResponseCycle | None = self.cycle
        if not self._begun and not self._has_head and (cycle is None or self.is_idle):
            self._received, self._offered = data, False
        elif self._received is not None:
            self._received += data
        if self._received is not None and len(self._received) > MAX_RECEIVED_BYTES:
            self._received = None

    async def _transfer(
        self, cycle: RequestResponseCycle, place: str, told: Callable[[bytes], bytes]
    ) -> bool:
        """Have another worker serve a request and what follows, as `gateway.asgi.Transfer` says.

        INVARIANT: nothing is read here meanwhile, and nothing was written for this request.
        """
        received, transfers, transport = self._received, self.transfers, self.transport
        if (
            received is None
            or transfers is None
            or transport.is_closing()
            or transport.get_write_buffer_size()
        ):
            return False
        was_paused, gone = self.flow.read_paused, False
        self.flow.pause_reading()
        try:
            connection = transport.get_extra_info("socket").fileno()
            gone = await transfers.send(connection, place, told(received) + b"\n" + received)
        finally:
            if gone:
                cycle.disconnected = True
                cycle.scope[TRANSFERRED] = True  # type: ignore[typeddict-unknown-key]
                transport.abort()
            elif not was_paused and not transport.is_closing():
                self.flow.resume_reading()
        return gone

    @property
    def is_partial(self) -> bool:
        """Whether nothing is in progress but the arrival of a request."""
        cycle: RequestResponseCycle | None = self.cycle
        if self._linger is not None or self.pipeline:
            return False
        if cycle is None or cycle.response_complete:
            return cycle is None or self._begun or self._has_head
        return self._has_head and not cycle.response_started

    @property
    def is_idle(self) -> bool:
        """Whether all requests are answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return self._linger is None and cycle is not None and cycle.response_complete and not self.pipeline

    # Before this process starts again.

    @property
    def _hands_over(self) -> bool:
        return getattr(self.server_state, "hands_over", False)

    def settle(self) -> None:
        """Hold the connection for the next run if it is idle, and otherwise once its answers are written.

        A request that arrives while it is held waits in the kernel's buffer. A connection that cannot be held
        is closed after its next answer, or after a while without a request.
        """
        cycle: RequestResponseCycle | None = self.cycle
        in_use = self._begun or self._has_head or self._unread or self.pipeline
        if self.transport.is_closing() or self.is_held:
            return
        if self._linger is not None:
            close(self.transport, self.loop)
            return
        if cycle is not None and not cycle.response_complete:
            if not self.keepable:
                cycle.keep_alive = False
            listens = cycle.scope["method"] == "GET" and cycle.scope["path"].startswith(_LISTENING)
            if listens and cycle.response_started:
                close(self.transport, self.loop)
        elif not self.keepable:
            self.loop.call_later(QUIET_S, self._end_if_idle)
        elif not in_use:
            self.transport.pause_reading()
            self._wait_no_more()
            self._unset_keepalive_if_required()
            self.is_held = True

    def release(self) -> socket.socket:
        """Return the socket of a held connection; this run no longer serves it."""
        shared = self.transport.get_extra_info("socket")
        kept = socket.socket(fileno=os.dup(shared.fileno()))
        self.transport.abort()
        return kept

    def _end_if_idle(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if not self._begun and (cycle is None or cycle.response_complete):
            close(self.transport, self.loop)

    def _close(self) -> None:
        """Close after the last answer; while the client still sends, close only once it has stopped.

        A connection that is closed with unread bytes is reset, and the reset discards the answer, often
        before the client has read it (RFC 9112 section 9.6).
        """
        if not self._has_head or self._linger is not None or self.transport.is_closing():
            close(self.transport, self.loop)
            return
        self._linger = self.loop.call_later(LINGER_S, close, self.transport, self.loop)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _turn_away(self, at_once: bool) -> None:
        """Refuse the connection. With `at_once`, as in a flood, without words."""
        if at_once:
            self.transport.abort()
            return
        self.transport.write(_TOO_MANY % (len(_WHY), _WHY))
        self._wait_no_more()
        # What the client sends meanwhile is dropped, so that no reset discards the answer.
        self._linger = self.loop.call_later(LINGER_S, close, self.transport, self.loop)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _check_framing(self) -> None:
        """Refuse a head that two readers could interpret differently.

        The differences are the end of the body (RFC 9112 section 6) and the host (section 3.2).

        The parser alone accepts another version, `Transfer-Encoding: gzip, chunked` and two hosts; and if the
        request asks for another protocol, it takes the body for what comes after the request.
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
