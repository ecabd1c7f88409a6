# SPDX-License-Identifier: Apache-2.0
"""What an agent sees: of everything that upstreams offer, only what its task may call.

Lists are served from learned and reviewed data, never by asking an upstream: a tool is shown with its pinned
description. The content of a list counts as read data, like a result (`services.mediation.lists`). An
upstream's free text about its use (`instructions`) is shown if the bundle has exactly this text; observe mode
shows any, as it shows tools that were not reviewed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import orjson

from remit import __version__
from remit.core.decisions.deferred_call import CAPABILITY, EXTENSION
from remit.core.errors import ConfigInvalid, NotFound
from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.core.tools.tool import COMPLETION, PROMPT_GET, RESOURCE_READ, RESOURCE_SUBSCRIBE, Tool, ToolState
from remit.gateway.mcp.headers import ParamRule, param_rules
from remit.gateway.mcp.messages import MODERN_VERSIONS
from remit.services.mediation.lists import WORDS, Lists
from remit.services.tasks.live_tasks import LiveTask
from remit.services.tools.pinned_tools import ToolCatalogue

#: Separates the names of upstream and tool where all upstreams are served at one path.
JOINT: Final = "__"
#: Maximum number of tool descriptions whose header rules are cached.
MAX_RULES: Final = 10_000


class Place:
    """The content of one endpoint path: one upstream with its own names, or all upstreams with joined
    names.
    """

    __slots__ = ("joined", "path", "upstreams")

    def __init__(self, path: str, upstreams: tuple[str, ...], *, joined: bool) -> None:
        """Keep the path (`/mcp/{upstream}` or `/mcp`) and the upstreams that it serves."""
        self.path = path
        self.upstreams = upstreams
        self.joined = joined

    def shown(self, upstream: str, name: str) -> str:
        """Return the agent's name of a tool or prompt."""
        return f"{upstream}{JOINT}{name}" if self.joined else name

    def split(self, name: str) -> tuple[str, str] | None:
        """Return the upstream and its own name for an agent's name; None if no upstream matches."""
        if not self.joined:
            return self.upstreams[0], name
        best = ""
        for upstream in self.upstreams:
            if len(upstream) > len(best) and name.startswith(upstream + JOINT):
                best = upstream
        return (best, name[len(best) + len(JOINT) :]) if best else None


def check_joined(upstreams: Sequence[str]) -> None:
    """Raise `ConfigInvalid` if two upstreams could give different tools the same joined name."""
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
        """Keep the source of lists, and the catalogue of registered tools."""
        self._lists = lists
        self._tools = tools
        self._rules: dict[str, tuple[ParamRule, ...]] = {}

    def tool(self, live: LiveTask, upstream: str, name: str) -> Tool | None:
        """Return a tool if the task sees it."""
        tool = self._tools.get(f"{upstream}/{name}")
        return tool if tool is not None and self._lists.sees(live, tool) else None

    def rules(self, tool: Tool) -> tuple[ParamRule, ...]:
        """Return the arguments of a tool that are repeated in headers."""
        if tool.state is ToolState.CHANGED:
            # A changed tool is shown only if its calls are merely observed, and then not in its accepted
            # form.
            return param_rules(self._lists.schema(tool))
        found = self._rules.get(tool.surface_digest)
        if found is None:
            if len(self._rules) >= MAX_RULES:
                self._rules.clear()
            found = self._rules[tool.surface_digest] = param_rules(self._lists.schema(tool))
        return found

    def schema(self, tool: Tool) -> Json:
        """Return the schema of a tool's input as tasks are shown it."""
        return self._lists.schema(tool)

    def has_result_schema(self, tool: Tool) -> bool:
        """Return whether tasks are shown a schema of a tool's results."""
        return self._lists.has_result_schema(tool)

    async def entries(self, claims: AccessClaims, live: LiveTask, place: Place, kind: str) -> bytes:
        """Return the entries of a list that the task may see, as JSON separated by commas."""
        found: list[bytes] = []
        for upstream in place.upstreams:
            shown = partial(place.shown, upstream) if place.joined else None
            listed = await self._lists.of(claims, live, upstream, kind, shown)
            if listed is not None:
                found.append(listed.body)
        return b",".join(found)

    def capabilities(self, live: LiveTask, place: Place, *, modern: bool) -> dict[str, Json]:
        """Return the capabilities of this endpoint path for the task."""
        out: dict[str, Json] = {"tools": {"listChanged": True}}
        if self._offer(live, place, RESOURCE_READ, "resources"):
            subscribe = self._offer(live, place, RESOURCE_SUBSCRIBE, "resources", "subscribe")
            out["resources"] = {"listChanged": True, "subscribe": subscribe}
        if self._offer(live, place, PROMPT_GET, "prompts"):
            out["prompts"] = {"listChanged": True}
        if self._offer(live, place, COMPLETION, "completions"):
            out["completions"] = {}
        if any(self._tools.offers(upstream, "logging") for upstream in place.upstreams):
            # Also in 2026-07-28: a server that sends log messages must declare it.
            out["logging"] = {}
        if modern:
            # Any call may wait for a person, and some go on at their upstreams.
            out |= CAPABILITY
        return out

    async def words(self, claims: AccessClaims, live: LiveTask, place: Place) -> dict[str, Json]:
        """Return what an upstream says about its use, if the task may see it; a path with several upstreams
        says nothing.
        """
        body = b"" if place.joined else await self.entries(claims, live, place, WORDS)
        return orjson.loads(body) if body else {}

    def _offer(self, live: LiveTask, place: Place, operation: str, *path: str) -> bool:
        """Return whether any upstream where the task has an operation offers a capability."""
        return any(self._tools.offers(upstream, *path) for upstream in self._held(live, place, operation))

    def _held(self, live: LiveTask, place: Place, operation: str) -> list[str]:
        """Return the known upstreams where the task has an operation."""
        known = [upstream for upstream in place.upstreams if self._tools.protocol(upstream)]
        return [upstream for upstream in known if self._lists.holds(live, upstream, operation)]

    def defers(self, upstream: str) -> bool:
        """Return whether an upstream supports deferred calls: the tasks extension of 2026-07-28."""
        return self._tools.protocol(upstream) in MODERN_VERSIONS and self._tools.extends(upstream, EXTENSION)

    def upstream_of(self, live: LiveTask, place: Place, operation: str, uri: str) -> str:
        """Return the upstream of a resource, or an empty text; raise `NotFound` if several upstreams are
        possible.
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
    """Return the identity of this endpoint; it contains no text of the upstream."""
    title = "remit" if place.joined else f"remit: {place.upstreams[0]}"
    return {"name": "remit", "title": title, "version": __version__}
