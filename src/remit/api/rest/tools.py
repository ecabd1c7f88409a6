# SPDX-License-Identifier: Apache-2.0
"""Tools: the registered tools, changes at their upstreams, and accepting such changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from remit.api.rest.representations import ToolView, View, tool_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.json_value import Json
from remit.core.tools.suggestions import UpstreamFacts
from remit.core.tools.tool import ArgumentRole, Tool
from remit.services.decisions.assembly import DecisionServices
from remit.services.identity.permissions import Duty
from remit.services.policy.bundle import Policies
from remit.services.tools.assembly import ToolServices
from remit.services.tools.suggestions import suggested


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRooms:
    """The rooms that these endpoints work with."""

    policies: Policies
    tools: ToolServices
    decisions: DecisionServices


class AcceptTool(Body, frozen=True, kw_only=True):
    """The digest of the reviewed offer of the upstream."""

    digest: Annotated[str, msgspec.Meta(min_length=1)]


class ToolDiff(View, frozen=True, kw_only=True):
    """The accepted version of a tool, the version that its upstream offers now, and the lines that differ."""

    tool: str
    changed: bool
    accepted_digest: str
    offered_digest: str
    accepted: dict[str, Json]
    offered: dict[str, Json]
    lines: tuple[str, ...]


class Drafting(Body, frozen=True, kw_only=True):
    """What to draft, and facts about the upstream.

    The facts are the audience of data that its tools receive, and the highest class of its data. A missing
    fact is assumed to be the worst. `every` includes tools that are described already.
    """

    audience: str = ""
    data_class: str = ""
    every: bool = False


class DraftedToolView(View, frozen=True, kw_only=True):
    """A tool in a draft: its assumed properties, and the number of guesses that need a review."""

    tool: str
    effect: str
    audience: str
    arguments: dict[str, ArgumentRole]
    review: int


class DraftedFileView(View, frozen=True, kw_only=True):
    """The text of a file for `tools/`; empty if nothing is left to draft.

    `described` are tools that the bundle describes already, `unnamed` tools whose names no file can contain.
    """

    upstream: str
    text: str
    tools: tuple[DraftedToolView, ...]
    described: tuple[str, ...]
    unnamed: tuple[str, ...]


def _view(errand: RestRequest[ToolRooms], tool: Tool) -> ToolView:
    return tool_view(tool, observed=errand.rooms.decisions.authorizer.observes(tool.upstream))


async def tools(errand: RestRequest[ToolRooms]) -> Items[ToolView]:
    """Return all registered tools."""
    return Items(tuple(_view(errand, tool) for tool in errand.rooms.tools.registry.all()))


async def diff(errand: RestRequest[ToolRooms]) -> ToolDiff:
    """Return the difference between the accepted and the offered version of a tool."""
    pin, lines = errand.rooms.tools.registry.diff(errand.place["tool"])
    return ToolDiff(
        tool=pin.tool,
        changed=pin.accepted_digest != pin.offered_digest,
        accepted_digest=pin.accepted_digest,
        offered_digest=pin.offered_digest,
        accepted=pin.accepted_surface,
        offered=pin.offered_surface,
        lines=tuple(lines),
    )


async def accept(errand: RestRequest[ToolRooms]) -> ToolView:
    """Accept the offered version of a tool, by its digest."""
    wanted: AcceptTool = errand.body
    tool = await errand.rooms.tools.registry.accept(errand.place["tool"], digest=wanted.digest, by=errand.by)
    # The tool is listed again, so clients are notified to list the tools.
    errand.rooms.tools.announcements.changed(tool.upstream, frozenset(("tools",)))
    return _view(errand, tool)


async def draft(errand: RestRequest[ToolRooms]) -> DraftedFileView:
    """Return a draft of a file for `tools/`; write nothing."""
    wanted: Drafting = errand.query
    found = suggested(
        errand.rooms.tools.registry,
        errand.rooms.policies.applied.bundle.classes,
        errand.place["upstream"],
        UpstreamFacts(audience=wanted.audience, data_class=wanted.data_class),
        every=wanted.every,
    )
    return DraftedFileView(
        upstream=found.upstream,
        text=found.text,
        tools=tuple(
            DraftedToolView(
                tool=f"{found.upstream}/{one.name}",
                effect=one.effect.value,
                audience=one.audience.value,
                arguments={argument.path: ArgumentRole(argument.role.value) for argument in one.arguments},
                review=one.to_review,
            )
            for one in found.drafts
        ),
        described=found.described,
        unnamed=found.unnamed,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/tools",
        summary="List registered tools",
        serve=tools,
        people=Duty.OWN,
        gives=Items[ToolView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/tools/{upstream}/draft",
        summary="Draft descriptions of an upstream's tools, for review",
        serve=draft,
        people=Duty.OVERSEE,
        asks=Drafting,
        gives=DraftedFileView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tools/{tool:path}/accept",
        summary="Accept the tool description that an upstream offers now, by the reviewed digest",
        serve=accept,
        people=Duty.ADMINISTER,
        takes=AcceptTool,
        gives=ToolView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/tools/{tool:path}/diff",
        summary="Show the differences between the offered and the accepted tool description",
        serve=diff,
        people=Duty.OVERSEE,
        gives=ToolDiff,
    ),
)
