# SPDX-License-Identifier: Apache-2.0
"""Step 4: whether the obligations of a permit can be met; step 8: the fields that one redacts.

An obligation that is not known here, or that the party carrying out the call cannot meet, is a refusal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.approval import Approval
from remit.core.decisions.decision import Decision, Outcome, Reason
from remit.core.decisions.obligations import (
    NOTIFY,
    REDACT,
    REQUIRE_REASON,
    STEP_UP,
    Obligation,
    read_obligations,
    values_of,
)
from remit.core.evidence.event import Event
from remit.core.evidence.events.decisions import NotificationDue
from remit.core.safe_text import legible
from remit.core.tools.tool import WithheldBy
from remit.services.decisions.call_events import event_about

_RULE = "obligations"
#: How an agent states its reason.
STATE_A_REASON = "call again with a reason: the argument `remit:reason`, or the header `remit-reason`"


def unmet(
    request: AccessRequest, texts: Iterable[str], approval: Approval | None, addressees: Collection[str]
) -> list[Reason]:
    """Return a reason for each obligation that cannot be met; `approval` is the one that permits the call."""
    return [
        reason
        for one in read_obligations(texts)
        if (reason := _fault(one, request, approval, addressees)) is not None
    ]


def _fault(
    one: Obligation, request: AccessRequest, approval: Approval | None, addressees: Collection[str]
) -> Reason | None:
    if one.kind == NOTIFY:
        return None if one.value in addressees else _no_addressee(one)
    if one.kind == REQUIRE_REASON:
        said = (request.stated_reason, approval.comment if approval is not None else "")
        # Characters without a shape are no reason that anyone could read.
        return None if any(map(legible, said)) else _no_reason(request)
    if one.kind == STEP_UP:
        return None if approval is not None and approval.step_up else _no_step_up()
    if one.kind not in request.carries_out:
        return _cannot(one, request)
    if one.kind == REDACT and not request.enforcement_point:
        known = any(field.path == one.value for field in request.tool.fields)
        return None if known else _no_field(one, request)
    return None


def _cannot(one: Obligation, request: AccessRequest) -> Reason:
    point = request.enforcement_point
    return Reason(
        code="obligation",
        text=f"`{point}` does not carry out the obligation `{one.text}`"
        if point
        else f"the obligation `{one.text}` cannot be met here",
        rule=_RULE,
        remediation="let the enforcement point carry it out, and state `custom` in `obligations_supported`"
        if point
        else "remove the obligation from the rule, or make the call where it can be met",
    )


def _no_field(one: Obligation, request: AccessRequest) -> Reason:
    return Reason(
        code="obligation",
        text=f"`{request.tool.id}` describes no field `{one.value}` that could be redacted",
        rule=_RULE,
        remediation="describe it in the tool's file under `fields`, or correct the rule",
    )


def _no_addressee(one: Obligation) -> Reason:
    return Reason(
        code="obligation",
        text=f"`{one.value}` cannot be notified",
        rule=_RULE,
        remediation="name an addressee under `notify` in remit.yaml, or correct the rule",
    )


def _no_reason(request: AccessRequest) -> Reason:
    text = f"a call of `{request.tool.id}` needs a stated reason"
    return Reason(code="reason-required", text=text, rule=_RULE, remediation=STATE_A_REASON)


def _no_step_up() -> Reason:
    return Reason(
        code="step-up",
        text="the approval was given without a fresh sign-in by passkey",
        rule=_RULE,
        remediation="call again, so that it is asked again",
    )


def redacted(request: AccessRequest, decision: Decision) -> AccessRequest:
    """Return a permitted request whose tool withholds the fields that the permit redacts."""
    paths = values_of(decision.obligations, REDACT) if decision.obligations else ()
    if not paths or request.observed or request.enforcement_point:
        return request
    fields = tuple(
        msgspec.structs.replace(one, withheld=one.withheld or WithheldBy.POLICY) if one.path in paths else one
        for one in request.tool.fields
    )
    return msgspec.structs.replace(request, tool=msgspec.structs.replace(request.tool, fields=fields))


def due_notifications(request: AccessRequest, decision: Decision) -> Iterator[Event]:
    """Yield the notifications that a permit demands; they leave once the permit is durable."""
    if decision.outcome is not Outcome.PERMIT:
        return
    for name in values_of(decision.obligations, NOTIFY):
        due = NotificationDue(
            addressee=name,
            tool=request.tool.id,
            rules=[rule.id for rule in decision.rules],
            task_type=request.task.type,
        )
        yield event_about(due, request, decision)
