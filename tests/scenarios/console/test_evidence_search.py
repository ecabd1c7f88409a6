# SPDX-License-Identifier: Apache-2.0
"""The evidence in the console: found, counted, exported, and read by auditors alone."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remit.api.console.event_sentences import SENTENCES, names_in, sentence_of
from remit.api.console.evidence_rows import EventRow
from remit.api.console.pages import evidence
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.event import Event, EventKind, fields_of
from remit.core.evidence.events.kinds import BODIES
from remit.core.evidence.verification import verify_export
from remit.ports.store.units import Unit
from tests.gateways.console_gateway import HOSTILE, ConsoleGateway, console_gateway, written_out
from tests.worlds.pages import Browsing, Page

INDEXES = re.compile(r'title="Its proof">#(\d+)<')


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleGateway]:
    """A desk with a console."""
    async with console_gateway(tmp_path) as made:
        yield made


@pytest.fixture
async def audra(world: ConsoleGateway) -> Browsing:
    """An auditor, signed in."""
    return await world.browse("audra")


def indexes(page: Page) -> list[int]:
    """The events that a page shows."""
    assert page.status == 200, page.text
    return [int(one) for one in INDEXES.findall(page.text)]


def link(page: Page, rel: str) -> str:
    """Where a page goes on."""
    found = re.search(rf'href="([^"]*)" rel="{rel}"', page.text)
    return found[1].replace("&amp;", "&") if found else ""


async def test_every_kind_has_a_sentence_of_names_that_it_has() -> None:
    """A kind without a sentence, and a name that no event of the kind has, fail here."""
    assert set(SENTENCES) == set(EventKind)
    for kind, text in SENTENCES.items():
        said = {one.said_as for one in fields_of(BODIES[kind])} | {"agent"}
        assert set(names_in(text)) <= said, kind


async def test_each_kind_is_said_without_facts_too() -> None:
    """What was forgotten or left out breaks no sentence."""
    for kind in EventKind:
        row = EventRow(
            index=1, kind=kind, at=datetime.now(UTC), task="", agent="", call="", facts={}, values={}
        )
        assert "{" not in sentence_of(row), kind
        assert "[" not in sentence_of(row), kind


async def test_a_search_finds_by_each_field(world: ConsoleGateway, audra: Browsing) -> None:
    """Newest first, and nothing else."""
    task, token = await world.open(params={})
    await world.call(token, "read", text="a")
    end = await world.call(token, "pay", amount=3)
    await world.settled()
    for search, told in (
        ("agent=clerk&kind=decision.made", 2),
        (f"task={task.id}&kind=calls&outcome=defer", 1),
        ("tool=desk/pay&kind=questions", 1),
        ("person=lena&kind=task.opened", 1),
        (f"call={end.decision.id}&kind=decision.made", 1),
        ("data_class=internal&kind=data", 2),
        ("data_class=public&kind=data", 0),
        ("category=pii", 0),
        ("agent=nobody-here", 0),
    ):
        found = indexes(await audra.get(f"/console/evidence?{search}"))
        assert len(found) == told, search
        assert found == sorted(found, reverse=True)


async def test_pages_lead_through_the_whole_log_and_back(
    world: ConsoleGateway, audra: Browsing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event once, in both directions, also where a part of a search finds nothing."""
    monkeypatch.setattr(evidence, "SHOWN", 7)
    monkeypatch.setattr(evidence, "LOOKED_AT", 5_000)
    _, token = await world.open()
    for number in range(12):
        await world.call(token, "read", text=str(number))
    await world.settled()
    size = await world.services.evidence.log.size()
    for search in ("", "?agent=clerk", "?kind=decision.made"):
        page = await audra.get(f"/console/evidence{search}")
        seen = indexes(page)
        while older := link(page, "next"):
            page = await audra.get(f"/console/evidence{older}")
            seen += indexes(page)
        assert seen == sorted(set(seen), reverse=True)
        if not search:
            assert seen == list(range(size - 1, -1, -1))
        back = indexes(page)
        while newer := link(page, "prev"):
            page = await audra.get(f"/console/evidence{newer}")
            back = indexes(page) + back
        assert set(seen) <= set(back) | set(indexes(page)), search


