# SPDX-License-Identifier: Apache-2.0
"""Searches in the log, and counts of calls: which events are sought, and where they may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from remit.adapters.store.relational.inserts import BLOCK
from remit.adapters.store.relational.merkle_nodes import stored_size
from remit.adapters.store.relational.reads import EVENT, entry, of_task
from remit.adapters.store.relational.sql import Sql
from remit.adapters.store.relational.subject_keys import SealOpener
from remit.core.evidence.event import EventKind, timestamp
from remit.core.evidence.merkle import leaf_hash
from remit.ports.store.log import (
    CLOCKS_APART,
    Entry,
    EventSearch,
    FoundEvents,
    TalliedCalls,
    ToolTally,
)

_CALL = (
    "select e.task, e.leaf, k.subject from events e left join subject_keys k"
    " on k.tenant = e.tenant and k.id = e.subject_key"
)


class _Facts(msgspec.Struct):
    """The facts of an event that a search compares; another kind may use a name for another value."""

    tool: Any = ""
    outcome: Any = ""
    observed: Any = False
    count: Any = 0
    tools: Any = ()
    data_class: Any = msgspec.field(name="class", default="")
    categories: Any = ()

    @property
    def several(self) -> list[str]:
        """The tools, where they are listed and not only counted."""
        return self.tools if isinstance(self.tools, list) else []

    @property
    def category_names(self) -> list[str]:
        """The categories of the data."""
        return self.categories if isinstance(self.categories, list) else []


class _Leaf(msgspec.Struct):
    kind: str
    at: str
    facts: _Facts
    agent: str = ""
    call: str = ""


_leaf = msgspec.json.Decoder(_Leaf).decode


class _Sought:
    """Whether an event is sought."""

    def __init__(self, connection: Sql, tenant: str, wanted: EventSearch) -> None:
        self._sql = connection
        self._tenant = tenant
        self._wanted = wanted
        self._since = timestamp(wanted.since) if wanted.since else ""
        self._until = timestamp(wanted.until) if wanted.until else ""
        self._of_task: dict[str, str] = {}

    def matches(self, leaf: _Leaf, task: str, subject: str) -> bool:
        wanted, facts = self._wanted, leaf.facts
        return (
            self._since <= leaf.at
            and (not self._until or leaf.at < self._until)
            and wanted.agent in ("", leaf.agent)
            and wanted.outcome in ("", facts.outcome)
            and wanted.call in ("", leaf.call)
            and wanted.task in ("", task)
            and wanted.data_class in ("", facts.data_class)
            and (not wanted.category or wanted.category in facts.category_names)
            and (not wanted.tool or any(map(self._is_tool, (facts.tool, *facts.several))))
            and (not wanted.person or wanted.person == subject or self._person(task))
        )

    def _is_tool(self, tool: object) -> bool:
        name = self._wanted.tool
        return isinstance(tool, str) and (tool == name or ("/" not in name and tool.startswith(f"{name}/")))

    def _person(self, task: str) -> bool:
        """Return whether the task acts for the sought person."""
        if task not in self._of_task:
            row = self._sql.execute(
                "select person from tasks where tenant = ? and id = ?", (self._tenant, task)
            ).fetchone()
            self._of_task[task] = row[0] if row else ""
        return self._of_task[task] == self._wanted.person


def _first_at(connection: Sql, tenant: str, at: datetime, low: int, high: int) -> int:
    """Return an index between `low` and `high` by halving: the events before it are from before `at`."""
    sought = timestamp(at)
    while low < high:
        middle = (low + high) // 2
        probe, found = _next_time(connection, tenant, middle, high)
        if found and found < sought:
            low = probe + 1
        else:
            high = middle
    return low


def _next_time(connection: Sql, tenant: str, index: int, high: int) -> tuple[int, str]:
    """Return index and time of the first event from `index` on; an empty time if there is none below `high`.

    An event that was pruned, or changed in the store, has no time: the one after it counts.
    """
    query = "select idx, leaf from events where tenant = ? and idx >= ? and idx < ? order by idx limit 1"
    while row := connection.execute(query, (tenant, index, high)).fetchone():
        try:
            return row[0], _leaf(row[1]).at
        except msgspec.DecodeError:
            index = row[0] + 1
    return high, ""


def _bounds(
    connection: Sql, tenant: str, wanted: EventSearch, start: int, before: int | None
) -> tuple[int, int]:
    """Return the range of indexes with all events of the sought time."""
    size = stored_size(connection, tenant)
    low, high = start, size if before is None else min(before, size)
    # An event is late or early by one difference of clocks, and its neighbours by another one.
    margin = 2 * CLOCKS_APART
    if wanted.since is not None:
        low = _first_at(connection, tenant, wanted.since - margin, low, max(low, high))
    if wanted.until is not None:
        high = _first_at(connection, tenant, wanted.until + margin, low, max(low, high))
    return low, high


def search(
    connection: Sql,
    tenant: str,
    wanted: EventSearch,
    start: int,
    before: int | None,
    limit: int,
    most: int,
    opener: SealOpener,
) -> FoundEvents:
    """Return the sought events among the next `most`; an event that cannot be read is always shown."""
    low, high = _bounds(connection, tenant, wanted, start, before)
    if wanted.task:
        rows = of_task(
            connection, tenant, low, None if before is None else high, most, wanted.kinds, wanted.task
        )
        rest = len(rows) == most
        # Rows of one task, however far apart they are.
        ends = (rows[-1][0] + 1, rows[0][0]) if rest else (high, low)
    else:
        spans, end = _spans(
            connection, tenant, wanted, low=low, high=high, most=most, back=before is not None
        )
        ends, rest = (end, end), low < end < high
        where, values = _kinds(wanted.kinds)
        query = f"{EVENT} where e.tenant = ? and e.idx >= ? and e.idx < ?{where} order by e.idx"
        rows = []
        for first, last in spans:
            rows += connection.execute(query, (tenant, first, last, *values)).fetchall()
    sought = _Sought(connection, tenant, wanted)
    found: list[Entry] = []
    for row in rows if before is None else reversed(rows):
        if not _is_sought(sought, row):
            continue
        if len(found) == limit:
            reached = found[-1].index + 1 if before is None else found[-1].index
            break
        found.append(entry(row, tenant, opener))
    else:
        reached = (ends[0] if before is None else ends[1]) if rest else -1
    return FoundEvents(
        entries=found if before is None else found[::-1], reached=None if reached < 0 else reached
    )


def _kinds(kinds: Sequence[str]) -> tuple[str, Sequence[str]]:
    return (f" and e.kind in ({', '.join('?' * len(kinds))})", kinds) if kinds else ("", ())


def _is_sought(sought: _Sought, row: tuple[Any, ...]) -> bool:
    # What was changed in the store is found by every search, and readers are told.
    if leaf_hash(row[3]) != row[4]:
        return True
    try:
        leaf = _leaf(row[3])
    except msgspec.DecodeError:
        return True
    return sought.matches(leaf, row[2], row[7] or "")


def tally(
    connection: Sql,
    tenant: str,
    wanted: EventSearch,
    zone: timedelta,
    start: int,
    before: int | None,
    most: int,
) -> TalliedCalls:
    """Count the sought calls among the next `most` events."""
    low, high = _bounds(connection, tenant, wanted, start, before)
    last = min(high, low + most)
    kinds = [EventKind.DECISION_MADE.value, EventKind.TOOL_CALLED.value, EventKind.REFUSALS_COUNTED.value]
    where, values = _kinds(kinds)
    rows = connection.execute(
        f"{_CALL} where e.tenant = ? and e.idx >= ? and e.idx < ?{where}", (tenant, low, last, *values)
    )
    sought = _Sought(connection, tenant, wanted)
    counts: dict[tuple[str, str], tuple[Counter[str], Counter[str]]] = {}
    for task, text, subject in rows.fetchall():
        try:
            leaf = _leaf(text)
        except msgspec.DecodeError:
            continue  # `remit audit verify` names it
        if sought.matches(leaf, task, subject or ""):
            _count(counts, leaf, (datetime.fromisoformat(leaf.at) + zone).date().isoformat())
    tallies = [
        ToolTally(day=day, tool=tool, decided=dict(decided), ended=dict(ended))
        for (day, tool), (decided, ended) in sorted(counts.items())
    ]
    return TalliedCalls(tallies=tallies, reached=last if last < high else None)


def _count(counts: dict[tuple[str, str], tuple[Counter[str], Counter[str]]], leaf: _Leaf, day: str) -> None:
    facts = leaf.facts
    counted = leaf.kind == EventKind.REFUSALS_COUNTED
    tool = (facts.several[0] if len(facts.several) == 1 else "") if counted else facts.tool
    decided, ended = counts.setdefault((day, tool), (Counter(), Counter()))
    if counted:
        decided["deny"] += facts.count
    elif leaf.kind == EventKind.DECISION_MADE:
        decided["observed" if facts.observed else facts.outcome] += 1
    else:
        ended[facts.outcome] += 1


def _spans(
    connection: Sql, tenant: str, wanted: EventSearch, *, low: int, high: int, most: int, back: bool
) -> tuple[list[tuple[int, int]], int]:
    """Return where the next sought events between `low` and `high` may be, and where to go on.

    The spans hold `most` events, in the order of the log; with `back` the last ones. Nothing is left to
    search when the second value is `high`, or with `back` `low`.
    """
    marks = [f"class:{wanted.data_class}"] if wanted.data_class else []
    marks += [f"category:{wanted.category}"] if wanted.category else []
    marked = _marked_from(connection, tenant, (high - 1) // BLOCK) * BLOCK if marks else high
    # Events from before there were marks are read as they stand.
    if not marks or (marked >= high if back else low < marked):
        end = max(low, high - most) if back else min(high, marked, low + most)
        return [(end, high) if back else (low, end)], end
    floor, limit = max(low, marked), most // BLOCK + 2
    blocks = _blocks(connection, tenant, marks, floor // BLOCK, (high - 1) // BLOCK, limit, back)
    spans, left = list[tuple[int, int]](), most
    for one in blocks:
        first, last = max(floor, one * BLOCK), min(high, (one + 1) * BLOCK)
        first, last = (max(first, last - left), last) if back else (first, min(last, first + left))
        if first < last:
            spans.append((first, last))
            left -= last - first
    whole = len(blocks) < limit and left > 0
    end = (floor if back else high) if whole else spans[-1][0 if back else 1]
    return sorted(spans), end


def _marked_from(connection: Sql, tenant: str, newest: int) -> int:
    """Return the block from which on every one has its marks, up to the newest one that is sought."""
    first, last, count = connection.execute(
        "select min(block), max(block), count(*) from data_blocks where tenant = ? and mark = ''", (tenant,)
    ).fetchone()
    # Where blocks are missing among them, another version has written: then no mark is relied on.
    return int(first) if count and last - first + 1 == count and last >= newest else 2**50


def _blocks(
    connection: Sql, tenant: str, marks: list[str], first: int, last: int, limit: int, back: bool
) -> list[int]:
    """Return the first blocks that have all marks, or with `back` the last ones."""
    also = (
        " and exists (select 1 from data_blocks o where o.tenant = b.tenant and o.mark = ?"
        " and o.block = b.block)"
    )
    query = (
        "select b.block from data_blocks b where b.tenant = ? and b.mark = ?"  # noqa: S608 - names of ours
        f" and b.block >= ? and b.block <= ?{also * (len(marks) - 1)}"
        f" order by b.block{' desc' if back else ''} limit ?"
    )
    values = (tenant, marks[0], first, last, *marks[1:], limit)
    return [block for (block,) in connection.execute(query, values)]
