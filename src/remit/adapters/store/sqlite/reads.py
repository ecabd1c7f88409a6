# SPDX-License-Identifier: Apache-2.0
"""Connections that only read the file, and a look at one that another process has open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from remit.adapters.store.relational import reads
from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.sqlite.schema import open_reader, unavailable
from remit.core.errors import StoreUnavailable
from remit.ports.store import Pin


class SqliteReading:
    """How the read pool reads one file (`relational.pool.Access`)."""

    faults = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        """Take the file; connections are opened by the threads that use them."""
        self._path = path

    def open(self) -> sqlite3.Connection:
        """Open a connection."""
        return open_reader(self._path)

    @contextmanager
    def moment(self, connection: sqlite3.Connection) -> Iterator[Sql]:
        """Read inside one transaction."""
        connection.execute("begin")
        try:
            yield connection
        finally:
            connection.execute("commit")

    def lost(self, connection: sqlite3.Connection) -> bool:
        """Say that a file is never lost the way a server is."""
        return False

    def unavailable(self, fault: Exception) -> StoreUnavailable:
        """Give the fault that callers see."""
        return unavailable(fault, "the store cannot be read")


def pins_at(path: Path, tenant: str) -> list[Pin]:
    """Give the pins of a store's file without opening it for writing, also while another process has it open.

    A file that is not there, or cannot be read, has none.
    """
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return []
    try:
        return reads.pins(connection, tenant)
    except sqlite3.Error:
        return []
    finally:
        connection.close()
