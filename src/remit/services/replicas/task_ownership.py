# SPDX-License-Identifier: Apache-2.0
"""Ownership of tasks by this replica: a task and all its descendants have one owner, recorded in the store.

Label, index, budgets and pending calls of a family are only at its owner. Another replica that gets a call
for the task learns the owner (`Elsewhere`). A family that no replica owns any longer is taken over, with an
empty index.
"""

from __future__ import annotations

import asyncio
from functools import partial

from remit.core.errors import Elsewhere
from remit.core.evidence.event import Event
from remit.core.evidence.events.tasks import TaskTakenOver
from remit.core.tasks.task import Task
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change
from remit.ports.store.replicas import HoldTask, LeaveTask, TakeTask, owner_key
from remit.ports.store.units import Unit, UnitStore
from remit.services.replicas.replica_lease import Replicas


def root_of(task: Task) -> str:
    """Return the root task of a family, which is the unit of ownership."""
    return task.lineage[-1].task if task.lineage else task.id


class Ownership:
    """The tasks that this replica owns. For one event loop.

    A single process owns everything without a request.
    """

    def __init__(self, *, replicas: Replicas, store: UnitStore, clock: Clock, tenant: str) -> None:
        """Begin with no tasks owned."""
        self._replicas = replicas
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._held: dict[str, tuple[str, int]] = {}
        #: Takings in progress, by root: a concurrent caller waits for the same taking.
        self._taking: dict[str, asyncio.Future[bool]] = {}
        self.several = replicas.several

    @property
    def replica(self) -> str:
        """The id under which this process owns tasks, where there are several processes."""
        return self._replicas.id

    def __len__(self) -> int:
        """Return the number of owned families."""
        return len(self._held)

    def holds(self, root: str) -> bool:
        """Return whether this replica owns a family, as far as it knows; commits check that in the store."""
        if not self.several:
            return True
        held = self._held.get(root)
        return held is not None and held[0] == self._replicas.id

    def held(self, root: str) -> tuple[str, int] | None:
        """Return under which id and epoch this replica owns a family; None where there is one process."""
        return self._held.get(root) if self.several else None

    async def take(self, root: str, *, told: bool = True) -> bool:
        """Own a family from now on; return whether it had no owner before. Raises `Elsewhere`.

        A take-over is recorded in the evidence if `told`.
        """
        if self.holds(root):
            return False
        taking = self._taking.get(root)
        if taking is None:
            taking = self._taking[root] = asyncio.ensure_future(self._take(root, told=told))
            taking.add_done_callback(partial(self._taken, root))
        return await asyncio.shield(taking)

    def _taken(self, root: str, taking: asyncio.Future[bool]) -> None:
        del self._taking[root]
        if not taking.cancelled():
            taking.exception()  # waiting callers get the exception; there may be none

    async def _take(self, root: str, *, told: bool) -> bool:
        self._replicas.check()
        me = self._replicas.id
        receipt = await self._store.commit(Unit((TakeTask(self._tenant, root, me),)))
        epoch = receipt.epochs[owner_key(root)]
        if epoch > 1 and told:
            taken = TaskTakenOver(replica=me, epoch=epoch)
            event = Event.of(taken, at=self._clock.now(), tenant=self._tenant, task=root)
            await self._store.commit(Unit((HoldTask(self._tenant, root, me, epoch),), (event,)))
        self._held[root] = (me, epoch)
        return True

    def checks(self, root: str) -> tuple[Change, ...]:
        """Return what a commit of a call must check; raises `Elsewhere` where ownership is already lost."""
        if not self.several:
            return ()
        held = self._held.get(root)
        if held is None:
            raise Elsewhere(root)
        return (HoldTask(self._tenant, root, *held),)

    def ended(self, task: Task) -> tuple[Change, ...]:
        """Return the changes that the end of a task makes to ownership: the task has no owner any longer."""
        if not self.several or task.lineage:
            return ()
        return (LeaveTask(self._tenant, task.id, ended=True),)

    def drop(self, root: str) -> None:
        """Give up ownership of a family."""
        self._held.pop(root, None)

    def lose(self) -> None:
        """Give up ownership of everything: this replica was declared gone."""
        self._held.clear()
