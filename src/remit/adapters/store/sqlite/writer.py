# SPDX-License-Identifier: Apache-2.0
"""Group commit on one file.

Everything except COMMIT runs on the event loop's thread when the batch is formed: checks in memory, leaf
bytes, sealing, and three or four statements for the whole batch. Only COMMIT, which waits for the disk, runs
on a separate thread, and only if it really waits (`durable`). So the two threads meet twice for each batch,
not once for each statement: a thread that steps through statements beside a busy event loop releases the
interpreter lock at every step and waits up to a switch interval to get it back. Figures:
docs/adr/0003-sqlite-store.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

from remit.adapters.store.relational.log_writer import LogWriter
from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.tables import Durability
from remit.adapters.store.relational.writer import GroupWriter, Worker
from remit.adapters.store.sqlite.schema import unavailable
from remit.adapters.store.sqlite.store_path import StorePlace
from remit.core.errors import StoreUnavailable

#: Pages written to the write-ahead log before the background thread copies them into the file.
CHECKPOINT_PAGES = 1000

#: Pages after which a failed copy is retried.
RETRY_PAGES = 100

#: Emptying the log: how long one attempt blocks writes while it waits for a reader, the pause between
#: attempts, and how long the caller waits.
BUSY_MS = 100
EMPTY_EVERY_S = 0.5
EMPTY_WAIT_S = 3.0


class SqliteWriter(GroupWriter):
    """Writes one file."""

    faults = (sqlite3.Error,)
    sole = True

    def __init__(
        self,
        connection: sqlite3.Connection,
        checkpointer: sqlite3.Connection,
        durability: Durability,
        memory: Memory,
        ledger: LogWriter,
        place: StorePlace,
    ) -> None:
        """Take over open connections and the state read from them."""
        super().__init__(connection, memory, ledger, Worker("remit-store-checkpoint"))
        self._sql = connection
        self._checkpointer = checkpointer
        self._place = place
        self._pages = 0
        self._copying = False
        self._copies = contextlib.ExitStack()
        # Writes are blocked while a copy waits for readers.
        self._checkpointer.execute(f"pragma busy_timeout = {BUSY_MS}")
        self._unscrubbed = False
        self._emptying: asyncio.Future[None] | None = None
        self._committer = Worker("remit-store-commit") if durability == "durable" else None

    async def scrub(self) -> None:
        """Empty the write-ahead log, so that deleted data is in neither the log nor the file.

        While another program reads the file, the log stays: after a short pause, emptying is retried beside
        the writes until it succeeds.
        """
        self._unscrubbed = True
        if self._emptying is None or self._emptying.done():
            self._emptying = asyncio.ensure_future(self._empty())
        await asyncio.wait({self._emptying}, timeout=EMPTY_WAIT_S)

    async def _empty(self) -> None:
        while self._unscrubbed:
            self._unscrubbed = False
            if not await self._truncated():
                self._unscrubbed = True
                await asyncio.sleep(EMPTY_EVERY_S)

    async def _truncated(self) -> bool:
        busy: list[int] = []

        def truncate() -> None:
            # The first column states whether a reader or writer was in the way, which is not a fault.
            busy.append(self._checkpointer.execute("pragma wal_checkpoint(truncate)").fetchone()[0])

        with contextlib.suppress(sqlite3.Error), self._place.copying():
            await self.between(truncate)
        return busy == [0]

    async def close(self) -> None:
        """Commit the pending batches, accept no more, and end the threads."""
        if self._emptying is not None:
            self._emptying.cancel()
            await asyncio.wait({self._emptying})
        await super().close()
        if self._committer is not None:
            self._committer.stop()

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._form()
            if self._committer is not None:
                self._committer.do(loop, self._commit, self._finish)
                return
            self._commit()
        except Exception as fault:  # noqa: BLE001 - whatever it is: who waits is told, and others go on
            self._finish(fault)
        else:
            self._finish(None)

    def _form(self) -> None:
        """Apply every unit and write the batch, but do not COMMIT it."""
        self._place.check_before()
        if self._sql.in_transaction:  # left over if a failing disk prevented the rollback
            self._sql.execute("rollback")
        self._sql.execute("begin immediate")
        self._judge_all()
        self._pages += 4 + self._ledger.write()

    def _commit(self) -> None:
        self._sql.execute("commit")
        self._place.check()

    def _unavailable(self, fault: Exception) -> StoreUnavailable:
        return unavailable(fault)

    def _undo(self) -> None:
        self._memory.restore()
        self._ledger.restore()
        with contextlib.suppress(sqlite3.Error):  # `_form` tries again
            if self._sql.in_transaction:
                self._sql.execute("rollback")

    # The write-ahead log is copied into the file in two passes. The first runs beside the commits and copies
    # nearly all of it. The second runs in place of a batch, finds little left, and so completes. Only a
    # complete copy lets the log start again from its beginning, which would never happen under constant
    # writes.

    def _ended(self, fault: Exception | None) -> None:
        if fault is not None:
            # A full disk may hold a long write-ahead log: copying it into the file makes its space usable
            # again.
            self._pages = CHECKPOINT_PAGES
        if self._pages >= CHECKPOINT_PAGES and not self._copying and self._loop is not None:
            self._copying = True
            self._copies.enter_context(self._place.copying())
            self._aside.do(self._loop, self._copy, self._copied)

    def _copy(self) -> None:
        self._checkpointer.execute("pragma wal_checkpoint(passive)").fetchall()

    def _copied(self, _: Exception | None) -> None:
        self._between.append((self._copy, self._copied_rest))
        self._wake()

    def _copied_rest(self, fault: Exception | None) -> None:
        # A fault here loses nothing: the log keeps everything until a later copy succeeds, which is tried
        # soon.
        self._pages = 0 if fault is None else CHECKPOINT_PAGES - RETRY_PAGES
        self._copying = False
        self._copies.close()
        self._next()
