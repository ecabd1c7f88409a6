# SPDX-License-Identifier: Apache-2.0
"""The fleet: what the replicas of one store exchange through it, and how they are woken.

The store is the arbiter. A *buried* replica can commit nothing any longer, in the order of all commits. The
store assigns each task one owner. A push is a nudge to look, never a fact: a lost one costs the time until
the next renewal, and a wrong one a look.
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
    """Become the owner of a task; `Elsewhere`, naming the owner, if another replica that is not gone owns it.

    The receipt has the owner's epoch under `owner_key(task)`; the epoch rises with each taking.
    """

    tenant: str
    task: str
    replica: str


class LeaveTask(msgspec.Struct, frozen=True):
    """Give up a task, if `replica` owned it; with `ended`, no replica will own it again."""

    tenant: str
    task: str
    replica: str = ""
    ended: bool = False


class DeclareDead(msgspec.Struct, frozen=True):
    """Declare a replica gone: from here on it commits nothing, and what it owned is free.

    `Conflict` if it is gone already, or has renewed its lease since `renewed` was seen.
    """

    tenant: str
    replica: str
    renewed: int


class CheckStoredLabels(msgspec.Struct, frozen=True):
    """Refuse with `Conflict` if a stored label of an upstream was written since `turn`."""

    tenant: str
    upstream: str
    turn: int


FleetChange = HoldTask | TakeTask | LeaveTask | DeclareDead | CheckStoredLabels


def owner_key(task: str) -> str:
    """Return the key under which a receipt has the epoch of a task's owner."""
    return f"owner:{task}"


# Observations and messages.


class FenceAck(msgspec.Struct, frozen=True, kw_only=True):
    """One replica's acknowledgement of a fence: it no longer sends or releases anything under it.

    `indeterminate` are its calls that were sent before. `closings` are the outcomes of the credentials that
    it held for what was ended; `settled` once there are no more to come.
    """

    scope: str
    epoch: int
    replica: str
    indeterminate: tuple[Indeterminate, ...] = ()
    closings: tuple[Closing, ...] = ()
    settled: bool = True


class FleetSight(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a look. When it is reported, raised epochs and withdrawals are in the store's live
    memory.

    `sent_s` is when the renewal in it was sent, by the boot-time clock; `None` where there was none. `gone`:
    this replica was buried. `agents` and `pins` are those that have changed since the look before; `bundle`
    is the digest in force, the one applied last.
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

    Concurrency: one event loop; `told` is called on it. No method waits in the order of commits. Errors:
    `StoreUnavailable`.
    """

    async def join(self, replica: Replica, told: Callable[[FleetSight], None]) -> None:
        """Join as an incarnation, and have `told` called with every look from now on.

        `replica.id` is the writer's.
        """
        ...

    async def renew(self) -> None:
        """Renew the lease and look."""
        ...

    async def look(self) -> None:
        """Look at the store.

        When this returns, `told` was called with the state at the time of this call or later.
        """
        ...

    async def acknowledge(self, acks: Sequence[FenceAck]) -> None:
        """Send acknowledgements to the replicas that raised these fences."""
        ...

    def awaiting(self) -> AbstractContextManager[None]:
        """Let acknowledgements wake this replica too, for as long as the context is held.

        Earlier acknowledgements are found by the next look.
        """
        ...

    async def restate(self, replica: Replica) -> None:
        """Publish this replica's current description to the others; does nothing if it is gone."""
        ...

    async def forget_acks(self, scope: str, epoch: int) -> None:
        """Delete the acknowledgements of an end that is on record."""
        ...

    @property
    def began(self) -> int:
        """The store's turn as of which this process first read the store."""
        ...

    async def stored_labels_since(self, upstream: str, turn: int) -> tuple[list[StoredLabel], int]:
        """Return the stored labels of an upstream written after a turn, by any replica.

        Also returns the turn up to which these are complete.
        """
        ...

    async def owned(self) -> dict[str, int]:
        """Return how many tasks each replica owns."""
        ...

    async def owner(self, task: str) -> str:
        """Return the owner of a task; empty where no replica owns it."""
        ...

    async def buried(self) -> frozenset[str]:
        """Return the replicas that were buried and not forgotten."""
        ...

    async def forget(self, replicas: Collection[str]) -> None:
        """Forget buried replicas that have left nothing behind."""
        ...

    async def leave(self) -> None:
        """Leave in order, so that no replica needs to wait for this one."""
        ...

    def check(self) -> None:
        """Break off requests to a server that has stopped answering. Called periodically."""
        ...
