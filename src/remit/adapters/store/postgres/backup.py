# SPDX-License-Identifier: Apache-2.0
"""Backup and restore of a store in PostgreSQL."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg

from remit.adapters.store.backup.backup_file import BackupWriter, Row
from remit.adapters.store.backup.backup_rows import Advance, Copied, copy_out, rows_of, types_at
from remit.adapters.store.postgres.schema import MIGRATING, migrate, raise_tables
from remit.adapters.store.postgres.session import SCHEMA, PostgresSession, connect, place_of, unavailable
from remit.adapters.store.relational.sql import Sql
from remit.core.errors import ConfigInvalid, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

#: How the server's list of connections shows a process that serves, and this one.
_SERVING: Final = "remit writer%"
_NAME: Final = "remit backup"
_BUILDING: Final = f"{SCHEMA}_restoring"
_ROWS: Final = 500
#: The server lists a connection for moments after its remit closed it: how long to wait, and between looks.
_CLOSING_S: Final = 2.0
_LOOK_S: Final = 0.05
#: The server's types of SQLite's.
_TYPES: Final = {"text": "text", "integer": "int8", "blob": "bytea"}


def copy_store(url: str, tenant: str, signed: int, out: BackupWriter, advance: Advance) -> tuple[int, Copied]:
    """Write one moment of a store, also while replicas serve from it.

    Returns the version of its schema, and what was written.
    """
    with _reading(url) as session:
        (version,) = session.execute(
            "select coalesce(max(version), 0) from schema_version where part = 'tables'"
        ).fetchone()

        def stream(query: str, values: tuple[Any, ...]) -> Iterable[Row]:
            with session.connection.cursor("copied", binary=True) as cursor:
                cursor.itersize = _ROWS
                cursor.execute(query.replace("?", "%s").encode(), values)
                yield from rows_of(cursor)

        return version, copy_out(stream, tenant, version, signed, out, advance)


def events_in(url: str, tenant: str) -> int:
    """Return the number of events, for a progress bar."""
    with _reading(url) as session:
        return int(session.execute("select count(*) from events where tenant = ?", (tenant,)).fetchone()[0])


def present_at(
    url: str, read: Callable[Concatenate[Sql, str, P], T], tenant: str, *args: P.args, **named: P.kwargs
) -> T | None:
    """Return what is read from a store before it is replaced; `None` if there is none, or it is damaged.

    Raises `StoreUnavailable` if the server cannot be reached.
    """
    with _reading(url) as session:
        if session.execute("select to_regclass('events')::text").fetchone()[0] is None:
            return None
        try:
            return read(session, tenant, *args, **named)
        except psycopg.DatabaseError:
            return None


@contextlib.contextmanager
def _session(url: str, *, reads: bool) -> Iterator[PostgresSession]:
    place = place_of(url)
    try:
        session = connect(url, _NAME, reads=reads)
        try:
            session.run("set statement_timeout = 0; set idle_in_transaction_session_timeout = 0")
            yield session
        finally:
            session.close()
    except psycopg.Error as fault:
        raise unavailable(fault, f"`{place}` cannot be read or written", place=place) from fault


@contextlib.contextmanager
def _reading(url: str) -> Iterator[PostgresSession]:
    with _session(url, reads=True) as session:
        session.run("begin isolation level repeatable read read only")
        yield session


def check_unused(url: str) -> None:
    """Raise `StoreUnavailable` while a remit serves from the database."""
    with _session(url, reads=True) as session:
        _check_unused(session, place_of(url))


def _check_unused(session: PostgresSession, place: str) -> None:
    until = time.monotonic() + _CLOSING_S
    while (serving := _serving(session)) and time.monotonic() < until:
        time.sleep(_LOOK_S)
    if serving:
        raise StoreUnavailable(
            f"{serving} connections of running remits are open at `{place}`",
            remediation="stop every remit of this database first",
        )


def _serving(session: PostgresSession) -> int:
    (found,) = session.execute(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and application_name like ?",
        (_SERVING,),
    ).fetchone()
    return int(found)


class PostgresRestoring:
    """Builds a store in another schema, and then exchanges it with the present one, in one transaction.

    Until that, nothing has changed. The advisory lock keeps a remit from migrating, and so from starting.
    """

    def __init__(self, url: str, schema: int) -> None:
        """Begin with empty tables of a schema version.

        Raises `StoreUnavailable` while a remit serves from the database.
        """
        self._place = place_of(url)
        self._opened = contextlib.ExitStack()
        self._types = types_at(schema)
        try:
            self._session = self._opened.enter_context(_session(url, reads=False))
            self._session.execute("select pg_advisory_lock(?)", (MIGRATING,)).fetchone()
            _check_unused(self._session, self._place)
            self._session.run(
                f"drop schema if exists {_BUILDING} cascade; create schema {_BUILDING};"
                f" set search_path = {_BUILDING}"
            )
            raise_tables(self._session, schema)
            self._session.run("begin")
        except BaseException:
            self.close()
            raise

    def take(self, name: str, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
        """Insert rows of a table."""
        with (
            self._writing(),
            self._session.connection.cursor(binary=True) as cursor,
            cursor.copy(f"copy {name} ({', '.join(columns)}) from stdin (format binary)".encode()) as copying,
        ):
            types = self._types[name]
            copying.set_types([_TYPES[types[column]] for column in columns])
            for row in rows:
                copying.write_row(row)

    def install(self, tenant: str, values: Mapping[str, str], stamp: str) -> str:
        """Complete the store and put it in place; return the schema that keeps the present one.

        `values` are small values, as JSON, that are in it from the first moment on.
        """
        with self._writing():
            for key, body in values.items():
                self._session.execute("insert into kept_values values (?, ?, ?)", (tenant, key, body))
            self._session.run("commit")
            migrate(self._session, self._place, _BUILDING)
            aside = ""
            self._session.run("begin")
            if self._session.execute("select to_regclass(?)::text", (f"{SCHEMA}.events",)).fetchone()[0]:
                self._check_alone(tenant)
                aside = f"{SCHEMA}_before_{stamp}"
                self._session.run(f"alter schema {SCHEMA} rename to {aside}")
            else:
                self._session.run(f"drop schema if exists {SCHEMA}")
            self._session.run(f"alter schema {_BUILDING} rename to {SCHEMA}; commit")
            return aside

    def _check_alone(self, tenant: str) -> None:
        others = self._session.execute(
            f"select count(*) from {SCHEMA}.turns where tenant <> ?",  # noqa: S608 - a name of ours
            (tenant,),
        ).fetchone()[0]
        if others:
            raise ConfigInvalid(
                f"`{self._place}` also holds {others} other tenants, which this backup does not",
                key="store.url",
                remediation="restore into an empty database, and let `store.url` name that",
            )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as fault:
            raise unavailable(fault, f"`{self._place}` cannot be written", place=self._place) from fault

    def close(self) -> None:
        """Release the database; what was not installed is deleted by the next restore."""
        self._opened.close()
