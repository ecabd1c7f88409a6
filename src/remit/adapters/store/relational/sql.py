# SPDX-License-Identifier: Apache-2.0
"""The SQL interface that a store's statements need, with `?` for values.

Statements use only what SQLite and PostgreSQL understand alike: `on conflict`, `returning`, text, 64-bit
integers and bytes. Bodies are JSON text that no statement inspects; every search key is a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class Rows(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """Number of rows that a change affected."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or `None` at the end."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the remaining rows."""
        ...


class Sql(Protocol):
    """One connection, used by one thread at a time."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement."""
        ...


def upsert(table: str, columns: int, key: str, *changed: str) -> str:
    """Return the statement that inserts a row of `columns` values, or updates `changed` where `key`
    exists.
    """
    row = ", ".join("?" * columns)
    return f"insert into {table} values ({row}){replacing(key, *changed)}"  # noqa: S608 - names of ours


def replacing(key: str, *changed: str) -> str:
    """Return the end of an insert that replaces `changed` where `key` exists."""
    return f" on conflict ({key}) do update set {', '.join(f'{name} = excluded.{name}' for name in changed)}"
