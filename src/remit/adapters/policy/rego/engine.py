# SPDX-License-Identifier: Apache-2.0
"""Rego behind the policy port, in process: OPA compiles the rules to Wasm, and `wasmtime` runs them.

Rules see the same facts as Cedar's, as `input`. Only the facts that rules for the tool read are written, each
rebuilt by its declared type. A rule that forbids and errs refuses; see `builtins` for what can err.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, Literal

import msgspec

from remit.adapters.policy.cache import RecentAnswers
from remit.adapters.policy.cedar.counters import problems_of_counters
from remit.adapters.policy.cedar.words import FLOW_WORDS
from remit.adapters.policy.facts import Facts, history_shape, parameters, posture, record_facts
from remit.adapters.policy.load import raise_first, with_plan
from remit.adapters.policy.obligation_notes import unredactable
from remit.adapters.policy.rego.build import ExaminedRego, KnownInputs, built, examined
from remit.adapters.policy.rego.bundle import ENDING, BuiltPolicies, opened, revision_of
from remit.adapters.policy.rego.exceptions import with_exception
from remit.adapters.policy.rego.input_schema import input_shape, joined, schema_text
from remit.adapters.policy.rego.machine import MAX_FUEL, Machine, Trapped
from remit.adapters.policy.rego.program import OpaFailed, OpaProgram
from remit.adapters.policy.rego.reads import problems_of_reads
from remit.adapters.policy.rego.request_input import CallQuestions, LastAnswer, RegoAnswer, RegoQuestions
from remit.adapters.policy.rego.rules import RegoRule
from remit.adapters.policy.rule_report import refused
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import PolicyAnswer, RuleRef
from remit.core.errors import ConfigInvalid
from remit.core.identity.principals import Agent
from remit.core.json_value import Json
from remit.core.label import Classes
from remit.core.policy.rule_exception import RuleException
from remit.core.policy.vocabulary import DeclaredNames, vocabulary
from remit.core.tasks.history import HistoryCounter
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool
from remit.ports.policy import LoadedPolicy, PolicySource, Problem, RuleInForce, ServedPolicy

TEXT_LIMIT: Final = 64 * 1024
#: Results that are kept by the whole of their input, and the largest such input. A program has no clock and
#: no other source, so the same input has the same result.
KEPT: Final = 1024
MAX_KEPT_BYTES: Final = 4096
#: Built policies that are kept: those in force, and those that are compared or shadowed.
KEPT_BUILT: Final = 4
_SIMPLER: Final = "write the rules more simply: an evaluation has limits of time and memory"


class _Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    result: RegoAnswer


_DECODE = msgspec.json.Decoder(list[_Result]).decode


class RegoPolicies:
    """Checks and loads Rego policies (`remit.ports.policy.PolicyEngine`).

    `text_limit` is the most characters of one string that policies may read; `fuel` is the most instructions
    of one evaluation. Without `in_process` the policies are for a server.
    """

    def __init__(
        self,
        *,
        classes: Classes | None = None,
        program: OpaProgram | None = None,
        text_limit: int = TEXT_LIMIT,
        fuel: int = MAX_FUEL,
        in_process: bool = True,
        declared: DeclaredNames | None = None,
    ) -> None:
        """Take the data classes, whose order policies can query, the program `opa`, and declared names."""
        self._declared = declared
        self._posture = posture(declared.claims if declared else {})
        self.in_process = in_process
        self._classes = classes or Classes()
        self._program = program or OpaProgram()
        self._text_limit = text_limit
        self._fuel = fuel
        #: Policies built last, by what they were built from: they are loaded again whenever an agent changes.
        self._built: RecentAnswers[str, BuiltPolicies] = RecentAnswers(KEPT_BUILT)
        self._lock = threading.Lock()

    def schema(
        self,
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        counters: Sequence[HistoryCounter] = (),
    ) -> str:
        """Return the JSON Schema of `input`."""
        return self._inputs(tools, task_types, counters).schema

    def check(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent] = (),
        counters: Sequence[HistoryCounter] = (),
    ) -> list[Problem]:
        """Return the problems."""
        inputs = self._inputs(tools, task_types, counters, agents)
        bundles = [one for one in sources if one.file.endswith(ENDING)]
        try:
            if bundles:
                self._opened(bundles, sources, inputs)
                return problems_of_counters(counters, tools)
            found = examined(self._program, sources, inputs, in_process=self.in_process)
            unmet = _unredactable(found.rules, with_plan(tools))
            return [*found.problems, *unmet, *problems_of_counters(counters, tools)]
        except ConfigInvalid as fault:
            return [Problem("error", fault.message, fault.file, fault.line, remediation=fault.remediation)]

    def excepted(
        self, sources: Sequence[PolicySource], rule: RuleInForce, exception: RuleException
    ) -> tuple[PolicySource, ...]:
        """Return the sources with an exception in one rule, where its form allows it; see the port."""
        return with_exception(sources, rule.id, exception)

    def load(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent],
        counters: Sequence[HistoryCounter] = (),
        *,
        aside: bool = False,
    ) -> LoadedPolicy | ServedPolicy:
        """Check and build policies; raise `ConfigInvalid` with the first error.

        Agents are read from each request. Each load has its own processes, so none delays another (`aside`).
        """
        raise_first(problems_of_counters(counters, tools))
        inputs = self._inputs(tools, task_types, counters, agents)
        policies = self._policies(sources, inputs)
        known = with_plan(tools)
        params, records = parameters(task_types), record_facts(known)
        facts = Facts(self._classes, task_types, self._text_limit, counters)
        read = (params, records, self._posture, policies.divided)
        questions = RegoQuestions(policies.rules, known, inputs, facts, *read)
        return self._loaded(policies, questions, inputs.schema)

    def bundle(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        counters: Sequence[HistoryCounter] = (),
    ) -> PolicySource:
        """Return the bundle of policies, built with `opa`; raise `ConfigInvalid` with the first error."""
        inputs = self._inputs(tools, task_types, counters)
        found = examined(self._program, sources, inputs, in_process=self.in_process)
        raise_first(found.problems)
        return self._bundle(sources, found)

    def _bundle(self, sources: Sequence[PolicySource], found: ExaminedRego) -> PolicySource:
        try:
            content = built(self._program, sources, found, wasm=self.in_process)
        except OpaFailed as fault:
            raise ConfigInvalid(f"the policies cannot be built: {fault}", remediation=_SIMPLER) from None
        return PolicySource("policies" + ENDING, base64.b64encode(content).decode())

    def _policies(self, sources: Sequence[PolicySource], inputs: KnownInputs) -> BuiltPolicies:
        closed = {fact: one for fact, one in inputs.words.items() if one.closed}
        key = revision_of(sources) + inputs.schema + repr(closed)
        with self._lock:
            known = self._built.get(key)
        if known is not None:
            return known
        bundles = [one for one in sources if one.file.endswith(ENDING)]
        if bundles:
            policies = self._opened(bundles, sources, inputs)
        else:
            found = examined(self._program, sources, inputs, in_process=self.in_process)
            raise_first(found.problems)
            policies = opened(self._bundle(sources, found))
        with self._lock:
            return self._built.put(key, policies)

    def _opened(
        self, bundles: Sequence[PolicySource], sources: Sequence[PolicySource], inputs: KnownInputs
    ) -> BuiltPolicies:
        if len(sources) > 1:
            raise ConfigInvalid(
                "is a bundle beside other policies, and only one of them can count",
                file=bundles[0].file,
                remediation="keep either the bundle or the sources",
            )
        policies = opened(bundles[0])
        if self.in_process and not policies.wasm:
            raise ConfigInvalid(
                "holds no Wasm program",
                file=bundles[0].file,
                remediation="build it with `policy.kind: rego`, or set `policy.kind: opa` here",
            )
        raise_first(list(problems_of_reads(policies.rules, inputs.by_tool, inputs.everywhere)))
        return policies

    def _loaded(
        self, policies: BuiltPolicies, questions: RegoQuestions, schema: str
    ) -> LoadedPolicy | ServedPolicy:
        key = hashlib.sha256(policies.wasm).hexdigest()
        machine = Machine(policies.wasm, fuel=self._fuel)
        if not machine.entries.keys() >= policies.divided.entries:
            raise ConfigInvalid(
                "the Wasm program lacks answers that its bundle promises",
                remediation="build the bundle again with `remit policy build`",
            )
        return RegoLoaded(questions, machine, _digest(policies, schema, key))

    def _inputs(
        self,
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        counters: Sequence[HistoryCounter] = (),
        agents: Sequence[Agent] = (),
    ) -> KnownInputs:
        known, history = with_plan(tools), history_shape(counters)
        read = (parameters(task_types), record_facts(known), history, self._posture)
        by_tool = {tool.id: input_shape(tool, *read) for tool in known}
        bare = input_shape(Tool(upstream="", name=""), *read)
        return KnownInputs(
            by_tool,
            bare,
            joined([*by_tool.values(), bare]),
            schema_text(known, *read),
            known,
            vocabulary(
                known, task_types, self._classes, agents=agents, declared=self._declared, flow=FLOW_WORDS
            ),
        )


class RegoLoaded:
    """One version of the policies, ready to evaluate (`remit.ports.policy.LoadedPolicy`)."""

    served: ClassVar[Literal[False]] = False

    def __init__(
        self,
        questions: RegoQuestions,
        machine: Machine,
        digest: str,
        *,
        left_out: frozenset[str] = frozenset(),
    ) -> None:
        """Take compiled policies; `left_out` are rules of the program that do not count."""
        self._left_out = left_out
        self._questions = questions
        self._machine = machine
        self._known: RecentAnswers[tuple[str, bytes], RegoAnswer] = RecentAnswers(KEPT)
        self.history = questions.history
        self.digest = digest

    def rules(self) -> Sequence[RuleInForce]:
        """Return every rule."""
        return self._questions.in_force()

    def applicable(self, tool: Tool, agent: Agent) -> frozenset[RuleRef]:
        """Return the rules that can match a call of a tool by any agent."""
        return self._questions.applicable(tool)

    def without(self, rules: frozenset[str]) -> RegoLoaded:
        """Return these policies without some rules; see the port.

        The program stays as it is: what it says of these rules is left out. So a rule that reads the set of
        permits or forbids itself still sees them there.
        """
        return RegoLoaded(
            self._questions.without(rules), self._machine, self.digest, left_out=self._left_out | rules
        )

    def facts(self, request: AccessRequest, rule: str) -> dict[str, Json]:
        """Return the values of the facts that a rule reads of a request; see the port."""
        return self._questions.facts(request, rule)

    def evaluate(self, request: AccessRequest) -> PolicyAnswer:
        """Decide one request without I/O; see the port."""
        place = self._questions.place(request)
        if isinstance(place, PolicyAnswer):
            return place
        permit: frozenset[str] = frozenset()
        forbid: frozenset[str] = frozenset()
        for number in range(len(place.questions)):
            found = place.known(number, request) or self._asked(place, number, request)
            if isinstance(found, PolicyAnswer):
                return found
            permit |= found.permit
            forbid |= found.forbid
        return self._questions.answer(
            request.tool, RegoAnswer(permit - self._left_out, forbid - self._left_out)
        )

    def _asked(self, place: CallQuestions, number: int, request: AccessRequest) -> RegoAnswer | PolicyAnswer:
        """Return the answer to one of the questions about a request, or why there is none."""
        question = place.questions[number]
        document = self._questions.document(place, number, request)
        if isinstance(document, PolicyAnswer):
            return document
        found = self._known.get((question.entry, document))
        if found is None:
            try:
                (result,) = _DECODE(self._machine.evaluate(document, self._machine.entries[question.entry]))
            except Trapped as fault:
                return refused(f"the policies could not be evaluated: {fault}", _SIMPLER)
            except (msgspec.DecodeError, ValueError):
                return refused("the policies gave no complete answer", "check them with `remit policy check`")
            found = result.result
            if len(document) <= MAX_KEPT_BYTES:
                self._known.put((question.entry, document), found)
        if question.steady:
            place.last[number] = LastAnswer(request, found)
        return found


def _unredactable(rules: Sequence[RegoRule], tools: Sequence[Tool]) -> Iterator[Problem]:
    for rule in rules:
        met = [tool for tool in tools if rule.tools is None or tool.id in rule.tools]
        for text, way in unredactable(rule.obligations, met):
            yield rule.problem(text, severity="warning", remediation=way)


def _digest(policies: BuiltPolicies, schema: str, program: str) -> str:
    refs = sorted((rule.ref.id, rule.ref.digest) for rule in policies.rules)
    return "sha256:" + hashlib.sha256(msgspec.json.encode([refs, schema, program])).hexdigest()
