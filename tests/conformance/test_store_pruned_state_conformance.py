# SPDX-License-Identifier: Apache-2.0
"""What pruned events said of the rows of state still counts: on every store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import Conflict, RemitError, VerificationFailed
from remit.core.evidence.event import Event, EventKind
from remit.core.evidence.events.state_rows import STATE_TABLES, StateChanged
from remit.core.evidence.events.system import LogPruned
from remit.core.identity.principals import Role
from remit.core.tasks.task import TaskState
from remit.ports.store.changes import PutPerson, PutTask, RaiseFence
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.worlds.recorded_state import (
    AGENT_SCOPE,
    CHANGED,
    KEYS,
    NOW,
    READS,
    Watch,
    fill,
    without_record,
)
from tests.worlds.stores import by_administrator, opened_postgres, opened_sqlite
from tests.worlds.values import TENANT, a_person, a_task, an_event

ADMINISTRATOR = a_person("vera", roles=frozenset({Role.ADMINISTRATOR}))


class House:
    """A database, opened by remit and changed by others."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self._runs = 0

    def opened(self) -> Store:
        """Open it as a new run of remit."""
        self._runs += 1
        seed = f"run {self._runs}"
        return opened_postgres(self.url, seed) if self.url else opened_sqlite(self.folder, seed=seed)

    def sql(self, statement: str, *values: Any) -> Any:
        """Do what an administrator of the database does."""
        return by_administrator(self.url or self.folder / "remit.db", statement, *values)


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """Provide each kind of database."""
    return House(tmp_path, request.getfixturevalue("postgres") if request.param == "postgres" else "")


async def prune(store: Store, first: int = 0) -> None:
    """Prune all events from one on, as retention does those that are old."""
    size = await store.size(TENANT)
    span = (first, size)
    body = LogPruned(
        ranges=[[*span]],
        events=size - first,
        before="",
        exports=[],
        without_export=True,
        reason="",
        by="root",
    )
    await store.prune(TENANT, [span], Event.of(body, at=NOW, tenant=TENANT, subject="root"))


async def pruned(house: House) -> None:
    """Fill a store, change some rows in several events, and prune all of them."""
    store = house.opened()
    await fill(store)
    await store.commit(Unit((PutPerson(ADMINISTRATOR),), (an_event(),)))
    await store.commit(Unit((PutPerson(a_person("vera")),), (an_event(),)))
    ended = PutTask(a_task(state=TaskState.COMPLETED), expected=TaskState.ACTIVE)
    await store.commit(Unit((ended, PutTask(a_task("task_three"))), (an_event(),)))
    await prune(store)
    await store.close()


async def test_pruning_raises_no_alarm(house: House, tmp_path: Path) -> None:
    """Nor does any start after it, nor work before and after the next prune."""
    await pruned(house)
    for _ in range(3):
        store = house.opened()
        assert store.covers_rows(TENANT)
        for read in READS.values():
            assert await read(store)
        watch = Watch(store, tmp_path)
        assert not await watch.whole_pass(audited=False)
        await store.commit(Unit((PutPerson(a_person("omar")),), (an_event(),)))
        await store.commit(Unit((RaiseFence(TENANT, AGENT_SCOPE, locked=True),), (an_event(),)))
        last = await store.size(TENANT) - 1
        event = next(iter(await store.entries(TENANT, start=last, limit=1)))
        assert event.index == last
        await prune(store, last)
        assert not await watch.whole_pass(audited=False)
        await store.close()


@pytest.mark.parametrize("up", [True, False], ids=["while remit runs", "while remit is stopped"])
@pytest.mark.parametrize(
    ("table", "how"),
    [(table, how) for table in CHANGED for how in ("changed", "moved", "deleted", "added")]
    + [("people", "swapped"), ("tasks", "swapped")],
)
async def test_a_row_whose_events_are_pruned_is_as_they_said(
    tmp_path: Path, table: str, how: str, *, up: bool
) -> None:
    """Changed, put under another key, deleted, added as a copy, or exchanged with another row."""
    house = House(tmp_path, "")
    await pruned(house)
    store = house.opened()
    if not up:
        await store.close()
    key = KEYS[table]
    columns = [name for _, name, *_ in house.sql(f"pragma table_info({table})") if name != key]
    others = ", ".join(columns)
    copied = others.replace("person", "person || '2'") if table == "links" else others  # one for each person
    statements = {
        "changed": CHANGED[table],
        "moved": f"update {table} set {key} = {key} || '2'",
        "deleted": f"delete from {table}",
        "added": f"insert into {table} ({key}, {others}) select {key} || '2', {copied} from {table}"
        f" order by {key} desc limit 1",
    }
    if how == "swapped":
        one, two = house.sql(f"select body, {key} from {table} order by {key} desc limit 2")
        assert house.sql(f"update {table} set body = ? where {key} = ?", one[0], two[1]) == 1
        assert house.sql(f"update {table} set body = ? where {key} = ?", two[0], one[1]) == 1
    else:
        assert house.sql(statements[how])
    if not up:
        store = house.opened()
    # Neither a credential that is missing nor a fence that ends more permits anything.
    harmless = how == "deleted" and not STATE_TABLES[table]
    assert await Watch(store, tmp_path).whole_pass(audited=False) == (set() if harmless else {table})
    await store.close()


