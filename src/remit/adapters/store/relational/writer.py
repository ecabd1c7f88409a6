# SPDX-License-Identifier: Apache-2.0
"""Group commit: units that arrive together share one transaction, and each still succeeds or fails alone.

The differences between databases (where statements run, and how the writer waits for them) are in each
subclass's `_write`.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

from remit.adapters.store.relational.changes import IN_MEMORY, Changes, ForgetSubject, PruneEvents
from remit.adapters.store.relational.log_writer import LogWriter
from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.relational.state.changes import AdoptRows
from remit.adapters.store.relational.state.record import NO_ROWS
from remit.core.errors import StoreUnavailable
from remit.ports.store.units import Receipt, Unit

#: Most units in one transaction, so that forming a batch does not delay the event loop for long.
MAX_BATCH = 128

#: Seconds that units without a waiting caller may wait for a unit with one, to share its transaction.
PATIENCE_S = 0.005

NOTHING = Receipt()

Waiting = tuple[Unit, "asyncio.Future[Receipt]"]

Then = Callable[[Exception | None], None]


class Worker:
    """A daemon thread that runs jobs in order and reports each result to the event loop."""

    def __init__(self, name: str) -> None:
        """Start the thread."""
        self._jobs: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, Callable[[], object], Then] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, loop: asyncio.AbstractEventLoop, job: Callable[[], object], then: Then) -> None:
        """Run `job` on the thread; then call `then` on the loop with its fault, if any."""
        self._jobs.put((loop, job, then))

    def stop(self) -> None:
        """Finish the pending jobs and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (order := self._jobs.get()) is not None:
            loop, job, then = order
            fault: Exception | None = None
            try:
                job()
            except Exception as raised:  # noqa: BLE001 - whatever it is: who waits is told, and others go on
                fault = raised
            loop.call_soon_threadsafe(then, fault)


