# SPDX-License-Identifier: Apache-2.0
"""AuthZEN answers: a decision, and in its context the reasons, the validity, and the way to an approval.

`reason_admin` holds the complete reason and is for the enforcement point's own log. `reason_user` may be
shown to the subject: it reveals nothing of a tool that is not granted to the task.
"""

from __future__ import annotations

import msgspec

from remit.api.authzen.messages import EvaluationAnswer
from remit.api.http_messages import status_of
from remit.core.decisions.approval import Approval
from remit.core.decisions.decision import Decision, Reason
from remit.core.decisions.mediation import Permitted, Refused
from remit.core.decisions.obligations import CUSTOM, REDACT, values_of
from remit.core.errors import RemitError
from remit.core.evidence.event import timestamp
from remit.core.json_value import Json
from remit.services.authzen.access_requests import REQUESTS_PATH

NOT_PERMITTED = "this is not permitted"


def permitted(end: Permitted) -> EvaluationAnswer:
    """Return a permit: it is valid until `valid_until`, and its result is reported under `evaluation_id`."""
    context = _common(end)
    if end.decision.valid_until is not None:
        context["valid_until"] = timestamp(end.decision.valid_until)
    if due := _obligations(end.decision):
        context["obligations"] = due
    if end.decision.approval:
        context["approval"] = {"id": end.decision.approval}
    if end.decision.observed:
        context |= {"observed": True, **_reasons(end.decision)}
    return EvaluationAnswer(decision=True, context=context)


def _obligations(decision: Decision) -> list[dict[str, Json]]:
    """Return what the enforcement point has to do: draft obligations profile, section 5.4 (`custom`)."""
    fields = values_of(decision.obligations, REDACT)
    out: list[dict[str, Json]] = []
    if fields:
        out.append({"type": "custom", "vendor": "remit", "action": REDACT, "fields": list(fields)})
    custom = values_of(decision.obligations, CUSTOM)
    out += [{"type": "custom", "vendor": "remit", "action": word} for word in custom]
    return [{**one, "id": f"obl-{place}"} for place, one in enumerate(out, 1)]


def evaluation_of(end: Refused, approval: Approval) -> str:
    """Return the id of a denied evaluation that a person may approve; it names the approval."""
    return f"{end.decision.id}~{approval.id}"


def refused(
    end: Refused, approval: Approval | None, public_url: str, *, binding: str, again: bool
) -> EvaluationAnswer:
    """Return a refusal; if a person may approve, include how to request it (`access_request`).

    `binding` is the token that binds such a request to this denial. `again` is whether the request included
    an approval: `next_action` then states the next step.
    """
    context = _common(end) | _reasons(end.decision)
    if end.decision.instead is not None:
        context["instead"] = msgspec.to_builtins(end.decision.instead)
    if approval is not None:
        context["evaluation_id"] = evaluation_of(end, approval)
        context["reason"] = "approval_required"
        context["access_request"] = {
            "endpoint": public_url + REQUESTS_PATH,
            "expires_at": timestamp(approval.expires),
            "binding_token": binding,
        }
    if again:
        context["next_action"] = "request" if approval is not None else "none"
    return EvaluationAnswer(decision=False, context=context)


def faulty(error: RemitError, *, told: bool = True) -> EvaluationAnswer:
    """Return the refusal for an error. For an internal error (or `told` false) it reveals only the code."""
    status = status_of(error)
    message = str(error) if told and status != 500 else "remit could not decide this"
    return EvaluationAnswer(
        decision=False,
        context={
            "reason": error.code,
            "reason_admin": {"en": message},
            "reason_user": {"en": NOT_PERMITTED},
            "error": {"status": status, "message": message},
        },
    )


def _common(end: Permitted | Refused) -> dict[str, Json]:
    return {"evaluation_id": end.decision.id, "evaluated_at": timestamp(end.request.now)}


def _reasons(decision: Decision) -> dict[str, Json]:
    if not decision.reasons:
        return {"reason": decision.outcome.value}
    first = decision.reasons[0]
    return {
        "reason": first.code,
        "reason_admin": {"en": _whole(first)},
        "reason_user": {"en": _shown(first)},
        "reasons": [
            {
                "id": str(place),
                "code": one.code,
                "reason_admin": {"en": _whole(one)},
                "reason_user": {"en": _shown(one)},
            }
            for place, one in enumerate(decision.reasons)
        ],
    }


def _whole(reason: Reason) -> str:
    rule = f" ({reason.rule})" if reason.rule else ""
    return f"{reason.text}{rule}{'; ' + reason.remediation if reason.remediation else ''}"


def _shown(reason: Reason) -> str:
    if reason.code == "not-granted":
        return NOT_PERMITTED
    return f"{reason.text}{'; ' + reason.remediation if reason.remediation else ''}"
