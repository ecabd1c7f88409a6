# SPDX-License-Identifier: Apache-2.0
"""Events of a call for the evidence: its decision, a raised label, and its outcome."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Collection
from datetime import datetime
from itertools import islice

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.decisions.decision_facts import recorded
from remit.core.errors import Fenced, KeyUnavailable, UpstreamUnreachable
from remit.core.evidence.event import CallOutcome, Event, EventBody, timestamp
from remit.core.evidence.events.decisions import ActionExecuted, DataRead, DecisionMade, ToolCalled
from remit.core.evidence.events.flow import LabelLowered, LabelRaised
from remit.core.flow.justification import Encounter, Justification
from remit.core.flow.records.withheld_fields import WHOLE
from remit.core.flow.stored_labels import ResourceWrite
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import ArgumentRole, Effect, Tool, fill
from remit.services.tasks.live_tasks import LiveTask

# Module-level names: a class lookup finds a member through the metaclass, which is ten times slower.
_NOT_SENT, _OK = CallOutcome.NOT_SENT, CallOutcome.OK
_NONE = Effect.NONE
_SELECTOR, _DESTINATION = ArgumentRole.SELECTOR, ArgumentRole.DESTINATION

#: Arguments above this size are recorded by digest only.
MAX_SEALED_BYTES = 65_536
#: Limits of the arguments, and of the origins of each, in a decision's event.
MAX_JUSTIFIED = 24
MAX_ORIGINS = 4
MAX_FIELD = 80
#: Limit of the withheld fields in the event of a call.
MAX_WITHHELD = 40
# A key of a result that looks like a field name. Any other key may be a value, and values are never readable.
_MAX_NAME = 40
_NAME = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_:-]{0,39})?(?:\[\])*", re.ASCII)


def decision_event(request: AccessRequest, decision: Decision, number: int = 0) -> Event:
    """Return the event of a decision.

    It contains the request, the deciding rules, the bundle, and the justification of each argument. `number`
    is the call's number in its task, if the call proceeds.
    """
    made = DecisionMade(
        tool=request.tool.id,
        outcome=decision.outcome._value_,
        tier=request.tier.word,
        effect=request.tool.effect,
        audience=request.tool.audience.name,
        assurance=request.principal.assurance.word,
        sender=request.principal.confirmation.word,
        data_class=request.label.data_class,
        categories=sorted(request.label.categories),
        rules=[[rule.id, rule.digest] for rule in decision.rules],
        bundle=decision.bundle,
        obligations=list(decision.obligations),
        facts=recorded(request),
        stated_reason=request.stated_reason,
        arguments=kept(unsensitive(request.tool, request.arguments)),
    )
    if number:
        made.number = number
    if request.flow.arguments:
        made.flow = justified(request.flow.arguments)
    if request.flow.record:
        made.record_facts = request.flow.record
    if request.rest.writers:
        made.rest = [_wrote(one) for one in request.rest.writers]
        made.rest_resources = [one.resource for one in request.rest.writers]
    if request.principal.method is not None:
        made.method = request.principal.method._value_
    if request.task.lineage:
        made.chain = list(request.task.actors)
    if decision.reasons:
        made.reasons = [{"code": one.code, "rule": one.rule} for one in decision.reasons]
        made.reason_texts = [one.text for one in decision.reasons]
        if any(one.remediation for one in decision.reasons):
            made.remedies = [one.remediation for one in decision.reasons]
    if decision.approval:
        made.approval = decision.approval
    if decision.approval_left is not None:
        made.approval_left = decision.approval_left
    if decision.observed:
        made.observed = True
    if request.follows:
        made.follows = request.follows
    if request.unconstrained:
        made.sender_constraint = "optional"
    if request.enforcement_point:
        made.enforced_by = request.enforcement_point
        made.asked_with = request.asked_with.word
    if decision.valid_until is not None:
        made.valid_until = timestamp(decision.valid_until)
    return event_about(made, request, decision)


def event_about(body: EventBody, request: AccessRequest, decision: Decision) -> Event:
    """Return an event about a decided call, at the time of the request."""
    return Event.of(
        body,
        at=request.now,
        tenant=request.principal.tenant,
        task=request.task.id,
        agent=request.agent.name,
        subject=request.task.subject,
        call=decision.id,
    )


def _wrote(by: ResourceWrite) -> dict[str, Json]:
    """Return the evidence form of a call that wrote what is read; the resource it wrote to is sealed."""
    return {
        "upstream": by.upstream,
        "task": by.task,
        "agent": by.agent,
        "decision": by.decision,
        "tool": by.tool,
        "number": by.call,
        "trust": by.trust.value,
        "class": by.data_class,
    }


def justified(arguments: dict[str, Justification]) -> list[dict[str, Json]]:
    """Return the evidence form of each argument's justification: without values, and bounded.

    `stated` is where the intent states it (`parameter x`, or `words`). `origins` are `[number of the call, id
    of its decision, tool, field, trust]`, so that a chain can be followed from call to call. In fields, `*`
    replaces keys that may be values themselves.
    """
    out: list[dict[str, Json]] = []
    # The worst come first, because a limit applies.
    told = arguments.items() if len(arguments) == 1 else sorted(arguments.items(), key=_unjustified)
    for name, one in islice(told, MAX_JUSTIFIED):
        entry: dict[str, Json] = {"argument": _plain(name), "provenance": one.provenance._value_}
        if one.stated is not None:
            entry["stated"] = f"parameter {_plain(one.stated.parameter)}" if one.stated.parameter else "words"
        if one.origins:
            entry["origins"] = [
                [met.call, met.decision, met.tool, _plain(met.field), met.trust.value]
                for met in _told(one.origins)
            ]
        out.append(entry)
    if len(arguments) > MAX_JUSTIFIED:
        out.append({"more": len(arguments) - MAX_JUSTIFIED})
    return out


def _unjustified(item: tuple[str, Justification]) -> int:
    return _WORST_FIRST.index(item[1].provenance.value)


_WORST_FIRST = ("untrusted", "unknown", "trusted", "intent")


def _told(origins: tuple[Encounter, ...]) -> list[Encounter]:
    """Return the first origins, untrusted ones before others: those that a refusal mentions."""
    return sorted(origins, key=lambda met: met.trust is not Trust.UNTRUSTED)[:MAX_ORIGINS]


def _plain(path: str) -> str:
    """Return the names of a path in ASCII; `*` replaces what may not be a name."""
    if len(path) <= _MAX_NAME and path.isascii() and path.isidentifier():
        return path
    named = ".".join(part if _NAME.fullmatch(part) else "*" for part in path.split(".")) if path else ""
    return named if len(named) <= MAX_FIELD else named[: MAX_FIELD - 1] + "*"


def kept(arguments: dict[str, Json]) -> Json:
    """Return the evidence form of arguments: whole, or by digest if they are very large."""
    encoded = msgspec.json.encode(arguments)
    if len(encoded) <= MAX_SEALED_BYTES:
        return arguments
    return {"sha256": hashlib.sha256(encoded).hexdigest(), "size_bytes": len(encoded)}


def unsensitive(tool: Tool, arguments: dict[str, Json]) -> dict[str, Json]:
    """Return arguments with each value that the tool's description marks as sensitive replaced by its
    digest.
    """
    hidden = [name for name in arguments if (spec := tool.arguments.get(name)) and spec.sensitive]
    return (
        {**arguments, **{name: {"sha256": _sha256(arguments[name])} for name in hidden}}
        if hidden
        else arguments
    )


def _sha256(value: Json) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()


def label_event(request: AccessRequest, live: LiveTask, at: datetime) -> Event:
    """Return the event of a task's raised label."""
    raised = LabelRaised(
        data_class=live.label.data_class,
        trust=live.label.trust,
        categories=sorted(live.label.categories),
        zones=sorted(live.label.zones),
        by=live.raised_by or request.tool.id,
        below=request.task.id if live.task.id != request.task.id else "",
    )
    live.raised_by = ""
    return Event.of(raised, at=at, tenant=request.principal.tenant, task=live.task.id, agent=live.task.agent)


