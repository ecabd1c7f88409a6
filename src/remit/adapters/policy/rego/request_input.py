# SPDX-License-Identifier: Apache-2.0
"""What rules in Rego are asked, and what their result means. It is the same in process and on a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from remit.adapters.policy.cache import RecentAnswers
from remit.adapters.policy.facts import NO_CLAIMS, Facts, history_read, written
from remit.adapters.policy.rego.build import KnownInputs
from remit.adapters.policy.rego.input_schema import input_shape
from remit.adapters.policy.rego.reads import problems_of_reads
from remit.adapters.policy.rego.rules import RegoRule
from remit.adapters.policy.rule_facts import dotted, plain, values_at
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
from remit.core.decisions.decision import PolicyAnswer, RuleRef
from remit.core.identity.principals import Agent
from remit.core.json_value import Json
from remit.core.tools.tool import Tool
from remit.ports.policy import RuleInForce

#: Most prepared tools, and most prepared pairs of agent and tool.
_KEPT = 4096
_REBUILD = "build the policies again with `remit policy build`"


class RegoAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of the rules: the ids of those that permit and of those that forbid."""

    permit: frozenset[str]
    forbid: frozenset[str]


class _Prepared(msgspec.Struct, frozen=True):
    """What rules read of calls of one tool; `broken` names the rules that do not fit the tool."""

    tool: Tool
    shape: Shape
    broken: tuple[str, ...]


class _Head(msgspec.Struct, frozen=True):
    """The parts of `input` that the agent and the tool determine."""

    agent: Agent
    tool: Tool
    parts: dict[str, Json]


