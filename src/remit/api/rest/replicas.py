# SPDX-License-Identifier: Apache-2.0
"""The processes that serve one database, as this one sees them."""

from __future__ import annotations

from remit.api.rest.endpoint import Endpoint, Errand
from remit.api.rest.views import Moment, View
from remit.services.duties import Duty


class ReplicaView(View, frozen=True, kw_only=True):
    """One replica. `silent_ms` is for how long it has not renewed its lease, as far as who answers has seen
    it; `None` where it has not looked yet. `tasks` is how many it owns.
    """

    id: str
    host: str
    address: str
    joined: Moment
    lease_ms: int
    silent_ms: float | None
    tasks: int


class ReplicasView(View, frozen=True, kw_only=True):
    """Who answers (`me`), whether it may act now, how often it could not since its start, and all of them.

    `replicas` is empty where one process alone may write the store.
    """

    me: str
    acts: bool
    lapses: int
    tends: bool
    replicas: tuple[ReplicaView, ...]


async def replicas(errand: Errand) -> ReplicasView:
    """Say which replicas there are."""
    house = errand.house
    owned = await house.replicas.owned()
    return ReplicasView(
        me=house.replicas.id,
        acts=house.replicas.holds(),
        lapses=house.replicas.lapses,
        tends=house.remains.tends,
        replicas=tuple(
            ReplicaView(
                id=one.replica.id,
                host=one.replica.host,
                address=one.replica.address,
                joined=one.replica.joined,
                lease_ms=round(one.replica.lease_s * 1000),
                silent_ms=None if one.silent_s is None else round(one.silent_s * 1000, 1),
                tasks=owned.get(one.replica.id, 0),
            )
            for one in house.replicas.standing()
        ),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/replicas",
        summary="List the replicas that serve this database, with the age of their leases",
        serve=replicas,
        people=Duty.OVERSEE,
        gives=ReplicasView,
    ),
)