async def test_a_search_of_a_huge_log_is_bounded_and_says_where_it_goes_on(
    world: ConsoleGateway, audra: Browsing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty part is not the end."""
    monkeypatch.setattr(evidence, "LOOKED_AT", 5_000)
    body = next(one for kind, one in BODIES.items() if kind is EventKind.SYSTEM_STOPPED)()
    now, tenant = world.clock.now(), world.services.tenant
    many = tuple(Event.of(body, at=now, tenant=tenant) for _ in range(6_000))
    await world.services.store.commit(Unit(events=many))
    page = await audra.get("/console/evidence?agent=clerk")
    assert indexes(page) == []
    assert "can go on" in page.text
    assert indexes(await audra.get(f"/console/evidence{link(page, 'next')}"))


async def test_calls_are_counted_by_day_and_tool(world: ConsoleGateway, audra: Browsing) -> None:
    """With the same search."""
    _, token = await world.open()
    await world.call(token, "read", text="a")
    await world.call(token, "pay", amount=3)
    await world.settled()
    page = await audra.get("/console/evidence/calls?agent=clerk")
    assert "2 calls" in page.text
    assert page.text.count('<svg class="bars line"') == 2
    assert "0 calls" in (await audra.get("/console/evidence/calls?agent=other")).text


async def test_the_export_verifies_offline(world: ConsoleGateway, audra: Browsing) -> None:
    """The same file as from the command line, whole or of one task."""
    task, token = await world.open()
    await world.call(token, "read", text="a")
    await world.settled()
    key = VerifierKey.parse(world.services.evidence.log.verifier)
    for address in ("", f"?task={task.id}", "?values=no"):
        page = await audra.get(f"/console/evidence/export{address}")
        assert "attachment" in page.headers["content-disposition"]
        report = verify_export([line.encode() for line in page.text.splitlines(keepends=True)], key)
        assert not report.faults
        assert report.events
        assert ("openings" in json.loads(page.text.splitlines()[1])) == (address != "?values=no")


async def test_only_auditors_read_the_evidence(world: ConsoleGateway) -> None:
    """Neither a search, nor a count, nor a file."""
    for person in ("lena", "vera", "otto", "omar"):
        browser = await world.browse(person)
        for address in ("", "/calls", "/export"):
            assert (await browser.get(f"/console/evidence{address}")).status == 403, (person, address)


async def test_what_agents_write_stays_text(world: ConsoleGateway, audra: Browsing) -> None:
    """In sentences, facts and the fields of the search."""
    _, token = await world.open(goal=HOSTILE)
    await world.call(token, "write", text=HOSTILE)
    await world.settled()
    page = await audra.get("/console/evidence?kind=calls")
    assert "202e" in page.text
    assert written_out(page.text)
    page = await audra.get("/console/evidence?agent=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE")
    assert written_out(page.text)
    assert (await audra.get("/console/evidence?kind=%3Cb%20onclick%3E")).status == 400
    assert (await audra.get("/console/evidence?before=%C2%B2")).status == 400
    assert (await audra.get("/console/evidence?since=yesterday")).status == 400


async def test_an_event_that_was_changed_in_the_store_is_shown_as_such(
    world: ConsoleGateway, audra: Browsing
) -> None:
    """And the others beside it."""
    connection = world.services.store._connections[0]  # type: ignore[attr-defined]
    changed = "cast(replace(cast(leaf as text), '2026-', '2025-') as blob)"
    connection.execute(f"update events set leaf = {changed} where idx = 5")
    page = await audra.get("/console/evidence")
    assert page.text.count('tag bad">changed in the store') == 1
    assert len(indexes(page)) > 3
