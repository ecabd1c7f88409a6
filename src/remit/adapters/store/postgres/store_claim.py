# SPDX-License-Identifier: Apache-2.0
"""An ordinary batch as one statement, which does nothing if another writer came first.

It advances the turn if the turn equals the known one, and only then inserts the rows of each table. So losing
a turn is no fault: the transaction ends empty, and the server's log shows no line of it. `begin` and `commit`
enclose the statement, so that the server's own command status `COMMIT` confirms a recorded batch.

INVARIANT: everything else that a batch writes goes into the same statement, and depends on `taken`. A
separate later statement could not determine from the turn's row whether this transaction advanced the turn,
because the check for a lost transaction advances it under the same name (`commit_outcome`).

INVARIANT: what the statement reads changes only together with a turn. It sees the database as it was before
it waited for the turn; only the turn's row and whether a key exists are looked up afterwards. And it writes
no table with the trigger `stamp`, which assumes that the turn is not yet advanced.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from remit.adapters.store.postgres.arrays import packed, unnested
from remit.adapters.store.postgres.loop_connection import Heard, Statement
from remit.adapters.store.relational.inserts import COUNTERS, DATA_BLOCKS, EVENTS, HISTORY, NODES, Table


class StoreClaim(NamedTuple):
    """A writer's claim to a tenant's next turn."""

    tenant: str
    turn: int
    """The turn at which the writer's memory is current."""
    writer: str
    member: str
    """The replica that must not be buried; empty if the writer is not a replica."""
    taker: str
    """The writer that took that turn."""


BEGIN: Final[Statement] = ("begin", (), False)
COMMIT: Final[Statement] = ("commit", (), False)

_TAKE: Final = (
    "update turns set turn = turn + 1, writer = $3 where tenant = $1 and turn = $2 and writer = $5"
    " and ($4 = '' or exists (select 1 from replicas where tenant = $1 and id = $4 and gone = 0))"
    " returning 1"
)

TABLES: Final = {table.name: table for table in (EVENTS, COUNTERS, HISTORY, DATA_BLOCKS, NODES)}


@cache
def _query(names: tuple[str, ...]) -> str:
    """Return the statement that inserts rows into these tables."""
    parts, mark = [f"taken as ({_TAKE})"], 1 + len(StoreClaim._fields)
    for name in names:
        table = TABLES[name]
        marks = [f"${number}" for number in range(mark, mark + len(table.kinds))]
        mark += len(marks)
        rows = unnested(table, marks)
        put = f"insert into {name} select * from {rows} where exists (select 1 from taken){table.end}"  # noqa: S608 - names of ours
        parts.append(f"put_{name} as ({put})")
    return f"with {', '.join(parts)} select 1 from taken"  # noqa: S608


def whole(claim: StoreClaim, rows: Sequence[tuple[Table, list[Any]]]) -> Sequence[Statement]:
    """Return the transaction that writes these rows, given as flat lists, if the turn is still free."""
    tenant, turn, writer, member, taker = claim
    names, values = [], [tenant.encode(), turn.to_bytes(8), writer.encode(), member.encode(), taker.encode()]
    for table, flat in rows:
        if flat:
            names.append(table.name)
            values += packed(table, flat)
    return BEGIN, (_query(tuple(names)), values, True), COMMIT


def on_record(answer: Heard) -> bool:
    """Return whether a batch is recorded: its turn was taken, and the server confirmed `COMMIT`."""
    if answer.lost or answer.refused or len(answer.results) != 3:
        return False
    _, taken, end = answer.results
    return bool(taken.ntuples == 1 and end.command_status == b"COMMIT")
