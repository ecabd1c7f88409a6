# SPDX-License-Identifier: Apache-2.0
"""Read-only connections to the file, and checks of a file that another process has open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from remit.adapters.store.relational import reads
from remit.adapters.store.relational.merkle_nodes import check_log
from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.sqlite.schema import open_reader, unavailable
from remit.core.errors import ConfigInvalid, StoreUnavailable
from remit.ports.evidence.log import Head
from remit.ports.store.changes import Pin

P = ParamSpec("P")
T = TypeVar("T")


class SqliteReading:
    """How the read pool reads one file (`relational.pool.Access`)."""

    faults = (sqlite3.Error,)

    def __init__(self, path: Path, check: Callable[[], None]) -> None:
        """Take the file, and `check`, which raises `StoreUnavailable` if the file has been replaced.

        The threads that use connections open them.
        """
        self._path = path
        self._check = check

    def open(self) -> sqlite3.Connection:
        """Open a connection."""
        return open_reader(self._path)

    @contextmanager
    def moment(self, connection: sqlite3.Connection) -> Iterator[Sql]:
        """Provide one transaction for reading."""
        connection.execute("begin")
        try:
            yield connection
        finally:
            connection.execute("commit")
        # Checked after the read, so that data read from another file does not count.
        self._check()

    def lost(self, connection: sqlite3.Connection) -> bool:
        """Return false: unlike a server connection, a file connection is never lost."""
        return False

    def unavailable(self, fault: Exception) -> StoreUnavailable:
        """Return the error that callers see."""
        return unavailable(fault, "the store cannot be read")


class LocalReads:
    """Reads a few rows by key on the event loop's thread.

    Such a read takes some tens of microseconds. Passing it to another thread takes longer, and the result
    arrives one iteration of the event loop later, behind everything that is ready then.
    """

    def __init__(self, reading: SqliteReading) -> None:
        """Take the file; the first read opens the connection."""
        self._reading = reading
        self._connection: sqlite3.Connection | None = None

    def run(self, read: Callable[Concatenate[Sql, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Run `read(connection, ...)`; raises `StoreUnavailable`."""
        try:
            if self._connection is None:
                self._connection = self._reading.open()
            with self._reading.moment(self._connection) as sql:
                return read(sql, *args, **named)
        except sqlite3.Error as fault:
            raise self._reading.unavailable(fault) from fault

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()


def check_at(path: Path, tenant: str, head: Head | None) -> bool:
    """Check a store's file against the signed head of a log as a start does, without opening it for writing.

    Returns as `check_log`.

    Raises `VerificationFailed` where a start would, and `ConfigInvalid` for a file that is not a store.
    """
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as fault:
        raise ConfigInvalid(f"`{path}` cannot be read as a store: {fault}") from None
    try:
        return check_log(connection, tenant, head)
    except sqlite3.Error as fault:
        raise ConfigInvalid(f"`{path}` cannot be read as a store: {fault}") from None
    finally:
        connection.close()


def schema_at(path: Path) -> int:
    """Return the version of a store's schema, without opening it for writing; 0 for a file that is none."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return int(connection.execute("select max(version) from schema_version").fetchone()[0] or 0)
    except sqlite3.Error:
        return 0


def pins_at(path: Path, tenant: str) -> list[Pin]:
    """Return the pins of a store's file without opening it for writing.

    This also works while another process has the file open.

    Returns no pins for a file that does not exist or cannot be read.
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
