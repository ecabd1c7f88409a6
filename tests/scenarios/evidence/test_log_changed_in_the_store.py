# SPDX-License-Identifier: Apache-2.0
"""An attacker who can write to the store changes the log: each reader learns of it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.cli.doctor.checks import _log
from remit.compose import open_records
from remit.config import load_config
from remit.config.scaffold import scaffold
from remit.core.errors import VerificationFailed
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.event import Event, EventKind
from remit.core.evidence.verification import verify_export
from remit.core.findings.kinds import FindingKind
from remit.ports.store.units import Unit
from remit.services.evidence.event_search import EventSearch
from remit.services.evidence.log import readable
from remit.services.evidence.log_audit import LogAudit
from tests.gateways.remit_up import Remit
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.services import service_world
from tests.worlds.values import TENANT

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway in which a call was made."""
    async with call_world(tmp_path) as made:
        _, token = await made.open()
        await made.call(token, "write", text="the first line")
        await made.facts(EventKind.TOOL_CALLED)
        yield made


def change(world: CallWorld, what: str) -> int:
    """Change the call's event in the file; give its index."""
    return change_in(world.folder, what, "decision.made")


def change_in(folder: Path, what: str, kind: str) -> int:
    """Change an event of a kind in the file; give its index."""
    column, old, new = CHANGES[what]
    (place,) = folder.glob("*.db")
    with sqlite3.connect(place) as file:
        query = f"select idx, {column} from events where kind = ?"
        index, said = file.execute(query, (kind,)).fetchone()
        changed = bytes(said).replace(old or bytes(said[-1:]), new, 1)
        assert changed != said
        file.execute(f"update events set {column} = ? where idx = ?", (changed, index))
    return int(index)


#: By name: the column, what is changed in it (empty: its last byte), and into what.
CHANGES = {
    "leaf": ("leaf", b'"facts":{"', b'"facts":{"A'),
    "leaf that is no text": ("leaf", b'"facts"', b'"\xff\xfe\xfd\xfc"'),
    "leaf that is no record": ("leaf", b'{"agent"', b'["agent"'),
    "values": ("sealed", b"", b"another end"),
    "hash": ("leaf_hash", b"", b"another end"),
}
LEAVES = [what for what in CHANGES if what.startswith("leaf")]


@pytest.mark.parametrize("what", [*LEAVES, "values"])
async def test_an_export_of_it_does_not_hold(world: CallWorld, what: str) -> None:
    """The export goes through to its end, and a verifier names the event."""
    index = change(world, what)
    evidence = world.services.evidence.log
    lines = [line async for line in evidence.export()]
    report = verify_export(lines, VerifierKey.parse(evidence.verifier))
    assert not report.holds
    assert any(abs(fault.index - index) <= 1 for fault in report.faults)


@pytest.mark.parametrize("what", CHANGES)
async def test_whoever_reads_it_is_told(world: CallWorld, what: str) -> None:
    """It is not shown as if it had been recorded; the others are."""
    index = change(world, what)
    entry = await world.services.evidence.log.entry(index)
    with pytest.raises(VerificationFailed) as told:
        readable(entry)
    assert told.value.code == "event-changed"
    assert readable(await world.services.evidence.log.entry(index - 1))["index"] == index - 1


@pytest.mark.parametrize("what", CHANGES)
async def test_a_page_of_events_names_it_and_gives_the_others(tmp_path: Path, what: str) -> None:
    """Nothing of it is given but where it stands; it is found, and `doctor` is told of it."""
    async with service_world(tmp_path) as world:
        audra = await world.session("audra")
        await world.open(await world.session("lena"))
        before = (await world.ask("GET", "/api/v1/events?limit=1000", by=audra)).json["items"]
        index = change_in(tmp_path, what, "task.opened")
        page = await world.ask("GET", "/api/v1/events?limit=1000", by=audra)
        assert page.status == 200
        items = page.json["items"]
        damaged = items.pop(index)
        assert damaged.keys() == {"index", "damaged"}
        assert damaged["index"] == index
        assert items == before[:index] + before[index + 1 :]
        assert (await world.ask("GET", "/health/ready")).json["log"] == "changed"
        await world.services.findings.findings.flush()
        (found,) = await world.services.findings.findings.about(f"log:{world.services.evidence.log.origin}")
        assert (found.kind, found.facts["event"]) == (FindingKind.LOG_CHANGED, index)


