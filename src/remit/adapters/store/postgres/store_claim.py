# SPDX-License-Identifier: Apache-2.0
"""An ordinary batch as one statement, which finds nothing to do where another writer came first.

It counts the turn up, if it is the one that is known, and puts in the rows of each table if it did. So a turn
that was lost is no fault: the transaction ends, empty, and the server's log has no line of it. `begin` and
`commit` stand around the statement, so that what is on record has the server's own word `COMMIT`.

INVARIANT: whatever else a batch writes goes into the same statement, and hangs on `taken`. One behind it
could not tell from the turn's row whether this transaction has taken it: who asks for a lost one counts it
up under the same name (`fate`).

INVARIANT: what it reads changes only with a turn. It sees the database as it was before the turn was waited
for; the turn's row alone, and whether a key is there, are looked up after that. And it writes no table
with the trigger `stamp`, which takes the turn for not counted up yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from remit.adapters.store.postgres.arrays import packed, unnested
from remit.adapters.store.postgres.loop_connection import Heard, Statement
from remit.adapters.store.relational.inserts import COUNTERS, EVENTS, NODES


class StoreClaim(NamedTuple):
    """Who wants which turn."""

    tenant: str
    turn: int
    """The one as of which memory is the truth."""
    writer: str
    member: str
    """The replica that must not be buried; empty where the writer is none."""
    taker: str
    """Who took that turn."""


BEGIN: Final[Statement] = ("begin", (), False)
_COMMIT: Final[Statement] = ("commit", (), False)

_TAKE: Final = (
    "update turns set turn = turn + 1, writer = $3 where tenant = $1 and turn = $2 and writer = $5"
    " and ($4 = '' or exists (select 1 from replicas where tenant = $1 and id = $4 and gone = 0))"
    " returning 1"
)

_TABLES: Final = {table.name: table for table in (EVENTS, COUNTERS, NODES)}


@cache
def _query(names: tuple[str, ...]) -> str:
    """Return the statement that puts rows into these tables."""
    parts, mark = [f"taken as ({_TAKE})"], 1 + len(StoreClaim._fields)
    for name in names:
        table = _TABLES[name]
        marks = [f"${number}" for number in range(mark, mark + len(table.kinds))]
        mark += len(marks)
        rows = unnested(table, marks)
        put = f"insert into {name} select * from {rows} where exists (select 1 from taken){table.end}"  # noqa: S608 - names of ours
        parts.append(f"put_{name} as ({put})")
    return f"with {', '.join(parts)} select 1 from taken"  # noqa: S608


def whole(claim: StoreClaim, events: list[Any], counters: list[Any], nodes: list[Any]) -> Sequence[Statement]:
    """Return the transaction that writes these rows, which come flat, if the turn is to be had."""
    tenant, turn, writer, member, taker = claim
    names, values = [], [tenant.encode(), turn.to_bytes(8), writer.encode(), member.encode(), taker.encode()]
    for table, flat in ((EVENTS, events), (COUNTERS, counters), (NODES, nodes)):
        if flat:
            names.append(table.name)
            values += packed(table, flat)
    return BEGIN, (_query(tuple(names)), values, True), _COMMIT


def on_record(answer: Heard) -> bool:
    """Whether a batch is on record: its turn was taken, and `COMMIT` carried out as such."""
    if answer.lost or answer.refused or len(answer.results) != 3:
        return False
    _, taken, end = answer.results
    return bool(taken.ntuples == 1 and end.command_status == b"COMMIT")
