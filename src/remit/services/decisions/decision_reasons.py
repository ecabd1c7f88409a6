# SPDX-License-Identifier: Apache-2.0
"""Reasons of a decision that need no look into the task: remit's own files, the plan, grants, the rules."""

from __future__ import annotations

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome, PolicyAnswer, Reason
from remit.core.flow.justification import bare
from remit.core.flow.records.participants import NONE, UNREAD, unread
from remit.core.tasks.grant import Grant
from remit.core.tasks.plan import departures

MAX_SHOWN = 20
"""Most participants that a reason names."""
# Module-level names: a class lookup finds a member through the metaclass, which is ten times slower.
_PERMIT, _DENY = Outcome.PERMIT, Outcome.DENY


def own_files(request: AccessRequest) -> list[Reason]:
    """Return the reason to refuse a call that reaches remit's own files.

    INVARIANT: no grant, policy, approval or mode permits such a call.
    """
    if not request.own_files:
        return []
    return [
        Reason(
            code="own-files",
            text=f"`{request.own_files[:80]}` names a file of remit itself, or the settings of a client "
            "behind it, which no agent may read or change",
            rule="remit's own files",
            remediation="name another file; people change remit's files without an agent",
            argument=request.own_files,
        )
    ]


def plan_departures(request: AccessRequest) -> list[Reason]:
    """Return the arguments in which a call departs from the plan's entry for its tool."""
    return [
        Reason(
            code="plan",
            text=one.reason,
            rule="plan",
            remediation=f"the plan: {one.remediation}",
            argument=one.argument,
        )
        for one in departures(request.task.plan, request.tool.id, request.arguments)
    ]


def argument_reasons(grant: Grant, request: AccessRequest) -> list[Reason]:
    """Return the reasons for which a grant does not permit the arguments of a call."""
    return [
        Reason(
            code=refusal.code,
            text=refusal.reason,
            rule=f"grant of {grant.tool} in task type {request.task.type}",
            remediation=refusal.remediation,
            argument=refusal.argument,
        )
        for refusal in grant.permits(request.arguments)
    ]


def policy_reasons(answer: PolicyAnswer, outcome: Outcome) -> list[Reason]:
    """Return the reasons that the policies give for an outcome."""
    if answer.errors:
        text = "; ".join(answer.errors)
        return [
            Reason(
                code="policy-error",
                text=f"a rule could not be evaluated: {text}",
                rule="policy engine",
                remediation="ask an administrator to run `remit policy check`",
            )
        ]
    if outcome is _PERMIT:
        return []
    if answer.asking and outcome is Outcome.DEFER:
        return [*(one for one in answer.reasons if one.code != "permitted"), *_stepping(answer)]
    if not answer.permits and not answer.forbids and not answer.waivable:
        return [Reason(code="no-permit", text="no policy permits this", rule="default deny")]
    if outcome is _DENY and not answer.forbids and not answer.waivable:
        return []  # policy permits; the grant's own reasons refuse
    return [one for one in answer.reasons if one.code != "permitted"]


def _stepping(answer: PolicyAnswer) -> list[Reason]:
    said = {one.rule: one.text for one in answer.reasons if one.code == "permitted"}
    return [
        Reason(
            code="step-up",
            text=said.get(rule.id, f"rule `{rule.id}` asks for a person"),
            rule=rule.id,
            remediation="have it approved by a person who has just signed in with a passkey",
        )
        for rule in answer.asking
    ]


def participants_of(request: AccessRequest) -> list[Reason]:
    """Return the people that a call reaches by a stored thing, or the look-up that shows them."""
    to = request.flow.to
    if to.fact == NONE:
        return []
    if to.fact == UNREAD:
        text = f"the participants of `{bare(to.argument)}` are not known to this task"
        return [Reason(code="unread", text=text, remediation=unread(request.tool, to), rule="participants")]
    shown = ", ".join(f"`{bare(one)}`" for one in to.people[:MAX_SHOWN])
    more = f" and {len(to.people) - MAX_SHOWN} more" if len(to.people) > MAX_SHOWN else ""
    return [Reason(code="participants", text=f"it goes to {shown}{more}", rule="participants")]
