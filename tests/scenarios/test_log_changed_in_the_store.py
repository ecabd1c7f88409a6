# SPDX-License-Identifier: Apache-2.0
"""Somebody who can write to the store changes what the log said: each reader is told of it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.checkpoint import VerifierKey
from remit.core.errors import VerificationFailed
from remit.core.event import EventKind
from remit.core.finding import FindingKind
from remit.core.verification import verify_export
from remit.services.evidence import readable
from remit.services.log_reading import LogReading
from tests.call_world import CallWorld, call_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A house in which a call was made."""
    async with call_world(tmp_path) as made:
        _, token = await made.open()
        await made.call(token, "write", text="the first line")
        await made.facts(EventKind.TOOL_CALLED)
        yield made


def change(world: CallWorld, what: str) -> int:
    """Change the call's event in the file; give its index."""
    column, old, new = {
        "leaf": ("leaf", b"desk/write", b"desk/wrote"),
        "leaf that is no text": ("leaf", b"desk/write", b"desk/\xff\xfe\xfd\xfc\xfb"),
        "values": ("sealed", b"\x01", b"\x02"),
    }[what]
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        query = f"select idx, {column} from events where kind = 'decision.made'"
        index, said = file.execute(query).fetchone()
        changed = bytes(said).replace(old, new, 1)
        assert changed != said
        file.execute(f"update events set {column} = ? where idx = ?", (changed, index))
    return int(index)


CHANGES = ("leaf", "leaf that is no text", "values")


@pytest.mark.parametrize("what", CHANGES)
async def test_an_export_of_it_does_not_hold(world: CallWorld, what: str) -> None:
    """The export goes through to its end, and a verifier names the event."""
    index = change(world, what)
    evidence = world.house.evidence
    lines = [line async for line in evidence.export()]
    report = verify_export(lines, VerifierKey.parse(evidence.verifier))
    assert not report.holds
    assert any(abs(fault.index - index) <= 1 for fault in report.faults)


@pytest.mark.parametrize("what", CHANGES)
async def test_whoever_reads_it_is_told(world: CallWorld, what: str) -> None:
    """It is not shown as if it had been recorded; the others are."""
    index = change(world, what)
    entry = await world.house.evidence.entry(index)
    with pytest.raises(VerificationFailed) as told:
        readable(entry)
    assert told.value.code == "event-changed"
    assert readable(await world.house.evidence.entry(index - 1))["index"] == index - 1


def reading(world: CallWorld) -> LogReading:
    """Begin to read the log again."""
    house = world.house
    return LogReading(
        store=house.store, evidence=house.evidence, findings=house.findings, tenant=house.tenant
    )


async def test_a_start_reads_the_log_again_beside_the_calls(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page to where it ended; then it says that the log holds, and reads no more."""
    monkeypatch.setattr("remit.services.log_reading.PAGE", 2)
    beside = reading(world)
    size = await world.house.evidence.size()
    for _ in range(size // 2):
        assert beside.state == "reading"
        await beside.turn()
    await beside.turn()
    assert beside.state == "holds"
    assert await world.house.findings.about() == []


@pytest.mark.parametrize("what", CHANGES[:2])
async def test_a_start_finds_an_older_leaf_that_was_changed(world: CallWorld, what: str) -> None:
    """It serves on, says so in `doctor`, and leaves a finding that names the event."""
    index = change(world, what)
    beside = reading(world)
    await beside.turn()
    assert beside.state == "changed"
    (found,) = await world.house.findings.about()
    assert found.kind is FindingKind.LOG_CHANGED
    assert found.facts["event"] == index


async def test_a_start_finds_an_event_that_was_taken_out(world: CallWorld) -> None:
    """An index that is not there is as good as a changed one."""
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        file.execute("delete from events where idx = 1")
    beside = reading(world)
    await beside.turn()
    (found,) = await world.house.findings.about()
    assert (found.kind, found.facts["event"]) == (FindingKind.LOG_CHANGED, 1)


async def test_a_start_finds_leaves_whose_hashes_were_changed_along(world: CallWorld) -> None:
    """Leaf and hash that fit each other do not fit the root that was signed."""
    from remit.core.merkle import leaf_hash

    change(world, "leaf")
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        index, leaf = file.execute("select idx, leaf from events where kind = 'decision.made'").fetchone()
        file.execute("update events set leaf_hash = ? where idx = ?", (leaf_hash(leaf), index))
    beside = reading(world)
    await beside.turn()
    (found,) = await world.house.findings.about()
    assert (found.kind, found.facts["event"]) == (FindingKind.LOG_CHANGED, -1)
