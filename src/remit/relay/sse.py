# SPDX-License-Identifier: Apache-2.0
"""Reading server-sent events (WHATWG HTML, section 9.2.6), bounded."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Final

MAX_EVENT_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; `retry_ms` is the reconnection delay that the server requests, if any."""

    data: bytes
    id: str = ""
    kind: str = "message"
    retry_ms: int | None = None


class EventTooLarge(ValueError):
    """An event is over the limit; reading the stream cannot continue."""


async def events(chunks: AsyncIterable[bytes], limit: int = MAX_EVENT_BYTES) -> AsyncIterator[ServerEvent]:
    """Yield the events of a stream; text after the last blank line is not an event."""
    data: list[bytes] = []
    size, seen_id, kind, retry_ms = 0, "", "message", None
    async for line in _lines(chunks, limit):
        if not line:
            if data or retry_ms is not None or seen_id:
                yield ServerEvent(b"\n".join(data), seen_id, kind, retry_ms)
            data, size, kind, retry_ms = [], 0, "message", None
            continue
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            size += len(value)
            if size > limit:
                raise EventTooLarge
            data.append(value)
        elif name == b"id" and b"\0" not in value:
            seen_id = value.decode("utf-8", "replace")
        elif name == b"event":
            kind = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            retry_ms = int(value)


async def _lines(chunks: AsyncIterable[bytes], limit: int) -> AsyncIterator[bytes]:
    """Split at CRLF, LF or CR; a CR at the end of a chunk waits for the next chunk."""
    held = bytearray()
    after_cr = False
    async for chunk in chunks:
        start = 0
        for at, byte in _breaks(chunk):
            if at == 0 and after_cr and byte == 10:
                start = 1
                continue
            if byte == 10 and at > 0 and chunk[at - 1] == 13:
                start = at + 1
                continue
            held += chunk[start:at]
            yield bytes(held)
            held.clear()
            start = at + 1
        after_cr = chunk.endswith(b"\r") if chunk else after_cr
        held += chunk[start:]
        if len(held) > limit:
            raise EventTooLarge


def _breaks(chunk: bytes) -> list[tuple[int, int]]:
    """Return the positions of CR and LF."""
    found = []
    for byte in (10, 13):
        at = chunk.find(byte)
        while at >= 0:
            found.append((at, byte))
            at = chunk.find(byte, at + 1)
    return sorted(found)
