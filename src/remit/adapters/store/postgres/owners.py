# SPDX-License-Identifier: Apache-2.0
"""The owner of each task's live state, as the batches see it; also how a replica is buried."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from remit.adapters.store.relational.memory import Key, Memory
from remit.adapters.store.relational.sql import Sql
from remit.core.errors import Conflict, Elsewhere
from remit.ports.store.replicas import (
    CheckStoredLabels,
    DeclareDead,
    HoldTask,
    LeaveTask,
    TakeTask,
    owner_key,
)

#: Owners kept in memory; dropped ones are read again on demand.
MOST = 50_000

NOBODY = ("", 0)

_OWNER = "select replica, epoch from owners where tenant = ? and task = ?"


class TaskOwners:
    """The owners of tasks that the batches know.

    INVARIANT: checked only while this writer holds the tenant's turn.
    """

    def __init__(self, sql: Sql, memory: Memory) -> None:
        """Begin with nothing known."""
        self._sql = sql
        self._memory = memory
        self._known: dict[Key, tuple[str, int]] = {}
        self.apply: dict[type, Callable[[str, Any, dict[str, int]], None]] = {
            HoldTask: self._hold,
            TakeTask: self._take,
            LeaveTask: self._leave,
            DeclareDead: self._bury,
            CheckStoredLabels: self._check_stored_labels,
        }

    def learn(self, tenant: str, rows: Iterable[tuple[str, str, int]]) -> None:
        """Learn what another writer has committed, before a batch."""
        for task, replica, epoch in rows:
            if (tenant, task) in self._known:
                self._known[tenant, task] = (replica, epoch)
        if len(self._known) > MOST:
            self._known.clear()

    def knows(self, tenant: str, changes: Iterable[object]) -> bool:
        """Return whether the owners that these changes check are in memory."""
        return all(type(one) is not HoldTask or (tenant, one.task) in self._known for one in changes)

    def _owner(self, tenant: str, task: str) -> tuple[str, int]:
        found = self._known.get((tenant, task))
        if found is None:
            row = self._sql.execute(_OWNER, (tenant, task)).fetchone()
            found = self._known[tenant, task] = (row[0], row[1]) if row else NOBODY
        return found

    def _put(self, tenant: str, task: str, replica: str, epoch: int) -> None:
        self._sql.execute(
            "insert into owners values (?, ?, ?, ?) on conflict (tenant, task)"
            " do update set replica = excluded.replica, epoch = excluded.epoch",
            (tenant, task, replica, epoch),
        )
        self._memory.change(self._known, (tenant, task), (replica, epoch))

    def _hold(self, tenant: str, change: HoldTask, _: dict[str, int]) -> None:
        owner = self._owner(tenant, change.task)
        if owner != (change.replica, change.epoch):
            raise Elsewhere(change.task, owner[0])

    def _take(self, tenant: str, change: TakeTask, epochs: dict[str, int]) -> None:
        owner, epoch = self._owner(tenant, change.task)
        if owner != change.replica:
            if owner and self._lives(tenant, owner):
                raise Elsewhere(change.task, owner)
            epoch += 1
            self._put(tenant, change.task, change.replica, epoch)
        epochs[owner_key(change.task)] = epoch

    def _lives(self, tenant: str, replica: str) -> bool:
        row = self._sql.execute(
            "select gone from replicas where tenant = ? and id = ?", (tenant, replica)
        ).fetchone()
        return row is not None and not row[0]

    def _leave(self, tenant: str, change: LeaveTask, _: dict[str, int]) -> None:
        owner, epoch = self._owner(tenant, change.task)
        if change.ended:
            self._sql.execute("delete from owners where tenant = ? and task = ?", (tenant, change.task))
            self._memory.change(self._known, (tenant, change.task), NOBODY)
        elif owner == change.replica:
            self._put(tenant, change.task, "", epoch)

    def _bury(self, tenant: str, change: DeclareDead, _: dict[str, int]) -> None:
        done = self._sql.execute(
            "update replicas set gone = 1 where tenant = ? and id = ? and gone = 0 and renewed = ?",
            (tenant, change.replica, change.renewed),
        )
        if done.rowcount == 0:
            raise Conflict(f"replica `{change.replica}` has already left, or is alive")
        self._sql.execute(
            "update owners set replica = '' where tenant = ? and replica = ?", (tenant, change.replica)
        )
        for key, (replica, epoch) in list(self._known.items()):
            if key[0] == tenant and replica == change.replica:
                self._memory.change(self._known, key, ("", epoch))

    def _check_stored_labels(self, tenant: str, change: CheckStoredLabels, _: dict[str, int]) -> None:
        row = self._sql.execute(
            "select 1 from holdings where tenant = ? and upstream = ? and turn > ? limit 1",
            (tenant, change.upstream, change.turn),
        ).fetchone()
        if row is not None:
            raise Conflict(
                f"data was written to `{change.upstream}` since the decision, and this call may share it",
                code="label-rose",
                remediation="call again",
            )
