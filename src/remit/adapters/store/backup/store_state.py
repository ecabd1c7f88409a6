# SPDX-License-Identifier: Apache-2.0
"""What a store says before a backup replaces it: how far its log goes, and what it has taken away since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from remit.adapters.store.backup.backup_rows import Newer, PresentPerson, forgotten_keys
from remit.adapters.store.relational.merkle_nodes import frontier, reader, stored_size
from remit.adapters.store.relational.sql import Sql
from remit.core.errors import VerificationFailed
from remit.core.evidence.backup_manifest import BackupLog
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import root_at
from remit.core.evidence.restore import LOSS, UNSETTLED, RestoredLog


class PresentLog(NamedTuple):
    """The log of a store, and what earlier restores of it left behind (`core.evidence.restore`)."""

    size: int
    root: bytes
    restored: tuple[RestoredLog, ...]
    #: The keys of subjects that were destroyed on record, by id.
    forgotten: frozenset[str]


def present_log(sql: Sql, tenant: str) -> PresentLog:
    """Return how far the log of a store goes."""
    size = stored_size(sql, tenant)
    query = "select body from kept_values where tenant = ? and key in (?, ?)"
    left = sql.execute(query, (tenant, LOSS, UNSETTLED)).fetchall()
    restored = tuple(msgspec.json.decode(body, type=RestoredLog) for (body,) in left)
    # A restore that was cut short has not said its keys yet.
    forgotten = frozenset(filter(None, _forgotten(sql, tenant))).union(*(one.forgotten for one in restored))
    return PresentLog(size, frontier(sql, tenant, size).root(), restored, forgotten)


def _forgotten(sql: Sql, tenant: str, since: int = 0) -> Iterator[str]:
    """Yield the ids of the keys that events say are destroyed; see `forgotten_keys`."""
    query = "select leaf from events where tenant = ? and kind = ? and idx >= ?"
    said = sql.execute(query, (tenant, EventKind.SUBJECT_FORGOTTEN.value, since))
    return forgotten_keys(leaf for (leaf,) in said)


def taken_away(
    sql: Sql, tenant: str, log: BackupLog, held: frozenset[str], forgotten: frozenset[str]
) -> Newer:
    """Return what a store has taken away; `held` are the keys of subjects in a backup with this log.

    Raises `VerificationFailed` if the store's log continues the backup's, and a key is gone that is not
    `forgotten`. The log of an earlier restore may lack events of the backup, and its store their keys.
    """
    keys = {str(one) for (one,) in sql.execute("select id from subject_keys where tenant = ?", (tenant,))}
    gone = held - keys - forgotten
    if gone and _continues(sql, tenant, log):
        # Older versions recorded that a subject was forgotten, but not which key that destroyed.
        unnamed = sum(not key for key in _forgotten(sql, tenant, log.size))
        if len(gone) > unnamed:
            raise VerificationFailed(
                f"{len(gone)} subjects of the backup are not in the present store, whose log does not say "
                "that they were forgotten",
                code="subjects-missing",
                remediation="move the present store away, so that all of them are restored; then forget "
                "again those who had to be forgotten",
            )
        forgotten |= gone
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
    return Newer(forgotten, fences, people)


def _continues(sql: Sql, tenant: str, log: BackupLog) -> bool:
    """Return whether a store's log begins with that of a backup."""
    size = stored_size(sql, tenant)
    return log.size <= size and root_at(log.size, reader(sql, tenant, size)).hex() == log.root
