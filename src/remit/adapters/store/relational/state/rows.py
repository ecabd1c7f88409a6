# SPDX-License-Identifier: Apache-2.0
"""Rows of state: which tables the log covers, what identifies and digests a row, and how rows are read.

Name and digest of a row are HMAC-SHA-256 (RFC 2104), truncated to 128 bits, under a key of the tenant that
the database holds only wrapped. So the log does not let a reader guess a row, and who can write the database
cannot compute a digest.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from remit.adapters.store.relational.sql import Sql
from remit.core.decisions.approval import ApprovalState
from remit.core.scope import ScopeKind
from remit.core.tasks.task import TaskState

#: Bytes of a name or a digest.
SIZE: Final = 16

#: The digest of a row that does not exist, or that permits nothing any longer.
NONE: Final = b""

Place = tuple[str, tuple[str, ...]]
"""A table, and the key of a row in it."""


class _Shape(NamedTuple):
    """The key of a table, its other columns, and whether a row permits nothing any longer.

    Stamps of turns are not state. INVARIANT: `over` goes by what readers read, which is the body. A row that
    it calls over is compared with nothing, so a column beside the body must not make it so.
    """

    key: tuple[str, ...]
    columns: tuple[str, ...]
    over: Callable[[Sequence[Any]], bool] = lambda _: False


_ENDED: Final = {state.value for state in TaskState if state.ended}
ANSWERED: Final = set(ApprovalState) - {ApprovalState.PENDING, ApprovalState.APPROVED}


class _Stands(msgspec.Struct, frozen=True):
    state: str = ""


_stands = msgspec.json.Decoder(_Stands).decode


def _over(states: Container[str], column: str, body: str) -> bool:
    """Return whether a row is in one of these states, by its column and by its body."""
    try:
        return column in states and _stands(body).state in states
    except msgspec.MsgspecError:
        return False


SHAPES: Final = {
    "agents": _Shape(("name",), ("body",)),
    "people": _Shape(("name",), ("body",)),
    "tasks": _Shape(
        ("id",),
        ("agent", "state", "opened", "label", "body", "person", "deadline", "watched", "sealed"),
        lambda row: _over(_ENDED, row[2], row[5]),
    ),
    # An ended task says so in its own row; its fence matters only while it suspends the task.
    "fences": _Shape(
        ("scope",), ("epoch", "locked"), lambda row: not row[2] and row[0].startswith(f"{ScopeKind.TASK}:")
    ),
    "approvals": _Shape(
        ("id",),
        ("task", "call", "state", "requested", "body", "sealed"),
        lambda row: _over(ANSWERED, row[3], row[5]),
    ),
    "pins": _Shape(("tool",), ("body",)),
    "credentials": _Shape(("digest",), ("expires", "body", "person")),
    "delegations": _Shape(("id",), ("person", "agent", "made", "body", "sealed")),
    "passkeys": _Shape(("id",), ("person", "body")),
    "links": _Shape(("issuer", "subject"), ("person", "body")),
}
"""The tables that the log covers (`core.evidence.events.state_rows`)."""

#: Keys in one statement: databases limit the number of parameters.
CHUNK: Final = 200


class ReadRow(NamedTuple):
    """A row as it was read: its place, and its name and digest as the log would say them."""

    place: Place
    name: bytes
    digest: bytes
    row: Sequence[Any]

    def value(self, column: str) -> Any:
        """Return the value of a column."""
        shape = SHAPES[self.place[0]]
        return self.row[(shape.key + shape.columns).index(column)]


class RestoredRow(NamedTuple):
    """A row that a restore changed: as the backup had it, `None` if it had none, and as it was restored."""

    table: str
    before: Sequence[Any] | None
    after: Sequence[Any]

    @classmethod
    def of(cls, table: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> RestoredRow:
        """Make it from rows by column."""
        columns = SHAPES[table].key + SHAPES[table].columns
        was = None if before is None else [before[one] for one in columns]
        return cls(table, was, [after[one] for one in columns])


@lru_cache(maxsize=10_000)
def row_name(secret: bytes, place: Place) -> bytes:
    """Return the name of a row in the log, from which its key cannot be guessed."""
    return _mac(secret, ["name", place[0], *place[1]])


def row_digest(secret: bytes, table: str, row: Sequence[Any]) -> bytes:
    """Return the digest of a row: of its key and its columns, in the order of its shape."""
    if SHAPES[table].over(row):
        return NONE
    values = [bytes(one) if isinstance(one, bytearray | memoryview) else one for one in row]
    return _mac(secret, ["row", table, *values])


def chained(secret: bytes, before: str, index: int, rows: Sequence[Sequence[str]], more: bool | None) -> str:
    """Return the code that binds what an event says of rows to its index, and to all such events before.

    So an event that others add to the log, or take out of it, changes nothing. `more` is whether it adopts
    rows, and others follow.
    """
    return _mac(secret, ["event", before, index, rows, more]).hex()


def _mac(secret: bytes, values: list[Any]) -> bytes:
    return hmac.digest(secret, msgspec.json.encode(values), "sha256")[:SIZE]


def rows_at(
    sql: Sql, secret: bytes | None, tenant: str, places: Iterable[Place], hold: str = ""
) -> list[ReadRow]:
    """Return the rows at some places, as far as they exist; `hold` is how their queries end."""
    by_table: dict[str, list[tuple[str, ...]]] = {}
    for table, key in places:
        by_table.setdefault(table, []).append(key)
    sent = []
    for table, keys in by_table.items():
        for start in range(0, len(keys), CHUNK):
            part = keys[start : start + CHUNK]
            one = " and ".join(f"{column} = ?" for column in SHAPES[table].key)
            wanted = f"({' or '.join([one] * len(part))})"
            sent.append((table, sql.execute(_select(table, wanted + hold), (tenant, *sum(part, ())))))
    # Send all queries before reading any result.
    return [seen(secret, table, row) for table, rows in sent for row in rows.fetchall()]


def rows_where(
    sql: Sql, secret: bytes | None, tenant: str, table: str, wanted: str, *values: object
) -> list[ReadRow]:
    """Return the rows of a table that a condition selects; `wanted` may end with an order and a limit."""
    return rows_of(sql, secret, tenant, (table, wanted, values))


def rows_of(
    sql: Sql, secret: bytes | None, tenant: str, *wanted: tuple[str, str, Sequence[object]]
) -> list[ReadRow]:
    """Return the rows of several tables: of each a condition that selects them, and its values."""
    # Send all queries before reading any result.
    sent = [(table, sql.execute(_select(table, one), (tenant, *values))) for table, one, values in wanted]
    return [seen(secret, table, row) for table, rows in sent for row in rows]


def rows_after(
    sql: Sql, secret: bytes | None, tenant: str, table: str, after: tuple[str, ...], limit: int
) -> list[ReadRow]:
    """Return the next rows of a table by key; an empty key begins."""
    keys = SHAPES[table].key
    order = f"order by {', '.join(keys)} limit ?"
    if not after:
        return rows_where(sql, secret, tenant, table, f"1 = 1 {order}", limit)
    wanted = f"({', '.join(keys)}) > ({', '.join('?' * len(keys))}) {order}"
    return rows_where(sql, secret, tenant, table, wanted, *after, limit)


def seen(secret: bytes | None, table: str, row: Sequence[Any]) -> ReadRow:
    """Return a row with its name and digest; without the key, with none of either."""
    place = (table, tuple(row[: len(SHAPES[table].key)]))
    if secret is None:
        return ReadRow(place, NONE, NONE, row)
    return ReadRow(place, row_name(secret, place), row_digest(secret, table, row), row)


def _select(table: str, condition: str) -> str:
    shape = SHAPES[table]
    columns = ", ".join((*shape.key, *shape.columns))
    return f"select {columns} from {table} where tenant = ? and {condition}"  # noqa: S608 - names of ours
