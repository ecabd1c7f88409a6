# SPDX-License-Identifier: Apache-2.0
"""Connections to PostgreSQL that break at a certain word: what is on record then, and what was told."""

import asyncio
import json
from collections.abc import Iterator
from typing import Literal

import psycopg
import pytest

from remit.adapters.store.postgres import loop_connection as onloop
from remit.adapters.store.postgres import stored_labels, writer
from remit.adapters.store.postgres.session import connect
from remit.core.errors import BudgetExhausted
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import PutTask, TakeBudget
from remit.ports.store.units import Unit
from tests.faults.cutting_proxy import CuttingProxy
from tests.servers.postgres_server import PostgresServer
from tests.worlds.stores import opened_postgres
from tests.worlds.values import TENANT, WorldClock, a_permit, a_task, an_event


@pytest.fixture
def proxied(postgres: str, postgres_server: PostgresServer) -> Iterator[tuple[str, CuttingProxy]]:
    """A database behind a proxy, and the proxy."""
    proxy = CuttingProxy(postgres_server.port)
    yield postgres.replace(f":{postgres_server.port}/", f":{proxy.port}/") + "?sslmode=disable", proxy
    proxy.close()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_commit_whose_answer_is_lost_is_asked_for(
    proxied: tuple[str, CuttingProxy], when: Literal["before", "after"]
) -> None:
    """What was committed is answered as such; what was not is formed once more. It is there once."""
    url, proxy = proxied
    store = opened_postgres(url)
    await store.commit(Unit(events=(an_event(),)))
    proxy.cut_at(b"commit", when)
    unit = Unit(
        changes=(TakeBudget({"task_one": Budgets()}, calls=1),), events=(a_permit("call_one", "task_one"),)
    )
    assert (await store.commit(unit)).indexes == (1,)
    assert proxy.cuts == 1
    assert await store.size(TENANT) == 2
    assert (await store.usage(TENANT, "task_one")).calls == 1
    await store.commit(Unit(events=(an_event(task="task_one"),)))
    await store.close()
    await opened_postgres(url).close()


async def test_a_connection_that_broke_between_two_commits_costs_no_call(
    proxied: tuple[str, CuttingProxy],
) -> None:
    """The batch is formed once more on a new one; nothing of it was there yet."""
    url, proxy = proxied
    store = opened_postgres(url)
    await store.commit(Unit(events=(an_event(),)))
    proxy.cut_at(b"for update", "before")
    looks_at_tables = PutTask(a_task("task_one"))
    assert (await store.commit(Unit((looks_at_tables,), (an_event(),)))).indexes == (1,)
    assert proxy.cuts == 1
    proxy.cut_at(b"from agents", "before")
    assert await store.agents(TENANT) == []
    assert proxy.cuts == 2
    await store.close()


async def test_a_connection_that_broke_over_counters_refills_no_budget(
    postgres: str, proxied: tuple[str, CuttingProxy]
) -> None:
    """What a task has used up, and its last event, are read again, not taken for none."""
    url, proxy = proxied
    store, other = opened_postgres(url), opened_postgres(postgres, "other")
    take = TakeBudget({"task_one": Budgets(calls=2)}, calls=1)
    await store.commit(Unit((take,), (a_permit("call_one", "task_one"),)))
    await other.commit(Unit(events=(an_event(),)))
    proxy.cut_at(b"from counters", "before")
    await store.commit(Unit((take,), (a_permit("call_two", "task_one"),)))
    assert proxy.cuts == 1
    assert (await store.usage(TENANT, "task_one")).calls == 2
    first, second = await store.entries(TENANT, task="task_one")
    assert json.loads(second.leaf)["task_prev"] == first.leaf_hash.hex()
    with pytest.raises(BudgetExhausted):
        await store.commit(Unit((take,), (a_permit("call_three", "task_one"),)))
    for one in (store, other):
        await one.close()


async def test_a_connection_that_broke_over_the_first_turn_leaves_no_log_without_turns(
    postgres: str, proxied: tuple[str, CuttingProxy]
) -> None:
    """The row that writers lock is made again with the next transaction, and counted up by it."""
    url, proxy = proxied
    store = opened_postgres(url)
    proxy.cut_at(b"insert into turns", "before")
    assert (await store.commit(Unit(events=(an_event(),)))).indexes == (0,)
    assert proxy.cuts == 1
    with psycopg.connect(postgres) as aside:
        assert aside.execute("select turn from remit.turns").fetchall() == [(1,)]
    other = opened_postgres(postgres, "other")
    assert (await other.commit(Unit(events=(an_event(),)))).indexes == (1,)
    assert (await store.commit(Unit(events=(an_event(),)))).indexes == (2,)
    for one in (store, other):
        await one.close()


