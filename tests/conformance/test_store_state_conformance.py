# SPDX-License-Identifier: Apache-2.0
"""Rows of state are as the log says, and each change by others is noticed: on every store."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.adapters.store.relational.merkle_nodes import MAX_TAIL
from remit.core.errors import Fenced, RemitError, VerificationFailed
from remit.core.evidence.event import EventKind
from remit.core.evidence.events.state_rows import STATE_TABLES, StateChanged
from remit.core.label import Label
from remit.core.replicas.replica import Replica
from remit.core.tasks.task import TaskState
from remit.ports.store.changes import (
    Change,
    CheckFence,
    CheckUnlocked,
    DropLink,
    EndCredentials,
    PutAgent,
    PutPerson,
    PutTask,
    RaiseFence,
    RaiseLabel,
    TakeCredential,
)
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from remit.services.evidence.state_audit import PACE
from tests.conformance.stores import each_store
from tests.servers.postgres_server import PostgresServer
from tests.worlds.recorded_state import (
    AGENT_SCOPE,
    CHANGED,
    KEYS,
    NOW,
    READS,
    Watch,
    a_binding,
    fill,
    without_record,
)
from tests.worlds.stores import opened_postgres, opened_sqlite
from tests.worlds.values import (
    TENANT,
    a_person,
    a_task,
    an_agent,
    an_event,
)


@each_store
async def test_ordinary_changes_are_as_recorded(store: Store, tmp_path: Path) -> None:
    """Inserts, changes and deletions, refused units, and units without an event raise no alarm."""
    watch = Watch(store, tmp_path)
    await fill(store)
    assert not await watch.whole_pass()
    ended = a_task(state=TaskState.COMPLETED)
    await store.commit(Unit((PutTask(ended, expected=TaskState.ACTIVE), RaiseFence(TENANT, "task:x")), ()))
    await store.commit(Unit((PutAgent(an_agent(bindings=(a_binding("b"),))),), (an_event(),)))
    with pytest.raises(RemitError):
        await store.commit(Unit((PutPerson(a_person("otto")), PutTask(ended)), (an_event(),)))
    await store.commit(Unit((DropLink(TENANT, "https://idp", "s", "lena"),), ()))
    await store.commit(Unit((EndCredentials(TENANT, "lena"),), (an_event(),)))
    many = tuple(PutTask(a_task(f"task_{number}")) for number in range(700))
    await store.commit(Unit(many, (an_event(),)))
    assert not await watch.whole_pass()
    with pytest.raises(RemitError):
        await store.commit(Unit((TakeCredential(TENANT, "c"),), (an_event(),)))


@each_store
async def test_rows_that_a_pass_read_too_early_are_not_gone(store: Store) -> None:
    """A commit took longer than the pass over its table: the log said its rows before they could be read."""
    await fill(store)
    for table in STATE_TABLES:
        assert not await store.gone_rows(TENANT, table, store.recorded_rows(TENANT, table)), table


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "end", "fence", "person", "look"]), st.integers(0, 3)), max_size=25
    )
)
async def test_no_order_of_changes_and_looks_raises_an_alarm(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Beside the audit, which reads a row at a time."""
    folder = tmp_path_factory.mktemp("state")
    store = opened_sqlite(folder)
    watch = Watch(store, folder)
    for what, which in steps:
        name = f"task_{which}"
        changes: dict[str, Change] = {
            "put": PutTask(a_task(name)),
            "end": PutTask(a_task(name, state=TaskState.COMPLETED), expected=TaskState.ACTIVE),
            "fence": RaiseFence(TENANT, f"task:{name}"),
            "person": PutPerson(a_person(f"person-{which}")),
        }
        if what == "look":
            watch.clock.advance(PACE.total_seconds())
            await watch.rows.turn()
            continue
        told = store.submit(Unit((changes[what],), (an_event(),)))
        with contextlib.suppress(RemitError):
            await told
    assert not await watch.whole_pass()
    await store.close()


def test_each_covered_table_is_tried() -> None:
    """A new table needs a statement here."""
    assert set(CHANGED) == set(KEYS) == set(STATE_TABLES)


