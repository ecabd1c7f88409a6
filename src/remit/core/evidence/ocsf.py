# SPDX-License-Identifier: Apache-2.0
"""Events of the log in the form of OCSF 1.8 (schema.ocsf.io), one for each line of a continuous export.

Each line names the person and the agent, and holds in `unmapped` the event's index, the leaf hash and, by
default, the leaf's exact text. Checkpoint lines between them hold the log's signed head and the inclusion
proof of the last event before it (RFC 6962 section 2.1.1). So a reader of the lines alone sees a gap, a
change, a repetition or another order. What is outside the leaf (`actor.user`, `severity`) is derived, and not
signed.
"""

from __future__ import annotations

import base64
import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from remit.core.draft_names import (
    OCSF_AI_AGENT,
    OCSF_ATTESTATION,
    OCSF_CHAIN,
    OCSF_PREVIOUS,
    OCSF_RECORD_INTEGRITY,
)
from remit.core.evidence.event import EventKind, meaning_of
from remit.core.evidence.events.kinds import BODIES
from remit.core.evidence.merkle import leaf_hash
from remit.core.json_value import Json
from remit.core.safe_text import escaped, plain

OCSF_VERSION: Final = "1.8.0"
#: The number of the form of `unmapped`.
EXPORT_FORMAT: Final = 1
#: In place of a person's name where it is not exported, and where no person is involved.
WITHHELD: Final = "withheld"
NO_USER: Final = "none"
OWN_NAME: Final = "remit"


class OcsfClass(enum.IntEnum):
    """The classes of OCSF that events are mapped to."""

    BASE_EVENT = 0
    COMPLIANCE_FINDING = 2003
    DETECTION_FINDING = 2004
    DATA_SECURITY_FINDING = 2006
    AUTHENTICATION = 3002
    AUTHORIZE_SESSION = 3003
    ENTITY_MANAGEMENT = 3004
    USER_ACCESS = 3005
    API_ACTIVITY = 6003

    @property
    def title(self) -> str:
        """The name of the class in OCSF."""
        if self is OcsfClass.USER_ACCESS:
            return "User Access Management"
        return self.name.replace("_", " ").title().replace("Api", "API")

    @property
    def category(self) -> int:
        """The number of its category."""
        return self.value // 1000


_CATEGORIES: Final = {
    0: "Uncategorized",
    2: "Findings",
    3: "Identity & Access Management",
    6: "Application Activity",
}
_CUD: Final = {1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: "Other"}
_FINDING: Final = {1: "Create", 2: "Update", 3: "Close", 99: "Other"}
ACTIVITIES: Final[Mapping[OcsfClass, Mapping[int, str]]] = {
    OcsfClass.BASE_EVENT: {99: "Other"},
    OcsfClass.COMPLIANCE_FINDING: _FINDING,
    OcsfClass.DETECTION_FINDING: _FINDING,
    OcsfClass.DATA_SECURITY_FINDING: _FINDING,
    OcsfClass.AUTHENTICATION: {1: "Logon", 2: "Logoff", 3: "Authentication Ticket", 99: "Other"},
    OcsfClass.AUTHORIZE_SESSION: {1: "Assign Privileges", 99: "Other"},
    OcsfClass.ENTITY_MANAGEMENT: {**_CUD, 8: "Enable", 9: "Disable", 12: "Suspend", 13: "Resume"},
    OcsfClass.USER_ACCESS: {1: "Assign Privileges", 2: "Revoke Privileges", 99: "Other"},
    OcsfClass.API_ACTIVITY: _CUD,
}
#: Classes that have an `actor` by the profile `host` alone.
_OF_HOSTS: Final = frozenset({OcsfClass.COMPLIANCE_FINDING, OcsfClass.DETECTION_FINDING})
SEVERITIES: Final = {1: "Informational", 2: "Low", 3: "Medium", 4: "High"}


