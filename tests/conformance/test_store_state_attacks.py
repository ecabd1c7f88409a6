# SPDX-License-Identifier: Apache-2.0
"""Threat: who can write the database, and has none of remit's keys, gives rows another meaning."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from remit.adapters.store.relational.subject_keys import STATE
from remit.core.canonical import encode
from remit.core.errors import StoreUnavailable, VerificationFailed
from remit.core.evidence.event import Event, EventKind, timestamp
from remit.core.evidence.events.state_rows import StateChanged
from remit.core.evidence.events.system import LogPruned
from remit.core.evidence.merkle import leaf_hash
from remit.core.identity.principals import Role
from remit.core.label import Label
from remit.core.tasks.task import TaskState
from remit.ports.evidence.log import Head
from remit.ports.store.changes import PutPerson, PutTask, RaiseLabel
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.conformance.stores import FILES
from tests.worlds.recorded_state import NOW, Watch, fill, without_record
from tests.worlds.stores import by_administrator, opened_postgres, opened_sqlite
from tests.worlds.values import TENANT, a_person, a_task, an_event

VERA = a_person("vera")
ADMINISTRATOR = a_person("vera", roles=frozenset({Role.ADMINISTRATOR}))
ENDED = PutTask(a_task(state=TaskState.COMPLETED), expected=TaskState.ACTIVE)
#: More than a tile of the tree, whose leaves are then no longer read at a start.
MANY = 600


def sql(folder: Path, statement: str, *values: Any) -> Any:
    """Do what an administrator of the database does."""
    return by_administrator(folder / "remit.db", statement, *values)


class SignedHead:
    """`ports.evidence.log.HeadKeeper` with the head of one log."""

    def __init__(self, size: int, root: bytes) -> None:
        self._head = Head(size, root, "")

    def read(self, origin: str) -> Head | None:
        """Return it."""
        return self._head

    async def swap(self, origin: str, old: Head | None, new: Head) -> None:
        """Take another one."""
        self._head = new


async def test_an_ended_task_whose_body_alone_is_put_back_is_not_alive(tmp_path: Path) -> None:
    """Its column goes on to say that it has ended, and ended tasks are not in the log."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    ((before,),) = sql(tmp_path, "select body from tasks where id = 'task_one'")
    await store.commit(Unit((ENDED,), (an_event(),)))
    sql(tmp_path, "update tasks set body = ? where id = 'task_one'", before)
    with pytest.raises(StateChanged):
        await store.task(TENANT, "task_one")
    await store.close()


