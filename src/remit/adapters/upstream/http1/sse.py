# SPDX-License-Identifier: Apache-2.0
"""Reads `text/event-stream` as it arrives (WHATWG HTML section 9.2.6), from pieces cut anywhere.

Data stays bytes: it contains JSON, which the caller decodes strictly.
"""

import msgspec

from remit.core.errors import UpstreamFault

_BOM = b"\xef\xbb\xbf"


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One event. `type` is `message` if it named none."""

    type: bytes
    data: bytes


class EventStream:
    """Turns pieces of an event stream into events, holding at most one event of `max_event_bytes`.

    What a reconnection would need (`id`, `retry`) is not kept.
    """

    def __init__(self, *, max_event_bytes: int) -> None:
        """Start at the beginning of a stream."""
        self._max_event_bytes = max_event_bytes
        self._opening: bytes | None = b""
        self._after_cr = False
        self._line = bytearray()
        self._size_bytes = 0
        self._type = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Read the next piece; return the events that it completed.

        An event without its empty line at the end of the stream is never returned. Raises `UpstreamFault` for
        an event that is too large; the stream is unusable after that.
        """
        if self._opening is not None:
            piece = self._opening + piece
            if len(piece) < len(_BOM) and _BOM.startswith(piece):
                self._opening = piece
                return []
            self._opening = None
            piece = piece.removeprefix(_BOM)
        if not piece:
            return []
        ended_by_cr = piece.endswith(b"\r")
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]  # the second half of a CRLF whose CR has ended the line already
        self._after_cr = ended_by_cr
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *rest = piece.split(b"\n")
        self._count(len(first))
        self._line += first
        events: list[ServerSentEvent] = []
        if rest:
            *lines, tail = [bytes(self._line), *rest]
            for position, line in enumerate(lines):
                if position:
                    self._count(len(line))
                if line:
                    self._take_field(line)
                else:
                    self._dispatch(events)
            self._line = bytearray(tail)
            self._count(len(tail))
        return events

    def _count(self, size_bytes: int) -> None:
        self._size_bytes += size_bytes
        if self._size_bytes > self._max_event_bytes:
            raise UpstreamFault(
                f"an event of the stream exceeds {self._max_event_bytes} bytes",
                sent=True,
                remediation="ask for less, or raise the upstream's limit",
                code="upstream-too-large",
            )

    def _take_field(self, line: bytes) -> None:
        """Read one non-empty line; comments and unknown fields have no effect."""
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value
        elif not name:
            # A comment is not part of an event, so keep-alive comments never fill the limit.
            self._size_bytes -= len(line)

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        """End an event; without data there was none."""
        if self._data:
            events.append(ServerSentEvent(self._type or b"message", b"\n".join(self._data)))
            self._data = []
        self._type = b""
        self._size_bytes = 0
