# SPDX-License-Identifier: Apache-2.0
"""What an end closes, and closures as the evidence has them.

What remit itself derived from tasks is taken back, and then asked for, until it is refused:

1. the task, and each task that was handed down from it: step 2 of every call, from memory
2. each access token of it that is known here and has not run out, and the refresh tokens of its grants: what
   introspection says of them (RFC 7662), which is what every endpoint asks before it lets one in. One that is
   not known here (issued before a restart, and not used since) is refused with its task
3. sessions and streams that endpoints keep open for it: they are closed, and how many that were is told
4. questions that wait for a human, and answers that were not used yet: they are withdrawn

Credentials of upstreams are not here: they are leases, and their sinks refuse them (`taking_back`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeVar

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.endings.closure import Closing, Closure
from remit.core.errors import Conflict
from remit.core.evidence.event import Event
from remit.core.evidence.events.endings import ClosureMade
from remit.core.scope import ScopeKind, risen
from remit.core.tasks.task import Task
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutApproval
from remit.ports.store.endings import EndingStore
from remit.ports.store.issued_tokens import IssuedTokenStore
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import Approvals
from remit.services.endings.events import EndEvents
from remit.services.tasks.live_task import LiveTask
from remit.services.tasks.live_tasks import LiveTasks

#: For more tasks than this, the closure does not list each token.
MANY: Final = 200


class _Rooms(EndingStore, IssuedTokenStore, Protocol):
    """The store interfaces against which derived permissions are checked."""


class DerivedPermissions:
    """Revokes and checks what was derived from ended tasks. For one event loop."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        live: LiveTasks,
        approvals: Approvals,
        events: EndEvents,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._live = live
        self._approvals = approvals
        self._tenant = tenant
        self._kept = events.kept

    async def closings(self, tasks: Sequence[Task], started_s: float) -> list[Closing]:
        """Revoke what was derived from tasks.

        Returns each permission with when it was first refused, in milliseconds since `started_s`.
        """
        each = len(tasks) <= MANY
        found = [one for task in tasks for one in self._refused(task, tasks[0], started_s, each=each)]
        return found + await self._withdrawn([task.id for task in tasks], started_s)

    def _refused(self, task: Task, first: Task, started_s: float, *, each: bool) -> list[Closing]:
        """Steps 1 to 3; nothing is awaited. Without `each`, the task's entry covers its tokens."""
        live = self._live.get(task.id)
        epochs = self._store.epochs(self._tenant)
        shut = live is None or live.task.state.ended or bool(risen(task.epochs, epochs, task.scopes))
        handed = first.id in task.ancestors
        found = [self._closing("child-task" if handed else "task", task.id, started_s, shut=shut)]
        if live is not None and each:
            found += self._tokens(live, started_s, shut=shut)
        for kind, let_go in self._kept:
            if count := let_go(task.id):
                found.append(self._closing(kind, f"{count} of {task.id}", started_s, shut=True))
        return found

    def _tokens(self, live: LiveTask, started_s: float, *, shut: bool) -> list[Closing]:
        """2. Check what introspection checks: the token itself was revoked, or its task permits nothing."""
        withdrawn, now_s = self._store.withdrawn(self._tenant), int(self._clock.now().timestamp())
        alive = {name: grant for name, (expires, grant) in live.tokens.items() if expires > now_s}
        found = [
            self._closing("token", name, started_s, shut=shut or name in withdrawn or grant in withdrawn)
            for name, grant in alive.items()
        ]
        for family in dict.fromkeys(grant for grant in alive.values() if grant):
            dead = shut or family in withdrawn
            found.append(self._closing("refresh-tokens", family, started_s, shut=dead))
        return found

    async def _withdrawn(self, tasks: Sequence[str], started_s: float) -> list[Closing]:
        """4. Withdraw approvals concurrently; repeat if a person answers one in the meantime."""
        closings: list[Closing] = []
        done = [False]
        while tasks and not all(done):
            found = await self._approvals.withdrawn(tasks)
            done = await asyncio.gather(*(self._expired(*one) for one in found))
            closings += [
                self._closing("approval", one.id, started_s, shut=True)
                for (_, one), expired in zip(found, done, strict=True)
                if expired
            ]
        return closings

    async def _expired(self, before: ApprovalState, approval: Approval) -> bool:
        """Withdraw an approval; return `False` if it was answered or used in the meantime."""
        try:
            await self._store.commit(
                Unit((PutApproval(approval, expected=before, revision=approval.revision),))
            )
        except Conflict:
            return False
        return True

    def _closing(self, kind: str, name: str, started_s: float, *, shut: bool) -> Closing:
        elapsed_ms = round((self._clock.boot_s() - started_s) * 1000, 3)
        return Closing(kind, name, elapsed_ms if shut else None)


#: Limit of tasks that end in one unit; further tasks end in further units, behind the same fence.
BATCH = 500

T = TypeVar("T")


def batches(some: list[T], size: int = 0) -> list[list[T]]:
    """Return the items in batches of at most `size`, by default `BATCH`."""
    size = size or BATCH
    return [some[start : start + size] for start in range(0, len(some), size)]


def upstream_of(target: str) -> str:
    """Return the upstream of an upstream scope, whose credentials no longer serve any task; otherwise
    empty.
    """
    kind, _, name = target.partition(":")
    return name if kind == ScopeKind.UPSTREAM else ""


def once(closings: Iterable[Closing]) -> tuple[Closing, ...]:
    """Return each lease once, with its latest report."""
    found = {one.lease or number: one for number, one in enumerate(closings)}
    return tuple(found.values())


def closure_event(closure: Closure, tenant: str) -> Event:
    """Return the event that records a closure."""
    made = ClosureMade(
        closure=closure.id,
        scope=closure.scope,
        cause=closure.cause,
        epoch=closure.epoch,
        tasks=len(closure.tasks),
        fence_us=round(closure.fence_ms * 1000),
        indeterminate=[one.decision for one in closure.indeterminate],
        closings=[_told(one) for one in closure.closings],
        acknowledged=[[one.replica, _us(one.after_ms)] for one in closure.acknowledged],
        by=closure.ended_by,
    )
    task = closure.tasks[0] if len(closure.tasks) == 1 else ""
    return Event.of(made, at=closure.at, tenant=tenant, task=task, subject=closure.ended_by)


def _told(closing: Closing) -> list[str | int]:
    told: list[str | int] = [closing.kind, closing.name, _us(closing.refused_after_ms)]
    return (
        told if not closing.lease else [*told, _us(closing.revoked_after_ms), closing.attempts, closing.lease]
    )


def _us(ms: float | None) -> int:
    return -1 if ms is None else round(ms * 1000)
