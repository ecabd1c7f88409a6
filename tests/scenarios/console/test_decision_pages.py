# SPDX-License-Identifier: Apache-2.0
"""One decision explained in the console, to those who may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.services.identity.directory import NewPerson
from tests.gateways.console_gateway import HOSTILE, ConsoleGateway, console_gateway, written_out


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """A desk with a console."""
    async with console_gateway(tmp_path) as made:
        yield made


async def test_a_refusal_names_its_rule_its_step_and_the_way_out(world: ConsoleGateway) -> None:
    """An auditor reads the words; what comes after the decision was not reached."""
    _, token = await world.open("hello")
    end = await world.call(token, "write", text="good bye")
    await world.settled()
    page = await (await world.browse("audra")).get(f"/console/decisions/{end.decision.id}")
    assert page.status == 200
    assert "refused" in page.text
    assert "good bye" in page.text
    assert page.text.count("Not reached") == 4
    assert "not called" in page.text


async def test_a_permitted_call_shows_how_it_ended(world: ConsoleGateway) -> None:
    """All nine steps, and what followed."""
    _, token = await world.open()
    end = await world.call(token, "read", text="a")
    await world.settled()
    page = await (await world.browse("audra")).get(f"/console/decisions/{end.decision.id}")
    assert "Not reached" not in page.text
    assert "desk/read</b> answered" in page.text
    assert "permit-granted" in page.text


async def test_what_would_change_the_answer_is_told(world: ConsoleGateway) -> None:
    """Each was decided again; the rules come with their text."""
    _, token = await world.open()
    end = await world.call(token, "pay", amount=3)
    await world.settled()
    audra = await world.browse("audra")
    page = await audra.get(f"/console/decisions/{end.decision.id}/explanation")
    assert "If a person approved it: <b>permitted</b>" in page.text
    assert "ask-for-money" in page.text
    assert "resource.financial" in page.text
    page = await audra.get(f"/console/decisions/{end.decision.id}")
    assert f"/console/approvals/{end.decision.approval}" in page.text


async def test_sealed_values_are_for_auditors(world: ConsoleGateway) -> None:
    """A person sees the decisions of their own tasks, a viewer all of them, and neither the arguments."""
    _, token = await world.open()
    end = await world.call(token, "pay", text="secret words", amount=3)
    await world.settled()
    address = f"/console/decisions/{end.decision.id}"
    for person, told, explained in (
        ("lena", 200, 403),
        ("vera", 200, 403),
        ("otto", 200, 403),
        ("audra", 200, 200),
        ("root", 200, 200),
    ):
        browser = await world.browse(person)
        page = await browser.get(address)
        assert page.status == told
        assert ("secret words" in page.text) == (explained == 200), person
        assert (await browser.get(f"{address}/explanation")).status == explained


async def test_other_peoples_decisions_do_not_exist(world: ConsoleGateway) -> None:
    """For a person without a role the answer is that of an unknown decision."""
    _, token = await world.open()
    end = await world.call(token, "read", text="a")
    await world.settled()
    lena = await world.browse("lena")
    assert (await lena.get(f"/console/decisions/{end.decision.id}")).status == 200
    await world.services.identity.directory.add_person(_stranger(), by="remit")
    stranger = await world.browse("sam")
    for name in (end.decision.id, "dec_aaaaaaaaaaaaaaaa", "%3Cscript%3E", "dec_" + "a" * 300):
        page = await stranger.get(f"/console/decisions/{name}")
        assert page.status == 404
        assert "permit" not in page.text
        assert written_out(page.text)


def _stranger() -> NewPerson:
    return NewPerson(name="sam")


async def test_what_agents_write_stays_text(world: ConsoleGateway) -> None:
    """In the goal, in arguments and their names, and in what led to the call."""
    _, token = await world.open("hello", goal=HOSTILE)
    more: dict[str, Any] = {HOSTILE[:40]: "x" * 1_000_000}
    end = await world.call(token, "write", text=HOSTILE, **more)
    await world.settled()
    audra = await world.browse("audra")
    for part in ("", "/explanation"):
        page = await audra.get(f"/console/decisions/{end.decision.id}{part}")
        assert page.status == 200
        assert written_out(page.text)
        assert len(page.text) < 200_000


async def test_a_link_says_where_the_decision_is_and_a_wrong_one_does_no_harm(world: ConsoleGateway) -> None:
    """The place is a hint: without it, and where it is wrong, the log is searched."""
    _, token = await world.open()
    end = await world.call(token, "read", text="a")
    await world.settled()
    audra = await world.browse("audra")
    address = f"/console/decisions/{end.decision.id}"
    size = await world.services.evidence.log.size()
    for at, told in ((str(size), 200), ("x", 200), ("%C2%B2", 200), ("0", 200)):
        assert (await audra.get(f"{address}?at={at}")).status == told, at
