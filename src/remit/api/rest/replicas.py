# SPDX-License-Identifier: Apache-2.0
"""The processes that serve one database, as this one sees them."""

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
    """One replica. `silent_ms` is for how long it has not renewed its lease, as far as who answers has seen
    it; `None` where it has not looked yet. `late`: its lease has run out, and it refuses everything. `tasks`
    is how many it owns; `tends` whether it does what one does for all. `bundle` is the digest that it decides
    by, `differs` whether that is another one than the one in force.
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
    """Who answers (`me`), whether it may act now, how often it could not since its start, and all of them.

    `bundle` is the digest in force: what was applied last, at whichever. `gone` are replicas that were taken
    for gone and of which something is left. `replicas` is empty where one process alone may write the store.
    """

    me: str
    acts: bool
    lapses: int
    tends: bool
    bundle: str
    replicas: tuple[ReplicaView, ...]
    gone: tuple[str, ...]


async def replicas(errand: RestRequest[ReplicaRooms]) -> ReplicasView:
    """Say which replicas there are."""
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
