# SPDX-License-Identifier: Apache-2.0
"""The three questions: who is it, what may it do right now, how fast is that gone."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.core.decision import Outcome
from remit.core.errors import NotFound, Unauthenticated
from remit.core.identity import Agent, Principal
from remit.core.task import Task, TaskState
from remit.core.tool import Tier, ToolState
from remit.core.workload import Assurance, Confirmation
from remit.ports.runtime import Clock
from remit.ports.store import Store
from remit.services.approvals import Approvals
from remit.services.authenticate import Authenticator
from remit.services.authorize import Authorizer
from remit.services.live import Live
from remit.services.tools import Tools

Json = Any


class Reports:
    """Answers about agents, tasks, people and tokens."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        live: Live,
        tools: Tools,
        authenticator: Authenticator,
        authorizer: Authorizer,
        approvals: Approvals,
        tenant: str,
    ) -> None:
        """Take the parts."""
        self._store = store
        self._clock = clock
        self._live = live
        self._tools = tools
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._approvals = approvals
        self._tenant = tenant

    async def who(self, name: str) -> dict[str, Json]:
        """Say who `name` is: an access token, a task id, an agent, or a person."""
        if name.count(".") == 2:
            return await self._who_token(name)
        task = await self._store.task(self._tenant, name)
        if task is not None:
            agent = await self._store.agent(self._tenant, task.agent)
            return {"kind": "task", **self._task(task), "who": self._agent(agent) if agent else None}
        agent = await self._store.agent(self._tenant, name)
        if agent is not None:
            tasks = await self._store.tasks(self._tenant, agent=name, limit=20)
            return {"kind": "agent", **self._agent(agent), "tasks": [self._task(one) for one in tasks]}
        person = await self._store.person(self._tenant, name)
        if person is not None:
            return {
                "kind": "person",
                "name": person.name,
                "roles": sorted(role.value for role in person.roles),
                "groups": list(person.groups),
                "active": person.active,
            }
        raise NotFound(
            f"nobody here is called `{name[:80]}`", way_out="give an agent, a task, a person or a token"
        )

    async def _who_token(self, token: str) -> dict[str, Json]:
        try:
            claims = self._authenticator.unproven(token, self._clock.now())
        except Unauthenticated as error:
            return {"kind": "token", "valid": False, "code": error.code, "reason": error.message}
        task = await self._store.task(self._tenant, claims.task) if claims.task else None
        agent = await self._store.agent(self._tenant, claims.client_id)
        return {
            "kind": "token",
            "valid": True,
            "token": claims.token_id,
            "issuer": claims.issuer,
            "audience": list(claims.audience),
            "agent": claims.client_id,
            "on_behalf_of": claims.principal.on_behalf_of,
            "chain": [actor.name for actor in claims.chain] or [claims.client_id],
            "assurance": claims.assurance.word,
            "sender": claims.confirmation.word,
            "expires": claims.expires,
            "task": self._task(task) if task else None,
            "who": self._agent(agent) if agent else None,
        }

    def _agent(self, agent: Agent) -> dict[str, Json]:
        return {
            "agent": agent.name,
            "owner": agent.owner,
            "purpose": agent.purpose,
            "environment": agent.environment,
            "initiative": agent.initiative,
            "groups": list(agent.groups),
            "state": agent.state.value,
            "assurance": Assurance.KEY_BOUND.word if agent.bindings else Assurance.ASSERTED.word,
            "proof": "private_key_jwt (RFC 7523), key registered with remit" if agent.bindings else "none",
            "registered": agent.created.isoformat(),
            "registered_by": agent.created_by,
            "manifest": agent.manifest_digest,
        }

    def _task(self, task: Task) -> dict[str, Json]:
        live = self._live.get(task.id)
        label = live.label if live is not None else task.label
        return {
            "task": task.id,
            "task_type": task.type,
            "agent": task.agent,
            "on_behalf_of": task.on_behalf_of,
            "stated_by": task.intent.stated_by,
            "goal": task.intent.goal,
            "params": task.intent.params,
            "state": self._state(task),
            "opened": task.opened.isoformat(),
            "deadline": task.deadline.isoformat(),
            "ended": task.ended.isoformat() if task.ended else None,
            "end_reason": task.end_reason,
            "label": msgspec.to_builtins(label),
            "in_hand": len(live.in_hand) if live is not None else 0,
        }

    def _state(self, task: Task) -> str:
        if task.state is TaskState.ACTIVE and self._clock.now() >= task.deadline:
            return TaskState.EXPIRED.value
        return task.state.value

    async def can(
        self, name: str, tool_id: str = "", arguments: dict[str, Json] | None = None
    ) -> dict[str, Json]:
        """Say what a task, or the active tasks of an agent, may do right now.

        With a tool and arguments the very decision that a call would get is made, and nothing is recorded or
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
            raise NotFound(f"there is no task or agent `{name[:80]}`", way_out="see `remit task list`")
        return await self._store.tasks(self._tenant, agent=name, state=TaskState.ACTIVE)

    async def _can_task(self, task: Task, tool_id: str, arguments: dict[str, Json] | None) -> dict[str, Json]:
        out: dict[str, Json] = {
            "task": task.id,
            "task_type": task.type,
            "state": self._state(task),
            "until": task.deadline.isoformat(),
            "tools": [],
        }
        if out["state"] != TaskState.ACTIVE.value:
            return out
        names = [tool_id] if tool_id else sorted({grant.tool for grant in task.grants})
        for one in names:
            entry: dict[str, Json] = {"tool": one, "granted": any(grant.tool == one for grant in task.grants)}
            tool = self._tools.get(one)
            if tool is not None:
                entry |= {
                    "tier": tool.tier.word,
                    "effect": tool.effect.value,
                    "audience": tool.audience.name,
                    "suspended": tool.state is not ToolState.PINNED,
                }
            entry["arguments"] = [list(grant.describe()) for grant in task.grants if grant.tool == one]
            if tool_id and arguments is not None:
                entry |= await self._dry_run(task, one, arguments)
            out["tools"].append(entry)
        return out

    async def _dry_run(self, task: Task, tool_id: str, arguments: dict[str, Json]) -> dict[str, Json]:
        live = await self._live.load(task.id)
        upstream, _, name = tool_id.partition("/")
        principal = Principal(
            tenant=self._tenant,
            agent=task.agent,
            on_behalf_of=task.on_behalf_of,
            assurance=Assurance.KEY_BOUND,
            # As the relay calls: what a token that is bound to nothing may not do is said beside the answer.
            confirmation=Confirmation(jkt="assumed"),
        )
        request = self._authorizer.describe(principal, live, upstream, name, arguments, self._clock.now())
        ruling = await self._authorizer.decide(request, live)
        live.settle(ruling.takes, taken=False)
        decision = ruling.decision
        return {
            "outcome": decision.outcome.value,
            "needs_sender": request.tier >= Tier.OPERATOR and not request.unconstrained,
            "needs_approval": decision.outcome is Outcome.DEFER,
            "rules": [rule.id for rule in decision.rules],
            "reasons": [msgspec.to_builtins(reason) for reason in decision.reasons],
        }
