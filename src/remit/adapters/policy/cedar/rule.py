# SPDX-License-Identifier: Apache-2.0
"""Rules: single Cedar policies with their id, annotations, digest, file position, scope and reads."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import cedarpy
import msgspec

from remit.adapters.policy.approver_notes import APPROVERS, demand_fault, demand_in
from remit.adapters.policy.cedar.policy_text import depth_of, pieces
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

    @property
    def named(self) -> frozenset[Uid] | None:
        """The entities that the scope names; `None` if it names none."""
        return self.below if self.uids is None else self.uids

    def matches(self, uid: Uid, ancestors: frozenset[Uid]) -> bool:
        """Return whether the scope can match an entity; `ancestors` include the entity itself."""
        if self.type and self.type != uid[0]:
            return False
        if self.uids is not None:
            return uid in self.uids
        return self.below is None or not self.below.isdisjoint(ancestors)


class CedarRule(msgspec.Struct, frozen=True, kw_only=True):
    """One policy. `text` is the original source, `canonical` its JSON form in Cedar as canonical bytes.

    Bytes, because the same form as Python values needs ten times the memory; few things read it twice.

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
    canonical: bytes
    principal: Scope
    action: Scope
    resource: Scope
    reads: Reads
    uids: frozenset[Uid]

    @property
    def policy(self) -> dict[str, Json]:
        """The JSON form in Cedar."""
        return msgspec.json.decode(self.canonical, type=dict)

    def problem(self, text: str, *, at: str = "", severity: str = "error", remediation: str = "") -> Problem:
        """Return a problem of this rule, on the line where `at` first occurs in it."""
        found = self.text.find(at) if at else -1
        line = self.line + (self.text.count("\n", 0, found) if found >= 0 else 0)
        return Problem(
            severity=severity, text=text, file=self.file, line=line, rule=self.ref.id, remediation=remediation
        )


def policy_set(policies: Mapping[str, bytes]) -> Any:
    """Compile policies, as JSON, keyed by the ids of their rules."""
    static = {name: msgspec.Raw(one) for name, one in policies.items()}
    whole = {"templates": {}, "staticPolicies": static, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(msgspec.json.encode(whole).decode())


def canonical_json(policy: Json) -> bytes:
    """Return the bytes of which the digest of a rule is made: names in order, no spaces, ASCII."""
    quick = msgspec.json.encode(policy, order="sorted")
    # The standard library also escapes what is not printable ASCII.
    if quick.isascii() and b"\x7f" not in quick:
        return quick
    return json.dumps(policy, sort_keys=True, separators=(",", ":")).encode()


class RuleText(msgspec.Struct, frozen=True):
    """The text of one rule where it stands: `line` is that of its first word, `number` its place in the file,
    both from 1.
    """

    text: str
    file: str
    line: int
    number: int

    @property
    def derived_id(self) -> str:
        """The id of the rule if it states none."""
        return f"{PurePosixPath(self.file).stem}#{self.number}"


def rule_texts(sources: Sequence[PolicySource]) -> tuple[list[RuleText], list[Problem]]:
    """Return the texts of all rules; a problem and no text if there are too many."""
    found: list[RuleText] = []
    for source in sources:
        for number, piece in enumerate(pieces(source.text), 1):
            if len(found) == MAX_RULES:
                remediation = "use groups of tools and agents in fewer rules"
                text = f"there are more than {MAX_RULES} rules"
                return [], [Problem("error", text, source.file, piece.line, remediation=remediation)]
            found.append(RuleText(piece.text, source.file, piece.line, number))
    return found, []


def parse(sources: Sequence[PolicySource]) -> tuple[list[CedarRule], list[Problem]]:
    """Return the rules of all files, and the problems in the text, the annotations and the ids."""
    texts, problems = rule_texts(sources)
    rules = [rule for text in texts if (rule := parse_one(text, problems)) is not None]
    return rules, [*problems, *repeated(rules)]


def repeated(rules: Sequence[CedarRule]) -> Iterator[Problem]:
    """Yield a problem for each rule that has the id of an earlier one."""
    homes: dict[str, CedarRule] = {}
    for rule in rules:
        first = homes.setdefault(rule.ref.id, rule)
        if first is not rule:
            place = f"{first.file}:{first.line}"
            yield rule.problem(
                f"rule id `{rule.ref.id}` is already used in {place}",
                at="@id",
                remediation="give it another `@id`",
            )


def parse_one(piece: RuleText, problems: list[Problem]) -> CedarRule | None:
    """Return the rule of a text; None if it is none. Problems are added to `problems`."""

    def wrong(text: str, remediation: str, rule: str = "") -> None:
        problems.append(Problem("error", text, piece.file, piece.line, rule, remediation))

    if len(piece.text) > MAX_RULE_CHARACTERS:
        wrong(f"the rule has more than {MAX_RULE_CHARACTERS} characters", "split it")
        return None
    if depth_of(piece.text) > MAX_NESTED:
        wrong(f"brackets are nested more than {MAX_NESTED} deep", "split the rule")
        return None
    try:
        parsed = msgspec.json.decode(cedarpy.policies_to_json_str(piece.text))
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
    rule_id = notes.get("id") or piece.derived_id
    if "id" in notes and not _ID.match(notes["id"] or ""):
        wrong(
            f"`@id` {json.dumps(notes['id'] or '')} has characters that an id cannot have",
            "use up to 128 ASCII letters, digits and `._:#/-`",
        )
        return None
    if not _ID.match(rule_id):
        wrong("no id can be derived from the file's name", 'add `@id("...")`')
        return None
    for check in (_asking_fault, obligation_fault, demand_fault):
        if demanding := check(notes, permits=policy["effect"] == "permit"):
            wrong(*demanding, rule=rule_id)
            return None
    try:
        canonical = canonical_json(policy)
        policy_set({rule_id: canonical})
    except (ValueError, RecursionError):
        # Cedar limits the depth of an expression only when the rule is compiled.
        wrong(*_TOO_LONG, rule=rule_id)
        return None
    return _rule(piece, rule_id, policy, canonical)


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


def _rule(piece: RuleText, rule_id: str, policy: Json, canonical: bytes) -> CedarRule:
    reads = of_policy(policy)
    principal, action, resource = (_scope(policy[part]) for part in ("principal", "action", "resource"))
    uids = set(reads.uids)
    for scope in (principal, action, resource):
        uids |= scope.named or frozenset()
    notes = policy.get("annotations", {})
    return CedarRule(
        ref=RuleRef(rule_id, "sha256:" + hashlib.sha256(canonical).hexdigest()),
        text=piece.text,
        file=piece.file,
        line=piece.line,
        permits=policy["effect"] == "permit",
        waivable=notes.get("otherwise") == "approval",
        reason=notes.get("reason") or "",
        remediation=notes.get("remediation") or "",
        bounded=_number(notes.get("bounded")),
        bounded_high_risk=_number(notes.get("bounded_high_risk")),
        obligations=obligations_in(notes),
        approvers=demand_in(notes),
        canonical=canonical,
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