@pytest.mark.parametrize("how", ["changed", "moved", "deleted"])
@pytest.mark.parametrize("table", CHANGED)
async def test_a_change_by_others_is_noticed(tmp_path: Path, table: str, how: str) -> None:
    """A row that is changed, deleted, or stands under another key, while remit runs."""
    store = opened_sqlite(tmp_path)
    watch = Watch(store, tmp_path)
    await fill(store)
    assert not await watch.whole_pass()
    statements = {
        "changed": CHANGED[table],
        "moved": f"update {table} set {KEYS[table]} = {KEYS[table]} || '2'",
        "deleted": f"delete from {table}",
    }
    with sqlite3.connect(tmp_path / "remit.db") as file:
        assert file.execute(statements[how]).rowcount
    # A credential that is missing permits nothing.
    harmless = how == "deleted" and not STATE_TABLES[table]
    assert await watch.whole_pass() == (set() if harmless else {table})
    await store.close()


@pytest.mark.parametrize("table", ["tasks", "fences", "people", "credentials"])
async def test_a_change_in_the_database_server_is_noticed(
    postgres_server: PostgresServer, tmp_path: Path, table: str
) -> None:
    """By an administrator of PostgreSQL."""
    url = postgres_server.fresh()
    store = opened_postgres(url)
    watch = Watch(store, tmp_path)
    await fill(store)
    assert not await watch.whole_pass()
    with psycopg.connect(url) as other:
        assert other.execute(CHANGED[table].replace("fences set epoch = 0", "fences set epoch = 7")).rowcount
    assert await watch.whole_pass() == {table}
    await store.close()
    postgres_server.drop(url)


@pytest.mark.parametrize("restarted", [False, True], ids=["while remit runs", "while remit is stopped"])
@pytest.mark.parametrize("table", READS)
async def test_the_next_read_of_a_changed_row_is_refused(
    tmp_path: Path, table: str, *, restarted: bool
) -> None:
    """At once, before any audit has met the row."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    assert await READS[table](store)
    if restarted:
        await store.close()
    with sqlite3.connect(tmp_path / "remit.db") as file:
        assert file.execute(CHANGED[table]).rowcount
    if restarted:
        store = opened_sqlite(tmp_path, seed="second")
    with pytest.raises(StateChanged):
        await READS[table](store)
    (told,) = store.broken_rows(TENANT)
    assert told.table == table
    await store.close()


@pytest.mark.parametrize("how", ["fences set epoch = 0, locked = 0", "fences set locked = 0", "gone"])
async def test_a_lowered_fence_lifts_nothing(tmp_path: Path, how: str) -> None:
    """After a restart its scope is locked, and what was open in it has ended."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    await store.close()
    with sqlite3.connect(tmp_path / "remit.db") as file:
        file.execute("delete from fences" if how == "gone" else f"update {how}")
    store = opened_sqlite(tmp_path, seed="second")
    with pytest.raises(Fenced):
        await store.commit(Unit((CheckUnlocked((AGENT_SCOPE,)),), (an_event(),)))
    with pytest.raises(Fenced):
        await store.commit(Unit((CheckFence({AGENT_SCOPE: 1}, (AGENT_SCOPE,)),), (an_event(),)))
    # An administrator unlocks it, and the row is right again.
    await store.commit(Unit((RaiseFence(TENANT, AGENT_SCOPE, raise_epoch=False, locked=False),), ()))
    await store.commit(Unit((CheckUnlocked((AGENT_SCOPE,)),), (an_event(),)))
    await store.close()


