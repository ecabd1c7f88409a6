# SPDX-License-Identifier: Apache-2.0
"""Absences: an approver names another one who may answer in their place."""

from __future__ import annotations

from dataclasses import dataclass

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.decisions.approvers import Absence
from remit.services.decisions.assembly import DecisionServices
from remit.services.identity.permissions import Duty


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceRooms:
    """The rooms that these endpoints work with."""

    decisions: DecisionServices


class AbsenceView(View, frozen=True, kw_only=True):
    """A span of time in which `substitute` may answer approvals in the place of `person`."""

    person: str
    substitute: str
    begins: Moment
    ends: Moment


class NewAbsence(Body, frozen=True, kw_only=True):
    """The substitute, who is an approver, too, and the span; it begins now unless `begins` is given."""

    substitute: str
    ends: Moment
    begins: Moment | None = None


def _view(absence: Absence) -> AbsenceView:
    return AbsenceView(**{name: getattr(absence, name) for name in AbsenceView.__struct_fields__})


async def listed(errand: RestRequest[AbsenceRooms]) -> Items[AbsenceView]:
    """Return the absences that have not ended."""
    return Items(tuple(_view(one) for one in await errand.rooms.decisions.absences.all()))


async def begun(errand: RestRequest[AbsenceRooms]) -> AbsenceView:
    """Name the caller's substitute."""
    new: NewAbsence = errand.body
    absences = errand.rooms.decisions.absences
    return _view(await absences.begin(errand.someone, new.substitute, new.ends, new.begins))


async def ended(errand: RestRequest[AbsenceRooms]) -> AbsenceView:
    """End the caller's absence."""
    return _view(await errand.rooms.decisions.absences.end(errand.someone))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/absences",
        summary="List who may answer approvals in whose place, now or later",
        serve=listed,
        people=Duty.OVERSEE,
        gives=Items[AbsenceView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/absences",
        summary="Name another approver who may answer in one's own place, for at most 92 days; one named "
        "before no longer may",
        serve=begun,
        people=Duty.APPROVE,
        takes=NewAbsence,
        gives=AbsenceView,
        status=201,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/absences/end",
        summary="End one's own absence",
        serve=ended,
        people=Duty.OWN,
        gives=AbsenceView,
    ),
)
