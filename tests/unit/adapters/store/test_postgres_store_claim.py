# SPDX-License-Identifier: Apache-2.0
"""A batch as one statement: all of it is there or nothing, and a turn that was taken first is no fault."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest

from remit.adapters.store.postgres.commit_outcome import by_turn
from remit.adapters.store.postgres.loop_connection import Heard, LoopConnection, Statement
from remit.adapters.store.postgres.session import PostgresSession, connect
from remit.adapters.store.postgres.store_claim import StoreClaim, on_record, whole
from remit.adapters.store.relational.inserts import COUNTERS, DATA_BLOCKS, EVENTS, HISTORY, NODES, Table
from tests.worlds.stores import opened_postgres
from tests.worlds.values import TENANT

KNOWN = StoreClaim(TENANT, 7, "me", "", "before")

Dial = Callable[[], PostgresSession]


def events(*indexes: int) -> list[Any]:
    """Rows of events."""
    return [
        one
        for index in indexes
        for one in (
            TENANT,
            index,
            "decision.made",
            "task_one",
            None,
            0,
            b"leaf",
            b"%032d" % index,
            None,
            None,
        )
    ]


def tables(
    events: list[Any], counters: list[Any], history: list[Any], nodes: list[Any], marks: Sequence[Any] = ()
) -> tuple[tuple[Table, list[Any]], ...]:
    """The rows of each table."""
    flat = (events, counters, history, list(marks), nodes)
    return tuple(zip((EVENTS, COUNTERS, HISTORY, DATA_BLOCKS, NODES), flat, strict=True))


def batch(claim: StoreClaim, index: int = 3) -> Sequence[Statement]:
    """Two events, of a task that has a row of counters and of one that has none, and a node."""
    counters = [TENANT, "task_one", 9, 0, 0, index, TENANT, "task_two", 1, 0, 0, index + 1]
    nodes = [TENANT, 8, index, b"node"]
    marks = [TENANT, "class:public", index]
    return whole(claim, tables(events(index, index + 1), counters, [], nodes, marks))


class Writing:
    """Sends statements as a writer does."""

    def __init__(self, session: PostgresSession) -> None:
        self.session = session
        self._line = LoopConnection()

    async def sent(self, statements: Sequence[Statement]) -> Heard:
        """Return what the server made of them."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Heard] = loop.create_future()
        self._line.send(loop, self.session, statements, answered.set_result, within_s=30)
        return await asyncio.wait_for(answered, 30)

    def close(self) -> None:
        """Let go of the connection, and close it."""
        self._line.let_go()
        self.session.close()


@pytest.fixture
async def dial(postgres: str) -> Dial:
    """Opens connections to a database in which the turn was taken seven times."""
    await opened_postgres(postgres).close()
    with psycopg.connect(postgres) as aside:
        aside.execute("set search_path = remit")
        aside.execute("insert into turns values (%s, 7, 'before', 0)", (TENANT,))
        aside.execute("insert into counters values (%s, 'task_one', 8, 0, 0, 2)", (TENANT,))
        aside.execute("insert into replicas values (%s, 'buried', 0, 1, '')", (TENANT,))
        aside.execute("insert into replicas values (%s, 'alive', 0, 0, '')", (TENANT,))
    return lambda: connect(postgres, "remit writer_of_the_test")


@pytest.fixture
def aside(dial: Dial) -> Iterator[PostgresSession]:
    """Who looks, and who comes first."""
    session = dial()
    yield session
    session.close()


@pytest.fixture
async def writing(dial: Dial) -> AsyncIterator[Writing]:
    """The incarnation under whose name this writer commits."""
    one = Writing(dial())
    yield one
    one.close()


def all_of(aside: PostgresSession) -> list[Any]:
    """What is in the tables that a batch writes."""
    tables = ("(select tenant, turn, writer, forgot from turns) t", "events", "counters", "nodes")
    return [aside.execute(f"select * from {one} order by 1, 2, 3").fetchall() for one in tables]


def taken(aside: PostgresSession, index: int = 3) -> bool:
    """Whether a batch is there, whole; fails where a part of it is."""
    turn, found, counters, nodes = all_of(aside)
    parts = {
        turn == [(TENANT, 8, "me", 0)],
        [row[1] for row in found] == [index, index + 1],
        counters == [(TENANT, "task_one", 9, 0, 0, index), (TENANT, "task_two", 1, 0, 0, index + 1)],
        nodes == [(TENANT, 8, index, b"node")],
    }
    assert len(parts) == 1
    return True in parts