class OcsfMapping(NamedTuple):
    """How a kind of event is mapped: its class, its activity, the fact that names what it is about, its
    severity, and whether it is a refusal.
    """

    of_class: OcsfClass
    activity: int
    about: str = ""
    severity: int = 1
    fails: bool = False


_K, _C = EventKind, OcsfClass
OCSF_MAPPINGS: Final[Mapping[EventKind, OcsfMapping]] = {
    _K.SYSTEM_STARTED: OcsfMapping(_C.ENTITY_MANAGEMENT, 8, "version"),
    _K.SYSTEM_STOPPED: OcsfMapping(_C.ENTITY_MANAGEMENT, 9),
    _K.REPLICA_GONE: OcsfMapping(_C.ENTITY_MANAGEMENT, 9, "replica", 3),
    _K.BUNDLE_APPLIED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3, "bundle", 2),
    _K.BUNDLE_PROPOSED: OcsfMapping(_C.ENTITY_MANAGEMENT, 1, "bundle"),
    _K.SHADOW_STARTED: OcsfMapping(_C.ENTITY_MANAGEMENT, 8, "shadow"),
    _K.SHADOW_DIFFERED: OcsfMapping(_C.API_ACTIVITY, 99, "tool"),
    _K.SHADOW_STOPPED: OcsfMapping(_C.ENTITY_MANAGEMENT, 9, "shadow"),
    _K.CHANGE_FROZEN: OcsfMapping(_C.ENTITY_MANAGEMENT, 1, "freeze"),
    _K.FREEZE_LIFTED: OcsfMapping(_C.ENTITY_MANAGEMENT, 4, "freeze"),
    _K.POLICY_PROVEN: OcsfMapping(_C.COMPLIANCE_FINDING, 1, "bundle"),
    _K.PERSON_ADDED: OcsfMapping(_C.ENTITY_MANAGEMENT, 1),
    _K.PERSON_CHANGED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3),
    _K.PERSON_SIGNED_IN: OcsfMapping(_C.AUTHENTICATION, 1),
    _K.SIGN_IN_REFUSED: OcsfMapping(_C.AUTHENTICATION, 1, "endpoint", 3, fails=True),
    _K.AGENT_REGISTERED: OcsfMapping(_C.ENTITY_MANAGEMENT, 1),
    _K.AGENT_CHANGED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3),
    _K.AGENT_REVIEWED: OcsfMapping(_C.COMPLIANCE_FINDING, 3),
    _K.REVIEW_OVERDUE: OcsfMapping(_C.COMPLIANCE_FINDING, 1, "", 3),
    _K.INITIATIVE_CROSSED: OcsfMapping(_C.COMPLIANCE_FINDING, 1, "", 3),
    _K.TOKEN_ISSUED: OcsfMapping(_C.AUTHENTICATION, 3, "token"),
    _K.TOKEN_REFUSED: OcsfMapping(_C.AUTHENTICATION, 3, "endpoint", 3, fails=True),
    _K.TOKEN_REVOKED: OcsfMapping(_C.AUTHENTICATION, 2, "token"),
    _K.CONSENT_GIVEN: OcsfMapping(_C.AUTHORIZE_SESSION, 1, "client"),
    _K.CONSENT_DENIED: OcsfMapping(_C.AUTHORIZE_SESSION, 1, "client", 2, fails=True),
    _K.DELEGATION_MADE: OcsfMapping(_C.USER_ACCESS, 1, "task_type"),
    _K.DELEGATION_REVOKED: OcsfMapping(_C.USER_ACCESS, 2, "delegation"),
    _K.FINDING_SEEN: OcsfMapping(_C.DETECTION_FINDING, 1, "finding", 3),
    _K.FINDING_RESOLVED: OcsfMapping(_C.DETECTION_FINDING, 3, "finding"),
    _K.FINDING_ANSWERED: OcsfMapping(_C.DETECTION_FINDING, 2, "finding"),
    _K.FINDING_REOPENED: OcsfMapping(_C.DETECTION_FINDING, 2, "finding", 3),
    _K.FINDING_PROVEN: OcsfMapping(_C.DETECTION_FINDING, 2, "finding"),
    _K.SCAN_DELIVERED: OcsfMapping(_C.COMPLIANCE_FINDING, 1, "scan"),
    _K.TASK_OPENED: OcsfMapping(_C.AUTHORIZE_SESSION, 1, "task_type"),
    _K.TASK_REFUSED: OcsfMapping(_C.AUTHORIZE_SESSION, 1, "task_type", 2, fails=True),
    _K.TASK_MESSAGE: OcsfMapping(_C.AUTHORIZE_SESSION, 99),
    _K.TASK_TAKEN_OVER: OcsfMapping(_C.AUTHORIZE_SESSION, 99, "replica"),
    _K.PLAN_EXTENDED: OcsfMapping(_C.USER_ACCESS, 1, "tools"),
    _K.TASK_NARROWED: OcsfMapping(_C.USER_ACCESS, 2, "lost", 2),
    _K.TASK_SUSPENDED: OcsfMapping(_C.USER_ACCESS, 2, "", 2),
    _K.TASK_RESUMED: OcsfMapping(_C.USER_ACCESS, 1),
    _K.TASK_ENDED: OcsfMapping(_C.USER_ACCESS, 2),
    _K.MODEL_USED: OcsfMapping(_C.API_ACTIVITY, 99, "model"),
    _K.DECISION_MADE: OcsfMapping(_C.API_ACTIVITY, 99, "tool"),
    _K.REFUSALS_COUNTED: OcsfMapping(_C.API_ACTIVITY, 99, "tools", 2, fails=True),
    _K.NOTIFICATION_DUE: OcsfMapping(_C.API_ACTIVITY, 99, "tool"),
    _K.TOOL_CALLED: OcsfMapping(_C.API_ACTIVITY, 99, "tool"),
    _K.CALL_CANCELLED: OcsfMapping(_C.API_ACTIVITY, 99, "tool"),
    _K.DATA_READ: OcsfMapping(_C.API_ACTIVITY, 2, "tool"),
    _K.ACTION_EXECUTED: OcsfMapping(_C.API_ACTIVITY, 3, "tool", 2),
    _K.LABEL_RAISED: OcsfMapping(_C.DATA_SECURITY_FINDING, 2, "class"),
    _K.LABEL_LOWERED: OcsfMapping(_C.DATA_SECURITY_FINDING, 2, "class", 3),
    _K.APPROVAL_REQUESTED: OcsfMapping(_C.USER_ACCESS, 99, "tool", 2),
    _K.APPROVAL_ANSWERED: OcsfMapping(_C.USER_ACCESS, 99, "tool"),
    _K.APPROVAL_DECIDED: OcsfMapping(_C.USER_ACCESS, 99, "tool", 2),
    _K.APPROVAL_ESCALATED: OcsfMapping(_C.USER_ACCESS, 99, "tool", 2),
    _K.GLASS_BROKEN: OcsfMapping(_C.DETECTION_FINDING, 1, "finding", 4),
    _K.APPROVER_AWAY: OcsfMapping(_C.ENTITY_MANAGEMENT, 9),
    _K.APPROVER_BACK: OcsfMapping(_C.ENTITY_MANAGEMENT, 8),
    _K.TOOL_PINNED: OcsfMapping(_C.ENTITY_MANAGEMENT, 1, "tool"),
    _K.TOOL_CHANGED: OcsfMapping(_C.DETECTION_FINDING, 1, "tool", 3),
    _K.TOOL_ACCEPTED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3, "tool"),
    _K.UPSTREAM_LOST: OcsfMapping(_C.ENTITY_MANAGEMENT, 9, "upstream", 2),
    _K.UPSTREAM_RESTORED: OcsfMapping(_C.ENTITY_MANAGEMENT, 8, "upstream"),
    _K.UPSTREAM_MODE: OcsfMapping(_C.ENTITY_MANAGEMENT, 3, "upstream", 3),
    _K.GUARD_REPORTED: OcsfMapping(_C.AUTHORIZE_SESSION, 99, "client"),
    _K.FENCE_RAISED: OcsfMapping(_C.USER_ACCESS, 2, "scope", 3),
    _K.FENCE_LOCKED: OcsfMapping(_C.USER_ACCESS, 2, "scope", 3),
    _K.FENCE_UNLOCKED: OcsfMapping(_C.USER_ACCESS, 1, "scope", 2),
    _K.CLOSURE_MADE: OcsfMapping(_C.USER_ACCESS, 2, "scope"),
    _K.LEASE_ISSUED: OcsfMapping(_C.USER_ACCESS, 1, "lease"),
    _K.LEASE_REVOKED: OcsfMapping(_C.USER_ACCESS, 2, "lease"),
    _K.LEASE_DEAD: OcsfMapping(_C.USER_ACCESS, 2, "lease"),
    _K.LEASE_OPEN: OcsfMapping(_C.DETECTION_FINDING, 1, "lease", 4),
    _K.LEASE_CLOSED: OcsfMapping(_C.USER_ACCESS, 2, "lease", 2),
    _K.SECRET_ROTATED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3, "upstream"),
    _K.KEY_ROTATED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3, "key", 2),
    _K.KEY_RETIRED: OcsfMapping(_C.ENTITY_MANAGEMENT, 4, "key"),
    _K.STATE_RECORDED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3),
    _K.SUBJECT_FORGOTTEN: OcsfMapping(_C.DATA_SECURITY_FINDING, 3, "", 2),
    _K.LOG_PRUNED: OcsfMapping(_C.ENTITY_MANAGEMENT, 4, "", 3),
    _K.LOG_RESTORED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3, "backup", 4),
    _K.LOSS_ACCEPTED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3, "backup", 4),
    _K.SVID_ISSUED: OcsfMapping(_C.AUTHENTICATION, 3, "spiffe_id"),
    _K.SVID_REFUSED: OcsfMapping(_C.AUTHENTICATION, 3, "executable", 3, fails=True),
    _K.SIGNAL_RECEIVED: OcsfMapping(_C.DETECTION_FINDING, 1, "transmitter", 2),
    _K.SIGNAL_REFUSED: OcsfMapping(_C.AUTHENTICATION, 99, "transmitter", 3, fails=True),
    _K.SIGNAL_UNDELIVERED: OcsfMapping(_C.API_ACTIVITY, 99, "receiver", 3, fails=True),
    _K.STREAM_CHANGED: OcsfMapping(_C.ENTITY_MANAGEMENT, 3, "stream"),
}


class ExportedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it goes out: `person` is empty where no person is involved, `openings` are those that the
    configuration names, and `leaf_text` is whether the leaf's exact text goes along.
    """

    index: int
    leaf: bytes
    origin: str
    version: str
    person: str = ""
    openings: Mapping[str, Sequence[Json]] = {}
    leaf_text: bool = True


class ExportLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an export without its line feed: ASCII or text without hidden characters, on one line."""

    index: int
    kind: str
    at: datetime
    severity: int
    text: bytes


def event_of(said: ExportedEvent) -> ExportLine:
    """Return an event's line.

    A leaf that was altered into invalid text goes out, too, as a base event, and fails verification.
    """
    try:
        record: dict[str, Json] = msgspec.json.decode(said.leaf, type=dict[str, Json])
        kind = EventKind(record["kind"])
        at = datetime.fromisoformat(record["at"])
        facts: dict[str, Json] = dict(record["facts"])
    except (ValueError, KeyError, TypeError):
        return _altered(said)
    mapping = OCSF_MAPPINGS[kind]
    agent = str(record.get("agent") or facts.get("agent") or OWN_NAME)
    event: dict[str, Json] = {
        **_head(said, mapping, at, kind.value, str(record.get("tenant", ""))),
        "message": meaning_of(BODIES[kind]),
        "actor": {"app_name": plain(agent), "app_uid": plain(agent), "user": _user(said.person)},
        **_of_class(mapping, said, kind, facts, agent),
    }
    if task := record.get("task"):
        event["metadata"]["correlation_uid"] = task
    if mapping.of_class in _OF_HOSTS:
        event["metadata"]["profiles"] = ["host"]
    if mapping.of_class.category != OcsfClass.DETECTION_FINDING.category:
        event["status_id"], event["status"] = _status(mapping, facts)
    unmapped = _place(said)
    unmapped |= {name: record[name] for name in ("task", "call") if record.get(name)}
    unmapped["facts"] = facts
    if said.openings:
        unmapped["openings"] = dict(said.openings)
    unmapped[OCSF_AI_AGENT] = {"name": plain(agent), "uid": plain(agent)}
    unmapped[OCSF_RECORD_INTEGRITY] = {
        OCSF_CHAIN: f"{said.origin}/{record.get('writer', '')}",
        OCSF_PREVIOUS: record.get("prev", ""),
    }
    event["unmapped"] = unmapped
    return ExportLine(
        index=said.index, kind=kind.value, at=at, severity=mapping.severity, text=_written(event)
    )


