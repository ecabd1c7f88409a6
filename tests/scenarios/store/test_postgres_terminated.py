# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL ends connections under load, on the loop that remit is served with: no caller waits for ever.

Every class of connection is in use: the one that batches go over, from the loop and from its thread, those
that read, the one that reads stored labels, and the fleet's, over which the lease is renewed.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import psycopg
import pytest
import uvloop

from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.postgres.replicas import PostgresFleet
from remit.core.errors import RemitError
from remit.core.replicas.replica import Replica
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import PutTask, TakeBudget
from remit.ports.store.replicas import FleetSight
from remit.ports.store.units import Receipt, Unit
from remit.services.replicas.replica_lease import RENEWALS
from tests.servers.postgres_server import PostgresServer
from tests.worlds.stores import opened_postgres
from tests.worlds.values import START, TENANT, WorldClock, a_permit, a_task, an_outcome

CALLERS = 8
LEASE_S = 1.0


class Use:
    """One way to use the store, again and again; counts how often it was answered, and how often refused."""

    def __init__(self, once: Callable[[int], Awaitable[object]], pause_s: float = 0.0) -> None:
        self._once = once
        self._pause_s = pause_s
        self._number = 0
        self.answered = self.refused = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self._number += 1
            try:
                await self._once(self._number)
                self.answered += 1
            except RemitError:
                self.refused += 1
                await asyncio.sleep(0.01)
            await asyncio.sleep(self._pause_s)


class Busy:
    """A store that is used in every way."""

    def __init__(self, store: PostgresStore, fleet: PostgresFleet) -> None:
        self.store = store
        self.fleet = fleet
        self.permitted: set[str] = set()
        self.uses = {f"calls of {me}": Use(self._caller(me)) for me in range(CALLERS)}
        self.uses |= {
            "tables": Use(self._table, 0.01),
            "reads": Use(lambda _: store.agents(TENANT)),
            "labels at rest": Use(lambda _: fleet.stored_labels_since("files", 0)),
            "the lease": Use(self._renew, LEASE_S / RENEWALS / 4),
        }

    def _caller(self, me: int) -> Callable[[int], Awaitable[object]]:
        async def call(number: int) -> None:
            task, name = f"task_{me}", f"call_{me}_{number}"
            take = TakeBudget({task: Budgets()}, calls=1)
            await self.store.commit(Unit((take,), (a_permit(name, task),)))
            self.permitted.add(name)
            self.store.submit(Unit(events=(an_outcome(name, task),))).add_done_callback(_done)

        return call

    async def _table(self, number: int) -> None:
        await self.store.commit(Unit((PutTask(a_task(f"made_{number}")),)))

    async def _renew(self, _: int) -> None:
        self.fleet.check()
        await self.fleet.renew()

    async def goes_on(self, what: object) -> None:
        """Wait until every use was answered again: who waits for good is found."""
        wanted = {name: use.answered + 2 for name, use in self.uses.items()}
        try:
            async with asyncio.timeout(60):
                while any(self.uses[name].answered < count for name, count in wanted.items()):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            stuck = [name for name, count in wanted.items() if self.uses[name].answered < count]
            pytest.fail(f"after {what} nobody answers {stuck}")


def _done(future: "asyncio.Future[Receipt]") -> None:
    if not future.cancelled():
        future.exception()


def terminated(url: str, dice: random.Random) -> str:
    """End some connections of remit, or all of them."""
    with psycopg.connect(url, autocommit=True) as aside:
        found = aside.execute(
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchall()
        pids = [pid for (pid,) in found]
        some = dice.sample(pids, dice.randint(1, len(pids))) if pids else []
        for pid in some:
            aside.execute("select pg_terminate_backend(%s)", (pid,))
    return f"{len(some)} of {len(pids)} were ended"


async def rounds(server: PostgresServer, seed: int, count: int) -> None:
    """End connections so many times, and now and then start the server again."""
    dice, url = random.Random(seed), server.fresh()
    store = opened_postgres(url)
    fleet = store.fleet(TENANT, WorldClock())
    seen: list[FleetSight] = []
    await fleet.join(Replica(id=store.writer, host="here", joined=START, lease_s=LEASE_S), seen.append)
    busy = Busy(store, fleet)
    running = [asyncio.create_task(use.run()) for use in busy.uses.values()]
    await busy.goes_on("the beginning")
    for number in range(count):
        what = "a restart"
        if dice.randrange(4) == 0:
            await asyncio.to_thread(server.stop, dice.choice(("at once", "killed")))
            await asyncio.to_thread(server.start)
        else:
            what = await asyncio.to_thread(terminated, url, dice)
        await busy.goes_on(f"round {number} of {seed}: {what}")
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    entries = await store.entries(TENANT, limit=10**6, kinds=("decision.made",))
    assert len({entry.leaf for entry in entries}) == len(entries) >= len(busy.permitted)
    await fleet.leave()
    await store.close()


def test_no_connection_that_the_server_ends_is_waited_for(own_postgres: PostgresServer) -> None:
    """Whichever it is, and whatever was under way."""
    uvloop.run(rounds(own_postgres, seed=1, count=6))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_none_is_waited_for_in_many_rounds(own_postgres: PostgresServer, seed: int) -> None:
    """Two hundred times."""
    uvloop.run(rounds(own_postgres, seed, 200))
