# SPDX-License-Identifier: Apache-2.0
"""Who could call a tool at all: by which task types, as which agents, requested by which people.

No task needs to be open. Each agent is judged by the policies in force for the best call that it could make
in a new task: a person has stated every value, and a rule that reads an argument, the hour or the person does
not count as refusing. So "yes" means that some call may be possible; each call is decided when it is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec

from remit.core.errors import ConfigInvalid, NotFound
from remit.core.identity.principals import NO_PERSON, TEAM, Agent, Memberships, Person
from remit.core.json_value import Json
from remit.core.policy.bundle import Bundle
from remit.core.policy.reach import Guard, Openness, StaticCall
from remit.core.policy.reach.graph import ToolGate, reach_graph
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool, ToolState
from remit.ports.policy import LoadedPolicy
from remit.ports.store.combined import TasksAndPrincipals
from remit.services.policy.bundle import Policies
from remit.services.policy.reach import PolicyJudge
from remit.services.tools.pinned_tools import ToolCatalogue

#: What cuts: the task type, the tool's own state, the agent's, the lack of a person, the policies.
Bound = Literal["tool", "agent", "person", "policy"]
May = Literal["yes", "asks", "no"]


class PossibleCaller(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that a task type names: whether it may call the tool, and what cuts it off or asks.

    `handed`: it gets such a task only from another agent. `rules` are those that refuse or ask.
    """

    agent: str
    owner: str
    handed: bool
    may: May
    cut_by: Bound | None
    why: str
    rules: tuple[str, ...] = ()


class WayToTool(msgspec.Struct, frozen=True, kw_only=True):
    """A task type that grants the tool.

    `grants` are the constraints of its grants on the arguments. `requested_by` is who may state its intent,
    as written; `people` are those of them who are registered and active. `unknown` are agents that it names
    and that are not registered.
    """

    task_type: str
    purpose: str
    grants: tuple[dict[str, Json], ...]
    requested_by: tuple[str, ...]
    people: tuple[str, ...]
    callers: tuple[PossibleCaller, ...]
    unknown: tuple[str, ...]


class WhoCan(msgspec.Struct, frozen=True, kw_only=True):
    """Who could call a tool; `others` are the registered agents that no task type names that grants it.

    `unjudged` is why the policies were not asked, if they were not.
    """

    tool: str
    state: str
    effect: str
    audience: str
    tier: str
    described: bool
    ways: tuple[WayToTool, ...]
    others: tuple[str, ...]
    unjudged: str = ""


