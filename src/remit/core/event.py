# SPDX-License-Identifier: Apache-2.0
"""Events: the facts of the evidence log, of a closed set of kinds.

An event has two parts. `facts` are readable by whoever reads the log: kinds, names of tools and rules,
outcomes, digests. `sealed` are values that may be personal or secret: arguments, record names, a person's
words. The log's leaf holds only a salted commitment to each sealed value; the value itself is encrypted under
the key of `subject`, so that it can be forgotten without breaking a single proof.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Any

import msgspec

Json = Any

FORMAT = 1


class EventKind(enum.StrEnum):
    """The closed set of kinds. Auditors ask for `tool.called`, `data.read` and `action.executed` by these
    names.
    """

    SYSTEM_STARTED = "system.started"
    SYSTEM_STOPPED = "system.stopped"
    BUNDLE_APPLIED = "bundle.applied"
    PERSON_ADDED = "person.added"
    PERSON_CHANGED = "person.changed"
    PERSON_SIGNED_IN = "person.signed_in"
    SIGN_IN_REFUSED = "person.sign_in_refused"
    AGENT_REGISTERED = "agent.registered"
    AGENT_CHANGED = "agent.changed"
    TOKEN_ISSUED = "token.issued"
    TOKEN_REFUSED = "token.refused"
    CONSENT_GIVEN = "consent.given"
    CONSENT_DENIED = "consent.denied"
    TASK_OPENED = "task.opened"
    TASK_REFUSED = "task.refused"
    TASK_TURN = "task.turn"
    TASK_ENDED = "task.ended"
    DECISION_MADE = "decision.made"
    TOOL_CALLED = "tool.called"
    DATA_READ = "data.read"
    ACTION_EXECUTED = "action.executed"
    LABEL_RAISED = "label.raised"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_DECIDED = "approval.decided"
    TOOL_PINNED = "tool.pinned"
    TOOL_CHANGED = "tool.changed"
    TOOL_ACCEPTED = "tool.accepted"
    UPSTREAM_LOST = "upstream.lost"
    UPSTREAM_RESTORED = "upstream.restored"
    FENCE_RAISED = "fence.raised"
    FENCE_LOCKED = "fence.locked"
    FENCE_UNLOCKED = "fence.unlocked"
    CLOSURE_MADE = "closure.made"


class Meaning(msgspec.Struct, frozen=True):
    """What an event of a kind says. `facts` and `sealed` map names that it may carry to what they mean."""

    says: str
    facts: dict[str, str] = {}
    sealed: dict[str, str] = {}


_BY = {"by": "who did it"}
_TOOL = {"tool": "the tool, as `upstream/name`"}
_FENCE = {"scope": "what it stands before, as `kind:name`", "reason": "why"}
_REFUSED = {
    "code": "stable code of the reason",
    "door": "where it knocked",
    "further": "refusals before this one that were counted and not written",
}
_CONSENT = {
    "client": "the application, as it names itself to the authorization server",
    "redirect": "the host that the answer goes to",
}

#: What each kind says. The reference of events is generated from it.
MEANINGS: dict[EventKind, Meaning] = {
    EventKind.SYSTEM_STARTED: Meaning(
        "Remit began to serve.",
        {
            "version": "its version",
            "bundle": "digest of the bundle in force",
            "recovered": "permitted calls whose outcome a crash had swallowed, now recorded as `unknown`",
        },
    ),
    EventKind.SYSTEM_STOPPED: Meaning("Remit stopped in order. A start without it before follows a crash."),
    EventKind.BUNDLE_APPLIED: Meaning(
        "A bundle came into force: policies, tools and task types as one version.",
        {
            "bundle": "its digest",
            "previous": "the digest before it",
            "tools": "tools that it describes",
            "task_types": "its task types",
            "rules": "its rules",
        },
        _BY,
    ),
    EventKind.PERSON_ADDED: Meaning(
        "A person was added.", {"roles": "their roles", "groups": "their groups"}, {"person": "who", **_BY}
    ),
    EventKind.PERSON_CHANGED: Meaning(
        "Something about a person changed: how they sign in, a session that ended, or where they belong.",
        {"change": "what", "groups": "their groups now", "roles": "their roles now"},
        {"person": "who", **_BY},
    ),
    EventKind.PERSON_SIGNED_IN: Meaning(
        "A person signed in.",
        {
            "method": "`code`, `passkey`, or `oidc` with the provider's name",
            "session": "`session` of a program, or `browser`",
        },
        {"person": "who"},
    ),
    EventKind.SIGN_IN_REFUSED: Meaning("A sign-in was refused.", _REFUSED),
    EventKind.AGENT_REGISTERED: Meaning(
        "An agent was registered.",
        {
            "owner": "who answers for it",
            "purpose": "what it is for",
            "environment": "where it belongs",
            "initiative": "its AI programme",
            "manifest": "digest over model, prompt, tools and code",
        },
        _BY,
    ),
    EventKind.AGENT_CHANGED: Meaning(
        "An agent's state changed.",
        {"state": "the new state", "previous": "the old one", "reason": "why"},
        _BY,
    ),
    EventKind.TOKEN_ISSUED: Meaning(
        "An access token was issued to an agent.",
        {
            "token": "the token's id (`jti`), never the token",
            "expires": "when it runs out, in seconds since the epoch",
            "assurance": "how the agent proved itself",
        },
    ),
    EventKind.TOKEN_REFUSED: Meaning("A credential was refused at a door.", _REFUSED),
    EventKind.CONSENT_GIVEN: Meaning(
        "A person agreed to what an application asked for, and a task was opened for it.",
        {**_CONSENT, "task": "the task", "registered": "`true`: the agent was registered by this"},
        {"person": "who"},
    ),
    EventKind.CONSENT_DENIED: Meaning(
        "A person did not agree to what an application asked for.", _CONSENT, {"person": "who"}
    ),
    EventKind.TASK_OPENED: Meaning(
        "A task was opened.",
        {
            "task_type": "its type",
            "authority": "digest over all its grants",
            "tools": "the tools that it may call",
            "deadline": "when it ends at the latest",
            "bundle": "digest of the bundle that it was opened under",
            "lease_s": "seconds after which it ends unless renewed; 0 for none",
        },
        {
            "goal": "the intent in words",
            "params": "its parameters",
            "stated_by": "who stated it",
            "on_behalf_of": "whom the work is for",
        },
    ),
    EventKind.TASK_REFUSED: Meaning(
        "A task was asked for and not opened.",
        {"agent": "for which agent", "task_type": "of which type", "code": "stable code of the reason"},
        {"reason": "why, in words"},
    ),
    EventKind.TASK_TURN: Meaning(
        "The person who stated the intent added to it.", {}, {"text": "what they said"}
    ),
    EventKind.TASK_ENDED: Meaning(
        "A task ended; nothing of it is permitted any more.",
        {"state": "`completed`, `revoked` or `expired`", "reason": "why"},
        _BY,
    ),
    EventKind.DECISION_MADE: Meaning(
        "A call was decided, before anything was sent.",
        {
            **_TOOL,
            "outcome": "`permit`, `deny` or `defer` (to a human)",
            "tier": "computed tier of the call",
            "effect": "what the call changes",
            "audience": "who learns its arguments",
            "assurance": "how the agent was proven",
            "class": "data class that the task carried",
            "rules": "the deciding rules, each with the digest of its text",
            "reasons": "stable codes of the reasons, each with its rule",
            "approval": "the approval that was asked for or used",
            "observed": "`true`: refused in observe mode, so the call went on",
            "enforced_by": "the enforcement point that asked, and carries the call out",
            "valid_until": "until when a permit counts that others carry out",
            "bundle": "digest of the bundle that it was decided under",
        },
        {
            "arguments": "the call's arguments; very large ones by digest",
            "reasons": "the reasons in words",
        },
    ),
    EventKind.TOOL_CALLED: Meaning(
        "A permitted call ended, or was found unfinished after a crash.",
        {
            **_TOOL,
            "outcome": "`ok`, `tool-error`, `protocol-error`, `not-sent`; `unknown`: maybe it took effect",
            "result_bytes": "size of the result",
            "ended_by": "what ended it, where that was not its answer",
            "observed": "`true`: it was refused, in observe mode",
            "enforced_by": "the enforcement point that carried it out, and reported the outcome",
        },
    ),
    EventKind.DATA_READ: Meaning(
        "A call without effect gave data.",
        {
            **_TOOL,
            "class": "declared class of the data",
            "categories": "its declared categories",
            "trust": "whether its source is trusted",
        },
        {"record": "which record"},
    ),
    EventKind.ACTION_EXECUTED: Meaning(
        "A call with an effect was sent.",
        {
            **_TOOL,
            "effect": "`reversible` or `irreversible`",
            "audience": "who learned its arguments",
            "outcome": "as in `tool.called`",
        },
        {"target": "what it acted on"},
    ),
    EventKind.LABEL_RAISED: Meaning(
        "What a task has read raised the label that it carries; it never falls.",
        {
            "class": "the data class now",
            "trust": "`untrusted` from the first untrusted datum on",
            "categories": "the categories now",
            "zones": "the trust zones now",
            "by": "the tool whose result raised it",
        },
    ),
    EventKind.APPROVAL_REQUESTED: Meaning(
        "A call was deferred to a human.",
        {
            "approval": "the approval's id",
            **_TOOL,
            "call": "digest over task, tool and arguments",
            "rules": "exactly the rules that an approval waives, each with the digest of its text",
        },
        {"arguments": "the call's arguments"},
    ),
    EventKind.APPROVAL_DECIDED: Meaning(
        "A human answered.",
        {
            "approval": "the approval's id",
            "state": "`approved` or `denied`",
            "call": "digest over task, tool and arguments",
            **_TOOL,
        },
        {**_BY, "comment": "a word with the answer"},
    ),
    EventKind.TOOL_PINNED: Meaning(
        "A tool was seen for the first time, and its description and schema pinned.",
        {**_TOOL, "digest": "digest of what is pinned"},
    ),
    EventKind.TOOL_CHANGED: Meaning(
        "An upstream offers something else than what is pinned: the tool is suspended.",
        {**_TOOL, "accepted": "digest of what is pinned", "offered": "digest of what is offered"},
    ),
    EventKind.TOOL_ACCEPTED: Meaning(
        "What an upstream offers was reviewed and pinned.",
        {**_TOOL, "accepted": "digest of what is pinned now", "previous": "digest of what was"},
        _BY,
    ),
    EventKind.UPSTREAM_LOST: Meaning("An upstream is not reachable any more.", {"upstream": "which"}),
    EventKind.UPSTREAM_RESTORED: Meaning("An upstream is reachable again.", {"upstream": "which"}),
    EventKind.FENCE_RAISED: Meaning("Everything under a scope was ended.", _FENCE, _BY),
    EventKind.FENCE_LOCKED: Meaning("Everything under a scope was ended, and it was shut.", _FENCE, _BY),
    EventKind.FENCE_UNLOCKED: Meaning("New tasks may be opened under a scope again.", _FENCE, _BY),
    EventKind.CLOSURE_MADE: Meaning(
        "The record of an end: what was withdrawn, how fast, and what is still open.",
        {
            "closure": "its id",
            "scope": "what was ended",
            "epoch": "the epoch that fences it",
            "tasks": "tasks that were open",
            "fence_us": "microseconds until the fence stood",
            "indeterminate": "decisions whose calls may or may not have taken effect",
            "closings": "kind, name, and microseconds until it was refused first; -1 while it is open",
        },
        _BY,
    ),
}


class CallOutcome(enum.StrEnum):
    """How a call that was dispatched ended. `unknown`: it may or may not have taken effect.

    `input-required`: the upstream asks something of person, model or client before it goes on; the call that
    carries the answers is another one.
    """

    OK = "ok"
    INPUT_REQUIRED = "input-required"
    TOOL_ERROR = "tool-error"
    PROTOCOL_ERROR = "protocol-error"
    NOT_SENT = "not-sent"
    UNKNOWN = "unknown"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, before it becomes a leaf.

    `subject` is whose values `sealed` holds (a person, else the agent). `call` is the id of the decision that
    a call's events belong to, so that a permit without an outcome can be found after a crash.
    """

    kind: EventKind
    at: datetime
    tenant: str
    task: str = ""
    agent: str = ""
    subject: str = ""
    call: str = ""
    facts: dict[str, Json] = {}
    sealed: dict[str, Json] = {}


def timestamp(moment: datetime) -> str:
    """Give RFC 3339 in UTC with microseconds; the one form of time in a leaf."""
    # Not `strftime`, which takes five times as long, and each event has one of these.
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def leaf_record(
    event: Event,
    *,
    commitments: dict[str, str],
    writer: str,
    sequence: int,
    writer_previous: str,
    task_previous: str,
) -> dict[str, Json]:
    """Give the record whose RFC 8785 bytes are the leaf.

    `writer` is the incarnation that wrote it and `sequence` its count from 0; `writer_previous` and
    `task_previous` are the hex leaf hashes of the record before it from the same writer and of the same task
    (empty for the first). INVARIANT: `facts` hold no floats and only ASCII keys, so that the fast canonical
    form applies.
    """
    record: dict[str, Json] = {
        "v": FORMAT,
        "kind": event.kind.value,
        "at": timestamp(event.at),
        "tenant": event.tenant,
        "writer": writer,
        "seq": sequence,
        "prev": writer_previous,
        "facts": event.facts,
    }
    if event.task:
        record["task"] = event.task
        record["task_prev"] = task_previous
    if event.agent:
        record["agent"] = event.agent
    if event.call:
        record["call"] = event.call
    if commitments:
        record["sealed"] = commitments
    return record
