# SPDX-License-Identifier: Apache-2.0
"""Cedar behind the policy port.

For each pair of tool and agent a *place* is prepared once: the policies whose scope can match, a schema with
exactly what those policies read, and the entities of the call with all their ancestors. Each call then costs
one evaluation. The agent and tool of the request count, not those known when the policies were loaded: an
agent that was registered later, or whose groups have changed, gets a new place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Literal

import cedarpy
import msgspec

from remit.adapters.policy.cache import RecentAnswers
from remit.adapters.policy.cedar.check import CheckInput, validate_alone
from remit.adapters.policy.cedar.checks.known_check import CheckResult, IncrementalCheck
from remit.adapters.policy.cedar.checks.known_rules import CheckedRule
from remit.adapters.policy.cedar.counters import problems_of_counters
from remit.adapters.policy.cedar.flat_arguments import can_be_flat, flat_shape, flattened
from remit.adapters.policy.cedar.guards import GuardIndex, StringGuard, guard_of
from remit.adapters.policy.cedar.index import RuleIndex, about_every_call, principal_closure, resource_closure
from remit.adapters.policy.cedar.policy_text import with_exception
from remit.adapters.policy.cedar.proof import CedarProver
from remit.adapters.policy.cedar.rule import CedarRule
from remit.adapters.policy.cedar.rule_cache import CompiledRules
from remit.adapters.policy.cedar.rule_facts import facts_read, literals_compared
from remit.adapters.policy.cedar.rule_groups import (
    INDEXED_FROM,
    KEPT,
    SHARED_FROM,
    Asked,
    Found,
    Kept,
    Part,
    Stand,
    readers,
    steady,
)
from remit.adapters.policy.cedar.rule_parts import rule_parts
from remit.adapters.policy.cedar.rule_reachability import unbounded
from remit.adapters.policy.cedar.schema import forms, schema_of_one, schema_text
from remit.adapters.policy.cedar.words import FLOW_WORDS
from remit.adapters.policy.facts import (
    Facts,
    context_shape,
    history_read,
    history_shape,
    parameters,
    posture,
    record_facts,
    written,
)
from remit.adapters.policy.load import raise_first, with_plan
from remit.adapters.policy.rule_facts import plain, values_at
from remit.adapters.policy.rule_report import (
    NO_PERMIT,
    demanded,
    demanded_of,
    flow_read,
    reasons_of,
    references,
    refused,
    stepping,
)
from remit.adapters.policy.types import Path, Shape, TypeMismatch, prune
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import PolicyAnswer, Reason, RuleRef
from remit.core.identity.principals import Agent
from remit.core.json_value import Json
from remit.core.label import Classes, Label
from remit.core.policy.rule_exception import RuleException
from remit.core.policy.vocabulary import DeclaredNames, vocabulary
from remit.core.tasks.history import HistoryCounter
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool
from remit.ports.policy import PolicySource, Problem, RuleInForce

Examine = Callable[[Sequence[PolicySource], CheckInput], CheckResult]

TEXT_LIMIT = 64 * 1024


class CedarPolicies:
    """Checks and loads Cedar policies (`remit.ports.policy.PolicyEngine`).

    `text_limit` is the most characters of one string that policies may read. A call with a longer string is
    refused if a candidate policy reads that string, and not otherwise. `examine` parses and checks; use
    another process for texts from outside (`cedar_apart`). `check` does the same where only problems are
    wanted, `aside` for policies that do not come into force.
    """

    def __init__(
        self,
        *,
        classes: Classes | None = None,
        text_limit: int = TEXT_LIMIT,
        examine: Examine | None = None,
        check: Examine | None = None,
        aside: Examine | None = None,
        declared: DeclaredNames | None = None,
    ) -> None:
        """Take the organisation's data classes, whose order policies can query, and its declared names."""
        self._classes = classes or Classes()
        self._declared = declared
        self._posture = posture(declared.claims if declared else {})
        self._text_limit = text_limit
        self._examine = examine or IncrementalCheck()
        self._check = check or self._examine
        self._aside = aside or self._examine
        #: What was checked last: mostly the same is loaded next.
        self._lately: Sequence[CheckedRule] = ()

    def schema(
        self,
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        counters: Sequence[HistoryCounter] = (),
    ) -> str:
        """Return the Cedar schema of the registered tools."""
        known, history = with_plan(tools), history_shape(counters)
        params, records = parameters(task_types), record_facts(known)
        return schema_text(known, params, self._classes, records, history, self._posture)

    def check(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent] = (),
        counters: Sequence[HistoryCounter] = (),
    ) -> list[Problem]:
        """Return the problems. With `agents`, an unknown name of an agent or group is a warning."""
        world = self._world(tools, task_types, agents, counters)
        found = self._check(sources, world)
        self._lately = found.checked
        problems = [*found.problems, *problems_of_counters(counters, tools)]
        if all(one.severity != "error" for one in found.problems):
            # A rule with an error may be the one that bounds the others.
            problems += unbounded(found.rules, [form for tool in world.tools for form in forms(tool)])
        return problems

    def _world(
        self,
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent],
        counters: Sequence[HistoryCounter],
    ) -> CheckInput:
        known = with_plan(tools)
        words = vocabulary(
            known, task_types, self._classes, agents=agents, declared=self._declared, flow=FLOW_WORDS
        )
        groups = self._declared.groups if self._declared else ()
        params, records = parameters(task_types), record_facts(known)
        history = history_shape(counters)
        return CheckInput(
            known, params, self._classes, agents, records, words, groups, history, self._posture
        )

    def excepted(
        self, sources: Sequence[PolicySource], rule: RuleInForce, exception: RuleException
    ) -> tuple[PolicySource, ...]:
        """Return the sources with an exception in one rule; see the port."""
        return with_exception(sources, rule.text, exception)

    def prover(self) -> CedarProver:
        """Return what proves statements about policies for these data classes and names."""
        return CedarProver(lambda one: self._world(one.tools, one.task_types, (), one.counters), self._aside)

    def load(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent],
        counters: Sequence[HistoryCounter] = (),
        *,
        aside: bool = False,
    ) -> CedarLoaded:
        """Parse, check and index policies; raise `ConfigInvalid` with the first error.

        Agents are read from each request.
        """
        world = self._world(tools, task_types, agents, counters)
        found = (self._aside if aside else self._examine)(sources, world)
        raise_first([*found.problems, *problems_of_counters(counters, tools)])
        facts = Facts(self._classes, task_types, self._text_limit, counters)
        schema = self.schema(tools, task_types, counters)
        loaded = CedarLoaded(found.rules, world.tools, facts, world.params, schema, world.posture)
        loaded.checked, self._lately = found.checked, ()
        return loaded


