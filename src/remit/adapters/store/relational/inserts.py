# SPDX-License-Identifier: Apache-2.0
"""The tables that each batch inserts rows into, and statements that insert many rows at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from remit.adapters.store.relational.sql import Sql, replacing
from remit.core.tasks.history import MOST

#: Rows in one statement. Larger statements gain nothing, and each size is another statement to prepare and
#: keep.
CHUNK = 64


class Table(NamedTuple):
    """A table that batches insert rows into: the types of its columns, and the end of the statement."""

    name: str
    kinds: tuple[str, ...]
    """`int`, `text` or `bytes`, in the order of the columns."""
    end: str = ""


EVENTS: Final = Table(
    "events", ("text", "int", "text", "text", "int", "int", "bytes", "bytes", "int", "bytes")
)
COUNTERS: Final = Table(
    "counters",
    ("text", "text", "int", "int", "int", "int"),
    replacing("tenant, task", "calls", "effectful_calls", "result_bytes", "last_event"),
)
#: `core.tasks.history.merged`, as SQL.
HISTORY: Final = Table(
    "history",
    ("text", "text", "text", "text", "text", "text", "int", "int"),
    " on conflict (tenant, family, task, counter, same, part) do update set"
    " amount = case when excluded.at > history.at then excluded.amount"
    " when excluded.at < history.at then history.amount"
    f" when history.amount > {MOST} - excluded.amount then {MOST}"
    " else history.amount + excluded.amount end,"
    " at = case when excluded.at > history.at then excluded.at else history.at end",
)
NODES: Final = Table("nodes", ("text", "int", "int", "bytes"))

Insert = Callable[[Sql, Table, list[Any]], None]
"""Inserts rows into a table, given as one flat list of values."""

PUT_NODE: Final = "insert into nodes values (?, ?, ?, ?)"


class ManyValues:
    """Inserts many rows with one statement (`Insert`).

    That costs half as much as `executemany`, which steps row by row.
    """

    def __init__(self) -> None:
        """Start with an empty cache of statements."""
        self._statements: dict[tuple[str, int], str] = {}

    def __call__(self, sql: Sql, table: Table, flat: list[Any]) -> None:
        """Insert rows into a table."""
        columns = len(table.kinds)
        step = CHUNK * columns
        for start in range(0, len(flat), step):
            part = flat[start : start + step]
            count = len(part) // columns
            statement = self._statements.get((table.name, count))
            if statement is None:
                row = f"({', '.join('?' * columns)})"
                rows = ", ".join([row] * count)
                statement = f"insert into {table.name} values {rows}{table.end}"  # noqa: S608 - names of ours
                self._statements[table.name, count] = statement
            sql.execute(statement, part)
