# SPDX-License-Identifier: Apache-2.0
"""Ending everything under a scope, the locks, and the closure that shows what an end has revoked."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from remit.api.console.page import ROOT, ConsoleRequest
from remit.core.errors import Malformed, NotFound
from remit.core.scope import ScopeKind
from remit.core.tasks.task import TaskState
from remit.services.identity.permissions import Duty, see_closure

#: What the page offers to stop, from narrow to wide.
KINDS = (ScopeKind.AGENT, ScopeKind.OWNER, ScopeKind.PERSON, ScopeKind.TOOL, ScopeKind.UPSTREAM,
         ScopeKind.EVERYTHING)  # fmt: skip

#: What a person writes out to stop everything.
CONFIRMED: Final = "everything"


async def stop(visit: ConsoleRequest) -> Response:
    """Show what can be stopped, and how much each stop would end."""
    rooms, now = visit.rooms, visit.now
    agents = await rooms.identity.directory.agents()
    active = [
        one
        for one in await rooms.tasks.tasks.newest(state=TaskState.ACTIVE, limit=10_000, texts=False)
        if one.active_at(now)
    ]
    names = {
        ScopeKind.AGENT: sorted(one.name for one in agents),
        ScopeKind.OWNER: sorted({one.owner for one in agents}),
        ScopeKind.PERSON: sorted({one.on_behalf_of for one in active if one.on_behalf_of}),
        ScopeKind.TOOL: sorted(tool.id for tool in rooms.tools.registry.all()),
        ScopeKind.UPSTREAM: sorted(rooms.upstreams),
    }
    kind = visit.asked("kind", ScopeKind.AGENT.value)
    return await visit.show(
        "stop.html",
        kinds=[one.value for one in KINDS],
        kind=kind if kind in {one.value for one in KINDS} else ScopeKind.AGENT.value,
        name=visit.asked("name"),
        names={kind.value: found for kind, found in names.items()},
        open_tasks=len(active),
    )


async def stopped(visit: ConsoleRequest) -> Response:
    """End everything under a scope, and keep it locked where that was asked."""
    form = await visit.act()
    kind, name = form.get("kind"), form.get("name").strip()
    if kind not in {one.value for one in KINDS}:
        raise Malformed("nothing of this kind can be stopped", remediation="choose one of the list")
    lock = form.get("lock") == "on"
    if lock:
        visit.require(Duty.ADMINISTER)
    if kind != ScopeKind.EVERYTHING and not await _known(visit, ScopeKind(kind), name):
        # A fence on a misspelled name would look like an end and end nothing.
        raise NotFound(
            f"{kind} `{name[:80]}` does not exist", remediation="go back and choose its exact name"
        )
    if kind == ScopeKind.EVERYTHING and name != CONFIRMED:
        raise Malformed(
            "stopping everything was not confirmed", remediation=f"go back and write `{CONFIRMED}`"
        )
    closure = await visit.rooms.endings.revocations.end_scope(
        ScopeKind(kind),
        "" if kind == ScopeKind.EVERYTHING else name,
        reason=form.get("reason")[:500],
        by=visit.someone.name,
        lock=lock,
    )
    return visit.then(f"{ROOT}/closures/{closure.id}", "locked" if lock else "ended")


async def _known(visit: ConsoleRequest, kind: ScopeKind, name: str) -> bool:
    rooms = visit.rooms
    match kind:
        case ScopeKind.AGENT:
            return await rooms.identity.directory.find_agent(name) is not None
        case ScopeKind.OWNER:
            return any(one.owner == name for one in await rooms.identity.directory.agents())
        case ScopeKind.PERSON:
            return await rooms.identity.directory.find_person(name) is not None
        case ScopeKind.TOOL:
            return rooms.tools.registry.get(name) is not None
        case _:
            return name in rooms.upstreams


async def unlock(visit: ConsoleRequest) -> Response:
    """Permit new tasks under a scope again."""
    form = await visit.act()
    kind, _, name = form.get("scope").partition(":")
    if kind not in {one.value for one in ScopeKind}:
        raise Malformed("this is no lock", remediation="reload the page")
    await visit.rooms.endings.locks.unlock(ScopeKind(kind), name, person=visit.someone)
    return visit.then(ROOT, "unlocked")


async def closure(visit: ConsoleRequest) -> Response:
    """Show what an end has revoked, how fast, and what is still open."""
    found = await visit.rooms.evidence.receipts.closure(visit.part("closure"))
    kind, _, name = found.scope.partition(":")
    task = await visit.rooms.tasks.tasks.find(name) if kind == ScopeKind.TASK else None
    see_closure(found, task, visit.someone)
    times = [one.refused_after_ms for one in found.closings if one.refused_after_ms is not None]
    return await visit.show(
        "closure.html",
        closure=found,
        task=task,
        slowest_ms=max(times, default=found.fence_ms),
        left_open=[one for one in found.closings if one.open],
    )