class WhoCanReports:
    """Reports who could call a tool."""

    def __init__(
        self,
        *,
        store: TasksAndPrincipals,
        tools: ToolCatalogue,
        policies: Policies,
        members: Memberships,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._tools = tools
        self._policies = policies
        self._members = members
        self._tenant = tenant

    async def who(self, tool_id: str, *, by: str = "") -> WhoCan:
        """Return who could call a tool; raises `NotFound` for one that nothing offers or grants."""
        bundle = self._policies.applied.bundle
        types = [one for one in bundle.task_types.values() if any(g.tool == tool_id for g in one.grants)]
        tool = self._tools.get(tool_id) or bundle.tools.get(tool_id)
        if tool is None and not types:
            raise NotFound(f"no tool `{tool_id[:80]}` exists", remediation="see `remit tool list`")
        tool = tool or bundle.tool(*tool_id.split("/", 1))
        agents = [self._members.of_agent(one) for one in await self._store.agents(self._tenant)]
        people = [self._members.of_person(one) for one in await self._store.people(self._tenant)]
        judge, unjudged = None, ""
        try:
            policy = await self._policies.tried(bundle, by=by)
            judge = _judge(policy, bundle, agents)
        except ConfigInvalid as fault:
            unjudged = fault.message
        ways = await asyncio.to_thread(_ways, bundle, tool, types, agents, people, judge)
        named = {one.agent for way in ways for one in way.callers}
        return WhoCan(
            tool=tool.id,
            state=tool.state.value,
            effect=tool.effect.value,
            audience=tool.audience.name,
            tier=tool.tier.word,
            described=tool.described,
            ways=tuple(ways),
            others=tuple(one.name for one in agents if one.name not in named),
            unjudged=unjudged,
        )


def _judge(policy: LoadedPolicy, bundle: Bundle, agents: Sequence[Agent]) -> PolicyJudge:
    return PolicyJudge(policy, bundle.classes, {}, agents={one.name: one for one in agents})


def _ways(
    bundle: Bundle,
    tool: Tool,
    types: Sequence[TaskType],
    agents: Sequence[Agent],
    people: Sequence[Person],
    judge: PolicyJudge | None,
) -> list[WayToTool]:
    chosen = {one.name: one for one in types}
    graph = reach_graph(msgspec.structs.replace(bundle, task_types=chosen))
    gates = {
        name: next(gate for gate in made if gate.tool.id == tool.id) for name, made in graph.gates.items()
    }
    return [_way(one, gates[one.name], tool, agents, people, judge) for one in types]


def _way(
    task_type: TaskType,
    gate: ToolGate,
    tool: Tool,
    agents: Sequence[Agent],
    people: Sequence[Person],
    judge: PolicyJudge | None,
) -> WayToTool:
    requesters = [
        one for one in people if one.active and _named(one.name, one.groups, task_type.requested_by)
    ]
    callers = []
    for agent in agents:
        runs = _named(agent.name, agent.groups, task_type.run_by)
        if runs or task_type.delegates.names(agent):
            callers.append(_caller(task_type, gate, tool, agent, runs=runs, people=requesters, judge=judge))
    known = {one.name for one in agents}
    named = (*task_type.run_by, *task_type.delegates.to)
    return WayToTool(
        task_type=task_type.name,
        purpose=task_type.purpose,
        grants=tuple(grant.arguments for grant in task_type.grants if grant.tool == tool.id),
        requested_by=task_type.requested_by,
        people=tuple(one.name for one in requesters),
        callers=tuple(callers),
        unknown=tuple(dict.fromkeys(one for one in named if not one.startswith(TEAM) and one not in known)),
    )


def _caller(
    task_type: TaskType,
    gate: ToolGate,
    tool: Tool,
    agent: Agent,
    *,
    runs: bool,
    people: Sequence[Person],
    judge: PolicyJudge | None,
) -> PossibleCaller:
    may: May = "yes"
    cut_by: Bound | None = None
    why = ""
    rules: tuple[str, ...] = ()
    guard = _guard(task_type, gate, agent, handed=not runs, judge=judge)
    if tool.state in (ToolState.CHANGED, ToolState.GONE):
        may, cut_by, why = "no", "tool", f"the tool is suspended ({tool.state.value})"
    elif not agent.usable:
        may, cut_by, why = "no", "agent", f"the agent is {agent.state.value}"
    elif runs and not people and not _by_others(task_type, agent):
        may, cut_by, why = "no", "person", "no registered person may request such a task"
    elif guard.openness is Openness.REFUSED:
        may, cut_by, why, rules = "no", "policy", "the policies refuse every such call", guard.rules
    elif guard.openness is Openness.ASKED:
        may, why, rules = "asks", "a person approves each call", guard.rules
    return PossibleCaller(
        agent=agent.name, owner=agent.owner, handed=not runs, may=may, cut_by=cut_by, why=why, rules=rules
    )


def _guard(
    task_type: TaskType, gate: ToolGate, agent: Agent, *, handed: bool, judge: PolicyJudge | None
) -> Guard:
    """Return the judgement of the most open call: of the tool's forms, with the data of a new task."""
    if judge is None:
        return Guard()
    return min(
        (
            judge(StaticCall(task_type, agent.name, handed, form, task_type.label, pinned=True))
            for form in gate.variants
        ),
        key=lambda one: one.openness,
        default=Guard(),
    )


def _by_others(task_type: TaskType, agent: Agent) -> bool:
    """Return whether an intent may be stated by the agent itself, or by an issuer."""
    return any(one == f"agent:{agent.name}" or one.startswith(NO_PERSON[1]) for one in task_type.requested_by)


def _named(name: str, groups: Sequence[str], written: Sequence[str]) -> bool:
    return name in written or any(f"{TEAM}{group}" in written for group in groups)
