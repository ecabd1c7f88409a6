# SPDX-License-Identifier: Apache-2.0
"""Reads files in other processes, one for each core."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from threading import Thread
from typing import Final

import msgspec

from remit.adapters.discovery.reading_process import (
    ANSWERS,
    ChunkJob,
    Examination,
    FileJob,
    ReadBounds,
    ReadResult,
    serve,
)
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.scan import SkippedFile, SkipReason
from remit.core.errors import SourceUnavailable
from remit.ports.discovery.scans import ExaminedFile, Outcome, ScanBounds, Work

#: A batch of jobs: this many, or files of this many bytes together.
_BATCH: Final = 48
_BATCH_BYTES: Final = 1 << 20
#: Batches that one process has at hand: it reads one while the next one waits.
_AHEAD: Final = 2
_LOOK_S: Final = 0.5
#: Processes in a row that may be lost before they have answered anything.
_MOST_LOST: Final = 3


class _Reader:
    """One process and the jobs that it has not answered yet, oldest first."""

    def __init__(self, told: bytes, examination: Examination) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._begun = context.RawValue("Q", 0)
        given = (theirs, told, examination, self._begun)
        self.process = context.Process(target=serve, args=given, daemon=True)
        self.process.start()
        theirs.close()
        self.open: deque[Work] = deque()
        self._answered = 0
        self.heard = time.monotonic()
        self.started = False
        self._told: SimpleQueue[list[Work] | None] = SimpleQueue()
        # A thread sends: a process that does not take its jobs must not keep the others waiting.
        self._sender = Thread(target=self._send, daemon=True)
        self._sender.start()

    def give(self, batch: list[Work]) -> None:
        """Send jobs."""
        if not self.open:
            self.heard = time.monotonic()
        self.open.extend(batch)
        self._told.put(batch)

    def answered(self) -> Work:
        """Return the oldest job, which has its answer now."""
        self._answered += 1
        return self.open.popleft()

    def at_hand(self) -> Work | None:
        """Take out the job that the process was at; those before it are read, and not answered yet."""
        at = self._begun.value - self._answered - 1
        if not 0 <= at < len(self.open):
            return None
        one = self.open[at]
        del self.open[at]
        return one

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            while (batch := self._told.get()) is not None:
                self.connection.send_bytes(msgspec.msgpack.encode([_job(one) for one in batch]))

    def end(self) -> None:
        """End the process, and whatever waits for it."""
        self._told.put(None)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.process.close()
        self._sender.join()
        self.connection.close()


class ProcessExaminer:
    """`ports.discovery.scans.FileExaminer`, with at most `processes` processes, started as there is work."""

    def __init__(
        self, key: bytes, examination: Examination, *, processes: int = 0, start_s: float = 30.0
    ) -> None:
        """Take the key of fingerprints. `start_s` is how long a process may take to start."""
        self._key, self._examination = key, examination
        self._most = processes or len(os.sched_getaffinity(0))
        self._start_s = start_s
        self._lost_at_start = 0

    def examine(self, work: Iterable[Work], bounds: ScanBounds) -> Iterator[Outcome]:
        """Yield an outcome for each file and chunk."""
        told = msgspec.msgpack.encode(
            ReadBounds(self._key, bounds.file_bytes, bounds.chunk_bytes, bounds.whole_bytes)
        )
        batches = _batches(work)
        again: deque[Work] = deque()
        readers: list[_Reader] = []
        more = True
        try:
            while True:
                more = self._fill(readers, batches, again, told) if more or again else False
                if not any(one.open for one in readers):
                    if more or again:
                        continue
                    return
                for reader in self._heard(readers):
                    yield from self._answers(reader, readers, again)
                yield from self._stalled(readers, again, bounds.stall_s)
        finally:
            for reader in readers:
                reader.end()

    def _fill(
        self, readers: list[_Reader], batches: Iterator[list[Work]], again: deque[Work], told: bytes
    ) -> bool:
        """Give work to processes that have room; return whether there may be more."""
        while True:
            free = [one for one in readers if len(one.open) <= _BATCH * (_AHEAD - 1)]
            busy = [one for one in readers if one.open]
            if not free and len(readers) >= self._most:
                return True
            # What a lost process had at hand is given one by one: the next fault costs one file.
            batch = [again.popleft()] if again else next(batches, None)
            if batch is None:
                return False
            if (not free or len(busy) == len(readers)) and len(readers) < self._most:
                readers.append(_Reader(told, self._examination))
                free = [readers[-1]]
            reader = min(free, key=lambda one: len(one.open))
            reader.give(batch)

    def _heard(self, readers: list[_Reader]) -> list[_Reader]:
        by_connection = {one.connection: one for one in readers if one.open}
        ready = wait(list(by_connection), timeout=_LOOK_S)
        return [by_connection[one] for one in ready if isinstance(one, Connection)]

    def _answers(self, reader: _Reader, readers: list[_Reader], again: deque[Work]) -> Iterator[Outcome]:
        """Take what a process has answered so far."""
        try:
            while reader.open and reader.connection.poll():
                answers = ANSWERS.decode(reader.connection.recv_bytes())
                reader.heard, reader.started = time.monotonic(), True
                for answer in answers:
                    self._lost_at_start = 0
                    yield _outcome(reader.answered(), answer)
        except (EOFError, OSError, msgspec.DecodeError):
            yield from self._lost(reader, readers, again, SkipReason.BROKEN)

    def _stalled(self, readers: list[_Reader], again: deque[Work], stall_s: float) -> Iterator[Outcome]:
        now = time.monotonic()
        for reader in list(readers):
            patience = stall_s if reader.started else max(self._start_s, stall_s)
            if reader.open and now - reader.heard > patience:
                reader.process.kill()
                yield from self._lost(reader, readers, again, SkipReason.SLOW)

    def _lost(
        self, reader: _Reader, readers: list[_Reader], again: deque[Work], why: SkipReason
    ) -> Iterator[Outcome]:
        """Count the file at hand as lost, and have the others read by another process."""
        readers.remove(reader)
        reader.end()
        one = reader.at_hand()
        if one is not None:
            yield SkippedFile(file=one.file if isinstance(one, FileChunk) else one[0].file, why=why)
        else:
            self._lost_at_start += 1
            if self._lost_at_start > _MOST_LOST:
                raise SourceUnavailable(
                    "the processes that read files do not start",
                    remediation="free some memory, or look for a limit on processes (`ulimit -u`)",
                )
        again.extend(reader.open)


def _job(work: Work) -> FileJob | ChunkJob:
    if isinstance(work, FileChunk):
        return ChunkJob(work)
    found, known = work
    return FileJob(os.fsencode(found.path), found.file, known.digest if known else b"")


def _outcome(work: Work, answer: ReadResult) -> Outcome:
    if isinstance(work, FileChunk):
        if answer.contents is None:
            return SkippedFile(file=work.file, why=answer.why or SkipReason.FAULTY)
        return ExaminedFile(file=work.file, contents=answer.contents, read_bytes=answer.read_bytes)
    found, known = work
    if answer.unchanged and known is not None and answer.stamp is not None:
        return msgspec.structs.replace(known, stamp=answer.stamp)
    if answer.contents is None:
        return SkippedFile(file=found.file, why=answer.why or SkipReason.FAULTY)
    return ExaminedFile(
        file=found.file,
        path=found.path,
        stamp=answer.stamp,
        digest=answer.digest,
        contents=answer.contents,
        read_bytes=answer.read_bytes,
        cut=answer.cut,
        binary=answer.why is SkipReason.BINARY,
    )


def _batches(work: Iterable[Work]) -> Iterator[list[Work]]:
    batch: list[Work] = []
    size = 0
    for one in work:
        batch.append(one)
        size += len(one.content) if isinstance(one, FileChunk) else one[0].stamp.size
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