Form = tuple[str, str, str, Label]
"""A tool in one of its variants: id, effect, audience, and the label that stored data gives it here.

Prepared data is specific to one variant.
"""


def _form(tool: Tool) -> Form:
    return tool.id, tool.effect._value_, tool.audience.name, tool.label


#: Records of many facts in `CedarRule.reads`, by their names.
_RECORDS: Final[dict[Path, str]] = {(): "context", ("task",): "context.task"}


class _Kit(msgspec.Struct, frozen=True):
    """The data that calls of one tool under one set of rules share."""

    tool: Tool
    rules: tuple[CedarRule, ...]
    parts: tuple[Part, ...]
    by_id: dict[str, CedarRule]
    broken: tuple[str, ...]


class _Place(msgspec.Struct, frozen=True):
    """Everything about a call that stays the same from one call to the next."""

    agent: Agent
    tool: Tool
    kit: _Kit
    stands: tuple[Stand, ...]
    #: The prepared answer for each set of permits that match without forbids or errors.
    permitted: RecentAnswers[frozenset[str], PolicyAnswer]


class CedarLoaded:
    """One version of the policies, ready to evaluate (`remit.ports.policy.LoadedPolicy`)."""

    served: ClassVar[Literal[False]] = False

    def __init__(
        self,
        rules: Sequence[CedarRule],
        tools: Sequence[Tool],
        facts: Facts,
        params: Shape,
        schema: str,
        known_posture: Shape,
    ) -> None:
        """Take rules that have been checked."""
        #: Lets the next check know these rules.
        self.checked: Sequence[CheckedRule] = ()
        self._rules = tuple(rules)
        self._tools = {tool.id: tool for tool in tools}
        self._facts = facts
        self._params = params
        self._schema = schema
        self._posture = known_posture
        self._record = record_facts(tools)
        self._index = RuleIndex(self._rules)
        self.history = history_read((path for rule in rules for path in rule.reads.paths), facts.history)
        self._compiled = CompiledRules(self._rules)
        self._guards: dict[int, StringGuard | None] = {}
        self._kits: RecentAnswers[tuple[Form, tuple[int, ...]], _Kit] = RecentAnswers(2048)
        self._places: RecentAnswers[tuple[str, str, Form], _Place] = RecentAnswers(8192)
        named = sorted((rule.ref.id, rule.ref.digest) for rule in self._rules)
        self.digest = "sha256:" + hashlib.sha256(json.dumps([named, schema]).encode()).hexdigest()

    def rules(self) -> Sequence[RuleInForce]:
        """Return every rule."""
        return [
            RuleInForce(
                rule.ref.id,
                rule.ref.digest,
                rule.text,
                "permits" if rule.permits else "asks" if rule.waivable else "refuses",
                rule.reason,
                *rule_parts(rule.policy),
                facts_read(rule),
                literals_compared(rule),
                rule.obligations,
                (rule.bounded, rule.bounded_high_risk),
                rule.approvers,
                tuple(name for path, name in _RECORDS.items() if path in rule.reads.paths),
            )
            for rule in self._rules
        ]

    def without(self, rules: frozenset[str]) -> CedarLoaded:
        """Return these policies without some rules; see the port."""
        kept = [rule for rule in self._rules if rule.ref.id not in rules]
        known = list(self._tools.values())
        return CedarLoaded(kept, known, self._facts, self._params, self._schema, self._posture)

    def facts(self, request: AccessRequest, rule: str) -> dict[str, Json]:
        """Return the values of the facts that a rule reads of a request; see the port."""
        one = next(each for each in self._rules if each.ref.id == rule)
        agent, tool = request.agent, request.tool
        try:
            document = {
                "context": self._facts.context(self._read_by(tool, [one]), request, plain),
                "principal": {**self._facts.agent(agent), "groups": list(agent.groups)},
                "resource": self._facts.tool(tool),
            }
            return values_at(msgspec.json.decode(written(document)), facts_read(one))
        except TypeMismatch:
            return {}

    def applicable(self, tool: Tool, agent: Agent) -> frozenset[RuleRef]:
        """Return the rules that can match a call of a tool by an agent; see the port."""
        return frozenset(self._rules[number].ref for number in self._index.candidates(tool, agent))

    def evaluate(self, request: AccessRequest) -> PolicyAnswer:
        """Decide one request without I/O; see the port."""
        if request.principal.agent != request.agent.name or request.principal.tenant != request.agent.tenant:
            return refused("the request's principal is not the agent that it describes")
        try:
            place = self._place(request)
        except (TypeMismatch, ValueError) as fault:
            why = str(fault) if isinstance(fault, TypeMismatch) else "a name in it cannot be written in Cedar"
            return refused(f"tool `{request.tool.id}` does not fit the policy schema: {why}")
        kit = place.kit
        if kit.broken:
            names = ", ".join(f"`{name}`" for name in kit.broken)
            return refused(f"rule {names} does not fit tool `{request.tool.id}`, which has changed since")
        try:
            heard = [(stand, *stand.ask(self._facts, request)) for stand in place.stands]
        except TypeMismatch as misfit:
            return refused(f"{misfit}, and rule {readers(kit.rules, misfit.path)} reads it")
        return _answer(place, heard)

    def _place(self, request: AccessRequest) -> _Place:
        agent, tool = request.agent, request.tool
        key = (agent.tenant, agent.name, _form(tool))
        place = self._places.get(key)
        if place is not None and _same(place.agent, agent) and _same(place.tool, tool):
            return place
        kit = self._kit(tool, self._index.candidates(tool, agent))
        entities = json.dumps(
            [
                _entity(("Agent", agent.name), principal_closure(agent)[1], self._facts.agent(agent)),
                *(_entity(uid) for uid in sorted(principal_closure(agent)[1]) if uid[0] == "Group"),
                _entity(("Tool", tool.id), resource_closure(tool)[1], self._facts.tool(tool)),
                _entity(("Upstream", tool.upstream)),
            ]
        )
        head = {
            "principal": {"type": "Agent", "id": agent.name},
            "action": {"type": "Action", "id": tool.id},
            "resource": {"type": "Tool", "id": tool.id},
        }
        stands = tuple(
            Stand(
                part,
                self._compiled,
                head,
                # The schema adds the action and its groups.
                cedarpy.Entities.from_json_str(entities, part.schema),
                Kept() if steady(part.rules[0]) else None,
            )
            for part in kit.parts
        )
        return self._places.put(key, _Place(agent, tool, kit, stands, RecentAnswers(KEPT)))

    def _kit(self, tool: Tool, numbers: tuple[int, ...]) -> _Kit:
        key = (_form(tool), numbers)
        kit = self._kits.get(key)
        if kit is not None and _same(kit.tool, tool):
            return kit
        rules = tuple(self._rules[number] for number in numbers)
        known = self._tools.get(tool.id)
        checked = (
            known is not None and known.input_schema == tool.input_schema and known.effect is tool.effect
        )
        schema = _schema(tool, self._read_by(tool, rules), rules)
        parts = [
            self._part(tool, tuple(number for number in numbers if steady(self._rules[number]) is kind))
            for kind in (True, False)
        ]
        return self._kits.put(
            key,
            _Kit(
                tool,
                rules,
                tuple(part for part in parts if part.rules),
                {rule.ref.id: rule for rule in rules},
                () if checked and tool.input_schema else validate_alone(rules, schema),
            ),
        )

    def _part(self, tool: Tool, numbers: tuple[int, ...]) -> Part:
        rules = tuple(self._rules[number] for number in numbers)
        shape = self._read_by(tool, rules)
        flat = can_be_flat(shape) and all(flattened(rule.policy) is not None for rule in rules)
        permits = frozenset(rule.ref.id for rule in rules if rule.permits)
        schema = _schema(tool, flat_shape(shape) if flat else shape, rules)
        guards = self._guarding(shape, numbers) if len(numbers) >= INDEXED_FROM else {}
        if len(guards) < INDEXED_FROM:
            guards = {}
        wide: list[int] = []
        narrow: list[int] = []
        others = [number for number in numbers if number not in guards]
        for number in others:
            (wide if about_every_call(self._rules[number]) else narrow).append(number)
        groups = (wide, narrow) if len(wide) >= SHARED_FROM else (others,)
        return Part(
            rules,
            shape,
            cedarpy.Schema.from_str(schema),
            permits,
            flat,
            tuple(self._compiled.group(tuple(group), flat) for group in groups if group),
            self._compiled.group(tuple(guards), flat),
            GuardIndex(guards.items()) if guards else None,
        )

    def _guarding(self, shape: Shape, numbers: tuple[int, ...]) -> dict[int, StringGuard]:
        """Return the rules that have a guard in a context of this type, with it."""
        found: dict[int, StringGuard] = {}
        for number in numbers:
            if number not in self._guards:
                self._guards[number] = guard_of(self._rules[number].policy)
            guard = self._guards[number]
            if guard is not None and guard.fits(shape):
                found[number] = guard
        return found

    def _read_by(self, tool: Tool, rules: Sequence[CedarRule]) -> Shape:
        """Return the type of the context that these rules read."""
        paths: set[Path] = {path for rule in rules for path in rule.reads.paths}
        shape = context_shape(tool, self._params, self._record, self._facts.history, self._posture)
        return prune(shape, paths)


