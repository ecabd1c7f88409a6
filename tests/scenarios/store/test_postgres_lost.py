# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL goes away under load and comes back: calls are refused meanwhile, and nothing is lost."""

import asyncio
import json
from typing import Literal

import pytest

from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.postgres import reads as postgres_reads
from remit.adapters.store.postgres import writer as postgres_writer
from remit.core.errors import StoreUnavailable
from remit.core.evidence.merkle import Frontier, leaf_hash, new_tile_nodes
from remit.core.scope import EVERYTHING
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import RaiseFence, TakeBudget
from remit.ports.store.units import Unit
from tests.servers.postgres_server import PostgresServer
from tests.worlds.stores import opened_postgres
from tests.worlds.values import TENANT, a_permit, an_event, an_outcome

CALLERS = 16


class Load:
    """Callers that go on calling, whatever they are told, and remember what they were told."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.permitted: list[tuple[str, str]] = []
        self.refused = 0
        self.epoch = 0
        self._going = True

    async def _caller(self, me: int) -> None:
        task, n = f"task_{me}", 0
        while self._going:
            n += 1
            call = f"call_{me}_{n}"
            take = TakeBudget({task: Budgets()}, calls=1)
            try:
                await self.store.commit(Unit((take,), (a_permit(call, task),)))
                self.permitted.append((call, task))
                await self.store.submit(Unit(events=(an_outcome(call, task),)))
                if me == 0 and n % 10 == 0:
                    receipt = await self.store.commit(Unit((RaiseFence(TENANT, EVERYTHING),)))
                    self.epoch = receipt.epochs[EVERYTHING]
            except StoreUnavailable:
                self.refused += 1
                await asyncio.sleep(0.01)

    def start(self) -> None:
        """Begin to call."""
        self._tasks = [asyncio.create_task(self._caller(me)) for me in range(CALLERS)]

    async def stop(self) -> None:
        """Call no more."""
        self._going = False
        await asyncio.gather(*self._tasks)

    async def until_permitted(self, more: int) -> None:
        """Wait until so many more calls were permitted."""
        wanted = len(self.permitted) + more
        async with asyncio.timeout(60):
            while len(self.permitted) < wanted:  # noqa: ASYNC110 - they say nothing when they are
                await asyncio.sleep(0.01)

    async def until_refused(self, more: int) -> None:
        """Wait until so many more calls were refused."""
        wanted = self.refused + more
        async with asyncio.timeout(60):
            while self.refused < wanted:  # noqa: ASYNC110 - they say nothing when they are
                await asyncio.sleep(0.01)


async def check_whole(load: Load) -> None:
    """Every permit that was told is in the log, once; the log is one tree, and its chains are unbroken."""
    store = load.store
    entries = await store.entries(TENANT, limit=10**6)
    assert [entry.index for entry in entries] == list(range(len(entries)))
    tree, _ = new_tile_nodes(Frontier(), [leaf_hash(entry.leaf) for entry in entries])
    assert await store.root(TENANT) == (tree.size, tree.root())
    before: dict[str, str] = {}
    permits: list[tuple[str, str]] = []
    for entry in entries:
        record = json.loads(entry.leaf)
        assert record["prev"] == before.get(record["writer"], "")
        task = record.get("task", "")
        assert not task or record["task_prev"] == before.get(task, "")
        before[record["writer"]] = before[task] = entry.leaf_hash.hex()
        if entry.kind == "decision.made":
            permits.append((record["call"], record["task"]))
    assert len(permits) == len(set(permits))
    assert set(load.permitted) <= set(permits)
    assert store.epochs(TENANT).get(EVERYTHING, 0) >= load.epoch
    for task in {task for _, task in permits}:
        assert (await store.usage(TENANT, task)).calls == sum(other == task for _, other in permits)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["at once", "killed"])
async def test_a_server_that_goes_and_comes_back_loses_nothing(
    own_postgres: PostgresServer, how: Literal["at once", "killed"]
) -> None:
    """Stopped, or crashed: what was permitted is in the log once, and callers go on without help."""
    load = Load(opened_postgres(own_postgres.fresh()))
    load.start()
    for _ in range(2):
        await load.until_permitted(50)
        await asyncio.to_thread(own_postgres.stop, how)
        await load.until_refused(CALLERS)
        with pytest.raises(StoreUnavailable, match="PostgreSQL"):
            await load.store.agents(TENANT)
        told = len(load.permitted)
        await asyncio.sleep(0.2)
        assert len(load.permitted) == told
        await asyncio.to_thread(own_postgres.start)
        await load.until_permitted(50)
        assert await load.store.agents(TENANT) == []
    await load.stop()
    await check_whole(load)
    await load.store.close()


async def test_a_server_that_stops_answering_is_broken_off(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connections stay open and nothing comes: calls are refused in bounded time, and go on after it."""
    load = Load(opened_postgres(own_postgres.fresh()))
    load.start()
    await load.until_permitted(50)
    for module, name in (
        (postgres_writer, "BATCH_S"),
        (postgres_writer, "DOUBT_S"),
        (postgres_reads, "READ_S"),
    ):
        monkeypatch.setattr(module, name, 0.5)
    own_postgres.pause(True)
    with pytest.raises(StoreUnavailable):
        await load.store.agents(TENANT)
    await load.until_refused(1)
    monkeypatch.undo()  # from here on nothing is concluded from how long the server takes
    own_postgres.pause(False)
    assert await load.store.agents(TENANT) == []
    await load.until_permitted(50)
    await load.stop()
    await check_whole(load)
    await load.store.close()


async def test_a_server_that_is_away_at_the_end_keeps_nobody_from_stopping(
    own_postgres: PostgresServer,
) -> None:
    """What could not be committed was refused; closing does not wait for the server."""
    store = opened_postgres(own_postgres.fresh())
    await store.commit(Unit(events=(an_event(),)))
    own_postgres.stop()
    pending = store.submit(Unit(events=(an_event(),)))
    await store.close()
    with pytest.raises(StoreUnavailable):
        await pending
