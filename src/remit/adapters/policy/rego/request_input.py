# SPDX-License-Identifier: Apache-2.0
"""What rules in Rego are asked, and what their result means. It is the same in process and on a server.

In process a call is one question, or two: about the rules that read only steady facts, and about the others.
Each has its own `input`, with what its rules read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from remit.adapters.policy.cache import RecentAnswers
from remit.adapters.policy.facts import NO_CLAIMS, Facts, history_read, written
from remit.adapters.policy.rego.build import KnownInputs
from remit.adapters.policy.rego.input_schema import input_shape, joined
from remit.adapters.policy.rego.reads import problems_of_reads
from remit.adapters.policy.rego.rule_groups import DECISION, WHOLE, DividedRules, GroupIndex, entry, halves
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
from remit.adapters.policy.steady_facts import STEADY, alike
from remit.adapters.policy.types import Path, Shape, TypeMismatch, prune
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import PolicyAnswer, RuleRef
from remit.core.identity.principals import Agent
from remit.core.json_value import Json
from remit.core.tools.tool import Tool
from remit.ports.policy import Problem, RuleInForce

#: Most prepared tools, and most prepared pairs of agent and tool.
_KEPT = 4096
#: Records of many facts: a rule that keeps one in a variable may read any of them.
_RECORDS = frozenset({(), ("action",), ("context",), ("context", "task"), ("principal",), ("resource",)})
_REBUILD = "build the policies again with `remit policy build`"


class RegoAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of the rules: the ids of those that permit and of those that forbid."""

    permit: frozenset[str]
    forbid: frozenset[str]


class Question(msgspec.Struct, frozen=True):
    """Rules that are asked at once: the path of their answer, and the type of what they read.

    With `steady` they read only steady facts.
    """

    entry: str
    shape: Shape
    steady: bool


class _Prepared(msgspec.Struct, frozen=True):
    """The questions about calls of one tool; `broken` names the rules that do not fit the tool."""

    tool: Tool
    questions: tuple[Question, ...]
    broken: tuple[str, ...]


class LastAnswer(msgspec.Struct, frozen=True):
    """The answer to one request."""

    request: AccessRequest
    answer: RegoAnswer


