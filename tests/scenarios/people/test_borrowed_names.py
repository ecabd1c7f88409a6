# SPDX-License-Identifier: Apache-2.0
"""Attacks on who people are: a second provider that knows their names, a new proof that was none."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.provider.oidc import OidcProvider
from remit.core.errors import Conflict, Forbidden, NotFound
from remit.core.identity.admission import AdmissionRules
from remit.core.identity.workload import KeyBinding
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewAgent
from remit.services.identity.permissions import ask_about
from remit.services.people.delegations import NewDelegation
from remit.services.people.sessions import Entrance
from remit.services.tasks.tasks import Opening
from tests.servers.lying_provider import ProviderWorld, provider_world
from tests.worlds.pages import Browsing, come
from tests.worlds.services import ServiceWorld, service_world
from tests.worlds.values import WorldClock

Json = Any


@pytest.fixture
async def provider() -> AsyncIterator[ProviderWorld]:
    """The organisation's provider."""
    async with provider_world() as world:
        yield world


@pytest.fixture
async def other() -> AsyncIterator[ProviderWorld]:
    """Provide another provider, where every person may choose a name."""
    async with provider_world() as world:
        yield world


@pytest.fixture
async def world(tmp_path: Path, provider: ProviderWorld, other: ProviderWorld) -> AsyncIterator[ServiceWorld]:
    """A gateway whose people come from both."""
    clock = WorldClock()
    entrances = {}
    for name, one in (("acme", provider), ("other", other)):
        one.now = int(clock.now().timestamp())
        found = OidcProvider(one.issuer, client_id="remit", clock=clock)
        entrances[name] = Entrance(title=name, provider=found, rules=AdmissionRules(add_people=True))
    async with service_world(tmp_path, entrances=entrances) as made:
        yield made


async def test_a_name_at_another_provider_is_somebody_else(
    world: ServiceWorld, provider: ProviderWorld, other: ProviderWorld
) -> None:
    """A person from one provider is not the person with the same name at another, until they connect both
    here.
    """
    nora = Browsing(world)
    assert (await come(nora, "acme", provider, preferred_username="nora")).status == 303
    thief = Browsing(world)
    refused = await come(thief, "other", other, sub="t-1", preferred_username="nora")
    assert refused.status == 403
    assert "not linked to this account yet" in refused.text
    assert (await thief.get("/oauth/account")).status == 303
    assert [one.issuer for one in await world.services.store.links(world.services.tenant, "nora")] == [
        provider.issuer
    ]
    # Nora herself connects it where she is signed in, and comes in by it from then on.
    assert (await come(nora, "other", other, sub="n-2", preferred_username="nora")).status == 303
    again = Browsing(world)
    assert (await come(again, "other", other, sub="n-2", preferred_username="nora")).status == 303
    assert "<strong>nora</strong>" in (await again.get("/oauth/account")).text


async def test_a_new_proof_is_one(world: ServiceWorld, provider: ProviderWorld) -> None:
    """A provider that was asked for a new proof and gives none, or does not report it, signs no one in."""
    browser = Browsing(world)
    await come(browser, "acme", provider, preferred_username="nora")
    before = browser.cookies["remit-session"]
    for claims in ({}, {"auth_time": provider.now - 7200}):
        told = await come(browser, "acme", provider, "&fresh=1", preferred_username="nora", **claims)
        assert told.status == 403
        assert "confirm a recent authentication" in told.text
        assert browser.cookies["remit-session"] == before
    claims = {"auth_time": provider.now - 2}
    done = await come(browser, "acme", provider, "&fresh=1", preferred_username="nora", **claims)
    assert done.status == 303
    assert browser.cookies["remit-session"] != before


async def test_a_person_is_not_called_as_an_agent_is(world: ServiceWorld, provider: ProviderWorld) -> None:
    """Nor an agent as a person: a name at the provider opens nothing that is told of an agent."""
    thief = Browsing(world)
    refused = await come(thief, "acme", provider, preferred_username="contract-bot")
    assert refused.status == 409
    assert (await thief.get("/oauth/account")).status == 303
    with pytest.raises(Conflict, match="name of a person"):
        await world.services.identity.directory.register(
            NewAgent(
                name="leo", owner="lena", purpose="poses", bindings=(KeyBinding(world.public("other-bot")),)
            ),
            by="root",
        )
    leo = await world.services.identity.directory.person("leo")
    agent = await world.services.identity.directory.agent("contract-bot")
    with pytest.raises(NotFound):
        ask_about(msgspec.structs.replace(leo, name="contract-bot"), "contract-bot", None, agent)


async def test_a_record_does_not_outlive_its_persons_right(world: ServiceWorld) -> None:
    """Who may not have such work done any more has none done by another's word either."""
    services = world.services
    lena, leo = [await services.identity.directory.person(name) for name in ("lena", "leo")]
    new = NewDelegation(agent="contract-bot", task_type="summarise-contract", params={"id": "C-42"})
    await services.people.delegations.add(new, lena)
    opening = Opening(
        agent="contract-bot", task_type="summarise-contract", params={"id": "C-42"}, on_behalf_of="lena"
    )
    assert (await services.tasks.tasks.open(opening, person=leo)).on_behalf_of == "lena"
    moved = msgspec.structs.replace(lena, groups=())
    await services.store.commit(Unit((PutPerson(moved, was=lena),)))
    with pytest.raises(Forbidden, match="`lena` may not request"):
        await services.tasks.tasks.open(opening, person=leo)


async def test_strangers_learn_no_agents_name(world: ServiceWorld) -> None:
    """Who is not there is refused in the very words of a signature that does not hold."""
    told = []
    for name in ("nobody", "contract-bot"):
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": world.assertion("other-bot", iss=name, sub=name),
        }
        told.append(await world.form(fields))
    assert (told[0].status, told[0].content) == (told[1].status, told[1].content)
    assert told[0].json["error"] == "invalid_client"
