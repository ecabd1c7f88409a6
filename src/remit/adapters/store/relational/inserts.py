# SPDX-License-Identifier: Apache-2.0
"""The tables that each batch inserts rows into, and statements that insert many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from remit.adapters.store.relational.sql import Sql, replacing
from remit.core.evidence.event import Event
from remit.core.tasks.history import MOST

#: Indexes of one block of `DATA_BLOCKS`. It is part of the stored form.
BLOCK: Final = 1024
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
#: Which blocks of the log name a class or a category of data, so that a search for it skips the others. An
#: index of every event would cost each call a write; this is some rows for a thousand events. It is no
#: evidence, and holds nothing that the leaves do not say.
DATA_BLOCKS: Final = Table("data_blocks", ("text", "text", "int"), " on conflict do nothing")
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


def marks_of(event: Event, index: int) -> Iterator[tuple[str, int]]:
    """Return the marks that an event gives the block of its index; the first one also an empty mark."""
    if not index % BLOCK:
        yield "", index // BLOCK
    facts = event.facts
    if isinstance(data_class := facts.get("class"), str):
        yield f"class:{data_class}", index // BLOCK
    if isinstance(categories := facts.get("categories"), list):
        for category in categories:
            yield f"category:{category}", index // BLOCK
