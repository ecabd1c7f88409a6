# SPDX-License-Identifier: Apache-2.0
"""Rules: single Cedar policies with their id, annotations, digest, file position, scope and reads."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import cedarpy
import msgspec

from remit.adapters.policy.approver_notes import APPROVERS, demand_fault, demand_in
from remit.adapters.policy.cedar.policy_text import PolicyPart, depth_of, nearest, pieces
from remit.adapters.policy.cedar.reads import Reads, Uid, of_policy
from remit.adapters.policy.obligation_notes import OBLIGATIONS, obligation_fault, obligations_in
from remit.core.decisions.approvers import ApproverDemand
from remit.core.decisions.decision import RuleRef
from remit.core.json_value import Json
from remit.ports.policy import PolicySource, Problem

ANNOTATIONS = (
    *("id", "reason", "remediation", "otherwise", "bounded", "bounded_high_risk"),
    *OBLIGATIONS,
    *APPROVERS,
)
# Ids appear in evidence, approvals and command lines: a restricted alphabet, so that ids that look alike are
# equal.
MAX_RULES = 10_000
MAX_RULE_CHARACTERS = 256 * 1024
#: Most nested brackets. Cedar's parser recurses for each, on a finite stack.
MAX_NESTED = 64
MAX_BOUNDED = 100
"""Most calls that one approval may permit."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#/-]{0,127}\Z")


#: A chain of operators is a tree in which each operator is nested in the next.
_TOO_LONG = (
    "the rule nests or chains more operators than Cedar compiles (about 60)",
    "split it, or write `[...].contains(...)` in place of a chain of `||`",
)


class Scope(msgspec.Struct, frozen=True):
    """The entities that one part of a policy's scope can match.

    If both `uids` and `below` are `None`, every entity matches. Otherwise an entity matches if it is one of
    `uids`, or if it or one of its ancestors is in `below`. `type` restricts the match to one entity type.
    """

    uids: frozenset[Uid] | None = None
    below: frozenset[Uid] | None = None
    type: str = ""

    def matches(self, uid: Uid, ancestors: frozenset[Uid]) -> bool:
        """Return whether the scope can match an entity; `ancestors` include the entity itself."""
        if self.type and self.type != uid[0]:
            return False
        if self.uids is not None:
            return uid in self.uids
        return self.below is None or not self.below.isdisjoint(ancestors)


class CedarRule(msgspec.Struct, frozen=True, kw_only=True):
    """One policy. `policy` is its JSON form in Cedar, `text` the original source.

    `bounded` and `bounded_high_risk` are the most calls that one approval may permit, of ordinary tools and
    of those with a high risk; 0: just the one. `obligations` are what a permit demands.
    """

    ref: RuleRef
    text: str
    file: str
    line: int
    permits: bool
    waivable: bool
    reason: str
    remediation: str
    bounded: int = 0
    bounded_high_risk: int = 0
    obligations: tuple[str, ...] = ()
    approvers: ApproverDemand | None = None
    policy: Json
    principal: Scope
    action: Scope
    resource: Scope
    reads: Reads
    uids: frozenset[Uid]

    def problem(self, text: str, *, at: str = "", severity: str = "error", remediation: str = "") -> Problem:
        """Return a problem of this rule, on the line where `at` first occurs in it."""
        found = self.text.find(at) if at else -1
        line = self.line + (self.text.count("\n", 0, found) if found >= 0 else 0)
        return Problem(
            severity=severity, text=text, file=self.file, line=line, rule=self.ref.id, remediation=remediation
        )


def policy_set(policies: Mapping[str, Json]) -> Any:
    """Compile policies, keyed by the ids of their rules."""
    static = dict(policies)
    return cedarpy.PolicySet.from_json_str(
        json.dumps({"templates": {}, "staticPolicies": static, "templateLinks": []})
    )


def parse(sources: Sequence[PolicySource]) -> tuple[list[CedarRule], list[Problem]]:
    """Return the rules of all files, and the problems in the text, the annotations and the ids."""
    rules: list[CedarRule] = []
    problems: list[Problem] = []
    homes: dict[str, CedarRule] = {}
    for source in sources:
        for number, piece in enumerate(pieces(source.text), 1):
            if len(rules) + len(problems) >= MAX_RULES:
                problems.append(
                    Problem(
                        "error",
                        f"there are more than {MAX_RULES} rules",
                        file=source.file,
                        line=piece.line,
                        remediation="use groups of tools and agents in fewer rules",
                    )
                )
                return rules, problems
            rule = _parsed(source, piece, number, problems)
            if rule is None:
                continue
            first = homes.setdefault(rule.ref.id, rule)
            if first is not rule:
                place = f"{first.file}:{first.line}"
                problems.append(
                    rule.problem(
                        f"rule id `{rule.ref.id}` is already used in {place}",
                        at="@id",
                        remediation="give it another `@id`",
                    )
                )
            rules.append(rule)
    return rules, problems


