# SPDX-License-Identifier: Apache-2.0
"""Group commit on PostgreSQL.

A batch is one transaction on a thread of its own:

1. the turn of each tenant is locked, and what others have committed since is taken in;
2. every unit is judged, on memory that now is the truth, or on tables that nobody else changes meanwhile;
3. leaves, counters and nodes are written, the turn is counted up, and all is committed.

Steps 1 and 3 are one round trip each; step 2 makes one for each look at a table, and none for an ordinary
call. When the connection is lost before COMMIT was sent, nothing of the batch is there, and it is tried once
more. When it is lost after, the database is asked what became of the transaction, so that a unit is not
called lost that was committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from remit.adapters.store.postgres.owners import OwnerBook
from remit.adapters.store.postgres.session import FAULTS, PostgresSession, unavailable
from remit.adapters.store.relational.changes import ForgetSubject
from remit.adapters.store.relational.ledger import Ledger
from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.sql import Rows
from remit.adapters.store.relational.writer import GroupWriter, Worker
from remit.core.errors import Malformed, StoreUnavailable
from remit.ports.store import TakeBudget, Unit

#: Seconds for a whole batch. A server that has stopped answering is broken off then.
BATCH_S = 15.0

#: Seconds after which whoever holds the turn, and says nothing to the server, is looked for.
STUCK_S = 0.25

#: Seconds in which the fate of a commit is asked for, before its callers are told that nobody knows.
DOUBT_S = 5.0

_TURNS = (
    "select tenant, turn, forgot, pg_current_xact_id()::text from turns where tenant = any(?)"
    " order by tenant for update"
)
_ALIVE = "select 1 from replicas where tenant = ? and id = ? and gone = 0"
_WOKE = "select current_setting('remit.woke', true)"
_FIRST_TURN = "insert into turns values (?, 0, '', 0) on conflict do nothing"
_COUNT_TURN = (
    "update turns set turn = turn + 1, writer = ?, forgot = case when ? = 1 then turn + 1 else forgot end"
    " where tenant = ?"
)


class WritingLine:
    """The writer's connection, made anew when it was lost (`relational.sql.Sql`)."""

    def __init__(self, dial: Callable[[], PostgresSession]) -> None:
        """`dial` opens a connection that may write; the first is opened at once."""
        self._dial = dial
        self._session: PostgresSession | None = dial()

    @property
    def session(self) -> PostgresSession:
        """The connection; raises a fault of the database or `StoreUnavailable` where none is to be had."""
        if self._session is None or self._session.lost:
            self.drop()
            self._session = self._dial()
        return self._session

    @property
    def lost(self) -> bool:
        """Whether there is no connection now."""
        return self._session is None or self._session.lost

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement; where the connection was lost, that is its fault and not mended here."""
        if self._session is None:
            raise psycopg.OperationalError("the connection was lost")
        return self._session.execute(query, values)

    def carried_out(self) -> None:
        """Return when every statement so far was carried out; raises what refused one."""
        if self._session is not None:
            self._session.carried_out()

    def drop(self) -> None:
        """Close the connection, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(psycopg.Error):
                session.close()

    def cut(self) -> None:
        """Break it off, from any thread."""
        session = self._session
        if session is not None:
            session.cut()


