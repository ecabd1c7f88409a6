# SPDX-License-Identifier: Apache-2.0
"""The store on one SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from remit.adapters.store.relational import reads
from remit.adapters.store.relational.changes import ASSERTION_GRACE
from remit.adapters.store.relational.checks import checks
from remit.adapters.store.relational.log_writer import LogWriter
from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.merkle_nodes import check_head
from remit.adapters.store.relational.pool import ReadPool
from remit.adapters.store.relational.sealed_values import SealedValues, seal_old
from remit.adapters.store.relational.state.rows import RestoredRow
from remit.adapters.store.relational.store import RelationalStore
from remit.adapters.store.relational.subject_keys import SealOpener, SubjectKeys
from remit.adapters.store.relational.tables import Durability
from remit.adapters.store.relational.timestamps import micros
from remit.adapters.store.sqlite.lock import lock_file
from remit.adapters.store.sqlite.reads import LocalReads, SqliteReading
from remit.adapters.store.sqlite.schema import open_writer
from remit.adapters.store.sqlite.store_path import StorePlace
from remit.adapters.store.sqlite.writer import SqliteWriter
from remit.core.decisions.approval import Approval
from remit.core.identity.principals import Person
from remit.core.ids import DEFAULT_TENANT, ID_BYTES, make_id
from remit.core.tasks.task import Task
from remit.ports.evidence.log import HeadKeeper
from remit.ports.keys import SealingKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Credential

#: Most rows that are read on the event loop's thread; another thread reads larger results.
FEW: Final = 16


class SqliteStore(RelationalStore):
    """State and evidence in one file, which only this process writes (`ports.store.store.Store`)."""

    _writer: SqliteWriter

    def __init__(
        self,
        *,
        lock: int,
        connections: tuple[sqlite3.Connection, sqlite3.Connection],
        here: LocalReads,
        **parts: Any,
    ) -> None:
        """Combine the dependencies; `open` creates them."""
        super().__init__(**parts)
        self._lock = lock
        self._connections = connections
        self._here = here

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        durability: Durability,
        clock: Clock,
        entropy: Entropy,
        sealing: SealingKeys,
        heads: HeadKeeper | None = None,
        origin: Callable[[str], str] = str,
        restored: Mapping[str, Sequence[RestoredRow]] | None = None,
    ) -> SqliteStore:
        """Open the store at `path`; create it if it does not exist.

        `heads` holds the last signed head of each log under `origin(tenant)`. A log that is behind its head
        raises `VerificationFailed`. A file that another process writes raises `StoreUnavailable`, which names
        that process; a file that is not a store, or a newer one, raises `ConfigInvalid`. Blocks: call it
        before the event loop has work. `restored` are the rows of tenants that a restore has just changed.
        """
        lock = lock_file(path)
        connections: list[sqlite3.Connection] = []
        try:
            connections.append(open_writer(path, durability))
            connections.append(open_writer(path, durability))
            connection = connections[0]
            connection.execute(
                "delete from assertions where expires < ?", (micros(clock.now() - ASSERTION_GRACE),)
            )
            connection.execute("delete from withdrawn where expires < ?", (micros(clock.now()),))
            incarnation = make_id("writer", entropy.bytes(ID_BYTES))
            memory = Memory(connection)
            subjects = SubjectKeys(connection, sealing, entropy)
            ledger = LogWriter(connection, memory, subjects, incarnation, clock)
            for tenant in {DEFAULT_TENANT, *ledger.tenants()}:
                head = heads.read(origin(tenant)) if heads else None
                check_head(connection, tenant, ledger.tree(tenant).size, head)
                ledger.record.check_gaps(tenant, head.size if head else None)
            ledger.record.check_fences(memory, restored or {})
            connection.execute("begin immediate")
            seal_old(connection, SealedValues(connection, subjects), subjects)
            connection.execute("commit")
            # Removes the plain texts sealed just now, and data of subjects forgotten while a reader kept the
            # log busy.
            connection.execute("pragma wal_checkpoint(truncate)").fetchall()
            place = StorePlace(path)
            writer = SqliteWriter(connection, connections[1], durability, memory, ledger, place)
        except BaseException:
            for opened in connections:
                opened.close()
            os.close(lock)
            raise
        reading = SqliteReading(path, place.check)
        return cls(
            lock=lock,
            connections=(connections[0], connections[1]),
            here=LocalReads(reading),
            memory=memory,
            ledger=ledger,
            writer=writer,
            pool=ReadPool(reading),
            incarnation=incarnation,
            opener=SealOpener(sealing),
        )

    # The lookups for ending a task, and for identifying the caller, stay on the event loop's thread.

    async def signed_in(self, tenant: str, digest: str) -> tuple[Credential, Person] | None:
        """Return a credential by the digest of its secret, expired or not, and its person."""
        record = self._ledger.record
        found = self._here.run(checks.signed_in, record.secret(tenant), tenant, digest)
        if all(record.agrees(tenant, row) for row, _ in found):
            return checks.both([value for _, value in found])
        return await super().signed_in(tenant, digest)

    async def task_to_end(self, tenant: str, id: str) -> Task | None:
        """Return a task, whether or not it is as the log says."""
        return self._here.run(reads.task, self._opener, tenant, id)

    async def with_descendants(self, tenant: str, task: str) -> list[Task]:
        """Return a task, followed by all its descendants."""
        found = self._here.run(reads.with_descendants, self._opener, tenant, task, FEW)
        return found if len(found) <= FEW else await super().with_descendants(tenant, task)

    async def open_approvals(self, tenant: str, tasks: Sequence[str]) -> list[Approval]:
        """Return the approvals of some tasks that were not answered, or whose answer was not used."""
        if len(tasks) > FEW:
            return await super().open_approvals(tenant, tasks)
        found = self._here.run(reads.open_approvals, self._opener, tenant, tuple(tasks), FEW)
        return found if len(found) < FEW else await super().open_approvals(tenant, tasks)

    async def _scrub(self) -> None:
        await self._writer.scrub()

    async def close(self) -> None:
        """Commit pending units and close."""
        await super().close()
        self._here.close()
        for connection in reversed(self._connections):
            connection.close()  # the last connection to close copies the write-ahead log into the file
        os.close(self._lock)
