# SPDX-License-Identifier: Apache-2.0
"""The rows of a batch as one statement, always the same: a column is one array.

A statement with a mark for each value is another one for each number of rows, and for each place where a
value is null; so the driver took it apart and the server planned it again for nearly every batch. Arrays go
in the server's binary form
(https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-FORMAT-CODES).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from remit.adapters.store.relational.inserts import COUNTERS, EVENTS, Table
from remit.adapters.store.relational.sql import Sql

#: Of an array: dimensions, whether there are nulls, the element's type, how many, and where they begin.
_head: Final = Struct(">iiIii").pack
_size: Final = Struct(">i").pack
_sized_int: Final = Struct(">iq").pack
_NULL: Final = _size(-1)
_INT, _TEXT, _BYTES = 20, 25, 17


class IntArray(bytes):
    """A column of whole numbers, packed."""


class TextArray(bytes):
    """A column of texts, packed."""


class BytesArray(bytes):
    """A column of bytes, packed."""


def ints(values: Sequence[int | None]) -> IntArray:
    """Pack whole numbers."""
    packed = [_NULL if one is None else _sized_int(8, one) for one in values]
    return IntArray(_head(1, None in values, _INT, len(packed), 1) + b"".join(packed))


def texts(values: Sequence[str]) -> TextArray:
    """Pack texts."""
    packed = [_head(1, 0, _TEXT, len(values), 1)]
    for one in values:
        said = one.encode()
        packed += (_size(len(said)), said)
    return TextArray(b"".join(packed))


def blobs(values: Sequence[bytes | bytearray | None]) -> BytesArray:
    """Pack bytes."""
    packed: list[bytes | bytearray] = [_head(1, None in values, _BYTES, len(values), 1)]
    for one in values:
        packed += (_NULL,) if one is None else (_size(len(one)), one)
    return BytesArray(b"".join(packed))


_PACKED: Final[dict[str, tuple[str, Callable[[Any], bytes]]]] = {
    "int": ("bigint[]", ints),
    "text": ("text[]", texts),
    "bytes": ("bytea[]", blobs),
}


class _Dumper(Dumper):
    """What is packed already."""

    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


class _IntDumper(_Dumper):
    oid = 1016


class _TextDumper(_Dumper):
    oid = 1009


class _BytesDumper(_Dumper):
    oid = 1001


def teach(connection: psycopg.Connection[Any]) -> None:
    """Have a connection take packed arrays."""
    connection.adapters.register_dumper(IntArray, _IntDumper)
    connection.adapters.register_dumper(TextArray, _TextDumper)
    connection.adapters.register_dumper(BytesArray, _BytesDumper)


def unnested(table: Table, marks: Sequence[str]) -> str:
    """Return the rows that columns are, in SQL; a mark stands for each column."""
    typed = (f"{mark}::{_PACKED[kind][0]}" for mark, kind in zip(marks, table.kinds, strict=True))
    return f"unnest({', '.join(typed)})"


def _statement(table: Table) -> str:
    rows = unnested(table, "?" * len(table.kinds))
    return f"insert into {table.name} select * from {rows}{table.end}"  # noqa: S608 - names of ours


_PUT: Final = {table.name: _statement(table) for table in (EVENTS, COUNTERS)}


def packed(table: Table, flat: list[Any]) -> list[bytes]:
    """Return rows, one value after the other, as columns."""
    width = len(table.kinds)
    return [_PACKED[kind][1](flat[at::width]) for at, kind in enumerate(table.kinds)]


def put(sql: Sql, table: Table, flat: list[Any]) -> None:
    """Put rows into a table by one statement (`relational.inserts.Insert`)."""
    sql.execute(_PUT[table.name], packed(table, flat))
