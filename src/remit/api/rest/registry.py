# SPDX-License-Identifier: Apache-2.0
"""People and agents."""

from __future__ import annotations

from remit.api.rest.endpoint import Body, Endpoint, Errand, Items
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


async def people(errand: Errand) -> Items[PersonView]:
    """Give all people."""
    return Items(tuple(person_view(one) for one in await errand.house.directory.people()))


async def add_person(errand: Errand) -> PersonView:
    """Add a person."""
    return person_view(await errand.house.directory.add_person(errand.body, by=errand.by))


async def make_code(errand: Errand) -> CodeView:
    """Make a code for a person who is there."""
    person = await errand.house.directory.person(errand.place["name"])
    code = await errand.house.authenticator.make_code(person.name, by=errand.by)
    return CodeView(person=person.name, code=code, valid_s=CODE_TTL_S)


async def agents(errand: Errand) -> Items[AgentView]:
    """Give all agents, or a person's own."""
    found = await errand.house.directory.agents()
    person = errand.someone
    mine = may(person, Duty.OVERSEE)
    return Items(tuple(agent_view(one) for one in found if mine or one.owner == person.name))


async def register(errand: Errand) -> AgentView:
    """Register an agent."""
    return agent_view(await errand.house.directory.register(errand.body, by=errand.by))


async def agent(errand: Errand) -> AgentView:
    """Give an agent."""
    found = await errand.house.directory.agent(errand.place["name"])
    ask_about(errand.someone, found.name, None, found)
    return agent_view(found)


async def move(errand: Errand) -> AgentView:
    """Change an agent's state."""
    wanted: MoveAgent = errand.body
    moved = await errand.house.directory.move(
        errand.place["name"], wanted.state, by=errand.by, reason=wanted.reason
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
