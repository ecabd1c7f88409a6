# SPDX-License-Identifier: Apache-2.0
"""What the store on PostgreSQL adds to the port: one writer at a time, many that take turns, lost answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.postgres import session as postgres_session
from remit.adapters.store.postgres.reads import check_at, pins_at
from remit.core.errors import (
    BudgetExhausted,
    ChangedMeanwhile,
    ConfigInvalid,
    Conflict,
    Fenced,
    HeadMissing,
    Malformed,
    StoreUnavailable,
    VerificationFailed,
)
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.oauth.refresh_token import RefreshToken
from remit.core.scope import EVERYTHING
from remit.core.tasks.task import Budgets
from remit.ports.evidence.log import Head
from remit.ports.store.changes import (
    CheckFence,
    CheckUnlocked,
    CheckValue,
    Pin,
    PutPin,
    PutRefreshToken,
    PutTask,
    PutValue,
    RaiseFence,
    TakeBudget,
    Withdraw,
)
from remit.ports.store.units import Unit
from tests.servers.postgres_server import PASSWORD, PostgresServer
from tests.worlds.stores import opened_postgres
from tests.worlds.values import (
    START,
    TENANT,
    WorldClock,
    WorldEntropy,
    WorldSealingKeys,
    a_permit,
    a_task,
    an_event,
    an_outcome,
)


@pytest.fixture
async def two(postgres: str) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    """Two processes' stores in one database."""
    stores = opened_postgres(postgres, "first"), opened_postgres(postgres, "second")
    yield stores
    for store in stores:
        await store.close()


async def test_a_newer_schema_is_refused(postgres: str) -> None:
    """It stays as it is."""
    await opened_postgres(postgres).close()
    with psycopg.connect(postgres) as connection:
        connection.execute("insert into remit.schema_version values ('tables', 1000)")
    with pytest.raises(ConfigInvalid, match="version 1000"):
        opened_postgres(postgres)


async def test_a_database_that_cannot_hold_every_text_is_refused(postgres_server: PostgresServer) -> None:
    """Names are of any script."""
    postgres_server.ask("create database latin encoding 'LATIN1' locale 'C' template template0")
    with pytest.raises(StoreUnavailable, match="LATIN1"):
        opened_postgres(postgres_server.url("latin"))


@pytest.mark.parametrize("url", ["http://somewhere", f"postgresql://remit:{PASSWORD}@[/x"])
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigInvalid, match="not an address") as told:
        opened_postgres(url)
    assert PASSWORD not in str(told.value)
    assert url not in str(told.value)


def test_who_may_not_sign_in_is_told_what_would_help(postgres_server: PostgresServer) -> None:
    """And no password is in the message."""
    with pytest.raises(StoreUnavailable, match="right password") as told:
        opened_postgres(postgres_server.url(password="a-wrong-one"))
    assert "a-wrong-one" not in str(told.value) + told.value.debug
    with pytest.raises(StoreUnavailable, match="create the database"):
        opened_postgres(postgres_server.url("nowhere"))


@pytest.mark.parametrize(
    "damage",
    [
        "update remit.events set leaf = decode(repeat('00', 300), 'hex') where idx = 2",
        "delete from remit.events where idx = 1",
        "update remit.events set leaf_hash = decode(repeat('00', 32), 'hex') where idx = 3",
    ],
)
async def test_a_changed_leaf_at_the_end_of_the_log_stops_the_start(postgres: str, damage: str) -> None:
    """One byte, one row, one hash."""
    store = opened_postgres(postgres)
    for n in range(5):
        await store.commit(Unit(events=(a_permit(f"call_{n}"),)))
    await store.close()
    with psycopg.connect(postgres) as connection:
        connection.execute(damage.encode())
    for _ in range(2):  # the lock was released, so a second try can look again
        with pytest.raises(VerificationFailed):
            opened_postgres(postgres)


