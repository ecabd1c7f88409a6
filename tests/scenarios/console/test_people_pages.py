# SPDX-License-Identifier: Apache-2.0
"""People in the console: who sees which page, and what each may change there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.identity.principals import Person, Role
from remit.core.tasks.task import TaskState
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.people.delegations import NewDelegation
from tests.worlds.calls import lock
from tests.worlds.console import ConsoleWorld, act, console_world
from tests.worlds.values import START, TENANT

LENA = "/console/people/lena"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleWorld]:
    """The desk with the console before it."""
    async with console_world(tmp_path) as made:
        yield made


async def test_everyone_sees_their_own_page_and_only_roles_see_others(world: ConsoleWorld) -> None:
    """With what they own, what runs in their name, and their delegations; the list needs a role."""
    task, _ = await world.open()
    lena = await world.person("lena")
    await world.services.people.delegations.add(NewDelegation(agent="other", task_type="work"), lena)
    own = await (await world.browser("lena")).get(LENA)
    for part in (f"/console/tasks/{task.id}", "/console/agents/other", "staff", "Your account", "Revoke it"):
        assert part in own.text, part
    leo = await world.browser("leo")
    assert (await leo.get(LENA)).status == 404
    assert (await leo.get("/console/people/no-one")).status == 404
    assert (await leo.get("/console/people")).status == 403
    vera = await world.browser("vera")
    seen = await vera.get(LENA)
    assert f"/console/tasks/{task.id}" in seen.text
    for part in ("Revoke it", "Deactivate", "Signs in by"):
        assert part not in seen.text
    listed = await vera.get("/console/people")
    row = listed.text.split(f'href="{LENA}"')[1].split("</tr>")[0]
    assert '<a href="/console/agents?owner=lena">2</a>' in row
    assert row.count(">1</td>") == 1


async def test_an_administrator_deactivates_others_and_never_themselves(world: ConsoleWorld) -> None:
    """Their tasks end and their agents' owner is no longer active; activating makes good what it can."""
    task, _ = await world.open()
    root = await world.browser("root")
    assert (await act(root, LENA, act="deactivate", reason="left")).status == 303
    page = await root.get(LENA)
    assert "not active" in page.text
    assert "is locked" in page.text
    assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.REVOKED
    assert "no longer active" in (await root.get("/console/agents/clerk")).text
    assert (await act(root, LENA, act="activate")).status == 303
    assert (await world.person("lena")).active
    own = "/console/people/root"
    assert "Deactivate" not in (await root.get(own)).text
    assert (await act(root, own, act="deactivate")).status == 403
    assert (await world.person("root")).active


async def test_other_roles_change_no_person(world: ConsoleWorld) -> None:
    """Nor does a person without a role, nor a form without the page's secret."""
    before = await world.person("lena")
    for name in ("omar", "otto", "audra", "vera"):
        browser = await world.browser(name)
        for asked in ("deactivate", "activate", "sign-out", "nonsense"):
            assert (await act(browser, LENA, act=asked)).status == 403, (name, asked)
    leo = await world.browser("leo")
    assert (await act(leo, "/console/people/leo", LENA, act="deactivate")).status == 404
    root = await world.browser("root")
    assert (await root.post(LENA, {"csrf": "0" * 64, "act": "deactivate"})).status == 403
    assert (await act(root, LENA, act="nonsense")).status == 400
    assert await world.person("lena") == before


async def test_a_sign_out_ends_the_sessions_of_a_browser(world: ConsoleWorld) -> None:
    """The next page of that person asks them to sign in."""
    lena, root = await world.browser("lena"), await world.browser("root")
    assert (await act(root, LENA, act="sign-out")).status == 303
    assert "/oauth/sign-in" in (await lena.get(LENA)).location


async def test_a_person_revokes_their_own_delegations(world: ConsoleWorld) -> None:
    """An operator revokes any; for others it does not exist."""
    lena = await world.person("lena")
    made = [
        await world.services.people.delegations.add(NewDelegation(agent="other", task_type="work"), lena)
        for _ in range(2)
    ]
    for name in ("leo", "vera"):
        browser = await world.browser(name)
        told = await act(browser, f"/console/people/{name}", act="revoke", delegation=made[0].id)
        assert told.status == 404
    assert (await act(await world.browser("lena"), LENA, act="revoke", delegation=made[0].id)).status == 303
    assert (await act(await world.browser("otto"), LENA, act="revoke", delegation=made[1].id)).status == 303
    left = await world.services.people.delegations.of("lena")
    assert all(one.revoked for one in left)


async def test_a_lock_on_a_person_is_shown_and_taken_away(world: ConsoleWorld) -> None:
    """By an administrator, from the person's page."""
    await lock(world, "leo")
    root = await world.browser("root")
    page = await root.get("/console/people/leo")
    assert "<strong>person leo</strong> is locked by root: secret words" in page.text
    assert (await act(root, "/console/people/leo", "/console/unlock", scope="person:leo")).status == 303
    assert "is locked" not in (await root.get("/console/people/leo")).text


async def test_thousands_of_people_come_in_pages(world: ConsoleWorld) -> None:
    """Fifty at a time; a filter finds one among them."""
    many = (
        Person(tenant=TENANT, name=f"who-{number:04}", roles=frozenset((Role.VIEWER,)), created=START)
        for number in range(2_000)
    )
    await world.services.store.commit(Unit(tuple(PutPerson(one, expect_new=True) for one in many)))
    vera = await world.browser("vera")
    first = await vera.get("/console/people?q=who-")
    assert first.text.count('class="strong"') == 50
    assert "after=who-0049" in first.text
    assert (await vera.get("/console/people?q=who-1999")).text.count('class="strong"') == 1