def checkpoint_of(
    note: str, size: int, last: bytes, path: Sequence[bytes], *, origin: str, version: str, at: datetime
) -> ExportLine:
    """Return the line of a signed head of `size` events: `last` is the leaf hash of the last one, and `path`
    its inclusion proof.
    """
    said = ExportedEvent(index=size - 1, leaf=b"", origin=origin, version=version)
    event = _head(said, OcsfMapping(OcsfClass.BASE_EVENT, 99), at, "checkpoint", "")
    event["message"] = "The log signed its head."
    event["unmapped"] = {
        "remit_export": EXPORT_FORMAT,
        "index": size - 1,
        "leaf_hash": last.hex(),
        "checkpoint": note,
        "path": [base64.b64encode(one).decode() for one in path],
        OCSF_RECORD_INTEGRITY: {OCSF_CHAIN: origin, OCSF_ATTESTATION: note},
    }
    return ExportLine(index=size - 1, kind="checkpoint", at=at, severity=1, text=_written(event))


def pruned_of(index: int, hashed: bytes, *, origin: str, version: str, at: datetime) -> ExportLine:
    """Return the line of an event that was pruned before a sink had it: its hash alone."""
    said = ExportedEvent(index=index, leaf=b"", origin=origin, version=version)
    event = _head(said, OcsfMapping(OcsfClass.BASE_EVENT, 99), at, "pruned", "")
    event["message"] = "The event was pruned; a later one says when, by whom and why."
    event["unmapped"] = {
        "remit_export": EXPORT_FORMAT,
        "index": index,
        "leaf_hash": hashed.hex(),
        "pruned": True,
    }
    return ExportLine(index=index, kind="pruned", at=at, severity=1, text=_written(event))


