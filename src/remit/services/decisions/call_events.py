# SPDX-License-Identifier: Apache-2.0
"""What the evidence says of a call: the decision, a label that rose, and how the call ended."""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.errors import Fenced, KeyUnavailable, UpstreamUnreachable
from remit.core.evidence.event import CallOutcome, Event, EventKind, timestamp
from remit.core.flow.justification import Encounter, Justification
from remit.core.flow.stored_labels import WrittenValues
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import ArgumentRole, Effect, Tool, fill
from remit.services.tasks.live_tasks import LiveTask

# Names of the module, not of the class: a member is found through its metaclass, ten times as slowly.
_DECISION_MADE, _TOOL_CALLED = EventKind.DECISION_MADE, EventKind.TOOL_CALLED
_DATA_READ, _ACTION_EXECUTED = EventKind.DATA_READ, EventKind.ACTION_EXECUTED
_NOT_SENT, _OK = CallOutcome.NOT_SENT, CallOutcome.OK
_NONE = Effect.NONE
_SELECTOR, _DESTINATION = ArgumentRole.SELECTOR, ArgumentRole.DESTINATION

#: Arguments above this size are committed to by digest and not kept.
MAX_SEALED_BYTES = 65_536
#: Arguments, and origins of each, that a decision's event tells of.
MAX_JUSTIFIED = 24
MAX_ORIGINS = 4
MAX_FIELD = 80
# A key of a result that looks like a field's name. Another one may be a value, and values are never readable.
_MAX_NAME = 40
_NAME = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_:-]{0,39})?(?:\[\])*", re.ASCII)


def decision_event(request: AccessRequest, decision: Decision, number: int = 0) -> Event:
    """Return the event of a decision: what was asked, by which rules it was answered, under which bundle, and
    what justified each argument. `number` is that of the call among those of its task, where it goes on.
    """
    facts: dict[str, Json] = {
        "tool": request.tool.id,
        "outcome": decision.outcome._value_,
        "tier": request.tier.word,
        "effect": request.tool.effect._value_,
        "audience": request.tool.audience.name,
        "assurance": request.principal.assurance.word,
        "sender": request.principal.confirmation.word,
        "class": request.label.data_class,
        "rules": [[rule.id, rule.digest] for rule in decision.rules],
        "bundle": decision.bundle,
    }
    if number:
        facts["number"] = number
    if request.flow.arguments:
        facts["flow"] = justified(request.flow.arguments)
    if request.rest.writers:
        facts["rest"] = [_wrote(one) for one in request.rest.writers]
    if request.principal.method is not None:
        facts["method"] = request.principal.method._value_
    if request.task.process_tree:
        facts["chain"] = list(request.task.actors)
    if decision.reasons:
        facts["reasons"] = [{"code": one.code, "rule": one.rule} for one in decision.reasons]
    if decision.approval:
        facts["approval"] = decision.approval
    if decision.observed:
        facts["observed"] = True
    if request.follows:
        facts["follows"] = request.follows
    if request.unconstrained:
        facts["sender_constraint"] = "optional"
    if request.enforcement_point:
        facts["enforced_by"] = request.enforcement_point
        facts["asked_with"] = request.asked_with.word
    if decision.valid_until is not None:
        facts["valid_until"] = timestamp(decision.valid_until)
    sealed: dict[str, Json] = {"arguments": kept(unsensitive(request.tool, request.arguments))}
    if decision.reasons:
        sealed["reasons"] = [one.text for one in decision.reasons]
    if request.rest.writers:
        sealed["rest"] = [one.resource for one in request.rest.writers]
    return Event(
        kind=_DECISION_MADE,
        at=request.now,
        tenant=request.principal.tenant,
        task=request.task.id,
        agent=request.agent.name,
        subject=request.task.subject,
        call=decision.id,
        facts=facts,
        sealed=sealed,
    )


def _wrote(by: WrittenValues) -> dict[str, Json]:
    """Return a call that wrote what is read, as evidence has it; which resource that is, is sealed."""
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
    """Return what justified each argument of a call, as evidence has it: without a value, and bounded.

    `stated` is where the intent states it (`parameter x`, or `words`); `origins` are `[number of the call, id
    of its decision, tool, field, trust]`, so that a chain can be followed from call to call; in fields `*`
    stands for keys that may be values themselves.
    """
    out: list[dict[str, Json]] = []
    # The worst first, where there are more than are told.
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
    """Return the first origins, untrusted ones before others: those a refusal speaks of."""
    return sorted(origins, key=lambda met: met.trust is not Trust.UNTRUSTED)[:MAX_ORIGINS]


