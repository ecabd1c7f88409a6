# SPDX-License-Identifier: Apache-2.0
"""Questions to people: the list, one question with its answers, what an answer would spare, and figures.

The answer is bound to the digest of the call that the page showed. A question that has changed, was answered
or has expired in the meantime is shown as it stands now.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from starlette.responses import Response

from remit.api.console.charts import part_bar
from remit.api.console.evidence_rows import CallRow, EventRow, call_rows, event_row
from remit.api.console.graphs import question_graph
from remit.api.console.page import ROOT, ConsoleRequest, address_of
from remit.api.console.questions import arguments, card, grouped, person_behind, state_word
from remit.api.oauth.browser import sign_in
from remit.api.oauth.forms import Form
from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.approvers import in_words
from remit.core.decisions.narrowing import NarrowedBy
from remit.core.errors import Conflict, Forbidden, Malformed, NotFound, RemitError
from remit.core.evidence.chain import Chain
from remit.core.evidence.event import EventKind
from remit.core.json_value import Json
from remit.services.decisions.approvals import MAX_LISTED
from remit.services.decisions.approvers import signed_in_just_now
from remit.services.evidence.event_search import EventSearch
from remit.services.identity.permissions import Duty, see_approval, see_data
from remit.services.inspection.question_reports import MOST

#: Groups of one page, questions that a group names, and answered ones below them.
GROUPS: Final = 25
NAMED: Final = 20
RECENT: Final = 20
#: Bytes of the texts of one question that the list reads; a longer question is told by its tool alone.
LONGEST: Final = 16_384
#: Events about calls of the task that are read for those of the question.
EVENTS: Final = 200
#: Events of the task that a search for these looks at, and that a chain reads.
LOOKED_AT: Final = 5_000
CHAINED: Final = 10_000
#: Elements of a list that can be chosen one by one.
ELEMENTS: Final = 200
#: Events that the figures read at first.
FIGURES: Final = 2_000
#: For how long several calls may be permitted, in seconds; beside these until the end of the offer.
SPANS: Final = (300, 900, 3600, 14_400, 86_400)
_CALLS: Final = (EventKind.DECISION_MADE, EventKind.TOOL_CALLED)
_TOLD: Final = {
    ApprovalState.APPROVED: "approved",
    ApprovalState.DENIED: "refused",
    ApprovalState.PENDING: "counted",
}
_ENDED: Final = tuple(one for one in ApprovalState if one is not ApprovalState.PENDING)


class UsedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the log holds about a question: the decision that asked, and the calls that used its answer."""

    asked: EventRow | None = None
    calls: tuple[CallRow, ...] = ()

    @property
    def flow(self) -> tuple[Mapping[str, Any], ...]:
        """What is recorded of the arguments' origins."""
        return tuple(self.asked.facts.get("flow") or ()) if self.asked else ()


class NarrowingControl(msgspec.Struct, frozen=True, kw_only=True):
    """How one argument can be narrowed; `field` names its form field, `elements` are those of a list."""

    field: str
    name: str
    how: str
    asked: Json
    elements: tuple[Json, ...] = ()


# The list.


