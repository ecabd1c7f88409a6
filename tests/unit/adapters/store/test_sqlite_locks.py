# SPDX-License-Identifier: Apache-2.0
"""Other programs that read a store's file while remit writes it: they take nothing from it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.errors import StoreUnavailable
from remit.core.evidence.event import Event, EventKind
from remit.ports.store.units import Unit
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.values import TENANT

READS = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('select count(*) from events').fetchone()"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway whose store is open."""
    async with call_world(tmp_path) as made:
        yield made


async def write(world: CallWorld) -> None:
    """Commit an event."""
    event = Event(kind=EventKind.SYSTEM_STARTED, at=world.clock.now(), tenant=TENANT)
    await world.services.store.commit(Unit(events=(event,), tenant=TENANT))


async def test_a_program_that_opens_and_closes_the_file_takes_no_log_away(world: CallWorld) -> None:
    """It is not the last one that uses the file: remit has its locks, and goes on."""
    (place,) = world.folder.glob("*.db")
    log = place.with_name(f"{place.name}-wal")
    await write(world)
    before = log.stat().st_ino
    for _ in range(2):
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", READS, str(place)], check=True)
        await write(world)
        assert log.stat().st_ino == before


async def test_another_name_of_the_lock_or_the_file_starts_no_second_writer(world: CallWorld) -> None:
    """The store itself is locked: its lock file may be gone, and it may have two names."""
    (place,) = world.folder.glob("*.db")
    place.with_name(f"{place.name}.lock").unlink()
    other = world.folder / "other"
    other.mkdir()
    os.link(place, other / place.name)
    for folder in (world.folder, other):
        with pytest.raises(StoreUnavailable, match="is in use by process"):
            CallWorld(folder)


async def test_health_says_that_no_event_can_be_written(world: CallWorld) -> None:
    """State can be written, and the log cannot: no call is permitted, and remit is not ready."""
    import sqlite3

    from remit.api.health import Health
    from remit.api.rooms import health_rooms

    health = Health(health_rooms(world.services))
    assert (await health.ready()).status_code == 200
    (place,) = world.folder.glob("*.db")
    with sqlite3.connect(place) as file:
        columns = [row[1] for row in file.execute("pragma table_info(events)")]
        rest = ", ".join(columns[2:])
        file.execute(
            f"insert into events (tenant, idx, {rest}) select tenant, idx + 1, {rest} from events"
            " order by idx desc limit 1"
        )
    with pytest.raises(StoreUnavailable):
        await write(world)
    world.clock.advance(10)
    assert (await health.ready()).status_code == 503
