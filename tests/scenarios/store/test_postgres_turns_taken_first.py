# SPDX-License-Identifier: Apache-2.0
"""Writers of one PostgreSQL that take each other's turns: what is on record then, what callers are told, and
what the server's log says of it.
"""

import asyncio
import itertools
import json
import re
import socket
import threading
from typing import Literal

import psycopg
import pytest

from remit.adapters.store.postgres import PostgresStore, writer
from remit.adapters.store.postgres.loop_connection import Heard
from remit.adapters.store.postgres.store_claim import on_record
from remit.core.errors import BudgetExhausted, Fenced, StoreUnavailable
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import CheckFence, RaiseFence, TakeBudget
from remit.ports.store.units import Unit
from tests.faults.dicing_proxy import DicingProxy
from tests.servers.postgres_server import PostgresServer
from tests.worlds.stores import opened_postgres
from tests.worlds.values import TENANT, a_permit, an_event

#: What a server's log calls what went wrong, and what it warns of.
FAULTS = re.compile(r".*\b(?:ERROR|FATAL|PANIC|WARNING|STATEMENT):.*")


def a_call(name: str, task: str, *scopes: str, calls: int = 0) -> Unit:
    """What step 5 of a call commits."""
    budget = TakeBudget({task: Budgets(calls=calls) if calls else Budgets()}, calls=1)
    return Unit((CheckFence({}, scopes), budget), (a_permit(name, task, facts={"outcome": "permit"}),))


class Turns:
    """How many batches that were sent as a whole were committed, and how many found their turn taken."""

    def __init__(self) -> None:
        self.had = 0
        self.lost = 0


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """See what becomes of batches; and each is sent as a whole first, if it can be."""
    seen = Turns()

    def judged(answer: Heard) -> bool:
        had = on_record(answer)
        seen.had += had
        seen.lost += not had and not answer.lost and not answer.refused
        return had

    monkeypatch.setattr(writer, "on_record", judged)
    monkeypatch.setattr(writer, "CALM", 0)
    return seen


async def check_log(store: PostgresStore, told: dict[str, int]) -> None:
    """Each call that was confirmed is there once, where it was said to be, and no other; the tree agrees."""
    entries = await store.entries(TENANT, limit=100_000)
    calls = [json.loads(entry.leaf).get("call", "") for entry in entries]
    assert {call: index for index, call in enumerate(calls) if call} == told
    assert len([call for call in calls if call]) == len(told)
    tree, _ = new_tile_nodes(Frontier(), [leaf_hash(entry.leaf) for entry in entries])
    assert await store.root(TENANT) == (tree.size, tree.root())


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
async def test_turns_that_were_taken_first_leave_no_line_in_the_servers_log(
    own_postgres: PostgresServer, turns: Turns, isolation: str
) -> None:
    """Of writers that all write all the time; and nothing is lost or counted twice. Whatever the server's own
    setting for transactions is.
    """
    own_postgres.ask(f"alter system set default_transaction_isolation = '{isolation}'")
    own_postgres.ask("select pg_reload_conf()")
    url = own_postgres.fresh()
    began = len(own_postgres.log.read_text())  # while it starts, it may tell those who ask too early
    stores = [opened_postgres(url, f"{number}") for number in range(3)]
    told: dict[str, int] = {}

    async def calls(store: PostgresStore, mine: str) -> None:
        for number in itertools.count():
            if turns.lost >= 60 and turns.had >= 60 and number >= 20:
                return
            name = f"call_{mine}_{number}"
            (told[name],) = (await store.commit(a_call(name, f"task_{mine}"))).indexes

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for number, store in enumerate(stores):
            for caller in range(2):
                group.create_task(calls(store, f"{number}_{caller}"))
    await check_log(stores[0], told)
    for number, caller in itertools.product(range(3), range(2)):
        task = f"task_{number}_{caller}"
        mine = [name for name in told if name.startswith(f"call_{number}_{caller}_")]
        assert (await stores[0].usage(TENANT, task)).calls == len(mine)
    for store in stores:
        await store.close()
    # A line is there before its answer.
    assert FAULTS.findall(own_postgres.log.read_text()[began:]) == []


async def test_a_batch_whose_turn_was_taken_is_judged_by_what_then_is_true(
    postgres: str, turns: Turns
) -> None:
    """Each unit of it: one that a fence now refuses, one whose budget the other has used up, one that goes
    on.
    """
    store, other = opened_postgres(postgres), opened_postgres(postgres, "other")
    few = 3
    await store.commit(a_call("call_own", "task_own", "scope:a"))
    await store.commit(a_call("call_shared", "task_shared", calls=few))
    await store.commit(a_call("call_again", "task_own", "scope:a"))
    await other.commit(a_call("call_of_other", "task_shared", calls=few))
    await other.commit(Unit((RaiseFence(TENANT, "scope:a"),), (an_event(),)))
    before = turns.lost
    answers = await asyncio.gather(
        store.commit(a_call("call_fenced", "task_own", "scope:a")),
        store.commit(a_call("call_third", "task_shared", calls=few)),
        store.commit(a_call("call_fourth", "task_shared", calls=few)),
        store.commit(a_call("call_free", "task_own", "scope:b")),
        return_exceptions=True,
    )
    assert turns.lost == before + 1
    fenced, third, fourth, free = answers
    assert isinstance(fenced, Fenced)
    assert isinstance(fourth, BudgetExhausted)
    told = {
        "call_own": 0,
        "call_shared": 1,
        "call_again": 2,
        "call_of_other": 3,
        "call_third": 5,
        "call_free": 6,
    }
    assert (third.indexes, free.indexes) == ((5,), (6,))  # type: ignore[union-attr]
    await check_log(store, told)
    assert (await other.usage(TENANT, "task_shared")).calls == few
    # And the next one goes as a whole again, over the same connection.
    had = turns.had
    assert (await store.commit(a_call("call_next", "task_own"))).indexes == (7,)
    assert turns.had == had + 1
    for one in (store, other):
        await one.close()


