# SPDX-License-Identifier: Apache-2.0
"""The replicas that serve one database, as seen by the answering replica."""

from __future__ import annotations

from dataclasses import dataclass

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Endpoint, RestRequest
from remit.services.endings.assembly import EndingServices
from remit.services.identity.permissions import Duty
from remit.services.inspection.assembly import InspectionServices
from remit.services.inspection.replica_status import Enforcer
from remit.services.replicas.assembly import ReplicaServices


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRooms:
    """The rooms that these endpoints work with."""

    replicas: ReplicaServices
    endings: EndingServices
    inspection: InspectionServices


class ReplicaView(View, frozen=True, kw_only=True):
    """One replica.

    `silent_ms` is the time since it last renewed its lease, as observed by the answering replica; `None`
    before the first observation. `late`: its lease has run out, and it refuses everything. `tasks` is the
    number of tasks that it owns; `tends` whether it does the shared chores. `bundle` is the digest of its
    bundle, `differs` whether another bundle is in force.
    """

    id: str
    host: str
    address: str
    version: str
    joined: Moment
    lease_ms: int
    silent_ms: float | None
    late: bool
    tasks: int
    tends: bool
    bundle: str
    differs: bool


class ReplicasView(View, frozen=True, kw_only=True):
    """The answering replica (`me`), whether it may act now, how often it lost that right since its start, and
    all replicas.

    `bundle` is the digest in force: the bundle that any replica applied last. `gone` are replicas that were
    declared gone and of which work is left. `replicas` is empty if only one process may write the store.
    """

    me: str
    acts: bool
    lapses: int
    tends: bool
    bundle: str
    replicas: tuple[ReplicaView, ...]
    gone: tuple[str, ...]


async def replicas(errand: RestRequest[ReplicaRooms]) -> ReplicasView:
    """Return the replicas of this database."""
    rooms = errand.rooms
    roll = await rooms.inspection.roster.call()
    return ReplicasView(
        me=rooms.replicas.membership.id,
        acts=rooms.replicas.membership.holds(),
        lapses=rooms.replicas.membership.lapses,
        tends=rooms.endings.remains.tends,
        bundle=roll.bundle,
        replicas=tuple(map(_view, roll.enforcers)),
        gone=roll.gone,
    )


def _view(one: Enforcer) -> ReplicaView:
    it = one.replica
    return ReplicaView(
        id=it.id,
        host=it.host,
        address=it.address,
        version=it.version,
        joined=it.joined,
        lease_ms=round(it.lease_s * 1000),
        silent_ms=None if one.silent_s is None else round(one.silent_s * 1000, 1),
        late=one.late,
        tasks=one.tasks,
        tends=one.tends,
        bundle=it.bundle,
        differs=one.differs,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/replicas",
        summary="List the replicas that serve this database: leases, tasks and policy bundles",
        serve=replicas,
        people=Duty.OVERSEE,
        gives=ReplicasView,
    ),
)
