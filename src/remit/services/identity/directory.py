# SPDX-License-Identifier: Apache-2.0
"""Agents and people: registration and changes of state."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from remit.core.endings.closure import Cause
from remit.core.errors import ChangedMeanwhile, Conflict, Forbidden, Malformed, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.identity import AgentChanged, AgentRegistered
from remit.core.evidence.events.people import PersonAdded
from remit.core.findings.finding import Finding
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import TEAM, Agent, AgentState, Memberships, Person, Provisioned, Role
from remit.core.identity.workload import Binding, checked_binding, workload_of
from remit.core.ids import check_name, check_subject
from remit.core.scope import ScopeKind
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, PutAgent, PutPerson, UsePerson
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit
from remit.services.endings.ending import Endings
from remit.services.findings.findings import Findings
from remit.services.identity.accountability import Accountability, owner_fault
from remit.services.policy.bundle import Policies
from remit.services.tasks.live_tasks import LiveTasks

#: The states that an agent may move to, by current state.
AGENT_MOVES: dict[AgentState, frozenset[AgentState]] = {
    AgentState.REGISTERED: frozenset({AgentState.ACTIVE, AgentState.SUSPENDED, AgentState.RETIRED}),
    AgentState.ACTIVE: frozenset({AgentState.SUSPENDED, AgentState.RETIRED}),
    AgentState.SUSPENDED: frozenset({AgentState.ACTIVE, AgentState.RETIRED}),
    AgentState.RETIRED: frozenset(),
}


#: Largest number of bindings per agent.
MAX_BINDINGS = 16
#: Attempts at a change when others change the same agent at the same time.
TRIES = 8

Revised = tuple[Agent, AgentChanged] | None


class NewAgent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Request to register an agent; `bindings` are the ways in which the agent may prove its identity.

    `owner` is an existing person, or a team as `group:name` that has an active member.
    """

    name: str
    owner: str
    purpose: str
    bindings: tuple[Binding, ...]
    environment: str = "development"
    initiative: str = ""
    groups: tuple[str, ...] = ()
    manifest_digest: str = ""


class NewPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Request to add a person."""

    name: str
    roles: tuple[Role, ...] = ()
    groups: tuple[str, ...] = ()


class Directory:
    """The registered agents and people."""

    def __init__(
        self,
        *,
        store: PrincipalStore,
        clock: Clock,
        live: LiveTasks,
        policies: Policies,
        revocations: Endings,
        findings: Findings,
        members: Memberships,
        tenant: str,
        suspend_on: frozenset[FindingKind] = frozenset(),
        end_on: frozenset[FindingKind] = frozenset(),
    ) -> None:
        """Take the dependencies.

        Findings of the kinds in `suspend_on` suspend their agent; findings of the kinds in `end_on` end its
        tasks.
        """
        self._store = store
        self._clock = clock
        self._live = live
        self._policies = policies
        self._revocations = revocations
        self._findings = findings
        self._members = members
        self._tenant = tenant
        self._suspend_on = suspend_on
        self._end_on = end_on
        self._owners = Accountability(findings, revocations)
        findings.on_seen(self._react)

    async def register(self, new: NewAgent, *, by: str, provisioned: Provisioned | None = None) -> Agent:
        """Register an agent.

        It needs an accountable owner, a purpose, an environment, and a way to prove its identity that no
        other agent has (`Conflict`, code `workload-taken`). An agent that an identity provider has
        `provisioned` may be without one: it can do nothing until it gets one.
        """
        check_subject(new.name, "an agent")
        for group in new.groups:
            check_name(group, "a group")
        check_name(new.environment, "an environment")
        if not new.owner.strip() or not new.purpose.strip():
            raise Malformed(
                "an agent needs an accountable owner and a purpose", remediation="give `owner` and `purpose`"
            )
        if not (0 if provisioned else 1) <= len(new.bindings) <= MAX_BINDINGS:
            raise Malformed(f"an agent has 1 to {MAX_BINDINGS} bindings", remediation="give `bindings`")
        await self._check_owner(new.owner)
        # A name denotes one subject only: in tokens, in identity reports, and in the evidence.
        if await self._store.person(self._tenant, new.name) is not None:
            raise Conflict(f"`{new.name}` is the name of a person", remediation="choose another name")
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
            provisioned=provisioned,
            created=self._clock.now(),
            created_by=by,
        )
        registered = AgentRegistered(
            owner=agent.owner,
            purpose=agent.purpose,
            environment=agent.environment,
            initiative=agent.initiative,
            manifest=agent.manifest_digest,
            by=by,
        )
        event = Event.of(registered, at=agent.created, tenant=self._tenant, agent=agent.name, subject=by)
        await self._store.commit(
            Unit((*self._use_owner(agent.owner), PutAgent(agent, expect_new=True)), (event,))
        )
        await self._policies.refresh()
        return agent

    async def bind(self, name: str, binding: Binding, *, by: str) -> Agent:
        """Add a binding: one more way in which an agent may prove its identity."""
        added = checked_binding(binding)

        def bound(agent: Agent) -> Revised:
            if added in agent.bindings:
                return None
            if len(agent.bindings) >= MAX_BINDINGS:
                raise Malformed(
                    f"an agent has at most {MAX_BINDINGS} bindings",
                    remediation="unbind one first",
                )
            changed = msgspec.structs.replace(agent, bindings=(*agent.bindings, added))
            return changed, AgentChanged(change="bound", workload=workload_of(added), by=by)

        return await self.revise(name, bound, by)

    async def unbind(self, name: str, workload: str, *, by: str, reason: str = "") -> Agent:
        """Remove every binding of an agent to a workload, for example after its key has leaked.

        Anyone who used the binding may hold tokens and tasks. All tokens of the agent issued so far are
        refused, and all its tasks end.
        """
        from_now = int(self._clock.now().timestamp()) + 1

        def unbound(agent: Agent) -> Revised:
            kept = tuple(one for one in agent.bindings if workload_of(one) != workload)
            if len(kept) == len(agent.bindings):
                raise NotFound(
                    f"agent `{name}` is not bound to `{workload[:200]}`",
                    remediation=f"see `remit agent show {name}`",
                )
            changed = msgspec.structs.replace(agent, bindings=kept, tokens_from=from_now)
            return changed, AgentChanged(change="unbound", workload=workload, reason=reason, by=by)

        changed = await self.revise(name, unbound, by)
        await self._revocations.end_scope(
            ScopeKind.AGENT,
            name,
            reason=reason or "a binding was removed from the agent",
            by=by,
            cause=Cause.BINDING,
        )
        return changed

    async def set_manifest(self, name: str, digest: str, *, by: str) -> Agent:
        """Register the digest of an agent's current manifest after a review.

        Findings about drift from the previous manifest are resolved.
        """
        if len(digest) > 200:
            raise Malformed("a manifest's digest is short", remediation="give `sha256:` and 64 digits")

        def reviewed(agent: Agent) -> Revised:
            told = AgentChanged(change="manifest", manifest=digest, previous=agent.manifest_digest, by=by)
            return msgspec.structs.replace(agent, manifest_digest=digest), told

        changed = await self.revise(name, reviewed, by)
        await self._findings.settle(
            FindingKind.MANIFEST_DRIFT, f"agent:{name}", by=by, resolution="a new manifest was registered"
        )
        return changed

    async def set_owner(self, name: str, owner: str, *, by: str) -> Agent:
        """Set another accountable owner for an agent."""
        await self.agent(name)
        await self._check_owner(owner)

        def owned(agent: Agent) -> Revised:
            told = AgentChanged(change="owner", owner=owner, previous=agent.owner, by=by)
            return msgspec.structs.replace(agent, owner=owner), told

        changed = await self.revise(name, owned, by, self._use_owner(owner))
        await self._findings.settle(
            FindingKind.OWNERLESS, f"agent:{name}", by=by, resolution="it has a new owner"
        )
        return changed

    async def look_at_owners(self) -> None:
        """Find agents without an accountable owner; for a background loop, and after changes to people."""
        people = [self._members.of_person(one) for one in await self.people()]
        await self._owners.look(await self.agents(), people)

    async def _check_owner(self, owner: str) -> None:
        people = [self._members.of_person(one) for one in await self.people()]
        fault = owner_fault(owner, people)
        if fault:
            raise Malformed(
                f"`{owner[:80]}` cannot own an agent: {fault}",
                code="owner",
                remediation="give a person (`remit person list`), or a team as `group:name`",
            )

    def _use_owner(self, owner: str) -> tuple[Change, ...]:
        return () if owner.startswith(TEAM) else (UsePerson(self._tenant, owner),)

    async def _react(self, finding: Finding) -> None:
        """Suspend an agent, or end its tasks, for a finding of a kind that the configuration names.

        Its posture is no longer the posture under which its tasks were opened.
        """
        if not finding.agent:
            return
        agent = await self._store.agent(self._tenant, finding.agent)
        if agent is None or not agent.usable:
            return
        reason = f"finding {finding.id}: {finding.kind.value}"
        if finding.kind in self._suspend_on:
            await self.move(agent.name, AgentState.SUSPENDED, by="remit", reason=reason)
        elif finding.kind in self._end_on:
            await self._revocations.end_scope(
                ScopeKind.AGENT, agent.name, reason=reason, by="remit", cause=Cause.POSTURE
            )

    async def revise(
        self, name: str, revise: Callable[[Agent], Revised], by: str, checks: tuple[Change, ...] = ()
    ) -> Agent:
        """Write what `revise` makes of an agent, and its event; `None` from it changes nothing.

        INVARIANT: what others change at the same moment is seen, and not undone: a suspension, a lost key.
        """
        for _ in range(TRIES):
            before = await self.agent(name)
            revised = revise(before)
            if revised is None:
                return before
            agent, told = revised
            event = Event.of(told, at=self._clock.now(), tenant=self._tenant, agent=agent.name, subject=by)
            try:
                await self._store.commit(Unit((*checks, PutAgent(agent, was=before)), (event,)))
            except ChangedMeanwhile:
                continue
            self._live.refresh_agent(agent)
            await self._policies.refresh()
            return agent
        raise Conflict(
            f"agent `{name}` is being changed by another request", remediation="try again in a moment"
        )

    async def move(
        self, name: str, state: AgentState, *, by: str, reason: str, checks: tuple[Change, ...] = ()
    ) -> Agent:
        """Change an agent's state; taking the agent out of service also ends all its tasks.

        `checks` are made in the same commit.
        """

        def moved_to(agent: Agent) -> Revised:
            words = agent.provisioned
            # A person may take over a suspension that the identity provider could reverse.
            taken = agent.state is state is AgentState.SUSPENDED and words is not None and words.held
            if state not in AGENT_MOVES[agent.state] and not taken:
                raise Forbidden(
                    f"agent `{name}` is already {state.value}"
                    if agent.state is state
                    else f"agent `{name}` is {agent.state.value} and cannot become {state.value}",
                    remediation="register another agent"
                    if agent.state is AgentState.RETIRED
                    else "see `remit agent show`",
                )
            told = AgentChanged(change="state", state=state, previous=agent.state.value, reason=reason, by=by)
            # From here on the state is not the identity provider's, which may not reverse it.
            words = words and msgspec.structs.replace(words, held=False)
            return msgspec.structs.replace(agent, state=state, provisioned=words), told

        moved = await self.revise(name, moved_to, by, checks)
        if not moved.usable:
            await self._revocations.end_scope(
                ScopeKind.AGENT,
                name,
                reason=reason or f"the agent is {moved.state.value}",
                by=by,
                cause=Cause.AGENT_STATE,
            )
        return moved

    async def agent(self, name: str) -> Agent:
        """Return an agent; raises `NotFound`."""
        found = await self.find_agent(name)
        if found is None:
            raise NotFound(f"agent `{name[:80]}` does not exist", remediation="see `remit agent list`")
        return found

    async def find_agent(self, name: str) -> Agent | None:
        """Return an agent; `None` where there is none."""
        return await self._store.agent(self._tenant, name)

    async def agents(self) -> list[Agent]:
        """Return all agents."""
        return await self._store.agents(self._tenant)

    async def add_person(self, new: NewPerson, *, by: str) -> Person:
        """Add a person, who then signs in with a one-time code."""
        check_subject(new.name, "a person")
        for group in new.groups:
            check_name(group, "a group")
        if await self._store.agent(self._tenant, new.name) is not None:
            raise Conflict(f"`{new.name}` is the name of an agent", remediation="choose another name")
        person = Person(
            tenant=self._tenant,
            name=new.name,
            roles=frozenset(new.roles),
            groups=new.groups,
            created=self._clock.now(),
        )
        added = PersonAdded(
            roles=sorted(role.value for role in person.roles),
            groups=sorted(person.groups),
            person=person.name,
            by=by,
        )
        event = Event.of(added, at=person.created, tenant=self._tenant, subject=new.name)
        await self._store.commit(Unit((PutPerson(person, expect_new=True),), (event,)))
        return person

    async def person(self, name: str) -> Person:
        """Return a person; raises `NotFound`."""
        found = await self.find_person(name)
        if found is None:
            raise NotFound(
                f"person `{name[:80]}` does not exist", remediation="add one with `remit person add`"
            )
        return found

    async def find_person(self, name: str) -> Person | None:
        """Return a person; `None` where there is none."""
        return await self._store.person(self._tenant, name)

    async def people(self) -> list[Person]:
        """Return all people."""
        return await self._store.people(self._tenant)

    def with_groups(self, person: Person) -> Person:
        """Return a person with the groups that the configuration assigns, for display."""
        return self._members.of_person(person)