class PostgresWriter(GroupWriter):
    """Writes one database, beside others who may write it too."""

    faults = FAULTS

    _limit: asyncio.TimerHandle
    _stuck: asyncio.TimerHandle

    def __init__(
        self,
        line: WritingLine,
        memory: Memory,
        ledger: Ledger,
        incarnation: str,
        turns: dict[str, int],
        place: str,
        *,
        wakes: bool = True,
    ) -> None:
        """Take over an open line and what was read over it, as of `turns`; `wakes` as for the store."""
        self._worker = Worker("remit-store-write")
        super().__init__(line, memory, ledger, self._worker)
        self._line = line
        self._incarnation = incarnation
        self._turns = turns
        self._place = place
        self._owners = OwnerBook(line, memory)
        self._changes.also(self._owners.apply)
        #: The tenant for which this writer is a replica; it commits nothing there once it is buried.
        self._member = ""
        #: Told when a batch takes long: another process may have been stopped in its turn.
        self.on_stuck: Callable[[], None] = lambda: None
        self._wakes = wakes
        self._woke = False
        #: Told of commits that others should look at, where the database wakes nobody.
        self.on_woke: Callable[[], None] = lambda: None
        self._transaction = ""  # set while its COMMIT is under way

    @property
    def incarnation(self) -> str:
        """Who writes."""
        return self._incarnation

    def begin_anew(self, incarnation: str, tenant: str) -> None:
        """Write as this incarnation from now on, which is a replica of a tenant; for between two batches."""
        if incarnation != self._incarnation:
            self._ledger.begin_anew(incarnation)
        self._incarnation, self._member = incarnation, tenant

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        self._limit = loop.call_later(BATCH_S, self._cut, loop)
        self._stuck = loop.call_later(STUCK_S, self._held_up, loop)

        def done(fault: Exception | None) -> None:
            self._limit.cancel()
            self._stuck.cancel()
            self._finish(fault)

        self._worker.do(loop, self._transact, done)

    def _held_up(self, loop: asyncio.AbstractEventLoop) -> None:
        self.on_stuck()
        self._stuck = loop.call_later(STUCK_S, self._held_up, loop)

    def _cut(self, loop: asyncio.AbstractEventLoop) -> None:
        self._line.cut()
        self._limit = loop.call_later(BATCH_S, self._cut, loop)  # the second attempt may be as unlucky

    def _transact(self) -> None:
        """Form the batch and commit it; once more on a new connection where the old one was lost early."""
        try:
            self._once()
        except self.faults:
            if not self._line.lost or self._transaction:
                raise
            self._undo()
            self._once()

    def _once(self) -> None:
        self._transaction, self._woke = "", False
        units = [item[0] for item, _ in self._batch]
        tenants = sorted({tenant for unit in units if (tenant := _tenant(unit))})
        forgot = {unit.of_tenant for unit in units if any(map(_forgets, unit.changes))}
        session = self._line.session
        try:
            with session.pipeline():
                for tenant in tenants:
                    if tenant not in self._turns:
                        session.execute(_FIRST_TURN, (tenant,))
                        self._turns[tenant] = 0
                session.execute("begin")
                transaction = self._take_turns(session, tenants)
                for tenant in tenants:
                    self._memory.fetch(tenant, _tasks(units, tenant))
                self._judge_all()
                self._ledger.write()
                for tenant in tenants:
                    values = (self._incarnation, int(tenant in forgot), tenant)
                    session.execute(_COUNT_TURN, values)
                woke = None if self._wakes else session.execute(_WOKE)
                committed = session.execute("commit")
                # From here on only the database knows.
                self._transaction = transaction
                if committed.status != "COMMIT":
                    self._transaction = ""
                    raise psycopg.OperationalError("the server has rolled the transaction back")
                self._woke = woke is not None and bool(woke.fetchone()[0])
        except self.faults:
            if not (self._transaction and self._line.lost and self._was_committed(self._transaction)):
                raise
        for tenant in tenants:
            self._turns[tenant] += 1

    def _take_turns(self, session: PostgresSession, tenants: list[str]) -> str:
        """Lock the tenants' turns and take in what others have committed; give the transaction's number."""
        transaction = ""
        turns = session.execute(_TURNS, (tenants,))
        # INVARIANT: asked while the turn is held. Who is buried has been taken out of the order of commits.
        alive = (
            session.execute(_ALIVE, (self._member, self._incarnation)) if self._member in tenants else None
        )
        for tenant, turn, forgot, transaction in turns:  # noqa: B007
            known = self._turns[tenant]
            if turn < known:
                # INVARIANT: no epoch ever falls. A copy that lacks commits would lift fences.
                raise StoreUnavailable(
                    f"`{self._place}` is behind what was committed to it: transactions are missing",
                    way_out="let the server that has them answer, then start remit again",
                )
            if turn > known:
                self._catch_up(session, tenant, known)
                if forgot > known:
                    self._ledger.let_go_keys(tenant)
                self._turns[tenant] = turn
        if alive is not None and alive.fetchone() is None:
            raise StoreUnavailable(
                "this replica was silent for too long, and others have taken over",
                code="replica-gone",
                way_out="call again; it comes back as a new one within moments",
            )
        return str(transaction)

    def _catch_up(self, session: PostgresSession, tenant: str, known: int) -> None:
        since = (tenant, known)
        fences = session.execute(
            "select scope, epoch, locked from fences where tenant = ? and turn > ?", since
        ).fetchall()
        withdrawn = session.execute(
            "select id from withdrawn where tenant = ? and turn > ?", since
        ).fetchall()
        owners = session.execute(
            "select task, replica, epoch from owners where tenant = ? and turn > ?", since
        ).fetchall()
        self._memory.learn(tenant, fences, [name for (name,) in withdrawn])
        self._owners.learn(tenant, owners)
        self._ledger.catch_up(tenant)

    def _was_committed(self, transaction: str) -> bool:
        """Ask the database what became of a transaction whose COMMIT was not answered."""
        deadline = time.monotonic() + DOUBT_S
        while time.monotonic() < deadline:
            try:
                (state,) = self._line.session.execute(
                    "select pg_xact_status(?::xid8)", (transaction,)
                ).fetchone()
            except Malformed:
                return False  # a server that has never heard of it
            except (*self.faults, StoreUnavailable):
                self._line.drop()
                time.sleep(0.1)
                continue
            if state != "in progress":
                return bool(state == "committed")
            time.sleep(0.05)  # the server has not noticed yet that the old connection is gone
        raise StoreUnavailable(
            "the connection was lost while a commit was under way, and nobody knows yet what became of it",
            way_out="look whether PostgreSQL is up; the log will show it (`remit audit log`)",
        )

    def _undo(self) -> None:
        self._memory.restore()
        self._ledger.restore()
        # Whatever is half-way on it: a new connection begins with nothing.
        self._line.drop()

    def _ended(self, fault: Exception | None) -> None:
        if fault is None and self._woke:
            self.on_woke()

    def _carried_out(self) -> None:
        self._line.carried_out()

    def _unavailable(self, fault: Exception) -> StoreUnavailable:
        return unavailable(fault, place=self._place)


def _tenant(unit: Unit) -> str:
    """Whose unit it is; empty where it does not say, which refuses it later."""
    try:
        return unit.of_tenant
    except ValueError:
        return ""


def _forgets(change: object) -> bool:
    return isinstance(change, ForgetSubject)


def _tasks(units: list[Unit], tenant: str) -> list[str]:
    """Give the tasks of a tenant whose rows a batch looks at."""
    named = dict[str, None]()
    for unit in units:
        if _tenant(unit) == tenant:
            named.update((event.task, None) for event in unit.events if event.task)
            for change in unit.changes:
                if type(change) is TakeBudget:
                    named.update(dict.fromkeys(change.bounds))
    return [task for task in named if "\0" not in task]  # such a unit is refused when it is judged