def sanitized(request: AccessRequest, decision: str) -> tuple[Event, ...]:
    """Return the event of a sanitizer whose result carries a lower label than its input; otherwise none."""
    label = request.rest.label
    if label is None or not request.tool.sanitizes:
        return ()
    given = request.tool.label
    lowered = LabelLowered(
        what="result",
        tool=request.tool.id,
        data_class=given.data_class,
        trust=given.trust,
        categories=sorted(given.categories),
        zones=sorted(given.zones),
        was=label.facts,
    )
    return (
        Event.of(
            lowered,
            at=request.now,
            tenant=request.principal.tenant,
            task=request.task.id,
            agent=request.agent.name,
            call=decision,
        ),
    )


def ended_by(fault: BaseException) -> str:
    """Return what ended a call that did not end with an answer."""
    if isinstance(fault, Fenced):
        return "fence"
    if isinstance(fault, UpstreamUnreachable):
        return "timeout" if fault.code == "upstream-timeout" else "upstream"
    if isinstance(fault, KeyUnavailable):
        return "credential"
    return "agent" if isinstance(fault, asyncio.CancelledError | ConnectionError) else "fault"


def outcome_events(
    request: AccessRequest,
    decision: Decision,
    outcome: CallOutcome,
    at: datetime,
    result_bytes: int,
    ended_by: str,
    withheld: Collection[str] = (),
) -> tuple[Event, ...]:
    """Return the events that auditors need: the tool that was called, the record read, the action
    executed.
    """
    tool = request.tool

    def event(body: EventBody) -> Event:
        return Event.of(
            body,
            at=at,
            tenant=request.principal.tenant,
            task=request.task.id,
            agent=request.agent.name,
            subject=request.task.subject,
            call=decision.id,
        )

    called = ToolCalled(
        tool=tool.id,
        outcome=outcome,
        result_bytes=result_bytes,
        ended_by=ended_by,
        observed=decision.observed,
        enforced_by=request.enforcement_point,
    )
    if withheld:
        names = dict.fromkeys(one if one == WHOLE else _plain(one) for one in withheld)
        called.withheld = list(names)[:MAX_WITHHELD]
    if outcome is _NOT_SENT or (tool.effect is _NONE and outcome is not _OK):
        return (event(called),)
    if tool.effect is _NONE:
        read = DataRead(
            tool=tool.id,
            data_class=tool.label.data_class,
            categories=sorted(tool.label.categories),
            trust=tool.label.trust,
            record=subject_of(tool, tool.record, _SELECTOR, request.arguments),
        )
        return event(called), event(read)
    executed = ActionExecuted(
        tool=tool.id,
        effect=tool.effect,
        audience=tool.audience.name,
        outcome=outcome,
        target=subject_of(tool, tool.target, _DESTINATION, request.arguments),
    )
    return event(called), event(executed)


def subject_of(tool: Tool, template: str, role: ArgumentRole, arguments: dict[str, Json]) -> Json:
    """Return the subject of a call: by the tool's template, else the role's arguments, else the tool's id."""
    if template:
        return fill(template, arguments)
    named = {
        name: value
        for name, value in arguments.items()
        if (spec := tool.arguments.get(name)) and spec.role is role
    }
    return kept(named) if named else tool.id