async def test_a_row_of_before_permits_nothing(tmp_path: Path) -> None:
    """An ended task comes back from a backup while remit is stopped."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    with sqlite3.connect(tmp_path / "remit.db") as file:
        before = file.execute("select state, body from tasks where id = 'task_one'").fetchone()
    await store.commit(Unit((PutTask(a_task(state=TaskState.COMPLETED), expected=TaskState.ACTIVE),), ()))
    await store.close()
    with sqlite3.connect(tmp_path / "remit.db") as file:
        file.execute("update tasks set state = ?, body = ? where id = 'task_one'", before)
    store = opened_sqlite(tmp_path, seed="second")
    with pytest.raises(StateChanged):
        await store.task(TENANT, "task_one")
    # It can be ended, and that makes it whole.
    again = PutTask(a_task(state=TaskState.COMPLETED), expected=TaskState.ACTIVE)
    await store.commit(Unit((again,), (an_event(),)))
    assert await store.task(TENANT, "task_one")
    assert await Watch(store, tmp_path).whole_pass() == {"tasks"}
    await store.close()


async def test_what_others_wrote_into_a_row_stays_refused(tmp_path: Path) -> None:
    """Even if remit changes the row afterwards, and its change leaves a part of theirs."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    with sqlite3.connect(tmp_path / "remit.db") as file:
        file.execute("update tasks set label = label || ' ' where id = 'task_one'")
    await store.commit(Unit((PutTask(a_task(), expected=TaskState.ACTIVE),), (an_event(),)))
    with pytest.raises(StateChanged):
        await store.task(TENANT, "task_one")
    assert await store.task_to_end(TENANT, "task_one")
    await store.close()


@pytest.mark.parametrize("copied", ["event", "event and index"])
async def test_an_event_copied_in_the_database_says_nothing(tmp_path: Path, copied: str) -> None:
    """What the log once said of a row is said again at its end, with right hashes, to restore the row."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    with sqlite3.connect(tmp_path / "remit.db") as file:
        before = file.execute("select state, body from tasks where id = 'task_one'").fetchone()
    await store.commit(Unit((PutTask(a_task(state=TaskState.COMPLETED), expected=TaskState.ACTIVE),), ()))
    size = await store.size(TENANT)
    await store.close()
    with sqlite3.connect(tmp_path / "remit.db") as file:
        file.execute("update tasks set state = ?, body = ? where id = 'task_one'", before)
        file.execute(
            "insert into events select tenant, ?, kind, task, task_before, open_from, leaf, leaf_hash,"
            " subject_key, sealed from events where idx = 0",
            (size,),
        )
        if copied == "event and index":
            file.execute("insert into state_events values (?, ?, null)", (TENANT, size))
    store = opened_sqlite(tmp_path, seed="second")
    with pytest.raises(StateChanged):
        await store.task(TENANT, "task_one")
    await store.close()


HIDDEN = {
    "all are gone": "delete from state_events",
    "the last is gone": "delete from state_events where idx > 0",
    "one is added": "insert into state_events values ('default', 1000, null)",
    "the last says nothing": "update events set leaf = cast(replace(leaf, 'state', '') as blob) where idx=1",
}


@pytest.mark.parametrize("how", HIDDEN.values(), ids=HIDDEN)
async def test_events_hidden_from_the_start_are_found(tmp_path: Path, how: str) -> None:
    """The table that finds the events is not trusted."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    await store.commit(Unit((PutTask(a_task(state=TaskState.COMPLETED), expected=TaskState.ACTIVE),), ()))
    # The start checks the last events by itself.
    await store.commit(Unit((), (an_event(),) * MAX_TAIL))
    await store.close()
    with sqlite3.connect(tmp_path / "remit.db") as file:
        file.execute("delete from state_events where idx > 0")
        file.execute(how)
        file.execute("update tasks set state = 'active', body = replace(body, 'completed', 'active')")
    store = opened_sqlite(tmp_path, seed="second")
    with pytest.raises(StateChanged):
        await store.task(TENANT, "task_one")
    await store.close()


@pytest.mark.parametrize("table", ["subject_keys", "state_events, subject_keys"])
async def test_without_its_key_a_store_does_not_open(tmp_path: Path, table: str) -> None:
    """A new key would make a new beginning."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    await store.close()
    with sqlite3.connect(tmp_path / "remit.db") as file:
        for one in table.split(", "):
            file.execute(f"delete from {one}")
    with pytest.raises(VerificationFailed):
        opened_sqlite(tmp_path, seed="second")


async def test_rows_of_an_older_version_are_recorded_once(tmp_path: Path) -> None:
    """The upgrade records them; from then on a row that was not is refused."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    await store.close()
    without_record(tmp_path)
    store = opened_sqlite(tmp_path, seed="second")
    assert not store.covers_rows(TENANT)
    assert await store.person(TENANT, "lena")
    # Changed before all are recorded.
    await store.commit(Unit((PutTask(a_task(), expected=TaskState.ACTIVE),), (an_event(),)))
    assert not await Watch(store, tmp_path).whole_pass()
    assert store.covers_rows(TENANT)
    adopted = await store.entries(TENANT, kinds=[EventKind.STATE_RECORDED])
    assert len(adopted) == len(STATE_TABLES) + 1
    with sqlite3.connect(tmp_path / "remit.db") as file:
        file.execute(CHANGED["people"])
    with pytest.raises(StateChanged):
        await store.person(TENANT, "lena")
    await store.adopt_rows(TENANT, NOW)
    with pytest.raises(StateChanged):
        await store.person(TENANT, "lena")
    await store.close()


