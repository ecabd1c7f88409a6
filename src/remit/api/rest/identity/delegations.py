# SPDX-License-Identifier: Apache-2.0
"""Delegation records: a person's word that an agent may act for them."""

from __future__ import annotations

from remit.api.rest.representations import ClosureView, Moment, View, closure_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.errors import NotFound
from remit.core.json_value import Json
from remit.core.tasks.delegation_record import Delegation
from remit.services.identity.permissions import Duty, may
from remit.services.people.delegations import NewDelegation


class DelegationView(View, frozen=True, kw_only=True):
    """A delegation record; `live` says whether tasks may be opened under it now."""

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
    """Which records to list; without a role, one's own alone."""

    person: str = ""
    agent: str = ""


class Revoking(Body, frozen=True, kw_only=True):
    """Why a record is revoked."""

    reason: str = ""


def _view(errand: RestRequest, record: Delegation) -> DelegationView:
    known = {name: getattr(record, name) for name in DelegationView.__struct_fields__ if name != "live"}
    return DelegationView(**known, live=record.live_at(errand.house.clock.now()))


async def add(errand: RestRequest) -> DelegationView:
    """Make a record in the caller's own name."""
    return _view(errand, await errand.house.delegations.add(errand.body, errand.someone))


async def listed(errand: RestRequest) -> Items[DelegationView]:
    """Return records, newest first."""
    wanted: DelegationFilter = errand.query
    person = errand.someone
    name = wanted.person if may(person, Duty.OVERSEE) else person.name
    return Items(tuple(_view(errand, one) for one in await errand.house.delegations.of(name, wanted.agent)))


async def revoke(errand: RestRequest) -> ClosureView:
    """Revoke a record, and end what was opened under it."""
    wanted: Revoking = errand.body
    record = await errand.house.delegations.get(errand.place["id"])
    if record.person != errand.someone.name and not may(errand.someone, Duty.END):
        raise NotFound(f"delegation `{record.id}` does not exist", remediation="see `remit delegation list`")
    closure = await errand.house.delegations.revoke(record.id, by=errand.by, reason=wanted.reason)
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