async def test_an_approval_that_is_called_denied_beside_its_body_is_none(tmp_path: Path) -> None:
    """A row that is added, whose body says that it was approved."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    sql(
        tmp_path,
        "insert into approvals select tenant, 'forged', task, call, 'denied', requested,"
        """ replace(replace(body, '"state":"pending"', '"state":"approved"'), id, 'forged'), null"""
        " from approvals",
    )
    with pytest.raises(StateChanged):
        await store.approval(TENANT, "forged")
    await store.close()


async def revoked(store: Store, folder: Path) -> tuple[int, str]:
    """Make vera an administrator, and then none; return the event of the latter, and her row before it."""
    await fill(store)
    await store.commit(Unit((PutPerson(ADMINISTRATOR),), (an_event(),)))
    ((before,),) = sql(folder, "select body from people where name = 'vera'")
    (at,) = (await store.commit(Unit((PutPerson(VERA),), (an_event(),)))).indexes
    await store.commit(Unit((), (an_event(),) * MANY))
    return at, before


def without_state(folder: Path, at: int) -> None:
    """Rewrite an event as one that says no rows, with its hash; the tree above it stays."""
    ((leaf,),) = sql(folder, "select leaf from events where idx = ?", at)
    new = encode({name: value for name, value in json.loads(leaf).items() if name != "state"})
    sql(folder, "update events set leaf = ?, leaf_hash = ? where idx = ?", new, leaf_hash(new), at)
    sql(folder, "delete from state_events where idx = ?", at)


def hide(folder: Path, at: int) -> None:
    """Delete an event, as if it had been pruned."""
    sql(
        folder,
        "insert into pruned_leaves select tenant, idx, leaf_hash, task_before from events where idx = ?",
        at,
    )
    sql(folder, "delete from events where idx = ?", at)


async def test_an_event_rewritten_with_its_hash_is_missed(tmp_path: Path) -> None:
    """The head still fits, as a start reads the nodes above old leaves. A role comes back."""
    store = opened_sqlite(tmp_path)
    at, before = await revoked(store, tmp_path)
    root = await store.root(TENANT)
    await store.close()
    without_state(tmp_path, at)
    sql(tmp_path, "update people set body = ? where name = 'vera'", before)
    store = opened_sqlite(tmp_path, seed="second")
    assert await store.root(TENANT) == root
    with pytest.raises(StateChanged):
        await store.person(TENANT, "vera")
    await store.close()


async def test_all_events_rewritten_are_no_older_version(tmp_path: Path) -> None:
    """With their hashes, and without the key: a start reads all leaves then, and they are not the signed."""
    store = opened_sqlite(tmp_path)
    await revoked(store, tmp_path)
    await store.close()
    without_record(tmp_path)
    with pytest.raises(VerificationFailed) as refused:
        opened_sqlite(tmp_path, seed="second")
    assert refused.value.code == "leaf-changed"


async def test_what_was_done_in_doubt_cannot_be_taken_back(tmp_path: Path) -> None:
    """An event is hidden over one run, and comes back after it, with a row of before that run."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    await store.commit(Unit((PutTask(a_task("task_x")),), (an_event(),)))
    await store.commit(Unit((), (an_event(),) * MANY))
    await store.close()
    (kept,) = sql(tmp_path, "select * from events where idx = 1")
    hide(tmp_path, 1)
    store = opened_sqlite(tmp_path, seed="second")
    ((before, state),) = sql(tmp_path, "select body, state from tasks where id = 'task_one'")
    await store.commit(Unit((ENDED,), (an_event(),)))
    await store.close()
    sql(tmp_path, "delete from pruned_leaves")
    sql(tmp_path, f"insert into events values ({', '.join('?' * len(kept))})", *kept)
    sql(tmp_path, "update tasks set body = ?, state = ? where id = 'task_one'", before, state)
    store = opened_sqlite(tmp_path, seed="third")
    with pytest.raises(StateChanged):
        await store.task(TENANT, "task_one")
    await store.adopt_rows(TENANT, NOW, vouched=True)
    await store.commit(Unit((PutPerson(VERA),), (an_event(),)))
    await store.close()
    store = opened_sqlite(tmp_path, seed="fourth")
    assert not await Watch(store, tmp_path).whole_pass()
    assert await store.person(TENANT, "vera")
    await store.close()


async def test_words_of_an_administrator_hold_also_after_work_in_doubt(tmp_path: Path) -> None:
    """What was recorded between the start and the words is recorded again."""
    store = opened_sqlite(tmp_path)
    await fill(store)
    await store.commit(Unit((PutPerson(VERA),), (an_event(),)))
    await store.commit(Unit((), (an_event(),)))
    await store.close()
    hide(tmp_path, 1)
    store = opened_sqlite(tmp_path, seed="second")
    await store.commit(Unit((PutTask(a_task("task_new")),), (an_event(),)))
    with pytest.raises(StateChanged):
        await store.task(TENANT, "task_new")
    await store.adopt_rows(TENANT, NOW, vouched=True)
    await store.close()
    store = opened_sqlite(tmp_path, seed="third")
    assert await store.task(TENANT, "task_new")
    assert await store.person(TENANT, "vera")
    await store.close()


def forged_prune(folder: Path, size: int, gone: list[int]) -> None:
    """Delete events, what was kept of them and the key; add a prune that names them, at the end."""
    spans = [[at, at + 1] for at in gone]
    body = LogPruned(
        ranges=spans,
        events=len(spans),
        before=str(NOW),
        exports=[],
        without_export=True,
        reason="",
        by="root",
    )
    at = NOW + timedelta(days=90)
    event = Event.of(body, at=at, tenant=TENANT, subject="root")
    ((leaf,),) = sql(folder, "select leaf from events where idx = ?", size - 1)
    # Its own time is what its author likes.
    told = {"kind": event.kind.value, "facts": event.facts, "at": timestamp(at)}
    new = encode(json.loads(leaf) | told)
    for index in gone:
        hide(folder, index)
    sql(folder, "delete from state_events")
    sql(folder, "delete from subject_keys where subject = ?", STATE)
    sql(
        folder,
        "insert into events select tenant, ?, 'log.pruned', task, task_before, open_from, ?, ?, null, null"
        " from events where idx = ?",
        *(size, new, leaf_hash(new), size - 1),
    )