async def test_a_database_that_was_set_back_takes_nothing_more(postgres: str) -> None:
    """A copy that lacks commits, as after a fail-over that lost some, would lift fences."""
    store = opened_postgres(postgres)
    await store.commit(Unit(events=(an_event(),)))
    with psycopg.connect(postgres) as connection:
        connection.execute("update remit.turns set turn = turn - 1")
    with pytest.raises(StoreUnavailable, match="lacks committed"):
        await store.commit(Unit(events=(an_event(),)))
    await store.close()


async def test_a_zero_character_refuses_its_own_unit_alone(postgres: str) -> None:
    """PostgreSQL has no place for it in a name; the units beside it are committed."""
    store = opened_postgres(postgres)
    outcomes = await asyncio.gather(
        store.commit(Unit(events=(an_event(),))),
        store.commit(Unit(changes=(PutTask(a_task("task\0one")),))),
        store.commit(Unit(events=(an_event(task="task\0one"),))),
        store.commit(Unit(events=(a_permit("call_one", subject="some\0body"),))),
        store.commit(Unit(events=(an_event(facts={"said": "zero \0 character"}),))),
        return_exceptions=True,
    )
    assert [type(one) for one in outcomes if isinstance(one, BaseException)] == [Malformed] * 3
    assert await store.size(TENANT) == 2
    await store.close()


async def test_what_the_server_refuses_leaves_no_event(postgres: str) -> None:
    """It says so after the unit's other statements were sent; the units beside it are committed."""
    store = opened_postgres(postgres)
    expires = START + timedelta(hours=1)
    token = RefreshToken(tenant=TENANT, digest="one", family="f", made=START, expires=expires)
    outcomes = await asyncio.gather(
        store.commit(Unit((PutRefreshToken(token),), (an_event(facts={"n": 1}),))),
        store.commit(Unit((PutRefreshToken(token),), (an_event(facts={"n": 2}),))),
        store.commit(Unit(events=(an_event(facts={"n": 3}),))),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], Conflict)
    assert [json.loads(one.leaf)["facts"]["n"] for one in await store.entries(TENANT)] == [1, 3]
    await store.close()


async def test_a_fence_that_one_raises_refuses_at_the_other(two: tuple[PostgresStore, PostgresStore]) -> None:
    """In the same transaction in which the other would have permitted; so do locks and withdrawals."""
    one, other = two
    check = Unit(changes=(CheckFence({}, (EVERYTHING,)),), events=(an_event(),))
    await other.commit(check)
    await one.commit(Unit(changes=(RaiseFence(TENANT, EVERYTHING, locked=True),)))
    await one.commit(Unit(changes=(Withdraw(TENANT, "token_one", START, START),)))
    with pytest.raises(Fenced):
        await other.commit(check)
    with pytest.raises(Fenced, match="locked"):
        await other.commit(Unit(changes=(CheckUnlocked((EVERYTHING,)),), tenant=TENANT))
    assert other.epochs(TENANT) == {EVERYTHING: 1}
    assert "token_one" in other.withdrawn(TENANT)
    receipt = await other.commit(Unit(changes=(RaiseFence(TENANT, EVERYTHING, locked=False),)))
    assert receipt.epochs == {EVERYTHING: 2}
    await one.commit(Unit(changes=(CheckUnlocked((EVERYTHING,)),), tenant=TENANT))


