# SPDX-License-Identifier: Apache-2.0
"""Applies changes of stored labels, and reads them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from remit.adapters.store.relational.registry import Apply
from remit.adapters.store.relational.sql import Sql, upsert
from remit.adapters.store.relational.timestamps import micros, text
from remit.core.errors import ChangedMeanwhile
from remit.core.flow.stored_labels import StoredLabel
from remit.core.label import Label
from remit.ports.store.changes import DropStoredLabel, JoinLabels, PutStoredLabel

_PUT = upsert("holdings", 5, "tenant, upstream, resource", "changed", "body")
_ONE = "select body from holdings where tenant = ? and upstream = ? and resource = ?"


def put_stored_label(sql: Sql, change: PutStoredLabel) -> None:
    """Insert or replace a stored label."""
    stored_label = change.stored_label
    key = (stored_label.tenant, stored_label.upstream, stored_label.resource)
    if change.was is not None:
        row = sql.execute(_ONE, key).fetchone()
        if row is None or msgspec.json.decode(row[0], type=StoredLabel) != change.was:
            raise ChangedMeanwhile(
                f"data was written to `{stored_label.resource or stored_label.upstream}` in the meantime",
                remediation="review it again",
            )
    elif change.classes is not None and (row := sql.execute(_ONE, key).fetchone()) is not None:
        stored_label = msgspec.json.decode(row[0], type=StoredLabel).with_also(stored_label, change.classes)
    sql.execute(
        _PUT,
        (*key, micros(stored_label.changed), text(stored_label)),
    )


def drop_stored_label(sql: Sql, change: DropStoredLabel) -> None:
    """Delete a stored label."""
    sql.execute(
        "delete from holdings where tenant = ? and upstream = ? and resource = ?",
        (change.tenant, change.upstream, change.resource),
    )


def join_labels(sql: Sql, change: JoinLabels) -> None:
    """Join a label into the labels of tasks."""
    for task in change.tasks:
        where = (change.tenant, task)
        row = sql.execute("select label from tasks where tenant = ? and id = ?", where).fetchone()
        if row is None:
            continue
        old = msgspec.json.decode(row[0], type=Label)
        new = old.join(change.label, change.classes)
        if new != old:
            sql.execute("update tasks set label = ? where tenant = ? and id = ?", (text(new), *where))


def some(connection: Sql, tenant: str, upstream: str, resources: Sequence[str]) -> list[StoredLabel]:
    """Return the stored labels that exist for certain resources."""
    out = []
    for resource in resources:
        row = connection.execute(_ONE, (tenant, upstream, resource)).fetchone()
        if row is not None:
            out.append(msgspec.json.decode(row[0], type=StoredLabel))
    return out


def under(connection: Sql, tenant: str, upstream: str, prefix: str, limit: int) -> list[StoredLabel]:
    """Return the stored labels whose resource begins with `prefix`, sorted by upstream and name."""
    where, values = ("and upstream = ? ", [upstream]) if upstream else ("", [])
    rows = connection.execute(
        # With an upstream, the upper bound lets the primary key find the rows.
        f"select body from holdings where tenant = ? {where}and resource >= ? and resource < ?"  # noqa: S608
        " order by upstream, resource limit ?",
        (tenant, *values, prefix, prefix + "\U0010ffff", limit),
    )
    return [msgspec.json.decode(body, type=StoredLabel) for (body,) in rows]


def counts(connection: Sql, tenant: str) -> dict[str, int]:
    """Return the number of stored labels for each upstream."""
    query = "select upstream, count(*) from holdings where tenant = ? group by upstream"
    return dict(connection.execute(query, (tenant,)).fetchall())


APPLY: dict[type, Apply] = {
    PutStoredLabel: put_stored_label,
    DropStoredLabel: drop_stored_label,
    JoinLabels: join_labels,
}
