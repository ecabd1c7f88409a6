# SPDX-License-Identifier: Apache-2.0
"""Reads one response after another from the bytes of a connection, without doing any I/O.

Framing is read by llhttp (through `httptools`) in its strict mode and never by code of ours. What is added
here only refuses more: llhttp by itself takes `Transfer-Encoding: gzip, chunked`, RTSP responses and other
versions.
"""

from collections import deque
from enum import IntEnum

import httptools
import msgspec

from remit.adapters.upstream.http1.address import Limits
from remit.core.errors import UpstreamFault, UpstreamUnreachable

_CODINGS_TAKEN = frozenset((b"", b"identity"))
_VERSIONS_TAKEN = frozenset(("1.1", "1.0"))
_STATUSES = range(100, 600)
_NEVER_WITH_BODY = frozenset((204, 304))
_WAY_OUT = "check the outcome at the upstream, and repair it"


class ResponseHead(msgspec.Struct, frozen=True):
    """Status and headers of a response; names in lower case, values as they came, in the order they came."""

    status: int
    headers: list[tuple[bytes, bytes]]

    def values(self, name: bytes) -> list[bytes]:
        """Return every value of a header (name in lower case)."""
        return [value for key, value in self.headers if key == name]

    def get(self, name: bytes) -> bytes | None:
        """Return a header's only value, or None if it is absent or given more than once."""
        values = self.values(name)
        return values[0] if len(values) == 1 else None