async def test_two_writers_make_one_log_and_one_budget(two: tuple[PostgresStore, PostgresStore]) -> None:
    """Indexes without gaps, one tree, unbroken chains of each writer and each task, no call too many."""
    bounds = {f"task_{n}": Budgets(calls=25) for n in range(3)}

    async def call(store: PostgresStore, n: int) -> int:
        task = f"task_{n % 3}"
        take = TakeBudget({task: bounds[task]}, calls=1)
        name = f"call_{store.writer}_{n}"
        try:
            receipt = await store.commit(Unit((take,), (a_permit(name, task),)))
        except BudgetExhausted:
            return 0
        await store.submit(Unit(events=(an_outcome(name, task),)))
        return len(receipt.indexes)

    taken = await asyncio.gather(*(call(store, n) for n in range(60) for store in two))
    assert sum(taken) == 75
    for store in two:
        entries = await store.entries(TENANT, limit=1000)
        assert [entry.index for entry in entries] == list(range(150))
        tree, _ = new_tile_nodes(Frontier(), [leaf_hash(entry.leaf) for entry in entries])
        assert await store.root(TENANT) == (tree.size, tree.root())
        before: dict[str, str] = {}
        sequences: dict[str, int] = {}
        for entry in entries:
            record = json.loads(entry.leaf)
            assert record["prev"] == before.get(record["writer"], "")
            assert record["seq"] == sequences.get(record["writer"], 0)
            assert record["task_prev"] == before.get(record["task"], "")
            before[record["writer"]] = before[record["task"]] = entry.leaf_hash.hex()
            sequences[record["writer"]] = record["seq"] + 1
        assert len(sequences) == 2
        assert await store.unfinished(TENANT) == []
        assert len(await store.entries(TENANT, task="task_1", limit=1000)) == 50
        assert (await store.usage(TENANT, "task_1")).calls == 25


async def test_of_two_writers_that_have_seen_one_value_one_replaces_it(
    two: tuple[PostgresStore, PostgresStore],
) -> None:
    """This holds beside other commits; the event of the loser is in no log."""
    before = None
    for number in range(20):
        units = [
            Unit(
                (CheckValue(TENANT, "it", before), PutValue(TENANT, "it", f"{number} {name}")), (an_event(),)
            )
            for name in ("first", "second")
        ]
        others = [store.commit(Unit(events=(an_event(),))) for store in two for _ in range(3)]
        committing = [store.commit(unit) for store, unit in zip(two, units, strict=True)]
        *_, first, second = await asyncio.gather(*others, *committing, return_exceptions=True)
        assert [type(one) for one in (first, second)].count(ChangedMeanwhile) == 1
        before = f"{number} {'second' if isinstance(first, ChangedMeanwhile) else 'first'}"
        assert [await store.value(TENANT, "it") for store in two] == [before, before]
    assert len(await two[0].entries(TENANT, limit=1000)) == 20 * 7