async def test_a_row_that_is_in_the_way_is_no_turn_that_was_lost(postgres: str, turns: Turns) -> None:
    """Nothing of its batch is there, callers are told, and calls go on once it is gone."""
    store = opened_postgres(postgres)
    await store.commit(a_call("call_0", "task_one"))
    await store.commit(a_call("call_1", "task_one"))
    with psycopg.connect(postgres, autocommit=True) as aside:
        aside.execute(
            "insert into remit.events select tenant, 2, kind, task, null, 0, leaf, leaf_hash, null, null"
            " from remit.events where idx = 0"
        )
        before = aside.execute("select * from remit.turns").fetchall()
        answers = await asyncio.gather(
            *(store.commit(a_call(f"call_{number}", "task_one")) for number in (2, 3)), return_exceptions=True
        )
        assert [type(one) for one in answers] == [StoreUnavailable] * 2
        assert aside.execute("select * from remit.turns").fetchall() == before
        aside.execute("delete from remit.events where idx = 2")
    assert turns.lost == 0
    assert (await store.usage(TENANT, "task_one")).calls == 2
    assert (await store.commit(a_call("call_4", "task_one"))).indexes == (2,)
    await check_log(store, {"call_0": 0, "call_1": 1, "call_4": 2})
    await store.close()


async def test_nodes_of_the_tree_are_there_once_whoever_took_the_turn(postgres: str, turns: Turns) -> None:
    """The batch that would have completed one found its turn taken, by one that completes it or does not."""
    stores = [opened_postgres(postgres, f"{number}") for number in range(2)]
    told: dict[str, int] = {}
    for number in range(520):
        # Now and then in a row, so that each place is met with a turn that was had, and one that was not.
        store = stores[number // (1 + number // 256) % 2]
        (told[f"call_{number}"],) = (await store.commit(a_call(f"call_{number}", "task_one"))).indexes
    assert turns.lost > 250
    await check_log(stores[0], told)
    with psycopg.connect(postgres) as aside:
        nodes = aside.execute("select level, idx from remit.nodes order by 1, 2").fetchall()
    assert nodes == [(8, 0), (8, 1)]
    for one in stores:
        await one.close()


class CountingProxy(DicingProxy):
    """Lets so many messages of one side through, then one goes astray."""

    def __init__(self, target: int, fate: Literal["before", "after", "within"], *, of_client: bool) -> None:
        self._side = threading.local()
        self._fate = fate
        self._of_client = of_client
        #: How many more to let through; nothing goes astray while it is below zero.
        self.left = -1
        super().__init__(target, "", longest_s=0.0)

    def _pass_on(self, one: socket.socket, other: socket.socket, from_client: bool) -> None:
        self._side.is_client = from_client
        super()._pass_on(one, other, from_client)

    def _thrown(self) -> tuple[str, float]:
        with self._lock:
            if self.left < 0 or self._side.is_client is not self._of_client:
                return "", 0.0
            self.left -= 1
            return (self._fate if self.left < 0 else "", 0.5)


@pytest.mark.parametrize(
    "meets",
    [
        "its turn",
        pytest.param("a turn that is gone", marks=pytest.mark.slow),
        "a place behind others",
        pytest.param("a place that is gone", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("fate", ["before", "after", "within"])
@pytest.mark.parametrize("side", ["client", "server"])
async def test_a_line_that_breaks_at_each_message_of_a_whole_changes_nothing(
    postgres: str,
    postgres_server: PostgresServer,
    turns: Turns,
    monkeypatch: pytest.MonkeyPatch,
    side: str,
    fate: Literal["before", "after", "within"],
    meets: str,
) -> None:
    """Of what the client sends and of what the server answers, one after the other: each call is on record
    once, at the place that its caller was told.
    """
    proxy = CountingProxy(postgres_server.port, fate, of_client=side == "client")
    url = postgres.replace(f":{postgres_server.port}/", f":{proxy.port}/") + "?sslmode=disable"
    store, other = opened_postgres(url), opened_postgres(postgres, "other")
    told: dict[str, int] = {}
    placed = meets.startswith("a place")
    monkeypatch.setattr(writer, "CALM", 8 if placed else 0)

    async def call(by: PostgresStore, name: str) -> None:
        task = "task_other" if placed and by is other else "task_one"
        (told[name],) = (await by.commit(a_call(name, task))).indexes

    await call(store, "call_first")
    messages = 0
    for number in itertools.count():
        if placed:
            await call(other, f"call_{number}_between")
        await call(store, f"call_{number}_before")
        had = turns.had
        await call(store, f"call_{number}_whole")
        assert placed or turns.had == had + 1  # all is prepared now
        if meets == "a turn that is gone" or placed:
            await call(other, f"call_{number}_other")
        if meets == "a place that is gone":
            await other.commit(Unit((RaiseFence(TENANT, "scope:elsewhere"),)))
        proxy.left, cuts = number, proxy.cuts
        await call(store, f"call_{number}")
        proxy.left = -1
        if proxy.cuts == cuts:
            break
        messages += 1
    assert messages >= 9
    await check_log(other, told)
    used = [(await other.usage(TENANT, task)).calls for task in ("task_one", "task_other")]
    assert sum(used) == len(told)
    for one in (store, other):
        await one.close()
    proxy.close()