def _altered(said: ExportedEvent) -> ExportLine:
    at = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    event = _head(said, OcsfMapping(OcsfClass.BASE_EVENT, 99, severity=4), at, "altered", "")
    event["message"] = "The event was changed in the store."
    event["unmapped"] = _place(said)
    return ExportLine(index=said.index, kind="altered", at=at, severity=4, text=_written(event))


def _head(said: ExportedEvent, mapping: OcsfMapping, at: datetime, code: str, tenant: str) -> dict[str, Json]:
    of_class, activity = mapping.of_class, mapping.activity
    metadata: dict[str, Json] = {
        "version": OCSF_VERSION,
        "product": {"name": OWN_NAME, "vendor_name": OWN_NAME, "version": said.version},
        "log_name": said.origin,
        "uid": f"{said.origin}/{code if not said.leaf else 'event'}/{said.index}",
        "sequence": said.index,
        "event_code": code,
    }
    if tenant:
        metadata["tenant_uid"] = tenant
    return {
        "category_uid": of_class.category,
        "category_name": _CATEGORIES[of_class.category],
        "class_uid": of_class.value,
        "class_name": of_class.title,
        "activity_id": activity,
        "activity_name": ACTIVITIES[of_class][activity],
        "type_uid": of_class.value * 100 + activity,
        "time": int(at.timestamp() * 1000),
        "severity_id": mapping.severity,
        "severity": SEVERITIES[mapping.severity],
        "metadata": metadata,
    }


