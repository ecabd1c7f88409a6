# SPDX-License-Identifier: Apache-2.0
"""Approvals: what waits for a human, watching for it, and answering."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from starlette.responses import StreamingResponse

from remit.api.rest.endpoint import Body, Endpoint, Items, Visit
from remit.api.rest.views import ApprovalView, approval_view
from remit.api.wire import HEADERS
from remit.core.approval import Approval, ApprovalState
from remit.core.errors import NotFound, Unauthenticated
from remit.core.identity import Person
from remit.services.duties import Duty, may, see_approval

#: Looks at the store between two signs of life to a watcher.
QUIET_LOOKS = 30


class ApprovalFilter(Body, frozen=True, kw_only=True):
    """Which approvals to list."""

    state: ApprovalState | None = None
    task: str = ""


class Answer(Body, frozen=True, kw_only=True):
    """A human's answer."""

    approve: bool
    comment: str = ""


async def _visible(visit: Visit, person: Person, state: ApprovalState | None, task: str) -> list[Approval]:
    found = await visit.house.approvals.listed(state, task)
    if may(person, Duty.APPROVE) or may(person, Duty.AUDIT):
        return found
    return [one for one in found if await _sees(visit, person, one)]


async def _sees(visit: Visit, person: Person, approval: Approval) -> bool:
    task = await visit.house.store.task(visit.house.tenant, approval.task)
    return see_approval(approval, task, person)


async def listed(visit: Visit) -> Items[ApprovalView]:
    """Give the approvals that the caller may see, newest first."""
    wanted: ApprovalFilter = visit.query
    found = await _visible(visit, visit.someone, wanted.state, wanted.task)
    return Items(tuple(approval_view(one) for one in found))


async def _one(visit: Visit) -> Approval:
    approval = await visit.house.approvals.get(visit.place["approval"])
    if not await _sees(visit, visit.someone, approval):
        raise NotFound(f"there is no approval `{approval.id}`", way_out="see `remit approvals`")
    return approval


async def shown(visit: Visit) -> ApprovalView:
    """Give one approval with the arguments of the call, the rules that asked, and why."""
    return approval_view(await _one(visit))


async def answered(visit: Visit) -> ApprovalView:
    """Take an answer."""
    approval = await _one(visit)
    answer: Answer = visit.body
    done = await visit.house.approvals.answer(
        approval.id, visit.someone, approve=answer.approve, comment=answer.comment
    )
    return approval_view(done)


async def watched(visit: Visit) -> StreamingResponse:
    """Tell of each new and each changed approval, for as long as the session lives."""
    return StreamingResponse(_changes(visit), media_type="text/event-stream", headers=HEADERS)


async def _changes(visit: Visit) -> AsyncIterator[bytes]:
    known: dict[str, ApprovalState] = {}
    quiet = 0
    first = True
    while True:
        try:
            # The session is looked at each time: signing out, and losing a role, ends the watching.
            person = await visit.house.authenticator.person(visit.secret)
        except Unauthenticated:
            return
        told = False
        for approval in reversed(await _visible(visit, person, None, "")):
            if known.get(approval.id) is approval.state:
                continue
            known[approval.id] = approval.state
            if first and approval.state is not ApprovalState.PENDING:
                continue
            told = True
            data = msgspec.json.encode(approval_view(approval))
            yield b"event: approval\ndata: " + data + b"\n\n"
        first = False
        quiet = 0 if told else quiet + 1
        if quiet % QUIET_LOOKS == 1:
            yield b": nothing new\n\n"
        await asyncio.sleep(visit.desk.watch_s)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/approvals",
        summary="List approvals, newest first; approvers and auditors see all, others those of their tasks",
        serve=listed,
        people=Duty.OWN,
        asks=ApprovalFilter,
        gives=Items[ApprovalView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/approvals/watch",
        summary="Watch: the open approvals, then each new or changed one, as server-sent events `approval`",
        serve=watched,
        people=Duty.OWN,
        gives=ApprovalView,
        media="text/event-stream",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/approvals/{approval}",
        summary="Show an approval: the exact call, the rules that asked, and why",
        serve=shown,
        people=Duty.OWN,
        gives=ApprovalView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/approvals/{approval}",
        summary="Approve or deny one exact call, once; never what was asked for oneself",
        serve=answered,
        people=Duty.APPROVE,
        takes=Answer,
        gives=ApprovalView,
    ),
)
