# SPDX-License-Identifier: Apache-2.0
"""The page of one tool: what it is, why it has its tier, who could call it, its calls, and its locks."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from remit.api.console.evidence_rows import call_rows
from remit.api.console.formats import path
from remit.api.console.page import ROOT, ConsoleRequest
from remit.core.errors import NotFound
from remit.core.evidence.event import EventKind
from remit.core.scope import ScopeKind, scope
from remit.core.tools.tier_reasons import deed, discloses, lower_forms, tier_reason
from remit.core.tools.tool import Tool, ToolState
from remit.ports.upstream import HttpUpstream
from remit.services.evidence.event_search import EventSearch
from remit.services.identity.permissions import Duty

#: Events among which its calls are sought, the last ones, and the calls that are shown.
EVENTS: Final = 5_000
CALLS: Final = 40
#: Callers, agents and arguments of one list, and lines of a difference.
LISTED: Final = 50
LINES: Final = 400


async def show(visit: ConsoleRequest) -> Response:
    """Show a tool."""
    rooms = visit.rooms
    tool = rooms.tools.registry.get(visit.part("tool"))
    if tool is None:
        raise NotFound(f"no tool `{visit.part('tool')[:80]}` exists", remediation="see `remit tool list`")
    size = await rooms.evidence.log.size()
    kinds = (EventKind.DECISION_MADE.value, EventKind.TOOL_CALLED.value)
    found = await rooms.evidence.searches.search(
        EventSearch(tool=tool.id, kinds=kinds), before=size, limit=2 * CALLS, most=EVENTS
    )
    scopes = {scope(ScopeKind.TOOL, tool.id), scope(ScopeKind.UPSTREAM, tool.upstream)}
    described = tool.surface.get("description")
    return await visit.show(
        "tool.html",
        tool=tool,
        says=described if isinstance(described, str) else "",
        deed=deed(tool),
        discloses=discloses(tool),
        reason=tier_reason(tool),
        lower=[(one.tier.word, one.when) for one in lower_forms(tool)],
        observed=rooms.decisions.authorizer.observes(tool.upstream),
        contact=rooms.tools.reached.of(tool.upstream),
        api=isinstance(rooms.upstreams.get(tool.upstream), HttpUpstream),
        difference=difference(visit, tool),
        ways=await rooms.inspection.who_can.who(tool.id, by=visit.someone.name),
        rows=call_rows(found.entries)[:CALLS],
        locks=await rooms.endings.locks.over(scopes),
        listed=LISTED,
    )


def difference(visit: ConsoleRequest, tool: Tool) -> dict[str, Any]:
    """Return what a changed tool offers instead of what was reviewed; empty for another one."""
    if tool.state is not ToolState.CHANGED:
        return {}
    pin, lines = visit.rooms.tools.registry.diff(tool.id)
    return {"digest": pin.offered_digest, "lines": lines[:LINES], "more": max(0, len(lines) - LINES)}


async def accept(visit: ConsoleRequest) -> Response:
    """Accept the reviewed offer of a changed tool, by its digest."""
    form = await visit.act()
    visit.require(Duty.ADMINISTER)
    tool = await visit.rooms.tools.registry.accept(
        visit.part("tool"), digest=form.get("digest"), by=visit.someone.name
    )
    # The tool is listed again, so clients are notified to list the tools.
    visit.rooms.tools.announcements.changed(tool.upstream, frozenset(("tools",)))
    return visit.then(f"{ROOT}/tools/{path(tool.id)}", "saved")
