# SPDX-License-Identifier: Apache-2.0
"""Onboarding: each upstream, what its tools are thought to do and why, what has changed, and its mode."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Final

import msgspec
from starlette.responses import Response

from remit.api.console.evidence_rows import event_row
from remit.api.console.page import ConsoleRequest, address_of
from remit.api.console.pages.tools import difference
from remit.core.errors import Malformed, NotFound
from remit.core.evidence.event import EventKind
from remit.core.tools.suggestions import UpstreamFacts
from remit.core.tools.tool import (
    COMPLETION,
    PROMPT_GET,
    RESOURCE_READ,
    RESOURCE_SUBSCRIBE,
    Tool,
    ToolState,
)
from remit.ports.upstream import HttpUpstream
from remit.services.evidence.event_search import EventSearch
from remit.services.tools.suggestions import suggested

#: The time and the number of decisions that are looked back at for what enforcing would change.
BACK: Final = timedelta(days=7)
DECISIONS: Final = 5_000
#: Tools that one page shows.
TOOLS: Final = 200


class RefusedTool(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one tool that were observed and would have been refused, with the rules and an example."""

    tool: str
    calls: int
    of: int
    rules: tuple[str, ...]
    example: str


class UpstreamRow(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream. `reachable` is `None` for an HTTP API that no call has tried."""

    name: str
    api: bool
    reachable: bool | None
    why: str
    observed: bool
    held: bool
    tools: int
    undescribed: int
    changed: int


async def listed(visit: ConsoleRequest) -> Response:
    """Show all upstreams."""
    return await visit.show(
        "onboard.html", upstreams=[_row(visit, name) for name in sorted(visit.rooms.upstreams)]
    )


def _row(visit: ConsoleRequest, name: str) -> UpstreamRow:
    rooms = visit.rooms
    contact = rooms.tools.reached.of(name)
    tools = _offered(visit, name)
    return UpstreamRow(
        name=name,
        api=isinstance(rooms.upstreams[name], HttpUpstream),
        reachable=contact.up,
        why=contact.why,
        observed=rooms.decisions.authorizer.observes(name),
        held=name in rooms.decisions.modes.held,
        tools=len(tools),
        undescribed=sum(not one.described for one in tools),
        changed=sum(one.state is ToolState.CHANGED for one in tools),
    )


def _offered(visit: ConsoleRequest, name: str) -> list[Tool]:
    """Return what an upstream offers: its tools, and the operations of MCP for which it has something."""
    registry = visit.rooms.tools.registry
    catalogue = registry.catalogue(name)
    texts = bool(catalogue and (catalogue.resources or catalogue.resource_templates))
    prompts = bool(catalogue and catalogue.prompts)
    offered = {
        RESOURCE_READ: texts,
        RESOURCE_SUBSCRIBE: texts,
        PROMPT_GET: prompts,
        COMPLETION: texts or prompts,
    }
    return [
        one for one in registry.seen(name) if one.state is not ToolState.GONE and offered.get(one.name, True)
    ]


async def show(visit: ConsoleRequest) -> Response:
    """Show one upstream: its tools, drafts with their reasons, changes, and what its mode would change."""
    rooms, name = visit.rooms, visit.part("upstream")
    if name not in rooms.upstreams:
        raise NotFound(f"upstream `{name[:80]}` does not exist", remediation="choose one of the list")
    facts = UpstreamFacts(audience=visit.asked("audience"), data_class=visit.asked("class"))
    classes = rooms.policies.applied.bundle.classes
    tools = _offered(visit, name)
    draft = suggested(rooms.tools.registry, classes, name, facts) if tools else None
    drafts = {one.name: one for one in draft.drafts} if draft else {}
    catalogue = rooms.tools.registry.catalogue(name)
    said = catalogue.instructions if catalogue is not None else ""
    return await visit.show(
        "upstream.html",
        upstream=_row(visit, name),
        server=catalogue.server if catalogue is not None else {},
        instructions=said,
        reviewed=bool(said) and said == rooms.tools.registry.reviewed_words(name),
        tools=[
            {"tool": one, "draft": drafts.get(one.name), "difference": difference(visit, one)}
            for one in sorted(tools, key=_urgent)[:TOOLS]
        ],
        hidden_tools=len(tools) - TOOLS,
        text=draft.text if draft else "",
        facts=facts,
        classes=list(classes.order),
        refused=await _refused(visit, name),
        back_days=BACK.days,
    )


def _urgent(tool: Tool) -> tuple[bool, bool, str]:
    return tool.state is not ToolState.CHANGED, tool.described, tool.name


async def _refused(visit: ConsoleRequest, name: str) -> list[RefusedTool]:
    """Return what would have been refused of the last calls of an upstream, had remit enforced."""
    rooms = visit.rooms
    found = await rooms.evidence.searches.search(
        EventSearch(kinds=(EventKind.DECISION_MADE,), tool=name, since=visit.now - BACK),
        before=await rooms.evidence.log.size(),
        limit=DECISIONS,
    )
    calls, refused = Counter[str](), Counter[str]()
    rules: dict[str, dict[str, None]] = {}
    example: dict[str, str] = {}
    for entry in found.entries:
        row = event_row(entry)
        tool = row.facts["tool"]
        calls[tool] += 1
        if not row.facts.get("observed"):
            continue
        refused[tool] += 1
        example[tool] = row.call
        rules.setdefault(tool, {}).update((one[0], None) for one in row.facts["rules"])
    return [
        RefusedTool(
            tool=tool, calls=count, of=calls[tool], rules=tuple(rules[tool])[:5], example=example[tool]
        )
        for tool, count in refused.most_common()
    ]


async def change_mode(visit: ConsoleRequest) -> Response:
    """Enforce at the upstream although the files say `observe`, or let the files decide again."""
    form = await visit.act()
    name, modes = visit.part("upstream"), visit.rooms.decisions.modes
    match form.get("mode"):
        case "enforce":
            await modes.enforce(name, by=visit.someone.name)
        case "files":
            await modes.follow_files(name, by=visit.someone.name)
        case _:
            raise Malformed("no such mode", remediation="use the buttons of the page")
    return visit.then(address_of("onboard", name), "saved")
