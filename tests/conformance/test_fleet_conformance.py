# SPDX-License-Identifier: Apache-2.0
"""`ports.store.replicas` on a real PostgreSQL, which wakes replicas.

No lease is renewed here after the beginning, and no time passes: a replica learns only what it was woken for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from remit.adapters.store.postgres import PostgresStore
from remit.core.errors import Conflict
from remit.core.replicas.replica import Replica
from remit.core.scope import Raised
from remit.core.tasks.task import Ancestor, TaskState
from remit.ports.store.changes import Pin, PutAgent, PutPin, PutTask, PutValue, RaiseFence, Withdraw
from remit.ports.store.replicas import DeclareDead, FenceAck, FleetSight, LeaveTask, TakeTask
from remit.ports.store.units import Unit
from remit.services.replicas.replica_lease import Replicas
from tests.worlds.values import START, TENANT, WorldClock, WorldEntropy, WorldSealingKeys, a_task, an_agent

SCOPE = "task:task_1"


class Member:
    """One process among the replicas, and what it was told."""

    def __init__(self, url: str, name: str) -> None:
        clock, entropy, keys = WorldClock(), WorldEntropy(name), WorldSealingKeys()
        self.store = PostgresStore.open(url, durability="durable", clock=clock, entropy=entropy, sealing=keys)
        self.fleet = self.store.fleet(TENANT, clock)
        me = Replica(id="", host=name, address=f"http://{name}", lease_s=30.0, joined=START)
        self.replicas = Replicas(
            fleet=self.fleet, store=self.store, clock=clock, entropy=entropy, tenant=TENANT, me=me
        )
        self.sights: list[FleetSight] = []
        self.raised: list[Raised] = []
        self.replicas.events.changed.append(self.sights.append)
        self.replicas.events.react = self._react

    def _react(self, raised: tuple[Raised, ...]) -> tuple[list[FenceAck], list[Awaitable[FenceAck]]]:
        self.raised += raised
        return [FenceAck(scope=one.scope, epoch=one.epoch, replica="") for one in raised], []

    async def enter(self) -> None:
        """Become a replica."""
        await self.replicas.enter()

    async def leave(self) -> None:
        """Go."""
        await self.replicas.leave()
        await self.store.close()

    async def end(self) -> Raised:
        """Raise a fence."""
        unit = Unit((RaiseFence(TENANT, SCOPE),))
        return Raised(SCOPE, (await self.store.commit(unit)).epochs[SCOPE])


async def until(so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not so():  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)


@pytest.fixture
async def three(postgres: str) -> AsyncIterator[list[Member]]:
    """Three replicas that know of each other."""
    async with AsyncExitStack() as stack:
        members = [Member(postgres, name) for name in ("one", "two", "three")]
        for one in members:
            stack.push_async_callback(one.leave)
            await one.enter()
        for one in members:
            await one.fleet.look()
            await until(lambda one=one: len(one.replicas.others) == 2)  # type: ignore[misc]
        for one in members:
            # Behind one look there may be another one that a wake has asked for.
            await one.fleet.look()
            await one.fleet.look()
            one.sights.clear()
        yield members


async def test_an_end_is_looked_at_by_all(three: list[Member]) -> None:
    """As soon as it is committed."""
    one, *others = three
    raised = await one.end()
    for other in others:
        await until(lambda other=other: raised in other.raised)  # type: ignore[misc]
        assert other.store.epochs(TENANT)[SCOPE] == raised.epoch


CHANGES: dict[str, tuple[Any, Callable[[FleetSight], bool]]] = {
    "an agent": (PutAgent(an_agent()), lambda sight: sight.agents == (an_agent().name,)),
    "a tool": (PutPin(Pin(TENANT, "mail/send", "1", {}, "1", {})), lambda sight: sight.pins),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_what_all_hold_copies_of_is_looked_at(three: list[Member], what: str) -> None:
    """Where it was changed."""
    change, found = CHANGES[what]
    one, other, _ = three
    await one.store.commit(Unit((change,)))
    await until(lambda: any(found(sight) for sight in other.sights))


async def test_a_token_that_is_withdrawn_is_known_to_all(three: list[Member]) -> None:
    """Within moments."""
    one, other, _ = three
    change = Withdraw(TENANT, "token-1", START + timedelta(hours=1), START)
    await one.store.commit(Unit((change,)))
    await until(lambda: "token-1" in other.store.withdrawn(TENANT))


async def test_who_ends_something_is_woken_by_the_word_of_others(three: list[Member]) -> None:
    """The replica that ends hears from each other replica, without a renewal: it waits out no lease, because
    no time passes.
    """
    one, *_ = three
    raised = await one.end()
    async with asyncio.timeout(60):
        gathered = await one.replicas.gathered(raised, 1000.0, 0.0)
    assert gathered.heard == one.replicas.others.keys()


async def test_only_who_waits_is_woken_by_words(three: list[Member]) -> None:
    """The others look once, for the end itself, however many acknowledge it."""
    one, other, third = three
    raised = await one.end()
    async with asyncio.timeout(60):
        await one.replicas.gathered(raised, 1000.0, 0.0)
    assert len(other.sights) == len(third.sights) == 1


async def test_what_concerns_nobody_else_wakes_nobody(three: list[Member]) -> None:
    """A commit like any other; the one behind it does."""
    one, other, _ = three
    await one.store.commit(Unit((PutValue(TENANT, "health.probe", {"at": "now"}),)))
    raised = await one.end()
    await until(lambda: raised in other.raised)
    assert len(other.sights) == 1


async def test_a_unit_that_is_refused_wakes_nobody(three: list[Member]) -> None:
    """Nothing of it is there to be looked at, whatever it had already changed."""
    one, other, _ = three
    unit = Unit((RaiseFence(TENANT, SCOPE), PutAgent(an_agent(), expect_new=True)))
    await one.store.commit(Unit((PutAgent(an_agent()),)))
    await until(lambda: len(other.sights) == 1)
    with pytest.raises(Conflict):
        await one.store.commit(unit)
    await one.end()
    await until(lambda: bool(other.raised))
    assert [raised.epoch for raised in other.raised] == [1]
    assert len(other.sights) == 2


async def test_a_replica_says_what_it_is(three: list[Member]) -> None:
    """Its bundle and its version; others see them with their next look. Whose a task is can be asked."""
    one, other, _ = three
    await one.replicas.describe(bundle="sha256:1", version="1")
    await other.fleet.look()
    await until(lambda: other.replicas.others[one.replicas.id].bundle == "sha256:1")
    assert other.replicas.others[one.replicas.id].version == "1"
    assert await other.fleet.owner("task_1") == ""


async def test_each_replica_looks_after_its_own_and_one_after_what_nobody_owns(three: list[Member]) -> None:
    """A task whose family has a living owner belongs to that owner, and no other replica asks for it."""
    first, second, _ = three
    mine = first.replicas.id

    async def seen_by_all() -> tuple[list[str], list[str]]:
        owned, unowned = await second.store.watched(TENANT, mine), await second.store.watched(TENANT)
        return sorted(owned), sorted(unowned)

    tasks = (
        a_task("root", idle_s=900),
        a_task("below", lease_s=15, lineage=(Ancestor("root", "contract-bot", "ana"),)),
        a_task("other", lease_s=15),
        a_task("long"),
        a_task("done", idle_s=900, state=TaskState.COMPLETED),
    )
    await first.store.commit(Unit(tuple(PutTask(task) for task in tasks)))
    assert await seen_by_all() == ([], ["below", "other", "root"])
    await first.store.commit(Unit((TakeTask(TENANT, "root", mine),)))
    assert await seen_by_all() == (["below", "root"], ["other"])
    await first.store.commit(Unit((TakeTask(TENANT, "other", mine), TakeTask(TENANT, "long", mine))))
    assert await seen_by_all() == (["below", "other", "root"], [])
    await first.store.commit(Unit((LeaveTask(TENANT, "other", mine),)))
    assert await seen_by_all() == (["below", "root"], ["other"])
    await second.fleet.look()
    renewed = {one.id: one.renewed for one in second.sights[-1].replicas}[mine]
    await second.store.commit(Unit((DeclareDead(TENANT, mine, renewed),)))
    assert await seen_by_all() == ([], ["below", "other", "root"])
