# SPDX-License-Identifier: Apache-2.0
"""Expired tasks: by their deadline, a lease that was not renewed, idle time, a budget, or a completing call.

1. tasks that are bound here are checked in memory, without the store: a look is cheap however many tasks
   there are, and no single turn of the event loop examines more than some hundreds of them
2. for tasks that are not bound here, the store returns those whose deadline has passed
3. lease and idle time of a task count where the task is bound. A task that was never used is bound by the
   owner of its family or, without an owner, by the maintenance replica (`takeover`): its time begins then
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

#: Tasks that are examined in one turn of the event loop.
IN_A_TURN: Final = 200

_PASSED: Final = "the deadline has passed"


class ExpiringTask(NamedTuple):
    """An expired task, with the reason and the cause."""

    task: str
    reason: str
    cause: Cause


class Expiry:
    """Finds what is due to end. For one event loop."""

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
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._live = live
        self._ownership = ownership
        self._remains = remains
        self._tenant = tenant

    async def due(self) -> list[ExpiringTask]:
        """Return the tasks that have to end.

        Of several replicas, each checks the tasks that it owns, and one of them checks the tasks without an
        owner.
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
        """Do step 1."""
        out = []
        for number, one in enumerate(self._live.all(), 1):
            if not number % IN_A_TURN:
                await asyncio.sleep(0)
            # A task that is no longer owned here must not be ended here.
            if (due := _run_out(one, boot_s)) and self._live.get(due.task) is one:
                out.append(due)
        return out

    async def _passed(self, task: Task, now: datetime, boot_s: float) -> bool:
        """2. Return whether a deadline has passed.

        A clock that was set back does not move the deadline of a bound task.
        """
        live = self._live.get(task.id)
        if live is None:
            if not self._remains.tends and not self._ownership.holds(root_of(task)):
                return False
            if self._ownership.several:
                # For a task that another replica serves, the clock of that replica counts.
                try:
                    live = await self._live.load(task.id)
                except Elsewhere:
                    return False
        return now >= task.deadline or (live is not None and boot_s >= live.ends_s)

    async def _attend(self, tasks: Iterable[str]) -> None:
        """Do step 3."""
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
    if task.ends_after and not live.open_calls and (why := live.work_done()):
        return ExpiringTask(task.id, why, Cause.COMPLETED)
    if task.ends_when_spent and not live.open_calls and (why := live.used_up()):
        return ExpiringTask(task.id, why, Cause.BUDGET)
    return None
