# SPDX-License-Identifier: Apache-2.0
"""Tasks in the store, and the delegation records that let agents open them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.history import HistoryEntry
from remit.core.tasks.task import Task, TaskState
from remit.ports.store.units import UnitStore


class Usage(msgspec.Struct, frozen=True):
    """What a task has used up so far."""

    calls: int = 0
    effectful_calls: int = 0
    result_bytes: int = 0


class TaskStore(UnitStore, Protocol):
    """Tasks and delegation records. Durability, concurrency and errors: `UnitStore`."""

    async def task(self, tenant: str, task_id: str) -> Task | None:
        """Return a task with its accumulated label."""

    async def tasks(
        self,
        tenant: str,
        *,
        agent: str = "",
        on_behalf_of: str = "",
        state: TaskState | None = None,
        limit: int = 100,
        texts: bool = True,
    ) -> list[Task]:
        """Return tasks, newest first; of one agent, for one person, in one state, where these are given.

        Without `texts` they have no goal, messages, parameters, grants and plan, and cost a tenth to read.
        """

    async def expiring(self, tenant: str, now: datetime) -> list[Task]:
        """Return the active tasks whose deadline has passed at `now`, or passes within this second."""

    async def watched(self, tenant: str, owner: str = "") -> list[str]:
        """Return the ids of active tasks with a lease or idle time: those of an owner, or without an
        owner.
        """

    async def task_to_end(self, tenant: str, id: str) -> Task | None:
        """Return a task, for its end: also where its row was changed in the store, as `with_descendants`."""

    async def with_descendants(self, tenant: str, task: str) -> list[Task]:
        """Return a task, if it exists, followed by every task that has it among its ancestors.

        For ends: also where rows were changed in the store, because an end must not wait for that.
        """

    async def usage(self, tenant: str, task: str) -> Usage:
        """Return what a task and its descendants have used."""

    async def history(self, tenant: str, family: str, *, limit: int) -> list[HistoryEntry]:
        """Return what `CountHistory` has kept of a family; at most `limit` entries, the latest first."""

    async def delegation(self, tenant: str, delegation_id: str) -> Delegation | None:
        """Return a delegation record, whether or not it is still live."""

    async def delegations(
        self, tenant: str, *, person: str = "", agent: str = "", limit: int = 1000
    ) -> list[Delegation]:
        """Return delegation records, newest first, including those that are no longer live."""
