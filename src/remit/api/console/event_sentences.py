# SPDX-License-Identifier: Apache-2.0
"""Each kind of event as one plain sentence."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from remit.api.console.evidence_rows import EventRow
from remit.core.evidence.event import EventKind
from remit.core.json_value import Json
from remit.core.safe_text import plain

#: Characters of one value in a sentence.
LONGEST: Final = 160

#: Names in braces are facts, sealed values, or `agent`. What is in brackets is left out with its names.
SENTENCES: Final[dict[EventKind, str]] = {
    EventKind.SYSTEM_STARTED: "remit {version} started[; a crash had lost the outcome of {recovered} calls]",
    EventKind.SYSTEM_STOPPED: "remit stopped",
    EventKind.REPLICA_GONE: "Replica {replica}[ on {host}] is gone",
    EventKind.BUNDLE_APPLIED: "[{by}: ]Policies {bundle} came into force[ as version {version}]"
    "[, confirmed by {second}][: {reason}]",
    EventKind.BUNDLE_PROPOSED: "[{by}: ]Policies {bundle} wait for a second administrator[: {reason}]",
    EventKind.SHADOW_STARTED: "[{by}: ]Candidate {candidate} decides beside what is in force[: {reason}]",
    EventKind.SHADOW_DIFFERED: "The candidate would have decided a call of {tool} as {after}, not {before}",
    EventKind.SHADOW_STOPPED: "[{by}: ]Candidate {candidate} was stopped[ after {calls} calls][: {reason}]",
    EventKind.CHANGE_FROZEN: "[{by}: ]Changes are frozen until {until}[: {reason}]",
    EventKind.FREEZE_LIFTED: "[{by}: ]The change freeze was lifted[: {reason}]",
    EventKind.POLICY_PROVEN: "[{by}: ]A statement about policies {bundle} was {verdict}",
    EventKind.PERSON_ADDED: "[{by} added ][{person}] as a person[, with the roles {roles}]",
    EventKind.PERSON_CHANGED: "[{by} changed ][{person}][: {change}][, with the roles {roles}][, {upstream}]",
    EventKind.PERSON_SIGNED_IN: "[{person}] signed in by {method}",
    EventKind.SIGN_IN_REFUSED: "A sign-in was refused: {code}[, and {further} more before]",
    EventKind.AGENT_REGISTERED: "[{by}: ]Agent {agent} was registered[, owned by {owner}][: {purpose}]",
    EventKind.AGENT_CHANGED: "[{by}: ]Agent {agent} changed: {change}[, now {state}][, {workload}]"
    "[, now of {owner}][: {reason}]",
    EventKind.AGENT_REVIEWED: "[{by}: ]Agent {agent} was reviewed[: {comment}]",
    EventKind.INITIATIVE_CROSSED: "[Initiative {initiative}: ]agent {agent} crossed the boundary with {tool}",
    EventKind.REVIEW_OVERDUE: "The review of agent {agent} is overdue[, told {to}]",
    EventKind.TOKEN_ISSUED: "[{agent}] got an access token[, its identity {assurance}]",
    EventKind.TOKEN_REFUSED: "A credential was refused: {code}[, and {further} more before]",
    EventKind.TOKEN_REVOKED: "A token[ of {agent}] was revoked[: {reason}]",
    EventKind.CONSENT_GIVEN: "[{person}] let {client} work",
    EventKind.CONSENT_DENIED: "[{person}] did not let {client} work",
    EventKind.DELEGATION_MADE: "[{person}] lets agents open {task_type}[ for {goal}]",
    EventKind.DELEGATION_REVOKED: "[{by}: ]The delegation {delegation}[ of {person}] was revoked[: {reason}]",
    EventKind.FINDING_SEEN: "Found: {finding_kind} about {about}",
    EventKind.FINDING_RESOLVED: "[{by}: ]Finding {finding_kind} about {about} was resolved[: {resolution}]",
    EventKind.FINDING_ANSWERED: "[{by}: ]Finding {finding_kind} about {about} is now {state}"
    "[ until {until}][: {reason}]",
    EventKind.FINDING_REOPENED: "[{by}: ]Finding {finding_kind} about {about} is open again[: {reason}]",
    EventKind.FINDING_PROVEN: "[{by}: ]The secret of {finding} was tried at {at}: {outcome}",
    EventKind.SCAN_DELIVERED: "[{by}: ]A scan of {scope} found {found}[, {opened} of them new]"
    "[, {fixed} fixed]",
    EventKind.TASK_OPENED: "{agent} opened {task_type}[ for {on_behalf_of}][: {goal}]",
    EventKind.TASK_REFUSED: "[{agent}] was refused a task[ {task_type}]: {code}[, and {further} more before]",
    EventKind.TASK_MESSAGE: "A person said to the task[: {text}]",
    EventKind.TASK_TAKEN_OVER: "Replica {replica} took over the task",
    EventKind.PLAN_EXTENDED: "The plan[ of {agent}] was extended[ by {tools}][, by {by}]",
    EventKind.TASK_NARROWED: "The task lost permissions[: {lost}][{narrowed}]",
    EventKind.TASK_SUSPENDED: "[{by}: ]The task[ of {agent}] was suspended[: {reason}]",
    EventKind.TASK_RESUMED: "[{by}: ]The task[ of {agent}] goes on[: {reason}]",
    EventKind.TASK_ENDED: "The task[ of {agent}] ended: {state}[, by {by}][: {reason}]",
    EventKind.MODEL_USED: "[{agent}] used model {model}[, {input_tokens} tokens in][, {output_tokens} out]",
    EventKind.DECISION_MADE: "[{agent}] {outcome} {tool}",
    EventKind.REFUSALS_COUNTED: "{count} more refusals were counted[: {codes}]",
    EventKind.APPROVAL_ANSWERED: "[{by}[ for {instead_of}]: ]A call of {tool} was approved by {given} "
    "of {needed}[: {comment}]",
    EventKind.APPROVAL_ESCALATED: "The question about {tool} goes to group {to}, too",
    EventKind.GLASS_BROKEN: "[{by}: ]A call of {tool} was approved in place of {missing}[: {reason}]",
    EventKind.APPROVER_AWAY: "[{person}] is away until {ends}[, and {substitute} may answer]",
    EventKind.APPROVER_BACK: "[{person}] is back[, and {substitute} answers no more]",
    EventKind.NOTIFICATION_DUE: "{addressee} is told of a call of {tool}",
    EventKind.TOOL_CALLED: "{tool} {outcome}[, with {result_bytes} bytes]",
    EventKind.CALL_CANCELLED: "The call of {tool} was cancelled by {by}",
    EventKind.DATA_READ: "[{agent}] read {class} data[ {categories}] by {tool}[: {record}]",
    EventKind.ACTION_EXECUTED: "[{agent}] acted by {tool}, effect {effect}: {outcome}[: {target}]",
    EventKind.LABEL_RAISED: "The task now carries {class} data[ {categories}], {trust}[, since {by}]",
    EventKind.LABEL_LOWERED: "[{by}: ]The label of {what} was lowered to {class}, {trust}[: {reason}]",
    EventKind.APPROVAL_REQUESTED: "A person was asked whether {tool} may be called",
    EventKind.APPROVAL_DECIDED: "The question about {tool} was {state}[ by {by}][: {comment}]",
    EventKind.TOOL_PINNED: "{tool} was seen first, and its description was pinned",
    EventKind.TOOL_CHANGED: "{tool} changed its description",
    EventKind.TOOL_ACCEPTED: "[{by} accepted ]the new description of {tool}",
    EventKind.UPSTREAM_LOST: "{upstream} does not answer",
    EventKind.UPSTREAM_RESTORED: "{upstream} answers again",
    EventKind.UPSTREAM_MODE: "[{by}: ]{upstream} is now in mode {mode}",
    EventKind.GUARD_REPORTED: "The guard of {client}[ of {agent}] reported {state}[, in mode {mode}]",
    EventKind.FENCE_RAISED: "[{by}: ]Everything under {scope} was ended[: {reason}]",
    EventKind.FENCE_LOCKED: "[{by}: ]{scope} was locked",
    EventKind.FENCE_UNLOCKED: "[{by}: ]{scope} was unlocked",
    EventKind.CLOSURE_MADE: "The end of {scope} was recorded[, of {tasks} tasks]",
    EventKind.LEASE_ISSUED: "A credential {kind} for {upstream} was obtained",
    EventKind.LEASE_REVOKED: "The credential {kind} for {upstream} was revoked",
    EventKind.LEASE_DEAD: "The credential {kind} for {upstream} is refused by {sink}",
    EventKind.LEASE_OPEN: "The credential {kind} for {upstream} may still work[: {why}]",
    EventKind.LEASE_CLOSED: "[{by}: ]The credential {kind} for {upstream} was closed by hand[: {reason}]",
    EventKind.SECRET_ROTATED: "The secret of {upstream} was replaced",
    EventKind.KEY_ROTATED: "[{by}: ]A key for {kind} was replaced[: {reason}]",
    EventKind.KEY_RETIRED: "An old key for {kind} is no longer accepted",
    EventKind.LOG_RESTORED: "A backup of {size} events was restored (loss: {loss})",
    EventKind.LOSS_ACCEPTED: "[{by}: ]What a restore had lost was accepted",
    EventKind.STATE_RECORDED: "Rows of state were recorded",
    EventKind.SUBJECT_FORGOTTEN: "[{by}: ]The sealed values of one subject were forgotten[: {reason}]",
    EventKind.LOG_PRUNED: "[{by}: ]{events} events from before {before} were pruned[: {reason}]",
    EventKind.SVID_ISSUED: "The workload {spiffe_id} got an identity document",
    EventKind.SVID_REFUSED: "A workload was refused an identity document: {code}",
    EventKind.SIGNAL_RECEIVED: "{transmitter} told of {event}",
    EventKind.SIGNAL_REFUSED: "A signal of {transmitter} was refused: {code}",
    EventKind.SIGNAL_UNDELIVERED: "A signal could not be delivered to {receiver}: {code}",
    EventKind.STREAM_CHANGED: "The stream of {receiver} changed: {change}",
}
_WORDS: Final = {
    (EventKind.DECISION_MADE, "permit"): "may call",
    (EventKind.DECISION_MADE, "deny"): "may not call",
    (EventKind.DECISION_MADE, "defer"): "has to wait for a person to call",
    (EventKind.TOOL_CALLED, "ok"): "answered",
    (EventKind.TOOL_CALLED, "tool-error"): "answered with an error",
    (EventKind.TOOL_CALLED, "protocol-error"): "broke its protocol",
    (EventKind.TOOL_CALLED, "input-required"): "needs input",
    (EventKind.TOOL_CALLED, "not-sent"): "was not called",
    (EventKind.TOOL_CALLED, "unknown"): "may or may not have been called",
}
_OPTIONAL: Final = re.compile(r"\[([^\]]*)\]")
_NAME: Final = re.compile(r"\{(\w+)\}")


def sentence_of(row: EventRow) -> Markup:
    """Return an event in one sentence, its values in bold."""
    kind = EventKind(row.kind)
    found = {name: text for name in names_in(SENTENCES[kind]) if (text := _text(_named(row, name)))}

    def optional(match: re.Match[str]) -> str:
        return match[1] if all(name in found for name in _NAME.findall(match[1])) else ""

    parts = _NAME.split(_OPTIONAL.sub(optional, SENTENCES[kind]))
    told = Markup("").join(
        _value(kind, found.get(part, "?")) if place % 2 else Markup("{}").format(part)
        for place, part in enumerate(parts)
    )
    if row.facts.get("observed"):
        told += " (only observed)"
    return told[:1].upper() + told[1:] if told[:1].islower() and not told.startswith("remit") else told


def names_in(text: str) -> list[str]:
    """Return the names that a sentence asks for."""
    return _NAME.findall(text)


def _named(row: EventRow, name: str) -> Json:
    if name == "agent":
        return row.agent or row.facts.get("agent", "")
    return row.values.get(name) or row.facts.get(name)


def _value(kind: EventKind, text: str) -> Markup:
    word = _WORDS.get((kind, text))
    return Markup("{}").format(word) if word else Markup("<b>{}</b>").format(plain(text, lines=True))


def _text(value: Json) -> str:
    match value:
        case None | "" | 0 | False | []:
            return ""
        case list():
            text = ", ".join(one for one in map(_text, value[:20]) if one)
        case str() if value.startswith("sha256:"):
            text = value[:19]
        case str() | int() | float():
            text = str(value)
        case _:
            return ""
    text = " ".join(text[: 4 * LONGEST].split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