def _plain(path: str) -> str:
    """Return the names of a path in ASCII, and `*` for what may be no name."""
    if len(path) <= _MAX_NAME and path.isascii() and path.isidentifier():
        return path
    named = ".".join(part if _NAME.fullmatch(part) else "*" for part in path.split(".")) if path else ""
    return named if len(named) <= MAX_FIELD else named[: MAX_FIELD - 1] + "*"


def kept(arguments: dict[str, Json]) -> Json:
    """Return arguments as evidence keeps them: whole, or by digest where they are very large."""
    encoded = msgspec.json.encode(arguments)
    if len(encoded) <= MAX_SEALED_BYTES:
        return arguments
    return {"sha256": hashlib.sha256(encoded).hexdigest(), "size_bytes": len(encoded)}


def unsensitive(tool: Tool, arguments: dict[str, Json]) -> dict[str, Json]:
    """Return arguments with each value that the tool's description calls sensitive replaced by its digest."""
    hidden = [name for name in arguments if (spec := tool.arguments.get(name)) and spec.sensitive]
    return (
        {**arguments, **{name: {"sha256": _sha256(arguments[name])} for name in hidden}}
        if hidden
        else arguments
    )


def _sha256(value: Json) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()


def label_event(request: AccessRequest, live: LiveTask, at: datetime) -> Event:
    """Return the event of a task's label that rose."""
    facts = {
        "class": live.label.data_class,
        "trust": live.label.trust.value,
        "categories": sorted(live.label.categories),
        "zones": sorted(live.label.zones),
        "by": live.raised_by or request.tool.id,
    }
    if live.task.id != request.task.id:
        facts["below"] = request.task.id
    live.raised_by = ""
    return Event(
        kind=EventKind.LABEL_RAISED,
        at=at,
        tenant=request.principal.tenant,
        task=live.task.id,
        agent=live.task.agent,
        facts=facts,
    )


def sanitized(request: AccessRequest, decision: str) -> tuple[Event, ...]:
    """Return the event of a sanitizer whose result carries less than what it reads; else none."""
    label = request.rest.label
    if label is None or not request.tool.sanitizes:
        return ()
    facts = {"what": "result", "tool": request.tool.id, **request.tool.label.facts, "was": label.facts}
    return (
        Event(
            kind=EventKind.LABEL_LOWERED,
            at=request.now,
            tenant=request.principal.tenant,
            task=request.task.id,
            agent=request.agent.name,
            call=decision,
            facts=facts,
        ),
    )


def ended_by(fault: BaseException) -> str:
    """Say what ended a call, where that was not its answer."""
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
) -> tuple[Event, ...]:
    """Return what auditors ask for: that the tool was called, which record was read, which action was
    executed.
    """
    tool = request.tool
    common: dict[str, Any] = {
        "at": at,
        "tenant": request.principal.tenant,
        "task": request.task.id,
        "agent": request.agent.name,
        "subject": request.task.subject,
        "call": decision.id,
    }
    facts: dict[str, Json] = {"tool": tool.id, "outcome": outcome._value_, "result_bytes": result_bytes}
    if ended_by:
        facts["ended_by"] = ended_by
    if decision.observed:
        facts["observed"] = True
    if request.enforcement_point:
        facts["enforced_by"] = request.enforcement_point
    called = Event(kind=_TOOL_CALLED, facts=facts, **common)
    if outcome is _NOT_SENT:
        return (called,)
    if tool.effect is _NONE:
        if outcome is not _OK:
            return (called,)
        read = Event(
            kind=_DATA_READ,
            facts={
                "tool": tool.id,
                "class": tool.label.data_class,
                "categories": sorted(tool.label.categories),
                "trust": tool.label.trust._value_,
            },
            sealed={"record": subject_of(tool, tool.record, _SELECTOR, request.arguments)},
            **common,
        )
        return (called, read)
    executed = Event(
        kind=_ACTION_EXECUTED,
        facts={
            "tool": tool.id,
            "effect": tool.effect._value_,
            "audience": tool.audience.name,
            "outcome": outcome._value_,
        },
        sealed={"target": subject_of(tool, tool.target, _DESTINATION, request.arguments)},
        **common,
    )
    return (called, executed)


def subject_of(tool: Tool, template: str, role: ArgumentRole, arguments: dict[str, Json]) -> Json:
    """Return what a call was about: by the tool's template, else by the arguments of the role, else the tool
    itself.
    """
    if template:
        return fill(template, arguments)
    named = {
        name: value
        for name, value in arguments.items()
        if (spec := tool.arguments.get(name)) and spec.role is role
    }
    return kept(named) if named else tool.id
