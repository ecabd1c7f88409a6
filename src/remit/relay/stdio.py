# SPDX-License-Identifier: Apache-2.0
"""Lines of bytes on this process's standard streams, for the event loop; for pipes, files and terminals."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import select
import threading
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

#: Maximum length of a line; a longer one is reported and skipped to its end.
MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_CHUNK: Final = 64 * 1024
#: Maximum number of lines to read ahead of their consumer.
_AHEAD: Final = 16

#: Bytes that are kept from each end of a line that is too long.
_KEPT: Final = 512


class LongLine(NamedTuple):
    """The kept parts of a line that was too long: its beginning and its end."""

    head: bytes
    tail: bytes


Give = Callable[[bytes | LongLine | None], None]


class Lines:
    """Lines from a descriptor. A thread reads, because an event loop cannot wait for a regular file or a
    terminal.
    """

    def __init__(self, descriptor: int, limit: int = MAX_LINE_BYTES, *, until: int | None = None) -> None:
        """Keep the descriptor. Reading also ends when the socket `until` is readable.

        Without `until` the descriptor lives as long as this process: nothing can wake its reader.
        """
        self._descriptor = descriptor
        self._limit = limit
        self._until = until
        self._closed = False
        self._giving: concurrent.futures.Future[None] | None = None
        self._reader: threading.Thread | None = None
        self._queue: asyncio.Queue[bytes | LongLine | None] = asyncio.Queue(_AHEAD)

    @property
    def limit(self) -> int:
        """Maximum number of bytes in a line."""
        return self._limit

    async def __aiter__(self) -> AsyncIterator[bytes | LongLine]:
        """Yield each line without its line break, or both ends of a line that was too long, until the stream
        ends.
        """
        loop = asyncio.get_running_loop()
        # A daemon: a thread that waits for a pipe which gets neither data nor an end cannot be woken.
        self._reader = threading.Thread(target=self._read, args=(loop,), name="remit-stdin", daemon=True)
        self._reader.start()
        while True:
            line = await self._queue.get()
            if line is None:
                return
            yield line

    async def close(self) -> None:
        """Close the descriptor after its last reader; the socket `until` is readable."""
        assert self._until is not None
        self._closed = True
        if self._giving is not None:
            self._giving.cancel()
        if self._reader is not None:
            await asyncio.to_thread(self._reader.join)
        os.close(self._descriptor)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        def give(line: bytes | LongLine | None) -> None:
            self._giving = asyncio.run_coroutine_threadsafe(self._queue.put(line), loop)
            if self._closed:
                self._giving.cancel()
            self._giving.result()

        # The event loop, or this object, is closed.
        with contextlib.suppress(
            RuntimeError, OSError, asyncio.CancelledError, concurrent.futures.CancelledError
        ):
            self._split(give)
            give(None)

    def _chunk(self) -> bytes:
        if self._until is not None:
            ready, _, _ = select.select([self._descriptor, self._until], [], [])
            if self._until in ready:
                return b""
        return os.read(self._descriptor, _CHUNK)

    def _split(self, give: Give) -> None:
        held, head = bytearray(), b""  # if head is set, the line is too long, and held is its end
        while chunk := self._chunk():
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                held += part
                if head or len(held) > self._limit:
                    give(LongLine(head or bytes(held[:_KEPT]), bytes(held[-_KEPT:])))
                elif line := bytes(held).strip(b" \t\r"):
                    give(line)
                held.clear()
                head = b""
            held += rest
            if head or len(held) > self._limit:
                head = head or bytes(held[:_KEPT])
                del held[:-_KEPT]
        if head:
            give(LongLine(head, bytes(held)))
        elif line := bytes(held).strip(b" \t\r"):
            give(line)


class LineWriter:
    """Writes whole lines to a descriptor, one after the other; a slow reader delays the writer."""

    def __init__(self, descriptor: int) -> None:
        """Keep the descriptor."""
        self._descriptor = descriptor
        self._turn = asyncio.Lock()
        self._at_work = threading.Lock()
        self._closed = False

    async def write(self, line: bytes) -> None:
        """Write a line; raise `BrokenPipeError` if the reader has closed the stream."""
        async with self._turn:
            await asyncio.to_thread(self._write, line + b"\n")

    def close(self) -> None:
        """Close the descriptor after the line that is being written; return at once."""
        self._closed = True
        # A cancelled writer still writes while the reader is slow. The number of a closed descriptor may be
        # given to another client's stream.
        threading.Thread(target=self._close, name="remit-stdout", daemon=True).start()

    def _close(self) -> None:
        with self._at_work:
            os.close(self._descriptor)

    def _write(self, data: bytes) -> None:
        with self._at_work:
            view = memoryview(data)
            while view:
                if self._closed:
                    raise BrokenPipeError
                view = view[os.write(self._descriptor, view) :]
