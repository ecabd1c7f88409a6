# SPDX-License-Identifier: Apache-2.0
"""The frame of the console: who gets in, what a page may load, what now happens, and how things are ended."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.api.console import page as frame
from remit.api.console import routes
from remit.api.console.rooms import ACTS_PER_MINUTE
from remit.core.errors import Fenced
from remit.core.tasks.task import TaskState
from tests.gateways.console_gateway import HOSTILE, ConsoleGateway, console_gateway, written_out
from tests.worlds.pages import Browsing


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """A desk with a console."""
    async with console_gateway(tmp_path) as made:
        yield made


async def test_a_stranger_signs_in_and_comes_back(world: ConsoleGateway) -> None:
    """To exactly the page that was asked for; a part of a page has the whole page loaded again."""
    browser = Browsing(world)
    page = await browser.get("/console/stop?kind=tool")
    assert (page.status, page.location) == (303, "/oauth/sign-in?then=%2Fconsole%2Fstop%3Fkind%3Dtool")
    part = await browser.get("/console", **{"hx-request": "true"})
    assert (part.status, part.headers["hx-refresh"]) == (204, "true")


async def test_no_page_opens_without_its_duty(world: ConsoleGateway) -> None:
    """Each path of the table is refused to a person who lacks the duty, and a form of it too."""
    lena = await world.browse("lena")
    for path, _, duty, shows, acts in routes.PAGES:
        address = frame.ROOT + re.sub(r"\{[^}]*\}", "x", path)
        if duty.value == "own":
            continue
        if shows is not None:
            assert (await lena.get(address)).status == 403, path
        if acts is not None:
            assert (await lena.post(address, {})).status == 403, path


async def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(world: ConsoleGateway) -> None:
    """Its policy says so, and its markup keeps to it."""
    await world.open()
    page = await (await world.browse("otto")).get("/console")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script(?! src)|style=|\son[a-z]+=|hx-on|javascript:", page.text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert address.startswith(("/", "#", "data:image/svg+xml", "?")), address
    for address in re.findall(r'<(?:script src|link rel="stylesheet" href)="([^"]+)"', page.text):
        assert (await Browsing(world).get(address)).status == 200


async def test_now_says_who_works_for_which_person_and_until_when(world: ConsoleGateway) -> None:
    """With the last call and its outcome, whether or not it was permitted."""
    task, token = await world.open(goal="sort the letters")
    await world.call(token, "read", text="a")
    await world.settled()
    page = await (await world.browse("vera")).get("/console")
    assert page.status == 200
    for said in ("1 agent at work on 1 task", "sort the letters", "clerk", "lena", "desk/read", "permitted"):
        assert said in page.text, said
    assert f"/console/tasks/{task.id}" in page.text


async def test_people_without_a_role_see_their_own_tasks_alone(world: ConsoleGateway) -> None:
    """Neither other tasks nor agents, locks and figures."""
    await world.open(goal="sort the letters")
    assert "sort the letters" in (await (await world.browse("lena")).get("/console")).text
    other = await (await world.browse("rita")).get("/console")
    assert "sort the letters" in other.text
    stranger = await world.browse("omar")
    seen = await stranger.get("/console")
    assert seen.status == 200


async def test_a_goal_cannot_leave_its_place_on_the_page(world: ConsoleGateway) -> None:
    """Markup is text, and hidden characters are written out."""
    task, _ = await world.open(goal=HOSTILE)
    vera = await world.browse("vera")
    for address in ("/console", f"/console/tasks/{task.id}", "/console?q=" + "%3Cscript%3Ealert(1)"):
        page = await vera.get(address)
        assert page.status == 200
        assert written_out(page.text)
    assert "\\u{202e}" in (await vera.get("/console")).text


async def test_a_task_is_ended_where_it_is_seen(world: ConsoleGateway) -> None:
    """By its person or an operator, not by a viewer; the closure follows."""
    task, token = await world.open()
    vera = await world.browse("vera")
    page = await vera.get(f"/console/tasks/{task.id}")
    assert "/end" not in page.text
    lena = await world.browse("lena")
    page = await lena.get(f"/console/tasks/{task.id}")
    done = await lena.fill(page, "/end", reason="enough")
    assert done.status == 303
    closure = await lena.get(done.location)
    assert "Ended: " in closure.text
    assert "enough" in closure.text
    found = await world.services.tasks.tasks.get(task.id)
    assert (found.state, found.end_reason) == (TaskState.REVOKED, "enough")
    with pytest.raises(Fenced):
        await world.call(token, "read", text="a")


async def test_a_viewer_ends_nothing_even_with_a_forged_form(world: ConsoleGateway) -> None:
    """The service refuses what the page does not offer; another visit's form is refused before that."""
    task, _ = await world.open()
    vera = await world.browse("vera")
    csrf = (await vera.get("/console")).form("csrf")["fields"]["csrf"]
    assert (await vera.post(f"/console/tasks/{task.id}/end", {"csrf": csrf})).status == 403
    otto = await world.browse("otto")
    assert (await otto.post(f"/console/tasks/{task.id}/end", {"csrf": csrf})).status == 403
    assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.ACTIVE
    elsewhere = await otto.post(
        f"/console/tasks/{task.id}/end", {"csrf": csrf}, origin="https://evil.example"
    )
    assert elsewhere.status == 403


