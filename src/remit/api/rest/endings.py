# SPDX-License-Identifier: Apache-2.0
"""Ending and locking, and the closures that say what an end meant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from starlette.responses import StreamingResponse

from remit.api.http_messages import HEADERS
from remit.api.rest.representations import ClosureView, View, closure_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.endings.closure import Cause, Closing, Closure, Lock
from remit.core.errors import Malformed, NotFound
from remit.core.findings.finding import FindingKind
from remit.core.scope import EVERYTHING, ScopeKind, scope
from remit.services.assembly.services import Services
from remit.services.credentials.lease_records import OpenSink
from remit.services.identity.permissions import Duty, end_task, require, see_closure


class EndScope(Body, frozen=True, kw_only=True):
    """What to end, and why. Without `kind` it is found by its name. `compromised`, of an upstream: somebody
    else may have its credentials.
    """

    name: str = ""
    kind: ScopeKind | None = None
    reason: str = ""
    compromised: bool = False


class Unlock(Body, frozen=True, kw_only=True):
    """What may be used again."""

    kind: ScopeKind
    name: str = ""


class Unlocked(View, frozen=True, kw_only=True):
    """A scope under which tasks may be opened again."""

    scope: str
    locked: bool


class CloseLease(Body, frozen=True, kw_only=True):
    """Why a credential counts as dead of which neither source nor sink says so."""

    because: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class ClosureFilter(Body, frozen=True, kw_only=True):
    """Which closures to list; `scope` as `task:tsk_...` or `agent:name`."""

    scope: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


async def kinds_of(house: Services, name: str) -> list[ScopeKind]:
    """Return what a name names."""
    found: list[ScopeKind] = []
    if name == "everything":
        found.append(ScopeKind.EVERYTHING)
    # Together: whoever ends something is in a hurry.
    task, delegation, agents = await asyncio.gather(
        house.tasks.find(name),
        house.delegations.find(name),
        house.directory.agents(),
    )
    if task is not None:
        found.append(ScopeKind.TASK)
    if any(agent.name == name for agent in agents):
        found.append(ScopeKind.AGENT)
    if any(agent.owner == name for agent in agents):
        found.append(ScopeKind.OWNER)
    if delegation is not None:
        found.append(ScopeKind.DELEGATION)
    if house.tools.get(name) is not None:
        found.append(ScopeKind.TOOL)
    if name in house.upstreams:
        found.append(ScopeKind.UPSTREAM)
    if not found and await house.directory.find_person(name) is not None:
        # What is done for them; an owner's name means what their agents do, unless `kind` says otherwise.
        found.append(ScopeKind.PERSON)
    return found


async def meant(house: Services, wanted: EndScope) -> ScopeKind:
    """Return the kind of scope that is meant.

    Raises `NotFound` for a name that names nothing (a fence on a misspelt name would look like an end and
    end nothing), and `Malformed` for one that names several things.
    """
    if wanted.kind is ScopeKind.EVERYTHING:
        return ScopeKind.EVERYTHING
    if wanted.kind is ScopeKind.TASK:
        # Whoever ends it looks it up.
        return ScopeKind.TASK
    if wanted.kind is ScopeKind.PERSON:
        await house.directory.person(wanted.name)
        return ScopeKind.PERSON
    found = await kinds_of(house, wanted.name)
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


async def end(errand: RestRequest) -> ClosureView:
    """End a task, or everything under a scope."""
    wanted: EndScope = errand.body
    person, house = errand.someone, errand.house
    kind = await meant(house, wanted)
    if kind is ScopeKind.TASK:
        closure = await house.revocations.end_task(
            wanted.name, reason=wanted.reason, by=errand.by, agreed=lambda task: end_task(task, person)
        )
        return closure_view(closure)
    require(person, Duty.END)
    return closure_view(await _end_scope(errand, kind, wanted))


async def _end_scope(
    errand: RestRequest, kind: ScopeKind, wanted: EndScope, *, lock: bool = False
) -> Closure:
    if wanted.compromised and kind is not ScopeKind.UPSTREAM:
        raise Malformed(
            "`compromised` needs an upstream",
            remediation="give the upstream whose credentials are compromised",
        )
    house = errand.house
    closure = await house.revocations.end_scope(
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
        await house.findings.see(FindingKind.CREDENTIAL_LEAKED, about, "reported", facts)
    return closure


async def lock(errand: RestRequest) -> ClosureView:
    """End everything under a scope, and keep it shut."""
    wanted: EndScope = errand.body
    kind = await meant(errand.house, wanted)
    if kind is ScopeKind.TASK:
        raise Malformed("a task cannot be locked", remediation="end it: an ended task never opens again")
    return closure_view(await _end_scope(errand, kind, wanted, lock=True))


async def unlock(errand: RestRequest) -> Unlocked:
    """Let new tasks be opened under a scope again."""
    wanted: Unlock = errand.body
    await errand.house.locks.unlock(wanted.kind, wanted.name, person=errand.someone)
    name = EVERYTHING if wanted.kind is ScopeKind.EVERYTHING else scope(wanted.kind, wanted.name)
    return Unlocked(scope=name, locked=False)


async def leases(errand: RestRequest) -> Items[OpenSink]:
    """Return the credentials that this process takes back."""
    return Items(tuple(errand.house.leases.open_sinks()))


async def close_lease(errand: RestRequest) -> Closing:
    """Close a credential by hand."""
    wanted: CloseLease = errand.body
    left = errand.house.leases.left
    return await left.close(errand.place["lease"], by=errand.by, because=wanted.because)


async def locks(errand: RestRequest) -> Items[Lock]:
    """Return what is locked."""
    return Items(tuple(await errand.house.locks.all()))


async def closures(errand: RestRequest) -> Items[ClosureView]:
    """Return closures, newest first."""
    wanted: ClosureFilter = errand.query
    found = await errand.house.receipts.closures(wanted.scope, wanted.limit)
    return Items(tuple(closure_view(one) for one in found))


async def _closure(errand: RestRequest) -> Closure:
    """Return the closure that the path names, if the caller may see it."""
    house = errand.house
    found = await house.receipts.closure(errand.place["closure"])
    kind, _, name = found.scope.partition(":")
    task = await house.tasks.get(name) if kind == ScopeKind.TASK else None
    return see_closure(found, task, errand.someone)


async def closure(errand: RestRequest) -> ClosureView:
    """Return one closure, as it is now."""
    return closure_view(await _closure(errand))


async def receipt(errand: RestRequest) -> StreamingResponse:
    """Return the receipt of a closure, line by line."""
    errand.house.receipts.check_pace(errand.someone.name)
    lines = errand.house.receipts.lines(await _closure(errand))
    # What can fail does so before an answer has begun.
    first = await anext(lines)

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for line in lines:
            yield line

    return StreamingResponse(rest(), media_type="application/jsonl", headers=HEADERS)


ENDPOINTS = (
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
