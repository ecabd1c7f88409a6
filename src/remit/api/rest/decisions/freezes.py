# SPDX-License-Identifier: Apache-2.0
"""Change freezes: people declare and lift them, and policies say what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.circumstances.change_freeze import ChangeFreeze
from remit.services.decisions.assembly import DecisionServices
from remit.services.identity.permissions import Duty

_Why = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeRooms:
    """The rooms that these endpoints work with."""

    decisions: DecisionServices


class FreezeView(View, frozen=True, kw_only=True):
    """A change freeze in force."""

    id: str
    reason: str
    by: str
    since: Moment
    until: Moment


class DeclareFreeze(Body, frozen=True, kw_only=True):
    """Until when nothing should change, and why."""

    until: Moment
    reason: _Why


class LiftFreeze(Body, frozen=True, kw_only=True):
    """Why a freeze ends before its time."""

    reason: _Why


def _view(freeze: ChangeFreeze) -> FreezeView:
    return FreezeView(**msgspec.structs.asdict(freeze))


async def listed(errand: RestRequest[FreezeRooms]) -> Items[FreezeView]:
    """Return the freezes in force, the one that ends first first."""
    return Items(tuple(_view(one) for one in await errand.rooms.decisions.freezes.in_force()))


async def declare(errand: RestRequest[FreezeRooms]) -> FreezeView:
    """Declare a freeze; from the answer on, calls decided by this replica read it."""
    wanted: DeclareFreeze = errand.body
    decisions = errand.rooms.decisions
    freeze = await decisions.freezes.declare(wanted.until, reason=wanted.reason, by=errand.by)
    decisions.surroundings.changed()
    return _view(freeze)


async def lift(errand: RestRequest[FreezeRooms]) -> FreezeView:
    """End a freeze before its time; return it as it was."""
    wanted: LiftFreeze = errand.body
    decisions = errand.rooms.decisions
    freeze = await decisions.freezes.lift(errand.place["id"], reason=wanted.reason, by=errand.by)
    decisions.surroundings.changed()
    return _view(freeze)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/freezes",
        summary="List the change freezes in force",
        serve=listed,
        people=Duty.OVERSEE,
        gives=Items[FreezeView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/freezes",
        summary="Declare a change freeze, which policies read",
        serve=declare,
        people=Duty.END,
        takes=DeclareFreeze,
        gives=FreezeView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/freezes/{id}/lift",
        summary="End a change freeze before its time",
        serve=lift,
        people=Duty.ADMINISTER,
        takes=LiftFreeze,
        gives=FreezeView,
    ),
)
