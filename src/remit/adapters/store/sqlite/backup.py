# SPDX-License-Identifier: Apache-2.0
"""Backup and restore of a store in one SQLite file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from remit.adapters.store.backup.backup_file import BackupWriter
from remit.adapters.store.backup.backup_rows import Advance, Copied, copy_out
from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.relational.tables import MIGRATIONS
from remit.adapters.store.sqlite.lock import lock_file
from remit.adapters.store.sqlite.schema import migrate, open_reader, unavailable
from remit.core.errors import Conflict, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")


def copy_store(
    path: Path, tenant: str, signed: int, out: BackupWriter, advance: Advance
) -> tuple[int, Copied]:
    """Write one moment of a store, also while another process serves from it.

    Returns the version of its schema, and what was written. While this runs, the write-ahead log grows.
    """
    with _reading(path) as connection:
        version = schema_of(connection)
        return version, copy_out(connection.execute, tenant, version, signed, out, advance)


def events_in(path: Path, tenant: str) -> int:
    """Return the number of events, for a progress bar."""
    with _reading(path) as connection:
        return int(
            connection.execute("select count(*) from events where tenant = ?", (tenant,)).fetchone()[0]
        )


def present_at(
    path: Path, read: Callable[Concatenate[Sql, str, P], T], tenant: str, *args: P.args, **named: P.kwargs
) -> T | None:
    """Return what is read from a store before it is replaced; `None` if there is none, or it is damaged."""
    if not path.exists():
        return None
    try:
        with _reading(path) as connection:
            return read(connection, tenant, *args, **named)
    except StoreUnavailable:
        return None


def schema_of(connection: sqlite3.Connection) -> int:
    """Return the version of a store's schema."""
    return int(connection.execute("select max(version) from schema_version").fetchone()[0] or 0)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with contextlib.closing(open_reader(path)) as connection:
            connection.execute("begin")
            yield connection
    except sqlite3.Error as fault:
        raise unavailable(fault, f"`{path}` cannot be read as a store") from fault


def check_unused(path: Path) -> None:
    """Raise `StoreUnavailable` while a remit serves from the store."""
    if path.exists():
        os.close(lock_file(path))


class SqliteRestoring:
    """Builds a store beside the present one, and then puts it in its place.

    The present store stays locked meanwhile, so no remit serves from it. Until `install`, nothing changes.
    """

    def __init__(self, path: Path, schema: int) -> None:
        """Begin with empty tables of a schema version."""
        self._path = path
        self._locks = [lock_file(path)] if path.exists() else []
        self._fresh = path.with_name(f".{path.name}.restoring")
        try:
            for left in (self._fresh, *_beside(self._fresh)):
                left.unlink(missing_ok=True)
            os.close(os.open(self._fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._sql = sqlite3.connect(self._fresh, isolation_level=None)
            # A store that is not complete is never used: a crash deletes it.
            self._sql.executescript(
                "pragma journal_mode=off; pragma synchronous=off; pragma cache_size=-65536"
            )
            self._sql.execute("create table schema_version (version integer not null) strict")
            for version, steps in enumerate(MIGRATIONS[:schema], 1):
                self._sql.executescript(steps)
                self._sql.execute("insert into schema_version values (?)", (version,))
            self._sql.execute("begin")
        except BaseException:
            self.close()
            raise

    def take(self, name: str, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
        """Insert rows of a table."""
        marks = ", ".join("?" * len(columns))
        with self._writing():
            self._sql.executemany(f"insert into {name} ({', '.join(columns)}) values ({marks})", rows)  # noqa: S608

    def install(self, tenant: str, values: Mapping[str, str], stamp: str) -> Path | None:
        """Complete the store and put it in place; return where the present one is kept.

        `values` are small values, as JSON, that are in it from the first moment on. A crash leaves the
        present store, or the new one. INVARIANT: no write-ahead log of the one is ever beside the other,
        because SQLite would copy it in.
        """
        with self._writing():
            for key, body in values.items():
                self._sql.execute("insert into kept_values values (?, ?, ?)", (tenant, key, body))
            self._sql.execute("commit")
            migrate(self._sql, self._fresh)
            self._sql.close()
            _sync(self._fresh)
        aside = self._put_aside(stamp) if self._path.exists() else None
        self._fresh.replace(self._path)
        _sync(self._path.parent)
        return aside

    def _put_aside(self, stamp: str) -> Path:
        aside = self._path.with_name(f"{self._path.name}.before-{stamp}")
        if aside.exists():
            raise Conflict(f"`{aside}` exists already", remediation="move it away")
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self._path)) as present:
            if present.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
                raise StoreUnavailable(
                    f"another program reads `{self._path}`", remediation="let it finish, and try again"
                )
        for place in _beside(self._path):
            if place.exists():
                place.rename(place.with_name(place.name.replace(self._path.name, aside.name, 1)))
        os.link(self._path, aside)
        return aside

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            raise unavailable(fault, f"`{self._fresh}` cannot be written") from fault

    def close(self) -> None:
        """Release the locks, and delete what was not installed."""
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self._sql.close()
        for left in (self._fresh, *_beside(self._fresh)):
            left.unlink(missing_ok=True)
        while self._locks:
            os.close(self._locks.pop())


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
