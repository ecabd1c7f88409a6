# SPDX-License-Identifier: Apache-2.0
"""Tools: what is registered, what has changed at an upstream, and accepting it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from remit.api.rest.representations import ToolView, View, tool_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.json_value import Json
from remit.core.tools.suggestions import UpstreamFacts
from remit.core.tools.tool import ArgumentRole, Tool
from remit.services.identity.permissions import Duty
from remit.services.tools.suggestions import suggested


class AcceptTool(Body, frozen=True, kw_only=True):
    """The digest of the offered surface that was looked at."""

    digest: Annotated[str, msgspec.Meta(min_length=1)]


class ToolDiff(View, frozen=True, kw_only=True):
    """What was accepted of a tool, what its upstream offers now, and the lines in which they differ."""

    tool: str
    changed: bool
    accepted_digest: str
    offered_digest: str
    accepted: dict[str, Json]
    offered: dict[str, Json]
    lines: tuple[str, ...]


class Drafting(Body, frozen=True, kw_only=True):
    """What to draft, and what is known of the upstream: who learns what its tools are sent, and the highest
    class of what it holds. Left out they stay the worst. `every`: also what is described already.
    """

    audience: str = ""
    data_class: str = ""
    every: bool = False


class DraftedToolView(View, frozen=True, kw_only=True):
    """What a tool is taken for in a draft, and how many of the guesses somebody has to look at."""

    tool: str
    effect: str
    audience: str
    arguments: dict[str, ArgumentRole]
    review: int


class DraftedFileView(View, frozen=True, kw_only=True):
    """The text of a file for `tools/`, empty where nothing is left to draft. `described` were left out
    because the bundle describes them, `unnamed` because no file can hold their names.
    """

    upstream: str
    text: str
    tools: tuple[DraftedToolView, ...]
    described: tuple[str, ...]
    unnamed: tuple[str, ...]


def _view(errand: RestRequest, tool: Tool) -> ToolView:
    return tool_view(tool, observed=errand.house.authorizer.observes(tool.upstream))


async def tools(errand: RestRequest) -> Items[ToolView]:
    """Return all registered tools."""
    return Items(tuple(_view(errand, tool) for tool in errand.house.tools.all()))


async def diff(errand: RestRequest) -> ToolDiff:
    """Return the difference between what was accepted and what is offered."""
    pin, lines = errand.house.tools.diff(errand.place["tool"])
    return ToolDiff(
        tool=pin.tool,
        changed=pin.accepted_digest != pin.offered_digest,
        accepted_digest=pin.accepted_digest,
        offered_digest=pin.offered_digest,
        accepted=pin.accepted_surface,
        offered=pin.offered_surface,
        lines=tuple(lines),
    )


async def accept(errand: RestRequest) -> ToolView:
    """Accept what is offered, by its digest."""
    wanted: AcceptTool = errand.body
    tool = await errand.house.tools.accept(errand.place["tool"], digest=wanted.digest, by=errand.by)
    # What clients list has it again: they are told to look.
    errand.house.announcements.changed(tool.upstream, frozenset(("tools",)))
    return _view(errand, tool)


async def draft(errand: RestRequest) -> DraftedFileView:
    """Draft a file for `tools/`; nothing is written."""
    wanted: Drafting = errand.query
    found = suggested(
        errand.house.tools,
        errand.house.policies.applied.bundle.classes,
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
