# SPDX-License-Identifier: Apache-2.0
"""Which tasks this replica owns: a task and all that was handed down from it have one owner, by the store.

Label, index, budgets and calls in hand of a family live at its owner alone. Whoever gets a call for another's
task is told whose it is (`Elsewhere`); one that nobody owns any more is taken over, its index empty.
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
    """Return the task that a family goes back to: it is what is owned."""
    return task.lineage[-1].task if task.lineage else task.id


class Ownership:
    """What this replica owns. For one event loop. With one process it owns everything and asks nobody."""

    def __init__(self, *, replicas: Replicas, store: UnitStore, clock: Clock, tenant: str) -> None:
        """Begin with nothing owned."""
        self._replicas = replicas
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._held: dict[str, tuple[str, int]] = {}
        #: Takings that are under way, by the root: whoever comes meanwhile waits for the same one.
        self._taking: dict[str, asyncio.Future[bool]] = {}
        self.several = replicas.several

    @property
    def replica(self) -> str:
        """As whom this process owns, where there are several."""
        return self._replicas.id

    def __len__(self) -> int:
        """How many are owned."""
        return len(self._held)

    def holds(self, root: str) -> bool:
        """Whether this replica owns a family, as far as it knows; commits check it in the store."""
        if not self.several:
            return True
        held = self._held.get(root)
        return held is not None and held[0] == self._replicas.id

    async def take(self, root: str, *, told: bool = True) -> bool:
        """Own a family from now on; gives whether it was not owned before. Raises `Elsewhere`.

        A take-over is told of in the evidence, unless it is not `told`.
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
            taking.exception()  # whoever still waits is told; perhaps nobody does

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
        """Return what a commit of a call must check; raises `Elsewhere` where it is lost already."""
        if not self.several:
            return ()
        held = self._held.get(root)
        if held is None:
            raise Elsewhere(root)
        return (HoldTask(self._tenant, root, *held),)

    def ended(self, task: Task) -> tuple[Change, ...]:
        """Return what the end of a task changes: nobody owns it any more."""
        if not self.several or task.lineage:
            return ()
        return (LeaveTask(self._tenant, task.id, ended=True),)

    def drop(self, root: str) -> None:
        """Own it no longer."""
        self._held.pop(root, None)

    def lose(self) -> None:
        """Own nothing any longer: this replica was taken for gone."""
        self._held.clear()
