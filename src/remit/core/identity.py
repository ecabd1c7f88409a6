# SPDX-License-Identifier: Apache-2.0
"""Who: agents, people, and the principal that a request is from."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.workload import Assurance


class AgentState(enum.StrEnum):
    """The lifecycle of an agent: only `registered` and `active` agents may open tasks."""

    REGISTERED = "registered"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """A governed non-human identity: one workload, one accountable owner, a purpose.

    `public_jwk` is the key (RFC 7517) with which the workload proves itself. `manifest_digest` covers model,
    prompt, tools and code, where the owner gave one.
    """

    tenant: str
    name: str
    owner: str
    purpose: str
    environment: str = "development"
    initiative: str = ""
    groups: tuple[str, ...] = ()
    state: AgentState = AgentState.REGISTERED
    public_jwk: dict[str, str] = {}
    manifest_digest: str = ""
    created: datetime
    created_by: str

    @property
    def usable(self) -> bool:
        """Whether the agent may act at all."""
        return self.state in (AgentState.REGISTERED, AgentState.ACTIVE)


class LastProof(msgspec.Struct, frozen=True, kw_only=True):
    """How and when an agent last proved who it is. Part of its posture; one may be a minute old.

    `workload` is what was proven (a SPIFFE ID, `issuer#sub`, a key's thumbprint), `place` where from.
    """

    tenant: str
    agent: str
    at: datetime
    method: str
    assurance: Assurance
    workload: str = ""
    place: str = ""


class Role(enum.StrEnum):
    """What a person may do in remit. Administrators are not approvers by default."""

    ADMINISTRATOR = "administrator"
    APPROVER = "approver"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person who can sign in, own agents, state intents and approve."""

    tenant: str
    name: str
    roles: frozenset[Role] = frozenset()
    groups: tuple[str, ...] = ()
    created: datetime
    active: bool = True


class Actor(msgspec.Struct, frozen=True):
    """One link of a chain of actors: RFC 8693 section 4.1, `act`, the outermost being the current actor."""

    name: str
    kind: str = "ai_agent"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who a request is from: the agent that acts, for whom, through which chain, proven how.

    `chain` holds the actors from the current one outwards; its first is `agent` itself. `on_behalf_of` is
    empty when the agent acts for itself.
    """

    tenant: str
    agent: str
    on_behalf_of: str = ""
    chain: tuple[Actor, ...] = ()
    assurance: Assurance = Assurance.ASSERTED
    key_thumbprint: str = ""

    @property
    def subject(self) -> str:
        """The token's `sub`: the person where there is one, else the agent."""
        return self.on_behalf_of or self.agent


class Memberships(msgspec.Struct, frozen=True):
    """Who belongs where by configuration: groups of people and of agents (`agent:name`), initiatives of
    agents.

    What was given at registration stays; the configuration adds to it.
    """

    groups: dict[str, tuple[str, ...]] = {}
    initiatives: dict[str, str] = {}

    def of_agent(self, agent: Agent) -> Agent:
        """Give the agent with all its groups and its initiative."""
        named = f"agent:{agent.name}"
        more = tuple(group for group, members in self.groups.items() if named in members)
        initiative = self.initiatives.get(agent.name, agent.initiative)
        if initiative == agent.initiative and set(more) <= set(agent.groups):
            return agent
        groups = tuple(dict.fromkeys((*agent.groups, *more)))
        return msgspec.structs.replace(agent, groups=groups, initiative=initiative)

    def of_person(self, person: Person) -> Person:
        """Give the person with all their groups."""
        more = tuple(group for group, members in self.groups.items() if person.name in members)
        if set(more) <= set(person.groups):
            return person
        return msgspec.structs.replace(person, groups=tuple(dict.fromkeys((*person.groups, *more))))
