# SPDX-License-Identifier: Apache-2.0
"""Registered tools: an administrator's descriptions joined with what the upstream offers.

An upstream's statements about a tool (its name, description, schemas, annotations) steer agents, so they are
pinned by digest when they are first seen. When they change, the tool is suspended until a person has reviewed
the difference and accepted it.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from itertools import takewhile
from typing import Final

import msgspec

from remit.core.errors import Conflict, NotFound, RemitError
from remit.core.evidence.event import Event, EventBody
from remit.core.evidence.events.tools import ToolAccepted, ToolChanged, ToolPinned
from remit.core.label import Classes
from remit.core.policy.bundle import Bundle
from remit.core.tools.tool import (
    COMPLETION,
    PROMPT_GET,
    RESERVED_OPERATIONS,
    RESOURCE_READ,
    RESOURCE_SUBSCRIBE,
    Tool,
    ToolState,
    surface_digest,
    surface_of,
    undescribed,
    with_surface,
)
from remit.ports.runtime import Clock
from remit.ports.store.changes import Pin, PutPin
from remit.ports.store.pins import PinStore
from remit.ports.store.units import Unit
from remit.ports.upstream import LISTS, Catalogue
from remit.services.policy.bundle import Policies

#: Largest number of lines that are compared. Finding the best match among more lines can take minutes, and an
#: upstream can send them.
MAX_COMPARED: Final = 1_000
_STRING = {"type": "string"}
_EXPRESSION = re.compile(r"\{[^{}]*\}")
#: The argument schemas of MCP's operations that are not tools.
OPERATION_SCHEMAS: dict[str, dict[str, object]] = {
    RESOURCE_READ: {"type": "object", "properties": {"uri": _STRING}, "required": ["uri"]},
    RESOURCE_SUBSCRIBE: {"type": "object", "properties": {"uri": _STRING}, "required": ["uri"]},
    PROMPT_GET: {
        "type": "object",
        "properties": {"name": _STRING, "arguments": {"type": "object"}},
        "required": ["name"],
    },
    COMPLETION: {
        "type": "object",
        "properties": {
            "ref": {"type": "object"},
            "argument": {"type": "object"},
            "context": {"type": "object"},
        },
        "required": ["ref", "argument"],
    },
}
_NEEDS_CAPABILITY = {
    RESOURCE_READ: "resources",
    RESOURCE_SUBSCRIBE: "resources",
    PROMPT_GET: "prompts",
    COMPLETION: "completions",
}


class ToolCatalogue:
    """The registered tools of all upstreams."""

    def __init__(self, *, store: PinStore, clock: Clock, policies: Policies, tenant: str) -> None:
        """Begin with the pins in the store."""
        self._store = store
        self._clock = clock
        self._policies = policies
        self._tenant = tenant
        self._pins: dict[str, Pin] = {}
        self._catalogues: dict[str, Catalogue] = {}
        self._offered: dict[str, dict[str, dict[str, object]]] = {}
        self._tools: dict[str, Tool] = {}
        self._lock = asyncio.Lock()
        self._stale = True
        self._joined: Bundle | None = None
        self._followers: list[Callable[[], Awaitable[None]]] = []
        policies.use_tools(self._join)

    def follow(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Call `changed` whenever tools were joined again; what it raises fails the change."""
        self._followers.append(changed)

    async def load(self) -> None:
        """Read the pins."""
        self._pins = {pin.tool: pin for pin in await self._store.pins(self._tenant)}
        self._stale = True

    def get(self, tool_id: str) -> Tool | None:
        """Return a registered tool; `None` where neither the bundle nor an upstream knows it."""
        return self._tools.get(tool_id)

    def of(self, upstream: str) -> list[Tool]:
        """Return the tools of one upstream, in the order in which the upstream offers them."""
        return [tool for tool in self._tools.values() if tool.upstream == upstream]

    def all(self) -> list[Tool]:
        """Return all registered tools."""
        return list(self._tools.values())

    def seen(self, upstream: str) -> list[Tool]:
        """Return the tools that an upstream offers, or offered when it was last seen, with their surfaces."""
        seen = {
            tool.id: tool for tool in self.of(upstream) if tool.surface and tool.state is not ToolState.GONE
        }
        if upstream not in self._catalogues:
            bundle = self._policies.applied.bundle
            for tool_id, pin in self._pins.items():
                if tool_id not in seen and tool_id.startswith(f"{upstream}/"):
                    bare = undescribed(upstream, tool_id.removeprefix(f"{upstream}/"), bundle.classes)
                    seen[tool_id] = as_pinned(bare, pin, bundle.classes)
        return list(seen.values())

    @property
    def upstreams(self) -> list[str]:
        """Return the names of the upstreams with at least one known tool."""
        return sorted({one.partition("/")[0] for one in (*self._tools, *self._pins)})

    def catalogue(self, upstream: str) -> Catalogue | None:
        """Return what an upstream offered when it was last asked."""
        return self._catalogues.get(upstream)

    def reviewed_words(self, upstream: str) -> str:
        """Return the text of an upstream about its use (`instructions`) that the bundle has; may be empty."""
        return self._policies.applied.bundle.instructions.get(upstream, "")

    def protocol(self, upstream: str) -> str:
        """Return the protocol that an upstream spoke when it was last asked; empty while nothing is known."""
        catalogue = self._catalogues.get(upstream)
        return catalogue.protocol if catalogue is not None else ""

    def offers(self, upstream: str, *path: str) -> bool:
        """Return whether an upstream has a capability."""
        catalogue = self._catalogues.get(upstream)
        return catalogue is not None and catalogue.offers(*path)

    def extends(self, upstream: str, extension: str) -> bool:
        """Return whether an upstream knows an extension of the protocol."""
        catalogue = self._catalogues.get(upstream)
        known = catalogue.capabilities.get("extensions") if catalogue is not None else None
        return isinstance(known, dict) and isinstance(known.get(extension), dict)

    def has_resource(self, upstream: str, uri: str) -> bool:
        """Return whether an upstream lists a resource, or a template that may match it."""
        catalogue = self._catalogues.get(upstream)
        if catalogue is None:
            return False
        return any(one.get("uri") == uri for one in catalogue.resources) or any(
            isinstance(template := one.get("uriTemplate"), str) and (template == uri or _fits(template, uri))
            for one in catalogue.resource_templates
        )

    def version(self, upstream: str) -> tuple[object, object]:
        """Return objects that are replaced whenever a tool of an upstream, or an offer of one, changes."""
        return self._tools, self._offered.get(upstream)

    def offered(self, upstream: str, name: str) -> dict[str, object] | None:
        """Return a tool's entry as its upstream last sent it, `_meta` included, accepted or not."""
        return self._offered.get(upstream, {}).get(name)

    async def learned(self, upstream: str, catalogue: Catalogue) -> frozenset[str]:
        """Take in what an upstream offers now: pin new tools, suspend changed tools.

        Returns which of its lists (`LISTS`) have changed.
        """
        async with self._lock:
            before = self._catalogues.get(upstream)
            changed = _changed(before, catalogue)
            catalogue = _alike(before, catalogue)
            # The rules, whose check takes time, are checked again only against names and pinned surfaces.
            self._stale = self._stale or before is None or _named(before) != _named(catalogue)
            self._catalogues[upstream] = catalogue
            self._offered[upstream] = {str(wire.get("name")): wire for wire in catalogue.tools}
            changes: list[PutPin] = []
            events: list[Event] = []
            for wire in catalogue.tools:
                pin, event = self._compare(upstream, wire)
                if pin is not None and event is not None:
                    changes.append(PutPin(pin))
                    events.append(event)
            if changes:
                await self._store.commit(Unit(tuple(changes), tuple(events)))
                self._pins.update({change.pin.tool: change.pin for change in changes})
                self._stale = True
            if self._stale or self._joined is not self._policies.applied.bundle:
                await self._rejoin()
            return changed

    def _compare(self, upstream: str, wire: dict[str, object]) -> tuple[Pin | None, Event | None]:
        surface = surface_of(wire)
        tool_id = f"{upstream}/{wire.get('name')}"
        digest = surface_digest(surface)
        known = self._pins.get(tool_id)
        if known is None:
            pin = Pin(self._tenant, tool_id, digest, surface, digest, surface)
            return pin, self._event(ToolPinned(tool=tool_id, digest=digest, surface=surface))
        if known.offered_digest == digest:
            return None, None
        pin = msgspec.structs.replace(known, offered_digest=digest, offered_surface=surface)
        changed = ToolChanged(tool=tool_id, accepted=known.accepted_digest, offered=digest, surface=surface)
        return pin, self._event(changed)

    async def accept(self, tool_id: str, *, digest: str, by: str) -> Tool:
        """Accept what the upstream offers now, by the reviewed digest.

        Raises `Conflict` if the offer has changed.
        """
        async with self._lock:
            pin = self._pins.get(tool_id)
            if pin is None:
                raise NotFound(f"tool `{tool_id}` does not exist", remediation="see `remit tool list`")
            # INVARIANT: only a reviewed offer can be accepted: the digest identifies what was reviewed.
            if pin.offered_digest != digest:
                raise Conflict(
                    f"`{tool_id}` has changed again since the review",
                    remediation=f"run `remit tool diff {tool_id}`",
                )
            new = msgspec.structs.replace(
                pin, accepted_digest=pin.offered_digest, accepted_surface=pin.offered_surface
            )
            accepted = ToolAccepted(
                tool=tool_id, accepted=new.accepted_digest, previous=pin.accepted_digest, by=by
            )
            event = self._event(accepted, subject=by)
            self._pins[tool_id] = new
            try:
                # A policy may name an argument that the new surface no longer has: then the surface is not
                # accepted.
                await self._rejoin()
                await self._store.commit(Unit((PutPin(new),), (event,)))
            except RemitError:
                self._pins[tool_id] = pin
                await self._rejoin()
                raise
            return self._tools[tool_id]

    def diff(self, tool_id: str) -> tuple[Pin, list[str]]:
        """Return the pin and the lines that differ between the accepted and the offered surface."""
        pin = self._pins.get(tool_id)
        if pin is None:
            raise NotFound(f"tool `{tool_id}` does not exist", remediation="see `remit tool list`")

        def lines(surface: dict[str, object]) -> list[str]:
            return json.dumps(surface, indent=2, sort_keys=True, ensure_ascii=False).splitlines()

        old, new = lines(pin.accepted_surface), lines(pin.offered_surface)
        return pin, _difference(old, new)

    async def described(self) -> None:
        """Join the tools again after another bundle was applied."""
        async with self._lock:
            await self._rejoin()

    async def _rejoin(self) -> None:
        self._stale = True
        self._joined = bundle = self._policies.applied.bundle
        self._tools = {tool.id: tool for tool in self._join(bundle)}
        await self._policies.refresh()
        for changed in self._followers:
            await changed()
        self._stale = False

    def _join(self, bundle: Bundle) -> Iterable[Tool]:
        """Return every tool of a bundle and of the catalogues, described or not."""
        joined = _of_apis(bundle)
        for upstream, catalogue in self._catalogues.items():
            for wire in catalogue.tools:
                name = str(wire.get("name"))
                joined[f"{upstream}/{name}"] = self._one(bundle, upstream, name)
            for name in RESERVED_OPERATIONS:
                if _NEEDS_CAPABILITY[name] in catalogue.capabilities:
                    joined[f"{upstream}/{name}"] = self._operation(bundle, upstream, name)
        for tool_id, tool in bundle.tools.items():
            if tool_id not in joined:
                offline = tool.upstream not in self._catalogues and tool.upstream not in bundle.apis
                if tool.name in RESERVED_OPERATIONS:
                    joined[tool_id] = self._operation(bundle, tool.upstream, tool.name)
                else:
                    one = self._one(bundle, tool.upstream, tool.name)
                    joined[tool_id] = one if offline else msgspec.structs.replace(one, state=ToolState.GONE)
        return joined.values()

    def _one(self, bundle: Bundle, upstream: str, name: str) -> Tool:
        tool_id = f"{upstream}/{name}"
        base = bundle.tools.get(tool_id) or undescribed(upstream, name, bundle.classes)
        pin = self._pins.get(tool_id)
        return base if pin is None else as_pinned(base, pin, bundle.classes)

    def _operation(self, bundle: Bundle, upstream: str, name: str) -> Tool:
        base = bundle.tools.get(f"{upstream}/{name}") or undescribed(upstream, name, bundle.classes)
        surface: dict[str, object] = {"name": name, "inputSchema": OPERATION_SCHEMAS[name]}
        return with_surface(base, surface, "", bundle.classes)

    def _event(self, body: EventBody, subject: str = "") -> Event:
        return Event.of(body, at=self._clock.now(), tenant=self._tenant, subject=subject)


