# SPDX-License-Identifier: Apache-2.0
"""Access requests: denied calls that a person may approve (AuthZEN Access Request and Approval Profile).

The evaluation that defers asks people for an approval; an access request refers to that evaluation. The task
of an access request is the approval. After an approval the enforcement point evaluates again, and the new
evaluation decides; after a `partial` one it tells the narrower request that was permitted (`instead`).
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response

from remit.api.authzen.evaluation import REFUSALS, point_of
from remit.api.authzen.mapping import question
from remit.api.authzen.messages import AccessRequestAnswer, AccessRequestForm, ApprovalTask, EvaluationForm
from remit.api.authzen.rooms import AuthzenRooms
from remit.api.http_messages import HEADERS, PROBLEM, answer
from remit.api.rest.route import RestRequest
from remit.core.decisions.access_request import call_digest
from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.errors import NotFound, Unauthenticated
from remit.core.evidence.event import timestamp
from remit.core.identity.principals import Principal
from remit.core.json_value import Json
from remit.services.authzen.enforcement_points import EnforcementPoint

_ERROR = "urn:openid:authzen:access-request:error:"


async def submitted(errand: RestRequest[AuthzenRooms]) -> Response:
    """Return the task of an access request: the approval that the denied evaluation asked for."""
    form: AccessRequestForm = errand.body
    point, caller = point_of(errand)
    rooms = errand.rooms
    evaluation, expires = form.denial.evaluation_id, form.denial.expires_at
    if form.denial.binding_token:
        try:
            named, until = rooms.access_requests.bound(form.denial.binding_token, point.name)
        except Unauthenticated:
            return _problem("invalid_denial_binding", 400, "this token does not bind a denial")
        if evaluation not in ("", named):
            return _problem("invalid_denial_binding", 400, "the token is of another evaluation")
        evaluation, expires = named, min(expires, until)
    if errand.desk.clock.now() >= expires:
        return _problem("expired_denial", 410, "the denial has expired; evaluate again")
    approval = await _of(errand, point, evaluation.partition("~")[2])
    if approval is None:
        return _problem("invalid_denial_binding", 400, "this denial cannot be approved")
    if approval.state is ApprovalState.EXPIRED and not approval.decided_by:
        # What the enforcement point says of the end does not make it later.
        return _problem("expired_denial", 410, "the denial is over; evaluate again")
    if not await _matches(errand, form, point, caller, approval):
        return _problem("invalid_denial_binding", 400, "the request does not match the denied one")
    if form.callback is not None:
        await rooms.access_requests.follow(approval, point, form.callback)
        # It may have been answered meanwhile: then this answer says so, or a callback does.
        approval = await rooms.decisions.approvals.get(approval.id)
    told = await _told(errand, approval)
    response = answer(told, 202 if approval.state is ApprovalState.PENDING else 201)
    response.headers["Location"] = told.task.status_endpoint
    return response


async def _matches(
    errand: RestRequest[AuthzenRooms],
    form: AccessRequestForm,
    point: EnforcementPoint,
    caller: Principal,
    approval: Approval,
) -> bool:
    """Return whether an access request is about exactly the call that was denied."""
    try:
        one = EvaluationForm(
            subject=form.subject, action=form.action, resource=form.resource, context=form.context
        )
        asked = question(one, point, caller)
        subjects = errand.rooms.answers.subjects
        claims = await subjects.claims(point, caller, asked.subject, errand.desk.clock.now())
    except REFUSALS:
        return False
    tool = f"{asked.asked.upstream}/{asked.asked.name}"
    return approval.call == call_digest(claims.task, tool, asked.asked.arguments)


async def shown(errand: RestRequest[AuthzenRooms]) -> Response:
    """Return the state of an access request."""
    point, _ = point_of(errand)
    approval = await _of(errand, point, errand.place["request"])
    if approval is None:
        return _problem("unknown_task", 404, "the access request does not exist")
    return answer(await _told(errand, approval))


async def _of(
    errand: RestRequest[AuthzenRooms], point: EnforcementPoint, approval_id: str
) -> Approval | None:
    """Return an approval if this enforcement point may see it."""
    rooms = errand.rooms
    try:
        approval = await rooms.decisions.approvals.get(approval_id)
        agent = await rooms.identity.directory.agent(approval.agent)
    except NotFound:
        return None
    known = point.covers(agent) and approval.tool.partition("/")[0] in point.resources
    return approval if known else None


async def _told(errand: RestRequest[AuthzenRooms], approval: Approval) -> AccessRequestAnswer:
    requests = errand.rooms.access_requests
    state = await requests.state_of(approval)
    task = ApprovalTask(
        id=approval.id,
        status=state,
        status_endpoint=f"{requests.requests_url}/{approval.id}",
        expires_at=approval.expires,
    )
    if state == "approved":
        until = {"id": approval.id, "approved_until": timestamp(approval.expires)}
        moment = {"approved_at": timestamp(approval.decided)} if approval.decided else {}
        return AccessRequestAnswer(task=task, result={"mode": "reevaluate", "approval": until | moment})
    if state == "partial":
        result: dict[str, Json] = {"mode": "reevaluate", "approval": {"id": approval.instead}}
        return AccessRequestAnswer(task=task, result=result)
    return AccessRequestAnswer(task=task)


def _problem(kind: str, status: int, detail: str) -> Response:
    """Return a problem with a type that the profile defines."""
    told = {
        "type": _ERROR + kind,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": kind.replace("_", "-"),
    }
    return Response(msgspec.json.encode(told), status_code=status, headers=HEADERS, media_type=PROBLEM)
