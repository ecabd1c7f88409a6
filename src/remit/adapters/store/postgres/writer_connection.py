# SPDX-License-Identifier: Apache-2.0
"""The connection that a writer writes over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from remit.adapters.store.postgres.session import FAULTS, PostgresSession
from remit.adapters.store.relational.sql import Rows
from remit.core.errors import StoreUnavailable


class WriterConnection:
    """The writer's connection, made again when it was lost (`relational.sql.Sql`)."""

    def __init__(self, dial: Callable[[], PostgresSession]) -> None:
        """`dial` opens a connection that may write; the first is opened at once."""
        self._dial = dial
        self._session: PostgresSession | None = dial()

    @property
    def session(self) -> PostgresSession:
        """The connection; raises a fault of the database or `StoreUnavailable` where none is to be had."""
        if self._session is None or self._session.lost:
            self.drop()
            self._session = self._dial()
        return self._session

    @property
    def lost(self) -> bool:
        """Whether there is no connection now."""
        return self._session is None or self._session.lost

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement; where the connection was lost, that is its fault and not mended here."""
        if self._session is None:
            raise psycopg.OperationalError("the connection was lost")
        return self._session.execute(query, values)

    def carried_out(self) -> None:
        """Return when every statement so far was carried out; raises what refused one."""
        if self._session is not None:
            self._session.carried_out()

    def rollback(self) -> None:
        """Undo what the connection is in the middle of; where that fails, close it."""
        try:
            self.session.run("rollback")
        except (*FAULTS, StoreUnavailable):
            self.drop()

    def drop(self) -> None:
        """Close the connection, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(psycopg.Error):
                session.close()

    def cut(self) -> None:
        """Break it off, from any thread."""
        session = self._session
        if session is not None:
            session.cut()
