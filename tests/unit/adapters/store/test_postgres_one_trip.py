# SPDX-License-Identifier: Apache-2.0
"""Batches that memory alone can judge go to PostgreSQL as a whole, and what that must not change."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Literal

import msgspec
import psycopg
import pytest

from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.postgres.arrays import IntArray, blobs, ints, texts
from remit.adapters.store.postgres.commit_outcome import by_turn
from remit.adapters.store.postgres.loop_connection import Done, LoopConnection, Statement
from remit.adapters.store.postgres.replicas import PostgresFleet
from remit.adapters.store.postgres.session import PostgresSession, connect
from remit.adapters.store.postgres.store_claim import BEGIN
from remit.adapters.store.postgres.writer import CALM
from remit.core.errors import BudgetExhausted, Conflict, Fenced, StoreUnavailable
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.flow.stored_labels import StoredLabel
from remit.core.replicas.replica import Replica
from remit.core.scope import EVERYTHING
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import CheckFence, PutStoredLabel, PutTask, RaiseFence, TakeBudget
from remit.ports.store.units import Unit
from tests.faults.cutting_proxy import CuttingProxy
from tests.servers.postgres_server import PostgresServer
from tests.worlds.stores import opened_postgres
from tests.worlds.values import START, TENANT, WorldClock, a_permit, a_task, an_event, an_outcome

TASK = "task_one"


def a_call(number: int, task: str = TASK, budgets: Budgets | None = None) -> Unit:
    """What step 5 of a call commits."""
    takes = TakeBudget({task: budgets or Budgets()}, calls=1)
    return Unit((CheckFence({}, (EVERYTHING,)), takes), (a_permit(f"call_{number}", task),))


class Road:
    """Counts the transactions that went as a whole."""

    def __init__(self) -> None:
        self.whole = 0


@pytest.fixture
def road(monkeypatch: pytest.MonkeyPatch) -> Road:
    """See which way batches go."""
    seen, send = Road(), LoopConnection.send

    def sent(
        self: LoopConnection,
        loop: asyncio.AbstractEventLoop,
        session: PostgresSession,
        statements: Sequence[Statement],
        done: Done,
        *,
        within_s: float,
    ) -> None:
        seen.whole += statements[0] is BEGIN
        send(self, loop, session, statements, done, within_s=within_s)

    monkeypatch.setattr(LoopConnection, "send", sent)
    return seen


@pytest.fixture
def proxied(postgres: str, postgres_server: PostgresServer) -> Iterator[tuple[str, CuttingProxy]]:
    """A database behind a proxy, and the proxy."""
    proxy = CuttingProxy(postgres_server.port)
    yield postgres.replace(f":{postgres_server.port}/", f":{proxy.port}/") + "?sslmode=disable", proxy
    proxy.close()


@pytest.fixture
async def store(postgres: str) -> AsyncIterator[PostgresStore]:
    """A store in which the first call of the task was made."""
    store = opened_postgres(postgres)
    await store.commit(a_call(0))
    yield store
    await store.close()


async def test_calls_of_tasks_in_use_go_as_a_whole(store: PostgresStore, road: Road) -> None:
    """With what is behind the answer, and however many events complete a node of the tree."""
    for number in range(1, 41):
        calls = [store.commit(a_call(100 * number + n)) for n in range(4)]
        await asyncio.gather(*calls)
        await asyncio.gather(
            *(store.submit(Unit(events=(an_outcome(f"call_{100 * number + n}", TASK),))) for n in range(4))
        )
    assert road.whole >= 80
    assert await store.size(TENANT) == 1 + 2 * 160
    assert (await store.usage(TENANT, TASK)).calls == 161
    entries = await store.entries(TENANT, limit=1000, opened=True)
    assert [entry.index for entry in entries] == list(range(321))
    assert all(entry.opened for entry in entries if entry.kind == "decision.made")
    tree, _ = new_tile_nodes(Frontier(), [leaf_hash(entry.leaf) for entry in entries])
    assert await store.root(TENANT) == (tree.size, tree.root())


async def test_what_looks_at_tables_goes_the_long_way(store: PostgresStore, road: Road) -> None:
    """A task that is not in memory, a subject without a key, and a change that speaks SQL."""
    await store.commit(a_call(1, "task_two"))
    await store.commit(Unit(events=(a_permit("call_2", TASK, subject="somebody"),)))
    await store.commit(Unit((PutTask(a_task("task_three")),)))
    assert road.whole == 0
    await store.commit(a_call(2, "task_two"))
    assert road.whole == 1


async def test_each_unit_of_a_whole_stands_alone(store: PostgresStore, road: Road) -> None:
    """One is refused, the others are on record; and a batch of refusals alone is told as such."""
    few = Budgets(calls=2)
    told = await asyncio.gather(
        *(store.commit(a_call(number, budgets=few)) for number in range(1, 4)), return_exceptions=True
    )
    assert [type(one) for one in told[1:]] == [BudgetExhausted] * 2
    with pytest.raises(BudgetExhausted):
        await store.commit(a_call(9, budgets=few))
    assert road.whole == 2
    assert await store.size(TENANT) == 2


async def test_what_another_writer_has_ended_is_refused(
    postgres: str, store: PostgresStore, road: Road
) -> None:
    """The whole is refused by its turn, and judged again by what is true; nothing of it was there."""
    other = opened_postgres(postgres, "other")
    await store.commit(a_call(1))
    await other.commit(Unit((RaiseFence(TENANT, EVERYTHING),)))
    with pytest.raises(Fenced):
        await store.commit(a_call(2))
    assert road.whole == 2
    assert await store.size(TENANT) == 2
    assert (await store.usage(TENANT, TASK)).calls == 2
    await other.close()


async def test_a_writer_among_others_is_placed_behind_them(
    postgres: str, store: PostgresStore, road: Road
) -> None:
    """One batch meets the other's commit; from then on each goes as a whole, wherever the others are. No call
    is lost or counted twice, and the chain of its task goes on.
    """
    other = opened_postgres(postgres, "other")
    await other.commit(Unit(events=(an_event(),)))
    await store.commit(a_call(1))
    tried = road.whole
    told: list[int] = []
    for number in range(2 * CALM):
        await other.commit(Unit(events=(an_event(),)))
        told += (await store.commit(a_call(2 + number))).indexes
    assert road.whole == tried + 4 * CALM
    assert told == [4 + 2 * number for number in range(2 * CALM)]
    assert (await store.usage(TENANT, TASK)).calls == 2 * CALM + 2
    assert await store.size(TENANT) == 3 + 4 * CALM
    await other.close()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_whole_whose_answer_is_lost_is_on_record_once(
    proxied: tuple[str, CuttingProxy], road: Road, when: Literal["before", "after"]
) -> None:
    """If it was committed it is answered as such; if not, it never will be, and it is formed once more."""
    url, proxy = proxied
    store = opened_postgres(url)
    await store.commit(a_call(0))
    await store.commit(a_call(1))
    proxy.cut_at(b'"call":"call_2"', when)
    assert (await store.commit(a_call(2))).indexes == (2,)
    assert proxy.cuts == 1
    assert road.whole == 2
    assert (await store.commit(a_call(3))).indexes == (3,)
    assert (await store.usage(TENANT, TASK)).calls == 4
    assert await store.size(TENANT) == 4
    await store.close()
    await opened_postgres(url).close()


async def test_a_first_batch_that_may_yet_be_committed_is_not_told_as_lost(postgres: str) -> None:
    """Its row of turns is not visible yet: a query waits for it, as for any other."""
    await opened_postgres(postgres).close()
    first, session = connect(postgres, "first"), connect(postgres, "asks")
    first.run(f"begin; insert into turns values ('{TENANT}', 0, '', 0); update turns set turn = 1")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        by_turn(TENANT, 0, (0, b"hash"), "asks")(session)
    first.run("rollback")
    session.run("rollback")
    assert not by_turn(TENANT, 0, (0, b"hash"), "asks")(session)
    assert session.execute("select turn, writer from turns").fetchall() == [(1, "asks")]
    session.close()
    first.close()


async def test_a_buried_replica_commits_nothing_as_a_whole(postgres: str) -> None:
    """This holds also where no other replica has taken a turn since: the same statement checks the row."""
    store = opened_postgres(postgres)
    fleet = store.fleet(TENANT, WorldClock())
    me = Replica(id=store.writer, host="a", address="http://a", lease_s=30.0, joined=START)
    await fleet.join(me, lambda _: None)
    await store.commit(a_call(0))
    await store.commit(a_call(1))
    with psycopg.connect(postgres, autocommit=True) as aside:
        aside.execute("update remit.replicas set gone = 1")
    with pytest.raises(StoreUnavailable, match="taken over"):
        await store.commit(a_call(2))
    assert await store.size(TENANT) == 2
    await fleet.leave()
    await store.close()


async def test_a_lost_idle_connection_costs_no_call(proxied: tuple[str, CuttingProxy], road: Road) -> None:
    """The loop notices that it is gone, and the next batch has a new one."""
    url, proxy = proxied
    store = opened_postgres(url)
    for number in range(2):
        await store.commit(a_call(number))
    proxy.cut_off(True)
    proxy.cut_off(False)
    assert (await store.commit(a_call(2))).indexes == (2,)
    assert (await store.commit(a_call(3))).indexes == (3,)
    await store.close()


async def test_refused_statements_leave_the_short_way_open(store: PostgresStore, road: Road) -> None:
    """With a rollback the driver drops all that is prepared on the connection, ours too."""
    await store.commit(a_call(1))
    await store.commit(Unit((PutTask(a_task("task_two")),)))
    for _ in range(8):
        with pytest.raises(Conflict):
            await store.commit(Unit((PutTask(a_task("task_two")),)))
    whole = road.whole
    await store.commit(a_call(2))
    await store.commit(a_call(3))
    assert road.whole == whole + 2


def test_columns_are_what_the_server_reads(postgres: str) -> None:
    """Nulls, nothing, the bounds of a number, text of any script."""
    session = connect(postgres, "arrays")
    numbers, said, raw = (
        [1, None, -(2**63), 2**63 - 1],
        ["", "é", "\U0001f511", "a"],
        [b"", None, b"\0\xff", b"x"],
    )
    query = "select * from unnest(?::bigint[], ?::text[], ?::bytea[])"
    assert session.execute(query, (ints(numbers), texts(said), blobs(raw))).fetchall() == list(
        zip(numbers, said, raw, strict=True)
    )
    assert session.execute("select ?::bigint[]", (IntArray(ints([])),)).fetchone() == ([],)
    session.close()


async def reading_on_the_loop(store: PostgresStore, fleet: PostgresFleet) -> None:
    """Return when stored labels are read over a separate connection."""
    async with asyncio.timeout(60):
        while store._at_rest[0]._session is None:
            await fleet.stored_labels_since("files", 0)


async def test_what_lies_at_rest_is_read_as_of_the_question(postgres: str, store: PostgresStore) -> None:
    """By many at once, who share reads, and each sees what was committed before it asked."""
    fleet = store.fleet(TENANT, WorldClock())
    began = fleet.began
    assert (await fleet.stored_labels_since("files", began))[0] == []

    async def ask(number: int) -> None:
        name = f"files/{number}"
        await store.commit(
            Unit(
                (PutStoredLabel(StoredLabel(tenant=TENANT, upstream="files", resource=name, changed=START)),)
            )
        )
        found = await asyncio.gather(*(fleet.stored_labels_since("files", began) for _ in range(3)))
        for stored_labels, turn in found:
            assert name in {one.resource for one in stored_labels}
            assert turn > began

    await asyncio.gather(*(ask(number) for number in range(30)))
    _, turn = await fleet.stored_labels_since("files", began)
    assert await fleet.stored_labels_since("files", turn) == ([], turn)
    assert await fleet.stored_labels_since("mail", began) == ([], turn)


async def test_who_waits_for_what_lies_at_rest_is_told_when_the_store_is_closed(
    postgres: str, store: PostgresStore
) -> None:
    """This holds also while the server is silent: no caller waits for an answer that nothing reads."""
    other = opened_postgres(postgres, "other")
    await other.commit(Unit(events=(an_event(),)))
    fleet = other.fleet(TENANT, WorldClock())
    await reading_on_the_loop(other, fleet)
    with psycopg.connect(postgres) as aside:
        aside.execute("lock table remit.holdings")
        waiting = [asyncio.create_task(fleet.stored_labels_since("files", n)) for n in range(2)]
        await asyncio.sleep(0)
        await other.close()
        for one in waiting:
            with pytest.raises(StoreUnavailable, match="closed"):
                await asyncio.wait_for(one, 60)
    with pytest.raises(StoreUnavailable, match="closed"):
        await fleet.stored_labels_since("files", 0)


async def test_a_label_at_rest_that_cannot_be_read_is_told(postgres: str, store: PostgresStore) -> None:
    """As it is by way of a thread; those who ask afterwards are answered."""
    fleet = store.fleet(TENANT, WorldClock())
    await reading_on_the_loop(store, fleet)
    stored_label = StoredLabel(tenant=TENANT, upstream="files", resource="files/1", changed=START)
    await store.commit(Unit((PutStoredLabel(stored_label),)))
    with psycopg.connect(postgres, autocommit=True) as aside:
        aside.execute("update remit.holdings set body = '[]'")
    for _ in range(2):
        with pytest.raises(msgspec.ValidationError):
            await asyncio.wait_for(fleet.stored_labels_since("files", 0), 60)
    assert await fleet.stored_labels_since("mail", 10**6) == (
        [],
        (await fleet.stored_labels_since("mail", 0))[1],
    )


async def test_a_lost_connection_of_such_reads_costs_none(proxied: tuple[str, CuttingProxy]) -> None:
    """They go another way; where there is none, callers are told."""
    url, proxy = proxied
    store = opened_postgres(url)
    await store.commit(a_call(0))
    fleet = store.fleet(TENANT, WorldClock())
    for _ in range(3):
        await fleet.stored_labels_since("files", 0)
    proxy.cut_off(True)
    with pytest.raises(StoreUnavailable):
        await fleet.stored_labels_since("files", 0)
    proxy.cut_off(False)
    assert (await fleet.stored_labels_since("files", 0))[0] == []
    await store.close()
