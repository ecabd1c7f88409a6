# SPDX-License-Identifier: Apache-2.0
"""Bound tasks: the only cache of live state.

A task that has made a call is kept here with its label, lease, budget use and pending calls, so that a call
of an already bound task reads nothing from the database. The fence is never cached: the store's live mapping
of epochs is read on each call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Protocol

from remit.core.endings.suspension import suspended, suspended_task, task_scope
from remit.core.errors import Elsewhere, Fenced, NotFound, Unauthenticated
from remit.core.flow.provenance import KEY_BYTES
from remit.core.flow.task_index import hear
from remit.core.identity.principals import Agent, Memberships
from remit.core.label import Classes, Label
from remit.core.oauth.access_token import AccessClaims
from remit.core.scope import risen
from remit.core.tasks.task import Budgets, Task, TaskState
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Change, CheckFence, CheckUnlocked
from remit.ports.store.combined import TasksAndEndings
from remit.ports.store.principals import PrincipalStore
from remit.services.replicas.replica_lease import Replicas
from remit.services.replicas.task_ownership import Ownership, root_of
from remit.services.tasks.budgets import drawn_from, own_accounts
from remit.services.tasks.live_task import LiveTask

__all__ = ["CAPACITY", "LiveTask", "LiveTasks"]

# Module-level names: a class lookup finds a member through the metaclass, which is ten times slower.
_ACTIVE = TaskState.ACTIVE

#: Bound tasks kept; the least recently used ones without pending calls are dropped first.
CAPACITY = 10_000


class _Rooms(TasksAndEndings, PrincipalStore, Protocol):
    """The rooms of the store that live tasks are read from."""


class LiveTasks:
    """All bound tasks of one process, which is one enforcement point."""

    def __init__(
        self,
        store: _Rooms,
        clock: Clock,
        entropy: Entropy,
        tenant: str,
        members: Memberships,
        authority: Callable[[Task], str] = attrgetter("authority_hash"),
        classes: Callable[[], Classes] = Classes,
        *,
        replicas: Replicas | None = None,
        ownership: Ownership | None = None,
    ) -> None:
        """Begin without bound tasks.

        `authority` returns the authority hash that tokens carry for a task, `classes` the data classes in
        force. Without `ownership` this process owns every task.
        """
        self._replicas = replicas
        self._ownership = ownership
        self._authority = authority
        self._classes = classes
        self._members = members
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        self._epochs = store.epochs(tenant)
        self._shut = store.locked(tenant)
        self._tasks: OrderedDict[str, LiveTask] = OrderedDict()
        self._read: Callable[[Label], Label] = lambda label: label

    def read_labels_by(self, read: Callable[[Label], Label]) -> None:
        """Set how the label of a task that is bound is read from the store."""
        self._read = read

    async def bind(self, claims: AccessClaims, now: datetime, *, used: bool = True) -> LiveTask:
        """Do step 2: return the live task of a token, or refuse.

        `used` is whether this counts as use of the task. Raises `Unauthenticated` where the token names no
        task or another agent's, `Fenced` where the task has ended, expired, been fenced or lost its lease.
        """
        if not claims.task:
            raise Unauthenticated(
                "the token is bound to no task",
                code="no-task",
                remediation="open a task and use its token",
                step=2,
            )
        live = self.get(claims.task)
        if live is None:
            # A caller that only looks takes no task over, and needs nothing of its owner.
            live = await (self.load if used else self.view)(claims.task)
        if live.task.agent != claims.client_id or live.task.on_behalf_of != claims.principal.on_behalf_of:
            raise Unauthenticated("the token belongs to another task", code="token-task", step=2)
        if claims.authority_hash and claims.authority_hash != live.authority_hash:
            raise Unauthenticated(
                "the token names another issuer of authority", code="token-authority", step=2
            )
        if claims.issued < live.agent.tokens_from:
            raise Unauthenticated("the token was revoked", code="token-withdrawn", step=2)
        if live.task.lineage and _chain(claims) != live.task.actors:
            raise Unauthenticated("the token has another delegation chain", code="token-task", step=2)
        self.check(live, now)
        live.show(claims)
        self.take_on(live, claims)
        if not used:
            return live
        if live.task.idle_s or live.task.lineage:
            self._touch(live)
        return live

    def _touch(self, live: LiveTask) -> None:
        now_boot_s = self._clock.boot_s()
        live.touch(now_boot_s)
        for one in live.task.lineage:
            # A task that works through a child task is not idle.
            if (parent := self._tasks.get(one.task)) is not None:
                parent.touch(now_boot_s)

    def check(self, live: LiveTask, now: datetime) -> None:
        """Refuse a task that no longer permits anything; from memory alone."""
        if self._replicas is not None:
            self._replicas.check()
        task = live.task
        if task.state is not _ACTIVE:
            # Why remit ended an expired task is no secret; what a person said of an end is not for the agent.
            why = f": {task.end_reason}" if task.state is TaskState.EXPIRED and task.end_reason else ""
            raise Fenced(
                f"task `{task.id}` is {task.state.value}{why}",
                code="task-ended",
                remediation="open a new task",
                step=2,
            )
        now_boot_s = self._clock.boot_s()
        if now >= task.deadline or now_boot_s >= live.ends_s:
            raise Fenced(
                f"task `{task.id}` has expired", code="task-expired", remediation="open a new task", step=2
            )
        if live.lapsed(now_boot_s):
            raise Fenced(
                f"the lease of task `{task.id}` has expired",
                code="task-lease",
                remediation="open a new task",
                step=2,
            )
        if not live.agent.usable:
            # The agent's tasks are ended too, but by a separate commit, before which remit may have stopped.
            raise Fenced(
                f"agent `{task.agent}` is {live.agent.state.value}",
                code="agent-state",
                remediation="ask its owner",
                step=2,
            )
        fenced = risen(task.epochs, self._epochs, live.scopes)
        if fenced:
            raise Fenced(f"`{fenced}` has been ended", code="fenced", remediation="open a new task", step=2)
        for one in task.lineage:
            # A parent whose lease expired is ended by a separate commit, before which a child may call.
            parent = self._tasks.get(one.task)
            if parent is not None and parent.lapsed(now_boot_s):
                raise Fenced(
                    f"the lease of task `{one.task}` has expired, and `{task.id}` is a child task of it",
                    code="task-lease",
                    remediation="open a new task",
                    step=2,
                )

    def check_running(self, live: LiveTask) -> None:
        """Refuse a call of a task that is suspended, itself or a task above it; from memory alone.

        Another replica may suspend it at the same moment: the call's commit decides (`checks`).
        """
        for one in live.task_scopes:
            if one in self._shut:
                raise suspended(suspended_task(one), step=2)

    def suspended(self, task: Task) -> str:
        """Return the task by which this one is suspended: itself or one above it; empty where it is not."""
        return next((one for one in (task.id, *task.ancestors) if task_scope(one) in self._shut), "")

    def fenced(self, live: LiveTask, scopes: Iterable[str]) -> str:
        """Return the first of `scopes` that was ended since the task was opened.

        From memory, without waiting.
        """
        return risen(live.task.epochs, self._epochs, scopes)

    def holds(self) -> bool:
        """Return whether this process may permit, send and release at all."""
        return self._replicas is None or self._replicas.holds()

    def checks(self, live: LiveTask, scopes: tuple[str, ...]) -> tuple[Change, ...]:
        """Return what a call's commit must check: the fence, that nothing above is suspended, and that this
        replica still owns the task.
        """
        owned = self._ownership.checks(live.root) if self._ownership is not None else ()
        return (CheckFence(live.task.epochs, scopes), CheckUnlocked(live.task_scopes), *owned)

    async def load(self, task_id: str) -> LiveTask:
        """Bind a task from the store; raises `Elsewhere` where another replica owns it."""
        task = await self._task(task_id)
        if self._ownership is not None and not task.state.ended and await self._ownership.take(root_of(task)):
            # The previous owner's last changes are in the store by now.
            task = await self._task(task_id)
        return await self._bound(task, keep=True)

    async def view(self, task_id: str) -> LiveTask:
        """Return a task for reading alone: the live one of this process, else the stored one."""
        if self._ownership is None or not self._ownership.several:
            return await self.load(task_id)
        live = self.get(task_id)
        return live if live is not None else await self._bound(await self._task(task_id), keep=False)

    async def _task(self, task_id: str) -> Task:
        task = await self._store.task(self._tenant, task_id)
        if task is None:
            raise NotFound(f"task `{task_id[:80]}` does not exist", code="no-task", step=2)
        return task

    async def _bound(self, task: Task, *, keep: bool) -> LiveTask:
        task_id = task.id
        agent = await self._store.agent(self._tenant, task.agent)
        if agent is None:
            raise NotFound(f"task `{task_id[:80]}` does not exist", code="no-task", step=2)
        ancestors: dict[str, Budgets] = {}
        above: list[Task] = []
        for name in task.ancestors:
            ancestor = await self._store.task(self._tenant, name)
            ancestors[name] = ancestor.budgets if ancestor else Budgets(calls=0)
            above += [ancestor] if ancestor else []
        used = {name: await self._store.usage(self._tenant, name) for name in own_accounts(task)}
        # Another call may have bound it during this read: the first binding stays, because it owns the label.
        live = self.get(task_id)
        if live is None:
            agent = self._members.of_agent(agent)
            live = LiveTask(
                task,
                agent,
                used=used,
                ancestors=ancestors,
                now_boot_s=self._clock.boot_s(),
                key=self._entropy.bytes(KEY_BYTES),
                drawn=drawn_from(task, above) if above else None,
                bound=self._tasks.get,
                types=tuple(one.type for one in above),
            )
            live.ends_s = self._clock.boot_s() + (task.deadline - self._clock.now()).total_seconds()
            live.authority_hash = self._authority(task)
            live.completing = {one.id: one.ends_after for one in above}
            live.label = live.told_label = self._read(task.label)
            self.gather(live)
            if keep:
                if (
                    self._ownership is not None
                    and not task.state.ended
                    and not self._ownership.holds(live.root)
                ):
                    raise Elsewhere(live.root)
                self._tasks[task_id] = live
                self._shrink()
        return live

    def gather(self, live: LiveTask) -> None:
        """Join the labels of bound descendants of this task: these may not be in the store yet."""
        if any(rule.to for rule in live.task.delegates):
            for one in self._tasks.values():
                if live.task.id in one.task.ancestors:
                    live.rise(one.label, self._classes())

    def take_on(self, live: LiveTask, claims: AccessClaims) -> None:
        """Join the label that a token carries: what its issuer knew of the task's data at that time.

        A token from before the task's declassification carries nothing that was not known then.
        """
        lowered = live.task.lowered
        if claims.label is None or (lowered is not None and claims.issued <= lowered.timestamp()):
            return
        classes = self._classes()
        if live.rise(self._read(claims.label.known_to(classes)), classes):
            live.raised_by = "token"

    def get(self, task_id: str) -> LiveTask | None:
        """Return a bound task; a task that this replica no longer owns is not bound."""
        live = self._tasks.get(task_id)
        if (
            live is None
            or self._ownership is None
            or live.task.state.ended
            or self._ownership.holds(live.root)
        ):
            return live
        self.drop(task_id)
        return None

    def all(self) -> list[LiveTask]:
        """Return every bound task."""
        return list(self._tasks.values())

    def replace(self, task: Task) -> None:
        """Update the live task to its new state."""
        live = self._tasks.get(task.id)
        if live is not None:
            live.task = task
            live.messages_heard = hear(live.index, task, live.messages_heard)

    def narrow(self, task: Task) -> None:
        """Narrow the live task; tokens that carry its previous authority no longer open anything."""
        live = self._tasks.get(task.id)
        if live is not None:
            live.narrow(task)
            live.authority_hash = self._authority(task)

    def catch_up(self, task: Task) -> None:
        """Narrow a live task to its state in the store, where another process has narrowed it."""
        live = self._tasks.get(task.id)
        if live is not None and task.narrowings > live.task.narrowings:
            self.narrow(task)

    def redraw(self, known: Mapping[str, Task]) -> None:
        """Apply the current ceilings of ancestors to their descendants."""
        for live in self._tasks.values():
            if live.task.lineage and live.task.id in known:
                above = [known[name] for name in live.task.ancestors if name in known]
                live.redraw(drawn_from(live.task, above))

    def refresh_agent(self, agent: Agent) -> None:
        """Update live tasks to the new state of their agent."""
        for live in self._tasks.values():
            if live.agent.name == agent.name:
                live.agent = self._members.of_agent(agent)

    def forget_agent(self, name: str) -> None:
        """Forget the live tasks of an agent, so that their next call reads it again."""
        for task in [task for task, live in self._tasks.items() if live.agent.name == name]:
            self.drop(task)

    def drop(self, task_id: str) -> None:
        """Forget a task that has ended."""
        self._tasks.pop(task_id, None)

    def _shrink(self) -> None:
        while len(self._tasks) > CAPACITY:
            for name, live in self._tasks.items():
                # A task with pending calls, or whose lease is kept only here, is not dropped.
                if not live.in_hand and live.lease_until_s is None and live.idle_until_s is None:
                    del self._tasks[name]
                    break
            else:
                return


def _chain(claims: AccessClaims) -> tuple[str, ...]:
    """Return the actors in a token, the current one first."""
    return tuple(actor.name for actor in claims.chain) or (claims.client_id,)
