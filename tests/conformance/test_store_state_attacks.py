# SPDX-License-Identifier: Apache-2.0
"""Threat: who can write the database, and has none of remit's keys, gives rows another meaning."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.log.file import FileHeadKeeper
from remit.adapters.store.relational.subject_keys import STATE
from remit.adapters.store.sqlite import SqliteStore
from remit.core.canonical import encode
from remit.core.decisions.approval import ApprovalState
from remit.core.errors import RemitError, VerificationFailed
from remit.core.evidence.event import Event
from remit.core.evidence.events.state_rows import StateChanged
from remit.core.evidence.events.system import LogPruned
from remit.core.evidence.merkle import leaf_hash
from remit.core.identity.principals import Role
from remit.core.tasks.task import TaskState
from remit.ports.evidence.log import Head
from remit.ports.store.changes import PutApproval, PutPerson, PutTask
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from tests.worlds.recorded_state import NOW, Watch, fill
from tests.worlds.stores import opened_sqlite
from tests.worlds.values import (
    TENANT, WorldClock, WorldEntropy, WorldSealingKeys, a_person, a_task, an_approval, an_event,
)

ADMINISTRATOR = a_person("vera", roles=frozenset({Role.ADMINISTRATOR}))
ENDED = PutTask(a_task(state=TaskState.COMPLETED), expected=TaskState.ACTIVE)


def sql(folder: Path, statement: str, *values: Any) -> list[Any]:
    with sqlite3.connect(folder / "remit.db") as file:
        return file.execute(statement, values).fetchall()


async def test_body(tmp_path: Path) -> None:
    store = opened_sqlite(tmp_path)
    await fill(store)
    ((before,),) = sql(tmp_path, "select body from tasks where id='task_one'")
    await store.commit(Unit((ENDED,), (an_event(),)))
    sql(tmp_path, "update tasks set body = ? where id='task_one'", before)
    with pytest.raises(StateChanged):
        print(await store.task(TENANT, "task_one"))
    await store.close()


async def test_body_appr(tmp_path: Path) -> None:
    store = opened_sqlite(tmp_path)
    await fill(store)
    sql(tmp_path, "insert into approvals select tenant, 'forged', task, call, 'denied', requested, replace(replace(body,'\"state\":\"pending\"','\"state\":\"approved\"'), id, 'forged'), null from approvals")
    with pytest.raises(StateChanged):
        print(await store.approval(TENANT, "forged"))
    await store.close()


async def test_rewritten_leaf(tmp_path: Path) -> None:
    store = opened_sqlite(tmp_path)
    await fill(store)
    await store.commit(Unit((PutPerson(ADMINISTRATOR),), (an_event(),)))
    ((before,),) = sql(tmp_path, "select body from people where name='vera'")
    await store.commit(Unit((PutPerson(a_person("vera")),), (an_event(),)))
    at = await store.size(TENANT) - 1
    await store.commit(Unit((), (an_event(),) * 600))
    size, root = await store.root(TENANT)
    await store.close()
    ((leaf,),) = sql(tmp_path, "select leaf from events where idx=?", at)
    record = json.loads(leaf); del record["state"]; new = encode(record)
    sql(tmp_path, "update events set leaf=?, leaf_hash=? where idx=?", new, leaf_hash(new), at)
    sql(tmp_path, "delete from state_events where idx=?", at)
    sql(tmp_path, "update people set body=? where name='vera'", before)
    store = opened_sqlite(tmp_path, seed="two")
    assert await store.root(TENANT) == (size, root)
    with pytest.raises(StateChanged):
        print(await store.person(TENANT, "vera"))
    await store.close()


async def test_doubt_undone(tmp_path: Path) -> None:
    store = opened_sqlite(tmp_path)
    await fill(store)
    await store.commit(Unit((PutTask(a_task("task_x")),), (an_event(),)))
    at = await store.size(TENANT) - 1
    await store.commit(Unit((), (an_event(),) * 600))
    await store.close()
    kept = sql(tmp_path, "select * from events where idx=?", at)[0]
    sql(tmp_path, "insert into pruned_leaves select tenant, idx, leaf_hash, task_before from events where idx = ?", at)
    sql(tmp_path, "delete from events where idx=?", at)
    store = opened_sqlite(tmp_path, seed="two")
    ((before, state),) = sql(tmp_path, "select body, state from tasks where id='task_one'")
    await store.commit(Unit((ENDED,), (an_event(),)))
    await store.close()
    sql(tmp_path, "delete from pruned_leaves")
    sql(tmp_path, f"insert into events values ({','.join('?'*len(kept))})", *kept)
    sql(tmp_path, "update tasks set body=?, state=? where id='task_one'", before, state)
    store = opened_sqlite(tmp_path, seed="three")
    with pytest.raises(StateChanged):
        print(await store.task(TENANT, "task_one"))
    await store.close()


async def test_trigger(tmp_path: Path) -> None:
    store = opened_sqlite(tmp_path)
    await fill(store)
    await store.commit(Unit((PutPerson(a_person("vera")),), (an_event(),)))
    sql(tmp_path, "create trigger t after update on people begin update people set body = replace(body, 'legal', 'boss') where name = new.name; end")
    await store.commit(Unit((PutPerson(a_person("vera", groups=frozenset({"legal"}))),), (an_event(),)))
    with pytest.raises(StateChanged):
        print(await store.person(TENANT, "vera"))
    await store.close()
