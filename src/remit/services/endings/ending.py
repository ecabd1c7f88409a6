# SPDX-License-Identifier: Apache-2.0
"""Ending: raise the fence, cut the calls in progress, and sign the closure.

    1. commit the new epoch of the scope, and the end of every task in it, in one unit
    2. from that commit on no call is permitted: step 5 of every call re-checks the epoch in its own commit
    3. cut the calls in progress; those already written to an upstream are indeterminate and are listed
    4. begin to revoke the tasks' credentials of upstreams (`services.credentials.revocation`), and withdraw
       open approvals
    5. check that each endpoint refuses the dead task, and each sink the dead credential, and record after how
       long they did; those that do not within a bounded time stay open in the closure
    6. record the closure; it is updated whenever something that was open is refused
    7. an end that was interrupted before 6 is taken up and completed, behind the fence that it has raised

With one process this is the whole protocol: the process that ends is the only enforcement point. With
several, every other replica does 3 and 4 for its own part (`remote_endings`) and acknowledges this, or its
lease is waited out (`services.replicas`) before step 6. The closure also lists what replicas that did not
answer may still do.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from remit.core.endings.closure import Cause, Closure, Ending, Lock
from remit.core.endings.suspension import suspended_task
from remit.core.errors import NotFound, RemitError
from remit.core.evidence.event import Event
from remit.core.evidence.events.endings import FenceLocked, FenceRaised, FenceUnlocked
from remit.core.ids import ID_BYTES, make_id
from remit.core.scope import EVERYTHING, Raised, ScopeKind, risen, scope
from remit.core.tasks.task import Task, TaskState
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Change, PutValue, RaiseFence
from remit.ports.store.combined import TasksAndEndings
from remit.ports.store.units import Unit
from remit.services.credentials.leases import Leases
from remit.services.endings.closure import DerivedPermissions, batches
from remit.services.endings.completion import Completions, EndInProgress, Found
from remit.services.endings.events import EndEvents
from remit.services.endings.expiry import Expiry
from remit.services.endings.priority import EndPriority
from remit.services.endings.takeover import Takeover
from remit.services.endings.task_ends import TaskEnds
from remit.services.endings.unclosed_ends import EndUnderWay, UnclosedEnds
from remit.services.limits.durations import RecentTimes
from remit.services.replicas.replica_lease import Replicas
from remit.services.replicas.task_ownership import Ownership
from remit.services.tasks.live_tasks import LiveTasks

log = logging.getLogger("remit.revocations")

#: Prefix of the stored reasons for locks.
LOCKS: Final = "lock:"
#: Expired tasks that are ended at once.
AT_ONCE = 32
#: Tasks that are searched for those of a scope.
EVERY: Final = 1_000_000

Begin = Callable[[EndUnderWay, Found, asyncio.Future[None]], Awaitable[EndInProgress]]


class Endings:
    """Ends tasks, agents, owners, tools, upstreams, or everything."""

    def __init__(
        self,
        *,
        store: TasksAndEndings,
        clock: Clock,
        entropy: Entropy,
        live: LiveTasks,
        derived: DerivedPermissions,
        leases: Leases,
        replicas: Replicas,
        ownership: Ownership,
        remains: Takeover,
        precedence: EndPriority,
        events: EndEvents,
        tenant: str,
        settle_s: float,
    ) -> None:
        """Take the dependencies; `settle_s` is how long an end waits for credentials that other replicas
        hold.
        """
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._live = live
        self._derived = derived
        self._leases = leases
        self._replicas = replicas
        self._ownership = ownership
        self._remains = remains
        self._run_out = Expiry(
            store=store, clock=clock, live=live, ownership=ownership, remains=remains, tenant=tenant
        )
        self._precedence = precedence
        self._tenant = tenant
        self._unclosed = UnclosedEnds(store=store, remains=remains, tenant=tenant)
        self._ends = TaskEnds(store=store, live=live, ownership=ownership, tenant=tenant)
        self._completions = Completions(
            store=store,
            live=live,
            derived=derived,
            leases=leases,
            replicas=replicas,
            remains=remains,
            ends=self._ends,
            unclosed=self._unclosed,
            tenant=tenant,
            settle_s=settle_s,
        )
        self._ending: Counter[str] = Counter()
        #: By task: a future that is done once the closure of its end is written, or that end has failed.
        self._closing: dict[str, asyncio.Future[None]] = {}
        #: How long it took to raise fences, by the kind of scope.
        self.times = RecentTimes()
        self._events = events
        events.recovering.append(self.take_up)

    async def tell_of_end(self, task_id: str) -> None:
        """Notify the `on_end` listeners that a task has ended."""
        for told in self._events.ended:
            await told(task_id)

    def ending(self, target: str) -> bool:
        """Return whether this process is ending a scope."""
        return self._ending[target] > 0

    async def end_task(
        self,
        task_id: str,
        *,
        reason: str,
        by: str,
        state: TaskState = TaskState.REVOKED,
        cause: Cause = Cause.ASKED,
        agreed: Callable[[Task], object] | None = None,
    ) -> Closure:
        """End a task and all its descendants. For a completed task, the cause is the completion.

        `agreed` raises if the caller may not end this task.
        """
        looked = [await self._store.with_descendants(self._tenant, task_id)]
        if not looked[0]:
            raise NotFound(f"task `{task_id[:80]}` does not exist", remediation="see `remit task list`")
        task = looked[0][0]
        if agreed is not None:
            agreed(task)
        if task.state.ended:
            if (under_way := self._closing.get(task_id)) is not None:
                await asyncio.wait({under_way})
            found = await self._closure_of(task_id)
            if found is not None:
                return found

        async def below() -> list[Task]:
            return looked.pop() if looked else await self._store.with_descendants(self._tenant, task_id)

        if state is TaskState.COMPLETED and cause is Cause.ASKED:
            cause = Cause.COMPLETED
        ending = Ending(reason=reason, by=by, cause=cause, state=state)
        return await self._end(scope(ScopeKind.TASK, task_id), below, ending)

    async def _closure_of(self, task_id: str) -> Closure | None:
        """Return the closure that covers a task's end: its own, or that of a scope which contained it."""
        own = await self._store.closures(self._tenant, scope=scope(ScopeKind.TASK, task_id), limit=1)
        if own:
            return own[0]
        recent = await self._store.closures(self._tenant, limit=1_000)
        return next((closure for closure in recent if task_id in closure.tasks), None)

    async def end_scope(
        self,
        kind: ScopeKind,
        name: str,
        *,
        reason: str,
        by: str,
        lock: bool = False,
        cause: Cause = Cause.ASKED,
    ) -> Closure:
        """End everything under an agent, an owner, a tool or an upstream, or everything.

        `lock` keeps the scope locked afterwards.
        """
        target = EVERYTHING if kind is ScopeKind.EVERYTHING else scope(kind, name)

        async def within() -> list[Task]:
            return await self._tasks_in(kind, name)

        return await self._end(target, within, Ending(reason=reason, by=by, cause=cause, lock=lock))

    async def unlock(self, kind: ScopeKind, name: str, *, by: str) -> None:
        """Permit new tasks under a scope again; what was ended stays ended."""
        target = EVERYTHING if kind is ScopeKind.EVERYTHING else scope(kind, name)
        event = self._event(FenceUnlocked(scope=target, by=by))
        changes = (
            RaiseFence(self._tenant, target, locked=False, raise_epoch=False),
            PutValue(self._tenant, f"{LOCKS}{target}", None),
        )
        await self._store.commit(Unit(changes, (event,)))

    async def locks(self) -> list[Lock]:
        """Return the current locks, by scope. A task under one is only suspended, and is not among these."""
        fences = await self._store.fences(self._tenant)
        shut = sorted(one.scope for one in fences if one.locked and not suspended_task(one.scope))
        kept = {one["scope"]: one for one in await self._store.values(self._tenant, LOCKS) if one}
        return [msgspec.convert(kept.get(one, {"scope": one}), Lock) for one in shut]

    async def expire(self) -> list[Closure]:
        """End the tasks whose deadline, lease or budget is exhausted. For a background loop."""
        out: list[Closure] = []
        for some in batches(await self._run_out.due(), AT_ONCE):
            out += await asyncio.gather(*(self.expire_one(*one) for one in some))
        return out

    async def expire_one(self, task_id: str, reason: str, cause: Cause) -> Closure:
        """End an expired or finished task; the end of an expired one does not wait for dead credentials."""
        state = TaskState.COMPLETED if cause is Cause.COMPLETED else TaskState.EXPIRED
        return await self.end_task(task_id, reason=reason, by="remit", state=state, cause=cause)

    async def _tasks_in(self, kind: ScopeKind, name: str) -> list[Task]:
        # A tool or an upstream may serve many tasks: the fence refuses their calls to it, and the tasks
        # continue.
        if kind in (ScopeKind.TOOL, ScopeKind.UPSTREAM):
            return []
        some = await self._store.tasks(self._tenant, state=TaskState.ACTIVE, limit=EVERY)
        known = {task.id for task in some}
        # A task that has ended may still have open credentials or a pending closure.
        unclosed = (self._leases.ending() | self._closing.keys()) - known
        asked = [await self._store.task_to_end(self._tenant, one) for one in unclosed]
        some += [task for task in asked if task is not None]
        if kind is not ScopeKind.EVERYTHING:
            return [task for task in some if scope(kind, name) in task.scopes]
        return some

    async def take_up(self) -> None:
        """7. Complete the interrupted ends. For a start, and for a background loop."""
        for one in await self._unclosed.left():
            with self._unclosed.going_on(one):
                # Skip an end that was completed during the search.
                if not await self._unclosed.there(one):
                    continue
                try:
                    await self._through(one, partial(self._under, one.scope), self._taken_up)
                except RemitError as fault:
                    log.warning("the end of `%s` is not complete yet: %s", one.scope, fault)

    async def _under(self, target: str) -> list[Task]:
        kind, _, name = target.partition(":")
        if kind == ScopeKind.TASK:
            return await self._store.with_descendants(self._tenant, name)
        return await self._tasks_in(ScopeKind(kind), name)

    async def _end(self, target: str, found: Found, ending: Ending) -> Closure:
        one = EndUnderWay(
            closure=make_id("cls", self._entropy.bytes(ID_BYTES)),
            scope=target,
            ending=ending,
            at=self._clock.now(),
            writer=self._store.writer,
        )
        with self._unclosed.going_on(one):
            return await self._through(one, found, self._begun)

    async def _through(self, one: EndUnderWay, found: Found, begin: Begin) -> Closure:
        self._ending[one.scope] += 1
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            with self._precedence.first(hurried=one.ending.hurried) as going:
                begun = await begin(one, found, closed)
                awaited = partial(self._await_closing, closed=closed)
                closure = await self._completions.complete(one, begun, found, going, awaited)
                for task_id in closure.tasks:
                    await self.tell_of_end(task_id)
                    self._live.drop(task_id)
                return closure
        finally:
            self._ending[one.scope] -= 1
            closed.set_result(None)
            for task_id in [name for name, awaited in self._closing.items() if awaited is closed]:
                del self._closing[task_id]

    async def _begun(self, one: EndUnderWay, found: Found, closed: asyncio.Future[None]) -> EndInProgress:
        """Do step 1."""
        started_s, under = self._clock.boot_s(), await found()
        open_tasks = [task for task in under if not task.state.ended]
        self._await_closing(open_tasks, closed)
        first, *rest = batches(open_tasks) or [[]]
        changes, events = self._fencing(one)
        receipt = await self._ends.commit(first, one.ending, one.at, changes, events)
        fence_ms = (self._clock.boot_s() - started_s) * 1000
        self.times.add(one.scope.partition(":")[0], fence_ms)
        epoch = receipt.epochs.get(one.scope, 0)
        return EndInProgress(
            epoch=epoch,
            started_s=started_s,
            fence_ms=fence_ms,
            under=under,
            tasks=open_tasks,
            rest=rest,
        )

    async def _taken_up(self, one: EndUnderWay, found: Found, closed: asyncio.Future[None]) -> EndInProgress:
        """7. Continue an end. The time of its fence is unknown.

        Durations count up to now, so none is too short.
        """
        behind_s = max(0.0, (self._clock.now() - one.at).total_seconds())
        epochs, under = self._store.epochs(self._tenant), await found()
        left = [task for task in under if not task.state.ended and risen(task.epochs, epochs, (one.scope,))]
        if not one.scope.startswith(ScopeKind.TASK):
            under = await self._store.tasks(self._tenant, state=one.ending.state, limit=EVERY)
        tasks = [*filter(one.has_ended, under), *left]
        self._await_closing(tasks, closed)
        epoch, started_s = epochs.get(one.scope, 0), self._clock.boot_s() - behind_s
        told = self._replicas.own_word(Raised(one.scope, epoch))
        return EndInProgress(
            epoch=epoch,
            started_s=started_s,
            fence_ms=behind_s * 1000,
            under=tasks,
            tasks=tasks,
            rest=batches(left),
            indeterminate=[*told.indeterminate, *await self._remains.left_under(one.scope)],
            closings=list(told.closings),
            gone=frozenset({one.writer} - {self._store.writer}),
        )

    def _await_closing(self, tasks: list[Task], closed: asyncio.Future[None]) -> None:
        for task in tasks:
            self._closing.setdefault(task.id, closed)

    def _fencing(self, one: EndUnderWay) -> tuple[tuple[Change, ...], tuple[Event, ...]]:
        """Return the changes and events that raise the fence, store the end, and lock the scope if
        requested.
        """
        target, ending = one.scope, one.ending
        raised = FenceRaised(scope=target, reason=ending.reason, cause=ending.cause, by=ending.by)
        event, kept = self._event(raised), self._unclosed.begun(one)
        if not ending.lock:
            return (RaiseFence(self._tenant, target), kept), (event,)
        lock = Lock(scope=target, by=ending.by, at=one.at, reason=ending.reason, cause=ending.cause)
        why = PutValue(self._tenant, f"{LOCKS}{target}", msgspec.to_builtins(lock))
        shut = self._event(FenceLocked(scope=target, by=ending.by))
        return (RaiseFence(self._tenant, target, locked=True), kept, why), (event, shut)

    def _event(self, body: FenceRaised | FenceLocked | FenceUnlocked) -> Event:
        return Event.of(body, at=self._clock.now(), tenant=self._tenant, subject=body.by)
