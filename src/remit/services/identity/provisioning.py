# SPDX-License-Identifier: Apache-2.0
"""Agents that an identity provider creates, describes and ends (SCIM).

A provider proposes; authority comes from remit's configuration and people:

1. a provider sees the agents that it created, and those that the configuration names for it; any other agent
   reads like one that does not exist, and so does a retired one
2. owner, purpose, environment, initiative and groups of an agent that it creates come from its section, and
   the agent's name begins with its prefix, so that no name of the configuration is taken in advance
3. it makes no binding but one: to its own issuer, with its own id of the agent as the subject, where its
   section names the issuer
4. deactivation suspends the agent, removes its bindings, withdraws its tokens and ends its tasks; a deletion
   retires it
5. it reactivates only what it deactivated itself, and only while no finding suspends the agent; ended tasks,
   withdrawn tokens and removed bindings stay so
6. an agent has the words of one provider: of its creator, else of the first; another one that may end the
   agent says nothing of it, and a suspension by that one is for people to reverse
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from remit.core.canonical import digest
from remit.core.endings.closure import Cause
from remit.core.errors import ChangedMeanwhile, Forbidden, Malformed, NotFound, Unauthenticated
from remit.core.evidence.events.identity import AgentChanged
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Agent, AgentState, Memberships, Provisioned
from remit.core.identity.workload import Binding, IssuerBinding, checked_binding
from remit.core.oauth.access_token import AccessClaims
from remit.core.scope import ScopeKind
from remit.ports.runtime import Clock
from remit.services.endings.ending import Endings
from remit.services.findings.findings import Findings
from remit.services.identity.directory import Directory, NewAgent, Revised

#: The longest text that a provider may say of an agent.
MAX_TEXT = 1024


class IdentityProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider that manages agents here.

    It authenticates as the registered agent `agent`, or with the secret `token`. `constrained`: the agent's
    token must be bound to a key. `agents` are those that it may end beside its own: names, `group:name`, `*`.
    The other values are those of the agents that it creates; `issuer` issues their tokens.
    """

    name: str
    prefix: str
    owner: str
    purpose: str
    agent: str = ""
    token: str = ""
    constrained: bool = True
    agents: frozenset[str] = frozenset()
    environment: str = "development"
    initiative: str = ""
    groups: tuple[str, ...] = ()
    issuer: str = ""

    @property
    def by(self) -> str:
        """The provider's name in the evidence."""
        return f"scim:{self.name}"

    def created(self, agent: Agent) -> bool:
        """Return whether the provider created the agent."""
        return agent.created_by == self.by

    def words(self, agent: Agent) -> Provisioned | None:
        """Return what the provider said of the agent; `None` if it said nothing."""
        told = agent.provisioned
        return told if told is not None and told.client == self.name else None

    def local_name(self, agent: Agent) -> str:
        """Return an agent's name at the provider: without the prefix, if the provider created it."""
        return agent.name.removeprefix(self.prefix) if self.created(agent) else agent.name

    def bindings(self, external_id: str) -> tuple[Binding, ...]:
        """Return the bindings of an agent that the provider knows by an id."""
        if not self.issuer or not external_id:
            return ()
        return (checked_binding(IssuerBinding(issuer=self.issuer, subject=external_id)),)


