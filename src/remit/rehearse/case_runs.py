# SPDX-License-Identifier: Apache-2.0
"""Runs cases for policies: in a rehearsal with all nine steps, or on the policies alone with stated facts."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Final

import msgspec

from remit.config.reading.decoding import suggestion
from remit.core.circumstances.circumstances import Circumstances
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.core.errors import ConfigInvalid, RemitError
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.flow.justification import Justification, Provenance
from remit.core.identity.principals import Agent, AgentState, Principal
from remit.core.identity.workload import Assurance, AttestationMethod
from remit.core.json_value import Json
from remit.core.label import Audience, Label, Trust
from remit.core.tasks.history import BUILT_IN
from remit.core.tasks.task import Intent, Task
from remit.core.tools.tool import Tool, undescribed
from remit.ports.policy import LoadedPolicy
from remit.rehearse.call import RehearsedCall
from remit.rehearse.policy_cases import CaseStep, PolicyCase, ReadCase, StatedFacts
from remit.rehearse.rehearsal import AGENT, PERSON, Rehearsal, RehearsedTask

_TENANT: Final = "case"
_AT: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A reason of a decision: the rule that spoke, in its own words, and what would change the answer."""

    rule: str
    code: str
    text: str
    remediation: str = ""


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """One call as it was expected and as it was decided; `missing` are expected rules that did not decide."""

    line: int
    call: str
    arguments: dict[str, Json]
    expected: str
    got: str
    rules: tuple[str, ...]
    missing: tuple[str, ...]
    reasons: tuple[Spoken, ...]

    @property
    def holds(self) -> bool:
        """Whether the call was decided as expected."""
        return self.expected == self.got and not self.missing


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """A case with its steps as far as they were made; `fault` is what ended it early."""

    file: str
    line: int
    case: str
    steps: tuple[StepResult, ...]
    fault: str = ""
    remediation: str = ""

    @property
    def holds(self) -> bool:
        """Whether every step was decided as expected."""
        return not self.fault and all(step.holds for step in self.steps)


class RuleCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of the bundle beside the unchanged guardrails of `remit init`: those that spoke, and the
    silent ones.
    """

    spoke: tuple[str, ...]
    silent: tuple[str, ...]

    @property
    def share(self) -> int:
        """The share of the rules that spoke, in percent."""
        every = len(self.spoke) + len(self.silent)
        return 100 * len(self.spoke) // every if every else 100


class CaseRuns:
    """Runs cases against one bundle."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        """Take a rehearsal of the bundle."""
        self._r = rehearsal
        self._spoke: set[str] = set()
        self._placed: set[str] = set()

    def run(self, cases: Iterable[ReadCase]) -> list[CaseResult]:
        """Return the results, in order; no case sees what another one did."""
        return [self._case(one) for one in cases]

    def coverage(self) -> RuleCoverage:
        """Return which rules spoke in the cases so far."""
        own = [rule.id for rule in self._policy.rules() if not _shipped(rule.text)]
        return RuleCoverage(
            spoke=tuple(name for name in own if name in self._spoke),
            silent=tuple(name for name in own if name not in self._spoke),
        )

    @property
    def _policy(self) -> LoadedPolicy:
        policy = self._r.stage.services.policies.applied.policy
        assert not policy.served, "a rehearsal evaluates policies in its own process"
        return policy

    def _case(self, read: ReadCase) -> CaseResult:
        case, steps = read.case, []
        fault = remediation = ""
        try:
            if case.facts is not None:
                steps.append(self._stated(case, case.facts, read.step_lines[0]))
            else:
                self._r.restore()
                self._task(case, read.step_lines, steps)
        except RemitError as error:
            fault, remediation = error.message, error.remediation
        return CaseResult(
            file=read.file,
            line=read.line,
            case=case.case,
            steps=tuple(steps),
            fault=fault,
            remediation=remediation,
        )

    # Whole tasks.

    def _task(self, case: PolicyCase, lines: Sequence[int], done: list[StepResult]) -> None:
        self._r.begin(_moment(case.at))
        agent = case.agent or AGENT
        if case.environment and agent not in self._placed:
            self._r.agent(agent, environment=case.environment)
            self._placed.add(agent)
        task = self._r.open(
            task=case.task,
            agent=agent,
            on_behalf_of="" if case.alone else case.on_behalf_of or PERSON,
            intent=case.intent,
            params=case.params,
            plan=case.plan,
        )
        try:
            for step, line in zip(case.steps, lines, strict=True):
                done.append(self._step(task, step, line))
        finally:
            if task.closure is None:
                task.end()

    def _step(self, task: RehearsedTask, step: CaseStep, line: int) -> StepResult:
        self._r.wait(step.wait)
        if step.says:
            task.user(step.says)
        call = task.call(step.call, step.arguments)
        result = self._result(step, line, call)
        if step.approve and call.outcome is Outcome.DEFER:
            task.approve(call)
            call = task.call(step.call, step.arguments)
            if call.outcome is not Outcome.PERMIT:
                result = self._result(msgspec.structs.replace(step, expect="permit"), line, call)
        if step.result is not None and call.permitted:
            task.result(call, step.result, error=step.error)
        return result

    def _result(self, step: CaseStep, line: int, call: RehearsedCall) -> StepResult:
        if call.request is not None:
            self._heard(self._policy.evaluate(call.request))
        reasons = tuple(
            Spoken(rule=one.rule, code=one.code, text=one.text, remediation=one.remediation)
            for one in call.reasons
        )
        return _compared(step, line, call.outcome, call.rules, reasons)

    def _heard(self, answer: PolicyAnswer) -> None:
        for rules in (answer.permits, answer.forbids, answer.waivable):
            self._spoke.update(rule.id for rule in rules)

    # Single calls with stated facts.

    def _stated(self, case: PolicyCase, facts: StatedFacts, line: int) -> StepResult:
        (step,) = case.steps
        answer = self._policy.evaluate(self._request(step, facts))
        self._heard(answer)
        outcome, rules = weigh(answer, frozenset())
        reasons = tuple(
            Spoken(rule=one.rule, code=one.code, text=one.text, remediation=one.remediation)
            for one in answer.reasons
        )
        if not reasons and outcome is Outcome.DENY:
            reasons = (Spoken(rule="", code="no-permit", text="no policy permits this"),)
        return _compared(step, line, outcome, tuple(rule.id for rule in rules), reasons)

    def _request(self, step: CaseStep, facts: StatedFacts) -> AccessRequest:
        bundle = self._r.stage.services.policies.applied.bundle
        _check_counters(facts, [*BUILT_IN, *(one.name for one in bundle.history)])
        flow = Flow(
            facts=_flow_facts(facts.flow),
            arguments={name: Justification(_word(Provenance, of)) for name, of in facts.provenance.items()},
            record=facts.record,
        )
        tool = self._tool(step.call).called_with(step.arguments)
        if flow.facts.to_self:
            tool = msgspec.structs.replace(tool, audience=Audience("self"))
        told = facts.label
        label = Label(
            data_class=told.data_class or bundle.classes.bottom,
            categories=frozenset(told.categories),
            trust=Trust.UNTRUSTED if told.untrusted else Trust.TRUSTED,
            zones=frozenset(told.zones),
        )
        agent, told_of = _agent(facts), facts.posture
        return AccessRequest(
            principal=Principal(
                tenant=_TENANT,
                agent=agent.name,
                on_behalf_of=facts.task.on_behalf_of,
                assurance=_assurance(facts.assurance),
                method=_attestation(told_of.attestation) if told_of.attestation else None,
                posture=told_of.claims,
            ),
            agent=agent,
            task=_task_of(agent, facts),
            tool=tool,
            arguments=step.arguments,
            grants=(),
            tier=tool.tier,
            label=label,
            cleared=bundle.classes.cleared(tool.audience, label),
            now=_moment(facts.now),
            flow=flow,
            crossings=facts.crossings,
            max_crossings=bundle.classes.max_crossings(label.zones),
            history=dict(facts.history),
            circumstances=_circumstances(facts),
        )

    def _tool(self, tool_id: str) -> Tool:
        services = self._r.stage.services
        found = services.tools.registry.get(tool_id)
        upstream, _, name = tool_id.partition("/")
        return found or undescribed(upstream, name, services.policies.applied.bundle.classes)


def _compared(
    step: CaseStep, line: int, outcome: Outcome, rules: tuple[str, ...], reasons: tuple[Spoken, ...]
) -> StepResult:
    return StepResult(
        line=line,
        call=step.call,
        arguments=step.arguments,
        expected=step.expect,
        got=outcome.value,
        rules=rules,
        missing=tuple(name for name in step.rules if name not in rules),
        reasons=reasons,
    )


def _circumstances(facts: StatedFacts) -> Circumstances:
    place = facts.environment
    return Circumstances(
        windows=place.windows,
        frozen=place.frozen,
        network=place.network,
        risk=place.risk,
        findings=facts.posture.findings,
        budget=facts.budget,
    )


def _agent(facts: StatedFacts) -> Agent:
    told = facts.agent
    return Agent(
        tenant=_TENANT,
        name=told.name,
        owner=told.owner,
        purpose=told.purpose,
        environment=told.environment,
        initiative=told.initiative,
        groups=told.groups,
        state=AgentState(told.state),
        created=_AT,
        created_by=told.owner,
    )


def _task_of(agent: Agent, facts: StatedFacts) -> Task:
    told = facts.task
    requested_by = told.requested_by or told.on_behalf_of or PERSON
    return Task(
        tenant=_TENANT,
        id="task_case",
        type=told.type,
        agent=agent.name,
        owner=agent.owner,
        on_behalf_of=told.on_behalf_of,
        initiative=agent.initiative,
        environment=agent.environment,
        intent=Intent(goal="", params=told.params, requested_by=requested_by, stated_at=_AT),
        grants=(),
        opened=_AT,
        deadline=_AT,
    )


def _check_counters(facts: StatedFacts, known: Sequence[str]) -> None:
    for name in facts.history:
        if name not in known:
            raise ConfigInvalid(f"`{name}` is not a counter", remediation=suggestion(name, known))


def _flow_facts(given: dict[str, Json]) -> FlowFacts:
    unknown = sorted(given.keys() - set(FlowFacts.__struct_fields__))
    if unknown:
        raise ConfigInvalid(
            f"`{unknown[0]}` is no fact of a call's flow",
            remediation="docs/explanation/policy.md lists `context.flow`",
        )
    try:
        return msgspec.convert(given, FlowFacts)
    except msgspec.ValidationError as fault:
        raise ConfigInvalid(f"`flow`: {fault}", remediation="see docs/explanation/policy.md") from None


def _word(kind: type[Provenance], given: str) -> Provenance:
    try:
        return kind(given)
    except ValueError:
        known = ", ".join(one.value for one in kind)
        raise ConfigInvalid(f"`{given[:80]}` is no provenance", remediation=f"use one of {known}") from None


def _attestation(given: str) -> AttestationMethod:
    try:
        return AttestationMethod(given)
    except ValueError:
        known = ", ".join(one.value for one in AttestationMethod)
        raise ConfigInvalid(
            f"`{given[:80]}` is no method of proof", remediation=f"use one of {known}"
        ) from None


def _assurance(given: str) -> Assurance:
    try:
        return Assurance.from_word(given)
    except KeyError:
        known = ", ".join(one.word for one in Assurance)
        raise ConfigInvalid(
            f"`{given[:80]}` is no assurance level", remediation=f"use one of {known}"
        ) from None


def _moment(given: str) -> datetime:
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise ConfigInvalid(
            f"`{given[:80]}` is not a time", remediation="write it as 2026-03-04T12:00:00Z"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _shipped(text: str) -> bool:
    """Return whether a rule is one of the unchanged guardrails of `remit init`."""
    # The text of a rule in Rego has the helpers that it uses, which may be in another file.
    return all(any(body.strip() in known for known in _guardrails()) for body in text.split("\n\n"))


@functools.cache
def _guardrails() -> list[str]:
    templates = resources.files("remit") / "templates"
    files = [one for name in ("policies", "rego") for one in (templates / name).iterdir()]
    return [one.read_text(encoding="utf-8") for one in files if one.name.endswith((".cedar", ".rego"))]
