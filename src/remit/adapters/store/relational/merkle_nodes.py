# SPDX-License-Identifier: Apache-2.0
"""Reads the stored Merkle tree: whole tiles of leaf hashes and of the nodes above them."""

from __future__ import annotations

from remit.adapters.store.relational.sql import Sql
from remit.core.evidence.merkle import Frontier, TileReader, root_nodes


def reader(connection: Sql, tenant: str, size: int) -> TileReader:
    """Return a reader of the tree of the first `size` leaves; use it on one thread, for one proof."""

    def read_range(level: int, start: int, count: int) -> list[bytes]:
        if level:
            query = (
                "select hash from nodes where tenant = ? and level = ? and idx >= ? and idx < ? order by idx"
            )
            rows = connection.execute(query, (tenant, level, start, start + count))
        else:
            query = "select leaf_hash from events where tenant = ? and idx >= ? and idx < ? order by idx"
            rows = connection.execute(query, (tenant, start, start + count))
        return [item for (item,) in rows]

    return TileReader(read_range, size)


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
