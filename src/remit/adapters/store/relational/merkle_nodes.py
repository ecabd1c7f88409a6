# SPDX-License-Identifier: Apache-2.0
"""Reads the stored Merkle tree (whole tiles of leaf hashes and of the nodes above them), and checks a log
against its last signed head before anything is appended.
"""

from __future__ import annotations

from functools import partial

from remit.adapters.store.relational.sql import Sql
from remit.core.errors import HeadMissing, RestoreUnfinished, VerificationFailed
from remit.core.evidence.merkle import Frontier, TileReader, leaf_hash, root_at, root_nodes
from remit.core.evidence.restore import LOSS, UNSETTLED
from remit.ports.evidence.log import Head

#: Most leaves at the end of a log that a start hashes again; `remit audit verify` hashes all.
MAX_TAIL = 20_000


def reader(connection: Sql, tenant: str, size: int) -> TileReader:
    """Return a reader of the tree of the first `size` leaves; use it on one thread, for one proof."""
    return TileReader(partial(hashes, connection, tenant), size)


def hashes(connection: Sql, tenant: str, level: int, start: int, count: int) -> list[bytes]:
    """Return up to `count` stored hashes of level 0, 8, 16, ... from index `start` on."""
    place: tuple[str | int, ...] = (tenant, level, start, start + count)
    if level:
        query = "select hash from nodes where tenant = ? and level = ? and idx >= ? and idx < ? order by idx"
    else:
        # An index that stood in both would be one hash too many, and no proof would hold.
        query = (
            "select leaf_hash, idx from events where tenant = ? and idx >= ? and idx < ? union all"
            " select leaf_hash, idx from pruned_leaves where tenant = ? and idx >= ? and idx < ? order by idx"
        )
        place = (tenant, start, start + count, tenant, start, start + count)
    return [bytes(row[0]) for row in connection.execute(query, place)]


def frontier(connection: Sql, tenant: str, size: int) -> Frontier:
    """Rebuild the frontier of a tree of `size` leaves; read at most one tile for each level."""
    read = reader(connection, tenant, size)
    return Frontier(size, tuple(read(*node) for node in root_nodes(size)))


def stored_size(connection: Sql, tenant: str) -> int:
    """Return the number of events of a tenant."""
    last = connection.execute("select max(idx) from events where tenant = ?", (tenant,)).fetchone()[0]
    return 0 if last is None else int(last) + 1


def tenants(connection: Sql) -> list[str]:
    """Return the tenants that have a log, with one index probe for each, however long the logs are."""
    rows = connection.execute(
        "with recursive t (name) as (select min(tenant) from events union all"
        " select (select min(tenant) from events where tenant > name) from t where name is not null)"
        " select name from t where name is not null"
    )
    return [name for (name,) in rows]


def check_log(connection: Sql, tenant: str, head: Head | None) -> bool:
    """Refuse what a start refuses: what `check_head` refuses, and events without a stored head.

    Returns whether a restore lost events, and that is not accepted yet.
    """
    query = "select key from kept_values where tenant = ? and key in (?, ?)"
    left = {key for (key,) in connection.execute(query, (tenant, UNSETTLED, LOSS))}
    if UNSETTLED in left:
        raise RestoreUnfinished
    size = stored_size(connection, tenant)
    if size and head is None:
        raise HeadMissing(tenant, size)
    check_head(connection, tenant, size, head)
    return LOSS in left


def check_head(connection: Sql, tenant: str, size: int, head: Head | None) -> None:
    """Refuse a log that is behind its last signed head, or whose last leaves do not match their hashes."""
    if head is not None:
        if size < head.size:
            raise VerificationFailed(
                f"the log of tenant `{tenant}` has {size} events, but {head.size} were signed",
                code="log-rolled-back",
                remediation="put the newest store back, or run `remit restore` with the newest backup",
            )
        if root_at(head.size, reader(connection, tenant, size)) != head.root:
            raise VerificationFailed(
                f"the log of tenant `{tenant}` does not begin with the {head.size} signed events",
                code="log-rewritten",
                remediation="restore the original store, and find out how this one was changed",
            )
    since = max(head.size if head else 0, size - MAX_TAIL)
    rows = connection.execute(
        "select idx, leaf, leaf_hash from events where tenant = ? and idx >= ? order by idx", (tenant, since)
    )
    pruned = connection.execute(
        "select idx from pruned_leaves where tenant = ? and idx >= ?", (tenant, since)
    ).fetchall()
    here = sorted(set(range(since, size)).difference(index for (index,) in pruned))
    for expected, (index, leaf, hashed) in zip(here, rows, strict=False):
        if index != expected or leaf_hash(leaf) != hashed:
            raise VerificationFailed(
                f"event {expected} of tenant `{tenant}` differs from the recorded one",
                code="leaf-changed",
                remediation="restore the original store, and find out how this one was changed",
            )
