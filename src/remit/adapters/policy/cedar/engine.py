# SPDX-License-Identifier: Apache-2.0
"""Cedar behind the policy port.

For each pair of tool and agent a *place* is prepared once: the policies whose scope can match, a schema
with exactly what those policies read, and the entities of the call, closed under ancestors. A call then
costs one evaluation. The agent and the tool of the request are what counts, not what was known when the
policies were loaded: an agent that was registered later, or whose groups have changed, gets a new place.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

import cedarpy
import msgspec

from remit.adapters.policy.cedar.check import World, problems_of, validate_alone
from remit.adapters.policy.cedar.facts import Facts, context_shape, parameters
from remit.adapters.policy.cedar.index import Recent, RuleIndex, principal_closure, resource_closure
from remit.adapters.policy.cedar.rule import CedarRule, parse
from remit.adapters.policy.cedar.schema import schema_of_one, schema_text
from remit.adapters.policy.cedar.shape import Misfit, Path, Shape, prune
from remit.core.decision import PolicyAnswer, Reason, RuleRef
from remit.core.errors import ConfigInvalid
from remit.core.identity import Agent
from remit.core.label import Classes
from remit.core.request import AccessRequest
from remit.core.task import TaskType
from remit.core.tool import Tool
from remit.ports.policy import PolicySource, Problem

Json = Any

TEXT_LIMIT = 64 * 1024
_ERRED = re.compile(r"error while evaluating policy `([^`]*)`: (.*)", re.DOTALL)


class CedarPolicies:
    """Checks and loads Cedar policies (`remit.ports.policy.PolicyEngine`).

    `text_limit` is the number of characters of one string that policies may read; a call whose longer
    string is read by a policy in question is refused, one whose longer string nobody reads is not.
    """

    def __init__(self, *, classes: Classes | None = None, text_limit: int = TEXT_LIMIT) -> None:
        """Take the organisation's data classes, whose order policies can ask for."""
        self._classes = classes or Classes()
        self._text_limit = text_limit

    def schema(self, tools: Sequence[Tool], task_types: Sequence[TaskType]) -> str:
        """Give the Cedar schema of the registered tools."""
        return schema_text(tools, task_types, self._classes)

    def check(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent] = (),
    ) -> list[Problem]:
        """Give what is wrong. With `agents`, a name of an agent or group that nobody has is a warning."""
        rules, problems = parse(sources)
        return problems + problems_of(rules, World(tools, task_types, self._classes, agents))

    def load(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent],
    ) -> CedarLoaded:
        """Parse, check and index; raises `ConfigInvalid` with the first error. Agents are read from each
        request.
        """
        rules, problems = parse(sources)
        problems += problems_of(rules, World(tools, task_types, self._classes, agents))
        for problem in problems:
            if problem.severity == "error":
                raise ConfigInvalid(
                    problem.text,
                    file=problem.file,
                    line=problem.line,
                    key=problem.rule,
                    way_out=problem.way_out,
                )
        facts = Facts(self._classes, task_types, self._text_limit)
        schema = self.schema(tools, task_types)
        return CedarLoaded(rules, tools, facts, parameters(task_types), schema)


class _Kit(msgspec.Struct, frozen=True):
    """What calls of one tool under one choice of rules share."""

    tool: Tool
    rules: tuple[CedarRule, ...]
    shape: Shape
    schema: Any
    policies: Any
    unwaived: Any
    by_id: dict[str, CedarRule]
    broken: tuple[str, ...]


class _Place(msgspec.Struct, frozen=True):
    """Everything about a call that does not change from one call to the next."""

    agent: Agent
    tool: Tool
    kit: _Kit
    entities: Any
    head: dict[str, Json]


