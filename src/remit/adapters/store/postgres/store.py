# SPDX-License-Identifier: Apache-2.0
"""The store on one PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from remit.adapters.store.postgres.arrays import put
from remit.adapters.store.postgres.reads import PostgresReading, size, stored_labels_since, tree
from remit.adapters.store.postgres.replica_sql import ALL_BODIES
from remit.adapters.store.postgres.replicas import PostgresFleet
from remit.adapters.store.postgres.schema import migrate
from remit.adapters.store.postgres.session import (
    STATEMENT_TIMEOUT_MS,
    PostgresSession,
    connect,
    place_of,
    unavailable,
)
from remit.adapters.store.postgres.stored_labels import PostgresLabels
from remit.adapters.store.postgres.writer import PostgresWriter
from remit.adapters.store.postgres.writer_connection import WriterConnection
from remit.adapters.store.relational.changes import ASSERTION_GRACE
from remit.adapters.store.relational.log_writer import LogWriter
from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.merkle_nodes import check_head
from remit.adapters.store.relational.pool import ReadPool
from remit.adapters.store.relational.reads import names
from remit.adapters.store.relational.sealed_values import TABLES, SealedValues, seal_old
from remit.adapters.store.relational.state.rows import RestoredRow
from remit.adapters.store.relational.store import RelationalStore
from remit.adapters.store.relational.subject_keys import SealOpener, SubjectKeys
from remit.adapters.store.relational.tables import Durability
from remit.adapters.store.relational.timestamps import micros
from remit.core.flow.stored_labels import StoredLabel
from remit.core.ids import DEFAULT_TENANT, ID_BYTES, make_id
from remit.core.replicas.replica import Replica
from remit.ports.evidence.log import HeadKeeper
from remit.ports.keys import SealingKeys
from remit.ports.runtime import Clock, Entropy

# The owner of a task is the owner of its family's root task.
_OWNED: Final = (
    "with roots as (select task from owners where tenant = ? and replica = ?), families as (select task from"
    " roots union all select l.task from lineage l join roots on roots.task = l.ancestor where l.tenant = ?)"
    " select id from tasks where tenant = ? and state = 'active' and watched = 1"
    " and id in (select task from families)"
)
_UNOWNED: Final = (
    "with roots as (select o.task from owners o join replicas r on r.tenant = o.tenant and r.id = o.replica"
    " where o.tenant = ? and r.gone = 0), families as (select task from"
    " roots union all select l.task from lineage l join roots on roots.task = l.ancestor where l.tenant = ?)"
    " select id from tasks where tenant = ? and state = 'active' and watched = 1"
    " and id not in (select task from families)"
)

#: A row that a change decides by, or changes in part, is not another's to change until the commit.
_HOLD: Final = " for update"


class PostgresStore(RelationalStore):
    """State and evidence in one database (`ports.store.store.Store`)."""

    _writer: PostgresWriter

    def __init__(
        self,
        *,
        line: WriterConnection,
        reading: PostgresReading,
        dial: Callable[[], PostgresSession],
        began: dict[str, int],
        **parts: Any,
    ) -> None:
        """Combine the dependencies; `open` creates them."""
        super().__init__(**parts)
        self._line = line
        self._reading = reading
        self._dial = dial
        self._began = began
        self._at_rest: list[PostgresLabels] = []

    @property
    def writer(self) -> str:
        """The incarnation that writes; a new one replaces it after it was buried."""
        return self._writer.incarnation

    @classmethod
    def open(
        cls,
        url: str,
        *,
        durability: Durability,
        clock: Clock,
        entropy: Entropy,
        sealing: SealingKeys,
        heads: HeadKeeper | None = None,
        origin: Callable[[str], str] = str,
        restored: Mapping[str, Sequence[RestoredRow]] | None = None,
    ) -> PostgresStore:
        """Open the store in the database at `url`, making its tables if there are none.

        `heads` holds the last signed head of each log under `origin(tenant)`. A log that is behind its head
        raises `VerificationFailed`, a newer schema `ConfigInvalid`. Others may have it open too; the database
        wakes them and this process. Blocks: call it before the event loop has work. `restored` are the rows
        of tenants that a restore has just changed.
        """
        place = place_of(url)
        incarnation = make_id("writer", entropy.bytes(ID_BYTES))
        name = f"remit {incarnation}"[:60]

        def dial() -> PostgresSession:
            return connect(url, name, durability)

        try:
            line = WriterConnection(dial)
        except psycopg.Error as fault:
            raise unavailable(fault, f"store `{place}` cannot be opened", place=place) from fault
        try:
            migrate(line.session, place)
            # Read before the logs: other processes keep writing and signing, and a log that was read first
            # could lack what a head covers.
            known = {DEFAULT_TENANT, *(name for (name,) in line.session.execute("select tenant from turns"))}
            signed = {tenant: heads.read(origin(tenant)) for tenant in known} if heads else {}
            subjects = SubjectKeys(line, sealing, entropy)
            line.session.run("begin; set local statement_timeout = 0")
            sealed = seal_old(line, SealedValues(line, subjects), subjects)
            line.session.run("commit")
            if sealed:
                _rewrite(line.session)
            turns, memory, ledger = _read(line, clock, subjects, incarnation)
            for tenant in {DEFAULT_TENANT, *ledger.tenants()}:
                check_head(line, tenant, ledger.tree(tenant).size, head := signed.get(tenant))
                ledger.record.check_gaps(tenant, head.size if head else None)
            ledger.record.check_fences(memory, restored or {})
            line.session.run("commit")
        except psycopg.Error as fault:
            line.drop()
            raise unavailable(fault, f"store `{place}` cannot be opened", place=place) from fault
        except BaseException:
            line.drop()
            raise
        return cls(
            line=line,
            dial=dial,
            began={tenant: turn for tenant, (turn, _) in turns.items()},
            memory=memory,
            ledger=ledger,
            writer=(writer := PostgresWriter(line, memory, ledger, incarnation, turns, place)),
            reading=(reading := PostgresReading(url, name, place, writer.turns)),
            pool=ReadPool(reading),
            incarnation=incarnation,
            opener=SealOpener(sealing),
        )

    async def watched(self, tenant: str, owner: str = "") -> list[str]:
        """Return the active tasks that end on disuse, owned by one replica or by no present replica."""
        if owner:
            return await self._pool.run(names, _OWNED, tenant, owner, tenant, tenant)
        return await self._pool.run(names, _UNOWNED, tenant, tenant, tenant)

    async def size(self, tenant: str) -> int:
        """Return the number of events in the log, of all writers."""
        return await self._pool.run(size, tenant)

    async def root(self, tenant: str) -> tuple[int, bytes]:
        """Return size and Merkle root as currently committed."""
        now = await self._pool.run(tree, tenant)
        return now.size, now.root()

    async def adopt_rows(self, tenant: str, at: datetime, *, vouched: bool = False) -> bool:
        """Record all rows as they are, once no replica of an older version serves any longer."""
        if not vouched and not self.covers_rows(tenant):
            bodies = await self._pool.run(names, ALL_BODIES, tenant)
            if not all(msgspec.json.decode(body, type=Replica).records for body in bodies):
                return False
        return await super().adopt_rows(tenant, at, vouched=vouched)

    def fleet(self, tenant: str, clock: Clock) -> PostgresFleet:
        """Return the replicas of a tenant; this process may join them."""

        async def slowly(tenant: str, upstream: str, turn: int) -> tuple[list[StoredLabel], int]:
            return await self._pool.run(stored_labels_since, tenant, upstream, turn)

        self._at_rest.append(at_rest := PostgresLabels(self._reading.open, slowly))
        return PostgresFleet(
            dial=self._dial,
            tenant=tenant,
            clock=clock,
            memory=self._memory,
            writer=self._writer,
            at_rest=at_rest,
            began=self._began,
            unavailable=self._reading.unavailable,
        )

    async def close(self) -> None:
        """Commit pending units and close."""
        await super().close()
        for one in self._at_rest:
            one.end()
        self._reading.end()
        self._line.drop()


def _rewrite(session: PostgresSession) -> None:
    """Rewrite the tables of sealed texts: an update leaves the old row in a table's file."""
    session.run("set statement_timeout = 0")
    for table in TABLES.values():
        session.run(f"vacuum full {table}")
    session.run(f"set statement_timeout = {STATEMENT_TIMEOUT_MS}")


def _read(
    line: WriterConnection, clock: Clock, subjects: SubjectKeys, incarnation: str
) -> tuple[dict[str, tuple[int, str]], Memory, LogWriter]:
    """Delete what has expired, and load into memory turns, fences and logs, all of one moment.

    The transaction of that moment stays open.
    """
    session = line.session
    session.execute("delete from assertions where expires < ?", (micros(clock.now() - ASSERTION_GRACE),))
    session.execute("delete from withdrawn where expires < ?", (micros(clock.now()),))
    session.run("begin isolation level repeatable read")
    rows = session.execute("select tenant, turn, writer from turns").fetchall()
    turns = {tenant: (turn, taker) for tenant, turn, taker in rows}
    memory = Memory(line)
    return turns, memory, LogWriter(line, memory, subjects, incarnation, clock, put, _HOLD)
