# SPDX-License-Identifier: Apache-2.0
"""An ordinary batch of a writer among others: the server places it behind whatever they have appended.

A leaf says nothing of its index, so the server can assign it, as long as nothing that the batch was judged by
has changed since: the fences (`turns.news`), the keys that were forgotten (`turns.forgot`), the registration
of this replica, and the rows of counters that the batch replaces. Owners may have changed, because no other
replica takes a task from a registered owner. The last event that the writer knows must be in the log, so a
copy of the database that lacks it is not continued.

The turn is locked by a separate statement, so the next one reads what is true while it is held. A batch that
completes a tile of the tree, or begins a block of `data_blocks`, depends on the events before it; it does
nothing here, as any batch against which something speaks.

INVARIANT: as in `store_claim`, everything that the batch writes depends on `taken`, and no table has the
trigger `stamp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from remit.adapters.store.postgres.arrays import packed, texts, unnested
from remit.adapters.store.postgres.loop_connection import Heard, Statement
from remit.adapters.store.postgres.store_claim import BEGIN, COMMIT, TABLES, StoreClaim
from remit.adapters.store.relational.inserts import BLOCK, Table
from remit.adapters.store.relational.memory import Counter
from remit.core.evidence.merkle import TILE_WIDTH


class Judged(NamedTuple):
    """What a batch was judged by, beside its claim; the turn of the claim is the least that may be."""

    turn: int
    """The turn as of which memory was read."""
    seen: tuple[int, bytes]
    """Index and leaf hash of the last event that the writer knows."""
    first: int
    """The index that the batch's first event would have; the real one may be further on."""
    events: int
    counters: dict[str, Counter]
    """By task, the row that the batch replaces."""

    @property
    def fits(self) -> bool:
        """Whether the batch would complete no tile at its assumed place."""
        return self.seen[0] >= 0 and self.first // TILE_WIDTH == (self.first + self.events) // TILE_WIDTH


_LOCK: Final = "select 1 from turns where tenant = $1 for update"

_TAKE: Final = (
    "update turns set turn = turn + 1, writer = $3"  # noqa: S608 - numbers of ours
    " from (select max(idx) + 1 as first from events where tenant = $1) as head"
    " where tenant = $1 and (turn > $2 or (turn = $2 and writer = $5)) and news <= $6 and forgot <= $6"
    " and ($4 = '' or exists (select 1 from replicas where tenant = $1 and id = $4 and gone = 0))"
    " and exists (select 1 from events where tenant = $1 and idx = $7 and leaf_hash = $8)"
    f" and first >= $9 and first / {TILE_WIDTH} = (first + $10) / {TILE_WIDTH}"
    f" and first / {BLOCK} = $9 / {BLOCK}"
    " and not exists (select 1 from unnest($11::text[], $12::text[]) as known (task, used)"
    # A scalar subquery: one look in the index for each task, whatever the planner thinks of their number.
    " where known.used <> coalesce((select concat_ws(' ', c.calls, c.effectful_calls, c.result_bytes,"
    " coalesce(c.last_event, -1)) from counters c where c.tenant = $1 and c.task = known.task), '0 0 0 -1'))"
    " returning turn, first, first - $9 as further"
)
_PARAMETERS: Final = 12

#: What is selected for a table whose rows name indexes of the batch, and the names of the columns.
_MOVED: Final = {
    "events": (
        "r.tenant, r.idx + further, r.kind, r.task, case when r.before >= $9 then r.before + further"
        " else r.before end, r.open_from, r.leaf, r.leaf_hash, r.key, r.sealed"
    ),
    "counters": (
        "r.tenant, r.task, r.calls, r.effectful, r.size, case when r.last >= $9 then r.last + further"
        " else r.last end"
    ),
}
_COLUMNS: Final = {
    "events": "r (tenant, idx, kind, task, before, open_from, leaf, leaf_hash, key, sealed)",
    "counters": "r (tenant, task, calls, effectful, size, last)",
}


@cache
def _query(names: tuple[str, ...]) -> str:
    """Return the statement that places rows of these tables."""
    parts, mark = [f"taken as ({_TAKE})"], 1 + _PARAMETERS
    for name in names:
        table = TABLES[name]
        marks = [f"${number}" for number in range(mark, mark + len(table.kinds))]
        mark += len(marks)
        rows = f"{unnested(table, marks)} as {_COLUMNS.get(name, 'r')}"
        put = f"insert into {name} select {_MOVED.get(name, 'r.*')} from taken, {rows}{table.end}"  # noqa: S608 - names of ours
        parts.append(f"put_{name} as ({put})")
    return f"with {', '.join(parts)} select turn, first from taken"  # noqa: S608


def _used(one: Counter) -> str:
    last = -1 if one.last_event is None else one.last_event
    return f"{one.calls} {one.effectful_calls} {one.result_bytes} {last}"


def placed(claim: StoreClaim, judged: Judged, rows: Sequence[tuple[Table, list[Any]]]) -> Sequence[Statement]:
    """Return the transaction that writes these rows behind the last event, if nothing speaks against it."""
    tenant, turn, writer, member, taker = claim
    index, hashed = judged.seen
    names: list[str] = []
    values = [tenant.encode(), turn.to_bytes(8), writer.encode(), member.encode(), taker.encode()]
    values += [judged.turn.to_bytes(8), index.to_bytes(8), bytes(hashed)]
    values += [judged.first.to_bytes(8), judged.events.to_bytes(8)]
    values += [texts(list(judged.counters)), texts([_used(one) for one in judged.counters.values()])]
    for table, flat in rows:
        if flat:
            names.append(table.name)
            values += packed(table, flat)
    return BEGIN, (_LOCK, values[:1], True), (_query(tuple(names)), values, True), COMMIT


def place_of(answer: Heard) -> tuple[int, int] | None:
    """Return the turn that a recorded batch took, and the index of its first event."""
    if answer.lost or answer.refused or len(answer.results) != 4:
        return None
    _, _, taken, end = answer.results
    if taken.ntuples != 1 or end.command_status != b"COMMIT":
        return None
    return int(taken.get_value(0, 0)), int(taken.get_value(0, 1))
