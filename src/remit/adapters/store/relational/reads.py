# SPDX-License-Identifier: Apache-2.0
"""Reads: each runs inside one transaction of a read-only connection (`pool.ReadPool`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from remit.adapters.store.relational.log_writer import from_leaf, writer_of
from remit.adapters.store.relational.merkle_nodes import reader
from remit.adapters.store.relational.sealed_values import TABLES, Opened
from remit.adapters.store.relational.sql import Rows, Sql
from remit.adapters.store.relational.subject_keys import SealOpener
from remit.adapters.store.relational.tables import COMMON_KINDS, RARE
from remit.adapters.store.relational.timestamps import micros
from remit.core.decisions.approval import Approval
from remit.core.endings.closure import Closure, Fence
from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence.event import Event
from remit.core.evidence.merkle import consistency_proof, inclusion_proof
from remit.core.label import Label
from remit.core.sealing import Openings
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.history import HistoryEntry
from remit.core.tasks.task import Task
from remit.ports.store.changes import Pin
from remit.ports.store.log import (
    Entry,
)
from remit.ports.store.tasks import Usage

T = TypeVar("T")
R = TypeVar("R", Approval, Delegation)

#: More rows than any table has.
ALL: Final = 2**62
#: Most statements in progress at once.
AT_ONCE: Final = 100

_TASK = "select body, label, sealed from tasks where tenant = ?"
_LAST = "select task, last_event from counters where tenant = ? and last_event is not null"
#: The columns of an event with its subject's key, as `entry` reads them.
EVENT = (
    "select e.idx, e.kind, e.task, e.leaf, e.leaf_hash, e.sealed, e.subject_key, k.subject,"
    " k.wrapped, k.wrapped_by from events e left join subject_keys k"
    " on k.tenant = e.tenant and k.id = e.subject_key"
)


def body(connection: Sql, kind: type[T], query: str, *values: object) -> T | None:
    """Return the one row's JSON body as a value."""
    row = connection.execute(query, values).fetchone()
    return msgspec.json.decode(row[0], type=kind) if row else None


def bodies(connection: Sql, kind: type[T], query: str, *values: object) -> list[T]:
    """Return the rows' JSON bodies as values."""
    return [msgspec.json.decode(text, type=kind) for (text,) in connection.execute(query, values)]


def newest(
    connection: Sql,
    kind: type[T],
    table: str,
    order: str,
    tenant: str,
    limit: int,
    /,
    **wanted: str,
) -> list[T]:
    """Return the newest rows of a table whose columns equal `wanted`; an empty value matches everything."""
    query, values = _newest("body", table, order, tenant, limit, wanted)
    return bodies(connection, kind, query, *values)


def _newest(
    what: str, table: str, order: str, tenant: str, limit: int, wanted: Mapping[str, str], skip: int = 0
) -> tuple[str, tuple[object, ...]]:
    columns = {column: value for column, value in wanted.items() if value}
    where = "".join(f" and {column} = ?" for column in columns)
    query = f"select {what} from {table} where tenant = ?{where}"  # noqa: S608
    query += f" order by {order} desc limit ? offset ?"
    return query, (tenant, *columns.values(), limit, skip)


def pins(connection: Sql, tenant: str) -> list[Pin]:
    """Return the pins of all tools."""
    return bodies(connection, Pin, "select body from pins where tenant = ? order by tool", tenant)


def fences(connection: Sql, tenant: str) -> list[Fence]:
    """Return every scope that was ever ended or locked."""
    rows = connection.execute(
        "select scope, epoch, locked from fences where tenant = ? order by scope", (tenant,)
    )
    return [Fence(scope, epoch, bool(locked)) for scope, epoch, locked in rows]


_task = msgspec.json.Decoder(Task).decode
_label = msgspec.json.Decoder(Label).decode


def opened_tasks(rows: Iterable[Sequence[Any]], opened: Opened) -> list[Task]:
    """Return tasks by their body, label and sealed parts."""
    # The accumulated label has a separate column, so that raising it does not rewrite the task.
    return [
        opened.whole(
            msgspec.structs.replace(_task(text), label=_label(label)),
            sealed,
        )
        for text, label, sealed in rows
    ]


def _tasks(rows: Rows, opened: Opened) -> list[Task]:
    return opened_tasks(rows.fetchall(), opened)


def task(connection: Sql, opener: SealOpener, tenant: str, id: str) -> Task | None:
    """Return a task with its accumulated label."""
    found = _tasks(connection.execute(f"{_TASK} and id = ?", (tenant, id)), Opened(connection, opener))
    return found[0] if found else None


