# SPDX-License-Identifier: Apache-2.0
"""The second question: what may it do right now, by which rule, and until when."""

from __future__ import annotations

import msgspec

from remit.core.cooperative_steps import finish
from remit.core.decisions.decision import Outcome
from remit.core.errors import NotFound
from remit.core.identity.principals import Actor, Principal
from remit.core.identity.workload import Confirmation
from remit.core.json_value import Json
from remit.core.oauth.proof_facts import best_assurance
from remit.core.policy.bundle import Bundle
from remit.core.tasks.plan import tools_of
from remit.core.tasks.task import Task, TaskState
from remit.core.tools.tier_reasons import tier_lifts
from remit.core.tools.tool import Tier, ToolState
from remit.ports.runtime import Clock
from remit.ports.store.combined import TasksAndPrincipals
from remit.services.decisions.authorizer import Authorizer
from remit.services.decisions.circumstances import Surroundings
from remit.services.policy.bundle import Policies
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tools.pinned_tools import ToolCatalogue


class CanReports:
    """Reports what tasks and agents may do."""

    def __init__(
        self,
        *,
        store: TasksAndPrincipals,
        clock: Clock,
        live: LiveTasks,
        tools: ToolCatalogue,
        authorizer: Authorizer,
        policies: Policies,
        surroundings: Surroundings,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._live = live
        self._tools = tools
        self._authorizer = authorizer
        self._policies = policies
        self._surroundings = surroundings
        self._tenant = tenant

    def _state(self, task: Task) -> str:
        if task.state is TaskState.ACTIVE and self._clock.now() >= task.deadline:
            return TaskState.EXPIRED.value
        return task.state.value

    async def can(
        self, name: str, tool_id: str = "", arguments: dict[str, Json] | None = None
    ) -> dict[str, Json]:
        """Return what a task, or the active tasks of an agent, may do right now.

        With a tool and arguments, the same decision is made that a call would get; nothing is recorded or
        spent.
        """
        tasks = await self._active(name)
        return {
            "asked": name,
            "at": self._clock.now().isoformat(),
            "tasks": [await self._can_task(task, tool_id, arguments) for task in tasks],
        }

    async def _active(self, name: str) -> list[Task]:
        task = await self._store.task(self._tenant, name)
        if task is not None:
            return [task]
        agent = await self._store.agent(self._tenant, name)
        if agent is None:
            raise NotFound(f"no task or agent `{name[:80]}` exists", remediation="see `remit task list`")
        return await self._store.tasks(self._tenant, agent=name, state=TaskState.ACTIVE)

    async def _can_task(self, task: Task, tool_id: str, arguments: dict[str, Json] | None) -> dict[str, Json]:
        out: dict[str, Json] = {
            "task": task.id,
            "task_type": task.type,
            "state": self._state(task),
            "until": task.deadline.isoformat(),
            "tools": [],
        }
        if out["state"] == TaskState.ACTIVE.value and self._live.suspended(task):
            out["state"] = "suspended"
        if out["state"] != TaskState.ACTIVE.value:
            return out
        bundle = self._policies.applied.bundle
        if not tool_id:
            now, observed = self._clock.now(), self._authorizer.observed
            told = bundle.sentences(task, now=now, observed=observed)
            out["sentences"] = [msgspec.to_builtins(one) for one in told]
            out["tiers"] = self._tiers(task, bundle)
        names = [tool_id] if tool_id else sorted({grant.tool for grant in task.grants})
        planned = tools_of(task.plan)
        for one in names:
            entry: dict[str, Json] = {"tool": one, "granted": any(grant.tool == one for grant in task.grants)}
            tool = self._tools.get(one)
            if tool is not None:
                entry |= {
                    "tier": tool.tier.word,
                    "effect": tool.effect.value,
                    "audience": tool.audience.name,
                    "sender": "proven"
                    if tool.tier >= Tier.OPERATOR and self._authorizer.constrains(tool.upstream)
                    else "bearer",
                    "suspended": tool.state is not ToolState.PINNED,
                }
            if planned is not None:
                entry["planned"] = one in planned
            entry["arguments"] = [list(grant.describe()) for grant in task.grants if grant.tool == one]
            if tool_id and arguments is not None:
                entry |= await self._dry_run(task, one, arguments)
            out["tools"].append(entry)
        return out

    def _tiers(self, task: Task, bundle: Bundle) -> list[Json]:
        """Return the tiers that the task's calls reach, lowest first, with what lifts it there."""
        names = dict.fromkeys(grant.tool for grant in task.grants)
        found = (self._tools.get(name) or bundle.tool(*name.split("/", 1)) for name in names)
        task_type = bundle.task_types.get(task.type)
        attended = task.for_person or (task_type is not None and task_type.asks_unheard)
        return [msgspec.to_builtins(one) for one in tier_lifts(found, attended=attended)]

    async def _dry_run(self, task: Task, tool_id: str, arguments: dict[str, Json]) -> dict[str, Json]:
        live = await self._live.view(task.id)
        upstream, _, name = tool_id.partition("/")
        proof = await self._store.last_proof(self._tenant, task.agent)
        principal = Principal(
            tenant=self._tenant,
            agent=task.agent,
            on_behalf_of=task.on_behalf_of,
            chain=tuple(Actor(name) for name in task.actors),
            # The assurance with which the agent last proved its identity; otherwise the best that it could
            # reach.
            assurance=proof.assurance if proof is not None else best_assurance(live.agent),
            # As the relay calls. What a token without a bound key may not do is reported beside the answer.
            confirmation=Confirmation(jkt="assumed"),
        )
        now = self._clock.now()
        request = finish(self._authorizer.describing(principal, live, upstream, name, arguments, now))
        request = await self._surroundings.seen(request, live)
        ruling = await self._authorizer.decide(request, live)
        live.settle(ruling.takes, taken=False)
        decision = ruling.decision
        return {
            "outcome": decision.outcome.value,
            "needs_approval": decision.outcome is Outcome.DEFER,
            "rules": [rule.id for rule in decision.rules],
            "obligations": list(decision.obligations),
            "reasons": [msgspec.to_builtins(reason) for reason in decision.reasons],
        }
