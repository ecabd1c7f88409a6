# SPDX-License-Identifier: Apache-2.0
"""The fleet: what the replicas of one store tell each other through it, and how they are woken.

The store is the arbiter. Whoever is *buried* can commit nothing any more, in the order of all commits; a
task has one owner by the store's word. What is pushed is a nudge that says "look", never a fact: a lost one
costs the time until the next renewal, and a wrong one a look.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from remit.core.endings.closure import Closing, Indeterminate
from remit.core.flow.stored_labels import StoredLabel
from remit.core.replicas.replica import Replica
from remit.core.scope import Raised

# Checks and changes of a unit (`ports.store.changes`).


class HoldTask(msgspec.Struct, frozen=True):
    """Refuse with `Elsewhere` unless `replica` owns the task, since `epoch`."""

    tenant: str
    task: str
    replica: str
    epoch: int


class TakeTask(msgspec.Struct, frozen=True):
    """Become the owner of a task; `Elsewhere`, naming the owner, if another one that is not gone is.

    The receipt has the owner's epoch under `owner_key(task)`; it rises with each taking.
    """

    tenant: str
    task: str
    replica: str


class LeaveTask(msgspec.Struct, frozen=True):
    """Own a task no longer, if `replica` did; with `ended`, nobody will any more."""

    tenant: str
    task: str
    replica: str = ""
    ended: bool = False


class DeclareDead(msgspec.Struct, frozen=True):
    """Take a replica for gone: from here on it commits nothing, and what it owned is free.

    `Conflict` if it is gone already, or has renewed its lease since `renewed` was seen.
    """

    tenant: str
    replica: str
    renewed: int


class CheckStoredLabels(msgspec.Struct, frozen=True):
    """Refuse with `Conflict` if a label at rest in an upstream was written since `turn`."""

    tenant: str
    upstream: str
    turn: int


FleetChange = HoldTask | TakeTask | LeaveTask | DeclareDead | CheckStoredLabels


def owner_key(task: str) -> str:
    """Return where a receipt has the epoch of a task's owner."""
    return f"owner:{task}"


# What is seen and told.


class FenceAck(msgspec.Struct, frozen=True, kw_only=True):
    """One replica's word that a fence stands there: nothing under it is sent or released by it any more.

    `indeterminate` are its calls that were sent before; `closings` what became of the credentials that it
    held for what was ended, `settled` once there is nothing more to come.
    """

    scope: str
    epoch: int
    replica: str
    indeterminate: tuple[Indeterminate, ...] = ()
    closings: tuple[Closing, ...] = ()
    settled: bool = True


class FleetSight(msgspec.Struct, frozen=True, kw_only=True):
    """What a look has found. By the time that it is told, raised epochs and withdrawals are in the store's
    live memory.

    `sent_s` is when the renewal in it was sent, by the boot-time clock; `None` where there was none. `gone`:
    this replica was buried. `agents` and `pins` tell what of them has changed since the look before,
    `bundle` is the digest in force, as it was applied last.
    """

    sent_s: float | None
    seen_s: float
    gone: bool
    replicas: tuple[Replica, ...]
    raised: tuple[Raised, ...] = ()
    acks: tuple[FenceAck, ...] = ()
    agents: tuple[str, ...] = ()
    pins: bool = False
    bundle: str = ""


class Fleet(Protocol):
    """The replicas of one tenant in one store.

    Concurrency: one event loop; `told` is called on it. Nothing here takes a turn among commits. Errors:
    `StoreUnavailable`.
    """

    async def join(self, replica: Replica, told: Callable[[FleetSight], None]) -> None:
        """Enter as an incarnation, and be told of every look from now on; `replica.id` is the writer's."""
        ...

    async def renew(self) -> None:
        """Renew the lease and look."""
        ...

    async def look(self) -> None:
        """Sight; when this returns, `told` was called with what was there when it was called, or later."""
        ...

    async def acknowledge(self, acks: Sequence[FenceAck]) -> None:
        """Tell whoever raised these fences."""
        ...

    def awaiting(self) -> AbstractContextManager[None]:
        """While this is held, this replica is woken by acknowledgements too. What was acknowledged before is
        found by the next look.
        """
        ...

    async def restate(self, replica: Replica) -> None:
        """Tell the others what this replica is now; nothing if it is gone."""
        ...

    async def forget_acks(self, scope: str, epoch: int) -> None:
        """Delete what was acknowledged of an end that is on record."""
        ...

    @property
    def began(self) -> int:
        """The turn of the store as of which this process has read it first."""
        ...

    async def stored_labels_since(self, upstream: str, turn: int) -> tuple[list[StoredLabel], int]:
        """Return the labels at rest that were written to an upstream after a turn, by whomever, and the turn
        up to which these are all.
        """
        ...

    async def owned(self) -> dict[str, int]:
        """Return how many tasks each replica owns."""
        ...

    async def owner(self, task: str) -> str:
        """Return who owns a task; empty where nobody does."""
        ...

    async def buried(self) -> frozenset[str]:
        """Return the replicas that were buried and not forgotten."""
        ...

    async def forget(self, replicas: Collection[str]) -> None:
        """Forget buried replicas of which nothing is left."""
        ...

    async def leave(self) -> None:
        """Go in order: nobody needs to wait for this replica any more."""
        ...

    def check(self) -> None:
        """Break off what a server that has stopped answering keeps waiting. Called now and then."""
        ...
