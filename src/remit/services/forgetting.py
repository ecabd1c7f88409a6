# SPDX-License-Identifier: Apache-2.0
"""Forgetting a person, or an agent: their key goes, and with it everything that was sealed under it.

1. the key is destroyed, on record: what they said is sealed under it, in the evidence and in the state
2. their delegations are revoked, for nobody can read any more what these permit
3. the tasks of which they are the subject end: what is done now is done by words that are gone
"""

from __future__ import annotations

from typing import Final

from remit.core.errors import Conflict
from remit.core.revocation import Cause
from remit.core.task import Task, TaskState
from remit.ports.runtime import Clock
from remit.ports.store import Store
from remit.services.delegations import Delegations
from remit.services.evidence import Evidence
from remit.services.revocations import Revocations

#: Open tasks that are looked through.
MOST: Final = 100_000
_REASON: Final = "what it was for was forgotten"


class Forgetting:
    """Forgets subjects."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        evidence: Evidence,
        delegations: Delegations,
        revocations: Revocations,
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
        """Forget a subject; raises `NotFound` where nothing is sealed under such a name.

        INVARIANT: nothing that this records names the subject.
        """
        # Step 1.
        await self._evidence.forget(subject, by=by, reason=reason)
        # Step 2.
        now = self._clock.now()
        for one in await self._delegations.of(subject):
            if one.live_at(now):
                await self._delegations.revoke(one.id, by=by, reason=_REASON)
        # Step 3.
        for task in await self._store.tasks(self._tenant, state=TaskState.ACTIVE, limit=MOST):
            if subject in _subjects(task):
                try:
                    await self._revocations.end_task(task.id, reason=_REASON, by=by, cause=Cause.ASKED)
                except Conflict:
                    continue  # it has ended by itself meanwhile


def _subjects(task: Task) -> frozenset[str]:
    """Give under whose keys the words of a task are sealed."""
    return frozenset({task.subject, task.speaker or task.subject})
