# SPDX-License-Identifier: Apache-2.0
"""Outgoing notices about events of remit's log: the same event always yields the same notice.

A task is a session, in which an agent (an application) acts, possibly for a person (a user). Reasons that
people wrote stay here: a notice names only the kind of cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from remit.core.canonical import digest
from remit.core.endings.closure import Cause
from remit.core.evidence.event import EventKind
from remit.core.json_value import Json
from remit.core.signals.security_event_token import Subject, SubjectId
from remit.core.signals.signal import SignalKind

#: The events of the log that notices report.
TOLD_KINDS: Final = (EventKind.TASK_ENDED, EventKind.AGENT_CHANGED, EventKind.PERSON_CHANGED)

#: The events that a notified party receives by default.
USUAL_KINDS: Final = (
    EventKind.LEASE_OPEN,
    EventKind.FINDING_SEEN,
    EventKind.REVIEW_OVERDUE,
    EventKind.INITIATIVE_CROSSED,
    EventKind.SCAN_DELIVERED,
    EventKind.FENCE_LOCKED,
    EventKind.FENCE_UNLOCKED,
)
#: Events that are never notified: a refused notification would create another such event.
NEVER_TOLD: Final = frozenset({EventKind.SIGNAL_UNDELIVERED})

_OF_STATE: Final[Mapping[str, SignalKind]] = {
    "suspended": SignalKind.ACCOUNT_DISABLED,
    "active": SignalKind.ACCOUNT_ENABLED,
    "retired": SignalKind.ACCOUNT_PURGED,
}
_OF_BINDING: Final[Mapping[str, str]] = {"bound": "create", "unbound": "revoke"}
_OF_PERSON: Final[Mapping[str, SignalKind]] = {
    "deactivated": SignalKind.ACCOUNT_DISABLED,
    "activated": SignalKind.ACCOUNT_ENABLED,
    "signed-out": SignalKind.SESSIONS_REVOKED,
}
#: The initiator of a cause, in CAEP's terms (`initiating_entity`); `policy` for causes not listed here.
_ENTITIES: Final[Mapping[str, str]] = {
    Cause.ASKED: "admin",
    Cause.AGENT_STATE: "admin",
    Cause.BINDING: "admin",
    Cause.COMPLETED: "user",
    Cause.DELEGATION: "user",
    Cause.SIGNAL: "system",
    Cause.UPSTREAM_COMPROMISED: "system",
}
#: The kinds of notices.
NOTICES: Final = (
    SignalKind.SESSION_REVOKED,
    SignalKind.CREDENTIAL_CHANGE,
    SignalKind.ACCOUNT_DISABLED,
    SignalKind.ACCOUNT_ENABLED,
    SignalKind.ACCOUNT_PURGED,
    SignalKind.SESSIONS_REVOKED,
)


class OutgoingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One notice: the event, its time and its subject. `agent`, `person` and `session` are remit's own
    names.
    """

    kind: SignalKind
    at: datetime
    agent: str = ""
    person: str = ""
    session: str = ""
    payload: dict[str, Json] = {}

    def subject(self, issuer: str, *, people: bool) -> SubjectId:
        """Return the notice's subject in the form sent; with `people`, include the person the agent acts
        for.
        """
        parts: dict[str, tuple[Subject, ...]] = {}
        if self.session:
            parts["session"] = (Subject("opaque", (self.session,)),)
        if self.agent:
            parts["application"] = (Subject("iss_sub", (issuer, self.agent)),)
        if self.person and people:
            parts["user"] = (Subject("iss_sub", (issuer, self.person)),)
        return SubjectId({"": next(iter(parts.values()))}) if len(parts) == 1 else SubjectId(parts)


def notice_of(record: Mapping[str, Json], at: datetime, *, person: str = "") -> OutgoingEvent | None:
    """Return the notice of an event of the log; `None` where the event is not reported.

    `person` is the person that the task is for, or whose record changed: the log record does not hold the
    name in clear.
    """
    facts: Mapping[str, Json] = record.get("facts", {})
    agent = str(record.get("agent", ""))
    stamp: dict[str, Json] = {"event_timestamp": int(at.timestamp())}
    match record.get("kind"):
        case EventKind.TASK_ENDED.value:
            cause = str(facts.get("cause", Cause.ASKED.value))
            stamp["initiating_entity"] = _ENTITIES.get(cause, "policy")
            stamp["reason_admin"] = {"en": cause}
            return OutgoingEvent(
                kind=SignalKind.SESSION_REVOKED,
                at=at,
                agent=agent,
                person=person,
                session=str(record.get("task", "")),
                payload=stamp,
            )
        case EventKind.AGENT_CHANGED.value:
            change = facts.get("change")
            if change == "state" and (kind := _OF_STATE.get(str(facts.get("state")))):
                return OutgoingEvent(kind=kind, at=at, agent=agent, payload=stamp)
            if isinstance(change, str) and change in _OF_BINDING:
                told = {"credential_type": "app", "change_type": _OF_BINDING[change]}
                return OutgoingEvent(
                    kind=SignalKind.CREDENTIAL_CHANGE, at=at, agent=agent, payload=stamp | told
                )
        case EventKind.PERSON_CHANGED.value:
            kind = _OF_PERSON.get(str(facts.get("change")))
            if kind is not None and person:
                return OutgoingEvent(kind=kind, at=at, person=person, payload=stamp)
    return None


def notice_id(origin: str, stream: str, index: int) -> str:
    """Return the id of a stream's notice about event `index`: the same at every repetition."""
    return digest({"log": origin, "stream": stream, "index": index})[7:39]


def claims_of(
    notice: OutgoingEvent, *, issuer: str, audience: str, token_id: str, people: bool
) -> dict[str, Json]:
    """Return the claims of the security event token (RFC 8417 section 2.2, SSF 1.0 section 4)."""
    return {
        "iss": issuer,
        "aud": audience,
        "iat": int(notice.at.timestamp()),
        "jti": token_id,
        "sub_id": notice.subject(issuer, people=people).wire(),
        "events": {notice.kind.uri: notice.payload},
    }