async def test_a_connection_that_broke_over_open_calls_forgets_none(
    proxied: tuple[str, CuttingProxy], postgres: str
) -> None:
    """The log was begun by another writer; a later start relies on what this writer writes."""
    url, proxy = proxied
    store, other = opened_postgres(url, "first"), opened_postgres(postgres, "other")
    await other.commit(Unit(events=(a_permit("call_one"),)))
    await other.commit(Unit(events=(an_event(),)))
    proxy.cut_at(b"select idx, kind, leaf from events", "before")
    await store.commit(Unit(events=(an_event(),)))
    assert proxy.cuts == 1
    for one in (store, other):
        await one.close()
    after = opened_postgres(postgres, "after")
    assert [event.call for event in await after.unfinished(TENANT)] == ["call_one"]
    await after.close()


async def test_a_lost_commit_is_known_by_its_events_and_not_by_a_number_given_anew(
    proxied: tuple[str, CuttingProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a server that took over without the last commits; it is formed once more."""
    url, proxy = proxied
    store = opened_postgres(url)
    await store.commit(Unit(events=(an_event(),)))
    with psycopg.connect(url) as aside:
        (number,) = aside.execute("select pg_current_xact_id()::text").fetchone() or ("",)
    given = writer._TURNS.replace("pg_current_xact_id()::text", f"'{number}'")
    monkeypatch.setattr(writer, "_TURNS", given)
    proxy.cut_at(b"commit", "before")
    assert (await store.commit(Unit((PutTask(a_task()),), (an_event(),)))).indexes == (1,)
    assert proxy.cuts == 1
    assert await store.size(TENANT) == 2
    await store.close()


def end_all(url: str) -> None:
    """End the connections of a database at its server."""
    with psycopg.connect(url, autocommit=True) as aside:
        aside.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


async def test_the_word_that_a_connection_ends_is_its_end(
    proxied: tuple[str, CuttingProxy], postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has said so, and nothing tells that the connection has: neither calls nor reads wait."""
    for module, name in ((writer, "BATCH_S"), (stored_labels, "READ_S")):
        monkeypatch.setattr(module, name, 3600.0)
    url, proxy = proxied
    store = opened_postgres(url)
    fleet = store.fleet(TENANT, WorldClock())
    take = TakeBudget({"task_one": Budgets()}, calls=1)
    proxy.keeps_open = True
    for number in range(4):
        # The second one goes over the loop.
        for again in range(2):
            call = f"call_{number}_{again}"
            async with asyncio.timeout(60):
                await store.commit(Unit((take,), (a_permit(call, "task_one"),)))
                await fleet.stored_labels_since("files", 0)
        await asyncio.to_thread(end_all, postgres)
    assert (await store.usage(TENANT, "task_one")).calls == 8
    proxy.keeps_open = False
    await store.close()


async def test_a_question_that_the_server_answers_with_its_end_is_lost_at_once(
    proxied: tuple[str, CuttingProxy], postgres: str
) -> None:
    """Its word is there and the end of the connection never comes: nothing more is waited for."""
    url, proxy = proxied
    proxy.keeps_open = True
    session, line = connect(url, "remit of the test"), onloop.LoopConnection()
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[onloop.Heard] = loop.create_future()
    line.send(loop, session, [("select pg_sleep(3600)", (), False)], answered.set_result, within_s=3600)
    await asyncio.to_thread(end_all, postgres)
    async with asyncio.timeout(60):
        assert (await answered).lost
    assert session.lost


async def test_an_answer_that_never_comes_is_not_waited_for(
    postgres: str,
) -> None:
    """The server has taken the question and says nothing: after a bounded time the connection is lost."""
    session, line = connect(postgres, "remit of the test"), onloop.LoopConnection()
    answered: asyncio.Future[onloop.Heard] = asyncio.get_running_loop().create_future()
    sleeps = ("select pg_sleep(3600)", (), False)
    loop = asyncio.get_running_loop()
    line.send(loop, session, [sleeps], answered.set_result, within_s=0.1)
    async with asyncio.timeout(60):
        assert (await answered).lost
    assert session.lost