def _place(said: ExportedEvent) -> dict[str, Json]:
    # Of the leaf that goes out, and not what the store says of it: a changed row cannot pass.
    place: dict[str, Json] = {
        "remit_export": EXPORT_FORMAT,
        "index": said.index,
        "leaf_hash": leaf_hash(said.leaf).hex(),
    }
    if said.leaf_text:
        place["leaf"] = said.leaf.decode(errors="replace")
    return place


def _user(person: str) -> Json:
    if not person:
        return {"name": NO_USER, "type_id": 99, "type": "No person"}
    if person == WITHHELD:
        return {"name": WITHHELD, "type_id": 0, "type": "Unknown"}
    return {"name": plain(person), "uid": plain(person), "type_id": 1, "type": "User"}


def _status(mapping: OcsfMapping, facts: Mapping[str, Json]) -> tuple[int, str]:
    if mapping.fails:
        return 2, "Failure"
    outcome = facts.get("outcome")
    if outcome == "unknown":
        return 0, "Unknown"
    return (1, "Success") if outcome in (None, "permit", "ok") else (2, "Failure")


def _of_class(
    mapping: OcsfMapping, said: ExportedEvent, kind: EventKind, facts: Mapping[str, Json], agent: str
) -> dict[str, Json]:
    """Return what a class requires beside the fields of all."""
    told = facts.get(mapping.about)
    about = [plain(one) for one in (told if isinstance(told, list) else [told]) if one] or [kind.value]
    person = said.person not in ("", WITHHELD)
    user = _user(said.person) if person else {"name": plain(agent), "uid": plain(agent), "type_id": 4}
    match mapping.of_class:
        case OcsfClass.API_ACTIVITY:
            service = {"name": about[0].partition("/")[0] if mapping.about == "tool" else OWN_NAME}
            return {
                "api": {"operation": about[0], "service": service},
                "src_endpoint": {"name": plain(agent)},
            }
        case OcsfClass.AUTHENTICATION:
            return {"user": user, "service": {"name": OWN_NAME}}
        case OcsfClass.AUTHORIZE_SESSION:
            return {"user": user, "privileges": about}
        case OcsfClass.USER_ACCESS:
            return {"user": user, "privileges": about}
        case OcsfClass.ENTITY_MANAGEMENT:
            name = about[0] if mapping.about else plain(agent)
            return {"entity": {"name": name, "type": kind.value.partition(".")[0]}}
        case _:
            return _finding(mapping, said, kind, facts, about[0])


def _finding(
    mapping: OcsfMapping, said: ExportedEvent, kind: EventKind, facts: Mapping[str, Json], about: str
) -> dict[str, Json]:
    kinds = [plain(facts["finding_kind"])] if facts.get("finding_kind") else [kind.value]
    uid = about if mapping.about else f"{said.origin}/{said.index}"
    found: dict[str, Json] = {"finding_info": {"uid": uid, "title": meaning_of(BODIES[kind]), "types": kinds}}
    if mapping.of_class is OcsfClass.COMPLIANCE_FINDING:
        found["compliance"] = {"control": kind.value}
    if mapping.of_class is OcsfClass.DATA_SECURITY_FINDING:
        found["data_security"] = {"detection_pattern": about}
    return found


def _written(event: dict[str, Json]) -> bytes:
    return escaped(msgspec.json.encode(event).decode()).encode()