class Phase(IntEnum):
    """Where a connection is in its exchange. `OVER` is for good: a fault, a close or an abort."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    COMPLETE = 3
    OVER = 4


# A piece below this is put together with the next one.
_SMALL_BYTES = 512
# Names of the module, not of the class: these are looked up a dozen times for each response.
_HEAD, _BODY, _COMPLETE, _OVER = Phase.HEAD, Phase.BODY, Phase.COMPLETE, Phase.OVER


class _Refused(Exception):
    """Stops llhttp from inside a callback; why is in `fault`, or the bytes came after a complete response."""


class ResponseReader:
    """Turns bytes into a head and pieces of a body, or into a fault.

    `phase`, `head`, `chunks` and `fault` are what there is to know after each `feed`. A faulty response is
    faulty as a whole: what arrived of its body and was not taken yet is dropped.
    """

    def __init__(self, origin: str, limits: Limits) -> None:
        """Begin without an exchange."""
        self._origin = origin
        self._limits = limits
        self._max_header_bytes = limits.max_header_bytes
        self._parser = httptools.HttpResponseParser(self)
        self.phase = Phase.IDLE
        self.fault: UpstreamUnreachable | None = None
        self.chunks: deque[bytes] = deque()
        self.expect(head_only=False)

    def expect(self, *, head_only: bool) -> None:
        """Forget the exchange before. `head_only` is for the answer to HEAD."""
        self.head: ResponseHead | None = None
        self.chunks.clear()
        self.unread_bytes = 0
        # INVARIANT: true only after a complete response whose end no other reader could see elsewhere.
        self.reusable = False
        self._head_only = head_only
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._body_bytes = 0
        self._informational = 0
        self._in_informational = False
        self._answered = False
        self._until_close = False
        self._doubtful = False

    def feed(self, data: bytes) -> None:
        """Read what arrived; the phase is `HEAD` or `BODY`."""
        if not self._answered:
            self._answered = True
            if data[:5] != b"HTTP/" and not b"HTTP/".startswith(data):
                self.fail(self._broken("did not answer in HTTP"))
                return
        before = self._body_bytes
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            # If the response ended before the offending byte, it stands; the connection does not.
            self.reusable = False
            if self.phase < _COMPLETE:
                self.fail(self._broken("broke HTTP/1.1", debug=str(error)))
            return
        if self._body_bytes == before and self.phase < _COMPLETE:
            # Status lines, chunk extensions, trailers: bytes that llhttp takes in and gives to nobody.
            self._header_bytes += len(data)
            if self._header_bytes > self._max_header_bytes:
                self.fail(self._too_large("headers", self._max_header_bytes))

    def end(self, how: str, *, orderly: bool) -> None:
        """Settle what is open when no more bytes will come.

        Only an orderly end (FIN, or close_notify under TLS) can end a body that has no other end (RFC 9112
        section 9.8): otherwise whoever can cut the connection could shorten the response.
        """
        if self.phase is _HEAD and not self._answered:
            self.fail(
                UpstreamUnreachable(
                    f"`{self._origin}` {how} without an answer",
                    sent=True,
                    remediation="check the outcome at the upstream",
                )
            )
        elif self.phase is _BODY and self._until_close and orderly:
            self.phase = _COMPLETE
        elif self.phase is _HEAD or self.phase is _BODY:
            self.fail(self._broken(f"{how} in the middle of its response", code="upstream-truncated"))

    def fail(self, fault: UpstreamUnreachable) -> None:
        """Make the response unusable, what arrived of it included."""
        self.fault = fault
        self.phase = _OVER
        self.reusable = False
        self.chunks.clear()

    # llhttp's callbacks. Raising stops the parser; the fault has been set before.

    def on_message_begin(self) -> None:
        """Refuse a second response in the same bytes."""
        if self.phase is not _HEAD:
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is counted and dropped (RFC 9110 section 6.5.1 allows it)."""
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._max_header_bytes:
            raise self._refuse(self._too_large("headers", self._max_header_bytes))
        if self.phase is _HEAD:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Decide whether this head can be trusted to frame its body."""
        status = self._parser.get_status_code()
        if status not in _STATUSES:
            # RFC 9110 section 15: beyond these nobody can pass it on, and what it means nobody says.
            raise self._refuse(self._broken(f"answered with status {status}, which is not an HTTP status"))
        if status < 200:
            self._on_informational(status)
            return
        version = self._parser.get_http_version()
        if version not in _VERSIONS_TAKEN:
            raise self._refuse(self._broken("answered in another version of HTTP"))
        if len(self._headers) > self._limits.max_header_count:
            raise self._refuse(self._too_large("headers", self._limits.max_header_count, unit="lines"))
        self._check_framing(status, version)
        self.head = ResponseHead(status, self._headers)
        # After an answer to HEAD llhttp expects a body, and httptools has no way to tell it better: the
        # response is complete and the connection is not used again.
        self.phase = _COMPLETE if self._head_only else _BODY

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body for whoever reads it."""
        if self.phase is not _BODY:
            raise _Refused
        size = len(piece)
        self._body_bytes += size
        if self._body_bytes > self._limits.max_body_bytes:
            raise self._refuse(self._too_large("body", self._limits.max_body_bytes))
        chunks = self.chunks
        if chunks and len(chunks[-1]) < _SMALL_BYTES:
            # Whoever writes each byte as a chunk of its own has neither memory nor work of ours for each.
            chunks[-1] += piece
        else:
            chunks.append(piece)
        self.unread_bytes += size

    def on_message_complete(self) -> None:
        """End the response, or the informational one before it."""
        if self._in_informational:
            self._in_informational = False
        elif self.phase is _BODY:
            self.phase = _COMPLETE
            self.reusable = self._parser.should_keep_alive() and not self._doubtful

    # Steps of the above.

    def _on_informational(self, status: int) -> None:
        """Drop a 1xx response (RFC 9110 section 15.2), but not without end, and never change protocols."""
        if status == 101:
            raise self._refuse(self._broken("switched protocols without a request"))
        self._informational += 1
        limit = self._limits.max_informational
        if self._informational > limit:
            raise self._refuse(self._too_large("informational responses", limit, unit="in number"))
        self._in_informational = True
        self._headers = []

    def _check_framing(self, status: int, version: str) -> None:
        """Refuse every head whose body two readers could end at different bytes (RFC 9112 section 6)."""
        lengths, length, codings = 0, 0, []
        for name, value in self._headers:
            if name == b"content-length":
                lengths += 1
                # llhttp has taken it for digits (and spaces after them) within 64 bits.
                length = int(value) if len(value) <= 20 else self._limits.max_body_bytes + 1
            elif name == b"transfer-encoding":
                codings.append(value.strip().lower())
            elif name == b"content-encoding" and value.strip().lower() not in _CODINGS_TAKEN:
                raise self._refuse(self._broken("sent a content coding that was not requested"))
        if lengths > 1 or (lengths and codings):
            raise self._refuse(self._broken("framed its response in two ways"))
        if codings and (codings != [b"chunked"] or version != "1.1"):
            raise self._refuse(self._broken("sent a transfer coding other than `chunked`"))
        if status in _NEVER_WITH_BODY or self._head_only:
            # Lawful for 304 and HEAD, but a sender that is wrong about it would let its body follow later.
            self._doubtful = bool(length or codings)
            return
        if length > self._limits.max_body_bytes:
            raise self._refuse(self._too_large("body", self._limits.max_body_bytes))
        self._until_close = not lengths and not codings

    def _refuse(self, fault: UpstreamFault) -> _Refused:
        self.fail(fault)
        return _Refused()

    def _broken(self, what: str, *, debug: str = "", code: str | None = None) -> UpstreamFault:
        return UpstreamFault(
            f"`{self._origin}` {what}", sent=True, remediation=_WAY_OUT, debug=debug, code=code
        )

    def _too_large(self, what: str, limit: int, *, unit: str = "bytes") -> UpstreamFault:
        return UpstreamFault(
            f"the {what} of a response of `{self._origin}` exceed {limit} {unit}",
            sent=True,
            remediation="ask for less, or raise the upstream's limit",
            code="upstream-too-large",
        )
