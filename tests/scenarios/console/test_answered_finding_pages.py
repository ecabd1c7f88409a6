# SPDX-License-Identifier: Apache-2.0
"""Findings of scans in the console: grouped, filtered, drawn, and answered by those who may."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from remit.core.discovery.discovered import Discovered
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind, Severity
from remit.services.discovery.deliveries import ScanPart
from tests.samples.discovered import a_server, an_exposed
from tests.worlds.console import ConsoleWorld, act, console_world

HOSTILE = '"><script>alert(1)</script>\u202e\u0007'


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ConsoleWorld]:
    """The desk with the console before it."""
    async with console_world(tmp_path) as made:
        yield made


async def delivered(world: ConsoleWorld, *found: Discovered, scan: str = "scn_first") -> None:
    """Have a scan delivered."""
    part = ScanPart(scope="house", scan=scan, found=found, complete=True)
    await world.services.discovery.deliveries.take(part, by="otto")


async def state(world: ConsoleWorld, one: Discovered) -> FindingState:
    """Return the state of a finding."""
    return (await world.services.findings.findings.get(one.id)).state


async def test_findings_are_grouped_and_filtered(world: ConsoleWorld) -> None:
    """By severity, owner or subject; a filter leaves the others out."""
    one, two = an_exposed(), a_server(severity=Severity.LOW)
    await delivered(world, one, two)
    vera = await world.browser("vera")
    page = (await vera.get("/console/findings")).text
    assert page.index("<h2>High</h2>") < page.index(one.id) < page.index("<h2>Low</h2>") < page.index(two.id)
    by_owner = (await vera.get("/console/findings?by=owner")).text
    assert by_owner.index("No owner known") < by_owner.index(two.id) < by_owner.index("<h2>lena</h2>")
    assert "<h2>server files</h2>" in (await vera.get("/console/findings?by=subject")).text
    for query, here, gone in (
        ("severity=low", two, one),
        ("owner=lena", one, two),
        ("kind=ungoverned-server", two, one),
        ("q=files", two, one),
    ):
        text = (await vera.get(f"/console/findings?{query}")).text
        assert (here.id in text, gone.id in text) == (True, False), query
    assert (await vera.get("/console/findings?severity=x&by=x&owner=%00&page=9")).status == 200


async def test_a_page_shows_place_path_reach_and_fix(world: ConsoleWorld) -> None:
    """With a picture of what can be reached; auditors see the history."""
    one = msgspec.structs.replace(
        an_exposed(target="db.example.com:5432/crm", agent="crm-bot"),
        steps=("the agent reads the prompt", "anyone who reads it logs in"),
        reach=tuple(f"table {number}" for number in range(9)),
    )
    await delivered(world, one)
    audra, vera = await world.browser("audra"), await world.browser("vera")
    page = (await audra.get(f"/console/findings/{one.id}")).text
    for part in (
        "prompts/agent.md",
        "anyone who reads it logs in",
        '<svg class="graph"',
        "and 3 more",
        "env:CRM_ADMIN",
        "tasks/use-crm.yaml",
        "NHI2",
        "<h2>History</h2>",
        f"remit finding fix {one.id}",
    ):
        assert part in page, part
    assert "<h2>History</h2>" not in (await vera.get(f"/console/findings/{one.id}")).text


async def test_an_administrator_accepts_rejects_and_reopens(world: ConsoleWorld) -> None:
    """With words, and a day that is to come; others are refused, and a wrong answer changes nothing."""
    one = an_exposed()
    await delivered(world, one)
    address, root = f"/console/findings/{one.id}", await world.browser("root")
    day = world.clock.now().date().replace(year=world.clock.now().year + 1).isoformat()
    for fields in (
        {"answer": "accepted", "resolution": "a test database", "until": "x"},
        {"answer": "accepted", "resolution": "a test database", "until": "2001-01-01"},
        {"answer": "accepted", "resolution": "a test database", "until": "9999-12-31"},
        {"answer": "accepted", "resolution": " ", "until": day},
        {"answer": "nonsense", "resolution": "x"},
    ):
        assert (await act(root, address, **fields)).status == 400, fields
    assert await state(world, one) is FindingState.OPEN
    for name in ("vera", "otto", "audra"):
        told = await act(
            await world.browser(name), "/console/findings", address, answer="false", resolution="x"
        )
        assert told.status == 403, name
    assert (await root.post(address, {"answer": "false", "resolution": "x"})).status == 403
    assert (await act(root, address, answer="accepted", resolution=HOSTILE, until=day)).status == 303
    assert await state(world, one) is FindingState.ACCEPTED
    page = (await root.get(address)).text
    assert "<script>alert" not in page
    assert "Open again" in page
    assert one.id in (await root.get("/console/findings?state=accepted")).text
    assert (await act(root, address, answer="open", resolution="no longer")).status == 303
    assert await state(world, one) is FindingState.OPEN
    assert (await act(root, address, answer="false", resolution="an example")).status == 303
    assert await state(world, one) is FindingState.FALSE


async def test_an_answer_is_to_what_the_page_showed(world: ConsoleWorld) -> None:
    """More reach, or a worse severity, that a scan brings meanwhile is not accepted unseen."""
    one = an_exposed()
    await delivered(world, one)
    address, root = f"/console/findings/{one.id}", await world.browser("root")
    (basis,) = re.findall(r'name="basis" value="([^"]+)"', (await root.get(address)).text)
    given = {"answer": "false", "resolution": "an example", "basis": basis}
    wider = msgspec.structs.replace(one, reach=("table customers",))
    for number, changed in enumerate((wider, msgspec.structs.replace(one, severity=Severity.CRITICAL))):
        await delivered(world, changed, scan=f"scn_wider_{number}")
        told = await act(root, address, **given)
        assert (told.status, "has changed since it was shown" in told.text) == (409, True)
        assert await state(world, one) is FindingState.OPEN
    await delivered(world, msgspec.structs.replace(one, says="said otherwise"), scan="scn_again")
    assert (await act(root, address, **given)).status == 303
    assert await state(world, one) is FindingState.FALSE


async def test_what_a_scan_wrote_is_no_markup(world: ConsoleWorld) -> None:
    """In no list, picture, draft or history."""
    kinds = (FindingKind.SECRET_EXPOSED, FindingKind.ESCALATION_PATH, FindingKind.UNPINNED_COMMAND)
    some = [
        msgspec.structs.replace(
            an_exposed(target=HOSTILE, agent=HOSTILE, package=HOSTILE, **{HOSTILE: HOSTILE}),
            kind=kind,
            says=HOSTILE,
            owner=HOSTILE,
            steps=(HOSTILE,),
            reach=(HOSTILE,) * 10,
            remediation=HOSTILE,
        )
        for kind in kinds
    ]
    await delivered(world, *some)
    root = await world.browser("root")
    for address in ("/console/findings", *(f"/console/findings/{one.id}" for one in some)):
        page = await root.get(address)
        assert page.status == 200
        for part in ("<script>alert", "\u202e", "\u0007"):
            assert part not in page.text, address
