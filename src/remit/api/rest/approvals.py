# SPDX-License-Identifier: Apache-2.0
"""Approvals: listing, watching and answering the calls that wait for a human."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
from starlette.responses import StreamingResponse

from remit.api.http_messages import HEADERS
from remit.api.rest.findings import FindingView, finding_view
from remit.api.rest.representations import ApprovalView, Moment, approval_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.question_report import QuestionFigures
from remit.core.errors import NotFound, Unauthenticated
from remit.core.identity.principals import Person
from remit.core.json_value import Json
from remit.services.decisions.assembly import DecisionServices
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.permissions import Duty, may, see_approval
from remit.services.inspection.assembly import InspectionServices
from remit.services.inspection.policy_suggestions import SuggestedException
from remit.services.inspection.question_reports import MOST, USUAL, AlikeQuestions
from remit.services.tasks.assembly import TaskServices

#: Number of polls of the store between two keep-alive messages to a watcher.
QUIET_LOOKS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRooms:
    """The rooms that these endpoints work with."""

    tasks: TaskServices
    decisions: DecisionServices
    identity: IdentityServices
    inspection: InspectionServices


class EventLimit(Body, frozen=True, kw_only=True):
    """How many events are read, the newest ones."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = USUAL


class ApprovalFilter(Body, frozen=True, kw_only=True):
    """Filter for approvals."""

    state: ApprovalState | None = None
    task: str = ""


class ApprovalAnswer(Body, frozen=True, kw_only=True):
    """A human's answer to an approval.

    `call` is the digest of the call that the human was shown: with another call, there is no answer. A `most`
    above 1 permits so many calls as the approval's `offer` describes them, `until` a moment (without: as long
    as offered). `narrow` permits less than was asked: it has a narrower value for each argument that changes,
    of those in the approval's `narrowable`. The answer is then the approval of the narrower call.
    `instead_of` is an absent approver who has named the caller as substitute. Where several people must
    approve, the approval stays `pending` until the last of them has.
    """

    approve: bool
    comment: str = ""
    call: str = ""
    most: int = 1
    until: Moment | None = None
    narrow: dict[str, Json] = {}
    instead_of: str = ""


class GlassBreaking(Body, frozen=True, kw_only=True):
    """Why one person approves in place of the people that the rules demand; `call` as in an answer."""

    reason: str
    call: str = ""


class AfterReview(Body, frozen=True, kw_only=True):
    """What the after-review found."""

    comment: str


class ApprovalWithdrawal(Body, frozen=True, kw_only=True):
    """Why an approval is withdrawn."""

    comment: str = ""


async def _visible(
    errand: RestRequest[ApprovalRooms], person: Person, state: ApprovalState | None, task: str
) -> list[Approval]:
    found = await errand.rooms.decisions.approvals.listed(state, task)
    if may(person, Duty.APPROVE) or may(person, Duty.AUDIT):
        return found
    return [one for one in found if await _sees(errand, person, one)]


async def _sees(errand: RestRequest[ApprovalRooms], person: Person, approval: Approval) -> bool:
    task = await errand.rooms.tasks.tasks.find(approval.task)
    return see_approval(approval, task, person)


async def listed(errand: RestRequest[ApprovalRooms]) -> Items[ApprovalView]:
    """Return the approvals that the caller may see, newest first."""
    wanted: ApprovalFilter = errand.query
    found = await _visible(errand, errand.someone, wanted.state, wanted.task)
    return Items(tuple(approval_view(one) for one in found))


async def _one(errand: RestRequest[ApprovalRooms]) -> Approval:
    approval = await errand.rooms.decisions.approvals.get(errand.place["approval"])
    if not await _sees(errand, errand.someone, approval):
        raise NotFound(f"approval `{approval.id}` does not exist", remediation="see `remit approvals`")
    return approval


async def shown(errand: RestRequest[ApprovalRooms]) -> ApprovalView:
    """Return one approval with the arguments of the call, the rules that required it, and the reasons."""
    return approval_view(await _one(errand))


async def answered(errand: RestRequest[ApprovalRooms]) -> ApprovalView:
    """Approve or deny a call."""
    approval = await _one(errand)
    answer: ApprovalAnswer = errand.body
    done = await errand.rooms.decisions.approvals.answer(
        approval.id,
        errand.someone,
        approve=answer.approve,
        comment=answer.comment,
        call=answer.call,
        most=answer.most,
        until=answer.until,
        narrow=answer.narrow,
        instead_of=answer.instead_of,
        session=await errand.rooms.identity.authenticator.session_of(errand.secret),
    )
    return approval_view(done)


async def withdrawn(errand: RestRequest[ApprovalRooms]) -> ApprovalView:
    """Withdraw an approval."""
    approval = await _one(errand)
    body: ApprovalWithdrawal = errand.body
    return approval_view(
        await errand.rooms.decisions.approvals.withdraw(approval.id, errand.someone, comment=body.comment)
    )


