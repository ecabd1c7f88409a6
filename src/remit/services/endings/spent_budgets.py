# SPDX-License-Identifier: Apache-2.0
"""Tasks whose budgets were used up at a process that is gone: they end without waiting for their next call.

1. the process that serves a task ends it once its budgets are used up (`Endings.expire`). Tasks that no
   process serves are searched for: by a single process at its start; with several, by the maintenance replica
   after its start and whenever a replica is gone
2. with several, such a task is taken over before it is ended, so that no replica has a call of it in
   progress. A task that another replica serves is left to that replica
"""

from __future__ import annotations

from remit.core.endings.closure import Cause, Closure
from remit.core.errors import Elsewhere
from remit.core.tasks.task import Task, TaskState
from remit.ports.store.tasks import TaskStore
from remit.services.endings.ending import Endings
from remit.services.replicas.events import ReplicaEvents
from remit.services.replicas.task_ownership import Ownership, root_of
from remit.services.tasks.budgets import own_accounts, used_up, work_done
from remit.services.tasks.live_tasks import LiveTasks


class SpentTasks:
    """Finds what is due to end. For one event loop."""

    def __init__(
        self,
        *,
        store: TaskStore,
        live: LiveTasks,
        ownership: Ownership,
        revocations: Endings,
        events: ReplicaEvents,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._live = live
        self._ownership = ownership
        self._revocations = revocations
        self._tenant = tenant
        self._due = True
        events.gone.append(self.gone)

    async def gone(self, _: str) -> None:
        """Note that a replica is gone."""
        self._due = True

    async def turn(self) -> None:
        """1. Look, if a replica is gone since the last look. For a background loop."""
        if not self._due:
            return
        self._due = False
        try:
            await self.end()
        except BaseException:
            self._due = True
            raise

    async def end(self) -> list[Closure]:
        """End the tasks; return the closures."""
        out = []
        for task in await self._store.tasks(self._tenant, state=TaskState.ACTIVE, limit=1_000_000):
            if not (task.ends_when_spent or task.ends_after) or self._live.get(task.id) is not None:
                continue
            used = {name: await self._store.usage(self._tenant, name) for name in own_accounts(task)}
            why, cause = work_done(task, used), Cause.COMPLETED
            if not why and task.ends_when_spent:
                why, cause = used_up(task, used), Cause.BUDGET
            # A task that is bound here by now ends as all bound tasks do.
            if why and await self._taken(task) and self._live.get(task.id) is None:
                out.append(await self._revocations.expire_one(task.id, why, cause))
        return out

    async def _taken(self, task: Task) -> bool:
        """Do step 2."""
        try:
            await self._ownership.take(root_of(task))
        except Elsewhere:
            return False
        return True
