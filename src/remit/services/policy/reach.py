# SPDX-License-Identifier: Apache-2.0
"""Reach under the policies in force: the policies are evaluated for calls that no agent has made yet.

Facts that are unknown before the call (its arguments, the hour, the person, the agent's environment) are
assumed as an attacker would choose them. So a rule that reads such a fact never counts as refusing. A call
that is reported as refused or as needing approval is so whatever it contains.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import PolicyAnswer, RuleRef
from remit.core.errors import ConfigInvalid
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.identity.principals import Actor, Agent, AgentState, Principal, person_of
from remit.core.identity.workload import Assurance, Confirmation
from remit.core.ids import DEFAULT_TENANT
from remit.core.label import Classes, Trust
from remit.core.policy.bundle import Bundle
from remit.core.policy.reach import CredentialSources, Guard, Openness, ReachSurvey, StaticCall
from remit.core.tasks.grant import Grant
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tasks.task import Ancestor, Intent, Task, TaskType
from remit.core.tools.tool import ArgumentRole, Tool
from remit.ports.policy import LoadedPolicy, PolicyEngine

#: Facts that no rule may be relied on for: they are known only with the call.
_LATER: Final = re.compile(
    r"context\s*\.\s*(args|arg_names|now|record|history|task\s*\.\s*(id|params|on_behalf_of|requested_by|owner|initiative|depth))"
    r"|principal\s*\.\s*(owner|purpose|initiative|manifest)|context\s*\["
)
#: Facts by which two tools differ for a policy beyond their properties. An id in Rego differs only for a tool
#: that the policy names if the id is compared with a literal.
_NAMES: Final = frozenset({"", "action", "resource", "resource.name", "resource.upstream"})
_IDS: Final = re.compile(r"(action|resource)\s*\.\s*id\b(?!\s*==\s*\")")
#: Arguments that a rule reads, whichever tool has them.
_ARGUMENTS: Final = re.compile(r'\b(?:args|provenance)\s*(?:\.|\bhas\b|\[)\s*(?:(\w+)|"([^"]+)")')
_PERMIT: Final = re.compile(r"(^|[\s)])permit\s*(\(|contains\b)")
_ENVIRONMENT: Final = re.compile(r"principal\s*\.\s*environment\s*([^\s]+\s*[^\s;}&|)]+)")
#: Records that have such facts, and records that have facts of the task.
_PARTLY_LATER: Final = frozenset({"", "context", "context.task", "principal"})
_OF_TASK: Final = frozenset({"", "context", "context.task"})
#: Facts of a task that are equal for task types with the same `_traits`.
_SHARED: Final = frozenset(
    f"context.task.{name}"
    for name in ("attended", "preapproved", "ends_with_work", "lasts_s", "environment", "parent")
)
_EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
#: The ending of policies that were compiled elsewhere: their texts are those of their rules.
BUILT: Final = ".tar.gz"
NO_PERMIT: Final = "no permit"
OBSERVED: Final = "observed"


def survey(
    bundle: Bundle,
    engine: PolicyEngine,
    groups: Mapping[str, Sequence[str]],
    observed: Iterable[str] = (),
    credentials: CredentialSources = MappingProxyType({}),
) -> ReachSurvey:
    """Survey a bundle under its own policies; raises `ConfigInvalid` where the policies are not valid.

    `groups` are those of the configuration, agents in them as `agent:name`; `observed` names the upstreams
    where nothing is refused; `credentials` are those that open upstreams.
    """
    text = "\n".join(source.text for source in bundle.policies)
    built = any(source.file.endswith(BUILT) for source in bundle.policies)
    # A tool that no policy names is judged by its properties, so the schema does not need each such tool.
    named = [PLAN_TOOL, *(tool for tool in bundle.tools.values() if built or _speaks(text, tool))]
    policy = engine.load(bundle.policies, named, list(bundle.task_types.values()), [], bundle.history)
    if policy.served:
        raise ConfigInvalid(
            "a policy server decides here, and a survey asks far more than a server answers",
            remediation="set `policy.kind: rego`: remit then evaluates the same policies itself",
        )
    judge = PolicyJudge(policy, bundle.classes, groups, frozenset(observed))
    return ReachSurvey(bundle, judge, observed=frozenset(observed), credentials=credentials)


@functools.lru_cache(1)
def _read(text: str) -> frozenset[str]:
    return frozenset(plain or quoted for plain, quoted in _ARGUMENTS.findall(text))


def _speaks(text: str, tool: Tool) -> bool:
    offered = tool.input_schema.get("properties")
    arguments = {*tool.arguments, *(offered if isinstance(offered, dict) else ())}
    named = any(f'"{name}"' in text for name in (tool.id, tool.upstream, tool.name))
    return named or not _read(text).isdisjoint(arguments)


class PolicyJudge:
    """Reports how policies decide a call before it is made (`core.policy.reach.Judge`)."""

    def __init__(
        self,
        policy: LoadedPolicy,
        classes: Classes,
        groups: Mapping[str, Sequence[str]],
        observed: frozenset[str] = frozenset(),
        agents: Mapping[str, Agent] = MappingProxyType({}),
    ) -> None:
        """Take loaded policies; `agents` are judged as they are registered."""
        self._policy = policy
        self._registered = agents
        self._classes = classes
        self._groups = groups
        self._observed = observed
        rules = policy.rules()
        self._text = text = "\n".join(one.text for one in rules)
        reads = {fact for one in rules for fact in (*one.reads, *one.records)}
        self._later = frozenset(
            one.id for one in rules if _LATER.search(one.text) or not _PARTLY_LATER.isdisjoint(one.records)
        )
        self._may_permit = any(_PERMIT.search(one.text) for one in rules if one.id in self._later)
        self._tools_by_name = not _NAMES.isdisjoint(reads) or any(_IDS.search(one.text) for one in rules)
        of_task = {fact for fact in reads if fact in _OF_TASK or fact.startswith("context.task.")}
        self._types_matter = not of_task <= _SHARED
        self._agents_matter = bool(agents) or bool(
            re.search(r"principal\s*(==|in|is)|Agent::|Group::|principal\s*\.\s*(name|id|groups)", text)
        )
        self._flow_matters = "context.flow" in text
        known = set(_ENVIRONMENT.findall(text)) <= {'!= "production"'}
        #: An agent of production may do the most where policies mention environments only in this form.
        self._environments = ("production",) if known else ("production", "development")
        self._spoken: dict[str, bool] = {}
        self._stand_ins: dict[Hashable, Tool] = {}

    def __call__(self, call: StaticCall) -> Guard:
        """Return the call's openness and the deciding rules."""
        if call.tool.upstream in self._observed:
            return Guard(Openness.OPEN, (OBSERVED,))
        # Tools that policies cannot distinguish share what the engine prepares for one of them.
        tool = self._stand_ins.setdefault(self.kind(call.tool), call.tool)
        agent = call.agent if self._agents_matter else "somebody"
        call = msgspec.structs.replace(call, tool=tool, agent=agent)
        return _most_open(self._weigh(self._policy.evaluate(request)) for request in self._requests(call))

    def party(self, task_type: TaskType, agent: str, handed: bool) -> Hashable:
        """Return the properties by which policies can distinguish callers."""
        kind = task_type.name if self._types_matter else _traits(task_type)
        return (kind, agent if self._agents_matter else "", handed)

    def kind(self, tool: Tool) -> Hashable:
        """Return the properties by which policies can distinguish tools."""
        spoken = self._spoken.get(tool.id)
        if spoken is None:
            spoken = self._spoken[tool.id] = self._tools_by_name or _speaks(self._text, tool)
        return (
            tool.id if spoken else "",
            tool.effect,
            tool.audience,
            tool.label.known,
            tool.production,
            tool.financial,
            tool.own_conversation,
            tool.described,
            tool.state,
            _roles(tool),
            any(one.personal for one in tool.arguments.values()),
            any(one.secret for one in tool.arguments.values()),
            any(one.least for one in tool.arguments.values()),
        )

    def _requests(self, call: StaticCall) -> Iterable[AccessRequest]:
        registered = self._registered.get(call.agent)
        for environment in self._environments if registered is None else (registered.environment,):
            agent = registered or self._agent(call.agent, environment)
            task = _task(call, agent)
            principal = Principal(
                tenant=agent.tenant,
                agent=agent.name,
                chain=(Actor(agent.name),),
                assurance=Assurance.ATTESTED,
                confirmation=Confirmation(jkt="any"),
            )
            for facts in self._flows(call):
                yield AccessRequest(
                    principal=principal,
                    agent=agent,
                    task=task,
                    tool=call.tool,
                    arguments={},
                    grants=(Grant(call.tool.id, other_arguments=True),),
                    tier=call.tool.tier,
                    label=call.label,
                    cleared=self._classes.cleared(call.tool.audience, call.label),
                    now=_EVER,
                    flow=Flow(facts),
                )

    def _agent(self, name: str, environment: str) -> Agent:
        group = name.removeprefix("group:") if name.startswith("group:") else ""
        groups = tuple(one for one, members in self._groups.items() if f"agent:{name}" in members)
        return Agent(
            tenant=DEFAULT_TENANT,
            name=name,
            owner="",
            purpose="",
            environment=environment,
            groups=(group,) if group else groups,
            state=AgentState.ACTIVE,
            created=_EVER,
            created_by="",
        )

    def _flows(self, call: StaticCall) -> Iterable[FlowFacts]:
        """Return the flows that an attacker could cause with the call's arguments."""
        roles = _roles(call.tool)
        tainted = call.label.trust is Trust.UNTRUSTED
        whence = ("untrusted", "unknown") if tainted else ("unknown",)
        if self._registered:
            # Who could call at all is asked about the best call, in which a person has stated everything.
            whence = ("intent", *whence)
        places: list[tuple[str, bool]] = [("none", False)]
        if ArgumentRole.DESTINATION in roles:
            pointed = [("untrusted", True)] if tainted else []
            places = [("intent", False)] if call.pinned else [*((one, False) for one in whence), *pointed]
        arguments = call.tool.arguments.values()
        # Where a person may have stated a value, the value counts as stated: it stops no one who wrote the
        # rest.
        base = FlowFacts(
            selector="intent" if ArgumentRole.SELECTOR in roles else "none",
            selector_reached=True,
            selector_pointed=True,
            personal="intent" if any(one.personal for one in arguments) else "none",
            personal_reached=True,
            personal_parameter=True,
            secret="intent" if any(one.secret for one in arguments) else "none",
            secret_reached=True,
            choice="intent" if any(one.least for one in arguments) else "none",
            choice_reached=True,
            destination_reached=call.pinned,
            parameter=call.pinned,
            anchored=call.pinned or ArgumentRole.SELECTOR in roles,
            asked=True,
            plan="planned",
            tainted=tainted,
            unseen=True,
        )
        if not self._flow_matters:
            return [base]
        return [
            msgspec.structs.replace(
                base,
                destination=place,
                destination_pointed=pointed or call.pinned,
                content=one if ArgumentRole.CONTENT in roles else "none",
                code=one if ArgumentRole.CODE in roles else "none",
            )
            for place, pointed in places
            for one in whence
        ]

    def _weigh(self, answer: PolicyAnswer) -> Guard:
        """Derive from an answer how open the call is, without facts that are known only with the call."""
        forbids, waivable = self._sure(answer.forbids), self._sure(answer.waivable)
        if forbids:
            return Guard(Openness.REFUSED, forbids)
        unsure = bool(answer.errors) or len(answer.forbids) > len(forbids) or self._may_permit
        if not answer.permits and not unsure:
            return Guard(Openness.REFUSED, waivable or (NO_PERMIT,))
        return Guard(Openness.ASKED, waivable) if waivable else Guard()

    def _sure(self, rules: Iterable[RuleRef]) -> tuple[str, ...]:
        return tuple(rule.id for rule in rules if rule.id not in self._later)


def _most_open(guards: Iterable[Guard]) -> Guard:
    best: Guard | None = None
    for one in guards:
        if best is None or one.openness < best.openness:
            best = one
        if best.openness is Openness.OPEN:
            break
    assert best is not None
    return best


def _roles(tool: Tool) -> frozenset[ArgumentRole]:
    return frozenset(argument.role for argument in tool.arguments.values())


def _requester(task_type: TaskType) -> str:
    return next(iter(task_type.requested_by), "")


def _traits(task_type: TaskType) -> Hashable:
    """Return what a task type gives the facts of `_SHARED`."""
    return bool(person_of(_requester(task_type))), task_type.asks_unheard, task_type.runbook is not None


def _task(call: StaticCall, agent: Agent) -> Task:
    return Task(
        tenant=agent.tenant,
        id="task",
        type=call.task_type.name,
        agent=agent.name,
        owner="",
        environment=agent.environment,
        intent=Intent(goal="", requested_by=_requester(call.task_type), stated_at=_EVER),
        grants=(),
        label=call.label,
        runbook=call.task_type.runbook,
        lineage=(Ancestor("parent", "parent", ""),) if call.handed else (),
        opened=_EVER,
        deadline=_EVER,
    )