async def broken(errand: RestRequest[ApprovalRooms]) -> ApprovalView:
    """Break the glass."""
    approval = await _one(errand)
    body: GlassBreaking = errand.body
    done = await errand.rooms.decisions.glass.approve(
        approval.id,
        errand.someone,
        body.reason,
        call=body.call,
        session=await errand.rooms.identity.authenticator.session_of(errand.secret),
    )
    return approval_view(done)


async def reviewed(errand: RestRequest[ApprovalRooms]) -> FindingView:
    """Review a broken glass."""
    approval = await _one(errand)
    body: AfterReview = errand.body
    return finding_view(await errand.rooms.decisions.glass.review(approval.id, errand.someone, body.comment))


async def stats(errand: RestRequest[ApprovalRooms]) -> QuestionFigures:
    """Return the figures of questions to people."""
    return await errand.rooms.inspection.questions.figures(errand.query.limit)


async def alike(errand: RestRequest[ApprovalRooms]) -> AlikeQuestions:
    """Return the recorded questions that an answer with the offered bounds would have spared."""
    approval = await _one(errand)
    return await errand.rooms.inspection.questions.alike(approval.id, errand.query.limit)


async def suggestions(errand: RestRequest[ApprovalRooms]) -> Items[SuggestedException]:
    """Return policy changes that would spare people questions that they always approve."""
    found = await errand.rooms.inspection.suggestions.suggested(errand.query.limit, by=errand.by)
    return Items(tuple(found))


async def watched(errand: RestRequest[ApprovalRooms]) -> StreamingResponse:
    """Stream each new and each changed approval, for as long as the session lives."""
    return StreamingResponse(_changes(errand), media_type="text/event-stream", headers=HEADERS)


async def _changes(errand: RestRequest[ApprovalRooms]) -> AsyncIterator[bytes]:
    known: dict[str, tuple[ApprovalState, int]] = {}
    quiet = 0
    first = True
    while True:
        try:
            # The session is checked each time: a sign-out or a lost role ends the stream.
            person = await errand.rooms.identity.authenticator.person(errand.secret, errand.arrived.seen.jkt)
        except Unauthenticated:
            return
        told = False
        for approval in reversed(await _visible(errand, person, None, "")):
            # An answer of several, and an escalation, change an approval that stays pending.
            now = approval.state, approval.revision
            if known.get(approval.id) == now:
                continue
            known[approval.id] = now
            if first and approval.state is not ApprovalState.PENDING:
                continue
            told = True
            data = msgspec.json.encode(approval_view(approval))
            yield b"event: approval\ndata: " + data + b"\n\n"
        first = False
        quiet = 0 if told else quiet + 1
        if quiet % QUIET_LOOKS == 1:
            yield b": nothing new\n\n"
        await asyncio.sleep(errand.desk.watch_s)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/approvals",
        summary="List approvals, newest first; approvers and auditors see all, other people those of "
        "their tasks",
        serve=listed,
        people=Duty.OWN,
        asks=ApprovalFilter,
        gives=Items[ApprovalView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/approvals/watch",
        summary="Watch approvals: the open ones, then each new or changed one, as server-sent events "
        "`approval`",
        serve=watched,
        people=Duty.OWN,
        gives=ApprovalView,
        media="text/event-stream",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/approvals/stats",
        summary="Count questions to people in the evidence: how they were answered, how fast, and which rule "
        "asked",
        serve=stats,
        people=Duty.OVERSEE,
        asks=EventLimit,
        gives=QuestionFigures,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/approvals/suggestions",
        summary="Suggest policy changes that would spare people questions that they always approve; nothing "
        "is applied",
        serve=suggestions,
        people=Duty.AUDIT,
        asks=EventLimit,
        gives=Items[SuggestedException],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/approvals/{approval}/alike",
        summary="Count the recorded questions that an answer with the offered bounds would have spared",
        serve=alike,
        people=Duty.APPROVE,
        asks=EventLimit,
        gives=AlikeQuestions,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/approvals/{approval}",
        summary="Show an approval: the exact call, the rules that require it, and the reasons",
        serve=shown,
        people=Duty.OWN,
        gives=ApprovalView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/approvals/{approval}",
        summary="Approve or deny one exact call, once, or within the bounds that are offered, or less than "
        "was asked; never one's own request",
        serve=answered,
        people=Duty.APPROVE,
        takes=ApprovalAnswer,
        gives=ApprovalView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/approvals/{approval}/withdraw",
        summary="Withdraw an approval that was given and is not used up",
        serve=withdrawn,
        people=Duty.APPROVE,
        takes=ApprovalWithdrawal,
        gives=ApprovalView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/approvals/{approval}/break-glass",
        summary="Approve alone, at once, what needs further people; off unless configured, and reviewed "
        "afterwards",
        serve=broken,
        people=Duty.APPROVE,
        takes=GlassBreaking,
        gives=ApprovalView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/approvals/{approval}/review",
        summary="Review an approval for which the glass was broken, as another person; resolves its finding",
        serve=reviewed,
        people=Duty.OVERSEE,
        takes=AfterReview,
        gives=FindingView,
    ),
)