def tasks(
    connection: Sql,
    opener: SealOpener,
    tenant: str,
    agent: str,
    on_behalf_of: str,
    state: str,
    limit: int,
    texts: bool,
) -> list[Task]:
    """Return tasks, newest first."""
    wanted = {"agent": agent, "person": on_behalf_of, "state": state}
    sealed = "sealed" if texts else "null"
    query, values = _newest(f"body, label, {sealed}", "tasks", "opened", tenant, limit, wanted)
    return _tasks(connection.execute(query, values), Opened(connection, opener))


def expiring(connection: Sql, opener: SealOpener, tenant: str, now_s: int) -> list[Task]:
    """Return the active tasks whose deadline is at or before `now_s`."""
    query = f"{_TASK} and state = 'active' and deadline <= ? order by opened, id"
    return _tasks(connection.execute(query, (tenant, now_s)), Opened(connection, opener))


def names(connection: Sql, query: str, *values: object) -> list[str]:
    """Return the values of a query's single column."""
    return [name for (name,) in connection.execute(query, values)]


def with_descendants(
    connection: Sql, opener: SealOpener, tenant: str, id: str, most: int = ALL
) -> list[Task]:
    """Return a task, followed by at most `most` of its descendants."""
    # `cross join`: start from the few lineage rows and look up their tasks; never scan all tasks.
    below = (
        "select t.body, t.label, t.sealed from lineage l cross join tasks t"
        " where l.tenant = ? and l.ancestor = ? and t.tenant = l.tenant and t.id = l.task"
        " order by t.opened, t.id limit ?"
    )
    # Send both queries before reading either result.
    own = connection.execute(f"{_TASK} and id = ?", (tenant, id))
    others = connection.execute(below, (tenant, id, most))
    opened = Opened(connection, opener)
    found = _tasks(own, opened)
    return found + _tasks(others, opened) if found else found


def usage(connection: Sql, tenant: str, id: str) -> Usage:
    """Return what a task and its descendants have used."""
    row = connection.execute(
        "select calls, effectful_calls, result_bytes from counters where tenant = ? and task = ?",
        (tenant, id),
    ).fetchone()
    return Usage(*row) if row else Usage()


def history(connection: Sql, tenant: str, family: str, limit: int) -> list[HistoryEntry]:
    """Return the latest entries of a family's history."""
    query = (
        "select task, counter, same, part, amount, at from history where tenant = ? and family = ?"
        " order by at desc limit ?"
    )
    return [HistoryEntry(*row) for row in connection.execute(query, (tenant, family, limit))]


def all_said(
    connection: Sql,
    opener: SealOpener,
    kind: type[R],
    order: str,
    tenant: str,
    limit: int,
    skip: int = 0,
    length: int | None = None,
    /,
    **wanted: str,
) -> list[R]:
    """Return the newest approvals or delegations whose columns equal `wanted`, after those to `skip`.

    Sealed values of more than `length` bytes are not read: those rows have none.
    """
    sealed = "sealed"
    if length is not None:
        # Without a look at the column, a long row costs no more than a short one.
        sealed = f"case when length(sealed) <= {length:d} then sealed end" if length else "null"
    query, values = _newest(f"body, {sealed}", TABLES[kind], order, tenant, limit, wanted, skip)
    return _said(kind, connection.execute(query, values), Opened(connection, opener))


def _said(kind: type[R], rows: Rows, opened: Opened) -> list[R]:
    return [opened.whole(msgspec.json.decode(text, type=kind), sealed) for text, sealed in rows.fetchall()]


def open_questions(connection: Sql, tenant: str, agent: str, since: datetime) -> int:
    """Return how many questions of an agent's tasks, asked after `since`, were not answered."""
    row = connection.execute(
        "select count(*) from approvals where tenant = ? and state = 'pending' and requested > ?"
        " and task in (select id from tasks where tenant = ? and agent = ?)",
        (tenant, micros(since), tenant, agent),
    ).fetchone()
    return int(row[0])


def open_approvals(
    connection: Sql, opener: SealOpener, tenant: str, tasks: Sequence[str], most: int = ALL
) -> list[Approval]:
    """Return the tasks' approvals that are pending, or approved but not used; `most` for each task."""
    query = (
        "select body, sealed from approvals where tenant = ? and task = ?"
        " and state in ('pending', 'approved') order by requested desc limit ?"
    )
    found: list[Approval] = []
    opened = Opened(connection, opener)
    for start in range(0, len(tasks), AT_ONCE):
        # Send all queries before reading any result.
        asked = [connection.execute(query, (tenant, task, most)) for task in tasks[start : start + AT_ONCE]]
        found += [one for rows in asked for one in _said(Approval, rows, opened)]
    return found


def closures(connection: Sql, tenant: str, scope: str, limit: int) -> list[Closure]:
    """Return closures, newest first."""
    return newest(connection, Closure, "closures", "at", tenant, limit, scope=scope)


