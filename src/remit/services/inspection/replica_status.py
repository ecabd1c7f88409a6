# SPDX-License-Identifier: Apache-2.0
"""Which replicas enforce: the replicas of this store, as one replica sees them.

Facts that only the store knows (how many tasks each replica owns, which replicas were buried) are read from
the store. Everything else is known from the last look. A replica's bundle and version are its own claims.
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
    """One replica.

    `silent_s` is the time since it last renewed its lease; `None` where it was not yet observed. `late`: its
    lease has expired, and it refuses everything. `tasks` is how many tasks it owns. `tends`: it does the
    shared chores. `differs`: its policy bundle is not the one in force.
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
        """The number of replicas whose lease has expired, and that may not act."""
        return sum(one.late for one in self.enforcers)

    @property
    def differing(self) -> int:
        """The number of replicas whose bundle is not the one in force."""
        return sum(one.differs for one in self.enforcers)


class ReplicaStatus:
    """Reports the replicas, for one event loop; empty where a single process may write the store."""

    def __init__(
        self,
        *,
        fleet: Fleet | None,
        replicas: Replicas,
        policies: Policies,
        reactions: RemoteEndings,
    ) -> None:
        """Take the dependencies."""
        self._fleet = fleet
        self._replicas = replicas
        self._policies = policies
        self._reactions = reactions

    def seen(self) -> ReplicaReport:
        """Return what is known without a request to the store; task ownership is left out."""
        return self._roll({}, "")

    async def call(self) -> ReplicaReport:
        """Return all replicas with task ownership; raises `StoreUnavailable`."""
        if self._fleet is None:
            return self._roll({}, "")
        owned, tends = await self._fleet.owned(), await self._fleet.owner(CHORES)
        if tends:
            owned[tends] = owned.get(tends, 0) - 1
        roll = self._roll(owned, tends)
        return msgspec.structs.replace(roll, gone=tuple(sorted(await self._fleet.buried())))

    async def holder(self, task: Task) -> Replica | None:
        """Return the replica that owns a task; `None` where no replica owns it or needs to own it."""
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
                    # A replica that has just joined has not reported its bundle yet.
                    differs=bool(replica.bundle) and replica.bundle != in_force,
                )
            )
        return ReplicaReport(bundle=in_force, enforcers=tuple(enforcers))
