# SPDX-License-Identifier: Apache-2.0
"""A file in chunks: opened without following links or waiting, and read with little memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Final

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.scan import SkipReason

#: Files of lines: a chunk may end after any of them. Others are one document.
_LINES: Final = frozenset({
    "jsonl", "ndjson", "log", "out", "err", "sql", "csv", "tsv", "txt", "md", "rst", "env", "history", "sh",
    "bash", "zsh", "conf", "cfg", "ini", "properties", "tfvars", "dump", "bak",
})  # fmt: skip
#: A line longer than a chunk is cut behind one of these.
_ENDS: Final = b" \t,;\"'}]\r"
#: Bytes of a file in which a NUL says that it is binary.
HEAD_BYTES: Final = 8192
_BOMS: Final = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")

OPEN_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_NOCTTY", 0)


class NotRead(Exception):
    """A file that is not read, and why."""

    def __init__(self, why: SkipReason) -> None:
        """Keep the reason."""
        super().__init__(why.value)
        self.why = why


def opened(path: bytes) -> tuple[int, os.stat_result]:
    """Return a descriptor of a regular file and its status; raises `NotRead`."""
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except PermissionError:
        raise NotRead(SkipReason.DENIED) from None
    except (FileNotFoundError, NotADirectoryError):
        raise NotRead(SkipReason.GONE) from None
    except OSError:
        # A link where a file was (ELOOP), or a device without a driver (ENXIO).
        raise NotRead(SkipReason.SPECIAL) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotRead(SkipReason.SPECIAL)
    return descriptor, status


def chunks(descriptor: int, file: str, size: int, chunk_bytes: int, whole_bytes: int) -> Iterator[FileChunk]:
    """Yield the chunks of an open file, up to its size when it was opened; raises `NotRead`.

    A file of one document comes whole if it is not larger than `whole_bytes`, any other one by lines.
    """
    by_lines = file.rpartition(".")[2].lower() in _LINES or "_history" in file
    step = chunk_bytes if by_lines or size > whole_bytes else whole_bytes + 1
    left = size

    def read(count: int) -> bytes:
        nonlocal left
        data = _read(descriptor, min(count, left)) if left else b""
        left -= len(data)
        return data

    yield from split(read, file, step)


def split(
    read: Callable[[int], bytes], file: str, step: int, *, longest: int = 0, commit: str = ""
) -> Iterator[FileChunk]:
    """Yield what is read in chunks of about `step` bytes; less than that from `read` is the end.

    A chunk ends behind a line, and inside a line of at least `longest` bytes (a step) behind a word.
    """
    line, first, rest = 1, True, b""
    while True:
        data = read(step)
        whole = rest + data if rest else data
        if len(data) < step:
            yield FileChunk(file=file, content=whole, line=line, first=first, last=True, commit=commit)
            return
        end = _end(whole, full=len(whole) >= (longest or step))
        part, rest = whole[:end], whole[end:]
        if part:
            yield FileChunk(file=file, content=part, line=line, first=first, last=False, commit=commit)
            line, first = line + part.count(b"\n"), False


def _end(data: bytes, *, full: bool) -> int:
    """Return where to cut: behind the last line, else a long line behind a word."""
    newline = data.rfind(b"\n")
    if newline >= 0 or not full:
        return newline + 1
    tail = data[-65_536:]
    word = max(tail.rfind(end) for end in (_ENDS[i : i + 1] for i in range(len(_ENDS))))
    return len(data) - len(tail) + word + 1 if word >= 0 else len(data)


def is_binary(head: bytes) -> bool:
    """Return whether a file that begins so holds no text."""
    return b"\0" in head and not head.startswith(_BOMS)


def _read(descriptor: int, count: int) -> bytes:
    try:
        data = os.read(descriptor, count)
        while len(data) < count and (more := os.read(descriptor, count - len(data))):
            data += more
    except OSError:
        raise NotRead(SkipReason.FAULTY) from None
    return data