class ProposedAgent(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of an agent: texts, and whether it may act at all; `None` changes nothing."""

    name: str
    external_id: str = ""
    display_name: str = ""
    description: str = ""
    active: bool | None = None


def version_of(agent: Agent) -> str:
    """Return the version of an agent's record, which changes with everything in it."""
    return digest(msgspec.to_builtins(agent))[7:39]


class Provisioning:
    """The agents of identity providers."""

    def __init__(
        self,
        *,
        directory: Directory,
        revocations: Endings,
        findings: Findings,
        members: Memberships,
        clock: Clock,
        providers: Mapping[str, IdentityProvider],
        suspend_on: Collection[FindingKind] = (),
    ) -> None:
        """Take the dependencies; an open finding of a kind in `suspend_on` prevents a reactivation."""
        self._directory = directory
        self._revocations = revocations
        self._findings = findings
        self._members = members
        self._clock = clock
        self.providers = providers
        self._suspend_on = suspend_on

    def by_secret(self, shown: str) -> IdentityProvider | None:
        """Return the provider with this secret."""
        found = None
        for one in self.providers.values():
            # Each is compared, so that the time does not reveal which one fits.
            if one.token and hmac.compare_digest(shown.encode(), one.token.encode()):
                found = one
        return found

    def by_agent(self, agent: Agent, claims: AccessClaims) -> IdentityProvider:
        """Return the provider that authenticates as an agent; raise `Forbidden` or `Unauthenticated`."""
        found = next((one for one in self.providers.values() if one.agent == agent.name), None)
        if found is None:
            raise Forbidden(
                f"agent `{agent.name}` does not manage agents",
                code="no-provider",
                remediation="name it under `agents.scim` in remit.yaml",
            )
        if found.constrained and not claims.confirmation:
            raise Unauthenticated(
                "the token is not bound to a key",
                code="unbound-token",
                remediation="ask for one with a DPoP proof or over mTLS, or set `sender_constraint`",
                step=1,
            )
        return found

    async def agents(self, provider: IdentityProvider) -> list[Agent]:
        """Return the agents that a provider sees (rule 1), by name."""
        return [one for one in await self._directory.agents() if self._sees(provider, one)]

    async def agent(self, provider: IdentityProvider, name: str) -> Agent:
        """Return one of them; raise `NotFound`."""
        found = await self._directory.find_agent(name)
        if found is None or not self._sees(provider, found):
            raise _unknown(name)
        return found

    def _sees(self, provider: IdentityProvider, agent: Agent) -> bool:
        if agent.state is AgentState.RETIRED:
            return False
        groups = self._members.of_agent(agent).groups
        named = {"*", agent.name, *(f"group:{group}" for group in groups)}
        return provider.created(agent) or bool(named & provider.agents)

    async def create(self, provider: IdentityProvider, proposed: ProposedAgent) -> Agent:
        """Register an agent by rules 2 and 3; one that is proposed inactive is suspended at once."""
        told = self._told(provider, proposed, held=False)
        if not proposed.name:
            raise Malformed("the agent has no name", remediation="give `agentUserName`")
        new = NewAgent(
            name=provider.prefix + proposed.name,
            owner=provider.owner,
            purpose=provider.purpose,
            bindings=() if proposed.active is False else provider.bindings(proposed.external_id),
            environment=provider.environment,
            initiative=provider.initiative,
            groups=provider.groups,
        )
        agent = await self._directory.register(new, by=provider.by, provisioned=told)
        return await self.update(provider, agent.name, proposed) if proposed.active is False else agent

    async def update(
        self, provider: IdentityProvider, name: str, proposed: ProposedAgent, expected: str | None = None
    ) -> Agent:
        """Change what a provider says of an agent, and whether it may act (rules 4 and 5).

        `expected` is the version that the agent must still have: else `ChangedMeanwhile`. Return after the
        ends have been acknowledged everywhere.
        """
        before = await self.agent(provider, name)
        await self._may_return(before, proposed)

        def said(agent: Agent) -> Revised:
            self._check(provider, agent, expected)
            if proposed.name != provider.local_name(agent):
                raise Malformed(
                    "an agent's name cannot change",
                    code="name-fixed",
                    remediation="keep `agentUserName`; set `displayName`",
                )
            now = self._clock.now()
            if proposed.active is False and agent.usable:
                return self._withdrawn(provider, agent, AgentState.SUSPENDED, proposed, now)
            return self._described(provider, agent, proposed, now)

        after = await self._directory.revise(name, said, provider.by)
        if proposed.active is False:
            await self._end(provider, name, "the identity provider deactivated the agent", Cause.AGENT_STATE)
        elif after.tokens_from != before.tokens_from:
            await self._end(provider, name, "the identity provider changed the agent's id", Cause.BINDING)
        return after

    async def suspend_too(self, provider: IdentityProvider, name: str) -> None:
        """Note that a provider wants another one's suspension, too: people reverse it (rule 6)."""
        await self.agent(provider, name)

        def kept(agent: Agent) -> Revised:
            told = agent.provisioned
            if agent.usable or told is None or told.client == provider.name or not told.held:
                return None
            told = msgspec.structs.replace(told, held=False)
            after = msgspec.structs.replace(agent, provisioned=told)
            return after, AgentChanged(change="provisioned", by=provider.by)

        await self._directory.revise(name, kept, provider.by)

    async def delete(self, provider: IdentityProvider, name: str, expected: str | None = None) -> None:
        """Retire an agent; return after the ends have been acknowledged everywhere."""
        await self.agent(provider, name)

        def retired(agent: Agent) -> Revised:
            self._check(provider, agent, expected)
            return self._withdrawn(provider, agent, AgentState.RETIRED, None, self._clock.now())

        await self._directory.revise(name, retired, provider.by)
        await self._end(provider, name, "the identity provider deleted the agent", Cause.AGENT_STATE)

    async def _end(self, provider: IdentityProvider, name: str, reason: str, cause: Cause) -> None:
        await self._revocations.end_scope(ScopeKind.AGENT, name, reason=reason, by=provider.by, cause=cause)

    def _check(self, provider: IdentityProvider, agent: Agent, expected: str | None) -> None:
        """Check what may have changed since the agent was read: the rules hold for what is written over."""
        if not self._sees(provider, agent):
            raise _unknown(agent.name)
        if expected is not None and version_of(agent) != expected:
            raise ChangedMeanwhile(
                f"agent `{agent.name}` has changed meanwhile", remediation="read it again, and repeat"
            )

    async def _may_return(self, agent: Agent, proposed: ProposedAgent) -> None:
        """Raise `Forbidden` where an agent is to act again that the provider may not reactivate (rule 5)."""
        if not proposed.active or agent.usable:
            return
        found = await self._findings.about(f"agent:{agent.name}", FindingState.OPEN)
        if any(one.kind in self._suspend_on for one in found):
            raise _suspended_by_others(agent)

    def _withdrawn(
        self,
        provider: IdentityProvider,
        agent: Agent,
        state: AgentState,
        proposed: ProposedAgent | None,
        now: datetime,
    ) -> Revised:
        """Rule 4: the agent is out of service, and no token or binding of before is of use later."""
        told = agent.provisioned
        if told is not None and told.client != provider.name:
            # Rule 6: no provider may reverse this.
            told = msgspec.structs.replace(told, held=False)
        elif proposed is not None:
            told = self._told(provider, proposed, held=True)
        else:
            told = msgspec.structs.replace(
                told or Provisioned(client=provider.name, changed=now), changed=now
            )
        after = msgspec.structs.replace(
            agent,
            state=state,
            bindings=(),
            tokens_from=int(now.timestamp()) + 1,
            provisioned=told,
        )
        what = "deleted" if state is AgentState.RETIRED else "deactivated"
        reason = f"the identity provider {what} the agent; its bindings were removed"
        return after, AgentChanged(
            change="state", state=state, previous=agent.state.value, reason=reason, by=provider.by
        )

    def _described(
        self, provider: IdentityProvider, agent: Agent, proposed: ProposedAgent, now: datetime
    ) -> Revised:
        """Rules 3 and 5: what the provider says now, and the binding that follows from it."""
        was = provider.words(agent)
        held = was is not None and was.held
        returns = proposed.active is True and not agent.usable
        if returns and not held:
            raise _suspended_by_others(agent)
        if was is None and agent.provisioned is not None:
            return None
        told = self._told(provider, proposed, held=held and not returns)
        bindings, tokens_from = agent.bindings, agent.tokens_from
        if was is not None and provider.created(agent) and (agent.usable or returns):
            old, new = provider.bindings(was.external_id), provider.bindings(told.external_id)
            bindings = (*(one for one in agent.bindings if one not in (*old, *new)), *new)
            if old != new and any(one in agent.bindings for one in old):
                # Who proved the old identity may hold tokens and tasks.
                tokens_from = int(now.timestamp()) + 1
        after = msgspec.structs.replace(
            agent,
            state=AgentState.ACTIVE if returns else agent.state,
            bindings=bindings,
            tokens_from=tokens_from,
            provisioned=told,
        )
        if returns:
            return after, AgentChanged(
                change="state",
                state=AgentState.ACTIVE,
                previous=agent.state.value,
                reason="the identity provider reactivated the agent",
                by=provider.by,
            )
        return after, AgentChanged(change="provisioned", by=provider.by)

    def _told(self, provider: IdentityProvider, proposed: ProposedAgent, *, held: bool) -> Provisioned:
        if not proposed.external_id.isprintable():
            raise Malformed(
                "`externalId` has invisible characters",
                code="invisible",
                remediation="give the id as the tokens of the agent have it",
            )
        for text in (proposed.external_id, proposed.display_name, proposed.description):
            if len(text) > MAX_TEXT:
                raise Malformed(
                    f"a text has more than {MAX_TEXT} characters",
                    code="too-long",
                    remediation="shorten it",
                )
        return Provisioned(
            client=provider.name,
            external_id=proposed.external_id,
            display_name=proposed.display_name,
            description=proposed.description,
            held=held,
            changed=self._clock.now(),
        )


def _unknown(name: str) -> NotFound:
    return NotFound(f"agent `{name[:80]}` does not exist", remediation="list the agents that you manage")


def _suspended_by_others(agent: Agent) -> Forbidden:
    return Forbidden(
        f"agent `{agent.name}` is {agent.state.value} by a decision at remit",
        code="agent-state",
        remediation="ask an administrator to reactivate it (`remit agent show`)",
    )
