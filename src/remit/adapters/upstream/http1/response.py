# SPDX-License-Identifier: Apache-2.0
"""Reads one response after another from the bytes of a connection, without doing any I/O.

llhttp (through `httptools`, in its strict mode) parses the framing, never our own code. The checks here only
refuse more: llhttp itself accepts `Transfer-Encoding: gzip, chunked`, RTSP responses and other versions.
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
    """Status and headers of a response: names in lower case, values unchanged, in their order of arrival."""

    status: int
    headers: list[tuple[bytes, bytes]]

    def values(self, name: bytes) -> list[bytes]:
        """Return every value of a header (name in lower case)."""
        return [value for key, value in self.headers if key == name]

    def get(self, name: bytes) -> bytes | None:
        """Return a header's only value, or None if it is absent or repeated."""
        values = self.values(name)
        return values[0] if len(values) == 1 else None


class Phase(IntEnum):
    """The phase of a connection's exchange. `OVER` is final: a fault, a close or an abort."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    COMPLETE = 3
    OVER = 4


# A piece smaller than this is joined with the next one.
_SMALL_BYTES = 512
# Module globals rather than class attributes: these are looked up a dozen times for each response.
_HEAD, _BODY, _COMPLETE, _OVER = Phase.HEAD, Phase.BODY, Phase.COMPLETE, Phase.OVER


class _Refused(Exception):
    """Stops llhttp from inside a callback. `fault` has the reason, unless the bytes followed a complete
    response.
    """


class ResponseReader:
    """Turns bytes into a head and pieces of a body, or into a fault.

    `phase`, `head`, `chunks` and `fault` are the state after each `feed`. A faulty response is faulty as a
    whole: the pieces of its body that were not taken yet are dropped.
    """

    def __init__(self, origin: str, limits: Limits) -> None:
        """Start without an exchange."""
        self._origin = origin
        self._limits = limits
        self._max_header_bytes = limits.max_header_bytes
        self._parser = httptools.HttpResponseParser(self)
        self.phase = Phase.IDLE
        self.fault: UpstreamUnreachable | None = None
        self.chunks: deque[bytes] = deque()
        self.expect(head_only=False)

    def expect(self, *, head_only: bool) -> None:
        """Reset the state for a new exchange. `head_only` is for the answer to HEAD."""
        self.head: ResponseHead | None = None
        self.chunks.clear()
        self.unread_bytes = 0
        # INVARIANT: true only after a complete response whose end is the same for every other reader.
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
        """Parse the bytes that arrived; the phase is `HEAD` or `BODY`."""
        if not self._answered:
            self._answered = True
            if data[:5] != b"HTTP/" and not b"HTTP/".startswith(data):
                self.fail(self._broken("did not answer in HTTP"))
                return
        before = self._body_bytes
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            # A response that ended before the offending byte stays valid; the connection is not reused.
            self.reusable = False
            if self.phase < _COMPLETE:
                self.fail(self._broken("broke HTTP/1.1", debug=str(error)))
            return
        if self._body_bytes == before and self.phase < _COMPLETE:
            # Status lines, chunk extensions, trailers: bytes that llhttp consumes without a callback.
            self._header_bytes += len(data)
            if self._header_bytes > self._max_header_bytes:
                self.fail(self._too_large("headers", self._max_header_bytes))

    def end(self, how: str, *, orderly: bool) -> None:
        """Complete or fail the pending exchange when no more bytes will arrive.

        Only an orderly end (FIN, or close_notify under TLS) can end a body that has no other end (RFC 9112
        section 9.8). Otherwise an attacker who can cut the connection could shorten the response.
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
        """Make the response unusable, including the part that arrived."""
        self.fault = fault
        self.phase = _OVER
        self.reusable = False
        self.chunks.clear()

    # llhttp's callbacks. Raising stops the parser; the fault is set before.

    def on_message_begin(self) -> None:
        """Refuse a second response in the same bytes."""
        if self.phase is not _HEAD:
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header; a trailer is counted and dropped (RFC 9110 section 6.5.1 permits it)."""
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._max_header_bytes:
            raise self._refuse(self._too_large("headers", self._max_header_bytes))
        if self.phase is _HEAD:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Decide whether the framing of the body by this head can be trusted."""
        status = self._parser.get_status_code()
        if status not in _STATUSES:
            # RFC 9110 section 15: other statuses have no defined meaning and cannot be forwarded.
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
        # After an answer to HEAD llhttp expects a body, and httptools cannot change that: the response is
        # complete and the connection is not used again.
        self.phase = _COMPLETE if self._head_only else _BODY

    def on_body(self, piece: bytes) -> None:
        """Store a piece of the body for the reader."""
        if self.phase is not _BODY:
            raise _Refused
        size = len(piece)
        self._body_bytes += size
        if self._body_bytes > self._limits.max_body_bytes:
            raise self._refuse(self._too_large("body", self._limits.max_body_bytes))
        chunks = self.chunks
        if chunks and len(chunks[-1]) < _SMALL_BYTES:
            # A sender that sends each byte as a separate chunk gets neither memory nor work per chunk.
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

    # Helpers of the methods above.

    def _on_informational(self, status: int) -> None:
        """Drop a 1xx response (RFC 9110 section 15.2), up to a limit; refuse a change of protocols."""
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
                # llhttp has accepted it as digits (and spaces after them) within 64 bits.
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
            # Legal for 304 and HEAD, but a sender in error could send the body later.
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
