# SPDX-License-Identifier: Apache-2.0
"""Findings in the console: what they mean, who sees them, and who resolves them with which words."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.evidence.event import EventKind
from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.findings.meanings import FINDING_MEANINGS
from remit.ports.store.changes import PutFinding
from remit.ports.store.units import Unit
from tests.worlds.console import ConsoleWorld, act, console_world
from tests.worlds.values import START, TENANT

HOSTILE = '"><script>alert(1)</script>\u202e\u0007'


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleWorld]:
    """The desk with the console before it."""
    async with console_world(tmp_path) as made:
        yield made


async def seen(world: ConsoleWorld, about: str = "agent:clerk", **facts: str) -> Finding:
    """Have a finding be seen."""
    return await world.services.findings.findings.see(FindingKind.TWO_PROGRAMS, about, "x", facts)


async def test_a_finding_says_what_it_means_and_what_to_do(world: ConsoleWorld) -> None:
    """And where to look: its agent, and its facts in words."""
    found = await seen(
        world, workload="jkt:one", first="address 10.0.0.1", second="address 10.0.0.2", by="address"
    )
    vera = await world.browser("vera")
    listed = await vera.get("/console/findings")
    assert f"/console/findings/{found.id}" in listed.text
    page = await vera.get(f"/console/findings/{found.id}")
    meaning = FINDING_MEANINGS[FindingKind.TWO_PROGRAMS]
    for part in (meaning.says, "Register the second program", "/console/agents/clerk", "address 10.0.0.2"):
        assert part in page.text, part
    assert "An administrator resolves it" in page.text


async def test_an_anomaly_shows_its_sentence_and_the_events_it_rests_on(world: ConsoleWorld) -> None:
    """In the list and on its page; names in it are text."""
    says = f"called `{HOSTILE}` for the first time in 9 days and 180 calls"
    facts = {"says": says, "events": [3, 7], "tools": [HOSTILE]}
    found = await world.services.findings.findings.see(FindingKind.NEW_TOOL, "agent:clerk", "x", facts)
    vera = await world.browser("vera")
    pages = [await vera.get(one) for one in ("/console/findings", f"/console/findings/{found.id}")]
    for page in pages:
        assert "for the first time in 9 days and 180 calls" in page.text
        assert "<script>alert" not in page.text
    assert 'href="/console/evidence/7"' in pages[-1].text


async def test_an_administrator_resolves_a_finding_with_an_explanation(world: ConsoleWorld) -> None:
    """It is evidence, and moves to the resolved ones; without words nothing is resolved."""
    found = await seen(world)
    address, root = f"/console/findings/{found.id}", await world.browser("root")
    for resolution in ("", "  \n", "x" * 2001):
        assert (await act(root, address, resolution=resolution)).status == 400
    for name in ("vera", "otto", "lena"):
        told = await act(await world.browser(name), "/console/findings", address, resolution="mine")
        assert told.status == 403, name
    assert (await root.post(address, {"csrf": "0" * 64, "resolution": "forged"})).status == 403
    assert (await world.services.findings.findings.get(found.id)).state is FindingState.OPEN
    assert (await act(root, address, resolution=HOSTILE)).status == 303
    page = await root.get(address)
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text
    assert found.id not in (await root.get("/console/findings")).text
    assert "resolved by root" in (await root.get("/console/findings?state=resolved")).text
    (fact,) = await world.facts(EventKind.FINDING_RESOLVED)
    assert fact["finding"] == found.id


async def test_an_owner_sees_findings_about_their_agents(world: ConsoleWorld) -> None:
    """Others without a role see none, and do not learn that one exists."""
    found, other = await seen(world), await seen(world, "upstream:desk")
    lena, leo = await world.browser("lena"), await world.browser("leo")
    listed = await lena.get("/console/findings")
    assert found.id in listed.text
    assert other.id not in listed.text
    assert (await lena.get(f"/console/findings/{other.id}")).status == 404
    assert found.id not in (await leo.get("/console/findings")).text
    assert (await leo.get(f"/console/findings/{found.id}")).status == 404
    assert (
        await act(leo, "/console/findings", f"/console/findings/{found.id}", resolution="x")
    ).status == 404


async def test_thousands_of_findings_come_in_pages(world: ConsoleWorld) -> None:
    """The last thousand, fifty at a time, by kind and by what they are about; odd places show the first."""
    kinds = (FindingKind.SHARED_KEY, FindingKind.SINK_OPEN)
    many = (
        Finding(
            tenant=TENANT,
            id=f"fnd_{number}",
            kind=kinds[number % 2],
            about=f"upstream:u{number}",
            first_seen=START,
            last_seen=START,
        )
        for number in range(3_000)
    )
    await world.services.store.commit(Unit(tuple(PutFinding(one) for one in many)))
    vera, rows = await world.browser("vera"), '<span class="dot warn"'
    for query, count in (("", 50), ("?page=19", 50), ("?page=20", 0), ("?page=-1", 50), ("?page=x", 50)):
        assert (await vera.get(f"/console/findings{query}")).text.count(rows) == count, query
    page = await vera.get("/console/findings?kind=shared-key")
    assert page.text.count("Shared key</a>") == 50
    assert "Sink open</a>" not in page.text
    assert (await vera.get("/console/findings?kind=nonsense")).text.count(rows) == 0


async def test_facts_that_others_wrote_are_no_markup(world: ConsoleWorld) -> None:
    """However long they are, and whatever is in a name."""
    found = await seen(
        world,
        f"upstream:{HOSTILE}",
        workload=HOSTILE * 50_000,
        first=HOSTILE,
        task=HOSTILE,
        **{HOSTILE: HOSTILE},
    )
    root = await world.browser("root")
    for address in ("/console/findings", f"/console/findings/{found.id}"):
        page = await root.get(address)
        assert page.status == 200
        assert len(page.text) < 200_000
        for part in ("<script>alert", "\u202e", "\u0007"):
            assert part not in page.text
