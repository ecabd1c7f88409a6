# SPDX-License-Identifier: Apache-2.0
"""Group commit: units that arrive together become one transaction, and each still stands or falls alone.

Everything but COMMIT runs on the event loop's thread, at the moment when the batch is formed: checks in
memory, leaf bytes, sealing, and three or four statements for the whole batch. Only COMMIT, which waits for
the disk, runs on a thread of its own, and only when it really waits (`durable`). So the two threads meet
twice a batch, not once a statement: a thread that steps through statements beside a busy event loop gives up
the interpreter lock at every step and waits up to a switch interval to get it back. Figures:
docs/adr/0003-sqlite-store.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable

from remit.adapters.store.sqlite.changes import IN_MEMORY, Changes
from remit.adapters.store.sqlite.ledger import Ledger
from remit.adapters.store.sqlite.memory import Memory
from remit.adapters.store.sqlite.schema import Durability, unavailable
from remit.core.errors import StoreUnavailable
from remit.ports.store import Receipt, Unit

#: Units in one transaction at most, so that forming a batch does not hold up the event loop for long.
MAX_BATCH = 128

#: Seconds that units which nobody waits for may wait for one that somebody does, to share its transaction.
PATIENCE_S = 0.005

#: Pages written to the write-ahead log before the background copies them into the file.
CHECKPOINT_PAGES = 1000

#: Pages after which a copy that failed is tried again.
RETRY_PAGES = 100

_NOTHING = Receipt()

Waiting = tuple[Unit, "asyncio.Future[Receipt]"]


class Worker:
    """One daemon thread that runs jobs in order and tells the event loop how each went."""

    def __init__(self, name: str) -> None:
        """Start the thread."""
        self._jobs: queue.SimpleQueue[
            tuple[asyncio.AbstractEventLoop, Callable[[], object], Callable[[sqlite3.Error | None], None]]
            | None
        ] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(
        self,
        loop: asyncio.AbstractEventLoop,
        job: Callable[[], object],
        then: Callable[[sqlite3.Error | None], None],
    ) -> None:
        """Run `job` on the thread, then `then` on the loop with the database's fault, if any."""
        self._jobs.put((loop, job, then))

    def stop(self) -> None:
        """Finish the jobs in hand and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (order := self._jobs.get()) is not None:
            loop, job, then = order
            fault: sqlite3.Error | None = None
            try:
                job()
            except sqlite3.Error as raised:
                fault = raised
            loop.call_soon_threadsafe(then, fault)


class Writer:
    """The one writing connection, its queue, and the state that moves with it. Lives on one event loop."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        checkpointer: sqlite3.Connection,
        durability: Durability,
        memory: Memory,
        ledger: Ledger,
    ) -> None:
        """Take over an open connection and what was read from it."""
        self._sql = connection
        self._checkpointer = checkpointer
        self._durable = durability == "durable"
        self._memory = memory
        self._ledger = ledger
        self._changes = Changes(connection, memory, ledger.drop_key, ledger.rewrap_keys)
        self._queue: list[Waiting] = []
        self._batch: list[tuple[Waiting, Receipt | Exception]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle = True  # no COMMIT under way and no turn scheduled
        self._closed = False
        self._quiet: asyncio.Future[None] | None = None
        self._pages = 0
        self._copying = False
        # Jobs that run between two batches, while nothing is being written.
        self._between: deque[tuple[Callable[[], object], Callable[[sqlite3.Error | None], None]]] = deque()
        self._hurry = False  # somebody waits for a unit in the queue
        self._patience: asyncio.TimerHandle | None = None
        self._committer = Worker("remit-store-commit") if self._durable else None
        self._copier = Worker("remit-store-checkpoint")

    def submit(self, unit: Unit, *, hurry: bool) -> asyncio.Future[Receipt]:
        """Queue a unit; the future holds its receipt, or the fault that refused it.

        Without `hurry` it waits up to `PATIENCE_S` for others: an outcome then costs no transaction, and no
        wait for the disk, of its own. The order in which units were submitted is kept.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        if self._closed:
            future.set_exception(StoreUnavailable("the store is closed", way_out="start remit again"))
            return future
        self._queue.append((unit, future))
        if hurry or len(self._queue) >= MAX_BATCH:
            self._hurry = True
            self._wake()
        elif self._idle:
            self._wait_for_others()
        return future

    def _wait_for_others(self) -> None:
        if self._patience is None and self._loop is not None:
            self._patience = self._loop.call_later(PATIENCE_S, self._wait_no_more)

    def _wait_no_more(self) -> None:
        self._patience = None
        if self._queue:
            self._wake()

    def _wake(self) -> None:
        """Begin a turn, not at once: whoever else is ready in this turn of the loop shares the
        transaction.
        """
        if self._idle and self._loop is not None:
            self._idle = False
            self._loop.call_soon(self._turn)

    async def drained(self) -> None:
        """Return when everything that was submitted before has been committed or refused."""
        if self._queue or not self._idle:
            if self._quiet is None or self._quiet.done():
                self._quiet = asyncio.get_running_loop().create_future()
            self._wake()
            await self._quiet

    async def scrub(self) -> None:
        """Empty the write-ahead log, so that what was deleted from the file is in neither."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def truncate() -> None:
            self._checkpointer.execute("pragma wal_checkpoint(truncate)").fetchall()

        def tell(_: sqlite3.Error | None) -> None:
            # If a reader held the log, it is emptied later: by the next copy and the writes after it.
            if not done.done():
                done.set_result(None)
            self._next()

        self._loop = loop
        self._between.append((truncate, tell))
        self._wake()
        await done

    async def close(self) -> None:
        """Commit what is in hand, take no more, and end the threads. The connections are the caller's to
        close.
        """
        self._closed = True
        await self.drained()
        if self._committer is not None:
            self._committer.stop()
        self._copier.stop()

    def _turn(self) -> None:
        """Form a batch from what is waiting and commit it."""
        loop = self._loop
        assert loop is not None
        if self._between:
            self._copier.do(loop, *self._between.popleft())
            return
        waiting = self._queue[:MAX_BATCH]
        del self._queue[:MAX_BATCH]
        self._hurry = bool(self._queue)
        self._batch = [(item, _NOTHING) for item in waiting]
        try:
            self._form(waiting)
            if self._committer is not None:
                self._committer.do(loop, self._commit, self._finish)
                return
            self._commit()
        except Exception as fault:  # noqa: BLE001 - whatever it is: who waits is told, and others go on
            self._finish(fault)
        else:
            self._finish(None)

    def _form(self, waiting: list[Waiting]) -> None:
        """Apply every unit and write the batch, up to but without its COMMIT."""
        if self._sql.in_transaction:  # what a failing disk did not even let us roll back
            self._sql.execute("rollback")
        self._sql.execute("begin immediate")
        self._batch = [(item, self._judge(item[0])) for item in waiting]
        self._pages += 4 + self._ledger.write()

    def _judge(self, unit: Unit) -> Receipt | Exception:
        """Apply one unit whole, or leave nothing of it and give what refused it."""
        mark = self._memory.mark()
        sql = any(type(change) not in IN_MEMORY for change in unit.changes)
        if sql:
            self._sql.execute("savepoint unit")
        try:
            outcome: Receipt | Exception = self._apply(unit)
        except sqlite3.Error:
            raise  # of the database, so of the whole batch
        except Exception as refusal:  # noqa: BLE001 - must not stop the other units
            outcome = refusal
            self._memory.back_to(mark)
            if sql:
                self._sql.execute("rollback to unit")
        if sql:
            self._sql.execute("release unit")
        return outcome

    def _apply(self, unit: Unit) -> Receipt:
        tenant = unit.of_tenant
        epochs: dict[str, int] = {}
        for change in unit.changes:
            self._changes.apply(tenant, change, epochs)
        return Receipt(self._ledger.append(tenant, unit.events) if unit.events else (), epochs)

    def _commit(self) -> None:
        self._sql.execute("commit")

    def _finish(self, fault: Exception | None) -> None:
        """The batch is committed, or it cannot be: tell its callers, and go on with who came meanwhile."""
        batch, self._batch = self._batch, []
        if fault is None:
            self._memory.settle()
            self._ledger.settle()
        else:
            self._undo()
            # A full disk may hold a long write-ahead log: copying it into the file lets it be used again.
            self._pages = CHECKPOINT_PAGES
        for (_, future), outcome in batch:
            if future.done():
                continue  # its caller stopped waiting; what was submitted is committed all the same
            if fault is not None:
                future.set_exception(unavailable(fault))
            elif isinstance(outcome, Receipt):
                future.set_result(outcome)
            else:
                # Not earlier: it may have been refused for what a unit before it in the same batch changed.
                future.set_exception(outcome)
        if self._pages >= CHECKPOINT_PAGES and not self._copying and self._loop is not None:
            self._copying = True
            self._copier.do(self._loop, self._copy, self._copied)
        self._next()

    def _next(self) -> None:
        """Go on in the next turn of the loop, so that those who were just answered can say what comes
        next.
        """
        awaited = self._quiet is not None and not self._quiet.done()
        if self._loop is not None and (self._hurry or self._between or (self._queue and awaited)):
            self._loop.call_soon(self._turn)
            return
        self._idle = True
        if self._queue:
            self._wait_for_others()
        elif self._quiet is not None and awaited:
            self._quiet.set_result(None)

    def _undo(self) -> None:
        """Bring tables and memory back to before the batch."""
        self._memory.restore()
        self._ledger.restore()
        with contextlib.suppress(sqlite3.Error):  # `_form` tries again
            if self._sql.in_transaction:
                self._sql.execute("rollback")

    # The write-ahead log is copied into the file in two passes. The first runs beside the commits and copies
    # nearly all of it. The second takes the place of a batch, finds little left, and so completes: only a
    # complete copy lets the log begin again from its start, which would never come about while somebody
    # always writes.

    def _copy(self) -> None:
        self._checkpointer.execute("pragma wal_checkpoint(passive)").fetchall()

    def _copied(self, _: sqlite3.Error | None) -> None:
        self._between.append((self._copy, self._copied_rest))
        self._wake()

    def _copied_rest(self, fault: sqlite3.Error | None) -> None:
        # A fault here loses nothing: the log keeps everything until a later copy succeeds, and that comes
        # soon.
        self._pages = 0 if fault is None else CHECKPOINT_PAGES - RETRY_PAGES
        self._copying = False
        self._next()