async def test_an_agent_is_stopped_and_locked_and_unlocked(world: ConsoleGateway) -> None:
    """Only an administrator keeps it locked; a misspelled name stops nothing."""
    await world.open()
    rita = await world.browse("rita")
    page = await rita.get("/console/stop?kind=agent")
    wrong = await rita.fill(page, "/stop", name="clark")
    assert wrong.status == 404
    done = await rita.fill(page, "/stop", name="clerk", lock="on")
    assert (await rita.get(done.location)).status == 200
    now = await rita.get("/console")
    assert "is locked" in now.text
    assert (await rita.fill(now, "/unlock")).status == 303
    assert "is locked" not in (await rita.get("/console")).text
    otto = await world.browse("otto")
    page = await otto.get("/console/stop?kind=agent")
    assert (await otto.fill(page, "/stop", name="clerk", lock="on")).status == 403


async def test_everything_stops_only_when_it_is_written_out(world: ConsoleGateway) -> None:
    """A click alone does not end the work of a whole organisation."""
    task, _ = await world.open()
    otto = await world.browse("otto")
    page = await otto.get("/console/stop?kind=everything")
    assert (await otto.fill(page, "/stop")).status == 400
    assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.ACTIVE
    assert (await otto.fill(page, "/stop", name="everything")).status == 303
    assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.REVOKED


async def test_one_person_changes_only_so_much_in_a_minute(world: ConsoleGateway) -> None:
    """A script in a browser gets no further than a person could."""
    otto = await world.browse("otto")
    form = (await otto.get("/console/stop?kind=agent")).form("/stop")
    answers = [
        (await otto.post(form["action"], form["fields"] | {"name": "nothing"})).status
        for _ in range(ACTS_PER_MINUTE + 1)
    ]
    assert set(answers[:-1]) == {404}
    assert answers[-1] == 503


async def test_an_upstream_is_reviewed_and_enforced(world: ConsoleGateway) -> None:
    """The page says what enforcing would refuse; an administrator switches, and switches back."""
    await world.services.decisions.modes.change(frozenset({"desk"}), by="root")
    _, token = await world.open("hello")
    await world.call(token, "write", text="good bye")
    await world.settled()
    rita = await world.browse("rita")
    assert "observed" in (await rita.get("/console/onboard")).text
    page = await rita.get("/console/onboard/desk")
    assert "these would have been refused" in page.text
    assert "desk/write" in page.text
    assert (await rita.fill(page, "/mode")).status == 303
    assert not world.services.decisions.authorizer.observes("desk")
    page = await rita.get("/console/onboard/desk")
    assert (await rita.fill(page, "/mode")).status == 303
    assert world.services.decisions.authorizer.observes("desk")
    assert (await (await world.browse("vera")).get("/console/onboard/desk")).status == 200
    assert (await rita.get("/console/onboard/absent")).status == 404
