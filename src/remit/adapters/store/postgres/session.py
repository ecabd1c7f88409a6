# SPDX-License-Identifier: Apache-2.0
"""A connection to PostgreSQL that accepts the statements which all our databases understand.

Inside `pipeline`, a statement is sent at once, and the caller waits only when it reads the result. So a batch
costs a few round trips, however many statements it has.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import DiagnosticField
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8BinaryDumper

from remit.adapters.store.postgres.arrays import teach
from remit.adapters.store.relational.tables import Durability
from remit.core.errors import ConfigInvalid, Conflict, Malformed, StoreUnavailable

#: Our tables are in a separate schema, so that the database may be shared.
SCHEMA = "remit"

#: The operator's choice: set only where the address sets nothing.
_DEFAULTS = {
    "connect_timeout": "5",
    # Of several hosts, use the one that accepts writes.
    "target_session_attrs": "read-write",
    # A vanished host is detected within some ten seconds, not hours.
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "client_encoding": "UTF8",
}

#: Milliseconds after which the server cancels a statement.
STATEMENT_TIMEOUT_MS = 10_000

#: Milliseconds for which a writer may be idle in a transaction: a process that was stopped there does not
#: block the others for longer.
IDLE_IN_TRANSACTION_MS = 5_000

#: Faults of the connection or the server. A fault of one statement concerns only its unit.
FAULTS = (psycopg.OperationalError, psycopg.InternalError, psycopg.InterfaceError)


#: After one of these severities the connection is unusable, even if it closes only later.
_SEVERE = ("FATAL", "PANIC")

#: Seconds in which a new connection must be ready for use.
READY_S = 5.0

_REFUSALS = {
    "password authentication failed": "28P01",
    "no pg_hba.conf entry": "28000",
    "does not exist": "3D000",
    "too many clients": "53300",
}


@lru_cache(maxsize=1024)
def _placed(query: str) -> bytes:
    """Return a statement with the driver's own placeholders."""
    return query.replace("?", "%s").encode()


class PostgresRows:
    """The result of a statement (`relational.sql.Rows`); reading it waits for the server."""

    def __init__(self, session: PostgresSession, cursor: psycopg.Cursor[Any]) -> None:
        """Take a cursor whose statement has been sent."""
        self._session = session
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        """Number of rows that a change affected."""
        self._session.carried_out()
        return self._cursor.rowcount

    @property
    def status(self) -> str:
        """The server's command status."""
        self._session.carried_out()
        return self._cursor.statusmessage or ""

    def fetchone(self) -> Any:
        """Return the next row, or `None` at the end."""
        with _translated():
            return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""
        with _translated():
            return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the remaining rows."""
        return iter(self.fetchall())


@contextmanager
def _translated() -> Iterator[None]:
    """Translate faults of one statement to the errors that callers know."""
    try:
        yield
    except psycopg.DataError as fault:
        raise Malformed("PostgreSQL cannot store a value (a zero character?)", debug=str(fault)) from None
    except psycopg.IntegrityError as fault:
        raise Conflict("the name exists already", debug=str(fault)) from None


class PostgresSession:
    """One connection, used by one thread at a time (`relational.sql.Sql`)."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """Take over an open connection in autocommit mode."""
        self.connection = connection
        self._pipeline: psycopg.Pipeline | None = None
        self._carried_out = True  # every statement so far, as the server has said
        #: Set at each rollback, also of a savepoint.
        self.rolled_back = False
        connection.add_notice_handler(self._noticed)

    def execute(self, query: str, values: Sequence[Any] = (), /) -> PostgresRows:
        """Run one statement."""
        self.rolled_back = self.rolled_back or query.startswith("rollback")
        self._carried_out = False
        with _translated():
            cursor = self.connection.cursor(binary=True)
            cursor.execute(_placed(query), values or None)
        return PostgresRows(self, cursor)

    def run(self, script: str) -> None:
        """Run one or several statements without values."""
        self.rolled_back = self.rolled_back or script.startswith("rollback")
        self._carried_out = False
        self.connection.execute(script.encode())

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """Provide a pipeline: statements are sent without waiting for each."""
        with self.connection.pipeline() as pipeline:
            self._pipeline = pipeline
            try:
                yield
            except psycopg.Error as fault:
                if is_loss(fault):
                    # The driver would wait for the rest of the pipeline, which the server never sends.
                    self.cut()
                raise
            finally:
                self._pipeline = None

    def carried_out(self) -> None:
        """Wait until every statement so far was executed; raise the fault of a refused one."""
        if self._pipeline is not None and not self._carried_out:
            with _translated():
                self._pipeline.sync()
            self._carried_out = True

    def _noticed(self, told: psycopg.errors.Diagnostic) -> None:
        # The driver takes the end of the connection for a notice where no statement was under way.
        if told.severity_nonlocalized in _SEVERE:
            self.cut()

    def tidy(self) -> None:
        """Let the driver drop its prepared statements now, as it does after a rollback."""
        if self.rolled_back:
            with contextlib.suppress(psycopg.Error):
                self.run("select 1")

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.connection.closed

    def cut(self) -> None:
        """Cut the connection, from any thread: a thread that waits for it gets a fault at once."""
        with (
            contextlib.suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.connection.fileno())) as same,
        ):
            same.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; uncommitted changes are lost."""
        self.connection.close()


