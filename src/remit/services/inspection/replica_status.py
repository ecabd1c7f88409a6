# SPDX-License-Identifier: Apache-2.0
"""Who enforces here: the replicas of this store, as one of them sees them.

What only the store can tell (who owns how much, who was buried) is asked of it; everything else is known from
the last look. What a replica says of itself (its bundle, its version) is its own word.
"""

from __future__ import annotations

import msgspec

from remit.core.replicas.replica import Replica
from remit.core.tasks.task import Task
from remit.ports.store.replicas import Fleet
from remit.services.endings.remote_endings import RemoteEndings
from remit.services.endings.takeover import CHORES
from remit.services.policy.bundle import Policies
from remit.services.replicas.replica_lease import Replicas
from remit.services.replicas.task_ownership import root_of


class Enforcer(msgspec.Struct, frozen=True, kw_only=True):
    """One replica. `silent_s` is for how long it has not renewed its lease; `None` where nobody has looked.

    `late`: its lease has run out, and it refuses everything. `tasks` is how many it owns, `tends` whether it
    does the chores of all. `differs`: it decides by another bundle than the one in force.
    """

    replica: Replica
    me: bool
    silent_s: float | None
    late: bool
    tasks: int
    tends: bool
    differs: bool


class ReplicaReport(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, who answers first. `bundle` is the one in force: what was applied last, by whomever.

    `gone` were buried, and what they have left is not yet looked after.
    """

    bundle: str
    enforcers: tuple[Enforcer, ...]
    gone: tuple[str, ...] = ()

    @property
    def late(self) -> int:
        """How many may not act."""
        return sum(one.late for one in self.enforcers)

    @property
    def differing(self) -> int:
        """How many decide by another bundle than the one in force."""
        return sum(one.differs for one in self.enforcers)


class ReplicaStatus:
    """Calls the roll. For one event loop; empty where one process alone may write the store."""

    def __init__(
        self,
        *,
        fleet: Fleet | None,
        replicas: Replicas,
        policies: Policies,
        reactions: RemoteEndings,
    ) -> None:
        """Take the parts."""
        self._fleet = fleet
        self._replicas = replicas
        self._policies = policies
        self._reactions = reactions

    def seen(self) -> ReplicaReport:
        """Say what is known without asking the store: who owns what is left out."""
        return self._roll({}, "")

    async def call(self) -> ReplicaReport:
        """Say who there is; raises `StoreUnavailable`."""
        if self._fleet is None:
            return self._roll({}, "")
        owned, tends = await self._fleet.owned(), await self._fleet.owner(CHORES)
        if tends:
            owned[tends] = owned.get(tends, 0) - 1
        roll = self._roll(owned, tends)
        return msgspec.structs.replace(roll, gone=tuple(sorted(await self._fleet.buried())))

    async def holder(self, task: Task) -> Replica | None:
        """Return the replica where a task lives; `None` where nobody needs to own it, or nobody does."""
        if self._fleet is None or task.state.ended:
            return None
        name = await self._fleet.owner(root_of(task))
        return next((one.replica for one in self._replicas.standing() if one.replica.id == name), None)

    def _roll(self, owned: dict[str, int], tends: str) -> ReplicaReport:
        in_force = self._reactions.in_force
        enforcers: list[Enforcer] = []
        for one in self._replicas.standing():
            me = one.replica.id == self._replicas.id
            replica = (
                msgspec.structs.replace(one.replica, bundle=self._policies.digest) if me else one.replica
            )
            enforcers.append(
                Enforcer(
                    replica=replica,
                    me=me,
                    silent_s=one.silent_s,
                    late=not self._replicas.holds() if me else one.late,
                    tasks=owned.get(replica.id, 0),
                    tends=replica.id == tends,
                    # One that has just entered has not said yet.
                    differs=bool(replica.bundle) and replica.bundle != in_force,
                )
            )
        return ReplicaReport(bundle=in_force, enforcers=tuple(enforcers))