def _named(catalogue: Catalogue) -> tuple[object, ...]:
    """Return the names of the tools and operations in a catalogue."""
    return [str(wire.get("name")) for wire in catalogue.tools], catalogue.capabilities


def _changed(before: Catalogue | None, now: Catalogue) -> frozenset[str]:
    """Return the lists that differ; all lists where there was no catalogue before."""
    if before is None:
        return LISTS
    resources = (before.resources, before.resource_templates) != (now.resources, now.resource_templates)
    differing = {"tools": before.tools != now.tools, "prompts": before.prompts != now.prompts}
    return frozenset(name for name, so in {**differing, "resources": resources}.items() if so)


def _alike(before: Catalogue | None, now: Catalogue) -> Catalogue:
    """Return a catalogue in which each unchanged list is the same object, to save reading it again."""
    names = ("resources", "resource_templates", "prompts")
    same = {name: was for name in names if (was := getattr(before, name, None)) == getattr(now, name)}
    return msgspec.structs.replace(now, **same)


def _fits(template: str, uri: str) -> bool:
    """Return whether a URI has a template's literal parts in their order.

    This only finds a possible upstream.
    """
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


def as_pinned(tool: Tool, pin: Pin, classes: Classes) -> Tool:
    """Return a tool with its accepted surface."""
    same = pin.accepted_digest == pin.offered_digest
    tool = with_surface(tool, pin.accepted_surface, pin.accepted_digest, classes, reviewed=same)
    return msgspec.structs.replace(tool, state=ToolState.PINNED if same else ToolState.CHANGED)


