# SPDX-License-Identifier: Apache-2.0
"""What an agent sees: of everything that upstreams offer, only what its task may call.

Served from what was learned and reviewed, never by asking an upstream: a tool is shown with its pinned
description. What a list says is taken in like a result (`services.mediation.lists`). An upstream's free text
about itself (`instructions`) is not shown, for nobody has reviewed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from remit import __version__
from remit.core.decisions.deferred_call import CAPABILITY, EXTENSION
from remit.core.errors import ConfigInvalid, NotFound
from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.core.tools.tool import COMPLETION, PROMPT_GET, RESOURCE_READ, RESOURCE_SUBSCRIBE, Tool, ToolState
from remit.gateway.mcp.headers import ParamRule, param_rules
from remit.gateway.mcp.messages import MODERN_VERSIONS
from remit.services.mediation.lists import Lists
from remit.services.tasks.live_tasks import LiveTask
from remit.services.tools.pinned_tools import ToolCatalogue

#: Between an upstream's name and its tool's, where all upstreams are served at one address.
JOINT: Final = "__"
#: Tool descriptions whose header rules are remembered.
MAX_RULES: Final = 10_000


class Place:
    """What one address serves: one upstream under its own names, or all of them under joined names."""

    __slots__ = ("joined", "path", "upstreams")

    def __init__(self, path: str, upstreams: tuple[str, ...], *, joined: bool) -> None:
        """Take the address (`/mcp/{upstream}` or `/mcp`) and what stands behind it."""
        self.path = path
        self.upstreams = upstreams
        self.joined = joined

    def shown(self, upstream: str, name: str) -> str:
        """Return the name under which an agent sees a tool or prompt."""
        return f"{upstream}{JOINT}{name}" if self.joined else name

    def split(self, name: str) -> tuple[str, str] | None:
        """Return upstream and own name of what an agent names; None where no upstream can be meant."""
        if not self.joined:
            return self.upstreams[0], name
        best = ""
        for upstream in self.upstreams:
            if len(upstream) > len(best) and name.startswith(upstream + JOINT):
                best = upstream
        return (best, name[len(best) + len(JOINT) :]) if best else None


def check_joined(upstreams: Mapping[str, object]) -> None:
    """Refuse to start where two upstreams could give different tools the same joined name."""
    for one in upstreams:
        for other in upstreams:
            if one != other and f"{other}{JOINT}".startswith(f"{one}{JOINT}"):
                raise ConfigInvalid(
                    f"upstreams `{one}` and `{other}` can have two tools with the same name at `/mcp`",
                    remediation=f"rename `{other}` so that it does not begin with `{one}{JOINT}`",
                    code="joined-names",
                )


class Listing:
    """Lists and capabilities as one task sees them."""

    def __init__(self, lists: Lists, tools: ToolCatalogue) -> None:
        """Take what gives lists, and where tools are registered."""
        self._lists = lists
        self._tools = tools
        self._rules: dict[str, tuple[ParamRule, ...]] = {}

    def tool(self, live: LiveTask, upstream: str, name: str) -> Tool | None:
        """Return a tool that the task sees."""
        tool = self._tools.get(f"{upstream}/{name}")
        return tool if tool is not None and self._lists.sees(live, tool) else None

    def rules(self, tool: Tool) -> tuple[ParamRule, ...]:
        """Return which arguments of a tool are repeated in headers."""
        if tool.state is ToolState.CHANGED:
            # Shown only where nothing is refused, and then not as it was accepted.
            return param_rules(self._lists.schema(tool))
        found = self._rules.get(tool.surface_digest)
        if found is None:
            if len(self._rules) >= MAX_RULES:
                self._rules.clear()
            found = self._rules[tool.surface_digest] = param_rules(self._lists.schema(tool))
        return found

    async def entries(self, claims: AccessClaims, live: LiveTask, place: Place, kind: str) -> bytes:
        """Return the entries of a list that the task may hear of, as JSON with commas between them."""
        found: list[bytes] = []
        for upstream in place.upstreams:
            shown = partial(place.shown, upstream) if place.joined else None
            listed = await self._lists.of(claims, live, upstream, kind, shown)
            if listed is not None:
                found.append(listed.body)
        return b",".join(found)

    def capabilities(self, live: LiveTask, place: Place, *, modern: bool) -> dict[str, Json]:
        """Return what the door can do for this task here."""
        out: dict[str, Json] = {"tools": {"listChanged": True}}
        if self._offer(live, place, RESOURCE_READ, "resources"):
            subscribe = self._offer(live, place, RESOURCE_SUBSCRIBE, "resources", "subscribe")
            out["resources"] = {"listChanged": True, "subscribe": subscribe}
        if self._offer(live, place, PROMPT_GET, "prompts"):
            out["prompts"] = {"listChanged": True}
        if self._offer(live, place, COMPLETION, "completions"):
            out["completions"] = {}
        if any(self._tools.offers(upstream, "logging") for upstream in place.upstreams):
            # Of 2026-07-28 too: whoever sends log messages must say so.
            out["logging"] = {}
        if modern and any(
            self.defers(upstream) and any(self._lists.sees(live, tool) for tool in self._tools.of(upstream))
            for upstream in place.upstreams
        ):
            out |= CAPABILITY
        return out

    def _offer(self, live: LiveTask, place: Place, operation: str, *path: str) -> bool:
        """Return whether some upstream, of those where the task holds an operation, has a capability."""
        return any(self._tools.offers(upstream, *path) for upstream in self._held(live, place, operation))

    def _held(self, live: LiveTask, place: Place, operation: str) -> list[str]:
        """Return the upstreams that are known, of those where the task holds an operation."""
        known = [upstream for upstream in place.upstreams if self._tools.protocol(upstream)]
        return [upstream for upstream in known if self._lists.holds(live, upstream, operation)]

    def defers(self, upstream: str) -> bool:
        """Return whether an upstream offers to defer calls: the tasks extension of 2026-07-28."""
        return self._tools.protocol(upstream) in MODERN_VERSIONS and self._tools.extends(upstream, EXTENSION)

    def upstream_of(self, live: LiveTask, place: Place, operation: str, uri: str) -> str:
        """Return the upstream that a resource belongs to; where several could be meant, `NotFound` says
        so.
        """
        if not place.joined:
            return place.upstreams[0]
        held = self._held(live, place, operation)
        listed = [name for name in held if self._tools.has_resource(name, uri)]
        for found in (
            listed,
            [name for name in held if self._lists.permits(live, name, operation, "uri", uri)],
            held,
        ):
            if len(found) == 1:
                return found[0]
            if found:
                raise NotFound(
                    f"`{uri[:200]}` could belong to several upstreams",
                    code="ambiguous-resource",
                    remediation="ask at the address of one upstream, `/mcp/{upstream}`",
                )
        return ""


def server_info(place: Place) -> dict[str, Json]:
    """Return who answers: this door, never the upstream's own words."""
    title = "remit" if place.joined else f"remit: {place.upstreams[0]}"
    return {"name": "remit", "title": title, "version": __version__}
