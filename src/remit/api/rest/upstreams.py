# SPDX-License-Identifier: Apache-2.0
"""Upstreams: whether the answering process reaches each one, since when, and why not."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
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
    is whether its tools were listed since the start. `held` means that a person had remit enforce here
    although the files say `observe`. `instructions` is its text about its use, `reviewed` whether the policy
    bundle has exactly this text.
    """

    name: str
    api: bool
    reachable: bool | None
    since: Moment | None
    why: str
    tools: int
    known: bool
    observed: bool
    held: bool
    instructions: str
    reviewed: bool


class ModeSource(enum.StrEnum):
    """What decides about the mode of an upstream."""

    ENFORCE = "enforce"
    FILES = "files"


class ModeChanged(View, frozen=True, kw_only=True):
    """The mode of an upstream from now on, as in `UpstreamView`."""

    name: str
    observed: bool
    held: bool


class ChangeMode(Body, frozen=True, kw_only=True):
    """`enforce`: refuse from now on, although the files say `observe`. `files`: the files decide again."""

    mode: ModeSource


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
                held=name in rooms.decisions.modes.held,
                instructions=said,
                reviewed=bool(said) and said == rooms.tools.registry.reviewed_words(name),
            )
        )
    return Items(tuple(found))


async def changed(errand: RestRequest[UpstreamRooms]) -> ModeChanged:
    """Change what decides about the mode of an upstream."""
    modes, name = errand.rooms.decisions.modes, errand.place["upstream"]
    wanted: ChangeMode = errand.body
    if wanted.mode is ModeSource.ENFORCE:
        await modes.enforce(name, by=errand.by)
    else:
        await modes.follow_files(name, by=errand.by)
    return ModeChanged(
        name=name,
        observed=errand.rooms.decisions.authorizer.observes(name),
        held=name in modes.held,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/upstreams",
        summary="Show upstream health as seen by the answering replica",
        serve=listed,
        people=Duty.OVERSEE,
        gives=Items[UpstreamView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/upstreams/{upstream}/mode",
        summary="Enforce at an upstream although the files say `observe`, or let the files decide again",
        serve=changed,
        people=Duty.ADMINISTER,
        takes=ChangeMode,
        gives=ModeChanged,
    ),
)
