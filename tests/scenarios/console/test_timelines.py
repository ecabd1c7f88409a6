# SPDX-License-Identifier: Apache-2.0
"""The timeline of a task in the console."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.api.console.pages import timelines
from remit.core.scope import ScopeKind
from tests.gateways.console_gateway import HOSTILE, ConsoleGateway, console_gateway, written_out
from tests.worlds.pages import Page

WIDTHS = re.compile(r'class="(\w+)" x="[\d.]+" width="([\d.]+)" height="10"')


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """A desk with a console."""
    async with console_gateway(tmp_path) as made:
        yield made


async def shown(world: ConsoleGateway, task: str, person: str = "audra") -> Page:
    """The page, once what is under way has been written."""
    await world.settled()
    return await (await world.browse(person)).get(f"/console/tasks/{task}/timeline")


async def test_calls_questions_and_the_end_are_drawn(world: ConsoleGateway) -> None:
    """The time that a person took is as long as it was."""
    task, token = await world.open()
    await world.call(token, "read", text="a")
    approval = await world.asked(token, amount=3)
    world.clock.advance(300)
    await world.approve(approval)
    await world.call(token, "pay", amount=3)
    await world.services.endings.revocations.end_scope(ScopeKind.TASK, task.id, reason="done", by="root")
    page = await shown(world, task.id)
    assert "5 min 0 s" in page.text
    assert f"/console/approvals/{approval}" in page.text
    assert "ended: <b>revoked</b>" in page.text
    longest = max(WIDTHS.findall(page.text), key=lambda one: float(one[1]))
    assert longest[0] == "asked"
    assert float(longest[1]) > 900


async def test_a_question_without_an_answer_is_still_open(world: ConsoleGateway) -> None:
    """It lasts until now."""
    task, token = await world.open()
    await world.asked(token, amount=3)
    world.clock.advance(90)
    assert "90.0 s so far" in (await shown(world, task.id)).text


async def test_a_long_task_shows_its_last_events(
    world: ConsoleGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so."""
    monkeypatch.setattr(timelines, "EVENTS", 20)
    task, token = await world.open()
    for number in range(12):
        await world.call(token, "read", text=str(number))
    page = await shown(world, task.id)
    assert "The last 20 events" in page.text
    assert page.text.count('class="bars fall"') <= 20


async def test_only_those_who_see_the_task_see_its_timeline(world: ConsoleGateway) -> None:
    """Its person and viewers, without sealed values; for others it does not exist."""
    task, token = await world.open(goal="secret goal words")
    await world.call(token, "read", text="a")
    assert "secret goal words" in (await shown(world, task.id)).text
    for person in ("lena", "vera"):
        page = await shown(world, task.id, person)
        assert page.status == 200
        assert "opened <b>work</b> for" not in page.text
    assert (await shown(world, "tsk_aaaaaaaaaaaaaaaa")).status == 404


async def test_what_agents_write_stays_text(world: ConsoleGateway) -> None:
    """In the goal and in what a call says."""
    task, token = await world.open(goal=HOSTILE)
    await world.call(token, "write", text=HOSTILE)
    assert written_out((await shown(world, task.id)).text)
