# SPDX-License-Identifier: Apache-2.0
"""Access requests: denied calls that a person may approve (AuthZEN Access Request and Approval Profile).

The evaluation that defers asks people for an approval; an access request refers to that evaluation. The task
of an access request is the approval: `pending`, `approved`, `partial`, `denied` or `expired`. A used approval
is also `expired`. After an approval the enforcement point evaluates again, and the new evaluation decides;
after a `partial` one it tells the narrower request that was permitted (`instead`).
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response

from remit.api.authzen.evaluation import REFUSALS, point_of
from remit.api.authzen.mapping import question
from remit.api.authzen.messages import AccessRequestAnswer, AccessRequestForm, ApprovalTask, EvaluationForm
from remit.api.authzen.paths import REQUESTS_PATH
from remit.api.authzen.rooms import AuthzenRooms
from remit.api.http_messages import HEADERS, PROBLEM, answer
from remit.api.rest.route import RestRequest
from remit.core.decisions.access_request import call_digest
from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.errors import NotFound
from remit.core.evidence.event import timestamp
from remit.core.json_value import Json
from remit.services.authzen.enforcement_points import EnforcementPoint

_ERROR = "urn:openid:authzen:access-request:error:"
_STATUS = {
    ApprovalState.PENDING: "pending",
    ApprovalState.APPROVED: "approved",
    ApprovalState.DENIED: "denied",
    ApprovalState.NARROWED: "partial",
    ApprovalState.EXPIRED: "expired",
    ApprovalState.CONSUMED: "expired",
}


async def submitted(errand: RestRequest[AuthzenRooms]) -> Response:
    """Return the task of an access request: the approval that the denied evaluation asked for."""
    form: AccessRequestForm = errand.body
    point, caller = point_of(errand)
    rooms = errand.rooms
    if errand.desk.clock.now() >= form.denial.expires_at:
        return _problem("expired_denial", 410, "the denial has expired; evaluate again")
    approval = await _of(errand, point, form.denial.evaluation_id.partition("~")[2])
    if approval is None:
        return _problem("invalid_denial_binding", 400, "this denial cannot be approved")
    try:
        one = EvaluationForm(
            subject=form.subject, action=form.action, resource=form.resource, context=form.context
        )
        asked = question(one, point, caller)
        claims = await rooms.answers.subjects.claims(point, caller, asked.subject, errand.desk.clock.now())
    except REFUSALS:
        return _problem("invalid_denial_binding", 400, "the request does not match the denied one")
    tool = f"{asked.asked.upstream}/{asked.asked.name}"
    if approval.call != call_digest(claims.task, tool, asked.asked.arguments):
        return _problem("invalid_denial_binding", 400, "the request does not match the denied one")
    told = _told(approval, errand.desk.public_url)
    response = answer(told, 202 if approval.state is ApprovalState.PENDING else 201)
    response.headers["Location"] = told.task.status_endpoint
    return response


async def shown(errand: RestRequest[AuthzenRooms]) -> Response:
    """Return the state of an access request."""
    point, _ = point_of(errand)
    approval = await _of(errand, point, errand.place["request"])
    if approval is None:
        return _problem("unknown_task", 404, "the access request does not exist")
    return answer(_told(approval, errand.desk.public_url))


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


def _told(approval: Approval, public_url: str) -> AccessRequestAnswer:
    status = _STATUS[approval.state]
    if status == "approved":
        until = {"id": approval.id, "approved_until": timestamp(approval.expires)}
        moment = {"approved_at": timestamp(approval.decided)} if approval.decided else {}
        return AccessRequestAnswer(
            task=_task(approval, status, public_url),
            result={"mode": "reevaluate", "approval": until | moment},
        )
    if status == "partial":
        result: dict[str, Json] = {"mode": "reevaluate", "approval": {"id": approval.instead}}
        return AccessRequestAnswer(task=_task(approval, status, public_url), result=result)
    return AccessRequestAnswer(task=_task(approval, status, public_url))


def _task(approval: Approval, status: str, public_url: str) -> ApprovalTask:
    return ApprovalTask(
        id=approval.id,
        status=status,
        status_endpoint=f"{public_url}{REQUESTS_PATH}/{approval.id}",
        expires_at=approval.expires,
    )


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
