# SPDX-License-Identifier: Apache-2.0
"""Read-only connections, and functions that inspect a store without opening it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import msgspec
import psycopg

from remit.adapters.store.postgres import replica_sql
from remit.adapters.store.postgres.schema import OLDEST
from remit.adapters.store.postgres.session import (
    FAULTS,
    PostgresSession,
    behind,
    connect,
    place_of,
    unavailable,
)
from remit.adapters.store.relational import reads
from remit.adapters.store.relational.merkle_nodes import check_log, frontier, stored_size
from remit.adapters.store.relational.sql import Sql
from remit.core.errors import StoreUnavailable
from remit.core.evidence.merkle import Frontier
from remit.core.flow.stored_labels import StoredLabel
from remit.ports.evidence.log import Head
from remit.ports.store.changes import Pin

#: Seconds for one read. After that the connection to an unresponsive server is cut.
READ_S = 15.0

#: Loopback addresses: nothing leaves the machine.
_HERE = ("127.0.0.1", "::1")


class PostgresReading:
    """How the read pool reads a database (`relational.pool.Access`)."""

    faults = FAULTS

    def __init__(self, url: str, name: str, place: str, turns: Callable[[], Mapping[str, int]]) -> None:
        """Take the address, and `turns`, which returns the least turn that each tenant's state has reached.

        The threads that use connections open them.
        """
        self._turns = turns
        self._url = url
        self._name = name
        self._place = place
        self._since: dict[PostgresSession, float] = {}
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="remit-store-watch", daemon=True).start()

    def _watch(self) -> None:
        """Cut the connections whose read has waited too long for the server."""
        while not self._ended.wait(min(1.0, READ_S)):
            late = time.monotonic() - READ_S
            for session, since in list(self._since.items()):
                if since < late:
                    session.cut()

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()

    def open(self) -> PostgresSession:
        """Open a connection."""
        return connect(self._url, self._name, reads=True)

    @contextmanager
    def moment(self, connection: PostgresSession) -> Iterator[Sql]:
        """Provide one transaction on one snapshot for reading."""
        self._since[connection] = time.monotonic()
        known = self._turns()
        try:
            with connection.pipeline():
                connection.execute("begin isolation level repeatable read")
                turns = connection.execute("select tenant, turn from turns")
                yield connection
                # INVARIANT: whatever was ended or used up stays so. A database that was set back is not read.
                found = dict(turns.fetchall())
                if any(found.get(tenant, 0) < turn for tenant, turn in known.items()):
                    raise behind(self._place)
                connection.execute("commit")
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                connection.run("rollback")
            raise
        finally:
            del self._since[connection]

    def lost(self, connection: PostgresSession) -> bool:
        """Return whether the connection is gone."""
        return connection.lost

    def unavailable(self, fault: Exception) -> StoreUnavailable:
        """Return the error that callers see."""
        return unavailable(fault, "the store cannot be read", place=self._place)


def tree(sql: Sql, tenant: str) -> Frontier:
    """Return a tenant's Merkle tree as committed by all writers."""
    return frontier(sql, tenant, stored_size(sql, tenant))


def size(sql: Sql, tenant: str) -> int:
    """Return the number of events of all writers."""
    return stored_size(sql, tenant)


def stored_labels_since(sql: Sql, tenant: str, upstream: str, turn: int) -> tuple[list[StoredLabel], int]:
    """Return the stored labels that were written to an upstream after a turn, and the current turn."""
    now = sql.execute(replica_sql.TURN, (tenant,)).fetchone()
    rows = sql.execute(replica_sql.STORED_LABELS, (tenant, upstream, turn)).fetchall()
    return [msgspec.json.decode(body, type=StoredLabel) for (body,) in rows], now[0] if now else 0


@contextmanager
def _looked_into(url: str) -> Iterator[PostgresSession]:
    """Connect for an inspection; raise `StoreUnavailable` if that or a read fails."""
    place = place_of(url)
    try:
        session = connect(url, "remit doctor", reads=True)
    except psycopg.Error as fault:
        raise unavailable(fault, f"`{place}` refuses remit's login", place=place) from None
    try:
        yield session
    except psycopg.Error as fault:
        raise unavailable(fault, f"`{place}` cannot be read", place=place) from None
    finally:
        session.close()


class DatabaseState(NamedTuple):
    """What an inspection found of a database.

    `says` has version, address and size; `too_old` is whether remit would not start with it, `readable`
    whether its traffic can be read on the way. `apart_s` are the seconds by which its clock differs from this
    machine's, beyond the duration of the question. `unsafe` are settings of the server by which a crash loses
    what it has confirmed.
    """

    says: str
    too_old: bool
    readable: bool
    apart_s: float
    unsafe: tuple[str, ...]


def described(url: str) -> DatabaseState:
    """Describe a database.

    Raises `StoreUnavailable` if no server answers, `ConfigInvalid` if `url` is not an address.
    """
    with _looked_into(url) as session:
        size, events = session.execute(
            "select pg_database_size(current_database()), to_regclass('events') is not null"
        ).fetchone()
        version = session.execute("show server_version").fetchone()[0].split()[0]
        local = session.connection.info.host.startswith("/") or session.connection.info.hostaddr in _HERE
        state = f"{size / 2**20:.1f} MiB" if events else "empty; the first `remit up` creates its tables"
        began_s = time.time()
        (there_s,) = session.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
        apart_s = max(began_s - there_s, there_s - time.time(), 0.0)
        unsafe = session.execute(
            "select coalesce(string_agg(name, ',' order by name), '') from pg_settings"
            " where name in ('fsync', 'full_page_writes') and setting = 'off'"
        ).fetchone()[0]
        return DatabaseState(
            says=f"PostgreSQL {version} at {place_of(url)}, {state}",
            too_old=session.connection.info.server_version // 10_000 < OLDEST,
            readable=not (local or session.connection.pgconn.ssl_in_use),
            apart_s=apart_s,
            unsafe=tuple(one for one in unsafe.split(",") if one),
        )


def schema_at(url: str) -> int:
    """Return the version of the common tables; 0 before the first start. Raises `StoreUnavailable`."""
    with _looked_into(url) as session:
        if session.execute("select to_regclass('schema_version')::text").fetchone()[0] is None:
            return 0
        query = "select coalesce(max(version), 0) from schema_version where part = 'tables'"
        return int(session.execute(query).fetchone()[0])


def check_at(url: str, tenant: str, head: Head | None) -> bool:
    """Check a database against the signed head of a log as a start does; read-only.

    Returns as `check_log`.

    Raises `VerificationFailed` if a start would, and `StoreUnavailable` if the database cannot be read.
    """
    with _looked_into(url) as session:
        if session.execute("select to_regclass('events') is not null").fetchone()[0]:
            return check_log(session, tenant, head)
        return False


def pins_at(url: str, tenant: str) -> list[Pin]:
    """Return the pins of a store without writing to it, even while other processes have it open.

    Returns no pins for a database that does not exist or holds no store.
    """
    try:
        session = connect(url, "remit pins", reads=True)
    except psycopg.Error:
        return []
    try:
        return reads.pins(session, tenant)
    except psycopg.Error:
        return []
    finally:
        session.close()
