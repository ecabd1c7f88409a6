# SPDX-License-Identifier: Apache-2.0
"""What each kind of event says. The reference of events is generated from this table."""

from __future__ import annotations

from remit.core.evidence.event import EventKind
from remit.core.evidence.event_reference_labels import (
    CLOSINGS,
    LABEL_MEANINGS,
    LEASE_MEANINGS,
    NARROWED,
    SIGNAL_MEANINGS,
    Meaning,
)

_BY = {"by": "who did it"}
_TOOL = {"tool": "the tool, as `upstream/name`"}
_SHUT = {"scope": "what it stands before, as `kind:name`"}
_CAUSE = {"reason": "why", "cause": "what ended it, one of a closed set"}
_FENCE = {**_SHUT, **_CAUSE}
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
    EventKind.REPLICA_GONE: Meaning(
        "A replica was silent for so long that others took over what it owned. It commits nothing any more; "
        "if it comes back, then under another id.",
        {"replica": "its id", "host": "the machine that it ran on"},
    ),
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
        {
            "change": "what",
            "groups": "their groups now",
            "roles": "their roles now",
            "previous": "the roles before",
            "reason": "why",
        },
        {"person": "who", **_BY},
    ),
    EventKind.PERSON_SIGNED_IN: Meaning(
        "A person signed in.",
        {
            "method": "`code`, `passkey`, or `oidc` with the provider's name",
            "session": "`session` of a program, or `browser`",
            "bound": "whether it works with proofs of a key alone",
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
        "An agent changed: its state, by what it may prove itself, its manifest, or who answers for it.",
        {
            "change": "`state`, `bound`, `unbound`, `manifest` or `owner`",
            "state": "the new state",
            "workload": "the workload that was bound or unbound",
            "manifest": "the new digest",
            "owner": "who answers for it now",
            "previous": "what was before",
            "reason": "why",
        },
        _BY,
    ),
    EventKind.TOKEN_ISSUED: Meaning(
        "An access token was issued to an agent.",
        {
            "token": "the token's id (`jti`), never the token",
            "expires": "when it runs out, in seconds since the epoch",
            "assurance": "how well the agent proved itself",
            "method": "by what it proved itself",
            "grant": "by which kind of grant it was asked for",
            "audience": "the resources that it is for",
            "bound": "to what its sender's key is bound: `dpop`, `mtls`, or `no`",
            "isolation": "`none`: the agent runs as the user of remit, and could read its keys",
            "chain": "the agents that act, the current one first, where there are several",
            "family": "what everything issued under one grant has in common",
        },
    ),
    EventKind.TOKEN_REVOKED: Meaning(
        "A token was taken back, or everything that was issued under one grant.",
        {"token": "its id", "family": "the grant's id", "reason": "why"},
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
    EventKind.DELEGATION_MADE: Meaning(
        "A person let an agent act for them, for one kind of work and for a time.",
        {
            "delegation": "the record's id",
            "task_type": "the kind of work",
            "expires": "until when",
            "open": "the parameters that the agent may choose",
        },
        {"person": "who", "goal": "the intent in their words", "params": "what they fixed"},
    ),
    EventKind.DELEGATION_REVOKED: Meaning(
        "A delegation record was revoked; the tasks opened under it end.",
        {"delegation": "the record's id", "reason": "why"},
        {"person": "whose record", **_BY},
    ),
    EventKind.FINDING_SEEN: Meaning(
        "Something was seen that nobody has accounted for: at first, or again after it was resolved.",
        {
            "finding": "the finding's id",
            "finding_kind": "its kind",
            "about": "what it is about, as `kind:name`",
            "seen": "what was seen, as the reference of findings says for each kind",
        },
    ),
    EventKind.FINDING_RESOLVED: Meaning(
        "A finding was dealt with.",
        {"finding": "its id", "finding_kind": "its kind", "about": "what it is about", "resolution": "how"},
        _BY,
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
            "parent": "the task that it was handed down from",
            "chain": "the agents of the chain, the acting one first",
            "delegation": "the record by which the person has agreed",
            "plan": "the tools that its agent said it would need, where it said so",
        },
        {
            "goal": "the intent in words",
            "brief": "what the agent that handed it down said",
            "params": "its parameters",
            "requested_by": "who stated it",
            "on_behalf_of": "whom the work is for",
        },
    ),
    EventKind.TASK_REFUSED: Meaning(
        "A task was asked for and not opened.",
        {
            "agent": "for which agent",
            "task_type": "of which type",
            "parent": "the task that was to be handed down",
            "code": "stable code of the reason",
            "further": "refusals before this one that were counted and not written",
        },
        {"reason": "why, in words"},
    ),
    EventKind.TASK_TAKEN_OVER: Meaning(
        "Another replica owns the task and all that was handed down from it; what it had met before is "
        "unknown from here on.",
        {"replica": "the id of the owner", "epoch": "how often it has had an owner"},
    ),
    EventKind.TASK_TURN: Meaning(
        "The person who stated the intent added to it.", {}, {"text": "what they said"}
    ),
    EventKind.PLAN_EXTENDED: Meaning(
        "The plan of a task grew; the decision that let it is the event before, of the tool `remit/plan`.",
        {
            "tools": "the tools that were added",
            "declared": "`true`: the task had no plan before",
            "class": "data class that the task carried",
            "trust": "`untrusted` where it had read untrusted data",
            "read": "the calls that brought untrusted data, each with its tool, the first ones",
        },
        {"add": "what was added, with what it says of arguments", **_BY},
    ),
    EventKind.TASK_NARROWED: NARROWED,
    EventKind.TASK_ENDED: Meaning(
        "A task ended; nothing of it is permitted any more.",
        {"state": "`completed`, `revoked` or `expired`", **_CAUSE},
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
            "method": "by what it proved itself",
            "chain": "the agents of the chain, the acting one first, where the task was handed down",
            "sender": "what binds the token to its sender: `dpop`, `mtls`, or `bearer` for nothing",
            "sender_constraint": "`optional`: the site asks for no such binding at this upstream",
            "class": "data class that the task carried",
            "rules": "the deciding rules, each with the digest of its text",
            "reasons": "stable codes of the reasons, each with its rule",
            "approval": "the approval that was asked for or used",
            "observed": "`true`: refused in observe mode, so the call went on",
            "enforced_by": "the enforcement point that asked, and carries the call out",
            "asked_with": "what binds its own token: `dpop`, `mtls`, or `bearer` for nothing",
            "valid_until": "until when a permit counts that others carry out",
            "bundle": "digest of the bundle that it was decided under",
            "follows": "the decision on the call that goes on, which this one brings input to",
            "number": "which of the permitted calls of its task it is, from 1 on",
            "flow": "of each argument its provenance, where the intent states it, and from which calls "
            "before it came: number, decision, tool, field, trust",
            "rest": "calls that wrote what it reads: upstream, task, agent, decision, tool, number, trust, "
            "class",
        },
        {
            "arguments": "the call's arguments; very large ones by digest",
            "reasons": "the reasons in words",
            "rest": "the resources that the calls in `rest` wrote to, in their order",
        },
    ),
    EventKind.REFUSALS_COUNTED: Meaning(
        "A task was refused more often than is written one by one.",
        {
            "count": "refused calls that were counted and not written",
            "codes": "stable codes of their reasons, the first ten",
            "tools": "tools that they were for, the first ten",
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
    EventKind.CALL_CANCELLED: Meaning(
        "A call that went on after its answer was asked to stop.",
        {
            **_TOOL,
            "by": "`agent`, or why remit did: `fence`, `expired`, `agent` hung up before it had the handle",
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
    **LABEL_MEANINGS,
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
    EventKind.FENCE_UNLOCKED: Meaning("New tasks may be opened under a scope again.", _SHUT, _BY),
    EventKind.CLOSURE_MADE: Meaning(
        "The record of an end: what was withdrawn, how fast, and what is still open.",
        {
            "closure": "its id",
            "scope": "what was ended",
            "cause": "what ended it, one of a closed set",
            "epoch": "the epoch that fences it",
            "tasks": "tasks that were open",
            "fence_us": "microseconds until the fence stood",
            "indeterminate": "decisions whose calls may or may not have taken effect",
            "closings": CLOSINGS,
            "acknowledged": "of each other replica its id, and after how many microseconds its fence stood; "
            "-1 where it did not answer and its lease was waited out",
        },
        _BY,
    ),
    **LEASE_MEANINGS,
    **SIGNAL_MEANINGS,
    EventKind.KEY_ROTATED: Meaning(
        "Another key of remit signs, or wraps, from now on.",
        {
            "kind": "for what the key serves: `token`, `checkpoint`, `sealing`, `ca` or `svid`",
            "key": "its public name; of a checkpoint key the verifier itself",
            "previous": "the key before it",
            "at_once": "`true`: what earlier keys signed is refused from now on",
            "found": "`true`: it was rotated without a record, and that was found afterwards",
            "reason": "why",
        },
        _BY,
    ),
    EventKind.KEY_RETIRED: Meaning(
        "A previous key of remit was destroyed: its work is accepted no longer (of a checkpoint key, it "
        "signs no more).",
        {"kind": "for what it served", "key": "its public name"},
    ),
    EventKind.SUBJECT_FORGOTTEN: Meaning(
        "The key of a subject was destroyed: values sealed under it can never be read again, and every proof "
        "still holds.",
        {"reason": "why"},
        _BY,
    ),
    EventKind.SVID_ISSUED: Meaning(
        "A local workload was given a document of the own trust domain.",
        {
            "spiffe_id": "who it is",
            "form": "`x509` or `jwt`",
            "serial": "the certificate's serial number, or the token's `jti`",
            "expires": "when it runs out, in seconds since the epoch",
            "uid": "user id of the process that asked",
            "executable": "SHA-256 of its program",
            "audiences": "for whom a JWT-SVID is",
            "isolation": "`none`: the process runs as the user of remit, and could read its keys",
            "further": "documents given before this one that were counted and not written",
        },
    ),
    EventKind.SVID_REFUSED: Meaning(
        "A local process asked for a document of the own trust domain and got none.",
        {
            "code": "stable code of the reason",
            "uid": "user id of the process that asked",
            "executable": "SHA-256 of its program",
            "isolation": "`none`: the process runs as the user of remit, and could read its keys",
            "further": "refusals before this one that were counted and not written",
        },
    ),
}
