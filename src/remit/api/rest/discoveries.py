# SPDX-License-Identifier: Apache-2.0
"""Deliveries of scans, and the scopes that are scanned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from remit.api.rest.representations import View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.discovery.discovered import Discovered
from remit.core.identity.principals import Role
from remit.services.discovery.assembly import DiscoveryServices
from remit.services.discovery.deliveries import MOST_OF_PART, Receipt, ScanPart
from remit.services.identity.permissions import Duty


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryRooms:
    """The rooms that these endpoints work with."""

    discovery: DiscoveryServices


class Delivering(Body, frozen=True, kw_only=True):
    """A part of a scan, counted from 0.

    `last` ends the scan. `complete`: everything of the scope was read, and what the scope no longer sees is
    fixed. The same part may be sent again.
    """

    scope: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    scan: Annotated[str, msgspec.Meta(min_length=8, max_length=80)]
    found: Annotated[tuple[Discovered, ...], msgspec.Meta(max_length=MOST_OF_PART)] = ()
    part: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    last: bool = True
    complete: bool = False


class ReceiptView(View, frozen=True, kw_only=True):
    """What a part has changed."""

    scope: str
    scan: str
    opened: int
    fixed: int


class ScopeView(View, frozen=True, kw_only=True):
    """A scanned scope, and who delivers into it."""

    name: str
    by: str
    scans: int


async def deliver(errand: RestRequest[DiscoveryRooms]) -> ReceiptView:
    """Take a part of a scan from a person with a role, or from an agent that the configuration names."""
    wanted: Delivering = errand.body
    deliveries = errand.rooms.discovery.deliveries
    if errand.agent is not None:
        deliveries.admit(errand.agent.name, wanted.scope)
    every = errand.person is not None and Role.ADMINISTRATOR in errand.person.roles
    part = ScanPart(**{name: getattr(wanted, name) for name in ScanPart.__struct_fields__})
    receipt: Receipt = await deliveries.take(part, by=errand.by, every_scope=every)
    return ReceiptView(scope=receipt.scope, scan=receipt.scan, opened=receipt.opened, fixed=receipt.fixed)


async def scopes(errand: RestRequest[DiscoveryRooms]) -> Items[ScopeView]:
    """Return the scopes that were scanned."""
    found = await errand.rooms.discovery.deliveries.scopes()
    return Items(tuple(ScopeView(name=one.name, by=one.by, scans=one.newest) for one in found))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/v1/discoveries",
        summary="Deliver what a scan found",
        serve=deliver,
        people=Duty.DELIVER,
        agents=True,
        takes=Delivering,
        gives=ReceiptView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/discoveries",
        summary="List the scanned scopes",
        serve=scopes,
        people=Duty.OVERSEE,
        gives=Items[ScopeView],
    ),
)
