# SPDX-License-Identifier: Apache-2.0
"""Streams as chunks: what is no file by itself, such as a member of an archive or the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.sources.text import text_of_bytes

#: Bytes of a chunk. A stream that is not longer is one chunk.
CHUNK_BYTES: Final = 1 << 20
#: Longest part of a line that waits for its end.
_LONGEST_LINE: Final = 4 << 20


def stream_chunks(read: Callable[[int], bytes], file: str, *, commit: str = "") -> Iterator[FileChunk]:
    """Yield a stream's chunks, which end at the end of a line where that comes; nothing if binary."""
    line, first, rest = 1, True, b""
    while True:
        data = read(CHUNK_BYTES)
        if first and not rest and text_of_bytes(data[:8192]) is None:
            return
        whole = rest + data if rest else data
        if not data:
            yield FileChunk(file=file, content=whole, line=line, first=first, last=True, commit=commit)
            return
        end = whole.rfind(b"\n") + 1
        if not end and len(whole) > _LONGEST_LINE:
            end = len(whole)
        if not end or (first and len(data) < CHUNK_BYTES and len(whole) < CHUNK_BYTES):
            rest = whole
            continue
        part, rest = whole[:end], whole[end:]
        yield FileChunk(file=file, content=part, line=line, first=first, last=False, commit=commit)
        line, first = line + part.count(b"\n"), False


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
