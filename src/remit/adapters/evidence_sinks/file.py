# SPDX-License-Identifier: Apache-2.0
"""`ports.evidence.sinks.EvidenceSink` by a file that only grows, until another one begins."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from remit.core.errors import SourceUnavailable
from remit.core.evidence.ocsf import ExportLine

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK: Final = 64 * 1024


class FileSink:
    """Appends lines to a file that only remit's user reads.

    A file that has reached `rotate` bytes is renamed to the next free number (`NAME.1`, `NAME.2`, ...), and
    none is ever deleted. With `fsync` the lines are on the disk before a batch counts as taken. A line that a
    crash cut off is removed, because its batch is sent again.
    """

    def __init__(self, path: Path, *, rotate: int, fsync: bool) -> None:
        """Open nothing yet."""
        self._path = path
        self._rotate = rotate
        self._fsync = fsync
        # A separate thread: a disk that hangs delays this sink alone.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="export")

    async def send(self, lines: Sequence[ExportLine]) -> None:
        """Append a batch."""
        batch = b"".join(line.text + b"\n" for line in lines)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._append, batch)
        except OSError as fault:
            raise SourceUnavailable(
                f"`{self._path}` cannot be written: {fault.strerror or fault}",
                code="export-file",
                remediation="see that its folder exists, is writable by remit and has space",
            ) from None

    def _append(self, batch: bytes) -> None:
        opened = os.open(self._path, _FLAGS, 0o600)
        try:
            # Another process that writes here would be a second export under this name.
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size = _whole(opened)
            try:
                _write(opened, batch)
                if self._fsync:
                    os.fsync(opened)
            except OSError:
                os.ftruncate(opened, size)
                raise
            if size == 0 and self._fsync:
                _sync_folder(self._path.parent)
            if size + len(batch) >= self._rotate:
                self._put_aside()
        finally:
            os.close(opened)

    def _put_aside(self) -> None:
        numbers = [
            int(one.suffix[1:])
            for one in self._path.parent.glob(f"{self._path.name}.*")
            if one.suffix[1:].isdecimal()
        ]
        os.rename(self._path, f"{self._path}.{max(numbers, default=0) + 1}")
        if self._fsync:
            _sync_folder(self._path.parent)


def _whole(opened: int) -> int:
    """Cut what follows the last line feed, and return the size."""
    size = end = os.fstat(opened).st_size
    while end:
        start = max(0, end - _CHUNK)
        found = os.pread(opened, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end != size:
        os.ftruncate(opened, end)
    return end


def _write(opened: int, batch: bytes) -> None:
    left = memoryview(batch)
    while left:
        left = left[os.write(opened, left) :]


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