def _schema(tool: Tool, shape: Shape, rules: Sequence[CedarRule]) -> str:
    """Return the schema for a context of this type, which has exactly what the rules read."""
    named = {name for rule in rules for kind, name in rule.uids if kind == "Action"}
    return schema_of_one(tool, shape, named)


def _answer(place: _Place, heard: Sequence[tuple[Stand, Found, Asked]]) -> PolicyAnswer:
    by_id = place.kit.by_id
    found = Found()
    for _, one, _ in heard:
        found = found.join(one)
    errors = found.errors
    if found.permits and not found.forbids and not errors:
        if (answer := place.permitted.get(found.permits)) is not None:
            return answer
        spoken = [by_id[name] for name in sorted(found.permits)]
        answer = PolicyAnswer(
            permits=references(spoken),
            reasons=reasons_of(spoken, place.tool),
            obligations=demanded(spoken),
            asking=stepping(spoken),
            approvers=demanded_of((), spoken),
        )
        return place.permitted.put(found.permits, answer)
    spoken = [by_id[name] for name in sorted(found.forbids)]
    forbids = [rule for rule in spoken if not rule.waivable]
    waivable = [rule for rule in spoken if rule.waivable]
    permits: list[CedarRule] = []
    reasons = reasons_of(forbids + waivable, place.tool)
    if waivable and not forbids and not errors:
        again = Found()
        for stand, one, asked in heard:
            again = again.join(stand.evaluate(asked, lasting=True) if one.forbids else one)
        errors = again.errors
        if again.permits and not again.forbids and not errors:
            permits = [by_id[name] for name in sorted(again.permits)]
        else:
            reasons = (NO_PERMIT,)
    if errors:
        reasons = tuple(Reason(code="policy-error", text=text) for text in errors) + reasons
    return PolicyAnswer(
        permits=references(permits),
        forbids=references(forbids),
        waivable=references(waivable),
        reasons=reasons,
        errors=errors,
        obligations=demanded(permits),
        asking=stepping(permits),
        flow=flow_read((rule.ref.id, rule.reads.paths) for rule in forbids or waivable),
        most_calls=min((rule.bounded for rule in waivable), default=0),
        most_high_risk=min((rule.bounded_high_risk for rule in waivable), default=0),
        approvers=() if forbids else demanded_of(waivable, permits),
    )


def _same(one: object, other: object) -> bool:
    return one is other or one == other


def _entity(
    uid: tuple[str, str],
    closure: frozenset[tuple[str, str]] = frozenset(),
    attrs: dict[str, Json] | None = None,
) -> Json:
    kind, name = uid
    parents = [{"type": one, "id": id_} for one, id_ in sorted(closure) if (one, id_) != uid]
    return {"uid": {"type": kind, "id": name}, "attrs": attrs or {}, "parents": parents}