async def listed(visit: ConsoleRequest) -> Response:
    """Show the open questions, those with the highest risk first, and those that were answered last."""
    rooms = visit.rooms
    skip = _number(visit.asked("from"), 0, 1_000_000)
    page = _number(visit.asked("page"), 1, 10_000)
    state = visit.asked("state")
    wanted = ApprovalState(state) if state in set(ApprovalState) else None
    found = await rooms.decisions.approvals.newest(ApprovalState.PENDING, skip=skip, length=LONGEST)
    seen = visit.visible([one for one in found if one.state is ApprovalState.PENDING])
    about = [one for one in seen if _about(visit, one)] if wanted in (None, ApprovalState.PENDING) else []
    groups = grouped(about, rooms.decisions.authorizer.tool)
    start = (page - 1) * GROUPS
    return await visit.show(
        "approvals.html",
        groups=groups[start : start + GROUPS],
        named=NAMED,
        open_questions=len(about),
        page=page,
        pages=max(1, -(-len(groups) // GROUPS)),
        skip=skip,
        older=skip + MAX_LISTED if len(found) == MAX_LISTED else 0,
        recent=await _recent(visit, wanted),
        state=state if wanted else "",
        states=[one.value for one in ApprovalState],
        agents=sorted({one.agent for one in seen}),
        tools=sorted({one.tool for one in seen}),
        agent=visit.asked("agent"),
        tool=visit.asked("tool"),
        overseen=visit.may(Duty.OVERSEE),
    )


def _about(visit: ConsoleRequest, one: Approval) -> bool:
    agent, tool = visit.asked("agent").strip(), visit.asked("tool").strip()
    return agent in ("", one.agent) and tool in ("", one.tool)


async def _recent(visit: ConsoleRequest, wanted: ApprovalState | None) -> list[Approval]:
    """Return the questions that were answered, or ended otherwise, last."""
    if wanted is ApprovalState.PENDING:
        return []
    read = visit.rooms.decisions.approvals.newest
    limit = 100 if wanted is not None else RECENT
    found = [one for state in ([wanted] if wanted else _ENDED) for one in await read(state, limit=limit)]
    found = [one for one in visit.visible(found) if _about(visit, one)]
    found.sort(key=lambda one: (one.decided or one.requested, one.id), reverse=True)
    return found[:limit]


def _number(text: str, low: int, high: int) -> int:
    return min(high, max(low, int(text))) if text.isascii() and text.isdecimal() and len(text) < 10 else low


# One question.


async def show(visit: ConsoleRequest) -> Response:
    """Show one question with everything that an answer needs."""
    return await _drawn(visit, await _one(visit))


async def _one(visit: ConsoleRequest) -> Approval:
    approval = await visit.rooms.decisions.approvals.find(visit.part("approval"))
    task = await visit.rooms.tasks.tasks.find(approval.task) if approval else None
    if approval is None or not see_approval(approval, task, visit.someone):
        raise NotFound(
            f"question `{visit.part('approval')[:80]}` does not exist",
            remediation=f"see the open ones at {ROOT}/approvals",
        )
    return approval


async def _drawn(
    visit: ConsoleRequest, approval: Approval, *, told: RemitError | None = None, status: int = 200
) -> Response:
    rooms = visit.rooms
    task = await rooms.tasks.tasks.find(approval.task)
    tool = rooms.decisions.authorizer.tool(approval.tool)
    used = await _used(visit, approval)
    pending = approval.state is ApprovalState.PENDING
    seat = visit.seat
    rules = {one.id: one for one in rooms.policies.applied.policy.rules()}
    return await visit.show(
        "approval.html",
        status=status,
        told=told,
        approval=approval,
        card=card(approval, tool),
        task=task,
        arguments=arguments(approval, tool.called_with(approval.arguments), used.flow),
        graph=_graph(approval, None, used),
        rules=[(one, rules.get(one.id)) for one in approval.rules],
        reasons=_untold(approval),
        used=used.calls,
        pending=pending,
        why_not=why_not(visit, approval) if pending else "",
        strong=not approval.step_up or signed_in_just_now(seat.session if seat else None, visit.now),
        controls=_controls(approval),
        spans=_spans(approval, visit.now),
        demand=in_words(approval.approvers, approval.escalated),
        people=approval.needed,
        absent=await _absent(visit) if pending and visit.may(Duty.APPROVE) else [],
        glass=pending and _may_break_glass(visit, approval),
        reviewable=approval.broken_glass and visit.someone.name != approval.decided_by,
        withdrawable=approval.is_live(visit.now) and visit.may(Duty.APPROVE),
    )


async def _absent(visit: ConsoleRequest) -> list[str]:
    """Return the absent approvers in whose place the person may answer now."""
    found = await visit.rooms.decisions.absences.all()
    return [one.person for one in found if one.substitute == visit.someone.name and one.covers(visit.now)]


def _may_break_glass(visit: ConsoleRequest, approval: Approval) -> bool:
    """Return whether the person may approve alone what needs further people or others."""
    rule = visit.rooms.decisions.glass.rule
    return (
        rule is not None
        and rule.group in visit.someone.groups
        and (approval.needed > 1 or any(one.group for one in approval.approvers))
    )


def why_not(visit: ConsoleRequest, approval: Approval) -> str:
    """Return why the person may not answer a question; empty if nothing known speaks against it."""
    if not visit.may(Duty.APPROVE):
        return "You can see this question, and people with the role approver can answer it."
    if visit.someone.name in (approval.requested_for, approval.requested_by):
        return "This is asked for you, so another approver answers it."
    return ""


def _untold(approval: Approval) -> list[str]:
    """Return the reasons that are not told beside a value."""
    beside = {one.reason for one in approval.questioned}
    return [one for one in approval.reasons if one not in beside]


async def _used(visit: ConsoleRequest, approval: Approval) -> UsedAnswer:
    """Return what the log holds about a question: among the newest events of its task, else among those of
    its own time.
    """
    evidence = visit.rooms.evidence
    size = await evidence.log.size()
    found = await evidence.log.pages(before=size, limit=EVENTS, kinds=_CALLS, task=approval.task)
    asked = _asking(found, approval)
    if asked is None and len(found) == EVENTS:
        wanted = EventSearch(task=approval.task, tool=approval.tool, kinds=_CALLS, since=approval.requested)
        found = (await evidence.searches.search(wanted, limit=EVENTS, most=LOOKED_AT)).entries
        asked = _asking(found, approval)
    calls = [
        one
        for one in call_rows(found)
        if one.decision.facts.get("approval") == approval.id and one.decision.facts["outcome"] == "permit"
    ]
    return UsedAnswer(asked=asked, calls=tuple(calls))


def _asking(found: Sequence[Any], approval: Approval) -> EventRow | None:
    """Return the newest decision that asked a question; that of a narrower call is the wider one's."""
    wanted = approval.narrows or approval.id
    decisions = (event_row(one) for one in reversed(found) if one.kind == EventKind.DECISION_MADE)
    return next(
        (one for one in decisions if one.facts.get("approval") == wanted and one.facts["outcome"] == "defer"),
        None,
    )


async def chain(visit: ConsoleRequest) -> Response:
    """Show the calls that led to the question, also those of other tasks, whose data it has."""
    approval = await _one(visit)
    see_data(visit.someone)
    used = await _used(visit, approval)
    found: Chain | None = None
    if used.asked is not None:
        with contextlib.suppress(NotFound):
            found = await visit.rooms.evidence.chains.of(str(used.asked.index), most=CHAINED)
    return await visit.show("chain.html", approval=approval, graph=_graph(approval, found, used), chain=found)


def _graph(approval: Approval, chain: Chain | None, used: UsedAnswer) -> Any:
    delegated = list(used.asked.facts.get("chain") or ()) if used.asked else []
    return question_graph(
        person=person_behind(approval),
        agents=list(reversed([str(one) for one in delegated])) or [approval.agent],
        tool=approval.tool,
        note=state_word(approval),
        chain=chain,
    )


def _controls(approval: Approval) -> list[NarrowingControl]:
    found = []
    for at, (name, how) in enumerate(approval.narrowable.items()):
        asked = approval.arguments.get(name)
        elements = tuple(asked) if isinstance(asked, list) else ()
        if len(elements) <= ELEMENTS:
            found.append(
                NarrowingControl(
                    field=f"narrow-{at}", name=name, how=how.value, asked=asked, elements=elements
                )
            )
    return found


def _spans(approval: Approval, now: datetime) -> list[int]:
    left_s = (approval.offer.until - now).total_seconds() if approval.offer else 0
    return [one for one in SPANS if one < left_s]


# Answers.


async def answer(visit: ConsoleRequest) -> Response:
    """Record the person's answer; show the question as it stands if it cannot be recorded."""
    form = await visit.act()
    visit.require(Duty.APPROVE)
    approval = await _one(visit)
    address = address_of("approvals", approval.id)
    said, comment = form.get("answer"), form.get("comment")[:500]
    session = visit.seat.session if visit.seat else None
    try:
        if said == "glass":
            given = await visit.rooms.decisions.glass.approve(
                approval.id, visit.someone, comment, call=form.need("call"), session=session
            )
        else:
            given = await visit.rooms.decisions.approvals.answer(
                approval.id,
                visit.someone,
                approve=said != "refuse",
                comment=comment,
                call=form.need("call"),
                session=session,
                instead_of=form.get("for"),
                **_terms(said, form, approval, visit.now),
            )
    except (Conflict, Malformed, Forbidden) as fault:
        if fault.code == "step-up":
            return sign_in.first(visit, address, fresh=True)
        status = 403 if isinstance(fault, Forbidden) else 409 if isinstance(fault, Conflict) else 400
        return await _drawn(visit, await _one(visit), told=fault, status=status)
    return visit.then(address, "narrowed" if given.narrows else _TOLD.get(given.state, "saved"))


async def review(visit: ConsoleRequest) -> Response:
    """Record the after-review of an approval for which the glass was broken."""
    form = await visit.act()
    approval = await _one(visit)
    await visit.rooms.decisions.glass.review(approval.id, visit.someone, form.get("comment")[:500])
    return visit.then(address_of("approvals", approval.id), "reviewed")


def _terms(said: str, form: Form, approval: Approval, now: datetime) -> dict[str, Any]:
    """Return what an answer permits, as arguments of `Approvals.answer`; raise `Malformed`."""
    match said:
        case "once" | "refuse":
            return {}
        case "bounded":
            span = form.get("span")
            if span not in ("", *map(str, SPANS)):
                raise Malformed("this duration is not offered", remediation="choose one of the list")
            last = approval.offer.until if approval.offer else approval.expires
            until = min(last, now + timedelta(seconds=int(span))) if span else None
            return {"most": _number(form.get("most"), 0, 1_000_000), "until": until}
        case "narrow":
            return {"narrow": _narrower(form, approval)}
    raise Malformed("this form holds no answer", remediation="reload the page and answer again")


def _narrower(form: Form, approval: Approval) -> dict[str, Json]:
    """Return the values that a person has narrowed; what stayed as it was is left out."""
    wanted: dict[str, Json] = {}
    for one in _controls(approval):
        if one.how == NarrowedBy.FEWER:
            kept = [value for at, value in enumerate(one.elements) if f"{one.field}-{at}" in form]
            if len(kept) < len(one.elements):
                wanted[one.name] = kept
        elif (text := form.get(one.field).strip()) and text != str(one.asked):
            wanted[one.name] = _lower(text) if one.how == NarrowedBy.LOWER else text
    if not wanted:
        raise Malformed("nothing was narrowed", remediation="change a value, or approve exactly this call")
    return wanted


def _lower(text: str) -> Json:
    try:
        value = json.loads(text[:40])
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"`{text[:40]}` is not a number", remediation="write a lower number, above 0")
    return value


async def withdraw(visit: ConsoleRequest) -> Response:
    """Withdraw an approval that was given and is not used up."""
    form = await visit.act()
    visit.require(Duty.APPROVE)
    approval = await _one(visit)
    try:
        await visit.rooms.decisions.approvals.withdraw(
            approval.id, visit.someone, comment=form.get("comment")[:500]
        )
    except Conflict as fault:
        return await _drawn(visit, await _one(visit), told=fault, status=409)
    return visit.then(address_of("approvals", approval.id), "withdrawn")


# Counts.


async def alike(visit: ConsoleRequest) -> Response:
    """Show what the offered answer would have spared in the recorded traffic."""
    visit.require(Duty.APPROVE)
    approval = await _one(visit)
    found = await visit.rooms.inspection.questions.alike(approval.id)
    return await visit.show("alike.html", approval=approval, alike=found)


async def figures(visit: ConsoleRequest) -> Response:
    """Show whether people still read what they approve."""
    read = _number(visit.asked("events"), FIGURES, MOST)
    found = await visit.rooms.inspection.questions.figures(read)
    most = max((one.per_100_calls for one in found.rules), default=0.0)
    return await visit.show(
        "figures.html",
        figures=found,
        read=read,
        choices=(FIGURES, 5 * FIGURES, MOST),
        rules=[(one, part_bar(one.per_100_calls, most)) for one in found.rules[:50]],
    )


async def suggestions(visit: ConsoleRequest) -> Response:
    """Show policy changes that would spare people questions that they always approve; apply none."""
    read = _number(visit.asked("events"), FIGURES, MOST)
    found = await visit.rooms.inspection.suggestions.suggested(read, by=visit.someone.name)
    return await visit.show("suggestions.html", suggestions=found, read=read)
