# SPDX-License-Identifier: Apache-2.0
"""The last administrators stay, whatever the provider says; and a gateway makes its first one only once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.adapters.provider.oidc import OidcProvider
from remit.cli.serve.welcome import FIRST_PERSON, first_code
from remit.core.evidence.event import EventKind
from remit.core.findings.kinds import FindingKind
from remit.core.identity.admission import AdmissionRules
from remit.core.identity.principals import Role
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewPerson
from remit.services.people.sessions import Entrance
from tests.servers.lying_provider import ProviderWorld, provider
from tests.worlds.pages import Browsing, come
from tests.worlds.services import ServiceWorld, service_world
from tests.worlds.values import WorldClock

__all__ = ["provider"]


@pytest.fixture
async def world(tmp_path: Path, provider: ProviderWorld) -> AsyncIterator[ServiceWorld]:
    """A gateway whose administrators follow a group of the provider; two of them must agree."""
    provider.now = int(WorldClock().now().timestamp())
    source = OidcProvider(provider.issuer, client_id="remit", clock=WorldClock())
    rules = AdmissionRules(roles={"remit-admins": Role.ADMINISTRATOR})
    entrances = {"acme": Entrance(title="Acme", provider=source, rules=rules)}
    async with service_world(tmp_path, second_person=True, entrances=entrances) as made:
        for name in ("rita", "mona"):
            await made.services.identity.directory.add_person(
                NewPerson(name=name, roles=(Role.ADMINISTRATOR,)), by="remit"
            )
        yield made


async def administrators(world: ServiceWorld) -> set[str]:
    """Return who administers."""
    people = await world.services.identity.directory.people()
    return {one.name for one in people if one.active and Role.ADMINISTRATOR in one.roles}


async def test_the_provider_takes_no_last_administrator_away(
    world: ServiceWorld, provider: ProviderWorld
) -> None:
    """A person who is in no group loses the role, except for the last two administrators, which a finding
    reports.
    """
    assert await administrators(world) == {"root", "rita", "mona"}
    for name in ("root", "rita"):
        browser = Browsing(world)
        await browser.sign_in(name)
        came = await come(browser, "acme", provider, sub=f"s-{name}", preferred_username=name, groups=[])
        assert came.status == 303
    assert await administrators(world) == {"rita", "mona"}
    (found,) = [
        one
        for one in await world.services.findings.findings.about("person:rita")
        if one.kind is FindingKind.LAST_ADMINISTRATOR
    ]
    assert found.facts == {"groups": []}


async def test_a_house_in_which_somebody_signed_in_is_given_no_administrator(world: ServiceWorld) -> None:
    """An operator who starts remit gets an administrator by asking for a person by name, which is a finding.
    remit does not create one under its own name where all administrators are gone.
    """
    services = world.services
    code = await first_code(services.identity, services.evidence.log, "")
    assert code is not None
    await world.session("lena")
    assert await first_code(services.identity, services.evidence.log, "") is None
    for one in await services.identity.directory.people():
        gone = PutPerson(type(one)(tenant=one.tenant, name=one.name, created=one.created))
        await services.store.commit(Unit((gone,)))
    assert await first_code(services.identity, services.evidence.log, "") is None
    assert await administrators(world) == set()
    assert await services.evidence.log.pages(kinds=(EventKind.PERSON_SIGNED_IN.value,))


@pytest.mark.parametrize("approves", [True, False])
async def test_a_first_person_answers_questions_where_the_file_says_so(
    tmp_path: Path, *, approves: bool
) -> None:
    """Who sets the rules decides no exceptions, unless there is no one else: a remit of one person."""
    async with service_world(tmp_path) as world:
        services = world.services
        for one in await services.identity.directory.people():
            bare = type(one)(tenant=one.tenant, name=one.name, created=one.created)
            await services.store.commit(Unit((PutPerson(bare),)))
        assert await first_code(services.identity, services.evidence.log, "", approves=approves) is not None
        (first,) = [one for one in await services.identity.directory.people() if one.name == FIRST_PERSON]
        assert (Role.APPROVER in first.roles) is approves
        assert Role.ADMINISTRATOR in first.roles
