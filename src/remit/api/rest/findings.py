# SPDX-License-Identifier: Apache-2.0
"""Findings: observations that no record explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.errors import NotFound
from remit.core.findings.finding import FINDING_MEANINGS, Finding, FindingKind, FindingState
from remit.core.json_value import Json
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.permissions import Duty, require, see_finding


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRooms:
    """The rooms that these endpoints work with."""

    findings: FindingServices
    identity: IdentityServices


class FindingView(View, frozen=True, kw_only=True):
    """A finding, with the meaning of its kind and the remediation."""

    id: str
    kind: FindingKind
    about: str
    says: str
    remediation: str
    facts: dict[str, Json]
    first_seen: Moment
    last_seen: Moment
    count: int
    state: FindingState
    resolved: Moment | None
    resolved_by: str
    resolution: str


class FindingFilter(Body, frozen=True, kw_only=True):
    """Filter for findings; `about` as `agent:name` or `person:name`."""

    about: str = ""
    state: FindingState | None = FindingState.OPEN


class Resolving(Body, frozen=True, kw_only=True):
    """How a finding was resolved."""

    resolution: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


def finding_view(finding: Finding) -> FindingView:
    """Return the public representation of a finding."""
    meaning = FINDING_MEANINGS[finding.kind]
    given = set(FindingView.__struct_fields__) - {"says", "remediation"}
    return FindingView(
        **{name: getattr(finding, name) for name in given}, says=meaning.says, remediation=meaning.remediation
    )


async def _visible(errand: RestRequest[FindingRooms], finding: Finding) -> bool:
    agent = await errand.rooms.identity.directory.find_agent(finding.agent) if finding.agent else None
    return see_finding(finding, agent, errand.someone)


async def listed(errand: RestRequest[FindingRooms]) -> Items[FindingView]:
    """Return findings, most recently seen first; without a role, only those about the caller's agents."""
    wanted: FindingFilter = errand.query
    found = await errand.rooms.findings.findings.about(wanted.about, wanted.state)
    return Items(tuple([finding_view(one) for one in found if await _visible(errand, one)]))


async def _finding(errand: RestRequest[FindingRooms]) -> Finding:
    found = await errand.rooms.findings.findings.get(errand.place["id"])
    if not await _visible(errand, found):
        raise NotFound(f"finding `{found.id}` does not exist", remediation="see `remit finding list`")
    return found


async def shown(errand: RestRequest[FindingRooms]) -> FindingView:
    """Return a finding."""
    return finding_view(await _finding(errand))


async def resolve(errand: RestRequest[FindingRooms]) -> FindingView:
    """Mark a finding as resolved."""
    wanted: Resolving = errand.body
    found = await _finding(errand)
    require(errand.someone, Duty.ADMINISTER)
    return finding_view(
        await errand.rooms.findings.findings.resolve(found.id, by=errand.by, resolution=wanted.resolution)
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/findings",
        summary="List open findings (or those of another state); without a role, about one's own agents",
        serve=listed,
        people=Duty.OWN,
        asks=FindingFilter,
        gives=Items[FindingView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/findings/{id}",
        summary="Show a finding",
        serve=shown,
        people=Duty.OWN,
        gives=FindingView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/findings/{id}/resolve",
        summary="Mark a finding as resolved; if it is seen again, it opens again",
        serve=resolve,
        people=Duty.OWN,
        takes=Resolving,
        gives=FindingView,
    ),
)
