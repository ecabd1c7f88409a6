# SPDX-License-Identifier: Apache-2.0
"""Commits of task ends: many tasks in one unit, together with the changes that follow."""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.endings.closure import Ending
from remit.core.errors import Conflict
from remit.core.evidence.event import Event
from remit.core.evidence.events.findings import FindingSeen
from remit.core.evidence.events.tasks import TaskEnded
from remit.core.findings.finding import Finding, finding_id
from remit.core.findings.kinds import FindingKind
from remit.core.json_value import Json
from remit.core.scope import ScopeKind, scope
from remit.core.tasks.task import Task
from remit.ports.store.changes import Change, PutFinding, PutTask
from remit.ports.store.tasks import TaskStore
from remit.ports.store.units import Receipt, Unit
from remit.services.replicas.task_ownership import Ownership
from remit.services.tasks.live_tasks import LiveTasks


class TaskEnds:
    """Commits the ends of tasks."""

    def __init__(self, *, store: TaskStore, live: LiveTasks, ownership: Ownership, tenant: str) -> None:
        """Take the dependencies."""
        self._store = store
        self._live = live
        self._ownership = ownership
        self._tenant = tenant

    async def commit(
        self,
        tasks: list[Task],
        ending: Ending,
        now: datetime,
        changes: tuple[Change, ...] = (),
        events: tuple[Event, ...] = (),
    ) -> Receipt:
        """Commit the ends of a batch; a task that ends by itself in the meantime must not prevent the
        fence.
        """
        while True:
            try:
                return await self._commit(tasks, ending, now, changes, events)
            except Conflict:
                found = [await self._store.task_to_end(self._tenant, task.id) for task in tasks]
                still = [task for task in found if task is not None and not task.state.ended]
                if len(still) == len(tasks):
                    raise
                tasks = still

    async def _commit(
        self,
        tasks: list[Task],
        ending: Ending,
        now: datetime,
        changes: tuple[Change, ...],
        events: tuple[Event, ...],
    ) -> Receipt:
        ended_tasks: list[Task] = []
        puts: list[Change] = []
        told: list[Event] = []
        for task in tasks:
            live = self._live.get(task.id)
            label = live.label if live is not None else task.label
            ended = msgspec.structs.replace(task.moved(ending.state, now, ending.reason), label=label)
            puts += [PutTask(ended, expected=task.state), *self._ownership.ended(task)]
            told.append(
                Event.of(
                    TaskEnded(state=ending.state, reason=ending.reason, cause=ending.cause, by=ending.by),
                    at=now,
                    tenant=self._tenant,
                    task=task.id,
                    agent=task.agent,
                    subject=ending.by,
                )
            )
            if ended.runbook is not None and not ended.lineage:
                # INVARIANT: the review is asked for in the commit of the end, so no end goes without one.
                found, seen = _review(ended, now)
                puts.append(PutFinding(found))
                told.append(seen)
            ended_tasks.append(ended)
        receipt = await self._store.commit(Unit((*changes, *puts), (*events, *told), self._tenant))
        for ended in ended_tasks:
            self._live.replace(ended)
        return receipt


def _review(task: Task, now: datetime) -> tuple[Finding, Event]:
    """Return the finding that asks for the review of a runbook's task, with its event."""
    assert task.runbook is not None
    kind, about = FindingKind.REVIEW_DUE, scope(ScopeKind.AGENT, task.agent)
    facts: dict[str, Json] = {
        "task": task.id,
        "task_type": task.type,
        "review_by": list(task.runbook.review_by),
        "ended": task.state.value,
    }
    found = Finding(
        tenant=task.tenant,
        id=finding_id(kind, about, task.id),
        kind=kind,
        about=about,
        facts=facts,
        first_seen=now,
        last_seen=now,
    )
    seen = FindingSeen(finding=found.id, finding_kind=kind, about=about, seen=facts)
    return found, Event.of(seen, at=now, tenant=task.tenant, agent=task.agent, subject=task.agent)
