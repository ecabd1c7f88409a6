# SPDX-License-Identifier: Apache-2.0
"""People and agents."""

from __future__ import annotations

from remit.api.rest.endpoint import Body, Endpoint, Items, Visit
from remit.api.rest.views import AgentView, PersonView, View, agent_view, person_view
from remit.core.identity import AgentState
from remit.services.authenticate import CODE_TTL_S
from remit.services.directory import NewAgent, NewPerson
from remit.services.duties import Duty, ask_about, may


class CodeView(View, frozen=True, kw_only=True):
    """A one-time sign-in code, shown this once."""

    person: str
    code: str
    valid_s: int


class MoveAgent(Body, frozen=True, kw_only=True):
    """The state that an agent is to have, and why."""

    state: AgentState
    reason: str = ""


async def people(visit: Visit) -> Items[PersonView]:
    """Give all people."""
    return Items(tuple(person_view(one) for one in await visit.house.directory.people()))


async def add_person(visit: Visit) -> PersonView:
    """Add a person."""
    return person_view(await visit.house.directory.add_person(visit.body, by=visit.by))


async def make_code(visit: Visit) -> CodeView:
    """Make a code for a person who is there."""
    person = await visit.house.directory.person(visit.place["name"])
    code = await visit.house.authenticator.make_code(person.name, by=visit.by)
    return CodeView(person=person.name, code=code, valid_s=CODE_TTL_S)


async def agents(visit: Visit) -> Items[AgentView]:
    """Give all agents, or a person's own."""
    found = await visit.house.directory.agents()
    person = visit.someone
    mine = may(person, Duty.OVERSEE)
    return Items(tuple(agent_view(one) for one in found if mine or one.owner == person.name))


async def register(visit: Visit) -> AgentView:
    """Register an agent."""
    return agent_view(await visit.house.directory.register(visit.body, by=visit.by))


async def agent(visit: Visit) -> AgentView:
    """Give an agent."""
    found = await visit.house.directory.agent(visit.place["name"])
    ask_about(visit.someone, found.name, None, found)
    return agent_view(found)


async def move(visit: Visit) -> AgentView:
    """Change an agent's state."""
    wanted: MoveAgent = visit.body
    moved = await visit.house.directory.move(
        visit.place["name"], wanted.state, by=visit.by, reason=wanted.reason
    )
    return agent_view(moved)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/people",
        summary="List people",
        serve=people,
        people=Duty.OVERSEE,
        gives=Items[PersonView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/people",
        summary="Add a person",
        serve=add_person,
        people=Duty.ADMINISTER,
        takes=NewPerson,
        gives=PersonView,
        status=201,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/people/{name}/code",
        summary="Make a one-time sign-in code for a person",
        serve=make_code,
        people=Duty.ADMINISTER,
        gives=CodeView,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/agents",
        summary="List agents; without a role, those that one owns",
        serve=agents,
        people=Duty.OWN,
        gives=Items[AgentView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/agents",
        summary="Register an agent with its owner, its purpose and its public key",
        serve=register,
        people=Duty.ADMINISTER,
        takes=NewAgent,
        gives=AgentView,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/agents/{name}",
        summary="Show an agent; without a role, one that one owns",
        serve=agent,
        people=Duty.OWN,
        gives=AgentView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/agents/{name}/state",
        summary="Change an agent's state; suspending or retiring it ends all its tasks",
        serve=move,
        people=Duty.ADMINISTER,
        takes=MoveAgent,
        gives=AgentView,
    ),
)
