# SPDX-License-Identifier: Apache-2.0
"""Agents: registration, authentication methods, manifests and owners."""

from __future__ import annotations

from dataclasses import dataclass

from remit.api.rest.representations import AgentView, Moment, View, agent_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Agent, AgentState
from remit.core.identity.workload import AttestationMethod, Binding
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.directory import NewAgent
from remit.services.identity.permissions import Duty, ask_about, may, move_agent


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRooms:
    """The rooms that these endpoints work with."""

    findings: FindingServices
    identity: IdentityServices


class LastProofView(View, frozen=True, kw_only=True):
    """The last authentication of an agent, and where it came from; the data is a minute old at most."""

    at: Moment
    method: AttestationMethod
    assurance: str
    workload: str
    place: str


class PostureView(View, frozen=True, kw_only=True):
    """An agent's posture: its last authentication, and the kinds of its open findings."""

    last_proof: LastProofView | None
    findings: tuple[FindingKind, ...]


class AgentDetail(AgentView, frozen=True, kw_only=True):
    """An agent with its posture."""

    posture: PostureView


class MoveAgent(Body, frozen=True, kw_only=True):
    """The agent's new state, and the reason."""

    state: AgentState
    reason: str = ""


class BindAgent(Body, frozen=True, kw_only=True):
    """An additional binding by which an agent may authenticate."""

    binding: Binding


class UnbindAgent(Body, frozen=True, kw_only=True):
    """The workload to unbind from an agent (`jkt:...`, a SPIFFE ID, `issuer#subject`)."""

    workload: str
    reason: str = ""


class RegisterManifest(Body, frozen=True, kw_only=True):
    """The digest of an agent's manifest, after a review."""

    digest: str


class ChangeOwner(Body, frozen=True, kw_only=True):
    """The agent's new owner: a person, or a team as `group:name`."""

    owner: str


async def posture_of(errand: RestRequest[AgentRooms], agent: Agent) -> PostureView:
    """Return an agent's posture."""
    rooms = errand.rooms
    proof = await rooms.findings.sightings.last_proof(agent.name)
    found = await rooms.findings.findings.about(f"agent:{agent.name}", FindingState.OPEN)
    last = None
    if proof is not None:
        last = LastProofView(
            at=proof.at,
            method=AttestationMethod(proof.method),
            assurance=proof.assurance.word,
            workload=proof.workload,
            place=proof.place,
        )
    return PostureView(last_proof=last, findings=tuple(dict.fromkeys(one.kind for one in found)))


async def agents(errand: RestRequest[AgentRooms]) -> Items[AgentView]:
    """Return all agents; without a role, only those that the caller owns."""
    found = await errand.rooms.identity.directory.agents()
    person = errand.someone
    every = may(person, Duty.OVERSEE)
    return Items(tuple(agent_view(one) for one in found if every or one.owned_by(person)))


async def register(errand: RestRequest[AgentRooms]) -> AgentView:
    """Register an agent."""
    return agent_view(await errand.rooms.identity.directory.register(errand.body, by=errand.by))


async def agent(errand: RestRequest[AgentRooms]) -> AgentDetail:
    """Return an agent with its posture."""
    directory, name = errand.rooms.identity.directory, errand.place["name"]
    # Asked first, so that an agent of others reads like one that does not exist.
    ask_about(errand.someone, name, None, await directory.find_agent(name))
    found = await directory.agent(name)
    shown = {name: getattr(found, name) for name in AgentView.__struct_fields__}
    return AgentDetail(**shown, posture=await posture_of(errand, found))


async def move(errand: RestRequest[AgentRooms]) -> AgentView:
    """Change an agent's state; its owner may take it out of service, only an administrator may reactivate
    it.
    """
    wanted: MoveAgent = errand.body
    found = await errand.rooms.identity.directory.agent(errand.place["name"])
    move_agent(found, wanted.state, errand.someone)
    moved = await errand.rooms.identity.directory.move(
        found.name, wanted.state, by=errand.by, reason=wanted.reason
    )
    return agent_view(moved)


async def bind(errand: RestRequest[AgentRooms]) -> AgentView:
    """Add a binding: one more way in which an agent may prove its identity."""
    wanted: BindAgent = errand.body
    return agent_view(
        await errand.rooms.identity.directory.bind(errand.place["name"], wanted.binding, by=errand.by)
    )


async def unbind(errand: RestRequest[AgentRooms]) -> AgentView:
    """Remove a binding of an agent, and end what the agent does."""
    wanted: UnbindAgent = errand.body
    changed = await errand.rooms.identity.directory.unbind(
        errand.place["name"], wanted.workload, by=errand.by, reason=wanted.reason
    )
    return agent_view(changed)


async def manifest(errand: RestRequest[AgentRooms]) -> AgentView:
    """Register the digest of an agent's current manifest."""
    wanted: RegisterManifest = errand.body
    changed = await errand.rooms.identity.directory.set_manifest(
        errand.place["name"], wanted.digest, by=errand.by
    )
    return agent_view(changed)


async def change_owner(errand: RestRequest[AgentRooms]) -> AgentView:
    """Change an agent's owner."""
    wanted: ChangeOwner = errand.body
    changed = await errand.rooms.identity.directory.set_owner(
        errand.place["name"], wanted.owner, by=errand.by
    )
    return agent_view(changed)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/agents",
        summary="List agents; without a role, one's own",
        serve=agents,
        people=Duty.OWN,
        gives=Items[AgentView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/agents",
        summary="Register an agent with its owner, purpose and bindings",
        serve=register,
        people=Duty.ADMINISTER,
        takes=NewAgent,
        gives=AgentView,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/agents/{name}",
        summary="Show an agent with its posture; without a role, only one's own",
        serve=agent,
        people=Duty.OWN,
        gives=AgentDetail,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/agents/{name}/state",
        summary="Change an agent's state; suspending or retiring it ends all its tasks",
        serve=move,
        people=Duty.OWN,
        takes=MoveAgent,
        gives=AgentView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/agents/{name}/bind",
        summary="Add a binding to an agent, which no other agent may have",
        serve=bind,
        people=Duty.ADMINISTER,
        takes=BindAgent,
        gives=AgentView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/agents/{name}/unbind",
        summary="Remove a binding from an agent; its tokens are refused and its tasks end",
        serve=unbind,
        people=Duty.ADMINISTER,
        takes=UnbindAgent,
        gives=AgentView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/agents/{name}/manifest",
        summary="Register the digest over an agent's components",
        serve=manifest,
        people=Duty.ADMINISTER,
        takes=RegisterManifest,
        gives=AgentView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/agents/{name}/owner",
        summary="Change the owner of an agent",
        serve=change_owner,
        people=Duty.ADMINISTER,
        takes=ChangeOwner,
        gives=AgentView,
    ),
)
