# SPDX-License-Identifier: Apache-2.0
"""Events: the facts of the evidence log, of a closed set of kinds.

An event has two parts. `facts` are readable by every reader of the log: kinds, names of tools and rules,
outcomes, digests. `sealed` are values that may be personal or secret: arguments, record names, a person's
words. The log's leaf holds only a salted commitment to each sealed value; the value itself is encrypted under
the key of `subject`, so that it can be forgotten without breaking a single proof. What each kind says is
declared in `core.evidence.events`.
"""

from __future__ import annotations

import enum
import functools
from datetime import UTC, datetime
from typing import ClassVar, NamedTuple

import msgspec

from remit.core.json_value import Json

FORMAT = 1


class EventKind(enum.StrEnum):
    """The closed set of event kinds. Auditors query `tool.called`, `data.read` and `action.executed` by these
    names.
    """

    SYSTEM_STARTED = "system.started"
    SYSTEM_STOPPED = "system.stopped"
    REPLICA_GONE = "replica.gone"
    BUNDLE_APPLIED = "bundle.applied"
    BUNDLE_PROPOSED = "bundle.proposed"
    SHADOW_STARTED = "shadow.started"
    SHADOW_DIFFERED = "shadow.differed"
    SHADOW_STOPPED = "shadow.stopped"
    CHANGE_FROZEN = "change.frozen"
    FREEZE_LIFTED = "change.freeze_lifted"
    POLICY_PROVEN = "policy.proven"
    PERSON_ADDED = "person.added"
    PERSON_CHANGED = "person.changed"
    PERSON_SIGNED_IN = "person.signed_in"
    SIGN_IN_REFUSED = "person.sign_in_refused"
    AGENT_REGISTERED = "agent.registered"
    AGENT_CHANGED = "agent.changed"
    AGENT_REVIEWED = "agent.reviewed"
    REVIEW_OVERDUE = "agent.review_overdue"
    INITIATIVE_CROSSED = "initiative.crossed"
    TOKEN_ISSUED = "token.issued"
    TOKEN_REFUSED = "token.refused"
    TOKEN_REVOKED = "token.revoked"
    CONSENT_GIVEN = "consent.given"
    CONSENT_DENIED = "consent.denied"
    DELEGATION_MADE = "delegation.made"
    DELEGATION_REVOKED = "delegation.revoked"
    FINDING_SEEN = "finding.seen"
    FINDING_RESOLVED = "finding.resolved"
    FINDING_ANSWERED = "finding.answered"
    FINDING_REOPENED = "finding.reopened"
    FINDING_PROVEN = "finding.proven"
    SCAN_DELIVERED = "scan.delivered"
    TASK_OPENED = "task.opened"
    TASK_REFUSED = "task.refused"
    TASK_MESSAGE = "task.message"
    TASK_TAKEN_OVER = "task.taken_over"
    PLAN_EXTENDED = "plan.extended"
    TASK_NARROWED = "task.narrowed"
    TASK_SUSPENDED = "task.suspended"
    TASK_RESUMED = "task.resumed"
    TASK_ENDED = "task.ended"
    MODEL_USED = "model.used"
    DECISION_MADE = "decision.made"
    REFUSALS_COUNTED = "decision.counted"
    NOTIFICATION_DUE = "decision.notify"
    TOOL_CALLED = "tool.called"
    CALL_CANCELLED = "call.cancelled"
    DATA_READ = "data.read"
    ACTION_EXECUTED = "action.executed"
    LABEL_RAISED = "label.raised"
    LABEL_LOWERED = "label.lowered"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_ANSWERED = "approval.answered"
    APPROVAL_DECIDED = "approval.decided"
    APPROVAL_ESCALATED = "approval.escalated"
    GLASS_BROKEN = "approval.broken_glass"
    APPROVER_AWAY = "approver.away"
    APPROVER_BACK = "approver.back"
    TOOL_PINNED = "tool.pinned"
    TOOL_CHANGED = "tool.changed"
    TOOL_ACCEPTED = "tool.accepted"
    UPSTREAM_LOST = "upstream.lost"
    UPSTREAM_RESTORED = "upstream.restored"
    UPSTREAM_MODE = "upstream.mode"
    GUARD_REPORTED = "guard.reported"
    FENCE_RAISED = "fence.raised"
    FENCE_LOCKED = "fence.locked"
    FENCE_UNLOCKED = "fence.unlocked"
    CLOSURE_MADE = "closure.made"
    LEASE_ISSUED = "lease.issued"
    LEASE_REVOKED = "lease.revoked"
    LEASE_DEAD = "lease.dead"
    LEASE_OPEN = "lease.open"
    LEASE_CLOSED = "lease.closed"
    SECRET_ROTATED = "secret.rotated"
    KEY_ROTATED = "key.rotated"
    KEY_RETIRED = "key.retired"
    SUBJECT_FORGOTTEN = "subject.forgotten"
    LOG_PRUNED = "log.pruned"
    LOG_RESTORED = "log.restored"
    LOSS_ACCEPTED = "log.loss_accepted"
    STATE_RECORDED = "state.recorded"
    SVID_ISSUED = "svid.issued"
    SVID_REFUSED = "svid.refused"
    SIGNAL_RECEIVED = "signal.received"
    SIGNAL_REFUSED = "signal.refused"
    SIGNAL_UNDELIVERED = "signal.undelivered"
    STREAM_CHANGED = "stream.changed"


