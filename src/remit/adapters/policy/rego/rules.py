# SPDX-License-Identifier: Apache-2.0
"""Rules in Rego: `permit contains "id" if ...` and `forbid contains "id" if ...` of package `remit`.

Annotations (`# METADATA`, below `custom`) state `reason`, `remediation` and `otherwise`. Further bodies of a
rule follow it in the same file, without annotations. Other definitions are helpers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from remit.adapters.policy.approver_notes import APPROVERS, demand_fault, demand_in
from remit.adapters.policy.cedar.policy_text import nearest
from remit.adapters.policy.cedar.rule import MAX_BOUNDED
from remit.adapters.policy.obligation_notes import OBLIGATIONS, obligation_fault, obligations_in
from remit.adapters.policy.rego.rule_scope import scope_of
from remit.adapters.policy.rego.syntax import Definition, Definitions, FunctionCall, Names
from remit.adapters.policy.rego.words import literals_compared
from remit.core.canonical import digest
from remit.core.decisions.approvers import ApproverDemand
from remit.core.decisions.decision import RuleRef
from remit.core.json_value import Json
from remit.core.tools.tool import Tool
from remit.ports.policy import Problem

PACKAGE: Names = ("remit",)
DECIDING = ("permit", "forbid")
ANNOTATIONS = (
    *("reason", "remediation", "otherwise", "bounded", "bounded_high_risk"),
    *OBLIGATIONS,
    *APPROVERS,
)
BOUNDS = ("bounded", "bounded_high_risk")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#/-]{0,127}\Z")
_FORM = 'write `forbid contains "some/id" if { ... }` or `permit contains "some/id" if { ... }`'


class RegoRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `text` is the source with the helpers and imports that it uses.

    `bounded` and `bounded_high_risk` are the most calls that one approval may permit, of ordinary tools and
    of those with a high risk; 0: just the one. `obligations` are what a permit demands, `approvers` the
    people that a rule that asks demands. `reads` are the paths below `input`, of the helpers, too, each with
    the file and line of its first mention, and `compared` the literals that facts are compared with. `tools`
    and `upstreams` are those that the rule is for, or `None` if it does not compare them in each of its
    bodies. `body` is the digest of its bodies and helpers, without notes.
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
    reads: tuple[tuple[Names, str, int], ...]
    compared: tuple[tuple[str, Json], ...] = ()
    tools: frozenset[str] | None
    upstreams: frozenset[str] | None
    body: str

    def concerns(self, tool: Tool) -> bool:
        """Return whether the rule can match a call of a tool."""
        return (self.tools is None or tool.id in self.tools) and (
            self.upstreams is None or tool.upstream in self.upstreams
        )

    def problem(
        self, text: str, *, file: str = "", line: int = 0, severity: str = "error", remediation: str = ""
    ) -> Problem:
        """Return a problem of this rule."""
        return Problem(
            severity, text, file or self.file, line or self.line, self.ref.id, remediation=remediation
        )


def rules_of(known: Sequence[Definition]) -> tuple[list[RegoRule], list[Problem]]:
    """Return the rules among all definitions, and the problems of their form."""
    problems = list(_extended(known))
    bodies: dict[str, list[Definition]] = {}
    for one in known:
        if one.package != PACKAGE or one.name not in DECIDING:
            continue
        found = list(_form(one))
        problems += found
        if found:
            continue
        rule_id = str(one.tree["head"]["key"]["value"])
        first = bodies.setdefault(rule_id, [one])[0]
        if first is one:
            continue
        if first.file != one.file or first.name != one.name or one.noted:
            place = f"{first.file}:{first.line}"
            text = f"rule id `{rule_id}` is already used in {place}"
            way = "give it another id; further bodies of a rule follow it without annotations"
            problems.append(Problem("error", text, one.file, one.line, rule_id, way))
        else:
            bodies[rule_id].append(one)
    rules = []
    every = Definitions(known)
    for rule_id, ones in bodies.items():
        problems += _notes(rule_id, ones[0])
        rules.append(_rule(rule_id, ones, every))
    return rules, problems


def _extended(known: Sequence[Definition]) -> Iterator[Problem]:
    """Yield a problem for each helper that another file extends: rules there would change unseen."""
    homes: dict[Names, Definition] = {}
    for one in known:
        first = homes.setdefault(one.path, one)
        if first.file != one.file and not (one.package == PACKAGE and one.name in DECIDING):
            text = f"`{one.name}` is already defined in {first.file}:{first.line}, and this would extend it"
            way = "give it another name, or put it into another package"
            yield Problem("error", text, one.file, one.line, remediation=way)


def _form(one: Definition) -> Iterator[Problem]:
    head = one.tree["head"]
    key = head.get("key")
    if one.tree.get("default") or len(head["ref"]) != 1 or not isinstance(key, dict) or "value" in head:
        yield Problem("error", f"`{one.name}` is not a set of rule ids", one.file, one.line, "", _FORM)
    elif key.get("type") != "string":
        text = "the id of a rule is computed"
        yield Problem("error", text, one.file, one.line, "", f"{_FORM}, with the id as a literal")
    elif not _ID.match(str(key["value"])):
        text = f"rule id `{ascii(key['value'])[1:-1]}` has characters that an id cannot have"
        way = "use up to 128 ASCII letters, digits and `._:#/-`"
        yield Problem("error", text, one.file, one.line, "", way)


def _notes(rule_id: str, one: Definition) -> Iterator[Problem]:
    for name, value in one.facts.items():
        if name not in ANNOTATIONS:
            text = f"annotation `custom.{name}` has no meaning here"
            yield Problem("warning", text, one.file, one.line, rule_id, nearest(name, ANNOTATIONS))
        elif name == "otherwise" and (one.name == "permit" or value != "approval"):
            text, way = (
                "`otherwise` must be `approval`, on a forbid",
                "write `otherwise: approval`, above a `forbid`",
            )
            yield Problem("error", text, one.file, one.line, rule_id, way)
        elif name in BOUNDS:
            text = f"`{name}` must be a number from 2 to {MAX_BOUNDED}, on a rule that asks for approval"
            way = f"write `{name}: 10` below `otherwise: approval`"
            asks = one.facts.get("otherwise") == "approval"
            if not asks or type(value) is not int or not 2 <= value <= MAX_BOUNDED:
                yield Problem("error", text, one.file, one.line, rule_id, way)
        elif name not in (*OBLIGATIONS, *APPROVERS) and not isinstance(value, str):
            text, way = f"`{name}` is not a text", "put it in quotes"
            yield Problem("error", text, one.file, one.line, rule_id, way)
    for check in (obligation_fault, demand_fault):
        if demanding := check(one.facts, permits=one.name == "permit"):
            yield Problem("error", demanding[0], one.file, one.line, rule_id, demanding[1])


def _rule(rule_id: str, bodies: Sequence[Definition], every: Definitions) -> RegoRule:
    first = bodies[0]
    used = every.closure(bodies)
    reads: dict[Names, tuple[str, int]] = {}
    for one in (*bodies, *used):
        for path, line in one.reads.items():
            reads.setdefault(path, (one.file, line))
    notes = {name: first.facts[name] for name in ANNOTATIONS if name in first.facts}
    trees = sorted(digest(_plain([one.package, one.tree])) for one in (*bodies, *used))
    whole = {"id": rule_id, "effect": first.name, "notes": _plain(notes), "rules": trees}
    tools, upstreams = scope_of(bodies)
    return RegoRule(
        ref=RuleRef(rule_id, digest(whole)),
        text="\n\n".join((*_imports((*bodies, *used)), *(one.text for one in (*bodies, *used)))),
        file=first.file,
        line=first.line,
        permits=first.name == "permit",
        waivable=notes.get("otherwise") == "approval",
        reason=str(notes.get("reason", "")),
        remediation=str(notes.get("remediation", "")),
        bounded=_number(notes.get("bounded")),
        bounded_high_risk=_number(notes.get("bounded_high_risk")),
        obligations=obligations_in(notes),
        approvers=demand_in(notes),
        reads=tuple((path, *place) for path, place in sorted(reads.items())),
        compared=tuple(
            dict.fromkeys(
                (".".join(each.fact), each.value)
                for one in (*bodies, *used)
                for each in literals_compared(one)
            )
        ),
        tools=tools,
        upstreams=upstreams,
        body=digest(trees),
    )


def _number(note: Json) -> int:
    return note if type(note) is int else 0


def _imports(known: Sequence[Definition]) -> list[str]:
    """Return the statements that the names in definitions come from, as one block."""
    found = sorted({line for one in known for line in one.imports})
    return ["\n".join(found)] if found else []


def _plain(node: Json) -> Json:
    """Return JSON without numbers that a canonical form could not keep: each becomes its text."""
    if isinstance(node, dict):
        return {name: _plain(below) for name, below in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(below) for below in node]
    return repr(node) if isinstance(node, float) or type(node) is int else node


def ids_of(known: Sequence[Definition]) -> dict[int, str]:
    """Return the ids of rules by the numbers of the definitions that are their bodies."""
    return {
        number: str(one.tree["head"]["key"]["value"])
        for number, one in enumerate(known)
        if one.package == PACKAGE and one.name in DECIDING and not list(_form(one))
    }


def calls_of(known: Sequence[Definition]) -> Iterator[tuple[Definition, FunctionCall]]:
    """Yield every call in every definition."""
    for one in known:
        for call in one.calls:
            yield one, call
