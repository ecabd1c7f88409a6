# SPDX-License-Identifier: Apache-2.0
"""Delegation records: a person permits an agent to act for them."""

from __future__ import annotations

from dataclasses import dataclass

from remit.api.rest.representations import ClosureView, Moment, View, closure_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.errors import NotFound
from remit.core.json_value import Json
from remit.core.tasks.delegation_record import Delegation
from remit.services.identity.permissions import Duty, may
from remit.services.people.assembly import PeopleServices
from remit.services.people.delegations import NewDelegation


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationRooms:
    """The rooms that these endpoints work with."""

    people: PeopleServices


class DelegationView(View, frozen=True, kw_only=True):
    """A delegation record; `live` is whether tasks may be opened under it now."""

    id: str
    person: str
    agent: str
    task_type: str
    goal: str
    params: dict[str, Json]
    open: tuple[str, ...]
    made: Moment
    expires: Moment
    revoked: Moment | None
    live: bool


class DelegationFilter(Body, frozen=True, kw_only=True):
    """Filter for delegation records; without a role, only the caller's records."""

    person: str = ""
    agent: str = ""


class Revoking(Body, frozen=True, kw_only=True):
    """The reason for a revocation."""

    reason: str = ""


def _view(errand: RestRequest[DelegationRooms], record: Delegation) -> DelegationView:
    known = {name: getattr(record, name) for name in DelegationView.__struct_fields__ if name != "live"}
    return DelegationView(**known, live=record.live_at(errand.desk.clock.now()))


async def add(errand: RestRequest[DelegationRooms]) -> DelegationView:
    """Create a delegation record in the caller's name."""
    return _view(errand, await errand.rooms.people.delegations.add(errand.body, errand.someone))


async def listed(errand: RestRequest[DelegationRooms]) -> Items[DelegationView]:
    """Return delegation records, newest first."""
    wanted: DelegationFilter = errand.query
    person = errand.someone
    name = wanted.person if may(person, Duty.OVERSEE) else person.name
    return Items(
        tuple(_view(errand, one) for one in await errand.rooms.people.delegations.of(name, wanted.agent))
    )


async def revoke(errand: RestRequest[DelegationRooms]) -> ClosureView:
    """Revoke a delegation record, and end the tasks that were opened under it."""
    wanted: Revoking = errand.body
    record = await errand.rooms.people.delegations.get(errand.place["id"])
    if record.person != errand.someone.name and not may(errand.someone, Duty.END):
        raise NotFound(f"delegation `{record.id}` does not exist", remediation="see `remit delegation list`")
    closure = await errand.rooms.people.delegations.revoke(record.id, by=errand.by, reason=wanted.reason)
    return closure_view(closure)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/delegations",
        summary="List delegation records; without a role, one's own",
        serve=listed,
        people=Duty.OWN,
        asks=DelegationFilter,
        gives=Items[DelegationView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/delegations",
        summary="Let an agent act for oneself: in one task type, for a limited time",
        serve=add,
        people=Duty.OWN,
        takes=NewDelegation,
        gives=DelegationView,
        status=201,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/delegations/{id}/revoke",
        summary="Revoke a delegation record (one's own; any, as operator); the tasks opened under it end",
        serve=revoke,
        people=Duty.OWN,
        takes=Revoking,
        gives=ClosureView,
    ),
)