def _of_apis(bundle: Bundle) -> dict[str, Tool]:
    """Return the operations of HTTP APIs as defined by their documents, without an upstream request."""
    found: dict[str, Tool] = {}
    for upstream, api in bundle.apis.items():
        for name, route in api.routes.items():
            base = bundle.tools.get(f"{upstream}/{name}") or undescribed(upstream, name, bundle.classes)
            found[base.id] = with_surface(base, surface_of(route.wire), route.digest, bundle.classes)
    return found


def as_last_seen(bundle: Bundle, pins: Iterable[Pin]) -> list[Tool]:
    """Return the tools of a bundle joined with what was last known of their upstreams."""
    tools = {**bundle.tools, **_of_apis(bundle)}
    for pin in pins:
        upstream, _, name = pin.tool.partition("/")
        base = tools.get(pin.tool) or undescribed(upstream, name, bundle.classes)
        tools[pin.tool] = as_pinned(base, pin, bundle.classes)
    return list(tools.values())


def _difference(old: list[str], new: list[str]) -> list[str]:
    """Return the lines that differ; if they are many, all lines between the first and the last one."""
    if max(len(old), len(new)) <= MAX_COMPARED:
        return list(difflib.unified_diff(old, new, "accepted", "offered", lineterm="", n=2))
    before = _beginning(old, new)
    after = _beginning(reversed(old[before:]), reversed(new[before:]))
    gone, come = old[before : len(old) - after], new[before : len(new) - after]
    if max(len(gone), len(come)) <= MAX_COMPARED:
        return list(difflib.unified_diff(gone, come, "accepted", "offered", lineterm="", n=2))
    return ["--- accepted", "+++ offered", *(f"-{line}" for line in gone), *(f"+{line}" for line in come)]


def _beginning(old: Iterable[str], new: Iterable[str]) -> int:
    """Return how many lines at the beginning are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