class CallQuestions:
    """An agent and a tool, with the questions about its calls.

    `heads` are the parts of each `input` that agent and tool determine, `last` the last answer to each steady
    question.
    """

    __slots__ = ("agent", "heads", "last", "questions", "tool")

    def __init__(
        self, agent: Agent, tool: Tool, questions: tuple[Question, ...], heads: tuple[dict[str, Json], ...]
    ) -> None:
        """Begin without answers."""
        self.agent = agent
        self.tool = tool
        self.questions = questions
        self.heads = heads
        self.last: list[LastAnswer | None] = [None] * len(questions)

    def known(self, number: int, request: AccessRequest) -> RegoAnswer | None:
        """Return the last answer to a question, if a request has the same steady facts."""
        last = self.last[number]
        if last is None or not alike(last.request, request, _context(self.questions[number].shape)):
            return None
        return last.answer


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
        divided: DividedRules = WHOLE,
    ) -> None:
        """Take rules that have been checked against these tools, and how the program divides them."""
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
        self._divided = divided
        groups = [group.rules for group in divided.groups] or [tuple(self._by_id)]
        #: The rules of each group, without those that are left out.
        self._members = [[self._by_id[one] for one in ids if one in self._by_id] for ids in groups]
        self._index = GroupIndex(self._members)
        self._entries = {combined: entry(number) for number, combined in enumerate(divided.answers)}
        self._prepared: RecentAnswers[tuple[str, str, str], _Prepared] = RecentAnswers(_KEPT)
        self._places: RecentAnswers[tuple[str, str, str, str, str], CallQuestions] = RecentAnswers(_KEPT)

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
                records=tuple(".".join(path) for path, _, _ in rule.reads if path in _RECORDS),
            )
            for rule in self._rules
        ]

    def applicable(self, tool: Tool) -> frozenset[RuleRef]:
        """Return the rules that can match a call of a tool; a rule's digest covers its helpers."""
        return frozenset(rule.ref for rule in self._rules if rule.concerns(tool))

    def without(self, rules: frozenset[str]) -> RegoQuestions:
        """Return the questions without some rules."""
        kept = [rule for rule in self._rules if rule.ref.id not in rules]
        known = list(self._known.values())
        given = (self._inputs, self._facts, self._params, self._records, self._posture, self._divided)
        return RegoQuestions(kept, known, *given)

    def facts(self, request: AccessRequest, rule: str) -> dict[str, Json]:
        """Return the values of the facts that a rule reads of a request."""
        place = self.place(request)
        if isinstance(place, PolicyAnswer):
            return {}
        found: dict[str, Json] = {}
        for number in range(len(place.questions)):
            document = self.document(place, number, request)
            if isinstance(document, PolicyAnswer):
                return {}
            names = dotted(path for path, _, _ in self._by_id[rule].reads)
            found |= values_at(msgspec.json.decode(document), names)
        return found

    def place(self, request: AccessRequest) -> CallQuestions | PolicyAnswer:
        """Return the questions about a request, or the refusal of a request that does not fit."""
        agent, tool = request.agent, request.tool
        if request.principal.agent != agent.name or request.principal.tenant != agent.tenant:
            return refused("the request's principal is not the agent that it describes")
        key = (agent.tenant, agent.name, tool.id, tool.effect.value, tool.audience.name)
        found = self._places.get(key)
        if found is not None and found.agent == agent and (found.tool is tool or found.tool == tool):
            return found
        try:
            prepared = self._of_tool(tool)
        except TypeMismatch as misfit:
            return refused(f"{misfit}, and rule {self._readers(misfit.path)} reads it")
        if prepared.broken:
            names = ", ".join(f"`{name}`" for name in prepared.broken)
            return refused(f"rule {names} does not fit tool `{tool.id}`, which has changed since")
        try:
            heads = tuple(self._head(agent, tool, one.shape) for one in prepared.questions)
        except TypeMismatch as misfit:
            return refused(f"tool `{tool.id}` does not fit the policy schema: {misfit}")
        return self._places.put(key, CallQuestions(agent, tool, prepared.questions, heads))

    def document(self, place: CallQuestions, number: int, request: AccessRequest) -> bytes | PolicyAnswer:
        """Return `input` for a question about a request, or the refusal of a request that does not fit."""
        try:
            context = place.questions[number].shape.fields.get("context")
            if context is None:
                return written(place.heads[number])
            return written({**place.heads[number], "context": self._facts.context(context, request, plain)})
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
        broken = {one.rule for one in self._misfits(tool, whole)}
        questions = tuple(self._questions(tool, whole))
        return self._prepared.put(key, _Prepared(tool, questions, tuple(sorted(broken))))

    def _misfits(self, tool: Tool, whole: Shape) -> Iterable[Problem]:
        """Return the problems of rules with a tool that is not the one that they were checked against."""
        known, inputs = self._known.get(tool.id), self._inputs
        if known is None:
            # No rule names it: such a rule would not have been loaded.
            general = [rule for rule in self._rules if rule.tools is None]
            return problems_of_reads(general, {}, joined((inputs.everywhere, whole)))
        if known == tool or (tool.input_schema and known.input_schema == tool.input_schema):
            return ()
        by_tool = {**inputs.by_tool, tool.id: whole}
        return problems_of_reads(self._rules, by_tool, joined([*by_tool.values(), inputs.bare]))

    def _questions(self, tool: Tool, whole: Shape) -> Iterator[Question]:
        """Yield what is asked about calls of a tool: the answers about its groups, or the one about all."""
        wanted = self._index.of(tool)
        asked = [(one, self._entries.get(one)) for one in halves(wanted, self._divided.groups)]
        if not self._divided.groups or any(name is None for _, name in asked):
            asked = [(tuple(wanted), DECISION)]
        for numbers, name in asked:
            rules = (rule for one in numbers for rule in self._members[one] if rule.concerns(tool))
            shape = prune(whole, {path for rule in rules for path, _, _ in rule.reads})
            yield Question(name or DECISION, shape, _context(shape).keys() <= STEADY)

    def _head(self, agent: Agent, tool: Tool, shape: Shape) -> dict[str, Json]:
        """Return the parts of `input` that agent and tool determine."""
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
        return parts

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


def _context(shape: Shape) -> Mapping[str, Shape]:
    """Return the facts of the context that a type of `input` has."""
    context = shape.fields.get("context")
    return {} if context is None else context.fields
