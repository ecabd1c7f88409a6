# SPDX-License-Identifier: Apache-2.0
"""Group commit on PostgreSQL.

An ordinary batch, of calls whose tasks are in use, is checked against memory and sent as one transaction
(`loop_connection`). Its one statement advances the turn if memory is current at that turn, and does nothing
otherwise (`store_claim`). If other processes write too, the server places the batch behind their events,
which this writer need not know. If the statement did nothing, or if a unit reads tables, the batch is a
transaction on a separate thread:

1. the turn of each tenant is locked, and what others have committed since is read;
2. every unit is checked against memory, which is now current, or against tables that no other writer can
   change;
3. leaves, counters and nodes are written, the turn is advanced, and the transaction is committed.

Steps 1 and 3 are one round trip each; step 2 makes one for each read of a table, and none for an ordinary
call. If the connection is lost before COMMIT was sent, nothing of the batch is stored, and it is tried once
more. If the connection is lost later, or during the single round trip, the database is asked for the outcome
of the transaction (`commit_outcome`), so that no committed unit is reported as lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import psycopg

from remit.adapters.store.postgres.commit_outcome import FIRST_TURN, asked, by_leaf, by_turn
from remit.adapters.store.postgres.loop_connection import Heard, LoopConnection, Statement
from remit.adapters.store.postgres.owners import TaskOwners
from remit.adapters.store.postgres.placed_batch import Judged, place_of, placed
from remit.adapters.store.postgres.session import FAULTS, PostgresSession, behind, is_loss, unavailable
from remit.adapters.store.postgres.store_claim import StoreClaim, on_record, whole
from remit.adapters.store.postgres.units import first_of, forgets, tasks_of, tenant_of, touched_by
from remit.adapters.store.postgres.writer_connection import WriterConnection
from remit.adapters.store.relational.inserts import COUNTERS, DATA_BLOCKS, EVENTS, HISTORY, NODES
from remit.adapters.store.relational.log_writer import LogWriter
from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.state.rows import rows_where
from remit.adapters.store.relational.writer import GroupWriter, Worker, in_memory
from remit.core.errors import StoreUnavailable
from remit.ports.store.units import Receipt

#: Seconds for a whole batch. After that the connection to an unresponsive server is cut.
BATCH_S = 15.0

#: Seconds after which the writer looks for a process that holds the turn and is silent.
STUCK_S = 0.25

#: Seconds in which the outcome of a commit is looked up, before its callers learn that it is unknown.
DOUBT_S = 5.0

#: Batches without another writer's turn between them, before one claims a certain turn again.
CALM = 8

_TURNS = (
    "select tenant, turn, writer, forgot, pg_current_xact_id()::text from turns where tenant = any(?)"
    " order by tenant for update"
)
_ALIVE = "select 1 from replicas where tenant = ? and id = ? and gone = 0"
_COUNT_TURN = (
    "update turns set turn = turn + 1, writer = ?, forgot = case when ? = 1 then turn + 1 else forgot end"
    " where tenant = ?"
)


class PostgresWriter(GroupWriter):
    """Writes one database, which other processes may write too."""

    faults = FAULTS

    _limit: asyncio.TimerHandle
    _stuck: asyncio.TimerHandle

    def __init__(
        self,
        line: WriterConnection,
        memory: Memory,
        ledger: LogWriter,
        incarnation: str,
        turns: dict[str, tuple[int, str]],
        place: str,
    ) -> None:
        """Take over an open line and what was read over it, as of `turns`."""
        self._worker = Worker("remit-store-write")
        super().__init__(line, memory, ledger, self._worker)
        self._line = line
        self._incarnation = incarnation
        #: By tenant, the last known turn, the writer that took it, and the turn as of which tables were read.
        self._turns = {tenant: turn for tenant, (turn, _) in turns.items()}
        self._read = dict(self._turns)
        self._takers = {tenant: taker for tenant, (_, taker) in turns.items()}
        self._place = place
        self._owners = TaskOwners(line, memory)
        self._changes.also(self._owners.apply)
        #: The tenant for which this writer is a replica; it commits nothing there after it was buried.
        self._member = ""
        #: Called when a batch takes long: another process may have been stopped while it held the turn.
        self.on_stuck: Callable[[], None] = lambda: None
        self._transaction = ""  # set while its COMMIT is in progress
        self._trip = LoopConnection()
        #: Number of batches that the server places, because others have just written.
        self._wary = 0
        #: For a batch that was sent: its tenant, its first event (index and leaf hash), whether it is placed.
        self._sent: tuple[str, tuple[int, bytes] | None, bool] | None = None

    @property
    def incarnation(self) -> str:
        """The incarnation under whose name this writer commits."""
        return self._incarnation

    def turns(self) -> dict[str, int]:
        """Return, by tenant, the least turn that the store has reached; callable from any thread."""
        return dict(self._turns)

    def begin_anew(self, incarnation: str, tenant: str) -> None:
        """Write from now on as this incarnation, a replica of a tenant. Call it between two batches."""
        if incarnation != self._incarnation:
            self._ledger.begin_anew(incarnation)
        self._incarnation, self._member = incarnation, tenant

    def read_again(self, tenant: str, turn: int) -> None:
        """Read with the next batch what was committed since a turn. Call it between two batches."""
        self._read[tenant] = min(turn, self._read.get(tenant, 0))

    async def close(self) -> None:
        """Commit the pending batches, accept no more, and end the threads."""
        await super().close()
        self._trip.let_go()

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        self._limit = loop.call_later(BATCH_S, self._cut, loop)
        self._stuck = loop.call_later(STUCK_S, self._held_up, loop)

        def done(fault: Exception | None) -> None:
            self._limit.cancel()
            self._stuck.cancel()
            self._finish(fault)

        def told(answer: Heard) -> None:
            assert self._sent is not None
            if self._sent[2]:
                if place := place_of(answer):
                    self._placed(tenant, *place)
                    done(None)
                    return
            elif on_record(answer):
                self._took(tenant)
                done(None)
                return
            self._trip.let_go()
            self._worker.do(loop, lambda: self._begin_again(answer), done)

        tenant = self._ordinary()
        if tenant and self._send(loop, tenant, told):
            return
        self._trip.let_go()
        self._worker.do(loop, self._transact, done)

    def _ordinary(self) -> str:
        """Return the tenant of a batch that memory alone can check; empty for any other batch."""
        if self._line.lost:
            return ""
        memory, ledger, owners = self._memory, self._ledger, self._owners
        one = ""
        for (unit, _), _ in self._batch:
            tenant = tenant_of(unit)
            if (
                not tenant
                or (one and tenant != one)
                or not in_memory(unit)
                # Its caller may rely on what others have written, which a placed batch does not read.
                or (self._wary and not unit.events)
                or not all(memory.knows((tenant, task)) for task in touched_by(unit))
                or not ledger.can_seal(unit.events)
                or not owners.knows(tenant, unit.changes)
            ):
                return ""
            one = tenant
        turn = self._turns.get(one)
        return one if turn and (self._wary or turn == self._read[one]) else ""

    def _send(self, loop: asyncio.AbstractEventLoop, tenant: str, told: Callable[[Heard], None]) -> bool:
        """Check the batch and send it as one statement; return whether that was possible."""
        try:
            self._judge_all()
            if statements := self._statements_of(tenant):
                self._trip.send(loop, self._line.session, statements, told, within_s=BATCH_S)
                return True
        except Exception:  # noqa: BLE001 - whatever it is, the thread will meet it and tell who waits
            self._take_back()
            return False
        self._take_back()
        return False

    def _statements_of(self, tenant: str) -> Sequence[Statement]:
        """Return the statements that write the checked batch; empty if its outcome could not be looked up, or
        if it says rows of state.
        """
        rows, counters, history = self._ledger.rows, self._ledger.counters(), self._ledger.history()
        if ((counters or history) and not rows) or self._ledger.says_rows:
            return ()
        first = first_of(rows)
        self._sent = (tenant, first, bool(self._wary))
        # INVARIANT: a buried replica has no live row, and commits nothing.
        me = self._incarnation if tenant == self._member else ""
        claim = StoreClaim(tenant, self._turns[tenant], self._incarnation, me, self._takers[tenant])
        marks = self._ledger.marks()
        tables = ((EVENTS, rows), (COUNTERS, counters), (HISTORY, history), (DATA_BLOCKS, marks))
        if not self._wary:
            nodes = [one for node in self._ledger.grow() for one in node]
            return whole(claim, (*tables, (NODES, nodes)))
        size, seen, events = self._ledger.known(tenant)
        before = {task: one for (_, task), one in self._memory.changed.items()}
        judged = Judged(self._read[tenant], seen, size, events, before)
        return placed(claim, judged, tables) if first and judged.fits else ()

    def _begin_again(self, answer: Heard) -> None:
        """Handle a batch that was sent as one statement and is not committed, or whose outcome is unknown."""
        assert self._sent is not None
        tenant, first, behind_others = self._sent
        if not answer.lost:
            self._wary = CALM
            if answer.refused:
                self._line.rollback()
        elif behind_others and first:
            at = asked(self._line, by_leaf(tenant, first, self._incarnation), DOUBT_S)
            if at is not None:
                self._placed(tenant, self._turns[tenant], at)
                return
        elif asked(self._line, by_turn(tenant, self._turns[tenant], first, self._incarnation), DOUBT_S):
            self._took(tenant)
            return
        self._take_back()
        self._transact()

    def _took(self, tenant: str) -> None:
        """Record that this writer advanced the turn and that memory is current at it."""
        self._turns[tenant] += 1
        self._read[tenant] = self._turns[tenant]
        self._takers[tenant] = self._incarnation

    def _placed(self, tenant: str, turn: int, first: int) -> None:
        """Record that the server has placed the batch from index `first` on; `turn` is the least it took."""
        known = self._turns[tenant]
        if turn == known + 1 and self._read[tenant] == known:
            self._read[tenant] = turn
        self._wary = self._wary - 1 if turn == known + 1 else CALM
        if turn > known:
            self._turns[tenant], self._takers[tenant] = turn, self._incarnation
        if by := self._ledger.move(tenant, first):
            self._batch = [
                (item, Receipt(tuple(index + by for index in told.indexes), told.epochs))
                if isinstance(told, Receipt)
                else (item, told)
                for item, told in self._batch
            ]

    def _take_back(self) -> None:
        self._memory.restore()
        self._ledger.restore()

    def _held_up(self, loop: asyncio.AbstractEventLoop) -> None:
        self.on_stuck()
        self._stuck = loop.call_later(STUCK_S, self._held_up, loop)

    def _cut(self, loop: asyncio.AbstractEventLoop) -> None:
        self._line.cut()
        self._limit = loop.call_later(BATCH_S, self._cut, loop)  # the second attempt may hang too

    def _transact(self) -> None:
        """Form the batch and commit it; try once more on a new connection if the old one was lost early."""
        try:
            self._once()
        except self.faults as fault:
            if not (self._line.lost or is_loss(fault)) or self._transaction:
                raise
            self._undo()
            self._once()

    def _once(self) -> None:
        self._transaction = ""
        units = [item[0] for item, _ in self._batch]
        tenants = sorted({tenant for unit in units if (tenant := tenant_of(unit))})
        forgot = {unit.of_tenant for unit in units if any(map(forgets, unit.changes))}
        session = self._line.session
        try:
            with session.pipeline():
                for tenant in tenants:
                    if not self._turns.setdefault(tenant, 0):
                        # While the turn is 0: the row may have vanished with a lost transaction.
                        session.execute(FIRST_TURN, (tenant,))
                session.execute("begin")
                transaction = self._take_turns(session, tenants)
                for tenant in tenants:
                    self._memory.fetch(tenant, tasks_of(units, tenant))
                self._judge_all()
                self._ledger.write()
                for tenant in tenants:
                    values = (self._incarnation, int(tenant in forgot), tenant)
                    session.execute(_COUNT_TURN, values)
                # From here on only the database knows the outcome: a failed send may still have reached it.
                self._transaction = transaction
                committed = session.execute("commit")
                if committed.status != "COMMIT":
                    self._transaction = ""
                    raise psycopg.OperationalError("the server has rolled the transaction back")
        except self.faults as fault:
            if not (self._transaction and (self._line.lost or is_loss(fault))):
                raise
            if not asked(self._line, self._fate(tenants), DOUBT_S):
                self._transaction = ""
                self._line.drop()
                raise
        for tenant in tenants:
            self._took(tenant)
        self._wary = max(0, self._wary - 1)
        session.tidy()

    def _fate(self, tenants: list[str]) -> Callable[[PostgresSession], bool]:
        """Return the look for the transaction whose COMMIT was in progress."""
        rows = self._ledger.rows
        tenant = rows[0] if rows else tenants[0]
        return by_turn(tenant, self._turns[tenant], first_of(rows), self._incarnation, self._transaction)

    def _take_turns(self, session: PostgresSession, tenants: list[str]) -> str:
        """Lock the tenants' turns and read what others have committed; return the transaction's number."""
        transaction = ""
        turns = session.execute(_TURNS, (tenants,))
        # INVARIANT: checked while the turn is held. A buried replica is excluded from the order of commits.
        alive = (
            session.execute(_ALIVE, (self._member, self._incarnation)) if self._member in tenants else None
        )
        met = 0
        for tenant, turn, taker, forgot, transaction in turns:  # noqa: B007
            met += 1
            known = self._turns[tenant]
            if turn < known or (turn == known and taker != self._takers.get(tenant, "")):
                # INVARIANT: no epoch ever falls. A copy that lacks commits would lift fences, even a copy
                # that was written to since.
                raise behind(self._place)
            if turn > known:
                self._wary = CALM + 1
            read = self._read.setdefault(tenant, 0)
            if turn > read:
                self._catch_up(session, tenant, read)
                if forgot > read:
                    self._ledger.let_go_keys(tenant)
                self._turns[tenant], self._takers[tenant], self._read[tenant] = turn, taker, turn
        if met < len(tenants):
            # INVARIANT: nothing is checked without the turn.
            raise behind(self._place)
        if alive is not None and alive.fetchone() is None:
            raise StoreUnavailable(
                "this replica was silent for too long; other replicas have taken over",
                code="replica-gone",
                remediation="call again; it soon returns as a new replica",
            )
        return str(transaction)

    def _catch_up(self, session: PostgresSession, tenant: str, known: int) -> None:
        since = (tenant, known)
        # First the log, which says what the fences must be.
        if not self._ledger.catch_up(tenant):
            raise behind(self._place)
        record = self._ledger.record
        fences = rows_where(session, record.secret(tenant), tenant, "fences", "turn > ?", known)
        withdrawn = session.execute(
            "select id from withdrawn where tenant = ? and turn > ?", since
        ).fetchall()
        owners = session.execute(
            "select task, replica, epoch from owners where tenant = ? and turn > ?", since
        ).fetchall()
        sound = [one.row for one in fences if record.agrees(tenant, one)]
        self._memory.learn(tenant, [(s, e, bool(x)) for s, e, x in sound], [name for (name,) in withdrawn])
        for one in fences:
            if not record.agrees(tenant, one):
                self._memory.distrust(tenant, one.place[1][0])
        self._owners.learn(tenant, owners)

    def _undo(self) -> None:
        self._take_back()
        # Discard its unfinished state: a new connection starts clean.
        self._line.drop()

    def _carried_out(self) -> None:
        self._line.carried_out()

    def _unavailable(self, fault: Exception) -> StoreUnavailable:
        return unavailable(fault, place=self._place)
