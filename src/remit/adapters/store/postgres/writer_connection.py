# SPDX-License-Identifier: Apache-2.0
"""The writer's connection."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from remit.adapters.store.postgres.session import FAULTS, PostgresSession
from remit.adapters.store.relational.sql import Rows
from remit.core.errors import StoreUnavailable


class WriterConnection:
    """The writer's connection, which is opened again after a loss (`relational.sql.Sql`)."""

    def __init__(self, dial: Callable[[], PostgresSession]) -> None:
        """Take `dial`, which opens a connection that may write; open the first one at once."""
        self._dial = dial
        self._session: PostgresSession | None = dial()

    @property
    def session(self) -> PostgresSession:
        """The connection; raises a fault of the database or `StoreUnavailable` if none can be opened."""
        if self._session is None or self._session.lost:
            self.drop()
            self._session = self._dial()
        return self._session

    @property
    def lost(self) -> bool:
        """Whether no connection is open."""
        return self._session is None or self._session.lost

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement; raise a fault if the connection was lost, without opening it again."""
        if self._session is None:
            raise psycopg.OperationalError("the connection was lost")
        return self._session.execute(query, values)

    def carried_out(self) -> None:
        """Wait until every statement so far was executed; raise the fault of a refused one."""
        if self._session is not None:
            self._session.carried_out()

    def rollback(self) -> None:
        """Roll back the open transaction; close the connection if that fails."""
        try:
            self.session.run("rollback")
        except (*FAULTS, StoreUnavailable):
            self.drop()

    def drop(self) -> None:
        """Close the connection, if one is open."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(psycopg.Error):
                session.close()

    def cut(self) -> None:
        """Cut the connection, from any thread."""
        session = self._session
        if session is not None:
            session.cut()
