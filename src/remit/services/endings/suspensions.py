# SPDX-License-Identifier: Apache-2.0
"""Suspending a task, the first stage of its stop, and having it go on.

1. One commit locks the task's own scope, if the task has not ended. From that commit on no call of it or of a
   task below it is permitted, at any replica: step 5 of every call asks for the lock in its own commit.
2. Calls that were permitted before go on to their end. Their results are released: nothing is indeterminate
   because of a suspension.
3. Deadline, lease and idle time run on, credentials at upstreams stay, and questions stay open; what they
   permit is decided again when the call is made. An end ends a suspended task as it ends any other.
4. A person resumes: an operator whose own task it is not, or the very person who suspended it. An operator
   who suspends what its own person has suspended takes that over, so that this person no longer resumes it.
"""

from __future__ import annotations

import msgspec

from remit.core.endings.suspension import Suspension, task_scope
from remit.core.errors import Conflict, Fenced, Forbidden, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.tasks import TaskResumed, TaskSuspended
from remit.core.identity.principals import Person
from remit.core.tasks.task import Task
from remit.ports.runtime import Clock
from remit.ports.store.changes import CheckFence, CheckValue, PutValue, RaiseFence
from remit.ports.store.combined import TasksAndEndings
from remit.ports.store.units import Unit
from remit.services.limits.durations import RecentTimes
from remit.services.tasks.live_tasks import LiveTasks

#: Prefix of the stored reasons.
SUSPENDED = "suspended:"


class Suspensions:
    """Suspends tasks and resumes them."""

    def __init__(self, *, store: TasksAndEndings, clock: Clock, live: LiveTasks, tenant: str) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._live = live
        self._tenant = tenant
        #: How long it took until no call was permitted any more.
        self.times = RecentTimes()

    async def suspend(self, task: Task, person: Person, *, operates: bool, reason: str) -> Suspension:
        """Suspend a task (1); return what stands if it is suspended already, and is not taken over (4).

        `operates`: the person may end tasks of others. Raises `Conflict` where it has ended.
        """
        found = await self.of(task.id)
        if found is not None and not may_take_over(found, task, person, operates=operates):
            return found
        started_s = self._clock.boot_s()
        made = Suspension(task=task.id, by=person.name, at=self._clock.now(), reason=reason)
        live = self._live.get(task.id)
        told = TaskSuspended(
            under_way=len(live.in_hand) if live is not None else 0, reason=reason, by=person.name
        )
        key = SUSPENDED + task.id
        changes = (
            CheckFence(task.epochs, task.scopes),
            CheckValue(self._tenant, key, msgspec.to_builtins(found) if found else None),
            RaiseFence(self._tenant, task_scope(task.id), locked=True, raise_epoch=False),
            PutValue(self._tenant, key, msgspec.to_builtins(made)),
        )
        try:
            await self._store.commit(Unit(changes, (self._event(told, task, person),)), at_once=True)
        except Fenced:
            raise Conflict(
                f"task `{task.id}` has ended", code="task-ended", remediation="nothing of it is permitted"
            ) from None
        self.times.add("task", (self._clock.boot_s() - started_s) * 1000)
        return made

    async def resume(self, task: Task, person: Person, *, operates: bool, reason: str) -> None:
        """Have a suspended task go on (4); `operates`: the person may end tasks of others.

        Raises `NotFound` where it is not suspended, and `Forbidden`.
        """
        found = await self.of(task.id)
        if found is None:
            raise NotFound(f"task `{task.id}` is not suspended", remediation="see `remit who TASK`")
        if not may_resume(found, task, person, operates=operates):
            raise Forbidden(
                "another person suspended the task",
                code="role",
                remediation=f"ask `{found.by}`, or an operator whose task it is not",
            )
        key = SUSPENDED + task.id
        changes = (
            CheckFence(task.epochs, task.scopes),
            CheckValue(self._tenant, key, msgspec.to_builtins(found)),
            RaiseFence(self._tenant, task_scope(task.id), locked=False, raise_epoch=False),
            PutValue(self._tenant, key, None),
        )
        told = TaskResumed(reason=reason, by=person.name)
        await self._store.commit(Unit(changes, (self._event(told, task, person),)))

    async def of(self, task_id: str) -> Suspension | None:
        """Return the suspension of a task itself."""
        kept = await self._store.value(self._tenant, SUSPENDED + task_id)
        return msgspec.convert(kept, Suspension) if kept else None

    async def over(self, task: Task) -> Suspension | None:
        """Return the suspension of a task or of a task above it; None for one that has ended."""
        if task.state.ended:
            return None
        for name in (task.id, *task.ancestors):
            if (found := await self.of(name)) is not None:
                return found
        return None

    def _event(self, body: TaskSuspended | TaskResumed, task: Task, person: Person) -> Event:
        return Event.of(
            body,
            at=self._clock.now(),
            tenant=self._tenant,
            task=task.id,
            agent=task.agent,
            subject=person.name,
        )


def may_resume(found: Suspension, task: Task, person: Person, *, operates: bool) -> bool:
    """Return whether a person may have a suspended task go on (4)."""
    return found.by == person.name or (operates and not task.belongs_to(person.name))


def may_take_over(found: Suspension, task: Task, person: Person, *, operates: bool) -> bool:
    """Return whether a person may suspend a task again that its own person has suspended (4)."""
    return operates and found.by != person.name and task.belongs_to(found.by)