class CallOutcome(enum.StrEnum):
    """The outcome of a dispatched call. `unknown`: it may or may not have taken effect.

    `input-required`: the upstream needs input from a person, model or client before it continues; a separate
    call carries the answers. `deferred`: the call continues at the upstream, and its final outcome is
    recorded once known; no event has this outcome.
    """

    OK = "ok"
    INPUT_REQUIRED = "input-required"
    DEFERRED = "deferred"
    TOOL_ERROR = "tool-error"
    PROTOCOL_ERROR = "protocol-error"
    NOT_SENT = "not-sent"
    UNKNOWN = "unknown"


class Sealed(NamedTuple):
    """Marks a field of an event's body whose value is sealed.

    `name` is its name in the log, where a fact has the same one; else that is the field's.
    """

    says: str
    name: str = ""


class EventBody(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """What an event of one kind says: a field for each fact and each sealed value.

    The docstring of a kind and the annotations of its fields are its reference. A field that has a default is
    left out of the log where it has that value; one that may be `UNSET` is left out only where it was not
    given.
    """

    KIND: ClassVar[EventKind]


class EventField(NamedTuple):
    """A field of a kind of event: `name` in the body, `said_as` in the log, and what it means."""

    name: str
    said_as: str
    says: str
    sealed: bool


def meaning_of(body: type[EventBody]) -> str:
    """Return what a kind of event means, in one line."""
    return " ".join((body.__doc__ or "").split())


@functools.cache
def fields_of(body: type[EventBody]) -> tuple[EventField, ...]:
    """Return the fields of a kind of event, as they are declared."""
    found = []
    for one in msgspec.structs.fields(body):
        (note,) = one.type.__metadata__
        if isinstance(note, Sealed):
            found.append(EventField(one.encode_name, note.name or one.encode_name, note.says, sealed=True))
        else:
            found.append(EventField(one.encode_name, one.encode_name, note, sealed=False))
    return tuple(found)


@functools.cache
def _sealed(body: type[EventBody]) -> tuple[tuple[str, str], ...]:
    return tuple((one.name, one.said_as) for one in fields_of(body) if one.sealed)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, before it becomes a leaf.

    `subject` is the data subject of the values in `sealed` (a person, else the agent). `call` is the id of
    the decision that a call's events belong to, so that a permit without an outcome can be found after a
    crash.
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

    @classmethod
    def of(
        cls,
        body: EventBody,
        *,
        at: datetime,
        tenant: str,
        task: str = "",
        agent: str = "",
        subject: str = "",
        call: str = "",
    ) -> Event:
        """Return the event that says `body`."""
        facts: dict[str, Json] = msgspec.to_builtins(body)
        sealed: dict[str, Json] = {}
        for name, said_as in _sealed(type(body)):
            if name in facts:
                sealed[said_as] = facts.pop(name)
        return cls(
            kind=body.KIND,
            at=at,
            tenant=tenant,
            task=task,
            agent=agent,
            subject=subject,
            call=call,
            facts=facts,
            sealed=sealed,
        )

    def saying(self, **facts: Json) -> Event:
        """Return the event with more facts."""
        return msgspec.structs.replace(self, facts=self.facts | facts)


def timestamp(moment: datetime) -> str:
    """Return RFC 3339 in UTC with microseconds, the only form of time in a leaf."""
    at = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    # Not `strftime` or `isoformat`: both take several times as long, and every event has a timestamp.
    written: str = msgspec.to_builtins(at)
    # (msgspec leaves out a zero fraction.)
    return written if len(written) == _WITH_FRACTION else f"{written[:-1]}.000000Z"


_WITH_FRACTION = len("2026-01-01T00:00:00.000001Z")


def leaf_record(
    event: Event,
    *,
    commitments: dict[str, str],
    writer: str,
    sequence: int,
    writer_previous: str,
    task_previous: str,
    state: Json = None,
) -> dict[str, Json]:
    """Return the record whose RFC 8785 bytes are the leaf.

    `writer` is the incarnation that wrote the record, and `sequence` the writer's count from 0.
    `writer_previous` and `task_previous` are the hex leaf hashes of the previous record of the same writer
    and of the same task (empty for the first). `state` is what happened to rows of state in the same
    transaction (`core.evidence.events.state_rows`). INVARIANT: `facts` hold no floats and only ASCII keys, so
    that the fast canonical form applies.
    """
    record: dict[str, Json] = {
        "v": FORMAT,
        # (`value` is a property in Python that reads this attribute.)
        "kind": event.kind._value_,
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
    if state:
        record["state"] = state
    return record
