# SPDX-License-Identifier: Apache-2.0
"""Inserts a batch's rows with one constant statement: each column is passed as one array.

With a placeholder for each value, the statement text differed for each number of rows and for each place of a
null value. The driver then parsed it and the server planned it again for nearly every batch. Arrays are sent
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

from remit.adapters.store.relational.inserts import COUNTERS, DATA_BLOCKS, EVENTS, HISTORY, Table
from remit.adapters.store.relational.sql import Sql

#: Header of an array: number of dimensions, null flag, element type, number of elements, lower bound.
_head: Final = Struct(">iiIii").pack
_size: Final = Struct(">i").pack
_sized_int: Final = Struct(">iq").pack
_NULL: Final = _size(-1)
_INT, _TEXT, _BYTES = 20, 25, 17


class IntArray(bytes):
    """A packed column of integers."""


class TextArray(bytes):
    """A packed column of texts."""


class BytesArray(bytes):
    """A packed column of byte strings."""


def ints(values: Sequence[int | None]) -> IntArray:
    """Pack integers into an array."""
    packed = [_NULL if one is None else _sized_int(8, one) for one in values]
    return IntArray(_head(1, None in values, _INT, len(packed), 1) + b"".join(packed))


def texts(values: Sequence[str]) -> TextArray:
    """Pack texts into an array."""
    packed = [_head(1, 0, _TEXT, len(values), 1)]
    for one in values:
        said = one.encode()
        packed += (_size(len(said)), said)
    return TextArray(b"".join(packed))


def blobs(values: Sequence[bytes | bytearray | None]) -> BytesArray:
    """Pack byte strings into an array."""
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
    """A dumper for values that are already packed."""

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
    """Register the dumpers of packed arrays on a connection."""
    connection.adapters.register_dumper(IntArray, _IntDumper)
    connection.adapters.register_dumper(TextArray, _TextDumper)
    connection.adapters.register_dumper(BytesArray, _BytesDumper)


def unnested(table: Table, marks: Sequence[str]) -> str:
    """Return the SQL that turns column arrays into rows; `marks` are the placeholders, one for each
    column.
    """
    typed = (f"{mark}::{_PACKED[kind][0]}" for mark, kind in zip(marks, table.kinds, strict=True))
    return f"unnest({', '.join(typed)})"


def _statement(table: Table) -> str:
    rows = unnested(table, "?" * len(table.kinds))
    return f"insert into {table.name} select * from {rows}{table.end}"  # noqa: S608 - names of ours


_PUT: Final = {table.name: _statement(table) for table in (EVENTS, COUNTERS, HISTORY, DATA_BLOCKS)}


def packed(table: Table, flat: list[Any]) -> list[bytes]:
    """Convert rows, given as one flat list of values, to packed columns."""
    width = len(table.kinds)
    return [_PACKED[kind][1](flat[at::width]) for at, kind in enumerate(table.kinds)]


def put(sql: Sql, table: Table, flat: list[Any]) -> None:
    """Insert rows into a table with one statement (`relational.inserts.Insert`)."""
    sql.execute(_PUT[table.name], packed(table, flat))
