# SPDX-License-Identifier: Apache-2.0
"""Upstreams: whether the answering process reaches each one, since when, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Endpoint, Items, RestRequest
from remit.core.tools.tool import ToolState
from remit.ports.upstream import HttpUpstream, Upstream
from remit.services.decisions.assembly import DecisionServices
from remit.services.identity.permissions import Duty
from remit.services.tools.assembly import ToolServices


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRooms:
    """The rooms that these endpoints work with."""

    upstreams: Mapping[str, Upstream]
    tools: ToolServices
    decisions: DecisionServices


class UpstreamView(View, frozen=True, kw_only=True):
    """One upstream.

    `reachable` is the result of the last attempt to reach it, `since` the time of that state. An HTTP API
    (`api`) is tried only by calls: `null` means that none of them has failed. `why` is the reason why it is
    not reachable. `tools` is the number of tools that it offers, or offered when it was last reached; `known`
    is whether its tools were listed since the start. `instructions` is its text about its use, `reviewed`
    whether the policy bundle has exactly this text.
    """

    name: str
    api: bool
    reachable: bool | None
    since: Moment | None
    why: str
    tools: int
    known: bool
    observed: bool
    instructions: str
    reviewed: bool


async def listed(errand: RestRequest[UpstreamRooms]) -> Items[UpstreamView]:
    """Return the state of each upstream."""
    rooms = errand.rooms
    found = []
    for name, upstream in rooms.upstreams.items():
        contact = rooms.tools.reached.of(name)
        offered = [one for one in rooms.tools.registry.seen(name) if one.state is not ToolState.GONE]
        catalogue = rooms.tools.registry.catalogue(name)
        said = catalogue.instructions if catalogue is not None else ""
        found.append(
            UpstreamView(
                name=name,
                api=isinstance(upstream, HttpUpstream),
                reachable=contact.up,
                since=contact.since,
                why=contact.why,
                tools=len(offered),
                known=catalogue is not None,
                observed=rooms.decisions.authorizer.observes(name),
                instructions=said,
                reviewed=bool(said) and said == rooms.tools.registry.reviewed_words(name),
            )
        )
    return Items(tuple(found))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/upstreams",
        summary="Show upstream health as seen by the answering replica",
        serve=listed,
        people=Duty.OVERSEE,
        gives=Items[UpstreamView],
    ),
)
