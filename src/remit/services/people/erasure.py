# SPDX-License-Identifier: Apache-2.0
"""Erasure of a person or an agent: its key is destroyed, with everything sealed under the key.

1. the person's delegations are revoked, and the tasks whose subject the person is end. What these permit can
   no longer be read, and a record that has lost its fixed parameters would permit more
2. the key is destroyed, and that is recorded: the person's words are sealed under it, in the evidence and in
   the state
3. step 1 again, for data that was added in the meantime

A process may stop between the steps: a repeated erasure of the subject continues.
"""

from __future__ import annotations

from typing import Final

from remit.core.endings.closure import Cause
from remit.core.errors import Conflict, NotFound
from remit.core.tasks.task import Task, TaskState
from remit.ports.runtime import Clock
from remit.ports.store.tasks import TaskStore
from remit.services.endings.ending import Endings
from remit.services.evidence.log import Evidence
from remit.services.people.delegations import Delegations

#: Largest number of open tasks that are searched.
MOST: Final = 100_000
_REASON: Final = "its subject was forgotten"


class Erasure:
    """Erases subjects."""

    def __init__(
        self,
        *,
        store: TaskStore,
        clock: Clock,
        evidence: Evidence,
        delegations: Delegations,
        revocations: Endings,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._evidence = evidence
        self._delegations = delegations
        self._revocations = revocations
        self._tenant = tenant

    async def forget(self, subject: str, *, by: str, reason: str = "") -> None:
        """Erase a subject; raises `NotFound` where nothing is sealed under the name or live.

        INVARIANT: nothing that this records names the subject.
        """
        # Step 1.
        ended = await self._end(subject, by)
        # Step 2.
        try:
            await self._evidence.forget(subject, by=by, reason=reason)
        except NotFound:
            if not ended:
                raise
        # Step 3.
        await self._end(subject, by)

    async def _end(self, subject: str, by: str) -> bool:
        """End everything that relies on the words of a subject; return whether there was anything."""
        now = self._clock.now()
        records = [one for one in await self._delegations.of(subject) if one.live_at(now)]
        for one in records:
            await self._delegations.revoke(one.id, by=by, reason=_REASON)
        active = await self._store.tasks(self._tenant, state=TaskState.ACTIVE, limit=MOST)
        tasks = [task for task in active if subject in _subjects(task)]
        for task in tasks:
            try:
                await self._revocations.end_task(task.id, reason=_REASON, by=by, cause=Cause.ASKED)
            except Conflict:
                continue  # it has ended by itself since then
        return bool(records or tasks)


def _subjects(task: Task) -> frozenset[str]:
    """Return the subjects under whose keys the words of a task are sealed."""
    return frozenset({task.subject, task.speaker or task.subject})
