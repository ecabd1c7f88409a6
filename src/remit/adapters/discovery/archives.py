# SPDX-License-Identifier: Apache-2.0
"""Archives as the files in them, read as a stream within strict bounds; nothing is written to disk.

Zip, tar, and what gzip or bzip2 compress. Links and devices are left out; so are sparse, encrypted
and damaged members, which is told. A member's name is only shown, never opened.
"""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Final, Self

from remit.adapters.discovery.streams import stream_chunks
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.scan import SkipReason
from remit.core.safe_text import plain

#: Bounds of one archive with all archives in it.
MAX_BYTES: Final = 1 << 30
MAX_MEMBERS: Final = 100_000
MAX_DEPTH: Final = 3
#: From this size on, an archive may not expand more than so many times.
_FREE_BYTES: Final = 32 << 20
_MOST_RATIO: Final = 200
#: Largest archive inside another one: it is held in memory.
_MAX_INNER: Final = 32 << 20
_MAX_HEADER: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_BZIP: Final = b"BZh"
_ZIP: Final = b"PK\x03\x04"
#: Stored, deflated, and compressed by bzip2.
_ZIP_FORMS: Final = (0, 8, 12)
_FAULTS: Final = (
    OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, tarfile.TarError,
    zipfile.BadZipFile, UnicodeError, OverflowError, KeyError, IndexError,
)  # fmt: skip


class _Spent(Exception):
    """An archive that holds more than its bounds."""


class _Bounds:
    def __init__(self, size: int, missed: set[SkipReason]) -> None:
        self.missed = missed
        self._most = min(MAX_BYTES, max(_FREE_BYTES, size * _MOST_RATIO))
        self._members = MAX_MEMBERS

    def spend(self, data: bytes) -> bytes:
        self._most -= len(data)
        if self._most < 0:
            raise _Spent
        return data

    def member(self) -> None:
        self._members -= 1
        if self._members < 0:
            raise _Spent


def is_archive(head: bytes) -> bool:
    """Return whether a file that begins so is an archive that can be read."""
    return head.startswith((_GZIP, _BZIP, _ZIP)) or head[257:262] == b"ustar"


def archive_chunks(
    source: IO[bytes], file: str, size: int, missed: set[SkipReason] | None = None
) -> Iterator[FileChunk]:
    """Yield the members of an archive of `size` bytes, as files `ARCHIVE!/MEMBER`, up to the first fault.

    `source` can seek. Memory stays at a few chunks, and at 32 MiB for an archive in an archive. Why
    something was left out is added to `missed`.
    """
    bounds = _Bounds(size, missed if missed is not None else set())
    try:
        yield from _members(source, file, bounds, MAX_DEPTH)
    except _Spent:
        bounds.missed.add(SkipReason.LARGE)
    except _FAULTS:
        bounds.missed.add(SkipReason.DAMAGED)


def _members(source: IO[bytes], file: str, bounds: _Bounds, depth: int) -> Iterator[FileChunk]:
    head = source.read(512)
    source.seek(0)
    if head.startswith(_ZIP):
        yield from _zipped(source, file, bounds, depth)
    elif head.startswith((_GZIP, _BZIP)):
        yield from _compressed(source, file, bounds, depth, head)
    elif head[257:262] == b"ustar":
        yield from _tarred(source, file, bounds, depth)


def _compressed(
    source: IO[bytes], file: str, bounds: _Bounds, depth: int, head: bytes
) -> Iterator[FileChunk]:
    opened = gzip.GzipFile(fileobj=source) if head.startswith(_GZIP) else bz2.BZ2File(source)
    with opened:
        inner = io.BufferedReader(_Spending(opened, bounds), 1 << 16)
        begin = inner.peek(512)[:512]
        if begin[257:262] == b"ustar":
            yield from _tarred(inner, file, bounds, depth)
            return
        yield from stream_chunks(inner.read, f"{file}!/{_stem(file)}")


def _zipped(source: IO[bytes], file: str, bounds: _Bounds, depth: int) -> Iterator[FileChunk]:
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            bounds.member()
            if info.is_dir():
                continue
            if info.flag_bits & 1 or info.compress_type not in _ZIP_FORMS:
                bounds.missed.add(SkipReason.ENCRYPTED if info.flag_bits & 1 else SkipReason.FAULTY)
                continue
            # One broken member is not the end of the others; a spent bound is.
            try:
                with archive.open(info) as member:
                    yield from _member(member, f"{file}!/{_shown(info.filename)}", bounds, depth)
            except _FAULTS:
                bounds.missed.add(SkipReason.DAMAGED)


class _SmallHeaders(tarfile.TarInfo):
    """Refuses long headers, which `tarfile` would read into memory at once, and those that would end it."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except (tarfile.TruncatedHeaderError, tarfile.InvalidHeaderError):  # type: ignore[attr-defined]
            raise tarfile.ReadError("no header") from None

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type not in tarfile.REGULAR_TYPES and self.size > _MAX_HEADER:
            raise tarfile.ReadError("long header")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def _tarred(source: IO[bytes], file: str, bounds: _Bounds, depth: int) -> Iterator[FileChunk]:
    with tarfile.open(fileobj=source, mode="r|", tarinfo=_SmallHeaders, errorlevel=0) as archive:
        while (info := archive.next()) is not None:
            bounds.member()
            archive.members = []  # type: ignore[attr-defined] # `tarfile` keeps every member that it has seen
            if info.issparse():
                bounds.missed.add(SkipReason.FAULTY)
            elif info.isreg() and (member := archive.extractfile(info)) is not None:
                yield from _member(member, f"{file}!/{_shown(info.name)}", bounds, depth)


def _member(member: IO[bytes], file: str, bounds: _Bounds, depth: int) -> Iterator[FileChunk]:
    yield from _read(_Spending(member, bounds), file, bounds, depth)


def _read(member: IO[bytes] | io.RawIOBase, file: str, bounds: _Bounds, depth: int) -> Iterator[FileChunk]:
    inner = io.BufferedReader(member, 1 << 16)  # type: ignore[type-var]
    head = inner.peek(512)[:512]
    if not is_archive(head):
        yield from stream_chunks(inner.read, file)
        return
    held = inner.read(_MAX_INNER + 1) if depth > 1 else b""
    if depth <= 1 or len(held) > _MAX_INNER:
        bounds.missed.add(SkipReason.LARGE)
    else:
        yield from _members(io.BytesIO(held), file, bounds, depth - 1)


class _Spending(io.RawIOBase):
    """Reads from a decompressing stream, and counts what comes out of it."""

    def __init__(self, source: IO[bytes] | gzip.GzipFile | bz2.BZ2File, bounds: _Bounds) -> None:
        super().__init__()
        self._source, self._bounds = source, bounds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._bounds.spend(self._source.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)


def _stem(file: str) -> str:
    name = file.rpartition("/")[2]
    stem, _, extension = name.rpartition(".")
    return stem if extension.lower() in ("gz", "bz2", "gzip") and stem else f"{name}.txt"


def _shown(name: str) -> str:
    """Return a member's name as a place shows it: without what climbs or hides."""
    parts = [one for one in plain(name).replace("\\", "/").split("/") if one not in ("", ".", "..")]
    return "/".join(parts)[-400:] or "member"
