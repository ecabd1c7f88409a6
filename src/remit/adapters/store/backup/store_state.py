# SPDX-License-Identifier: Apache-2.0
"""What a store says before a backup replaces it: how far its log goes, and what it has taken away since."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from remit.adapters.store.backup.backup_rows import Newer, PresentPerson
from remit.adapters.store.relational.merkle_nodes import frontier, stored_size
from remit.adapters.store.relational.sql import Sql
from remit.core.errors import VerificationFailed
from remit.core.evidence.event import EventKind
from remit.core.evidence.restore import LOSS, UNSETTLED, RestoredLog


class PresentLog(NamedTuple):
    """The log of a store, and what earlier restores of it left behind (`core.evidence.restore`)."""

    size: int
    root: bytes
    restored: tuple[RestoredLog, ...]


def present_log(sql: Sql, tenant: str) -> PresentLog:
    """Return how far the log of a store goes."""
    size = stored_size(sql, tenant)
    query = "select body from kept_values where tenant = ? and key in (?, ?)"
    left = sql.execute(query, (tenant, LOSS, UNSETTLED)).fetchall()
    restored = tuple(msgspec.json.decode(body, type=RestoredLog) for (body,) in left)
    return PresentLog(size, frontier(sql, tenant, size).root(), restored)


def taken_away(sql: Sql, tenant: str, since: int, held: frozenset[int]) -> Newer:
    """Return what a store has taken away; `since` is the size of the backup's log, `held` its subjects' keys.

    Raises `VerificationFailed` if more keys are gone than the log says: then they were not forgotten.
    """
    query = "select id from subject_keys where tenant = ?"
    keys = frozenset(one for (one,) in sql.execute(query, (tenant,)))
    forgotten = sql.execute(
        "select count(*) from events where tenant = ? and kind = ? and idx >= ?",
        (tenant, EventKind.SUBJECT_FORGOTTEN.value, since),
    ).fetchone()[0]
    gone = len(held - keys)
    if gone > forgotten:
        raise VerificationFailed(
            f"{gone} subjects of the backup are not in the present store, whose log says that {forgotten} "
            "were forgotten",
            code="subjects-missing",
            remediation="move the present store away, so that all of them are restored; then forget "
            "again those who had to be forgotten",
        )
    fences = {
        scope: (epoch, locked)
        for scope, epoch, locked in sql.execute(
            "select scope, epoch, locked from fences where tenant = ?", (tenant,)
        )
    }
    people = {
        name: msgspec.json.decode(body, type=PresentPerson)
        for name, body in sql.execute("select name, body from people where tenant = ?", (tenant,))
    }
    return Newer(keys, fences, people)
