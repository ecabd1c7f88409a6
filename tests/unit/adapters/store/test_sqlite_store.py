# SPDX-License-Identifier: Apache-2.0
"""What the store on SQLite adds to the port: lock, schema, checks at start, write-ahead log."""

import asyncio
import json
import os
import sqlite3
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from remit.adapters.store.relational.sealed_values import TABLES
from remit.adapters.store.relational.tables import MIGRATIONS, VERSION
from remit.adapters.store.relational.timestamps import text
from remit.adapters.store.sqlite import Durability
from remit.core.errors import ConfigInvalid, StoreUnavailable, VerificationFailed
from remit.ports.store.changes import Credential, PutValue
from remit.ports.store.units import Unit
from tests.worlds.stores import opened_sqlite
from tests.worlds.values import (
    START,
    TENANT,
    a_permit,
    a_task,
    an_event,
    an_outcome,
)


async def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    """In the same process or another: the lock is the operating system's."""
    store = opened_sqlite(tmp_path)
    with pytest.raises(StoreUnavailable, match=f"in use by process {os.getpid()}"):
        opened_sqlite(tmp_path)
    script = (
        "import sys; from pathlib import Path; from tests.worlds.stores import opened_sqlite\n"
        "from remit.core.errors import StoreUnavailable\n"
        "try: opened_sqlite(Path(sys.argv[1]))\n"
        "except StoreUnavailable as fault: print(fault)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, tmp_path, env=env, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    assert f"in use by process {os.getpid()}" in said.decode()
    await store.close()
    await opened_sqlite(tmp_path).close()


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """The file stays as it is."""
    await opened_sqlite(tmp_path).close()
    with sqlite3.connect(tmp_path / "remit.db") as connection:
        connection.execute("insert into schema_version values (?)", (VERSION + 1,))
    connection.close()
    with pytest.raises(ConfigInvalid, match=f"schema version {VERSION + 1}"):
        opened_sqlite(tmp_path)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """And is not written to."""
    (tmp_path / "remit.db").write_bytes(b"a shopping list, and nothing like a database at all" * 100)
    with pytest.raises(ConfigInvalid, match="not a store"):
        opened_sqlite(tmp_path)


def test_a_folder_that_is_not_there_is_a_clear_fault(tmp_path: Path) -> None:
    """The message says what would help."""
    with pytest.raises(StoreUnavailable, match="create its folder"):
        opened_sqlite(tmp_path / "missing")


@pytest.mark.parametrize(
    "damage",
    [
        "update events set leaf = zeroblob(300) where idx = 2",
        "delete from events where idx = 1",
        "update events set leaf_hash = zeroblob(32) where idx = 3",
    ],
)
async def test_a_changed_leaf_at_the_end_of_the_log_stops_the_start(tmp_path: Path, damage: str) -> None:
    """One byte, one row, one hash."""
    store = opened_sqlite(tmp_path)
    for n in range(5):
        await store.commit(Unit(events=(a_permit(f"call_{n}"),)))
    await store.close()
    with sqlite3.connect(tmp_path / "remit.db") as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(VerificationFailed):
        opened_sqlite(tmp_path)
    # The lock was released, so a second try can still look at the file.
    with pytest.raises(VerificationFailed):
        opened_sqlite(tmp_path)


async def test_a_closed_store_takes_nothing_more(tmp_path: Path) -> None:
    """What was submitted before is committed; what comes after is refused."""
    store = opened_sqlite(tmp_path, "durable")
    pending = [store.submit(Unit(events=(an_event(),))) for _ in range(300)]
    await store.close()
    assert [future.result().indexes for future in pending] == [(n,) for n in range(300)]
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.commit(Unit(events=(an_event(),)))
    store = opened_sqlite(tmp_path)
    assert await store.size(TENANT) == 300
    await store.close()


@pytest.mark.parametrize("durability", ["durable", "buffered"])
async def test_the_write_ahead_log_stays_small_under_unbroken_writing(
    tmp_path: Path, durability: Durability
) -> None:
    """There is never a moment without a commit, and still the log begins again and again from its start."""
    store = opened_sqlite(tmp_path, durability)

    async def caller(me: int) -> None:
        for n in range(400):
            call = f"call_{me}_{n}"
            await store.commit(Unit(events=(a_permit(call), an_outcome(call))))

    await asyncio.gather(*(caller(me) for me in range(16)))
    assert (tmp_path / "remit.db").stat().st_size > 8_000_000
    assert (tmp_path / "remit.db-wal").stat().st_size < 12_000_000
    await store.close()
    assert not (tmp_path / "remit.db-wal").exists()


async def test_a_forgotten_key_is_in_no_file(tmp_path: Path) -> None:
    """Neither its wrapped bytes nor the name it belonged to are left in the file or its write-ahead log."""
    store = opened_sqlite(tmp_path)
    await store.commit(Unit(events=(a_permit("call_one", subject="subject-that-shall-go"),)))
    with sqlite3.connect(tmp_path / "remit.db") as connection:
        ((wrapped,),) = connection.execute("select wrapped from subject_keys")
    connection.close()
    assert await store.forget(TENANT, "subject-that-shall-go")
    left = b"".join(file.read_bytes() for file in sorted(tmp_path.iterdir()))  # noqa: ASYNC240
    assert wrapped not in left
    assert b"subject-that-shall-go" not in left
    await store.close()


async def test_a_forgotten_key_leaves_the_log_once_nobody_reads_it(tmp_path: Path) -> None:
    """A reader of the file, such as a copy that is being made, holds it; nothing need be written after it."""
    store = opened_sqlite(tmp_path)
    await store.commit(Unit(events=(an_event(subject="to-go", sealed={"goal": "x"}),)))
    reader = sqlite3.connect(tmp_path / "remit.db", isolation_level=None)
    reader.execute("begin")
    ((wrapped,),) = reader.execute("select wrapped from subject_keys").fetchall()

    def left() -> bool:
        return any(wrapped in file.read_bytes() for file in tmp_path.iterdir())

    assert await store.forget(TENANT, "to-go")
    assert left()
    # Writes go on meanwhile.
    await store.commit(Unit((PutValue(TENANT, "k", 1),)))
    reader.execute("commit")
    reader.close()
    async with asyncio.timeout(60):
        while left():  # noqa: ASYNC110 - the file has no event
            await asyncio.sleep(0.05)
    await store.close()


async def test_what_an_older_file_holds_is_found_by_what_newer_ones_search(tmp_path: Path) -> None:
    """Its tasks by person and by when they end, its credentials by person."""
    old = sqlite3.connect(tmp_path / "remit.db", isolation_level=None)
    old.execute("create table schema_version (version integer not null) strict")
    for version, steps in enumerate(MIGRATIONS[:6], 1):
        old.executescript(f"begin; {steps} insert into schema_version values ({version}); commit;")
    tasks = (
        a_task("past", deadline=START - timedelta(seconds=1), on_behalf_of="lena"),
        a_task("idle", deadline=START + timedelta(hours=1), idle_s=900, on_behalf_of=""),
        a_task("long", deadline=START + timedelta(hours=1), on_behalf_of=""),
    )
    for task in tasks:
        row = (task.tenant, task.id, task.agent, task.state.value, 0, text(task.label), text(task))
        old.execute("insert into tasks values (?, ?, ?, ?, ?, ?, ?)", row)
    session = Credential(
        tenant=TENANT, digest="d", kind="session", person="lena", created=START, expires=START
    )
    old.execute("insert into credentials values (?, ?, ?, ?)", (TENANT, "d", 0, text(session)))
    old.close()
    store = opened_sqlite(tmp_path)
    assert {task.id for task in await store.expiring(TENANT, START)} == {"past"}
    assert await store.watched(TENANT) == ["idle"]
    assert [task.id for task in await store.tasks(TENANT, on_behalf_of="lena")] == ["past"]
    assert await store.credentials(TENANT, person="lena") == [session]
    await store.close()


async def test_a_start_reads_no_row_that_is_sealed(tmp_path: Path) -> None:
    """However many there are: the index that it looks in has the others alone."""
    await opened_sqlite(tmp_path).close()
    with sqlite3.connect(tmp_path / "remit.db") as file:
        for table in TABLES.values():
            plan = file.execute(f"explain query plan select body from {table} where sealed is null")
            assert f"{table}_in_plain" in plan.fetchone()[3]


@pytest.mark.parametrize("durability", ["durable", "buffered"])
async def test_what_was_applied_ahead_of_its_batch_falls_with_it(
    tmp_path: Path, durability: Durability
) -> None:
    """An outcome that no caller waits for is ready before the batch begins; it counts only once the batch is
    committed.
    """
    store = opened_sqlite(tmp_path, durability)
    await store.commit(Unit(events=(a_permit("one"),)))
    with sqlite3.connect(tmp_path / "remit.db") as other:
        other.execute("create trigger full before insert on events begin select raise(fail, 'full'); end")
    late = store.submit(Unit(events=(an_outcome("one"),)))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await store.commit(Unit(events=(a_permit("two"),)))
    with pytest.raises(StoreUnavailable):
        await late
    with other:
        other.execute("drop trigger full")
    other.close()
    assert [event.call for event in await store.unfinished(TENANT)] == ["one"]
    again = store.submit(Unit(events=(an_outcome("one"),)))
    await store.commit(Unit(events=(a_permit("three"),)))
    assert (await again).indexes == (1,)
    assert [event.call for event in await store.unfinished(TENANT)] == ["three"]
    leaves = [json.loads(entry.leaf) for entry in await store.entries(TENANT)]
    hashes = [entry.leaf_hash.hex() for entry in await store.entries(TENANT)]
    assert [leaf["prev"] for leaf in leaves] == ["", *hashes[:-1]]
    await store.close()


async def test_what_nobody_waits_for_keeps_its_order(tmp_path: Path) -> None:
    """Some units can be applied ahead, others use SQL and cannot; a caller waits for the last alone."""
    store = opened_sqlite(tmp_path)
    units = [
        Unit((PutValue(TENANT, "last", n),) if n % 3 == 2 else (), (a_permit(f"call_{n}"),)) for n in range(7)
    ]
    pending = []
    for unit in units:
        pending.append(store.submit(unit))
        await asyncio.sleep(0)
    last = await store.commit(Unit(events=(an_event(),)))
    assert [(await one).indexes for one in pending] == [(n,) for n in range(7)]
    assert last.indexes == (7,)
    assert await store.value(TENANT, "last") == 5
    await store.close()