def _parsed(
    source: PolicySource, piece: PolicyPart, number: int, problems: list[Problem]
) -> CedarRule | None:
    def wrong(text: str, remediation: str = "", severity: str = "error", rule: str = "") -> None:
        problems.append(
            Problem(
                severity=severity,
                text=text,
                file=source.file,
                line=piece.line,
                rule=rule,
                remediation=remediation,
            )
        )

    if len(piece.text) > MAX_RULE_CHARACTERS:
        wrong(f"the rule has more than {MAX_RULE_CHARACTERS} characters", "split it")
        return None
    if depth_of(piece.text) > MAX_NESTED:
        wrong(f"brackets are nested more than {MAX_NESTED} deep", "split the rule")
        return None
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(piece.text))
    except ValueError as fault:
        wrong(f"not a Cedar policy: {fault}", "see docs/explanation/policy.md for the form of a policy")
        return None
    except RecursionError:
        wrong(*_TOO_LONG)
        return None
    if parsed["templates"]:
        wrong("a template (`?principal`, `?resource`) is not supported", "write one policy per principal")
        return None
    (policy,) = parsed["staticPolicies"].values()
    notes: dict[str, str | None] = policy.get("annotations", {})
    rule_id = notes.get("id") or f"{PurePosixPath(source.file).stem}#{number}"
    if "id" in notes and not _ID.match(notes["id"] or ""):
        wrong(
            f"`@id` {json.dumps(notes['id'] or '')} has characters that an id cannot have",
            "use up to 128 ASCII letters, digits and `._:#/-`",
        )
        return None
    if not _ID.match(rule_id):
        wrong("no id can be derived from the file's name", 'add `@id("...")`')
        return None
    for name in notes:
        if name not in ANNOTATIONS:
            wrong(f"annotation `@{name}` has no meaning here", nearest(name, ANNOTATIONS), "warning", rule_id)
    for check in (_asking_fault, obligation_fault, demand_fault):
        if demanding := check(notes, permits=policy["effect"] == "permit"):
            wrong(*demanding, rule=rule_id)
            return None
    try:
        policy_set({rule_id: policy})
    except ValueError:
        # Cedar limits the depth of an expression only when the rule is compiled.
        wrong(*_TOO_LONG, rule=rule_id)
        return None
    return _rule(source, piece, rule_id, policy, waivable=notes.get("otherwise") == "approval")


def _asking_fault(notes: Mapping[str, str | None], *, permits: bool) -> tuple[str, str] | None:
    """Return the fault in the annotations of a rule that asks a person, with its remediation."""
    otherwise = notes.get("otherwise")
    if "otherwise" in notes and (permits or otherwise != "approval"):
        return "`@otherwise` must be `approval`, on a forbid", 'write `@otherwise("approval")`'
    for name in ("bounded", "bounded_high_risk"):
        if name in notes and (otherwise != "approval" or not 2 <= _number(notes[name]) <= MAX_BOUNDED):
            return (
                f"`@{name}` must be a number from 2 to {MAX_BOUNDED}, on a rule that asks for approval",
                f'write `@{name}("10")` below `@otherwise("approval")`',
            )
    return None


def _rule(
    source: PolicySource, piece: PolicyPart, rule_id: str, policy: Json, *, waivable: bool
) -> CedarRule:
    reads = of_policy(policy)
    principal, action, resource = (_scope(policy[part]) for part in ("principal", "action", "resource"))
    uids = set(reads.uids)
    for scope in (principal, action, resource):
        uids |= (scope.uids or frozenset()) | (scope.below or frozenset())
    notes = policy.get("annotations", {})
    canonical = json.dumps(policy, sort_keys=True, separators=(",", ":"))
    return CedarRule(
        ref=RuleRef(rule_id, "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()),
        text=piece.text,
        file=source.file,
        line=piece.line,
        permits=policy["effect"] == "permit",
        waivable=waivable,
        reason=notes.get("reason") or "",
        remediation=notes.get("remediation") or "",
        bounded=_number(notes.get("bounded")),
        bounded_high_risk=_number(notes.get("bounded_high_risk")),
        obligations=obligations_in(notes),
        approvers=demand_in(notes),
        policy=policy,
        principal=principal,
        action=action,
        resource=resource,
        reads=reads,
        uids=frozenset(uids),
    )


def _number(text: str | None) -> int:
    """Return the number that an annotation states; 0 where it states none."""
    return int(text) if text and len(text) <= 4 and text.isascii() and text.isdigit() else 0


def _uid(entity: Json) -> Uid:
    return str(entity["type"]), str(entity["id"])


def _scope(part: Json) -> Scope:
    """Read one part of a scope. An unknown form matches everything, which only costs needless evaluations."""
    match part:
        case {"op": "==", "entity": entity}:
            return Scope(uids=frozenset({_uid(entity)}))
        case {"op": "in", "entity": entity}:
            return Scope(below=frozenset({_uid(entity)}))
        case {"op": "in", "entities": [*entities]}:
            return Scope(below=frozenset(_uid(one) for one in entities))
        case {"op": "is", "entity_type": str(kind), "in": {"entity": entity}}:
            return Scope(below=frozenset({_uid(entity)}), type=kind)
        case {"op": "is", "entity_type": str(kind), **rest} if not rest:
            return Scope(type=kind)
        case _:
            return Scope()
