# SPDX-License-Identifier: Apache-2.0
"""Upstreams: which of them the process that answers reaches, since when, and why not."""

from __future__ import annotations

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Endpoint, Items, RestRequest
from remit.core.tools.tool import ToolState
from remit.ports.upstream import HttpUpstream
from remit.services.identity.permissions import Duty


class UpstreamView(View, frozen=True, kw_only=True):
    """One upstream. `reachable` is whether it was reached when that was last tried, and `since` from when on;
    of an HTTP API (`api`) its calls alone try, and `null` says that none of them has failed. `why` is what
    stands in the way. `tools` are those that it offers, or offered when it was last seen; `known` whether it
    was asked for them since the start.
    """

    name: str
    api: bool
    reachable: bool | None
    since: Moment | None
    why: str
    tools: int
    known: bool
    observed: bool


async def listed(errand: RestRequest) -> Items[UpstreamView]:
    """Say of each upstream whether it is there."""
    house = errand.house
    found = []
    for name, upstream in house.upstreams.items():
        contact = house.reached.of(name)
        offered = [one for one in house.tools.seen(name) if one.state is not ToolState.GONE]
        found.append(
            UpstreamView(
                name=name,
                api=isinstance(upstream, HttpUpstream),
                reachable=contact.up,
                since=contact.since,
                why=contact.why,
                tools=len(offered),
                known=house.tools.catalogue(name) is not None,
                observed=house.authorizer.observes(name),
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