def entries(
    connection: Sql,
    tenant: str,
    start: int,
    before: int | None,
    limit: int,
    kinds: Sequence[str],
    task: str,
    opener: SealOpener | None,
) -> list[Entry]:
    """Return the first events from `start` on, or the last ones below `before`, in order.

    With an `opener`, the entries contain what it can decrypt.
    """
    if task:
        rows = of_task(connection, tenant, start, before, limit, kinds, task)
        return [entry(row, tenant, opener) for row in rows]
    where, values = "", list[Any]()
    if before is not None:
        where, values = " and e.idx < ?", [before]
    if kinds:
        where += f" and e.kind in ({', '.join('?' * len(kinds))})"
        values += kinds
        if not set(kinds) & set(COMMON_KINDS):
            where += f" and {RARE.replace('kind', 'e.kind')}"
    order = "e.idx" if before is None else "e.idx desc"
    query = f"{EVENT} where e.tenant = ? and e.idx >= ?{where} order by {order} limit ?"
    rows = connection.execute(query, (tenant, start, *values, limit)).fetchall()
    return [entry(row, tenant, opener) for row in (rows if before is None else reversed(rows))]


def last_events(connection: Sql, tenant: str, tasks: Sequence[str]) -> dict[str, int]:
    """Return the index of each task's last event; tasks without events are left out."""
    query = f"{_LAST} and task in ({', '.join('?' * len(tasks))})"
    return dict(connection.execute(query, (tenant, *tasks)).fetchall())


def of_task(
    connection: Sql,
    tenant: str,
    start: int,
    before: int | None,
    limit: int,
    kinds: Sequence[str],
    task: str,
) -> list[tuple[Any, ...]]:
    """Follow a task's chain back from its last event, then read forward."""
    at = last_events(connection, tenant, (task,)).get(task)
    chain: list[int] = []
    while at is not None and at >= start and (before is None or len(chain) < limit):
        row = connection.execute(
            "select kind, task_before from events where tenant = ? and idx = ? and task = ?",
            (tenant, at, task),
        ).fetchone()
        kind, previous = row or (None, _before_pruned(connection, tenant, at))
        if previous is not None and previous >= at:
            raise VerificationFailed(
                f"the chain of task `{task}` was changed in the store at event {at}",
                code="chain-changed",
                remediation="`remit audit log` without `--task` shows all events",
            )
        if kind is not None and (not kinds or kind in kinds) and (before is None or at < before):
            chain.append(at)
        at = previous
    found = []
    for index in chain[::-1][:limit]:
        found += connection.execute(f"{EVENT} where e.tenant = ? and e.idx = ?", (tenant, index)).fetchall()
    return found


def _before_pruned(connection: Sql, tenant: str, index: int) -> int | None:
    """Return the event of the task before a pruned one; `index` itself if that was not pruned."""
    query = "select task_before from pruned_leaves where tenant = ? and idx = ?"
    row = connection.execute(query, (tenant, index)).fetchone()
    return row[0] if row else index


def entry(row: tuple[Any, ...], tenant: str, opener: SealOpener | None) -> Entry:
    """Return the entry of a row of `EVENT`, with the values that the opener can decrypt."""
    index, kind, task, leaf, leaf_hash, sealed, _, subject, wrapped, by = row
    openings: Openings | None = None
    if opener is not None and sealed and wrapped:
        try:
            openings = opener(tenant, subject, wrapped, by, leaf, sealed)
        except (VerificationFailed, Malformed, ValueError):
            openings = {}  # the values do not match this leaf; the reader reports that
    return Entry(
        index=index,
        tenant=tenant,
        kind=kind,
        task=task,
        leaf=leaf,
        leaf_hash=leaf_hash,
        sealed=sealed,
        subject=subject or "",
        openings=openings,
    )


def inclusion(connection: Sql, tenant: str, index: int, size: int) -> list[bytes]:
    """Return an inclusion proof."""
    return inclusion_proof(index, size, reader(connection, tenant, size))


def consistency(connection: Sql, tenant: str, old: int, new: int) -> list[bytes]:
    """Return a consistency proof."""
    return consistency_proof(old, new, reader(connection, tenant, new))


def events(
    connection: Sql, tenant: str, indexes: Sequence[int], of: Callable[[str], bool] | None = None
) -> list[Event]:
    """Return the events at these indexes.

    Uncommitted events are left out and, with `of`, other writers' events.
    """
    found = []
    for index in indexes:
        row = connection.execute(
            "select leaf from events where tenant = ? and idx = ?", (tenant, index)
        ).fetchone()
        if row and (of is None or of(writer_of(row[0]))):
            found.append(from_leaf(row[0]))
    return found
