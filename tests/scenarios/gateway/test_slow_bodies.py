# SPDX-License-Identifier: Apache-2.0
"""Threat: a request is begun while its sender may, and its body comes when they may not any more."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from remit.core.identity.principals import AgentState, Role
from remit.services.identity.directory import NewPerson
from tests.worlds.authzen import asking, authzen_world
from tests.worlds.pages import Browsing, address, page_world
from tests.worlds.services import ServiceWorld, service_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with people of every role."""
    async with service_world(tmp_path) as opened:
        yield opened


def signed_out(world: ServiceWorld) -> Callable[[], Awaitable[object]]:
    """Return a way to end a person's sessions."""
    return lambda: world.services.identity.personnel.sign_out("root", by="remit")


def without_the_role(world: ServiceWorld) -> Callable[[], Awaitable[object]]:
    """Take their role away."""
    return lambda: world.services.identity.personnel.change_roles(
        "root", frozenset({Role.AUDITOR}), by="remit"
    )


def out_of_service(world: ServiceWorld) -> Callable[[], Awaitable[object]]:
    """Take them out of service."""
    return lambda: world.services.identity.personnel.deactivate("root", by="remit")


@pytest.mark.parametrize(
    ("meanwhile", "status"), [(signed_out, 401), (without_the_role, 403), (out_of_service, 401)]
)
async def test_a_person_acts_as_who_they_are_when_all_was_said(
    world: ServiceWorld, meanwhile: Callable[[ServiceWorld], Callable[[], Awaitable[object]]], status: int
) -> None:
    """An unfinished request keeps no permission alive."""
    await world.services.identity.personnel.change_roles("ada", frozenset({Role.ADMINISTRATOR}), by="remit")
    session = await world.session("root")
    body = {"name": "eve", "roles": ["administrator"]}
    told = await world.ask("POST", "/api/v1/people", body, by=session, before_body=meanwhile(world))
    assert told.status == status, told.content
    assert "eve" not in [one.name for one in await world.services.identity.directory.people()]


@pytest.mark.parametrize("place", ["people/eve/code", "people/eve/sign-out", "service/preview"])
async def test_a_body_that_stays_empty_keeps_no_permission_alive_either(
    world: ServiceWorld, place: str
) -> None:
    """A code to sign in as another person would be all that a lost role can give."""
    directory = world.services.identity.directory
    await directory.add_person(NewPerson(name="eve"), by="remit")
    await world.services.identity.personnel.change_roles("ada", frozenset({Role.ADMINISTRATOR}), by="remit")
    session = await world.session("root")

    async def meanwhile() -> None:
        await world.services.identity.personnel.change_roles("root", frozenset(), by="remit")

    told = await world.ask("POST", f"/api/v1/{place}", by=session, before_body=meanwhile)
    assert told.status == 403, told.content


async def test_an_agent_that_was_suspended_meanwhile_opens_nothing(world: ServiceWorld) -> None:
    """With the token that it has."""
    token = await world.agent_token()

    async def suspended() -> None:
        await world.services.identity.directory.move(
            "contract-bot", AgentState.SUSPENDED, by="root", reason="enough"
        )

    body = {"agent": "contract-bot", "task_type": "summarise-contract", "params": {"id": "C-42"}}
    told = await world.ask("POST", "/api/v1/tasks", body, by=token, before_body=suspended)
    assert (told.status, told.json["code"]) == (401, "agent-state")


async def test_nobody_agrees_whose_session_was_ended_meanwhile(tmp_path: Path) -> None:
    """A browser in other hands: its person signs out everywhere while a consent is on its way."""
    async with page_world(tmp_path) as (world, _):
        browser = Browsing(world)
        await browser.sign_in()
        page = await browser.get(address(task_type="summarise-contract"))
        browser.before_body = lambda: world.services.identity.personnel.sign_out("lena", by="lena")
        told = await browser.fill(page, decision="allow", goal="Sum it up", **{"p.id": "C-42"})
        assert told.status == 401, told.text
        assert not told.location
        assert await world.services.store.tasks(world.services.tenant, limit=10) == []


async def test_an_enforcement_point_that_was_suspended_meanwhile_gets_no_answer(tmp_path: Path) -> None:
    """It is known by its certificate alone, and has no token that could be looked at."""
    async with authzen_world(tmp_path) as world:

        async def suspended() -> None:
            await world.services.identity.directory.move(
                "records-api", AgentState.SUSPENDED, by="root", reason="enough"
            )

        body = asking("lena", "read")
        before = await world.over_tls("records-api", "evaluation", body)
        told = await world.over_tls("records-api", "evaluation", body, before_body=suspended)
        assert before.status == 200
        assert (told.status, told.json["code"]) == (401, "certificate")
