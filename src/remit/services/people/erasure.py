# SPDX-License-Identifier: Apache-2.0
"""Forgetting a person, or an agent: their key goes, and with it everything that was sealed under it.

1. their delegations are revoked, and the tasks of which they are the subject end: nobody can read any more
   what these permit, and a record that has lost what it fixed would permit more
2. the key is destroyed, on record: what they said is sealed under it, in the evidence and in the state
3. step 1 again, for what was said meanwhile

A process may end between the steps: whoever forgets the subject again goes on.
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

#: Open tasks that are looked through.
MOST: Final = 100_000
_REASON: Final = "its subject was forgotten"


class Erasure:
    """Forgets subjects."""

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
        """Take the parts."""
        self._store = store
        self._clock = clock
        self._evidence = evidence
        self._delegations = delegations
        self._revocations = revocations
        self._tenant = tenant

    async def forget(self, subject: str, *, by: str, reason: str = "") -> None:
        """Forget a subject; raises `NotFound` where nothing is sealed under the name, or lives.

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
        """End what goes by the words of a subject; say whether there was anything."""
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
                continue  # it has ended by itself meanwhile
        return bool(records or tasks)


def _subjects(task: Task) -> frozenset[str]:
    """Return under whose keys the words of a task are sealed."""
    return frozenset({task.subject, task.speaker or task.subject})
