# SPDX-License-Identifier: Apache-2.0
"""Checks a log against its last signed head, before anything is appended."""

from __future__ import annotations

from remit.adapters.store.relational.merkle_nodes import reader, stored_size
from remit.adapters.store.relational.sql import Sql
from remit.core.errors import HeadMissing, VerificationFailed
from remit.core.evidence.merkle import leaf_hash, root_at
from remit.ports.evidence.log import Head

#: Most leaves at the end of a log that a start hashes again; `remit audit verify` hashes all.
MAX_TAIL = 20_000


def check_log(connection: Sql, tenant: str, head: Head | None) -> None:
    """Refuse what a start refuses: what `check_head` refuses, and events without a stored head."""
    size = stored_size(connection, tenant)
    if size and head is None:
        raise HeadMissing(tenant, size)
    check_head(connection, tenant, size, head)


def check_head(connection: Sql, tenant: str, size: int, head: Head | None) -> None:
    """Refuse a log that is behind its last signed head, or whose last leaves do not match their hashes."""
    if head is not None:
        if size < head.size:
            raise VerificationFailed(
                f"the log of tenant `{tenant}` has {size} events, but {head.size} were signed",
                code="log-rolled-back",
                remediation="restore the newest backup of the store; events are missing from this one",
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
    for expected, (index, leaf, hashed) in enumerate(rows, since):
        if index != expected or leaf_hash(leaf) != hashed:
            raise VerificationFailed(
                f"event {expected} of tenant `{tenant}` differs from the recorded one",
                code="leaf-changed",
                remediation="restore the original store, and find out how this one was changed",
            )
