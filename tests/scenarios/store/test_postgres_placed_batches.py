# SPDX-License-Identifier: Apache-2.0
"""Writers of one PostgreSQL whose batches the server places behind each other's: what stops such a batch, and
what is on record of those that nothing stops.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator

import psycopg
import pytest

from remit.adapters.store.postgres import PostgresStore, writer
from remit.adapters.store.postgres.commit_outcome import by_leaf
from remit.adapters.store.postgres.loop_connection import Heard
from remit.adapters.store.postgres.placed_batch import place_of
from remit.adapters.store.postgres.session import connect
from remit.core.errors import BudgetExhausted, Fenced, StoreUnavailable
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.replicas.replica import Replica
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import CheckFence, RaiseFence, TakeBudget
from remit.ports.store.units import Unit
from tests.worlds.stores import opened_postgres
from tests.worlds.values import START, TENANT, WorldClock, a_permit, an_event, an_outcome


def a_call(name: str, task: str, *scopes: str, calls: int = 0, events: int = 1) -> Unit:
    """What step 5 of a call commits, and some outcomes with it."""
    budget = TakeBudget({task: Budgets(calls=calls) if calls else Budgets()}, calls=1)
    permit = a_permit(name, task, facts={"outcome": "permit"})
    return Unit(
        (CheckFence({}, scopes), budget), (permit, *(an_outcome(name, task) for _ in range(events - 1)))
    )


class Placed:
    """How many batches were placed, and how many found that something speaks against it."""

    def __init__(self) -> None:
        self.had = 0
        self.stopped = 0


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Placed:
    """See what becomes of batches that go to be placed."""
    seen = Placed()

    def judged(answer: Heard) -> tuple[int, int] | None:
        place = place_of(answer)
        seen.had += place is not None
        seen.stopped += place is None and not answer.lost and not answer.refused
        return place

    monkeypatch.setattr(writer, "place_of", judged)
    return seen


@pytest.fixture
async def other(postgres: str) -> AsyncIterator[PostgresStore]:
    """A second writer."""
    store = opened_postgres(postgres, "other")
    yield store
    await store.close()


@pytest.fixture
async def store(postgres: str, other: PostgresStore, places: Placed) -> AsyncIterator[PostgresStore]:
    """A writer among others, whose last batch was placed."""
    store = opened_postgres(postgres)
    for number in range(2):
        await other.commit(Unit(events=(an_event(),)))
        await store.commit(a_call(f"call_before_{number}", "task_one", "scope:a"))
    await other.commit(Unit(events=(an_event(),)))
    assert (await store.commit(a_call("call_placed", "task_one"))).indexes == (5,)
    assert (places.had, places.stopped) == (3, 0)
    yield store
    await store.close()


async def check_log(store: PostgresStore, size: int) -> list[dict[str, object]]:
    """The tree, the nodes and the chains of writers and tasks agree; return the leaves."""
    entries = await store.entries(TENANT, limit=100_000)
    assert [entry.index for entry in entries] == list(range(size))
    tree, _ = new_tile_nodes(Frontier(), [leaf_hash(entry.leaf) for entry in entries])
    assert await store.root(TENANT) == (tree.size, tree.root())
    leaves: list[dict[str, object]] = [json.loads(entry.leaf) for entry in entries]
    writers: dict[object, str] = {}
    tasks: dict[object, str] = {}
    for leaf, entry in zip(leaves, entries, strict=True):
        hashed = leaf_hash(entry.leaf).hex()
        assert leaf["prev"] == writers.get(leaf["writer"], "")
        assert leaf.get("task_prev", "") == tasks.get(leaf.get("task"), "")
        writers[leaf["writer"]] = hashed
        if "task" in leaf:
            tasks[leaf["task"]] = hashed
    return leaves


async def test_a_fence_that_another_writer_raised_stops_a_placed_batch(
    store: PostgresStore, other: PostgresStore, places: Placed
) -> None:
    """It is judged again, and only what the fence covers is refused."""
    await other.commit(Unit((RaiseFence(TENANT, "scope:a"),), (an_event(),)))
    fenced, free = await asyncio.gather(
        store.commit(a_call("call_fenced", "task_one", "scope:a")),
        store.commit(a_call("call_free", "task_one", "scope:b")),
        return_exceptions=True,
    )
    assert isinstance(fenced, Fenced)
    assert free.indexes == (7,)  # type: ignore[union-attr]
    assert places.stopped == 1
    await check_log(store, 8)


async def test_a_row_that_another_writer_changed_stops_a_placed_batch(
    store: PostgresStore, other: PostgresStore, places: Placed
) -> None:
    """A budget is taken once, and the chain of a task has one end, whichever replica writes of the task."""
    await other.commit(a_call("call_of_other", "task_one", calls=4))
    with pytest.raises(BudgetExhausted):
        await store.commit(a_call("call_fifth", "task_one", calls=4))
    assert places.stopped == 1
    await other.commit(Unit(events=(an_outcome("call_of_other", "task_one"),)))
    assert (await store.commit(Unit(events=(an_outcome("call_placed", "task_one"),)))).indexes == (8,)
    await check_log(store, 9)


async def test_a_buried_replica_places_nothing(postgres: str, store: PostgresStore, places: Placed) -> None:
    """Also where nothing else has changed since it last wrote."""
    fleet = store.fleet(TENANT, WorldClock())
    me = Replica(id=store.writer, host="a", address="http://a", lease_s=30.0, joined=START)
    await fleet.join(me, lambda _: None)
    with psycopg.connect(postgres, autocommit=True) as aside:
        aside.execute("update remit.replicas set gone = 1")
    with pytest.raises(StoreUnavailable, match="taken over"):
        await store.commit(a_call("call_late", "task_one"))
    assert places.stopped == 1
    await check_log(store, 6)
    await fleet.leave()


async def test_a_copy_that_lacks_a_known_event_is_not_continued(
    postgres: str, store: PostgresStore, places: Placed
) -> None:
    """Not even one that was written to since, further than this writer had come: it may lack a fence."""
    with psycopg.connect(postgres, autocommit=True) as aside:
        aside.execute("update remit.events set leaf_hash = '\\x00' where idx = 5")
        aside.execute("update remit.turns set turn = turn + 1")
    with pytest.raises(StoreUnavailable, match="lacks committed"):
        await store.commit(a_call("call_late", "task_one"))
    assert places.stopped == 1
    assert await store.size(TENANT) == 6


async def test_a_subject_that_another_writer_forgot_is_not_sealed_for(
    store: PostgresStore, other: PostgresStore, places: Placed
) -> None:
    """The key that this writer still has in memory is gone; what comes now is sealed under another."""
    assert await other.forget(TENANT, "lena")
    await store.commit(a_call("call_later", "task_one"))
    assert places.stopped == 1
    opened = {one.index: one.opened for one in await store.entries(TENANT, opened=True)}
    assert opened[6]
    assert not opened[5]


async def test_a_batch_that_was_not_placed_never_will_be(
    postgres: str, store: PostgresStore, places: Placed
) -> None:
    """It may lie unread before the server while its outcome is looked up."""
    session = connect(postgres, "asks")
    assert by_leaf(TENANT, (6, b"no such leaf"), "asks")(session) is None
    assert by_leaf(TENANT, (4, leaf_hash((await store.entries(TENANT))[5].leaf)), "asks")(session) == 5
    session.close()
    await store.commit(a_call("call_next", "task_one"))
    assert places.stopped == 1
    await check_log(store, 7)


async def test_the_low_water_mark_stays_below_calls_of_others_that_are_not_read_yet(
    postgres: str, places: Placed, other: PostgresStore
) -> None:
    """A start reads the open calls from there on."""
    store = opened_postgres(postgres)
    for number in range(2):
        await other.commit(a_call(f"call_other_{number}", "task_other", events=2))
        await store.commit(a_call(f"call_{number}", "task_one", events=2))
    had = places.had
    (still_open,) = (await other.commit(a_call("call_open", "task_other"))).indexes
    for number in range(2, 4):
        await store.commit(a_call(f"call_{number}", "task_one", events=2))
    assert places.had == had + 3
    with psycopg.connect(postgres) as aside:
        low = aside.execute("select min(open_from) from remit.events where idx > %s", (still_open,))
        assert low.fetchone() <= (still_open,)  # type: ignore[operator]
    again = opened_postgres(postgres, "again")
    assert [one.call for one in await again.unfinished(TENANT)] == ["call_open"]
    await again.close()
    await store.close()


async def test_who_asks_for_open_calls_beside_a_call_learns_those_of_others(
    store: PostgresStore, other: PostgresStore
) -> None:
    """Such a batch is not placed, because it would read nothing."""
    await other.commit(a_call("call_open", "task_other"))
    _, found = await asyncio.gather(store.commit(a_call("call_beside", "task_one")), store.unfinished(TENANT))
    assert "call_open" in {one.call for one in found}


async def test_a_mark_names_the_block_in_which_its_event_is(
    postgres: str, store: PostgresStore, other: PostgresStore
) -> None:
    """Others have filled the block that this writer knows; a search skips blocks without a mark."""
    for _ in range(6):
        await other.commit(Unit(events=(an_event(),) * 180))
    (index,) = (await store.commit(Unit(events=(an_event(facts={"class": "public"}),)))).indexes
    assert index > 1024
    with psycopg.connect(postgres) as aside:
        marks = aside.execute("select block from remit.data_blocks where mark = 'class:public'").fetchall()
    assert marks == [(1,)]


def check_rows(postgres: str, leaves: list[dict[str, object]], told: dict[str, int]) -> set[str]:
    """Nodes, blocks, low-water marks and the events of each task agree with the leaves; return open calls."""
    size = len(leaves)
    with psycopg.connect(postgres) as aside:
        nodes = aside.execute("select level, idx from remit.nodes order by 1, 2").fetchall()
        blocks = aside.execute("select block from remit.data_blocks where mark = '' order by 1").fetchall()
        low = aside.execute("select idx, open_from from remit.events order by idx").fetchall()
        tasks = aside.execute("select idx, task, task_before from remit.events order by idx").fetchall()
    last: dict[str, int] = {}
    for index, task, before in tasks:
        assert not task or before == last.get(task)
        last[task] = index
    assert nodes == [(8, index) for index in range(size // 256)]
    assert blocks == [(block,) for block in range(1 + (size - 1) // 1024)]
    kinds = Counter((leaf.get("call"), leaf["kind"]) for leaf in leaves)
    left = {name: index for name, index in told.items() if not kinds[name, "tool.called"]}
    assert all(
        open_from <= min([one for one in left.values() if one <= index], default=size)
        for index, open_from in low
    )
    return set(left)


async def test_many_writers_are_placed_around_each_other(postgres: str, places: Placed) -> None:
    """Across tiles of the tree and blocks of the log, with calls that stay open, while scopes are ended: each
    event is where its caller was told, nothing is permitted after its end, and a new start reads the same.
    """
    stores = [opened_postgres(postgres, f"writer {number}") for number in range(3)]
    told: dict[str, int] = {}
    ended: dict[str, int] = {}
    dice = random.Random(7)
    scopes = [f"scope:{number}" for number in range(40)]
    refused = 0

    async def calls(store: PostgresStore, mine: str) -> None:
        nonlocal refused
        for number in range(140):
            if number % 40 == 20 and mine.endswith("_0"):
                await end(store, scopes[len(ended)])
            name, scope = f"call_{mine}_{number}", dice.choice(scopes)
            unit = a_call(name, f"task_{mine}", scope, events=dice.randint(1, 3))
            try:
                told[name] = (await store.commit(unit)).indexes[0]
            except Fenced:
                refused += 1
            else:
                assert scope not in ended or told[name] < ended[scope]

    async def end(store: PostgresStore, scope: str) -> None:
        ended[scope] = 1 << 60
        fence = Unit((RaiseFence(TENANT, scope),), (an_event(facts={"scope": scope}),))
        ended[scope] = (await store.commit(fence)).indexes[0]

    async with asyncio.timeout(240), asyncio.TaskGroup() as group:
        for number, store in enumerate(stores):
            for caller in range(2):
                group.create_task(calls(store, f"{number}_{caller}"))
    size = await stores[0].size(TENANT)
    leaves = await check_log(stores[0], size)
    assert size > 1024
    assert places.had > 100
    assert refused
    first: dict[object, int] = {}
    for index, leaf in enumerate(leaves):
        first.setdefault(leaf.get("call", ""), index)
    assert all(first[name] == index for name, index in told.items())
    left = check_rows(postgres, leaves, told)
    again = opened_postgres(postgres, "again")
    found = {one.call for one in await again.unfinished(TENANT)}
    assert found == left
    for store in stores:
        assert {one.call for one in await store.unfinished(TENANT)} == found
        await store.close()
    await again.close()
