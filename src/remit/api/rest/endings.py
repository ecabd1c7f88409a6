# SPDX-License-Identifier: Apache-2.0
"""Ending and locking scopes, and the closures that record what an end revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from starlette.responses import StreamingResponse

from remit.api.http_messages import HEADERS
from remit.api.rest.representations import ClosureView, Moment, View, closure_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.endings.closure import Cause, Closing, Closure, Lock
from remit.core.errors import Malformed, NotFound
from remit.core.evidence.events.state_rows import StateChanged
from remit.core.findings.kinds import FindingKind
from remit.core.scope import EVERYTHING, ScopeKind, scope
from remit.ports.upstream import Upstream
from remit.services.credentials.assembly import CredentialServices
from remit.services.credentials.lease_records import OpenSink
from remit.services.endings.assembly import EndingServices
from remit.services.evidence.assembly import EvidenceServices
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.permissions import Duty, end_task, may, require, see_closure
from remit.services.people.assembly import PeopleServices
from remit.services.tasks.assembly import TaskServices
from remit.services.tools.assembly import ToolServices


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRooms:
    """The rooms that these endpoints work with."""

    upstreams: Mapping[str, Upstream]
    findings: FindingServices
    tools: ToolServices
    credentials: CredentialServices
    evidence: EvidenceServices
    tasks: TaskServices
    endings: EndingServices
    identity: IdentityServices
    people: PeopleServices


class EndScope(Body, frozen=True, kw_only=True):
    """What to end, and why.

    Without `kind` the name alone identifies the scope. `compromised` (upstreams only): the upstream's
    credentials may be known to an attacker.
    """

    name: str = ""
    kind: ScopeKind | None = None
    reason: str = ""
    compromised: bool = False


class Unlock(Body, frozen=True, kw_only=True):
    """The scope to unlock."""

    kind: ScopeKind
    name: str = ""


class Unlocked(View, frozen=True, kw_only=True):
    """A scope under which tasks may be opened again."""

    scope: str
    locked: bool


class CloseLease(Body, frozen=True, kw_only=True):
    """The reason to treat a credential as dead although neither its source nor its sink confirms it."""

    because: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class SuspendTask(Body, frozen=True, kw_only=True):
    """Why a task is suspended, or goes on."""

    reason: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class SuspensionView(View, frozen=True, kw_only=True):
    """Whether a task is suspended, by which person, since when and why; `task` may be one above it."""

    task: str
    suspended: bool
    by: str = ""
    at: Moment | None = None
    reason: str = ""


class ClosureFilter(Body, frozen=True, kw_only=True):
    """Filter for closures; `scope` as `task:tsk_...` or `agent:name`."""

    scope: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


async def _exists(reading: Awaitable[object]) -> bool:
    """Return whether there is something to end: also where its row was changed, and nothing else rests on
    it.
    """
    try:
        return await reading is not None
    except StateChanged:
        return True


async def kinds_of(rooms: EndRooms, name: str) -> list[ScopeKind]:
    """Return the kinds of scope to which a name applies."""
    found: list[ScopeKind] = []
    if name == "everything":
        found.append(ScopeKind.EVERYTHING)
    # In parallel: ending something is urgent.
    task, delegation, agent, agents = await asyncio.gather(
        _exists(rooms.tasks.tasks.find(name)),
        _exists(rooms.people.delegations.find(name)),
        _exists(rooms.identity.directory.find_agent(name)),
        rooms.identity.directory.agents(),
    )
    if task:
        found.append(ScopeKind.TASK)
    if agent:
        found.append(ScopeKind.AGENT)
    if any(agent.owner == name for agent in agents):
        found.append(ScopeKind.OWNER)
    if delegation:
        found.append(ScopeKind.DELEGATION)
    if rooms.tools.registry.get(name) is not None:
        found.append(ScopeKind.TOOL)
    if name in rooms.upstreams:
        found.append(ScopeKind.UPSTREAM)
    if not found and await _exists(rooms.identity.directory.find_person(name)):
        # The scope of a person: tasks on their behalf. The name of an owner means the tasks of their agents,
        # unless `kind` states otherwise.
        found.append(ScopeKind.PERSON)
    return found


async def meant(rooms: EndRooms, wanted: EndScope) -> ScopeKind:
    """Return the kind of the requested scope.

    Raise `NotFound` for an unknown name, because a fence on a misspelt name would look like an end but end
    nothing. Raise `Malformed` for an ambiguous name.
    """
    if wanted.kind is ScopeKind.EVERYTHING:
        return ScopeKind.EVERYTHING
    if wanted.kind is ScopeKind.TASK:
        # The caller of this function looks the task up.
        return ScopeKind.TASK
    if wanted.kind is ScopeKind.PERSON:
        await rooms.identity.directory.person(wanted.name)
        return ScopeKind.PERSON
    found = await kinds_of(rooms, wanted.name)
    if wanted.kind is not None:
        found = [kind for kind in found if kind is wanted.kind]
    if not found:
        what = wanted.kind.value if wanted.kind else "task, agent, owner, person, tool or upstream"
        raise NotFound(
            f"{what} `{wanted.name[:80]}` does not exist", remediation="give its exact name, or `kind:name`"
        )
    if len(found) > 1:
        kinds = " and ".join(kind.value for kind in found)
        raise Malformed(
            f"`{wanted.name[:80]}` names {kinds}", code="ambiguous", remediation="choose one with `kind`"
        )
    return found[0]


async def end(errand: RestRequest[EndRooms]) -> ClosureView:
    """End a task, or everything under a scope."""
    wanted: EndScope = errand.body
    person, rooms = errand.someone, errand.rooms
    kind = await meant(rooms, wanted)
    if kind is ScopeKind.TASK:
        closure = await rooms.endings.revocations.end_task(
            wanted.name, reason=wanted.reason, by=errand.by, agreed=lambda task: end_task(task, person)
        )
        return closure_view(closure)
    require(person, Duty.END)
    return closure_view(await _end_scope(errand, kind, wanted))


async def _end_scope(
    errand: RestRequest[EndRooms], kind: ScopeKind, wanted: EndScope, *, lock: bool = False
) -> Closure:
    if wanted.compromised and kind is not ScopeKind.UPSTREAM:
        raise Malformed(
            "`compromised` needs an upstream",
            remediation="give the upstream whose credentials are compromised",
        )
    rooms = errand.rooms
    closure = await rooms.endings.revocations.end_scope(
        kind,
        wanted.name,
        reason=wanted.reason,
        by=errand.by,
        lock=lock,
        cause=Cause.UPSTREAM_COMPROMISED if wanted.compromised else Cause.ASKED,
    )
    if wanted.compromised:
        facts = {"how": "reported", "lease": "", "task": "", "sink": wanted.name}
        about = f"upstream:{wanted.name}"
        await rooms.findings.findings.see(FindingKind.CREDENTIAL_LEAKED, about, "reported", facts)
    return closure


async def lock(errand: RestRequest[EndRooms]) -> ClosureView:
    """End everything under a scope, and keep it locked."""
    wanted: EndScope = errand.body
    kind = await meant(errand.rooms, wanted)
    if kind is ScopeKind.TASK:
        raise Malformed("a task cannot be locked", remediation="end it: an ended task never opens again")
    return closure_view(await _end_scope(errand, kind, wanted, lock=True))


async def unlock(errand: RestRequest[EndRooms]) -> Unlocked:
    """Permit new tasks under a scope again."""
    wanted: Unlock = errand.body
    await errand.rooms.endings.locks.unlock(wanted.kind, wanted.name, person=errand.someone)
    name = EVERYTHING if wanted.kind is ScopeKind.EVERYTHING else scope(wanted.kind, wanted.name)
    return Unlocked(scope=name, locked=False)


async def leases(errand: RestRequest[EndRooms]) -> Items[OpenSink]:
    """Return the credentials that this process is revoking."""
    return Items(tuple(errand.rooms.credentials.leases.open_sinks()))


async def close_lease(errand: RestRequest[EndRooms]) -> Closing:
    """Record by hand that a credential is dead."""
    wanted: CloseLease = errand.body
    left = errand.rooms.credentials.leases.left
    return await left.close(errand.place["lease"], by=errand.by, because=wanted.because)


async def locks(errand: RestRequest[EndRooms]) -> Items[Lock]:
    """Return all locks."""
    return Items(tuple(await errand.rooms.endings.locks.all()))


async def closures(errand: RestRequest[EndRooms]) -> Items[ClosureView]:
    """Return closures, newest first."""
    wanted: ClosureFilter = errand.query
    found = await errand.rooms.evidence.receipts.closures(wanted.scope, wanted.limit)
    return Items(tuple(closure_view(one) for one in found))


async def _closure(errand: RestRequest[EndRooms]) -> Closure:
    """Return the closure that the path names, if the caller may see it."""
    rooms = errand.rooms
    found = await rooms.evidence.receipts.closure(errand.place["closure"])
    kind, _, name = found.scope.partition(":")
    task = await rooms.tasks.tasks.get(name) if kind == ScopeKind.TASK else None
    return see_closure(found, task, errand.someone)


async def closure(errand: RestRequest[EndRooms]) -> ClosureView:
    """Return the current state of one closure."""
    return closure_view(await _closure(errand))


async def receipt(errand: RestRequest[EndRooms]) -> StreamingResponse:
    """Stream the signed receipt of a closure, line by line."""
    errand.rooms.evidence.receipts.check_pace(errand.someone.name)
    lines = errand.rooms.evidence.receipts.lines(await _closure(errand))
    # Errors occur here, before the response begins.
    first = await anext(lines)

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for line in lines:
            yield line

    return StreamingResponse(rest(), media_type="application/jsonl", headers=HEADERS)


async def suspend(errand: RestRequest[EndRooms]) -> SuspensionView:
    """Suspend a task: no call of it is permitted from this answer on, and nothing of it has ended."""
    wanted: SuspendTask = errand.body
    task = end_task(await errand.rooms.tasks.tasks.get(errand.place["task"]), errand.someone)
    operates = may(errand.someone, Duty.END)
    made = await errand.rooms.endings.suspensions.suspend(
        task, errand.someone, operates=operates, reason=wanted.reason
    )
    return SuspensionView(task=task.id, suspended=True, by=made.by, at=made.at, reason=made.reason)


async def resume(errand: RestRequest[EndRooms]) -> SuspensionView:
    """Have a suspended task go on."""
    wanted: SuspendTask = errand.body
    task = end_task(await errand.rooms.tasks.tasks.get(errand.place["task"]), errand.someone)
    operates = may(errand.someone, Duty.END)
    await errand.rooms.endings.suspensions.resume(
        task, errand.someone, operates=operates, reason=wanted.reason
    )
    return SuspensionView(task=task.id, suspended=False)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/suspend",
        summary="Suspend a task: its calls are refused until it is resumed; time runs on",
        serve=suspend,
        people=Duty.OWN,
        takes=SuspendTask,
        gives=SuspensionView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/resume",
        summary="Have a suspended task go on",
        serve=resume,
        people=Duty.OWN,
        takes=SuspendTask,
        gives=SuspensionView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/end",
        summary="End a task (one's own; any, as operator), or all of an agent, owner, person, tool, upstream",
        serve=end,
        people=Duty.OWN,
        takes=EndScope,
        gives=ClosureView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/lock",
        summary="End everything under a scope and lock it until it is unlocked",
        serve=lock,
        people=Duty.ADMINISTER,
        takes=EndScope,
        gives=ClosureView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/unlock",
        summary="Unlock a scope, so that new tasks can open; ended tasks stay ended",
        serve=unlock,
        people=Duty.ADMINISTER,
        takes=Unlock,
        gives=Unlocked,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/locks",
        summary="List locks with reason, time and author",
        serve=locks,
        people=Duty.OVERSEE,
        gives=Items[Lock],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/closures",
        summary="List closures, newest first",
        serve=closures,
        people=Duty.OVERSEE,
        asks=ClosureFilter,
        gives=Items[ClosureView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/closures/{closure}",
        summary="Show the current closure of an end: of one's own task, or of any task with a role",
        serve=closure,
        people=Duty.OWN,
        gives=ClosureView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/closures/{closure}/receipt",
        summary="Return the signed receipt of an end, which verifies offline (`remit audit verify`)",
        serve=receipt,
        people=Duty.OWN,
        media="application/jsonl",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/leases",
        summary="List the credentials that are being revoked and may still work, oldest first",
        serve=leases,
        people=Duty.OVERSEE,
        gives=Items[OpenSink],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/leases/{lease}/close",
        summary="Close a credential by hand when neither source nor sink can confirm its revocation",
        serve=close_lease,
        people=Duty.END,
        takes=CloseLease,
        gives=Closing,
    ),
)
