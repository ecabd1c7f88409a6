# SPDX-License-Identifier: Apache-2.0
"""The first question: who is it, who owns it, for which person does it act, and how was that proven.

The answer ends in its proof: a tree of facts, each with the facts that it rests on below it. The leaves are a
person's act (a person signed in, an administrator registered an agent) or something external (a key, an
issuer, a platform). An answer about a token never contains the token.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import msgspec

from remit.core.errors import NotFound, RemitError, Unauthenticated
from remit.core.findings.finding import FindingState
from remit.core.identity.principals import NO_PERSON, TEAM, Agent, Memberships, Person
from remit.core.identity.workload import LocalBinding, workload_of
from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.core.oauth.proof_facts import Fact, best_assurance, moment, of_attestation, of_binding
from remit.core.scope import ScopeKind, scope
from remit.core.tasks.task import Task, TaskState
from remit.ports.runtime import Clock
from remit.ports.store.combined import TasksAndPrincipals
from remit.ports.store.findings import FindingStore
from remit.services.credentials.leases import Leases
from remit.services.endings.locks import Locks
from remit.services.identity.authenticator import Authenticator
from remit.services.identity.svid_issuing import SvidIssuing
from remit.services.inspection.replica_status import ReplicaStatus
from remit.services.tasks.live_tasks import LiveTasks

#: A JWT in compact form; no name, address or SPIFFE ID has this form.
_TOKEN: Final = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
#: Largest number of an agent's or a person's tasks that are reported.
MOST_TASKS: Final = 20


def is_token(text: str) -> bool:
    """Return whether a text is an access token rather than a name."""
    return _TOKEN.fullmatch(text) is not None


class _Rooms(FindingStore, TasksAndPrincipals, Protocol):
    """The rooms of the store that hold identities."""


class Who:
    """Reports the identity of a subject."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        live: LiveTasks,
        authenticator: Authenticator,
        members: Memberships,
        tenant: str,
        unconstrained: frozenset[str] = frozenset(),
        own_uid: int = -1,
        issuing: SvidIssuing | None = None,
        leases: Leases,
        locks: Locks,
        roster: ReplicaStatus,
    ) -> None:
        """Take the dependencies.

        `unconstrained` names the upstreams where a plain token is enough for every tier; `own_uid` is the
        user id of this process.
        """
        self._own_uid = own_uid
        self._issuing = issuing
        self._leases = leases
        self._locks = locks
        self._roster = roster
        self._unconstrained = unconstrained
        self._store = store
        self._clock = clock
        self._live = live
        self._authenticator = authenticator
        self._members = members
        self._tenant = tenant

    async def of(self, name: str) -> dict[str, Json]:
        """Return who `name` is: an access token, a task's id, an agent, a workload, or a person.

        Raises `NotFound`.
        """
        if is_token(name):
            return await self._token(name)
        if (task := await self._store.task(self._tenant, name)) is not None:
            return await self._of_task(task)
        if (agent := await self._store.agent(self._tenant, name)) is not None:
            return await self._of_agent(agent)
        bound = await self._store.agents_bound(self._tenant, name)
        if bound := bound or (await self._issuing.agents(name) if self._issuing else []):
            return await self._of_workload(name, bound)
        if (person := await self._store.person(self._tenant, name)) is not None:
            return await self._of_person(self._members.of_person(person))
        raise NotFound(
            f"`{name[:80]}` is not known here",
            remediation="give an agent, a task, a workload (a SPIFFE ID, `issuer#subject`), a person or "
            "a token",
        )

    async def _of_task(self, task: Task) -> dict[str, Json]:
        agent = await self._store.agent(self._tenant, task.agent)
        holder = await self._roster.holder(task)
        return {
            "kind": "task",
            **self._task(task),
            "replica": {"id": holder.id, "host": holder.host} if holder else None,
            "who": await self._agent(agent) if agent else None,
            "locks": await self._shut(set(task.scopes)),
            "proof": msgspec.to_builtins(await self._why_task(task, agent)),
        }

    async def _of_agent(self, agent: Agent) -> dict[str, Json]:
        tasks = await self._store.tasks(self._tenant, agent=agent.name, limit=MOST_TASKS)
        return {
            "kind": "agent",
            **await self._agent(agent),
            "tasks": [self._task(one) for one in tasks],
            "leases": self._leases.of(agent=agent.name),
            "locks": await self._shut(
                {scope(ScopeKind.AGENT, agent.name), scope(ScopeKind.OWNER, agent.owner)}
            ),
            "proof": msgspec.to_builtins(await self._why_agent(agent)),
        }

    async def _of_workload(self, name: str, bound: list[Agent]) -> dict[str, Json]:
        return {
            "kind": "workload",
            "workload": name,
            "agents": [await self._agent(one) for one in bound],
            "proof": msgspec.to_builtins(
                Fact(f"workload {name}", tuple([await self._why_agent(one) for one in bound]))
            ),
        }

    async def _of_person(self, person: Person) -> dict[str, Json]:
        now = self._clock.now()
        agents = await self._store.agents(self._tenant)
        records = await self._store.delegations(self._tenant, person=person.name)
        return {
            "kind": "person",
            "name": person.name,
            "roles": sorted(role.value for role in person.roles),
            "groups": list(person.groups),
            "active": person.active,
            "locks": await self._shut(
                {scope(kind, person.name) for kind in (ScopeKind.PERSON, ScopeKind.OWNER)}
            ),
            "answers_for": [one.name for one in agents if one.owned_by(person)],
            "delegations": [
                {
                    "delegation": one.id,
                    "agent": one.agent,
                    "task_type": one.task_type,
                    "expires": one.expires.isoformat(),
                }
                for one in records
                if one.live_at(now)
            ],
        }

    async def _shut(self, scopes: set[str]) -> list[dict[str, Json]]:
        """Return the locks that keep a subject from opening tasks."""
        found: list[dict[str, Json]] = msgspec.to_builtins(await self._locks.over(scopes))
        return found

    async def _token(self, text: str) -> dict[str, Json]:
        try:
            claims = self._authenticator.unproven(text, self._clock.now())
        except Unauthenticated as error:
            return {"kind": "token", "valid": False, "code": error.code, "reason": error.message}
        task = await self._store.task(self._tenant, claims.task) if claims.task else None
        agent = await self._store.agent(self._tenant, claims.client_id)
        fault = await self._dead(claims, agent)
        below = [of_attestation(claims)]
        if agent is not None:
            below.append(await self._why_agent(agent))
        if task is not None:
            below.append(await self._why_task(task))
        return {
            "kind": "token",
            "valid": fault is None,
            **({"code": fault.code, "reason": fault.message} if fault else {}),
            "token": claims.token_id,
            "issuer": claims.issuer,
            "audience": list(claims.audience),
            "agent": claims.client_id,
            "on_behalf_of": claims.on_behalf_of,
            "chain": [actor.name for actor in claims.chain] or [claims.client_id],
            "assurance": claims.assurance.word,
            "method": claims.attestation.value if claims.attestation else "",
            "sender": claims.confirmation.word,
            "expires": claims.expires,
            "task": self._task(task) if task else None,
            "who": await self._agent(agent) if agent else None,
            "proof": msgspec.to_builtins(
                Fact(f"token {claims.token_id}, signed by {claims.issuer}", tuple(below), fault is None)
            ),
        }

    async def _dead(self, claims: AccessClaims, agent: Agent | None) -> RemitError | None:
        """Return why a token opens nothing although its signature is valid."""
        if agent is None or not agent.usable or claims.issued < agent.tokens_from:
            return Unauthenticated("the agent may not act, or its tokens were revoked", code="agent-state")
        if not claims.task:
            return None
        try:
            live = await self._live.view(claims.task)
            self._live.check(live, self._clock.now())
        except RemitError as error:
            return error
        return None

    # Facts about an agent and a task.

    async def _agent(self, agent: Agent) -> dict[str, Json]:
        proof = await self._store.last_proof(self._tenant, agent.name)
        open_now = await self._store.findings(
            self._tenant, about=f"agent:{agent.name}", state=FindingState.OPEN
        )
        agent = self._members.of_agent(agent)
        return {
            "agent": agent.name,
            "owner": agent.owner,
            "purpose": agent.purpose,
            "environment": agent.environment,
            "initiative": agent.initiative,
            "groups": list(agent.groups),
            "state": agent.state.value,
            "assurance": proof.assurance.word if proof else "",
            "best_assurance": best_assurance(agent).word,
            "workloads": [workload_of(one) for one in agent.bindings],
            "isolation": self._isolation(agent),
            "last_seen": proof.at.isoformat() if proof else None,
            "last_method": proof.method if proof else "",
            "last_place": proof.place if proof else "",
            "findings": sorted({one.kind.value for one in open_now}),
            "registered": agent.created.isoformat(),
            "registered_by": agent.created_by,
            "manifest": agent.manifest_digest,
        }

    def _isolation(self, agent: Agent) -> str:
        """Return `none` where the agent may be a process of remit's user, which can do whatever remit can."""
        uids = {one.uid for one in agent.bindings if isinstance(one, LocalBinding)}
        return "none" if self._own_uid in uids else ""

    def _task(self, task: Task) -> dict[str, Json]:
        live = self._live.get(task.id)
        label = live.label if live is not None else task.label
        state = task.state.value
        if task.state is TaskState.ACTIVE:
            state = "suspended" if self._live.suspended(task) else state
            state = TaskState.EXPIRED.value if self._clock.now() >= task.deadline else state
        upstreams = {grant.tool.partition("/")[0] for grant in task.grants}
        return {
            "task": task.id,
            "task_type": task.type,
            "agent": task.agent,
            "on_behalf_of": task.on_behalf_of,
            "chain": list(task.actors),
            "parent": task.parent,
            "delegation": task.delegation,
            "requested_by": task.intent.requested_by,
            "goal": task.intent.goal,
            "params": task.intent.params,
            "state": state,
            "opened": task.opened.isoformat(),
            "deadline": task.deadline.isoformat(),
            "ended": task.ended.isoformat() if task.ended else None,
            "end_reason": task.end_reason,
            "label": msgspec.to_builtins(label),
            "bearers_at": sorted(upstreams & self._unconstrained),
            "standing_at": self._leases.standing(upstreams),
            "leases": self._leases.of(task=task.id),
            "in_hand": len(live.in_hand) if live is not None else 0,
        }

    # What these facts rest on.

    async def _why_agent(self, agent: Agent) -> Fact:
        proof = await self._store.last_proof(self._tenant, agent.name)
        ways = tuple(of_binding(one, proof) for one in agent.bindings) or (Fact("nothing", (), False),)
        registered = f"registered {moment(agent.created)} by {agent.created_by}"
        return Fact(
            f"agent {agent.name}, {agent.state.value}",
            (
                Fact("proven by", ways, bool(agent.bindings)),
                Fact(registered),
                await self._why_owner(agent.owner),
            ),
            agent.usable,
        )

    async def _why_owner(self, owner: str) -> Fact:
        if owner.startswith(TEAM):
            people = [self._members.of_person(one) for one in await self._store.people(self._tenant)]
            team = owner.removeprefix(TEAM)
            active = sorted(one.name for one in people if one.active and team in one.groups)
            who = ", ".join(active) or "no active member"
            return Fact(f"owned by team {team}: {who}", (), bool(active))
        person = await self._store.person(self._tenant, owner)
        holds = person is not None and person.active
        return Fact(f"owned by {owner}{'' if holds else ', who is not active'}", (), holds)

    async def _why_task(self, task: Task, agent: Agent | None = None) -> Fact:
        """Return the facts that a task rests on; with the agent, also those that the agent rests on."""
        below = [await self._why_intent(task)]
        below += [await self._why_agent(agent)] if agent else []
        for one in task.lineage:
            above = await self._store.task(self._tenant, one.task)
            there = above is not None and above.active_at(self._clock.now())
            below.append(Fact(f"delegated by {one.agent} from task {one.task}", (), there))
        return Fact(
            f"task {task.id}, opened {moment(task.opened)} under bundle {task.bundle[:23]}",
            tuple(below),
            task.active_at(self._clock.now()),
        )

    async def _why_intent(self, task: Task) -> Fact:
        stated = task.intent.requested_by
        says = f"requested by {stated.removeprefix('agent:')}"
        # An agent's own work, or an assertion of a trusted issuer: no person signed in here to request it.
        how = (
            "an issuer that" if stated.startswith(NO_PERSON) else "a person that remit authenticated and that"
        )
        below = [Fact(f"{how} task type `{task.type}` permits to request it")]
        if task.on_behalf_of:
            below.append(await self._why_behalf(task))
        return Fact(says, tuple(below))

    async def _why_behalf(self, task: Task) -> Fact:
        person = await self._store.person(self._tenant, task.on_behalf_of)
        holds = person is not None and person.active
        says = f"on behalf of {task.on_behalf_of}"
        if task.intent.requested_by.startswith("issuer:"):
            return Fact(f"{says}, as stated by {task.intent.requested_by.removeprefix('issuer:')}", (), holds)
        if not task.delegation:
            return Fact(f"{says}, who requested it", (), holds)
        record = await self._store.delegation(self._tenant, task.delegation)
        if record is None:
            return Fact(f"{says}, by an unknown delegation", (), False)
        now = self._clock.now()
        until = f"made {moment(record.made)}, until {moment(record.expires)}"
        state = "" if record.live_at(now) else ", which is no longer valid"
        return Fact(says, (Fact(f"delegation {record.id}, {until}{state}", (), record.live_at(now)),), holds)
