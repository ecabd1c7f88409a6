# SPDX-License-Identifier: Apache-2.0
"""Attacks on people at their browsers: a link that leads away, work that changed under the pen, a session
that is made while its person is sent away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from remit.core.errors import Conflict, Forbidden, Unauthenticated
from remit.core.tasks.grant import GrantTemplate
from remit.ports.store.changes import PutPerson, TakeCredential
from remit.ports.store.units import Unit
from tests.worlds.pages import APP, Browsing, Documents, address, page_world, pages_bundle
from tests.worlds.services import ServiceWorld, service_world

STRANGE = "https://strange.example/client.json"


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[tuple[ServiceWorld, Documents]]:
    """A gateway with pages."""
    async with page_world(tmp_path) as made:
        yield made


@pytest.mark.parametrize("change", [{"prompt": "none"}, {"scope": 'a"b'}, {"response_type": "token"}])
async def test_a_link_to_remit_leads_no_further_by_itself(
    pages: tuple[ServiceWorld, Documents], change: dict[str, str]
) -> None:
    """It does not lead to the address of an unregistered application; a registered application gets its
    error.
    """
    world, documents = pages
    documents.publish(STRANGE)
    browser = Browsing(world)
    for prepared in (False, True):
        if prepared:
            await browser.sign_in()
        told = await browser.get(address(client_id=STRANGE, **change))
        assert told.status == 200
        assert not told.location
        assert "which is not registered here" in told.text
        known = await browser.get(address(client_id=APP, **change))
        assert known.status == 303
        assert known.answer["error"]


async def test_nobody_agrees_to_what_they_have_not_seen(pages: tuple[ServiceWorld, Documents]) -> None:
    """A bundle that is applied between page and answer has the page drawn again; nothing was opened."""
    world, _ = pages
    browser = Browsing(world)
    await browser.sign_in()
    page = await browser.get(address(task_type="summarise-contract"))
    assert "contracts/read" in page.text
    bundle = pages_bundle()
    was = bundle.task_types["summarise-contract"]
    wider = msgspec.structs.replace(
        was, grants=(*was.grants, GrantTemplate("mail/send", other_arguments=True))
    )
    types = bundle.task_types | {wider.name: wider}
    await world.services.policies.apply(msgspec.structs.replace(bundle, task_types=types), by="root")
    answers = {"p.id": "C-42", "goal": "Sum it up", "decision": "allow"}
    again = await browser.fill(page, **answers)
    assert "have changed since the page was shown" in again.text
    assert "mail/send" in again.text
    assert "Sum it up" in again.text
    assert not await world.services.store.tasks(world.services.tenant)
    await browser.fill(again, **answers)
    assert len(await world.services.store.tasks(world.services.tenant)) == 1


async def test_a_session_that_is_made_while_its_person_is_sent_away_does_not_come_to_life(
    pages: tuple[ServiceWorld, Documents],
) -> None:
    """Who was looked up while active, and deactivated before the session was kept, gets none; nor a code."""
    world, _ = pages
    services = world.services
    lena = await services.identity.directory.person("lena")
    code = await services.identity.authenticator.make_code("lena", by="root")
    found, shown = await services.identity.authenticator.person_by_code(code)
    await services.identity.personnel.deactivate("lena", by="root")
    with pytest.raises(Unauthenticated):
        await services.identity.authenticator.open_session(
            found, changes=(TakeCredential(services.tenant, shown.digest),)
        )
    with pytest.raises(Unauthenticated):
        await services.people.browsers.open(lena, method="passkey", place="")
    with pytest.raises(Conflict):
        await services.identity.authenticator.make_code("lena", by="root")
    await services.identity.personnel.activate("lena", by="root")
    assert not await services.people.browsers.sessions("lena")


async def test_one_word_of_a_second_administrator_counts_once(tmp_path: Path) -> None:
    """Ten requests at once that rest on it: one is done, and the others ask again."""
    async with service_world(tmp_path, second_person=True) as world:
        services = world.services
        for name in ("ann", "bob"):
            person = await services.identity.directory.person("root")
            new = msgspec.structs.replace(person, name=name)
            await services.store.commit(Unit((PutPerson(new),)))
        with pytest.raises(Forbidden, match="second administrator"):
            await services.identity.personnel.make_code("root", by="ann")
        asked = (services.identity.personnel.make_code("root", by="bob") for _ in range(10))
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(not isinstance(one, Forbidden) for one in told) == 1