async def waiting(aside: PostgresSession) -> None:
    """Return when a session waits for a lock in this database."""
    query = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(30):
        while aside.execute(query).fetchone() is None:  # noqa: ASYNC110 - the server sends no event
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("claim", [KNOWN, KNOWN._replace(member="alive")], ids=["alone", "replica"])
async def test_a_turn_that_is_the_known_one_takes_everything(
    writing: Writing, aside: PostgresSession, claim: StoreClaim
) -> None:
    """Counters that are there are replaced, others made; and each combination of tables can be written."""
    assert on_record(await writing.sent(batch(claim)))
    assert taken(aside)
    nodes = [TENANT, 8, 9, b"node"]
    counters = [TENANT, "task_three", 1, 0, 0, 5]
    history = [TENANT, "task_three", "", "sent", "", "", 1, 0]
    some: list[tuple[list[Any], ...]] = [
        ([], [], [], []),
        (events(5), [], [], []),
        (events(6), [], history, nodes),
        (events(7), counters, history, []),
    ]
    for turn, rows in enumerate(some, 8):
        assert on_record(await writing.sent(whole(claim._replace(turn=turn, taker="me"), tables(*rows))))
    turns, found, counted, grown = map(len, all_of(aside))
    assert (turns, found, counted, grown) == (1, 5, 3, 2)
    assert aside.execute("select amount from history").fetchall() == [(2,)]


@pytest.mark.parametrize(
    "claim",
    [
        KNOWN._replace(turn=6),
        KNOWN._replace(turn=8),
        KNOWN._replace(taker="another"),
        KNOWN._replace(taker=""),
        KNOWN._replace(member="buried"),
        KNOWN._replace(member="never there"),
        KNOWN._replace(tenant="another"),
    ],
    ids=["moved on", "copy behind", "copy written on", "by nobody", "buried", "no replica", "no tenant"],
)
async def test_what_does_not_hold_takes_nothing_and_is_no_fault(
    writing: Writing, aside: PostgresSession, claim: StoreClaim
) -> None:
    """The connection is as it was: the next batch goes over it at once."""
    before = all_of(aside)
    answer = await writing.sent(batch(claim))
    assert not on_record(answer)
    assert (answer.refused, answer.lost) == (b"", False)
    assert all_of(aside) == before
    assert on_record(await writing.sent(batch(KNOWN)))
    assert taken(aside)


@pytest.mark.parametrize(
    ("meanwhile", "end", "takes"),
    [
        ("update turns set turn = 8, writer = 'first'", "commit", False),
        ("update turns set turn = 8, writer = 'first'", "rollback", True),
        ("update turns set writer = 'first'", "commit", False),
        ("update turns set forgot = 0", "commit", True),
        ("select 1 from turns for update", "commit", True),
        ("delete from turns", "commit", False),
        ("update replicas set gone = 1 where id = 'alive'; update turns set turn = 8", "commit", False),
        ("update replicas set gone = 1 where id = 'alive'; update turns set turn = 8", "rollback", True),
        ("update turns set turn = 8; update turns set turn = 7", "commit", True),
    ],
)
async def test_who_waited_for_its_turn_goes_by_what_it_finds_then(
    writing: Writing, aside: PostgresSession, dial: Dial, meanwhile: str, end: str, takes: bool
) -> None:
    """Nothing was touched while it waited, and what it then does it does once."""
    first = dial()
    first.run(f"begin; {meanwhile}")
    answer = asyncio.create_task(writing.sent(batch(KNOWN._replace(member="alive"))))
    await waiting(aside)
    # A row of the batch that was there, seen or not, would have to be waited for.
    aside.run(
        "begin; set local lock_timeout = 100;"
        f"insert into events values ('{TENANT}', 3, '', '', null, 0, '', '', null, null);"
        f"insert into counters values ('{TENANT}', 'task_two', 0, 0, 0, 0);"
        f"update counters set calls = 0; insert into nodes values ('{TENANT}', 8, 3, ''); rollback"
    )
    first.run(end)
    assert on_record(await answer) is takes
    assert (await answer).refused == b""
    if takes:
        assert taken(aside)
    else:
        assert all_of(aside)[1:] == [[], [(TENANT, "task_one", 8, 0, 0, 2)], []]
    first.close()