class GroupWriter(ABC):
    """The single writing connection, its queue, and the state that changes with it. For one event loop."""

    #: Faults of the database, which concern the whole batch and not only the unit that met them.
    faults: tuple[type[Exception], ...] = ()
    #: Whether no other process writes, so that memory is current even before a batch begins.
    sole = False

    def __init__(self, connection: Sql, memory: Memory, ledger: LogWriter, aside: Worker) -> None:
        """Take over an open connection and the state read from it; `aside` runs jobs between batches."""
        self._memory = memory
        self._ledger = ledger
        self._changes = Changes(connection, memory, ledger.subjects, ledger.record)
        self._rows = ledger.record
        self._connection = connection
        self._queue: list[Waiting] = []
        self._batch: list[tuple[Waiting, Receipt | Exception]] = []
        # Number of the batch's units that were applied before the batch began.
        self._ahead = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle = True  # nothing is being written, and no batch is scheduled
        self._closed = False
        self._quiet: asyncio.Future[None] | None = None
        # Jobs that run between two batches, while nothing is being written.
        self._between: deque[tuple[Callable[[], object], Then]] = deque()
        self._aside = aside
        self._hurry = False  # a caller waits for a unit in the queue
        self._patience: asyncio.TimerHandle | None = None
        #: The error code for which the last batch with events was not committed; empty if it was.
        self.failing = ""

    @abstractmethod
    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        """Form the pending batch and commit it; make sure that `_finish` is called on the loop."""

    @abstractmethod
    def _undo(self) -> None:
        """Return tables and memory to the state before the batch."""

    @abstractmethod
    def _unavailable(self, fault: Exception) -> StoreUnavailable:
        """Return the error that callers see."""

    def _ended(self, fault: Exception | None) -> None:  # noqa: B027 - most have nothing to see to
        """Do the work that is due after a batch."""

    def _carried_out(self) -> None:  # noqa: B027 - most carry each statement out at once
        """Wait until every statement so far was executed; raise the fault of a refused one."""

    def submit(self, unit: Unit, *, hurry: bool, at_once: bool = False) -> asyncio.Future[Receipt]:
        """Queue a unit; the future gets its receipt, or the fault that refused it.

        Without `hurry`, the unit waits up to `PATIENCE_S` for others: an outcome then needs no separate
        transaction and no separate wait for the disk. With `at_once`, the caller expects no other unit in
        this iteration of the loop, and the batch is formed immediately unless one is being written. The order
        of submission is kept.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        if self._closed:
            future.set_exception(StoreUnavailable("the store is closed", remediation="restart remit"))
            return future
        self._queue.append((unit, future))
        if hurry or len(self._queue) >= MAX_BATCH:
            self._hurry = True
            if at_once and self._idle:
                self._idle = False
                self._turn()
            else:
                self._wake()
        elif self._idle:
            self._wait_for_others()
        return future

    def _wait_for_others(self) -> None:
        if self._patience is None and self._loop is not None:
            self._patience = self._loop.call_later(PATIENCE_S, self._wait_no_more)
        if self.sole and self._queue and self._loop is not None:
            self._loop.call_soon(self._apply_ahead)

    def _wait_no_more(self) -> None:
        self._patience = None
        if self._queue or self._batch:
            self._wake()

    def _apply_ahead(self) -> None:
        """Apply queued units without a waiting caller while the writer is idle.

        The next caller then waits less for its commit.

        INVARIANT: only units that change memory alone, and that are undone with the batch that they join.
        """
        try:
            while self._idle and self._queue and self._ahead < MAX_BATCH and in_memory(self._queue[0][0]):
                item = self._queue.pop(0)
                self._batch.append((item, NOTHING))
                self._batch[-1] = (item, self._judge(item[0]))
                self._ahead += 1
        except Exception as fault:  # noqa: BLE001 - as in a batch: who waits is told, and others go on
            self._finish(fault)

    def _wake(self) -> None:
        """Schedule a batch, not immediately: units submitted in this iteration of the loop share the
        transaction.
        """
        if self._idle and self._loop is not None:
            self._idle = False
            self._loop.call_soon(self._turn)

    async def drained(self) -> None:
        """Wait until everything submitted before has been committed or refused."""
        if self._queue or self._batch or not self._idle:
            if self._quiet is None or self._quiet.done():
                self._quiet = asyncio.get_running_loop().create_future()
            self._wake()
            await self._quiet

    async def between(self, job: Callable[[], object]) -> None:
        """Run a job while nothing is being written; raise what the job raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def tell(fault: Exception | None) -> None:
            if not done.done():
                done.set_exception(fault) if fault else done.set_result(None)
            self._next()

        self._loop = loop
        self._between.append((job, tell))
        self._wake()
        await done

    async def close(self) -> None:
        """Commit the pending units, accept no more, and end the threads. The caller closes the
        connections.
        """
        self._closed = True
        await self.drained()
        self._aside.stop()

    def _turn(self) -> None:
        """Form a batch from the waiting units and commit it."""
        loop = self._loop
        assert loop is not None
        if self._between:
            self._aside.do(loop, *self._between.popleft())
            return
        more = MAX_BATCH - self._ahead
        waiting = self._queue[:more]
        del self._queue[:more]
        self._hurry = bool(self._queue)
        self._batch += [(item, NOTHING) for item in waiting]
        self._write(loop)

    def _judge_all(self) -> None:
        """Apply every unit of the batch that was not applied ahead."""
        ahead, self._ahead = self._ahead, 0
        self._batch[ahead:] = [(item, self._judge(item[0])) for item, _ in self._batch[ahead:]]

    def _judge(self, unit: Unit) -> Receipt | Exception:
        """Apply one unit completely, or undo it and return the error that refused it."""
        mark = self._memory.mark()
        sql = not in_memory(unit)
        if sql:
            self._connection.execute("savepoint unit")
        try:
            outcome: Receipt | Exception = self._apply(unit, sql=sql)
            if sql:
                self._connection.execute("release unit")
        except self.faults:
            raise  # a fault of the database concerns the whole batch
        except Exception as refusal:  # noqa: BLE001 - must not stop the other units
            outcome = refusal
            self._memory.back_to(mark)
            if sql:
                self._connection.execute("rollback to unit")
                self._connection.execute("release unit")
        return outcome

    def _apply(self, unit: Unit, *, sql: bool) -> Receipt:
        tenant = unit.of_tenant
        epochs: dict[str, int] = {}
        before = self._rows.before(tenant, unit.changes) if sql else NO_ROWS
        for change in unit.changes:
            self._changes.apply(tenant, change, epochs)
        if sql:
            # INVARIANT: checked before the unit's events are appended. A refused unit leaves no events.
            self._carried_out()
        rows = self._rows.changed(tenant, before)
        # In doubt a change is marked, though it says nothing: later starts are to doubt, too.
        says = bool(before.sound) and self._rows.in_doubt(tenant)
        events = unit.events
        changes: tuple[Any, ...] = unit.changes if sql else ()
        for one in changes:
            if isinstance(one, AdoptRows):
                rows += self._rows.adopted(tenant, one)
                says = True
            elif isinstance(one, ForgetSubject):
                # A restore leaves out the keys that the log names.
                events = tuple(event.saying(key=str(one.key)) for event in events)
            # The event of a prune binds what the pruned ones said.
            says |= isinstance(one, PruneEvents) and self._rows.begun(tenant)
        if not events and not rows and not says:
            return Receipt((), epochs)
        return Receipt(self._ledger.append(tenant, events, rows, says=says), epochs)

    def _finish(self, fault: Exception | None) -> None:
        """Settle or undo the batch, answer its callers, and go on with the units that arrived in the
        meantime.
        """
        batch, self._batch = self._batch, []
        self._ahead = 0
        if fault is None:
            self._memory.settle()
            self._ledger.settle()
        else:
            self._undo()
        if any(unit.events for (unit, _), _ in batch):
            self.failing = "" if fault is None else self._unavailable(fault).code
        for (_, future), outcome in batch:
            if future.done():
                continue  # its caller stopped waiting; the unit is committed all the same
            if fault is not None:
                future.set_exception(self._unavailable(fault))
            elif isinstance(outcome, Receipt):
                future.set_result(outcome)
            else:
                # Not earlier: the cause of the refusal may be a change of an earlier unit in the same batch.
                future.set_exception(outcome)
        self._ended(fault)
        self._next()

    def _next(self) -> None:
        """Go on in the next iteration of the loop, so that the callers just answered can submit their next
        units.
        """
        awaited = self._quiet is not None and not self._quiet.done()
        left = bool(self._queue or self._batch)
        if self._loop is not None and (self._hurry or self._between or (left and awaited)):
            self._loop.call_soon(self._turn)
            return
        self._idle = True
        if left:
            self._wait_for_others()
        elif self._quiet is not None and awaited:
            self._quiet.set_result(None)


def in_memory(unit: Unit) -> bool:
    """Return whether a unit changes nothing in the database except by its events."""
    return IN_MEMORY.issuperset(map(type, unit.changes))