async def test_a_writer_that_stops_in_its_turn_holds_the_others_up_for_seconds_only(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends an abandoned transaction, and nothing of it is kept."""
    store = opened_postgres(postgres)
    await store.commit(Unit(events=(an_event(),)))
    monkeypatch.setattr(postgres_session, "IDLE_IN_TRANSACTION_MS", 300)
    stopped = postgres_session.connect(postgres, "stopped")
    stopped.run("begin; select turn from turns for update; update turns set turn = turn + 5")
    assert (await store.commit(Unit(events=(an_event(),)))).indexes == (1,)
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        stopped.run("commit")
    stopped.close()
    await store.close()


async def test_a_key_that_one_forgets_is_used_by_none(two: tuple[PostgresStore, PostgresStore]) -> None:
    """The other had it in memory: what it seals afterwards is under a new one, and can be read."""
    one, other = two
    await other.commit(Unit(events=(a_permit("call_one", subject="person"),)))
    assert await one.forget(TENANT, "person")
    await other.commit(Unit(events=(a_permit("call_two", subject="person"),)))
    first, second = await one.entries(TENANT, opened=True)
    assert first.opened is None
    assert second.opened is not None


@pytest.mark.parametrize("grown", ["by as much", "by more"])
async def test_a_database_that_lost_commits_and_was_written_on_takes_nothing_more(
    postgres: str, grown: str
) -> None:
    """A count of turns that is as high again, or higher, does not make it what was read."""
    store = opened_postgres(postgres, "first")
    await store.commit(Unit(events=(an_event(),)))
    tables = ("turns", "events", "fences")
    with psycopg.connect(postgres, autocommit=True) as aside:
        for table in tables:
            aside.execute(f"create table kept_{table} as select * from remit.{table}")
        await store.commit(Unit((RaiseFence(TENANT, EVERYTHING),), (an_event(),)))
        for table in tables:
            aside.execute(f"delete from remit.{table}")
            aside.execute(f"insert into remit.{table} select * from kept_{table}")
    other = opened_postgres(postgres, "other")
    for _ in range(1 if grown == "by as much" else 3):
        await other.commit(Unit(events=(an_event(facts={"n": 2}),)))
    size = await other.size(TENANT)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="lacks committed transactions"):
            await store.commit(Unit(events=(an_event(),)))
    assert await other.size(TENANT) == size
    for one in (store, other):
        await one.close()


async def test_writers_take_turns_whatever_the_database_takes_for_isolation(postgres: str) -> None:
    """The database's own setting would refuse the second writer."""
    with psycopg.connect(postgres, autocommit=True) as aside:
        name = postgres.rsplit("/", 1)[1]
        aside.execute(f"alter database {name} set default_transaction_isolation = 'serializable'")
    stores = opened_postgres(postgres, "first"), opened_postgres(postgres, "second")
    units = [Unit(events=(an_event(task="task_one"),)) for _ in range(30)]
    for unit in units:
        await asyncio.gather(*(store.commit(unit) for store in stores))
    assert await stores[0].size(TENANT) == 60
    for store in stores:
        await store.close()


async def test_pins_are_read_while_others_write(postgres: str) -> None:
    """And of a database that holds no store, or is not there, there are none."""
    assert pins_at(postgres, TENANT) == []
    assert pins_at("postgresql://127.0.0.1:1/nowhere", TENANT) == []
    store = opened_postgres(postgres)
    surface: dict[str, Any] = {}
    pin = Pin(TENANT, "files/read", "a", surface, "a", surface)
    await store.commit(Unit((PutPin(pin),)))
    assert pins_at(postgres, TENANT) == [pin]
    await store.close()


async def test_a_look_refuses_events_of_which_no_head_is_kept(postgres: str) -> None:
    """As a start does: a shorter log could not be told from the true one."""
    check_at(postgres, TENANT, None)
    store = opened_postgres(postgres)
    check_at(postgres, TENANT, None)
    await store.commit(Unit(events=(an_event(),)))
    with pytest.raises(HeadMissing, match="signed head is missing"):
        check_at(postgres, TENANT, None)
    await store.close()


async def test_a_log_that_others_write_and_sign_meanwhile_was_not_set_back(postgres: str) -> None:
    """A replica that comes reads the head first: then the log that it reads has at least what was signed."""
    other = opened_postgres(postgres)
    await other.commit(Unit(events=(an_event(),)))

    class Signed:
        """The head as another replica keeps it: at each look it has just signed one event more."""

        def read(self, origin: str) -> Head:
            with ThreadPoolExecutor() as aside:
                aside.submit(asyncio.run, once_more()).result()
            return heads[-1]

        async def swap(self, origin: str, expected: Head | None, new: Head) -> None:
            raise AssertionError(origin)

    heads: list[Head] = []

    async def once_more() -> None:
        store = opened_postgres(postgres, seed=f"more-{len(heads)}")
        await store.commit(Unit(events=(an_event(),)))
        size, root = await store.root(TENANT)
        heads.append(Head(size=size, root=root, note=""))
        await store.close()

    late = PostgresStore.open(
        postgres,
        durability="durable",
        clock=WorldClock(),
        entropy=WorldEntropy("late"),
        sealing=WorldSealingKeys(),
        heads=Signed(),
    )
    assert await late.size(TENANT) == 1 + len(heads)
    for store in (other, late):
        await store.close()