async def test_of_many_who_want_one_turn_one_takes_it(dial: Dial, aside: PostgresSession) -> None:
    """However they meet; the others find nothing to do."""
    writers = [Writing(dial()) for _ in range(6)]
    taker = "before"
    for turn in range(7, 27):
        claims = [StoreClaim(TENANT, turn, f"writer_{turn}_{number}", "alive", taker) for number in range(6)]
        index = 10 * turn
        answers = await asyncio.gather(
            *(
                one.sent(
                    whole(claim, tables(events(index, index + 1), [], [], [TENANT, 8, index, b"%d" % number]))
                )
                for number, (one, claim) in enumerate(zip(writers, claims, strict=True))
            )
        )
        winners = [number for number, answer in enumerate(answers) if on_record(answer)]
        assert len(winners) == 1
        assert [answer.refused for answer in answers] == [b""] * 6
        taker = claims[winners[0]].writer
        turns, found, _, nodes = all_of(aside)
        assert turns == [(TENANT, turn + 1, taker, 0)]
        assert [row[1] for row in found][-2:] == [index, index + 1]
        assert nodes[-1] == (TENANT, 8, index, b"%d" % winners[0])
    assert len(all_of(aside)[1]) == 40
    for one in writers:
        one.close()


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ((events(3, 3), [], [], []), b"23505"),
        ((events(3, 100), [TENANT, "task_two", 1, 0, 0, 3], [], []), b"23505"),
        ((events(3), [TENANT, "task_one", 9, 0, 0, 3] * 2, [], []), b"21000"),
        ((events(3), [TENANT, "task_two", 1, 0, 0, 3], [], [TENANT, 8, 100, b"node"]), b"23505"),
        ((events(3), [TENANT, "zero \0", 1, 0, 0, 3], [], []), b"22021"),
        ((events(3), [TENANT, "task_two", None, 0, 0, 3], [], []), b"23502"),
    ],
    ids=["event twice", "event there", "counters twice", "node there", "no text", "null"],
)
async def test_a_row_that_is_refused_refuses_the_turn_with_it(
    writing: Writing, aside: PostgresSession, rows: tuple[list[Any], ...], state: bytes
) -> None:
    """With the state of its fault, which a turn that was taken first has not."""
    aside.execute(
        "insert into events values (?, 100, 'a', 'b', null, 0, '\\x00', '\\x00', null, null)", (TENANT,)
    )
    aside.execute("insert into nodes values (?, 8, 100, '\\x00')", (TENANT,))
    before = all_of(aside)
    answer = await writing.sent(whole(KNOWN, tables(*rows)))
    assert not on_record(answer)
    assert answer.refused == state
    assert all_of(aside) == before
    # Of a turn that is gone nothing is looked at: what would be refused is none either.
    writing.session.run("rollback")
    if state[:2] == b"23":
        answer = await writing.sent(whole(KNOWN._replace(turn=6), tables(*rows)))
        assert (on_record(answer), answer.refused) == (False, b"")
    assert all_of(aside) == before


async def test_a_batch_that_was_not_committed_never_will_be(writing: Writing, aside: PostgresSession) -> None:
    """It may lie before a server that has not read it yet. Its turn is taken before it is told as lost, and
    under the same name: that the turn is this writer's says nothing.
    """
    assert not by_turn(TENANT, 7, (3, b"%032d" % 3), "me")(aside)
    assert all_of(aside)[0] == [(TENANT, 8, "me", 0)]
    answer = await writing.sent(batch(KNOWN))
    assert (on_record(answer), answer.refused) == (False, b"")
    assert all_of(aside)[1:] == [[], [(TENANT, "task_one", 8, 0, 0, 2)], []]


async def test_who_asks_for_a_batch_that_waits_for_its_turn_is_told_what_becomes_true(
    writing: Writing, aside: PostgresSession, dial: Dial
) -> None:
    """Whichever of the two comes first, what is said is what is on record."""
    for turn in range(7, 19):
        claim = StoreClaim(TENANT, turn, "me", "", "before" if turn == 7 else "me")
        holder, asker = dial(), dial()
        holder.run("begin; select 1 from turns for update")
        index = 10 * turn
        first = (index, b"%032d" % index)

        def ask(asker: PostgresSession = asker, turn: int = turn, first: tuple[int, bytes] = first) -> bool:
            while True:
                try:
                    return by_turn(TENANT, turn, first, "me")(asker)
                except psycopg.errors.LockNotAvailable:
                    asker.run("rollback")

        both = [asyncio.to_thread(ask), writing.sent(batch(claim, index))]
        tasks = [asyncio.ensure_future(one) for one in (both if turn % 2 else reversed(both))]
        asked, answer = tasks if turn % 2 else reversed(tasks)
        await waiting(aside)
        holder.run("commit")
        said = await asked
        assert on_record(await answer) is said
        assert (aside.execute("select 1 from events where idx = ?", (index,)).fetchone() is not None) is said
        assert all_of(aside)[0] == [(TENANT, turn + 1, "me", 0)]
        holder.close()
        asker.close()


async def test_an_end_that_says_nothing_of_a_turn_is_no_record(writing: Writing) -> None:
    """Only both words together are: the row of the turn, and COMMIT."""
    begin, take, commit = batch(KNOWN)
    assert not on_record(await writing.sent([begin, commit]))
    assert not on_record(await writing.sent([begin, take, ("rollback", (), False)]))
    assert not on_record(await writing.sent([take]))
    nothing = await writing.sent([begin, take, commit])
    assert not on_record(nothing)
    assert nothing.results[-1].command_status == b"COMMIT"
