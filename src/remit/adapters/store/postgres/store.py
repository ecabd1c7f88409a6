# SPDX-License-Identifier: Apache-2.0
"""The store on one PostgreSQL database."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from remit.adapters.store.postgres.reads import PostgresReading, size, tree
from remit.adapters.store.postgres.schema import WRITING, migrate
from remit.adapters.store.postgres.session import PostgresSession, connect, place_of, unavailable
from remit.adapters.store.postgres.writer import PostgresWriter, WritingLine
from remit.adapters.store.relational.changes import ASSERTION_GRACE
from remit.adapters.store.relational.head import check_head
from remit.adapters.store.relational.ledger import Ledger
from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.moments import micros
from remit.adapters.store.relational.pool import ReadPool
from remit.adapters.store.relational.reads import events
from remit.adapters.store.relational.store import RelationalStore
from remit.adapters.store.relational.subjects import Opener, Subjects
from remit.adapters.store.relational.tables import Durability
from remit.core.errors import StoreUnavailable
from remit.core.event import Event
from remit.core.ids import DEFAULT_TENANT, ID_BYTES, make_id
from remit.ports.keys import SealingKeys
from remit.ports.log import HeadKeeper
from remit.ports.runtime import Clock, Entropy
from remit.ports.store import Unit

#: Seconds that a connection may take to be noticed as gone by the server: as long is waited for its lock.
PASSING_S = 3.0

_HOLDER = (
    "select a.pid, a.application_name, coalesce(host(a.client_addr), 'this machine')"
    " from pg_locks l join pg_stat_activity a on a.pid = l.pid"
    " where l.locktype = 'advisory' and l.granted and l.objsubid = 1"
    " and l.database = (select oid from pg_database where datname = current_database())"
    " and (l.classid::bigint << 32) | l.objid::bigint = ?"
)


class PostgresStore(RelationalStore):
    """State and evidence in one database (`ports.store.Store`)."""

    _writer: PostgresWriter

    def __init__(self, *, line: WritingLine, reading: PostgresReading, **parts: Any) -> None:
        """Put the parts together; `open` makes them."""
        super().__init__(**parts)
        self._line = line
        self._reading = reading

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
        alone: bool = True,
    ) -> PostgresStore:
        """Open the store in the database at `url`, making its tables if there are none.

        `heads` holds the last signed head of each log under `origin(tenant)`. A log that is behind its head
        raises `VerificationFailed`. With `alone`, a database that another process writes raises
        `StoreUnavailable`, naming that process: what several need besides the store is not there yet. A
        newer schema raises `ConfigInvalid`. Blocks: call it before the event loop has work.
        """
        place = place_of(url)
        incarnation = make_id("writer", entropy.bytes(ID_BYTES))
        name = f"remit {incarnation}"[:60]

        def dial() -> PostgresSession:
            session = connect(url, name, durability)
            try:
                if alone:
                    _take(session, name, place)
            except BaseException:
                session.close()
                raise
            return session

        try:
            line = WritingLine(dial)
        except psycopg.Error as fault:
            raise unavailable(fault, f"store `{place}` cannot be opened", place=place) from fault
        try:
            migrate(line.session, place)
            turns, memory, ledger = _read(line, clock, Subjects(line, sealing, entropy), incarnation)
            for tenant in {DEFAULT_TENANT, *ledger.tenants()}:
                head = heads.read(origin(tenant)) if heads else None
                check_head(line, tenant, ledger.tree(tenant).size, head)
            line.session.run("commit")
        except psycopg.Error as fault:
            line.drop()
            raise unavailable(fault, f"store `{place}` cannot be opened", place=place) from fault
        except BaseException:
            line.drop()
            raise
        return cls(
            line=line,
            memory=memory,
            ledger=ledger,
            writer=PostgresWriter(line, memory, ledger, incarnation, turns, place),
            reading=(reading := PostgresReading(url, name, place)),
            pool=ReadPool(reading),
            incarnation=incarnation,
            opener=Opener(sealing),
        )

    async def size(self, tenant: str) -> int:
        """Give the number of events in the log, whoever wrote them."""
        return await self._pool.run(size, tenant)

    async def root(self, tenant: str) -> tuple[int, bytes]:
        """Give size and Merkle root as committed now."""
        now = await self._pool.run(tree, tenant)
        return now.size, now.root()

    async def unfinished(self, tenant: str) -> list[Event]:
        """Give the permitting decisions that have no `tool.called` after them."""
        # Everything submitted before is committed first, so that no outcome on its way is overlooked.
        await self.commit(Unit(tenant=tenant))
        indexes: list[int] = []
        await self._writer.between(lambda: indexes.extend(self._ledger.unfinished(tenant)))
        return await self._pool.run(events, tenant, indexes)

    async def close(self) -> None:
        """Commit what is in hand and close."""
        await super().close()
        self._reading.end()
        self._line.drop()


def _read(
    line: WritingLine, clock: Clock, subjects: Subjects, incarnation: str
) -> tuple[dict[str, int], Memory, Ledger]:
    """Drop what has run out, and take into memory what is there: turns, fences, logs, all of one moment.

    The transaction of that moment stays open.
    """
    session = line.session
    session.execute("delete from assertions where expires < ?", (micros(clock.now() - ASSERTION_GRACE),))
    session.execute("delete from withdrawn where expires < ?", (micros(clock.now()),))
    session.run("begin isolation level repeatable read")
    turns = dict(session.execute("select tenant, turn from turns").fetchall())
    memory = Memory(line)
    return turns, memory, Ledger(line, memory, subjects, incarnation)


def _take(session: PostgresSession, name: str, place: str) -> None:
    """Take the lock of the one process that writes; it is held as long as the connection."""
    deadline = time.monotonic() + PASSING_S
    while not session.execute("select pg_try_advisory_lock(?)", (WRITING,)).fetchone()[0]:
        holder = session.execute(_HOLDER, (WRITING,)).fetchone()
        if holder and holder[1] == name:
            # A connection of our own that broke, which the server has not noticed yet.
            session.execute("select pg_terminate_backend(?::int)", (holder[0],))
        if time.monotonic() > deadline:
            who = f"`{holder[1]}` from {holder[2]}" if holder else "another process"
            raise StoreUnavailable(
                f"the store `{place}` is in use by {who}",
                way_out="stop that process, or give this one a database of its own",
            )
        time.sleep(0.05)
