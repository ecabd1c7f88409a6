# SPDX-License-Identifier: Apache-2.0
"""Streams as chunks: what is no file by itself, such as a member of an archive or the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from remit.adapters.discovery.file_chunks import HEAD_BYTES, split
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.sources.text import text_of_bytes

#: Bytes of a chunk. A stream that is not longer is one chunk.
CHUNK_BYTES: Final = 1 << 20
#: A line of so many bytes is cut behind a word.
_LONGEST_LINE: Final = 4 << 20


def stream_chunks(read: Callable[[int], bytes], file: str, *, commit: str = "") -> Iterator[FileChunk]:
    """Yield a stream's chunks; nothing if it is binary. Less from `read` than asked for is its end."""
    head = read(HEAD_BYTES)
    if text_of_bytes(head) is None:
        return

    def whole(count: int) -> bytes:
        nonlocal head
        begin, head = head, b""
        return begin + read(count - len(begin)) if len(begin) in (0, HEAD_BYTES) else begin

    yield from split(whole, file, CHUNK_BYTES, longest=_LONGEST_LINE, commit=commit)


def row_chunks(rows: Iterable[tuple[int, dict[str, object]]], file: str) -> Iterator[FileChunk]:
    """Yield numbered rows as JSON lines: the line is the row's number."""
    parts: list[bytes] = []
    size, begin, first = 0, 1, True
    for number, row in rows:
        if not parts:
            begin = number
        parts.append(msgspec.json.encode(row))
        size += len(parts[-1])
        if size >= CHUNK_BYTES:
            yield FileChunk(file=file, content=b"\n".join(parts), line=begin, first=first, last=False)
            parts, size, first = [], 0, False
    if parts:
        yield FileChunk(file=file, content=b"\n".join(parts), line=begin, first=first)