async def test_an_administrator_says_that_rows_are_right(tmp_path: Path) -> None:
    """Changed, added and deleted ones: after that nothing is refused, and the log says when."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    with sqlite3.connect(tmp_path / "remit.db") as file:
        file.execute(CHANGED["people"])
        file.execute("insert into people values (?, 'eve', '{}')", (TENANT,))
        file.execute("delete from pins")
    with pytest.raises(StateChanged):
        await store.pins(TENANT)
    await store.adopt_rows(TENANT, NOW, vouched=True)
    assert await store.pins(TENANT) == []
    assert await store.person(TENANT, "lena")
    assert not await Watch(store, tmp_path).whole_pass()
    await store.close()


async def test_replicas_that_write_at_once_raise_no_alarm(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Two write the same rows and read each other's, while both compare all the time."""
    url = postgres_server.fresh()
    stores = [opened_postgres(url, seed) for seed in ("first", "second")]
    watches = []
    for place, store in enumerate(stores):
        (tmp_path / str(place)).mkdir()
        watches.append(Watch(store, tmp_path / str(place)))
    await fill(stores[0])

    async def write(store: Store, mine: str) -> None:
        for number in range(40):
            name = f"task_{mine}_{number}"
            await store.commit(Unit((PutTask(a_task(name)),), (an_event(),)))
            label = Label(categories=frozenset({f"{mine}{number}"}))
            await store.commit(Unit((RaiseLabel("task_two", label),), (an_event(),)))
            await store.commit(Unit((RaiseFence(TENANT, AGENT_SCOPE, locked=bool(number % 2)),), ()))
            ended = a_task(name, state=TaskState.COMPLETED)
            await store.commit(Unit((PutTask(ended, expected=TaskState.ACTIVE),), (an_event(),)))

    async def read(store: Store) -> None:
        for _ in range(80):
            assert await store.task(TENANT, "task_two")

    async def compare(watch: Watch) -> None:
        for _ in range(60):
            watch.clock.advance(PACE.total_seconds())
            await watch.rows.turn()

    one, two = stores
    await asyncio.gather(
        write(one, "a"), write(two, "b"), read(one), read(two), *(compare(watch) for watch in watches)
    )
    for watch in watches:
        assert not await watch.whole_pass()
    with psycopg.connect(url) as other:
        other.execute("update tasks set label = label || ' ' where id = 'task_two'")
    for store in stores:
        with pytest.raises(StateChanged):
            await store.task(TENANT, "task_two")
        await store.close()
    postgres_server.drop(url)


async def test_an_older_replica_is_waited_for(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """During a rolling upgrade rows are recorded only once no older replica serves."""
    url = postgres_server.fresh()
    store = opened_postgres(url)
    await store.commit(Unit((), (an_event(),)))
    older = msgspec.to_builtins(Replica(id="older", host="h", joined=NOW))
    del older["records"]
    body = msgspec.json.encode(older).decode()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("insert into replicas values (%s, 'older', 1, 0, %s)", (TENANT, body))
        # The older one writes, and says nothing of it.
        other.execute(
            "insert into people values (%s, 'lena', %s)", (TENANT, msgspec.json.encode(a_person()).decode())
        )
        assert not await store.adopt_rows(TENANT, NOW)
        await store.commit(Unit((PutTask(a_task()),), (an_event(),)))
        assert await store.person(TENANT, "lena")
        other.execute("update people set body = body || ' '")
        assert await store.person(TENANT, "lena")
        other.execute("delete from replicas")
    assert not await Watch(store, tmp_path).whole_pass()
    assert store.covers_rows(TENANT)
    await store.close()
    postgres_server.drop(url)
