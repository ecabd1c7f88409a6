# SPDX-License-Identifier: Apache-2.0
"""The process that reads files: it gets places, and answers with what was there, never with text.

INVARIANT: nothing of a file leaves this process but `FileContents`. A fault is told by its kind alone,
standard error is closed, and no core is dumped.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Final, Protocol

import msgspec

from remit.adapters.discovery.expansion import expanded_chunks
from remit.adapters.discovery.file_chunks import HEAD_BYTES, NotRead, chunks, is_binary, opened
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.contents import FileContents, FindsSecrets, ReadsChunks, contents_of, encodable
from remit.core.discovery.scan import SkipReason
from remit.ports.discovery.scans import FileStamp

#: Address space of a reading process: a file that needs more costs itself, not the machine.
MEMORY_BYTES: Final = 3 << 30
#: How old a file's times are before they tell of each change.
_TICK_NS: Final = 20_000_000


class FileJob(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A file to read. `digest` is that of an earlier scan, and empty without one."""

    path: bytes
    file: str
    digest: bytes


class ChunkJob(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A chunk that is at hand, such as a version of a file in a history."""

    chunk: FileChunk


class ReadBounds(msgspec.Struct, frozen=True, array_like=True):
    """What a reading process is told at its start."""

    key: bytes
    file_bytes: int
    chunk_bytes: int
    whole_bytes: int


class ReadResult(msgspec.Struct, frozen=True, array_like=True):
    """The outcome of one job. `why` says why nothing, or not all, was read."""

    contents: FileContents | None = None
    stamp: FileStamp | None = None
    digest: bytes = b""
    read_bytes: int = 0
    unchanged: bool = False
    cut: SkipReason | None = None
    why: SkipReason | None = None


JOBS: Final = msgspec.msgpack.Decoder(list[FileJob | ChunkJob])
ANSWERS: Final = msgspec.msgpack.Decoder(list[ReadResult])
_ENCODER: Final = msgspec.msgpack.Encoder()
#: Says that a process is at work: it started, or read one more chunk.
_ALIVE: Final = _ENCODER.encode(())
#: Outcomes are sent together, but wait no longer than this for one more.
_SENT_AFTER_S: Final = 0.1


class FilesBegun(Protocol):
    """A number in memory that processes share."""

    value: int


class Examination(msgspec.Struct, frozen=True):
    """What examines chunks: functions that a new process can import by their names."""

    read: ReadsChunks
    detectors: Callable[[bytes], FindsSecrets]


def serve(connection: Connection, told: bytes, examination: Examination, begun: FilesBegun) -> None:
    """Answer jobs until the other side closes, and count in `begun`, which both sides see, those begun.

    The detectors are made here, with the key.
    """
    _confine()
    reading = _Reading(connection, msgspec.msgpack.decode(told, type=ReadBounds), examination)
    with contextlib.suppress(EOFError, OSError):
        connection.send_bytes(_ALIVE)
        while True:
            results: list[ReadResult] = []
            sent = time.monotonic()
            for job in JOBS.decode(connection.recv_bytes()):
                begun.value += 1
                results.append(reading.outcome(job))
                if time.monotonic() - sent > _SENT_AFTER_S:
                    connection.send_bytes(_encoded(results))
                    results, sent = [], time.monotonic()
            connection.send_bytes(_encoded(results))


def _encoded(results: list[ReadResult]) -> bytes:
    try:
        return _ENCODER.encode(results)
    except UnicodeEncodeError:
        return _ENCODER.encode(
            [
                msgspec.structs.replace(one, contents=encodable(one.contents)) if one.contents else one
                for one in results
            ]
        )


def _confine() -> None:
    """Let a fault of this process write nothing, and use no more than its share."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    silent = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for stream in (1, 2):
        os.dup2(silent, stream)
    sys.excepthook = lambda *fault: None


class _Reading:
    """One process at work."""

    def __init__(self, connection: Connection, bounds: ReadBounds, examination: Examination) -> None:
        self._connection, self._bounds = connection, bounds
        self._read, self._detectors = examination.read, examination.detectors(bounds.key)

    def outcome(self, job: FileJob | ChunkJob) -> ReadResult:
        """Return the outcome of a job; whatever a reader or detector raises is one."""
        try:
            if isinstance(job, FileJob):
                return self._file(job)
            contents = contents_of((job.chunk,), self._read, self._detectors)
            return ReadResult(contents=contents, read_bytes=len(job.chunk.content))
        except NotRead as fault:
            return ReadResult(why=fault.why)
        except MemoryError:
            return ReadResult(why=SkipReason.LARGE)
        except Exception:  # noqa: BLE001 - what a hostile file meets in a reader costs this file alone
            return ReadResult(why=SkipReason.FAULTY)

    def _file(self, job: FileJob) -> ReadResult:
        bounds = self._bounds
        descriptor, status = opened(job.path)
        try:
            stamp = stamp_of(status, time.time_ns())
            size = min(status.st_size, bounds.file_bytes)
            missed: set[SkipReason] = set()
            parts = expanded_chunks(descriptor, os.fsdecode(job.path), job.file, size, missed)
            if parts is None and is_binary(os.pread(descriptor, HEAD_BYTES, 0)):
                return ReadResult(contents=FileContents(), stamp=stamp, why=SkipReason.BINARY)
            digest = self._digest(descriptor, size)
            if digest == job.digest:
                return ReadResult(stamp=stamp, digest=digest, unchanged=True, read_bytes=size)
            os.lseek(descriptor, 0, os.SEEK_SET)
            if parts is None:
                parts = chunks(descriptor, job.file, size, bounds.chunk_bytes, bounds.whole_bytes)
            contents = contents_of(self._alive(parts), self._read, self._detectors)
        finally:
            os.close(descriptor)
        cut = (
            SkipReason.LARGE
            if size < status.st_size
            else next((one for one in SkipReason if one in missed), None)
        )
        return ReadResult(contents=contents, stamp=stamp, digest=digest, read_bytes=size, cut=cut)

    def _digest(self, descriptor: int, size: int) -> bytes:
        """Return the keyed digest of a file; another scan compares it with that of the file as it is then."""
        hashed = hashlib.blake2b(key=self._bounds.key, digest_size=16)
        os.lseek(descriptor, 0, os.SEEK_SET)
        while size > 0 and (data := os.read(descriptor, min(size, self._bounds.chunk_bytes))):
            hashed.update(data)
            size -= len(data)
            if size > 0:
                self._connection.send_bytes(_ALIVE)
        return hashed.digest()

    def _alive(self, parts: Iterator[FileChunk]) -> Iterator[FileChunk]:
        for number, part in enumerate(parts):
            if number:
                self._connection.send_bytes(_ALIVE)
            yield part


def stamp_of(status: os.stat_result, now_ns: int) -> FileStamp:
    """Return the stamp of a file; that of a file that was just changed equals no later one.

    Times of files are coarse: a second change in the same tick leaves them as they are.
    """
    fresh = now_ns - max(status.st_mtime_ns, status.st_ctime_ns) < _TICK_NS
    return FileStamp(status.st_size, status.st_mtime_ns, 0 if fresh else status.st_ctime_ns, status.st_ino)