@pytest.mark.parametrize("column", ["kind = 'tool.pinned'", "task = 'tsk_other'", "sealed = null"])
async def test_a_page_of_events_gives_no_row_that_says_what_its_leaf_does_not(
    tmp_path: Path, column: str
) -> None:
    """What is listed by kind or task, and as forgotten, is what the leaf says."""
    async with service_world(tmp_path) as world:
        await world.open(await world.session("lena"))
        with sqlite3.connect(tmp_path / "remit.db") as file:
            file.execute(f"update events set {column} where kind = 'task.opened'")
        page = await world.ask("GET", "/api/v1/events?limit=1000", by=await world.session("audra"))
        assert [one for one in page.json["items"] if "damaged" in one]


def reading(world: CallWorld) -> LogAudit:
    """Begin to read the log again."""
    services = world.services
    return LogAudit(
        store=services.store,
        evidence=services.evidence.log,
        findings=services.findings.findings,
        tenant=services.tenant,
    )


async def test_a_start_reads_the_log_again_beside_the_calls(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page to where it ended; then it says that the log holds, and reads no more."""
    monkeypatch.setattr("remit.services.evidence.log_audit.PAGE", 2)
    beside = reading(world)
    size = await world.services.evidence.log.size()
    for _ in range(size // 2):
        assert beside.state == "reading"
        await beside.turn()
    await beside.turn()
    assert beside.state == "holds"
    assert await world.services.findings.findings.about() == []


@pytest.mark.parametrize("what", [*LEAVES, "hash"])
async def test_a_start_finds_an_older_leaf_that_was_changed(world: CallWorld, what: str) -> None:
    """It serves on, says so in `doctor`, and leaves a finding that names the event."""
    index = change(world, what)
    beside = reading(world)
    await beside.turn()
    assert beside.state == "changed"
    (found,) = await world.services.findings.findings.about()
    assert found.kind is FindingKind.LOG_CHANGED
    assert found.facts["event"] == index


@pytest.mark.parametrize("column", ["kind = 'tool.pinned'", "task = 'tsk_other'", "sealed = null"])
async def test_a_start_finds_a_row_that_says_what_its_leaf_does_not(world: CallWorld, column: str) -> None:
    """What is looked for by kind or task, and what is said to be forgotten, is what the leaf says."""
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        file.execute(f"update events set {column} where kind = 'decision.made'")
    beside = reading(world)
    await beside.turn()
    (found,) = await world.services.findings.findings.about()
    assert found.kind is FindingKind.LOG_CHANGED


async def test_a_start_finds_a_task_whose_last_events_were_cut_off(world: CallWorld) -> None:
    """Each export of that task would hold without them."""
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        (last,) = file.execute("select max(last_event) from counters").fetchone()
        cut = "update counters set last_event = (select task_before from events where idx = last_event)"
        file.execute(f"{cut} where last_event = ?", (last,))
    beside = reading(world)
    await beside.turn()
    (found,) = await world.services.findings.findings.about()
    assert (found.kind, found.facts["event"]) == (FindingKind.LOG_CHANGED, last)


@pytest.mark.parametrize("at", ["999", "0", "idx"], ids=["nowhere", "of another task", "round and round"])
async def test_a_chain_of_a_task_that_leads_elsewhere_is_refused(world: CallWorld, at: str) -> None:
    """It gives no event of another task as of this one, and the reading comes to its end."""
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        task, last = file.execute("select task, last_event from counters order by last_event desc").fetchone()
        file.execute(f"update events set task_before = {at} where idx = ?", (last,))
    with pytest.raises(VerificationFailed, match="chain of task"):
        await world.services.evidence.log.pages(task=task)


async def test_what_was_forgotten_is_as_it_was_recorded(world: CallWorld) -> None:
    """To forget a subject changes no row of the log."""
    await world.services.evidence.log.forget("lena", by="root")
    beside = reading(world)
    await beside.turn()
    assert beside.state == "holds"


@pytest.mark.parametrize("what", [*LEAVES, "hash"])
async def test_every_search_shows_it(world: CallWorld, what: str) -> None:
    """A change cannot take an event out of the answer; times are found around it."""
    changed = change(world, what)
    searches = world.services.evidence.searches
    now = world.services.clock.now()
    for wanted in (
        EventSearch(outcome="no-such-outcome"),
        EventSearch(agent="no-such-agent", since=now - timedelta(hours=1), until=now + timedelta(hours=1)),
    ):
        for place in ({"start": 0}, {"before": 10**6}):
            found = await searches.search(wanted, **place)
            assert [one.index for one in found.entries] == [changed]


async def test_a_start_finds_an_event_that_was_taken_out(world: CallWorld) -> None:
    """An index that is not there is as good as a changed one."""
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        file.execute("delete from events where idx = 1")
    beside = reading(world)
    await beside.turn()
    (found,) = await world.services.findings.findings.about()
    assert (found.kind, found.facts["event"]) == (FindingKind.LOG_CHANGED, 1)


async def test_a_start_finds_leaves_whose_hashes_were_changed_along(world: CallWorld) -> None:
    """Leaf and hash that fit each other do not fit the root that was signed."""
    from remit.core.evidence.merkle import leaf_hash

    change(world, "leaf")
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        index, leaf = file.execute("select idx, leaf from events where kind = 'decision.made'").fetchone()
        file.execute("update events set leaf_hash = ? where idx = ?", (leaf_hash(leaf), index))
    beside = reading(world)
    await beside.turn()
    (found,) = await world.services.findings.findings.about()
    assert (found.kind, found.facts["event"]) == (FindingKind.LOG_CHANGED, -1)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A folder whose remit was registered with, and is not running."""
    scaffold(tmp_path)
    async with open_records(load_config(tmp_path / "remit.yaml")) as services:
        for name in ("one", "two"):
            event = Event(kind=EventKind.SYSTEM_STARTED, at=services.clock.now(), tenant=TENANT, agent=name)
            await services.store.commit(Unit(events=(event,), tenant=TENANT))
        await services.evidence.log.checkpoint()
    return tmp_path


def told(folder: Path) -> list[str]:
    """Return what `doctor` says of the log that is no good."""
    looks = _log(load_config(folder / "remit.yaml"))
    return [one.says for one in looks if one.state == "fail"]


def test_doctor_says_what_up_refuses(folder: Path) -> None:
    """A store that a start would refuse is reported as unhealthy before a start."""
    assert told(folder) == []
    (place,) = folder.glob(".remit/**/*.db")
    with sqlite3.connect(place) as file:
        file.execute("delete from events where idx = (select max(idx) from events)")
    (says,) = told(folder)
    assert "`remit up` refuses to start with it" in says


def test_doctor_says_that_the_signed_head_is_gone(folder: Path) -> None:
    """Without it a shorter log could not be told from the true one."""
    config = load_config(folder / "remit.yaml")
    shutil.rmtree(config.at(config.log_head.path))
    (says,) = told(folder)
    assert "its signed head is missing" in says


def test_doctor_says_that_a_file_is_no_store(folder: Path) -> None:
    """Whatever lies where the store should be."""
    (place,) = folder.glob(".remit/**/*.db")
    for one in place.parent.glob(f"{place.name}-*"):
        one.unlink()
    place.write_bytes(b"a letter to somebody" * 1000)
    (says,) = told(folder)
    assert "cannot be read as a store" in says


def test_the_command_line_names_it_and_does_not_end_well(tmp_path: Path) -> None:
    """The list shows it as damaged beside the others; asked for alone, it is refused."""
    remit = Remit(tmp_path / "house")
    remit.folder.mkdir()
    assert remit("init", ".").code == 0
    remit.start()
    try:
        remit.enter()
        assert remit("audit", "log").code == 0
        index = change_in(remit.folder / ".remit", "leaf", "person.added")
        listed = remit("audit", "log")
        assert (listed.code, "damaged" in listed.out, "person.signed_in" in listed.out) == (4, True, True)
        told = remit("audit", "log", "--json")
        assert (told.code, [one["index"] for one in told.json["items"] if "damaged" in one]) == (4, [index])
        for verb in ("show", "prove"):
            said = remit("audit", verb, str(index))
            assert (said.code, "was changed in the store" in said.err) == (4, True)
    finally:
        remit.stop()
