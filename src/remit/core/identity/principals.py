# SPDX-License-Identifier: Apache-2.0
"""Identities: agents, people, and the principal behind a request."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.identity.workload import (
    Assurance,
    AttestationMethod,
    Binding,
    Confirmation,
    IssuerBinding,
    KeyBinding,
    workload_of,
)
from remit.core.json_value import Json


class AgentState(enum.StrEnum):
    """The lifecycle of an agent: only `registered` and `active` agents may open tasks."""

    REGISTERED = "registered"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


_USABLE = (AgentState.REGISTERED, AgentState.ACTIVE)


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """The words of an identity provider about an agent (SCIM, RFC 7643): they describe, and grant nothing.

    `client` is the provider's name in the configuration. `held` is true while the agent is suspended because
    the provider deactivated it: only then may the provider reactivate it. `changed` is the time of the
    provider's last change.
    """

    client: str
    external_id: str = ""
    display_name: str = ""
    description: str = ""
    held: bool = False
    changed: datetime


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """A governed non-human identity: one workload, one accountable owner, a purpose.

    `owner` is a person, or a team as `group:name`. `bindings` are the ways in which the agent's workload may
    prove its identity; each belongs to this agent only. `manifest_digest` covers model, prompt, tools and
    code, where the owner gave one. Tokens issued before `tokens_from` (seconds since the epoch) are refused.
    `provisioned` is what an identity provider says of the agent, if one manages it.
    """

    tenant: str
    name: str
    owner: str
    purpose: str
    environment: str = "development"
    initiative: str = ""
    groups: tuple[str, ...] = ()
    state: AgentState = AgentState.REGISTERED
    bindings: tuple[Binding, ...] = ()
    manifest_digest: str = ""
    tokens_from: int = 0
    provisioned: Provisioned | None = None
    created: datetime
    created_by: str

    @property
    def usable(self) -> bool:
        """Whether the agent may act at all."""
        return self.state in _USABLE

    @property
    def keys(self) -> tuple[dict[str, str], ...]:
        """The public keys (RFC 7517) by which the agent may prove its identity."""
        return tuple(binding.jwk for binding in self.bindings if isinstance(binding, KeyBinding))

    @property
    def team(self) -> str:
        """The group that owns the agent; empty where a person does."""
        return self.owner.removeprefix(TEAM) if self.owner.startswith(TEAM) else ""

    def owned_by(self, person: Person) -> bool:
        """Return whether a person is accountable for the agent, alone or as a member of a team."""
        return self.team in person.groups if self.team else self.owner == person.name


#: The prefix of a team's name, in fields that hold a person or a team.
TEAM = "group:"


def overlaps(one: Binding, other: Binding) -> bool:
    """Return whether one workload could satisfy both bindings: then they cannot belong to two agents.

    Two rules for tokens of one subject are disjoint only where a claim that both name has no value in common.
    """
    workload = workload_of(one)
    if not workload or workload != workload_of(other):
        return False
    if not isinstance(one, IssuerBinding) or not isinstance(other, IssuerBinding):
        return True
    return not any(
        _apart(one.claims[name], other.claims[name]) for name in one.claims.keys() & other.claims.keys()
    )


def _apart(one: str | list[str], other: str | list[str]) -> bool:
    ours, theirs = ({rule} if isinstance(rule, str) else set(rule) for rule in (one, other))
    return not ours & theirs and not any("*" in rule for rule in ours | theirs)


class LastProof(msgspec.Struct, frozen=True, kw_only=True):
    """The method and time of an agent's last proof of identity. Part of its posture; may lag by a minute.

    `workload` is the proven identity (a SPIFFE ID, `issuer#sub`, a key's thumbprint), `place` its origin.
    """

    tenant: str
    agent: str
    at: datetime
    method: str
    assurance: Assurance
    workload: str = ""
    place: str = ""


class Role(enum.StrEnum):
    """A person's permissions in remit. Administrators are not approvers by default; a viewer only looks."""

    ADMINISTRATOR = "administrator"
    APPROVER = "approver"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    VIEWER = "viewer"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person who can sign in, own agents, request tasks and approve."""

    tenant: str
    name: str
    roles: frozenset[Role] = frozenset()
    groups: tuple[str, ...] = ()
    created: datetime
    active: bool = True


class Actor(msgspec.Struct, frozen=True):
    """One link of a chain of actors (RFC 8693 section 4.1, `act`); the outermost is the current actor."""

    name: str
    kind: str = "ai_agent"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The identity behind a request: the acting agent, the person, the chain of actors, and the proof.

    `chain` holds the actors from the current one outwards; its first is `agent` itself. `on_behalf_of` is
    empty when the agent acts for itself. `method` is the agent's method of proof when its token was issued;
    `confirmation` is the key whose possession was proved with this very request. `posture` are the claims
    about device and build in the agent's identity token, by their names in the configuration.
    """

    tenant: str
    agent: str
    on_behalf_of: str = ""
    chain: tuple[Actor, ...] = ()
    assurance: Assurance = Assurance.ASSERTED
    method: AttestationMethod | None = None
    confirmation: Confirmation = Confirmation()
    posture: dict[str, Json] = {}

    @property
    def subject(self) -> str:
        """The token's `sub`: the person if there is one, else the agent."""
        return self.on_behalf_of or self.agent


class Memberships(msgspec.Struct, frozen=True):
    """Memberships by configuration: groups of people and of agents (`agent:name`), and initiatives of agents.

    Memberships given at registration stay; the configuration adds to them.
    """

    groups: dict[str, tuple[str, ...]] = {}
    initiatives: dict[str, str] = {}

    def of_agent(self, agent: Agent) -> Agent:
        """Return the agent with all its groups and its initiative."""
        named = f"agent:{agent.name}"
        more = tuple(group for group, members in self.groups.items() if named in members)
        initiative = self.initiatives.get(agent.name, agent.initiative)
        if initiative == agent.initiative and set(more) <= set(agent.groups):
            return agent
        groups = tuple(dict.fromkeys((*agent.groups, *more)))
        return msgspec.structs.replace(agent, groups=groups, initiative=initiative)

    def of_person(self, person: Person) -> Person:
        """Return the person with all their groups."""
        more = tuple(group for group, members in self.groups.items() if person.name in members)
        if set(more) <= set(person.groups):
            return person
        return msgspec.structs.replace(person, groups=tuple(dict.fromkeys((*person.groups, *more))))


#: The prefixes of requesters that are not people: a permitted agent, a permitted issuer.
NO_PERSON = ("agent:", "issuer:")


def person_of(requested_by: str) -> str:
    """Return the person who requested a task; empty where the requester was not a person."""
    return "" if requested_by.startswith(NO_PERSON) else requested_by