class CedarLoaded:
    """One version of the policies, ready to evaluate (`remit.ports.policy.LoadedPolicy`)."""

    def __init__(
        self, rules: Sequence[CedarRule], tools: Sequence[Tool], facts: Facts, params: Shape, schema: str
    ) -> None:
        """Take checked rules."""
        self._rules = tuple(rules)
        self._tools = {tool.id: tool for tool in tools}
        self._facts = facts
        self._params = params
        self._index = RuleIndex(self._rules)
        self._sets: Recent[tuple[int, ...], tuple[Any, Any]] = Recent(512)
        self._kits: Recent[tuple[str, tuple[int, ...]], _Kit] = Recent(2048)
        self._places: Recent[tuple[str, str, str], _Place] = Recent(8192)
        named = sorted((rule.ref.id, rule.ref.digest) for rule in self._rules)
        self.digest = "sha256:" + hashlib.sha256(json.dumps([named, schema]).encode()).hexdigest()

    def rules(self) -> Sequence[tuple[str, str, str]]:
        """Give (id, digest, text) of every rule."""
        return [(rule.ref.id, rule.ref.digest, rule.text) for rule in self._rules]

    def evaluate(self, request: AccessRequest) -> PolicyAnswer:
        """Decide one request, without I/O; see the port."""
        if request.principal.agent != request.agent.name or request.principal.tenant != request.agent.tenant:
            return _refused("the request's principal is not the agent that it describes")
        try:
            place = self._place(request)
        except (Misfit, ValueError) as fault:
            why = str(fault) if isinstance(fault, Misfit) else "a name in it cannot be written in Cedar"
            return _refused(f"tool `{request.tool.id}` does not fit the policy schema: {why}")
        kit = place.kit
        if kit.broken:
            names = ", ".join(f"`{name}`" for name in kit.broken)
            return _refused(f"rule {names} does not fit tool `{request.tool.id}`, which has changed since")
        try:
            context = self._facts.context(kit.shape, request)
        except Misfit as misfit:
            return _refused(f"{misfit}, and rule {_readers(kit.rules, misfit.path)} reads it")
        asked = {**place.head, "context": context.decode()}
        result = cedarpy.is_authorized(asked, kit.policies, place.entities, kit.schema)
        return self._answer(place, asked, result)

    def _answer(self, place: _Place, asked: dict[str, Json], result: cedarpy.AuthzResult) -> PolicyAnswer:
        kit = place.kit
        errors = tuple(_erred(text) for text in result.diagnostics.errors)
        decision = result.decision
        if decision is cedarpy.Decision.NoDecision and not errors:
            errors = ("the policy engine gave no answer",)
        spoken = [kit.by_id[name] for name in sorted(result.diagnostics.reasons)]
        if decision is cedarpy.Decision.Allow and not errors:
            return PolicyAnswer(permits=_refs(spoken), reasons=_reasons(spoken, place.tool))
        forbids = [rule for rule in spoken if not rule.permits and not rule.waivable]
        waivable = [rule for rule in spoken if not rule.permits and rule.waivable]
        permits: list[CedarRule] = []
        reasons = _reasons(forbids + waivable, place.tool)
        if waivable and not forbids and not errors:
            # Cedar names the permits only where nothing forbids: ask again without what a human may waive.
            again = cedarpy.is_authorized(asked, kit.unwaived, place.entities, kit.schema)
            errors = tuple(_erred(text) for text in again.diagnostics.errors)
            if again.decision is cedarpy.Decision.Allow:
                permits = [kit.by_id[name] for name in sorted(again.diagnostics.reasons)]
            else:
                reasons = (Reason(code="no-permit", text="no policy permits this", rule="default deny"),)
        if errors:
            reasons = tuple(Reason(code="policy-error", text=text) for text in errors) + reasons
        return PolicyAnswer(
            permits=_refs(permits),
            forbids=_refs(forbids),
            waivable=_refs(waivable),
            reasons=reasons,
            errors=errors,
        )

    def _place(self, request: AccessRequest) -> _Place:
        agent, tool = request.agent, request.tool
        key = (agent.tenant, agent.name, tool.id)
        place = self._places.get(key)
        if place is not None and _same(place.agent, agent) and _same(place.tool, tool):
            return place
        kit = self._kit(tool, self._index.candidates(tool, agent))
        entities = [
            _entity(("Agent", agent.name), principal_closure(agent)[1], self._facts.agent(agent)),
            *(_entity(uid) for uid in sorted(principal_closure(agent)[1]) if uid[0] == "Group"),
            _entity(("Tool", tool.id), resource_closure(tool)[1], self._facts.tool(tool)),
            _entity(("Upstream", tool.upstream)),
        ]
        return self._places.put(
            key,
            _Place(
                agent,
                tool,
                kit,
                # The schema adds the action and its groups.
                cedarpy.Entities.from_json_str(json.dumps(entities), kit.schema),
                {
                    "principal": {"type": "Agent", "id": agent.name},
                    "action": {"type": "Action", "id": tool.id},
                    "resource": {"type": "Tool", "id": tool.id},
                },
            ),
        )

    def _kit(self, tool: Tool, numbers: tuple[int, ...]) -> _Kit:
        key = (tool.id, numbers)
        kit = self._kits.get(key)
        if kit is not None and _same(kit.tool, tool):
            return kit
        rules = tuple(self._rules[number] for number in numbers)
        paths: set[Path] = {path for rule in rules for path in rule.reads.paths}
        shape = prune(context_shape(tool, self._params), paths)
        named = {name for rule in rules for kind, name in rule.uids if kind == "Action"}
        schema = schema_of_one(tool, shape, named)
        known = self._tools.get(tool.id)
        checked = (
            known is not None and known.input_schema == tool.input_schema and known.effect is tool.effect
        )
        policies, unwaived = self._compiled(numbers, rules)
        return self._kits.put(
            key,
            _Kit(
                tool,
                rules,
                shape,
                cedarpy.Schema.from_str(schema),
                policies,
                unwaived,
                {rule.ref.id: rule for rule in rules},
                () if checked and tool.input_schema else validate_alone(rules, schema),
            ),
        )

    def _compiled(self, numbers: tuple[int, ...], rules: Sequence[CedarRule]) -> tuple[Any, Any]:
        found = self._sets.get(numbers)
        if found is None:
            whole = _policy_set(rules)
            lasting = [rule for rule in rules if not rule.waivable]
            found = self._sets.put(
                numbers, (whole, whole if len(lasting) == len(rules) else _policy_set(lasting))
            )
        return found