async def test_a_forged_prune_makes_no_older_version(tmp_path: Path) -> None:
    """It is behind the signed head. Were it before it, it would name what an older version pruned."""
    store = opened_sqlite(tmp_path)
    _, before = await revoked(store, tmp_path)
    size, root = await store.root(TENANT)
    saying = [at for (at,) in sql(tmp_path, "select idx from state_events")]
    await store.close()
    forged_prune(tmp_path, size, saying)
    sql(tmp_path, "update people set body = ? where name = 'vera'", before)
    for number in range(2):
        with pytest.raises(VerificationFailed) as refused:
            FILES["sqlite-buffered"](tmp_path, seed=f"{number}", heads=SignedHead(size, root))
        assert refused.value.code == "state-key"
    # Signed, it would be one of an older version.
    store = opened_sqlite(tmp_path, seed="unsigned")
    signed = SignedHead(*await store.root(TENANT))
    await store.close()
    older = FILES["sqlite-buffered"](tmp_path, seed="signed", heads=signed)
    assert not older.covers_rows(TENANT)
    await older.close()


async def test_a_forged_prune_beside_recorded_rows_is_told(tmp_path: Path) -> None:
    """A prune of this version says rows. One that does not hides an event of before it."""
    store = opened_sqlite(tmp_path)
    at, before = await revoked(store, tmp_path)
    size = await store.size(TENANT)
    await store.close()
    (key,) = sql(tmp_path, "select * from subject_keys where subject = ?", STATE)
    said = [one for one in sql(tmp_path, "select * from state_events") if one[1] != at]
    forged_prune(tmp_path, size, [at])
    sql(tmp_path, f"insert into subject_keys values ({', '.join('?' * len(key))})", *key)
    for one in said:
        sql(tmp_path, "insert into state_events values (?, ?, ?)", *one)
    sql(tmp_path, "update people set body = ? where name = 'vera'", before)
    store = opened_sqlite(tmp_path, seed="second")
    with pytest.raises(StateChanged):
        await store.person(TENANT, "vera")
    await store.close()


async def test_a_forged_prune_is_not_signed_by_a_replica(postgres: str) -> None:
    """Another writer's event that is none of remit ends the work of a running one, before it is signed."""
    store = opened_postgres(postgres)
    await fill(store)
    with psycopg.connect(postgres) as other:
        ((leaf,),) = other.execute("select leaf from remit.events where idx = 0").fetchall()
        record = json.loads(bytes(leaf)) | {"kind": EventKind.LOG_PRUNED.value}
        record.pop("state")
        new = encode(record)
        other.execute(
            "insert into remit.events select tenant, 1, 'log.pruned', task, task_before, open_from, %s, %s,"
            " null, null from remit.events where idx = 0",
            (new, leaf_hash(new)),
        )
        other.execute("update remit.turns set turn = turn + 1, news = turn + 1, writer = 'other'")
    root = await store.root(TENANT)
    with pytest.raises((StoreUnavailable, VerificationFailed)):
        await store.commit(Unit((PutPerson(VERA),), (an_event(),)))
    assert await store.root(TENANT) == root
    await store.close()


async def test_a_row_cannot_be_changed_between_its_look_and_its_change(postgres: str) -> None:
    """Others hold the row while remit raises the task's label, and commit a change of the rest first."""
    store = opened_postgres(postgres)
    await fill(store)
    other = await psycopg.AsyncConnection.connect(postgres)
    await other.execute("update remit.tasks set deadline = deadline + 1 where id = 'task_two'")
    label = Label(categories=frozenset({"pii"}))
    raised = asyncio.ensure_future(store.commit(Unit((RaiseLabel("task_two", label),), (an_event(),))))
    async with asyncio.timeout(30):
        waiting = "select 1 from pg_locks where not granted"
        while not await (await other.execute(waiting)).fetchall():  # noqa: ASYNC110 - no event exists for it
            await asyncio.sleep(0.01)
    await other.commit()
    await other.close()
    await raised
    with pytest.raises(StateChanged):
        await store.task(TENANT, "task_two")
    await store.close()
