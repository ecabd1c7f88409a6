# SPDX-License-Identifier: Apache-2.0
"""What an agent sees: of everything that upstreams offer, only what its task may call.

Served from what was learned and reviewed, never by asking an upstream: a tool is shown with its pinned
description. An upstream's free text about itself (`instructions`) is not shown, for nobody has reviewed it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from remit import __version__
from remit.core.deferred import CAPABILITY, EXTENSION
from remit.core.errors import ConfigInvalid, NotFound
from remit.core.plan import tools_of
from remit.core.tool import (
    COMPLETION,
    PROMPT_GET,
    RESOURCE_READ,
    RESOURCE_SUBSCRIBE,
    Tool,
    ToolState,
)
from remit.gateway.mcp.headers import ParamRule, param_rules
from remit.gateway.mcp.wire import MODERN_VERSIONS
from remit.ports.upstream import Catalogue
from remit.services.authorize import Authorizer
from remit.services.live import LiveTask
from remit.services.tools import Tools

Json = Any

#: Between an upstream's name and its tool's, where all upstreams are served at one address.
JOINT: Final = "__"
#: Tool descriptions whose header rules are remembered.
MAX_RULES: Final = 10_000
_EXPRESSION = re.compile(r"\{[^{}]*\}")


class Place:
    """What one address serves: one upstream under its own names, or all of them under joined names."""

    __slots__ = ("joined", "path", "upstreams")

    def __init__(self, path: str, upstreams: tuple[str, ...], *, joined: bool) -> None:
        """Take the address (`/mcp/{upstream}` or `/mcp`) and what stands behind it."""
        self.path = path
        self.upstreams = upstreams
        self.joined = joined

    def shown(self, upstream: str, name: str) -> str:
        """Give the name under which an agent sees a tool or prompt."""
        return f"{upstream}{JOINT}{name}" if self.joined else name

    def split(self, name: str) -> tuple[str, str] | None:
        """Give upstream and own name of what an agent names; None where no upstream can be meant."""
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
                    f"upstreams `{one}` and `{other}` can give two tools one name at `/mcp`",
                    way_out=f"rename `{other}` so that it does not begin with `{one}{JOINT}`",
                    code="joined-names",
                )


class Listing:
    """Lists and capabilities as one task sees them."""

    def __init__(self, tools: Tools, authorizer: Authorizer) -> None:
        """Take where tools are registered, and which upstreams are only observed."""
        self._tools = tools
        self._authorizer = authorizer
        self._rules: dict[str, tuple[ParamRule, ...]] = {}

    def holds(self, live: LiveTask, upstream: str, name: str) -> bool:
        """Say whether a task may know of a tool or operation: it holds a grant, or nothing is refused
        there.
        """
        return self._authorizer.observes(upstream) or f"{upstream}/{name}" in live.grants

    def permits(self, live: LiveTask, upstream: str, operation: str, key: str, value: str) -> bool:
        """Say whether some grant of an operation lets `key` be `value`, whatever else is asked."""
        if self._authorizer.observes(upstream):
            return True
        for grant in live.grants.get(f"{upstream}/{operation}", ()):
            if not any(one.argument in (key, "") for one in grant.permits({key: value})):
                return True
        return False

    def tool(self, live: LiveTask, upstream: str, name: str) -> Tool | None:
        """Give a tool that the task sees."""
        tool = self._tools.get(f"{upstream}/{name}")
        return tool if tool is not None and self._visible(live, tool) else None

    def rules(self, tool: Tool) -> tuple[ParamRule, ...]:
        """Give which arguments of a tool are repeated in headers."""
        if tool.state is ToolState.CHANGED:
            # Shown only where nothing is refused, and then not as it was accepted.
            return param_rules(self._shown(tool).get("inputSchema"))
        found = self._rules.get(tool.surface_digest)
        if found is None:
            if len(self._rules) >= MAX_RULES:
                self._rules.clear()
            found = self._rules[tool.surface_digest] = param_rules(tool.input_schema)
        return found

    def _shown(self, tool: Tool) -> dict[str, Json]:
        """Give what a task is told of a tool: what was accepted of it; where nothing is refused, what its
        upstream says now, as clients without remit would hear it.
        """
        if self._authorizer.observes(tool.upstream):
            offered = self._tools.offered(tool.upstream, tool.name) or {}
            return offered if "inputSchema" in offered else tool.surface
        return tool.surface

    def _visible(self, live: LiveTask, tool: Tool) -> bool:
        return live.sees(tool, observed=self._authorizer.observes(tool.upstream))

    def tools(self, live: LiveTask, place: Place) -> list[Json]:
        """Give the tools that the task may call and, where it has a plan, plans to."""
        return [
            {**self._shown(tool), "name": place.shown(upstream, tool.name)}
            for upstream in place.upstreams
            for tool in self._tools.of(upstream)
            if self._visible(live, tool) and self._foreseen(live, tool)
        ]

    def _foreseen(self, live: LiveTask, tool: Tool) -> bool:
        """Whether a tool is listed: of a task with a plan what that names, for nothing else may be called
        as it stands. Where nothing is refused everything is.
        """
        plan = tools_of(live.task.plan)
        return plan is None or tool.id in plan or self._authorizer.observes(tool.upstream)

    def resources(self, live: LiveTask, place: Place) -> list[Json]:
        """Give the resources that the task may read."""
        return [
            one
            for upstream, catalogue in self._catalogues(live, place, RESOURCE_READ)
            for one in catalogue.resources
            if isinstance(uri := one.get("uri"), str)
            and self.permits(live, upstream, RESOURCE_READ, "uri", uri)
        ]

    def templates(self, live: LiveTask, place: Place) -> list[Json]:
        """Give the templates of upstreams where the task may read resources at all."""
        return [
            one
            for _, catalogue in self._catalogues(live, place, RESOURCE_READ)
            for one in catalogue.resource_templates
        ]

    def prompts(self, live: LiveTask, place: Place) -> list[Json]:
        """Give the prompts that the task may get."""
        return [
            {**one, "name": place.shown(upstream, name)}
            for upstream, catalogue in self._catalogues(live, place, PROMPT_GET)
            for one in catalogue.prompts
            if isinstance(name := one.get("name"), str)
            and self.permits(live, upstream, PROMPT_GET, "name", name)
        ]

    def _catalogues(self, live: LiveTask, place: Place, operation: str) -> Iterator[tuple[str, Catalogue]]:
        for upstream in place.upstreams:
            catalogue = self._tools.catalogue(upstream)
            if catalogue is not None and self.holds(live, upstream, operation):
                yield upstream, catalogue

    def capabilities(self, live: LiveTask, place: Place, *, modern: bool) -> dict[str, Json]:
        """Give what the door can do for this task here."""
        out: dict[str, Json] = {"tools": {"listChanged": True}}
        if self._offer(live, place, RESOURCE_READ, "resources"):
            subscribe = self._offer(live, place, RESOURCE_SUBSCRIBE, "resources", "subscribe")
            out["resources"] = {"listChanged": True, "subscribe": subscribe}
        if self._offer(live, place, PROMPT_GET, "prompts"):
            out["prompts"] = {"listChanged": True}
        if self._offer(live, place, COMPLETION, "completions"):
            out["completions"] = {}
        if any(
            "logging" in catalogue.capabilities
            for upstream in place.upstreams
            if (catalogue := self._tools.catalogue(upstream)) is not None
        ):
            # Of 2026-07-28 too: whoever sends log messages must say so.
            out["logging"] = {}
        if modern and any(
            self.defers(upstream) and any(self._visible(live, tool) for tool in self._tools.of(upstream))
            for upstream in place.upstreams
        ):
            out |= CAPABILITY
        return out

    def _offer(self, live: LiveTask, place: Place, operation: str, *path: str) -> bool:
        """Say whether some upstream, of those where the task holds an operation, has a capability."""
        return any(catalogue.offers(*path) for _, catalogue in self._catalogues(live, place, operation))

    def defers(self, upstream: str) -> bool:
        """Say whether an upstream offers to defer calls: the tasks extension of 2026-07-28."""
        catalogue = self._tools.catalogue(upstream)
        if catalogue is None or catalogue.protocol not in MODERN_VERSIONS:
            return False
        extensions = catalogue.capabilities.get("extensions")
        return isinstance(extensions, dict) and isinstance(extensions.get(EXTENSION), dict)

    def upstream_of(self, live: LiveTask, place: Place, operation: str, uri: str) -> str:
        """Give the upstream that a resource belongs to; where several could be meant, `NotFound` says so."""
        if not place.joined:
            return place.upstreams[0]
        held = [name for name, _ in self._catalogues(live, place, operation)]
        listed = [name for name in held if self._lists(name, uri)]
        for found in (
            listed,
            [name for name in held if self.permits(live, name, operation, "uri", uri)],
            held,
        ):
            if len(found) == 1:
                return found[0]
            if found:
                raise NotFound(
                    f"`{uri[:200]}` could belong to several upstreams",
                    code="ambiguous-resource",
                    way_out="ask at the address of one upstream, `/mcp/{upstream}`",
                )
        return ""

    def _lists(self, upstream: str, uri: str) -> bool:
        catalogue = self._tools.catalogue(upstream)
        if catalogue is None:
            return False
        if any(one.get("uri") == uri for one in catalogue.resources):
            return True
        return any(
            isinstance(template := one.get("uriTemplate"), str) and (template == uri or _fits(template, uri))
            for one in catalogue.resource_templates
        )


def _fits(template: str, uri: str) -> bool:
    """Say whether a URI has a template's literal parts in their order; only to find whose it may be."""
    first, *rest = _EXPRESSION.split(template)
    if not rest or not uri.startswith(first):
        return False
    at = len(first)
    for part in rest:
        at = uri.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return rest[-1] == "" or uri.endswith(rest[-1])


def server_info(place: Place) -> dict[str, Json]:
    """Give who answers: this door, never the upstream's own words."""
    title = "remit" if place.joined else f"remit: {place.upstreams[0]}"
    return {"name": "remit", "title": title, "version": __version__}
