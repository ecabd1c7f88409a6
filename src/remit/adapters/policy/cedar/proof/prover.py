# SPDX-License-Identifier: Apache-2.0
"""Proves what rules permit, for every possible call of every tool (`remit.ports.policy`).

A widening is a call that the new rules permit and the old ones do not. Two sets of rules count: all of them,
and the rules without those that an approval waives: an added `@otherwise` turns a refusal into a question.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import cedarpy
import msgspec

from remit.adapters.policy.cedar.check import CheckInput
from remit.adapters.policy.cedar.checks.known_check import CheckResult
from remit.adapters.policy.cedar.expressions import fact_of
from remit.adapters.policy.cedar.index import RuleIndex
from remit.adapters.policy.cedar.proof.counterexample import UnreadableExample, read
from remit.adapters.policy.cedar.proof.evaluated import evaluated
from remit.adapters.policy.cedar.proof.possible_calls import conditions, forms_of
from remit.adapters.policy.cedar.proof.symbolic_compiler import Compiled, SymbolicCompiler
from remit.adapters.policy.cedar.rule import CedarRule, Scope, parse
from remit.adapters.policy.cedar.rule_parts import rule_parts
from remit.adapters.policy.cedar.schema import schema_of_one
from remit.adapters.policy.facts import Facts, context_shape
from remit.adapters.policy.load import raise_first
from remit.adapters.policy.types import TypeMismatch
from remit.core.decisions.obligations import STEP_UP
from remit.core.json_value import Json
from remit.core.policy.bundle import PolicySource
from remit.core.policy.proof import FactPath, ProofAnswer, ProofPrograms, ProofQuestion, ProofVerdict
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool
from remit.ports.policy import ProvedPolicies

Policies = dict[str, Json]
Rules = Sequence[CedarRule]
_GROUP = "group:"
#: Facts whose values come from calls and results, and may have other types than declared.
_OPEN_TYPES = ((), ("args",), ("record",), ("history",), ("task", "params"), ("posture", "claims"))
#: Facts that follow from the arguments that a tool declares.
_OF_ARGUMENTS = ((), ("args",), ("provenance",))
_UNKNOWN = "the tool's arguments are not known until its upstream is connected, and rules read them"
_EVERYTHING: Json = {
    "effect": "permit",
    **{part: {"op": "All"} for part in ("principal", "action", "resource")},
    "conditions": [],
}


class _Form(msgspec.Struct, frozen=True):
    """A tool in one form, with what every question about it shares."""

    tool: Tool
    schema: str
    possible: Policies


class _Read(msgspec.Struct, frozen=True):
    """Policies that were read, and what they may name."""

    rules: Rules
    world: CheckInput
    task_types: Sequence[TaskType]

    def tools(self, only: frozenset[str]) -> list[Tool]:
        return [tool for tool in self.world.tools if not only or tool.id in only]


class CedarProver:
    """Answers questions about Cedar policies by Cedar's symbolic compiler.

    `world` returns what policies may name, `examine` parses and checks texts.
    """

    def __init__(
        self,
        world: Callable[[ProvedPolicies], CheckInput],
        examine: Callable[[Sequence[PolicySource], CheckInput], CheckResult],
    ) -> None:
        """Take the parts; the programs are looked for when a question is asked."""
        self._world = world
        self._examine = examine

    def programs(self) -> ProofPrograms:
        """Return the versions of the programs; see the port."""
        return SymbolicCompiler().programs()

    def change(
        self, old: ProvedPolicies, new: ProvedPolicies, only: frozenset[str] = frozenset(), *, seconds: float
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool that a change can touch; see the port."""
        compiler, before, after = SymbolicCompiler(seconds), self._read(old), self._read(new)
        known = {tool.id: _described(tool) for tool in before.world.tools}
        for tool in after.tools(only):
            redescribed = known.get(tool.id) != _described(tool)
            for form in self._forms(tool, after, [*before.rules, *after.rules]):
                met = _Change(_met(before.rules, form.tool), _met(after.rules, form.tool))
                asked = _Questions(compiler, form, [*met.before, *met.after])
                if redescribed:
                    why = "the tool's description differs, and a proof compares rules for one description"
                    yield asked.open(ProofQuestion.NO_WIDER, why)
                elif met.differs:
                    yield from asked.never_errs(met.after)
                    yield from asked.no_wider(met)

    def errors(
        self, policies: ProvedPolicies, only: frozenset[str] = frozenset(), *, seconds: float
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool whether one of its rules can fail; see the port."""
        compiler, found = SymbolicCompiler(seconds), self._read(policies)
        for tool in found.tools(only):
            for form in self._forms(tool, found, found.rules):
                met = _met(found.rules, form.tool)
                yield from _Questions(compiler, form, met).never_errs(met)

    def bounded(
        self,
        policies: ProvedPolicies,
        guardrail: PolicySource,
        only: frozenset[str] = frozenset(),
        *,
        seconds: float,
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool in a guardrail's scope whether it bounds everything; see the port."""
        compiler, found = SymbolicCompiler(seconds), self._read(policies)
        rules, problems = parse([guardrail])
        raise_first(problems)
        for tool in found.tools(only):
            for form in self._forms(tool, found, [*found.rules, *rules]):
                met = _met(found.rules, form.tool)
                for rule in _met(rules, form.tool):
                    asked = _Questions(compiler, form, [*met, rule])
                    yield from asked.never_errs([rule])
                    yield asked.bounded(met, rule)

    def reached(
        self,
        policies: ProvedPolicies,
        by: Sequence[str],
        only: frozenset[str] = frozenset(),
        *,
        seconds: float,
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool whether no other agent reaches it; see the port."""
        compiler, found = SymbolicCompiler(seconds), self._read(policies)
        for tool in found.tools(only):
            for form in self._forms(tool, found, found.rules, agents=by):
                met = _met(found.rules, form.tool)
                asked = _Questions(compiler, form, met)
                yield from asked.never_errs(met)
                yield asked.reached(met, by)

    def _read(self, policies: ProvedPolicies) -> _Read:
        world = self._world(policies)
        found = self._examine(policies.sources, world)
        raise_first(found.problems)
        return _Read(found.rules, world, policies.task_types)

    def _forms(self, tool: Tool, found: _Read, rules: Rules, agents: Iterable[str] = ()) -> Iterator[_Form]:
        uids = {uid for rule in rules for uid in rule.uids}
        named = {name for kind, name in uids if kind == "Action"}
        named_agents = {one for one in agents if not one.startswith(_GROUP)}
        known = sorted({name for kind, name in uids if kind == "Agent"} | named_agents)
        world = found.world
        facts = Facts(world.classes, found.task_types, 0)
        context = context_shape(tool, world.params, world.facts, world.history, world.posture)
        for form in forms_of(tool, context.fields["args"]):
            try:
                described = facts.tool(form.tool)
            except TypeMismatch:
                continue  # its data class does not exist, and remit refuses every call
            holds = conditions(form, described, context, world.words, world.classes, found.task_types, known)
            yield _Form(form.tool, schema_of_one(form.tool, context, named), _limits(tuple(holds)))


class _Change(msgspec.Struct, frozen=True):
    """The rules that can match calls of a tool in one form, before and after a change."""

    before: Rules
    after: Rules

    @property
    def differs(self) -> bool:
        return {rule.ref for rule in self.before} != {rule.ref for rule in self.after}

    @property
    def differing(self) -> Rules:
        kept = {rule.ref for rule in self.before} & {rule.ref for rule in self.after}
        return [rule for rule in (*self.before, *self.after) if rule.ref not in kept]


class _Questions:
    """Asks the questions about the calls of a tool in one form."""

    def __init__(self, compiler: SymbolicCompiler, form: _Form, rules: Rules) -> None:
        """Take all rules that the questions are about."""
        self._compiler = compiler
        self._form = form
        read = {path[:1] for rule in rules for path in rule.reads.paths}
        self._unknown = not form.tool.input_schema and not read.isdisjoint(_OF_ARGUMENTS)
        self._asked: dict[str, ProofAnswer] = {}

    def never_errs(self, rules: Rules) -> Iterator[ProofAnswer]:
        """Yield an answer for each rule that can fail, or for which this is open; if there is none, one."""
        found = [self._fails(rule) for rule in rules]
        open_ones = [one for one in found if one.verdict is not ProofVerdict.PROVEN]
        yield from open_ones or [self._answer(ProofQuestion.NEVER_ERRS, Compiled(holds=True), ())]

    def _fails(self, rule: CedarRule) -> ProofAnswer:
        answer = self._asked.get(rule.ref.digest)
        if answer is None:
            answer = self._asked[rule.ref.digest] = self._answer(
                ProofQuestion.NEVER_ERRS, self._never_errs(rule), [rule], rule.ref.id
            )
        return answer

    def _never_errs(self, rule: CedarRule) -> Compiled:
        # Most rules have no operator that can fail on values of the right type.
        if not rule_parts(rule.policy)[2]:
            return Compiled(holds=True)
        if self._unknown:
            return Compiled(fault=_UNKNOWN)
        possible = self._form.possible.values()
        limits = [{"kind": "when", "body": one["conditions"][0]["body"]} for one in possible]
        bounded = {**rule.policy, "conditions": [*limits, *rule.policy.get("conditions", [])]}
        return self._compiler.never_errs(self._form.schema, self._form.tool.id, {rule.ref.id: bounded})

    def no_wider(self, change: _Change) -> Iterator[ProofAnswer]:
        """Yield whether a change permits nothing more, by itself and after an approval."""
        before, after = self._strict(change.before), self._strict(change.after)
        unread = _unread(change.before, change.after)
        answer = self._answer(ProofQuestion.NO_WIDER, self._implies(after, before), change.differing)
        if answer.verdict is ProofVerdict.PROVEN and (dropped := self._dropped(change)):
            answer = self.open(
                ProofQuestion.NO_WIDER, f"a permit may no longer demand {' or '.join(dropped)}, as it did"
            )
        yield _typed(answer, unread)
        if answer.verdict is ProofVerdict.REFUTED:
            return  # what is permitted by itself needs no approval
        if any(rule.waivable or STEP_UP in rule.obligations for rule in (*change.before, *change.after)):
            found = self._implies(self._lasting(change.after), self._lasting(change.before))
            answer = self._answer(ProofQuestion.NO_WIDER_AFTER_APPROVAL, found, change.differing)
            yield _typed(answer, unread)

    def _dropped(self, change: _Change) -> list[str]:
        """Return the obligations without which a call may be permitted that came with them before.

        Where a permit that demands one forbids instead, what is left is permitted without it.
        """
        owed = {text for rule in change.differing if rule in change.before for text in rule.obligations}
        return [
            f"`{text}`"
            for text in sorted(owed)
            if not self._implies(
                self._lasting(change.after, without=text), self._lasting(change.before, without=text)
            ).holds
        ]

    def bounded(self, rules: Rules, guardrail: CedarRule) -> ProofAnswer:
        """Return whether nothing is permitted that a guardrail refuses, or asks about."""
        counted = self._strict(rules) if guardrail.waivable else self._lasting(rules)
        found = self._implies(counted, {"everything": _EVERYTHING, guardrail.ref.id: guardrail.policy})
        answer = self._answer(ProofQuestion.BOUNDED, found, [guardrail], guardrail.ref.id)
        return _typed(answer, _unread([guardrail], rules))

    def reached(self, rules: Rules, by: Sequence[str]) -> ProofAnswer:
        """Return whether nothing is permitted to other agents."""
        allowed = {
            one: {
                **_EVERYTHING,
                "principal": {"op": "in", "entity": {"type": "Group", "id": one.removeprefix(_GROUP)}}
                if one.startswith(_GROUP)
                else {"op": "==", "entity": {"type": "Agent", "id": one}},
            }
            for one in by
        }
        found = self._implies(self._lasting(rules), allowed)
        answer = self._answer(ProofQuestion.REACHED_ONLY_BY, found, [one for one in rules if one.permits])
        if answer.example is None:
            return answer
        read = (("principal", "name"), *answer.example.read)
        return msgspec.structs.replace(answer, example=msgspec.structs.replace(answer.example, read=read))

    def _lasting(self, rules: Rules, *, without: str = "") -> Policies:
        """Return the rules that no approval waives; where a waivable one fails, they permit nothing.

        A permit that demands the obligation `without` forbids.
        """
        waivable = {rule.ref.id for rule in rules if rule.waivable}
        found = self._refusing(rules, without)
        return {name: one for name, one in found.items() if name not in waivable}

    def _strict(self, rules: Rules) -> Policies:
        """Return all rules. A permit that asks a person permits nothing by itself."""
        return self._refusing(rules, STEP_UP)

    def _refusing(self, rules: Rules, obligation: str) -> Policies:
        """Return rules of which each permit fails where any rule fails, and forbids where it demands an
        obligation.

        Cedar skips a rule that fails; remit refuses the call.
        """
        failing = [rule for rule in rules if self._fails(rule).verdict is not ProofVerdict.PROVEN]
        tried = [{"kind": "when", "body": evaluated(rule.policy)} for rule in failing]
        return {
            rule.ref.id: {
                **rule.policy,
                "effect": "forbid" if obligation in rule.obligations else "permit",
                "conditions": [*tried, *rule.policy.get("conditions", [])],
            }
            if rule.permits
            else rule.policy
            for rule in rules
        }

    def _implies(self, first: Policies, second: Policies) -> Compiled:
        if self._unknown:
            return Compiled(fault=_UNKNOWN)
        form = self._form
        return self._compiler.implies(form.schema, form.tool.id, {**first, **form.possible}, second)

    def open(self, question: ProofQuestion, why: str) -> ProofAnswer:
        """Return the answer to a question that is not decided."""
        return self._answer(question, Compiled(fault=why), ())

    def _answer(
        self, question: ProofQuestion, found: Compiled, read_by: Iterable[CedarRule], rule: str = ""
    ) -> ProofAnswer:
        verdict, example, why = ProofVerdict.PROVEN, None, ""
        if not found.holds:
            verdict, why = ProofVerdict.UNDECIDED, found.fault
            if found.example:
                try:
                    verdict, example = ProofVerdict.REFUTED, read(found.example, _paths(read_by))
                except UnreadableExample as fault:
                    why = str(fault)
        tool = self._form.tool
        return ProofAnswer(
            question=question,
            tool=tool.id,
            effect=tool.effect.value,
            audience=tool.audience.name,
            verdict=verdict,
            rule=rule,
            example=example,
            why=why,
        )


def _described(tool: Tool) -> Tool:
    """Return what decides about a tool's calls, without its state."""
    return msgspec.structs.replace(tool, state=Tool.state, surface={"inputSchema": tool.input_schema})


def _met(rules: Rules, tool: Tool) -> Rules:
    """Return the rules whose scope can match calls of a tool in this form, by any agent."""
    return [rules[number] for number in RuleIndex(rules).for_tool(tool)]


def _unread(before: Rules, after: Rules) -> str:
    """Return a fact of no certain type that rules read before, and not after; empty where there is none.

    remit refuses a call in which a fact has another type than its declaration says, if a rule reads the fact.
    Calls without such a rule are beyond what a solver sees: to it, every fact has its type.
    """
    still = {(path, rule.principal) for rule in after for path in rule.reads.paths}
    for rule in before:
        for path in sorted(rule.reads.paths, key=str):
            open_type = path[:1] in _OPEN_TYPES or path[:2] in _OPEN_TYPES
            if open_type and not {(path, Scope()), (path, rule.principal)} & still:
                return ".".join(("context", *(name for name in path if name is not None)))
    return ""


def _typed(answer: ProofAnswer, unread: str) -> ProofAnswer:
    """Return an answer that is open where calls with values of other types may be permitted now."""
    if not unread or answer.verdict is not ProofVerdict.PROVEN:
        return answer
    why = (
        f"`{unread}` is read no more: calls in which it does not fit its declared type were refused, and may "
        "be permitted; every call in which it fits is proven"
    )
    return msgspec.structs.replace(answer, verdict=ProofVerdict.UNDECIDED, why=why)


def _paths(rules: Iterable[CedarRule]) -> tuple[FactPath, ...]:
    """Return the facts of a call that rules read; a fact whose presence alone is read counts, too."""
    found: set[FactPath] = set()
    for rule in rules:
        found |= {("context", *(name for name in path if name is not None)) for path in rule.reads.paths}
        pending: list[Json] = [one.get("body") for one in rule.policy.get("conditions", [])]
        while pending:
            node = pending.pop()
            fact = fact_of(node)
            if fact[:1] == ("principal",):
                found.add(fact)
            below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
            pending += below
    return tuple(sorted(found))


@functools.lru_cache(256)
def _parsed(holds: tuple[str, ...]) -> Mapping[str, Json]:
    text = "\n".join(f"forbid (principal, action, resource) unless {{ {one} }};" for one in holds)
    parsed: Mapping[str, Json] = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    return parsed


def _limits(holds: tuple[str, ...]) -> Policies:
    """Return the conditions of a possible call as rules that forbid every other call."""
    return {f"remit possible {number}": one for number, one in enumerate(_parsed(holds).values())}