def _same(one: object, other: object) -> bool:
    return one is other or one == other


def _policy_set(rules: Sequence[CedarRule]) -> Any:
    static = {rule.ref.id: rule.policy for rule in rules}
    return cedarpy.PolicySet.from_json_str(
        json.dumps({"templates": {}, "staticPolicies": static, "templateLinks": []})
    )


def _entity(
    uid: tuple[str, str],
    closure: frozenset[tuple[str, str]] = frozenset(),
    attrs: dict[str, Json] | None = None,
) -> Json:
    kind, name = uid
    parents = [{"type": one, "id": id_} for one, id_ in sorted(closure) if (one, id_) != uid]
    return {"uid": {"type": kind, "id": name}, "attrs": attrs or {}, "parents": parents}


def _refs(rules: Sequence[CedarRule]) -> tuple[RuleRef, ...]:
    return tuple(rule.ref for rule in rules)


def _reasons(rules: Sequence[CedarRule], tool: Tool) -> tuple[Reason, ...]:
    return tuple(
        Reason(
            code="permitted" if rule.permits else "approval-needed" if rule.waivable else "forbidden",
            text=rule.reason.replace("{tool}", tool.id)
            or f"rule `{rule.ref.id}` {'permits' if rule.permits else 'forbids'} `{tool.id}`",
            rule=rule.ref.id,
            way_out=rule.way_out.replace("{tool}", tool.id),
        )
        for rule in rules
    )


def _refused(why: str) -> PolicyAnswer:
    return PolicyAnswer(errors=(why,), reasons=(Reason(code="policy-error", text=why),))


def _erred(text: str) -> str:
    """Say which rule erred. Cedar's own text may quote values of the call, so none of it is passed on."""
    found = _ERRED.match(text)
    if found is None:
        return "the call does not fit the policy schema"
    detail = found.group(2)
    why = (
        "a number overflowed"
        if "overflow" in detail
        else "an attribute is missing"
        if "does not have the attribute" in detail
        else "its condition erred"
    )
    return f"rule `{found.group(1)}` could not be evaluated: {why}"


def _readers(rules: Sequence[CedarRule], path: str) -> str:
    """Name the rules that read a fact."""
    names = tuple(path.split("."))
    found = [
        rule.ref.id
        for rule in rules
        if any(read[: len(names)] == names[: len(read)] for read in rule.reads.paths)
    ]
    return ", ".join(f"`{name}`" for name in found) or "of this bundle"
