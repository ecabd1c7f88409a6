# SPDX-License-Identifier: Apache-2.0
"""What the statements of a store need of a database: SQL that each of them knows, with `?` for values.

Statements keep to what SQLite and PostgreSQL understand alike: `on conflict`, `returning`, text, 64-bit
integers and bytes. Bodies are JSON text that no statement looks into: what is searched by is a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class Rows(Protocol):
    """What a statement found, or did."""

    @property
    def rowcount(self) -> int:
        """How many rows a change has met."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or `None`."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Return the rows that are left, one by one."""
        ...


class Sql(Protocol):
    """One connection, used by one thread at a time."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement."""
        ...


def upsert(table: str, columns: int, key: str, *changed: str) -> str:
    """Return the statement that inserts a row of `columns` values, or sets `changed` where `key` is there."""
    row = ", ".join("?" * columns)
    return f"insert into {table} values ({row}){replacing(key, *changed)}"  # noqa: S608 - names of ours


def replacing(key: str, *changed: str) -> str:
    """Return the end of an insert that replaces `changed` where `key` is there."""
    return f" on conflict ({key}) do update set {', '.join(f'{name} = excluded.{name}' for name in changed)}"
