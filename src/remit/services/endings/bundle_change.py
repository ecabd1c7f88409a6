# SPDX-License-Identifier: Apache-2.0
"""Open tasks under a new policy bundle: what the bundle no longer permits ends, or is withdrawn.

1. judge every open task by the bundle, parents before children (`standing`)
2. end the tasks that must end, with all tasks delegated from them
3. withdraw from the other tasks what they lose, in one commit each, and restrict their calls in progress to
   it
4. look again soon: a task that was being opened at the same time was judged by the previous bundle

A repeated run has no further effect. The calls of a task that continues are decided under the new policies
from the moment that these are in force; this module is not involved in that.
"""

from __future__ import annotations

import msgspec

from remit.core.endings.closure import Cause
from remit.core.errors import Conflict
from remit.core.evidence.event import Event
from remit.core.evidence.events.tasks import TaskNarrowed
from remit.core.evidence.replay_inputs import terms_of
from remit.core.identity.principals import NO_PERSON, Agent, Memberships
from remit.core.policy.bundle import Bundle
from remit.core.tasks.task import Task, TaskState
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutTask
from remit.ports.store.combined import TasksAndPrincipals
from remit.ports.store.units import Unit
from remit.services.endings.ending import Endings
from remit.services.policy.bundle import Policies
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tasks.revalidation import RevalidatedTask, below, standing
from remit.services.tasks.tasks import Tasks

#: Further looks after a bundle was applied, one each second.
AGAIN = 3


class BundleChange:
    """Judges open tasks by the policy bundle in force, or by a bundle that is to be applied."""

    def __init__(
        self,
        *,
        store: TasksAndPrincipals,
        clock: Clock,
        live: LiveTasks,
        tasks: Tasks,
        policies: Policies,
        revocations: Endings,
        members: Memberships,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._live = live
        self._tasks = tasks
        self._policies = policies
        self._revocations = revocations
        self._members = members
        self._tenant = tenant
        self._again = 0
        #: The tasks that are known to remain unchanged under a bundle, by the digest of the last bundle
        #: examined.
        self._stood: dict[str, set[str]] = {}

    async def preview(self, bundle: Bundle) -> list[RevalidatedTask]:
        """Return the open tasks that would not continue unchanged, oldest first; change nothing."""
        return await self._judged(bundle, await self._open())

    async def _open(self) -> list[Task]:
        return await self._store.tasks(self._tenant, state=TaskState.ACTIVE, limit=1_000_000)

    async def _judged(self, bundle: Bundle, tasks: list[Task]) -> list[RevalidatedTask]:
        """1. Return the tasks that change."""
        found: dict[str, RevalidatedTask] = {}
        seen: dict[str, _Known] = {}
        for task in sorted(tasks, key=lambda one: (len(one.lineage), one.opened)):
            if task.lineage:
                found[task.id] = below(task, found, bundle)
            elif task.bundle != bundle.digest and task.id not in self._stood.get(bundle.digest, ()):
                # A task that was opened under this bundle, or has passed it before, remains unchanged.
                found[task.id] = await self._judge(task, bundle, seen)
        return [one for one in found.values() if one.changes]

    async def look(self) -> list[RevalidatedTask]:
        """Judge every open task by the bundle in force; return those that did not continue unchanged."""
        applied = self._policies.applied
        tasks = await self._open()
        found = await self._judged(applied.bundle, tasks)
        known = {one.id: one for one in tasks}
        for task in tasks:
            self._live.catch_up(task)
        for one in found:
            if one.ends:
                await self._revocations.end_task(one.task.id, reason=one.ends, by="remit", cause=Cause.POLICY)
        for one in found:
            if not one.ends and (narrowed := await self._narrow(one, applied.digest)) is not None:
                known[narrowed.id] = narrowed
        # The ceilings of delegating tasks bind their children too.
        self._live.redraw(known)
        self._again = AGAIN
        # A task that was opened after this look began is not among these, and is examined next time.
        self._stood = {applied.digest: {one.id for one in tasks} - {one.task.id for one in found}}
        return found

    async def turn(self) -> None:
        """4. Look again. For a background loop.

        If another replica has put a bundle in force, what it took from tasks is taken here too.
        """
        if self._policies.applied.digest not in self._stood:
            await self.look()
        elif self._again:
            left = self._again - 1
            await self.look()
            self._again = left

    async def _judge(self, task: Task, bundle: Bundle, seen: dict[str, _Known]) -> RevalidatedTask:
        for name in (task.agent, task.intent.requested_by):
            if name not in seen:
                seen[name] = await self._known(name)
        return standing(task, bundle, seen[task.agent].agent, seen[task.intent.requested_by].groups)

    async def _known(self, name: str) -> _Known:
        if name.startswith(NO_PERSON):
            return _Known()
        agent = await self._store.agent(self._tenant, name)
        person = await self._store.person(self._tenant, name)
        return _Known(
            self._members.of_agent(agent) if agent is not None else None,
            self._members.of_person(person).groups if person is not None else (),
        )

    async def _narrow(self, one: RevalidatedTask, digest: str) -> Task | None:
        """3. Return the narrowed task; `None` if it has ended, or has changed since it was judged."""
        async with self._tasks.changing(one.task.id):
            now = await self._store.task(self._tenant, one.task.id)
            if now is None or now.state.ended or now.narrowings != one.task.narrowings:
                return None
            changed = one.on(now)
            narrowed = TaskNarrowed(
                lost=list(one.lost),
                narrowed=list(one.narrowed),
                authority=changed.authority_hash,
                deadline=changed.deadline.isoformat(),
                bundle=digest,
                cause=Cause.POLICY,
                terms=terms_of(changed),
            )
            event = Event.of(
                narrowed,
                at=self._clock.now(),
                tenant=self._tenant,
                task=now.id,
                agent=now.agent,
                subject=now.subject,
            )
            try:
                await self._store.commit(Unit((PutTask(changed, expected=TaskState.ACTIVE),), (event,)))
            except Conflict:
                return None  # it has ended in the meantime
            self._live.narrow(changed)
            return changed


class _Known(msgspec.Struct, frozen=True):
    """The meaning of a name: an agent, or the groups of a person."""

    agent: Agent | None = None
    groups: tuple[str, ...] = ()
