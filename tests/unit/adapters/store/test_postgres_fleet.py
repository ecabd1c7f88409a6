# SPDX-License-Identifier: Apache-2.0
"""What a look at a real PostgreSQL says of leases and epochs."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import psycopg
import pytest

from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.postgres.replicas import PostgresFleet
from remit.adapters.store.relational.memory import Memory
from remit.core.errors import StoreUnavailable
from remit.core.replicas.replica import Replica
from remit.ports.store.changes import RaiseFence
from remit.ports.store.replicas import FleetSight
from remit.ports.store.units import Unit
from tests.worlds.stores import opened_postgres
from tests.worlds.values import START, TENANT, WorldClock, an_event

SCOPE = "task:task_1"


class Member:
    """A replica that has entered."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.clock = WorldClock()
        self.fleet: PostgresFleet = store.fleet(TENANT, self.clock)
        self.sights: list[FleetSight] = []

    async def enter(self) -> None:
        """Enter, and renew once."""
        me = Replica(id=self.store.writer, host="here", joined=START, lease_s=30.0)
        await self.fleet.join(me, self.sights.append)
        await self.fleet.renew()


@pytest.fixture
async def member(postgres: str) -> AsyncIterator[Member]:
    """A replica."""
    made = Member(opened_postgres(postgres))
    await made.enter()
    yield made
    await made.fleet.leave()
    await made.store.close()


async def test_a_renewal_counts_from_before_it_was_sent(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the look takes; and a look alone renews nothing."""
    show = Memory.show

    def slowly(self: Memory, tenant: str, fences: Iterable[tuple[str, int, bool]], withdrawn: Any) -> None:
        member.clock.advance(5.0)
        show(self, tenant, fences, withdrawn)

    monkeypatch.setattr(Memory, "show", slowly)
    before = len(member.sights)
    await member.fleet.renew()
    await member.fleet.look()
    waited_s = [one.seen_s - one.sent_s for one in member.sights[before:] if one.sent_s is not None]
    assert waited_s == [5.0]
    assert member.sights[-1].sent_s is None


async def test_what_was_ended_is_shown_before_the_renewal_is_told_of(
    member: Member, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each end is told of once."""
    other = opened_postgres(postgres, "other")
    await other.commit(Unit((RaiseFence(TENANT, SCOPE),)))
    await other.close()
    known: list[int] = []

    def told(sight: FleetSight) -> None:
        known.append(member.store.epochs(TENANT)[SCOPE])
        member.sights.append(sight)

    monkeypatch.setattr(member.fleet, "_told", told)
    before = len(member.sights)
    await member.fleet.renew()
    await member.fleet.renew()
    assert known[0] == 1
    raised = [(one.scope, one.epoch) for sight in member.sights for one in sight.raised]
    assert raised == [(SCOPE, 1)]
    assert len(member.sights) >= before + 2


async def test_a_database_that_is_behind_renews_no_lease(member: Member, postgres: str) -> None:
    """It lacks what was committed: an end may be among it. What was known of ends stays known."""
    for _ in range(3):
        await member.store.commit(Unit((RaiseFence(TENANT, SCOPE),), (an_event(),)))
    await member.fleet.renew()
    assert member.store.epochs(TENANT)[SCOPE] == 3
    with psycopg.connect(postgres) as aside:
        aside.execute("update remit.turns set turn = turn - 1")
        aside.execute("update remit.fences set epoch = 1")
    seen = len(member.sights)
    with pytest.raises(StoreUnavailable, match="lacks committed transactions"):
        await member.fleet.renew()
    # A look for another commit may come in the meantime; it renews nothing.
    assert [one for one in member.sights[seen:] if one.sent_s is not None] == []
    assert member.store.epochs(TENANT)[SCOPE] == 3


@pytest.mark.parametrize("way", ["show", "learn"])
async def test_an_epoch_that_comes_late_lowers_none(member: Member, way: str) -> None:
    """Looks and batches may tell of the same fence in any order."""
    memory = member.store._memory
    memory.show(TENANT, [(SCOPE, 2, False)], ())
    if way == "show":
        memory.show(TENANT, [(SCOPE, 1, False)], ())
    else:
        memory.learn(TENANT, [(SCOPE, 1, False)], ())
    assert member.store.epochs(TENANT)[SCOPE] == 2


async def test_a_lock_that_a_look_shows_late_does_not_stay(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process has undone it between the look's reading and its showing."""
    show, loop = Memory.show, asyncio.get_running_loop()
    unlocks = [Unit((RaiseFence(TENANT, SCOPE, raise_epoch=False, locked=False),))]

    def late(self: Memory, tenant: str, fences: list[tuple[str, int, bool]], withdrawn: Any) -> None:
        if unlocks and any(locked for _, _, locked in fences):
            asyncio.run_coroutine_threadsafe(member.store.commit(unlocks.pop()), loop).result()
            assert SCOPE not in member.store.locked(TENANT)
        show(self, tenant, fences, withdrawn)

    monkeypatch.setattr(Memory, "show", late)
    await member.store.commit(Unit((RaiseFence(TENANT, SCOPE, locked=True),)))
    await member.fleet.look()
    async with asyncio.timeout(60):
        while unlocks or SCOPE in member.store.locked(TENANT):
            await member.fleet.look()