def place_of(url: str) -> str:
    """Return a database's name for people, without credentials; raise `ConfigInvalid` for an invalid
    address.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # The driver's message may repeat the password.
        raise ConfigInvalid(
            "is not an address of PostgreSQL",
            key="store.url",
            remediation="write `postgresql://user:password@host/database`",
        ) from None
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    return f"{host}:{port}/{parts.get('dbname', parts.get('user', ''))}"


def connect(
    url: str, name: str, durability: Durability = "durable", *, reads: bool = False
) -> PostgresSession:
    """Open a connection; `name` is how the server's lists show it. Raises psycopg's faults."""
    given = conninfo_to_dict(url)
    wanted = {key: value for key, value in _DEFAULTS.items() if key not in given}
    connection = psycopg.connect(make_conninfo(url, **wanted, application_name=name), autocommit=True)
    session = PostgresSession(connection)
    # No other thread knows the connection yet and could cut it.
    limit = threading.Timer(READY_S, session.cut)
    limit.start()
    try:
        # One width for all integers, so that the same statement is prepared whatever the numbers are.
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        teach(connection)
        connection.execute(
            f"set search_path = {SCHEMA}; set statement_timeout = {STATEMENT_TIMEOUT_MS};"
            f" set idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS};"
            # The server also detects a vanished client within seconds, and frees its locks.
            " set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3;"
            f" set default_transaction_read_only = {'on' if reads else 'off'};"
            # A writer that waited for a turn sees what was committed while it waited.
            " set default_transaction_isolation = 'read committed';".encode()
        )
        if durability == "buffered":
            connection.execute("set synchronous_commit = off")
        else:
            # A stricter setting of the server (`remote_apply`) is left unchanged.
            connection.execute(
                "select set_config('synchronous_commit', 'on', false)"
                " where current_setting('synchronous_commit') = 'off'"
            )
    except BaseException:
        connection.close()
        raise
    finally:
        limit.cancel()
    return session


def behind(place: str) -> StoreUnavailable:
    """Return the error for a database that lacks commits, because it was set back to an older state."""
    return StoreUnavailable(
        f"`{place}` lacks committed transactions",
        remediation="connect remit to the server that has them, then restart remit",
    )


def is_loss(fault: BaseException) -> bool:
    """Return whether the server ends the connection with this fault, even if it is not closed yet."""
    return isinstance(fault, psycopg.Error) and fault.diag.severity_nonlocalized in _SEVERE


def ends(result: PGresult) -> bool:
    """Return whether the server ends the connection with this result."""
    return (result.error_field(DiagnosticField.SEVERITY_NONLOCALIZED) or b"").decode() in _SEVERE


def unavailable(
    fault: Exception, message: str = "the store cannot commit", *, place: str = ""
) -> StoreUnavailable:
    """Convert a fault of the database to the error that callers see, with a remediation where one is
    known.
    """
    if isinstance(fault, StoreUnavailable):
        return fault
    state = str(getattr(fault, "sqlstate", "") or "")
    if not state:
        # Before a session exists, the driver has only the server's message and no SQLSTATE.
        state = next((code for words, code in _REFUSALS.items() if words in str(fault)), "")
    ways = {
        "53100": "free space on the server's disk",
        "53300": "let the server take more connections (`max_connections`)",
        "28P01": "give the right password (`store.url`)",
        "28000": "let this user in (`pg_hba.conf`)",
        "3D000": "create the database",
        "42501": "let this user create a schema in the database, or make it the owner of schema `remit`",
        "25006": "use the address of the server that accepts writes",
    }
    at = f" at `{place}`" if place else ""
    remediation = ways.get(state, f"check that PostgreSQL{at} runs, and check its log")
    return StoreUnavailable(message, remediation=remediation, debug=f"{state} {fault}".strip())