@pytest.mark.parametrize("table", READS)
async def test_the_next_read_is_refused(house: House, table: str) -> None:
    """At once, without an audit: of a row that changed after the events that said it were pruned."""
    await pruned(house)
    house.sql(CHANGED[table])
    store = house.opened()
    with pytest.raises(StateChanged) as refused:
        await READS[table](store)
    assert "--adopt-state" in (refused.value.remediation or "")
    await store.close()


#: Done to what a prune kept, by who then puts back what `vera` was in between.
KEPT = {
    "the last is gone": "delete from state_events where idx >= 2 and said is not null",
    "the last says nothing": "update state_events set said = null where idx >= 2",
    "one in the middle is gone": "delete from state_events where idx = 2",
    "the last says what another one said": "update state_events set said = (select said from state_events"
    " where idx = 1) where idx >= 2 and said is not null",
    "all are gone": "delete from state_events",
    "the first is gone": "delete from state_events where idx = 0",
    "a row is left out": "update state_events set said = replace(said, 'people', 'links') where idx = 2",
    "more is to come": "update state_events set said = replace(said, 'null', 'true') where idx = 2",
}


#: Of these, what leaves no good event to begin with.
NO_START = {"all are gone", "the first is gone"}


@pytest.mark.parametrize("how", KEPT)
async def test_what_a_prune_kept_cannot_be_changed(house: House, how: str) -> None:
    """With the value that a row had before, and again after the next start and the events in between."""
    store = house.opened()
    await fill(store)
    await store.commit(Unit((PutPerson(ADMINISTRATOR),), (an_event(),)))
    ((before,),) = house.sql("select body from people where name = 'vera'")
    await store.commit(Unit((PutPerson(a_person("vera")),), (an_event(),)))
    await prune(store)
    await store.close()
    house.sql(KEPT[how])
    house.sql("update people set body = ? where name = 'vera'", before)
    for _ in range(2):
        if how in NO_START:
            with pytest.raises(VerificationFailed, match="restore the database from a backup"):
                house.opened()
            return
        store = house.opened()
        with pytest.raises(StateChanged):
            await store.person(TENANT, "vera")
        # What is recorded now is no good continuation of what is hidden.
        await store.commit(Unit((PutTask(a_task(f"task_of_{how[-4:]}{_}")),), (an_event(),)))
        await store.close()


async def test_after_a_doubt_an_administrators_word_is_a_new_beginning(house: House, tmp_path: Path) -> None:
    """Rows are refused over all starts until then, and as recorded over all starts after it."""
    await pruned(house)
    house.sql("delete from state_events where idx = 2")
    for _ in range(2):
        store = house.opened()
        with pytest.raises(StateChanged):
            await store.person(TENANT, "lena")
        await store.close()
    store = house.opened()
    await store.adopt_rows(TENANT, NOW, vouched=True)
    assert await store.person(TENANT, "lena")
    await store.close()
    for _ in range(2):
        store = house.opened()
        assert await store.person(TENANT, "lena")
        assert not await Watch(store, tmp_path).whole_pass(audited=False)
        await store.commit(Unit((PutPerson(a_person("omar")),), (an_event(),)))
        await store.close()
    house.sql(CHANGED["people"])
    store = house.opened()
    with pytest.raises(StateChanged):
        await store.person(TENANT, "lena")
    await store.close()


async def test_an_event_that_was_hidden_as_pruned_is_missed(house: House) -> None:
    """Its hash is moved to those of pruned events, with what a prune had kept of it."""
    store = house.opened()
    await fill(store)
    await store.commit(Unit((PutPerson(ADMINISTRATOR),), (an_event(),)))
    ((before,),) = house.sql("select body from people where name = 'vera'")
    await store.commit(Unit((PutPerson(a_person("vera")),), (an_event(),)))
    last = await store.size(TENANT) - 1
    await store.commit(Unit((), (an_event(),) * 600))
    await store.close()
    house.sql(
        "insert into pruned_leaves select tenant, idx, leaf_hash, task_before from events where idx = ?", last
    )
    house.sql("delete from events where idx = ?", last)
    house.sql("delete from state_events where idx = ?", last)
    house.sql("update people set body = ? where name = 'vera'", before)
    store = house.opened()
    with pytest.raises(StateChanged):
        await store.person(TENANT, "vera")
    await store.close()


async def test_rows_of_an_older_version_are_recorded_also_after_a_prune(tmp_path: Path) -> None:
    """The older version pruned what it never said; its prunes leave no doubt."""
    house = House(tmp_path, "")
    store = house.opened()
    await fill(store)
    await store.commit(Unit((), (an_event(),) * 3))
    await store.close()
    without_record(tmp_path)
    store = house.opened()
    await store.prune(TENANT, [(1, 3)])
    assert not await store.entries(TENANT, kinds=[EventKind.STATE_RECORDED])
    await store.close()
    store = house.opened()
    assert await store.person(TENANT, "lena")
    assert not store.covers_rows(TENANT)
    assert await store.adopt_rows(TENANT, NOW)
    await store.close()
    store = house.opened()
    assert store.covers_rows(TENANT)
    assert await store.person(TENANT, "lena")
    assert not await Watch(store, tmp_path).whole_pass(audited=False)
    with pytest.raises((Conflict, RemitError)):
        await store.prune(TENANT, [(1, 3)])
    await store.close()