class RegoQuestions:
    """Writes `input` for requests, and reads results."""

    def __init__(
        self,
        rules: Sequence[RegoRule],
        tools: Sequence[Tool],
        inputs: KnownInputs,
        facts: Facts,
        params: Shape,
        records: Shape,
        known_posture: Shape = NO_CLAIMS,
    ) -> None:
        """Take rules that have been checked against these tools."""
        self._rules = tuple(rules)
        self._by_id = {rule.ref.id: rule for rule in rules}
        self._known = {tool.id: tool for tool in tools}
        self._inputs = inputs
        self._facts = facts
        self._params = params
        self._records = records
        read = (path for rule in rules for path in _of_context(rule))
        #: The names in the history that rules read.
        self.history = history_read(read, facts.history)
        self._posture = known_posture
        self._prepared: RecentAnswers[tuple[str, str, str], _Prepared] = RecentAnswers(_KEPT)
        self._heads: RecentAnswers[tuple[str, str, str, str, str], _Head] = RecentAnswers(_KEPT)

    def in_force(self) -> list[RuleInForce]:
        """Return every rule."""
        return [
            RuleInForce(
                rule.ref.id,
                rule.ref.digest,
                rule.text,
                "permits" if rule.permits else "asks" if rule.waivable else "refuses",
                rule.reason,
                conditions=(rule.body,),
                reads=dotted(path for path, _, _ in rule.reads),
                compared=rule.compared,
                obligations=rule.obligations,
                bounds=(rule.bounded, rule.bounded_high_risk),
                approvers=rule.approvers,
            )
            for rule in self._rules
        ]

    def applicable(self, tool: Tool) -> frozenset[RuleRef]:
        """Return the rules that can match a call of a tool; a rule's digest covers its helpers."""
        return frozenset(rule.ref for rule in self._rules if rule.tools is None or tool.id in rule.tools)

    def without(self, rules: frozenset[str]) -> RegoQuestions:
        """Return the questions without some rules."""
        kept = [rule for rule in self._rules if rule.ref.id not in rules]
        known = list(self._known.values())
        return RegoQuestions(kept, known, self._inputs, self._facts, self._params, self._records)

    def facts(self, request: AccessRequest, rule: str) -> dict[str, Json]:
        """Return the values of the facts that a rule reads of a request."""
        document = self.document(request)
        if isinstance(document, PolicyAnswer):
            return {}
        return values_at(
            msgspec.json.decode(document), dotted(path for path, _, _ in self._by_id[rule].reads)
        )

    def document(self, request: AccessRequest) -> bytes | PolicyAnswer:
        """Return `input` for a request, or the refusal of a request that does not fit."""
        agent, tool = request.agent, request.tool
        if request.principal.agent != agent.name or request.principal.tenant != agent.tenant:
            return refused("the request's principal is not the agent that it describes")
        try:
            prepared = self._of_tool(tool)
            if prepared.broken:
                names = ", ".join(f"`{name}`" for name in prepared.broken)
                return refused(f"rule {names} does not fit tool `{tool.id}`, which has changed since")
            try:
                parts = dict(self._head(agent, tool, prepared.shape))
            except TypeMismatch as misfit:
                return refused(f"tool `{tool.id}` does not fit the policy schema: {misfit}")
            context = prepared.shape.fields.get("context")
            if context is not None:
                parts["context"] = self._facts.context(context, request, plain)
            return written(parts)
        except TypeMismatch as misfit:
            return refused(f"{misfit}, and rule {self._readers(misfit.path)} reads it")

    def answer(self, tool: Tool, found: RegoAnswer) -> PolicyAnswer:
        """Return what a result means for a call of `tool`."""
        by_id = self._by_id
        if not by_id.keys() >= found.permit | found.forbid:
            return refused("the policies name a rule that they do not have", _REBUILD)
        permits = [by_id[name] for name in sorted(found.permit)]
        spoken = [by_id[name] for name in sorted(found.forbid)]
        if not all(rule.permits for rule in permits) or any(rule.permits for rule in spoken):
            return refused("the policies mistake a permit for a forbid", _REBUILD)
        if not spoken:
            return PolicyAnswer(
                permits=references(permits),
                reasons=reasons_of(permits, tool),
                obligations=demanded(permits),
                asking=stepping(permits),
                approvers=demanded_of((), permits),
            )
        forbids = [rule for rule in spoken if not rule.waivable]
        waivable = [rule for rule in spoken if rule.waivable]
        unpermitted = not forbids and not permits
        return PolicyAnswer(
            # An approver is asked only where something permits the call.
            permits=() if forbids else references(permits),
            forbids=references(forbids),
            waivable=references(waivable),
            obligations=() if forbids else demanded(permits),
            asking=() if forbids else stepping(permits),
            reasons=(NO_PERMIT,) if unpermitted else reasons_of(forbids + waivable, tool),
            flow=flow_read((rule.ref.id, _of_context(rule)) for rule in forbids or waivable),
            most_calls=min((rule.bounded for rule in waivable), default=0),
            most_high_risk=min((rule.bounded_high_risk for rule in waivable), default=0),
            approvers=() if forbids else demanded_of(waivable, permits),
        )

    def _of_tool(self, tool: Tool) -> _Prepared:
        key = (tool.id, tool.effect.value, tool.audience.name)
        found = self._prepared.get(key)
        if found is not None and (found.tool is tool or found.tool == tool):
            return found
        whole = input_shape(tool, self._params, self._records, self._facts.history, self._posture)
        paths: set[Path] = {
            path
            for rule in self._rules
            if rule.tools is None or tool.id in rule.tools
            for path, _, _ in rule.reads
        }
        known = self._known.get(tool.id)
        broken: set[str] = set()
        if known is None or known.input_schema != tool.input_schema or not tool.input_schema:
            inputs = {**self._inputs.by_tool, tool.id: whole}
            broken = {one.rule for one in problems_of_reads(self._rules, inputs, self._inputs.bare)}
        return self._prepared.put(key, _Prepared(tool, prune(whole, paths), tuple(sorted(broken))))

    def _head(self, agent: Agent, tool: Tool, shape: Shape) -> Mapping[str, Json]:
        key = (agent.tenant, agent.name, tool.id, tool.effect.value, tool.audience.name)
        found = self._heads.get(key)
        if found is not None and found.agent == agent and (found.tool is tool or found.tool == tool):
            return found.parts
        values: dict[str, dict[str, Json]] = {
            "principal": {"id": agent.name, "groups": list(agent.groups), **self._facts.agent(agent)},
            "action": {"id": tool.id},
            "resource": {"id": tool.id, **self._facts.tool(tool)},
        }
        parts: dict[str, Json] = {}
        for name, below in values.items():
            read = shape.fields.get(name)
            if read is not None:
                parts[name] = msgspec.Raw(written({one: below[one] for one in read.fields}))
        return self._heads.put(key, _Head(agent, tool, parts)).parts

    def _readers(self, path: str) -> str:
        names = ("context", *path.split("."))
        found = [
            rule.ref.id
            for rule in self._rules
            if any(read[: len(names)] == names[: len(read)] for read, _, _ in rule.reads)
        ]
        return ", ".join(f"`{name}`" for name in found) or "of this bundle"


def _of_context(rule: RegoRule) -> list[Path]:
    return [path[1:] for path, _, _ in rule.reads if path[:1] == ("context",)]
