# SPDX-License-Identifier: Apache-2.0
"""Which tasks have run out: by their deadline, because nobody renewed a lease or used them, or by a budget.

1. of what is bound here memory says so, and the store is not asked: a look costs little, however many tasks
   there are, and no turn of the event loop has more than some hundreds of them
2. of what is not bound the store tells whose deadline has passed
3. lease and idle time of a task live where it is bound. One that was never used is bound by the owner of its
   family, and where nobody owns it by whoever tends (`remains`): its time begins then
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from remit.core.endings.closure import Cause
from remit.core.errors import Elsewhere, NotFound
from remit.core.tasks.task import Task, TaskState
from remit.ports.runtime import Clock
from remit.ports.store.tasks import TaskStore
from remit.services.endings.takeover import Takeover
from remit.services.replicas.task_ownership import Ownership, root_of
from remit.services.tasks.live_task import LiveTask
from remit.services.tasks.live_tasks import LiveTasks

#: Tasks that are looked at in one turn of the event loop.
IN_A_TURN: Final = 200

_PASSED: Final = "the deadline has passed"


class ExpiringTask(NamedTuple):
    """A task that has run out, and in which way."""

    task: str
    reason: str
    cause: Cause


class Expiry:
    """Looks for them. For one event loop."""

    def __init__(
        self,
        *,
        store: TaskStore,
        clock: Clock,
        live: LiveTasks,
        ownership: Ownership,
        remains: Takeover,
        tenant: str,
    ) -> None:
        """Take the parts."""
        self._store = store
        self._clock = clock
        self._live = live
        self._ownership = ownership
        self._remains = remains
        self._tenant = tenant

    async def due(self) -> list[ExpiringTask]:
        """Return the tasks that have to end. Of several replicas each looks after what it owns, and one of
        them after what nobody does.
        """
        now, boot_s = self._clock.now(), self._clock.boot_s()
        found = {one.task: one for one in await self._bound(boot_s)}
        for task in await self._store.expiring(self._tenant, now):
            if task.id not in found and await self._passed(task, now, boot_s):
                found[task.id] = ExpiringTask(task.id, _PASSED, Cause.DEADLINE)
        if self._ownership.several:
            await self._attend(await self._store.watched(self._tenant, self._ownership.replica))
        if self._remains.tends:
            await self._attend(await self._store.watched(self._tenant))
        return list(found.values())

    async def _bound(self, boot_s: float) -> list[ExpiringTask]:
        """1."""
        out = []
        for number, one in enumerate(self._live.all(), 1):
            if not number % IN_A_TURN:
                await asyncio.sleep(0)
            # What is owned no longer is not ours to end.
            if (due := _run_out(one, boot_s)) and self._live.get(due.task) is one:
                out.append(due)
        return out

    async def _passed(self, task: Task, now: datetime, boot_s: float) -> bool:
        """2. A clock that was set back moves no deadline of a task that is bound."""
        live = self._live.get(task.id)
        if live is None:
            if not self._remains.tends and not self._ownership.holds(root_of(task)):
                return False
            if self._ownership.several:
                # Of one that another replica serves, that one's clock counts.
                try:
                    live = await self._live.load(task.id)
                except Elsewhere:
                    return False
        return now >= task.deadline or (live is not None and boot_s >= live.ends_s)

    async def _attend(self, tasks: Iterable[str]) -> None:
        """3."""
        for number, task in enumerate(tasks, 1):
            if not number % IN_A_TURN:
                await asyncio.sleep(0)
            if self._live.get(task) is None:
                try:
                    await self._live.load(task)
                except (Elsewhere, NotFound):
                    continue


def _run_out(live: LiveTask, boot_s: float) -> ExpiringTask | None:
    task = live.task
    if task.state.ended:
        return None
    if boot_s >= live.ends_s:
        return ExpiringTask(task.id, _PASSED, Cause.DEADLINE)
    if live.lapsed(boot_s) and task.state is TaskState.ACTIVE:
        leased = bool(task.lease_s)
        lapse = "the lease was not renewed" if leased else "the task was not used"
        return ExpiringTask(task.id, lapse, Cause.LEASE if leased else Cause.IDLE)
    if task.ends_when_spent and not live.open_calls and (why := live.used_up()):
        return ExpiringTask(task.id, why, Cause.BUDGET)
    return None
