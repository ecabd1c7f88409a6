# SPDX-License-Identifier: Apache-2.0
"""Agents and people: registering them, and changing their state."""

from __future__ import annotations

import msgspec

from remit.core.errors import Forbidden, Malformed, NotFound
from remit.core.event import Event, EventKind
from remit.core.identity import Agent, AgentState, Person, Role
from remit.core.ids import check_name
from remit.core.revocation import ScopeKind
from remit.core.workload import Binding, checked_binding
from remit.ports.runtime import Clock
from remit.ports.store import PutAgent, PutPerson, Store, Unit
from remit.services.live import Live
from remit.services.policies import Policies
from remit.services.revocations import Revocations

#: The state that an agent may move to from each state.
AGENT_MOVES: dict[AgentState, frozenset[AgentState]] = {
    AgentState.REGISTERED: frozenset({AgentState.ACTIVE, AgentState.SUSPENDED, AgentState.RETIRED}),
    AgentState.ACTIVE: frozenset({AgentState.SUSPENDED, AgentState.RETIRED}),
    AgentState.SUSPENDED: frozenset({AgentState.ACTIVE, AgentState.RETIRED}),
    AgentState.RETIRED: frozenset(),
}


class NewAgent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for when an agent is registered; `bindings` are the ways in which it may prove itself."""

    name: str
    owner: str
    purpose: str
    bindings: tuple[Binding, ...]
    environment: str = "development"
    initiative: str = ""
    groups: tuple[str, ...] = ()
    manifest_digest: str = ""


class NewPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for when a person is added."""

    name: str
    roles: tuple[Role, ...] = ()
    groups: tuple[str, ...] = ()


class Directory:
    """Who there is."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        live: Live,
        policies: Policies,
        revocations: Revocations,
        tenant: str,
    ) -> None:
        """Take the parts."""
        self._store = store
        self._clock = clock
        self._live = live
        self._policies = policies
        self._revocations = revocations
        self._tenant = tenant

    async def register(self, new: NewAgent, *, by: str) -> Agent:
        """Register an agent; an accountable owner, a purpose and a key are needed."""
        check_name(new.name, "an agent")
        for group in new.groups:
            check_name(group, "a group")
        if not new.owner.strip() or not new.purpose.strip():
            raise Malformed(
                "an agent needs an accountable owner and a purpose", way_out="give `owner` and `purpose`"
            )
        agent = Agent(
            tenant=self._tenant,
            name=new.name,
            owner=new.owner,
            purpose=new.purpose,
            environment=new.environment,
            initiative=new.initiative,
            groups=new.groups,
            bindings=tuple(checked_binding(one) for one in new.bindings),
            manifest_digest=new.manifest_digest,
            created=self._clock.now(),
            created_by=by,
        )
        event = Event(
            kind=EventKind.AGENT_REGISTERED,
            at=agent.created,
            tenant=self._tenant,
            agent=agent.name,
            subject=by,
            facts={
                "owner": agent.owner,
                "purpose": agent.purpose,
                "environment": agent.environment,
                "initiative": agent.initiative,
                "manifest": agent.manifest_digest,
            },
            sealed={"by": by},
        )
        await self._store.commit(Unit((PutAgent(agent, expect_new=True),), (event,)))
        await self._policies.refresh()
        return agent

    async def move(self, name: str, state: AgentState, *, by: str, reason: str) -> Agent:
        """Change an agent's state; leaving service also ends all its tasks."""
        agent = await self.agent(name)
        if state not in AGENT_MOVES[agent.state]:
            raise Forbidden(f"agent `{name}` is {agent.state.value} and cannot become {state.value}")
        moved = msgspec.structs.replace(agent, state=state)
        event = Event(
            kind=EventKind.AGENT_CHANGED,
            at=self._clock.now(),
            tenant=self._tenant,
            agent=name,
            subject=by,
            facts={"state": state.value, "previous": agent.state.value, "reason": reason},
            sealed={"by": by},
        )
        await self._store.commit(Unit((PutAgent(moved),), (event,)))
        self._live.refresh_agent(moved)
        if not moved.usable:
            await self._revocations.end_scope(ScopeKind.AGENT, name, reason=reason, by=by)
        await self._policies.refresh()
        return moved

    async def agent(self, name: str) -> Agent:
        """Give an agent; raises `NotFound`."""
        found = await self._store.agent(self._tenant, name)
        if found is None:
            raise NotFound(f"there is no agent `{name[:80]}`", way_out="see `remit agent list`")
        return found

    async def agents(self) -> list[Agent]:
        """Give all agents."""
        return await self._store.agents(self._tenant)

    async def add_person(self, new: NewPerson, *, by: str) -> Person:
        """Add a person, who then signs in with a one-time code."""
        check_name(new.name, "a person")
        for group in new.groups:
            check_name(group, "a group")
        person = Person(
            tenant=self._tenant,
            name=new.name,
            roles=frozenset(new.roles),
            groups=new.groups,
            created=self._clock.now(),
        )
        event = Event(
            kind=EventKind.PERSON_ADDED,
            at=person.created,
            tenant=self._tenant,
            subject=new.name,
            facts={"roles": sorted(role.value for role in person.roles), "groups": sorted(person.groups)},
            sealed={"person": person.name, "by": by},
        )
        await self._store.commit(Unit((PutPerson(person, expect_new=True),), (event,)))
        return person

    async def person(self, name: str) -> Person:
        """Give a person; raises `NotFound`."""
        found = await self._store.person(self._tenant, name)
        if found is None:
            raise NotFound(f"there is no person `{name[:80]}`", way_out="add one with `remit person add`")
        return found

    async def people(self) -> list[Person]:
        """Give all people."""
        return await self._store.people(self._tenant)
