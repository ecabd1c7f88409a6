# SPDX-License-Identifier: Apache-2.0
"""The store on one SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remit.adapters.store.relational.changes import ASSERTION_GRACE
from remit.adapters.store.relational.head import check_head
from remit.adapters.store.relational.ledger import Ledger
from remit.adapters.store.relational.memory import Memory
from remit.adapters.store.relational.moments import micros
from remit.adapters.store.relational.pool import ReadPool
from remit.adapters.store.relational.store import RelationalStore
from remit.adapters.store.relational.subjects import Opener, Subjects
from remit.adapters.store.relational.tables import Durability
from remit.adapters.store.sqlite.lock import lock_file
from remit.adapters.store.sqlite.reads import SqliteReading
from remit.adapters.store.sqlite.schema import open_writer
from remit.adapters.store.sqlite.writer import SqliteWriter
from remit.core.ids import DEFAULT_TENANT, ID_BYTES, make_id
from remit.ports.keys import SealingKeys
from remit.ports.log import HeadKeeper
from remit.ports.runtime import Clock, Entropy


class SqliteStore(RelationalStore):
    """State and evidence in one file, written by this process alone (`ports.store.Store`)."""

    _writer: SqliteWriter

    def __init__(
        self, *, lock: int, connections: tuple[sqlite3.Connection, sqlite3.Connection], **parts: Any
    ) -> None:
        """Put the parts together; `open` makes them."""
        super().__init__(**parts)
        self._lock = lock
        self._connections = connections

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
    ) -> SqliteStore:
        """Open the store at `path`, creating it if there is none.

        `heads` holds the last signed head of each log under `origin(tenant)`. A log that is behind its head
        raises `VerificationFailed`. A file that another process writes raises `StoreUnavailable`, naming that
        process; a file that is no store, or a newer one, raises `ConfigInvalid`. Blocks: call it before the
        event loop has work.
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
            subjects = Subjects(connection, sealing, entropy)
            ledger = Ledger(connection, memory, subjects, incarnation)
            for tenant in {DEFAULT_TENANT, *ledger.tenants()}:
                check_head(
                    connection,
                    tenant,
                    ledger.tree(tenant).size,
                    heads.read(origin(tenant)) if heads else None,
                )
            writer = SqliteWriter(connection, connections[1], durability, memory, ledger)
        except BaseException:
            for opened in connections:
                opened.close()
            os.close(lock)
            raise
        return cls(
            lock=lock,
            connections=(connections[0], connections[1]),
            memory=memory,
            ledger=ledger,
            writer=writer,
            pool=ReadPool(SqliteReading(path)),
            incarnation=incarnation,
            opener=Opener(sealing),
        )

    async def _scrub(self) -> None:
        await self._writer.scrub()

    async def close(self) -> None:
        """Commit what is in hand and close."""
        await super().close()
        for connection in reversed(self._connections):
            connection.close()  # the last one to close copies the write-ahead log into the file
        os.close(self._lock)
