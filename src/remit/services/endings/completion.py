# SPDX-License-Identifier: Apache-2.0
"""The completion of an end once its fence is raised: steps 3 to 6 of an end (`ending`)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec

from remit.core.endings.closure import Closing, Closure, Indeterminate
from remit.core.scope import Raised, risen
from remit.core.tasks.task import Task, TaskState
from remit.ports.store.changes import PutClosure
from remit.ports.store.endings import EndingStore
from remit.ports.store.units import Unit
from remit.services.credentials.lease_records import HeldLease
from remit.services.credentials.leases import Leases
from remit.services.endings.closure import DerivedPermissions, batches, closure_event, once, upstream_of
from remit.services.endings.priority import EndInFront
from remit.services.endings.takeover import Takeover
from remit.services.endings.task_ends import TaskEnds
from remit.services.endings.unclosed_ends import EndUnderWay, UnclosedEnds
from remit.services.replicas.replica_lease import Acknowledgements, Replicas
from remit.services.tasks.calls_in_flight import cut
from remit.services.tasks.live_tasks import LiveTasks

Found = Callable[[], Awaitable[list[Task]]]


class EndInProgress(msgspec.Struct, kw_only=True):
    """The state of an end once its fence is raised.

    `under` are the tasks whose credentials are revoked, `tasks` those that it ends, of which the `rest` are
    still to be ended. `gone` are replicas that no longer answer.
    """

    epoch: int
    started_s: float
    fence_ms: float
    under: list[Task]
    tasks: list[Task]
    rest: list[list[Task]]
    indeterminate: list[Indeterminate] = []
    closings: list[Closing] = []
    gone: frozenset[str] = frozenset()


class Completions:
    """Completes ends. For one event loop."""

    def __init__(
        self,
        *,
        store: EndingStore,
        live: LiveTasks,
        derived: DerivedPermissions,
        leases: Leases,
        replicas: Replicas,
        remains: Takeover,
        ends: TaskEnds,
        unclosed: UnclosedEnds,
        tenant: str,
        settle_s: float,
    ) -> None:
        """Take the dependencies; `settle_s` is how long an end waits for credentials that other replicas
        hold.
        """
        self._store = store
        self._live = live
        self._derived = derived
        self._leases = leases
        self._replicas = replicas
        self._remains = remains
        self._ends = ends
        self._unclosed = unclosed
        self._tenant = tenant
        self._settle_s = settle_s
        #: The indeterminate calls by closure: if an end fails here, its next try still lists the calls that
        #: it cut.
        self._listed: dict[str, list[Indeterminate]] = {}

    async def complete(
        self,
        one: EndUnderWay,
        begun: EndInProgress,
        found: Found,
        going: EndInFront,
        awaited: Callable[[list[Task]], None],
    ) -> Closure:
        """Run steps 3 to 6. `found` looks for the tasks; `awaited` is called with further tasks that end."""
        # Step 3, here and on all other replicas at the same time.
        listed = self._listed.setdefault(one.closure, list(begun.indeterminate))
        in_hand = cut(self._live.all(), (one.scope,), self._store.epochs(self._tenant))
        listed += [each for each in in_hand if each not in listed]
        raised, waits_s = Raised(one.scope, begun.epoch), self._settle_s if _waits(one) else 0.0
        others = asyncio.ensure_future(self._remains.gathered(raised, begun.started_s, waits_s))
        # Step 4 begins behind the fence, before the remaining writes.
        leases = self._let_go(one, begun, begun.under)
        for batch in begun.rest:
            await self._ends.commit(batch, one.ending, one.at)
        missed, closings = await asyncio.gather(
            self._missed(one.scope, found, begun.tasks), self._derived.closings(begun.tasks, begun.started_s)
        )
        for batch in batches(missed):
            await self._ends.commit(batch, one.ending, one.at)
        if missed:
            awaited(missed)
            begun.tasks, begun.under = begun.tasks + missed, begun.under + missed
            leases += self._let_go(one, begun, missed)
            closings += await self._derived.closings(missed, begun.started_s)
        with going.aside() if leases or self._replicas.several else contextlib.nullcontext():
            closings += await self._leases.settled(leases, wait=_waits(one))
            elsewhere = await others
            taken = [each for each in await self._taken_over(one, begun, elsewhere) if each not in leases]
            closings += [*begun.closings, *elsewhere.closings]
            closings += await self._leases.settled(taken, wait=_waits(one))
        listed += [each for each in elsewhere.indeterminate if each not in listed]
        closure = self._closure(one, begun, closings, listed, elsewhere)
        await self._store.commit(
            Unit(
                (*self._unclosed.closed(one), PutClosure(self._tenant, closure)),
                (closure_event(closure, self._tenant),),
            )
        )
        del self._listed[one.closure]
        self._replicas.recorded(raised)
        await self._leases.listed([*leases, *taken], closure)
        return closure

    def _closure(
        self,
        one: EndUnderWay,
        begun: EndInProgress,
        closings: list[Closing],
        listed: list[Indeterminate],
        elsewhere: Acknowledgements,
    ) -> Closure:
        return Closure(
            id=one.closure,
            scope=one.scope,
            epoch=begun.epoch,
            reason=one.ending.reason,
            cause=one.ending.cause,
            ended_by=one.ending.by,
            at=one.at,
            tasks=tuple(task.id for task in begun.tasks),
            closings=once(closings),
            indeterminate=tuple(listed),
            fence_ms=round(begun.fence_ms, 3),
            acknowledged=elsewhere.acknowledged,
        )

    def _let_go(self, one: EndUnderWay, begun: EndInProgress, tasks: list[Task]) -> list[HeldLease]:
        return self._leases.end([task.id for task in tasks], upstream_of(one.scope), begun.started_s)

    async def _taken_over(
        self, one: EndUnderWay, begun: EndInProgress, elsewhere: Acknowledgements
    ) -> list[HeldLease]:
        """Revoke the credentials of replicas that did not answer, whether or not these ever continue."""
        silent = elsewhere.silent | begun.gone
        if not silent:
            return []
        tasks = {task.id for task in begun.under}
        return await self._leases.left.of_silent(silent, tasks, upstream_of(one.scope), begun.started_s)

    async def _missed(self, target: str, found: Found, known: list[Task]) -> list[Task]:
        """Return tasks that were opened during the search for tasks: before the fence, and so under it."""
        epochs, names = self._store.epochs(self._tenant), {task.id for task in known}
        return [
            task
            for task in await found()
            if task.id not in names and not task.state.ended and risen(task.epochs, epochs, (target,))
        ]


def _waits(one: EndUnderWay) -> bool:
    """Return whether the end waits for its credentials to be dead; the end of an expired task does not."""
    return one.ending.state is not TaskState.EXPIRED
