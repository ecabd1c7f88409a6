# SPDX-License-Identifier: Apache-2.0
"""Credentials of upstreams one by one: what an end takes back and what it leaves, and who gets which."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import KeyUnavailable
from remit.core.tasks.task import Task
from remit.ports.broker import LeaseWanted, UpstreamCredential
from remit.services.credentials.leases import Leases
from tests.refusals import refused
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld, call_world

Json = Any


class Starter(ScriptedBroker):
    """Starts programs, as far as leases see that."""

    kind = "process"

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Start a thief with an address."""
        await super().obtain(wanted)
        return UpstreamCredential(lease=wanted.lease, sink="program of desk")


class Standing(ScriptedBroker):
    """A broker of one secret for all tasks, which can be changed."""

    standing = True

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0
        self.lost = False

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Return it."""
        return UpstreamCredential(lease="", sink="mail door", secrets=(f"standing-{self.changes}",))

    def now(self, lease: str) -> UpstreamCredential:
        """Return what counts now."""
        if self.lost:
            raise KeyUnavailable("nobody knows it", code="secret-lost")
        self.alive[lease] = f"standing-{self.changes}"
        return UpstreamCredential(lease=lease, sink="mail door", secrets=(self.alive[lease],))

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Change it."""
        await super().revoke(credential)
        self.changes += 1


class SharedBroker(ScriptedBroker):
    """A broker that gives all tasks one credential, until it is changed."""

    def __init__(self) -> None:
        super().__init__()
        self.counting = True
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def counts(self, credential: UpstreamCredential) -> bool:
        """Return whether it still counts."""
        self.asked += 1
        await self.answers.wait()
        if self.down:
            raise KeyUnavailable("the source is silent", code="source-down")
        return self.counting


class World:
    """A desk with a program of each task behind a credential, a mailbox with a standing secret, and more."""

    def __init__(self, calls: CallWorld, brokers: dict[str, ScriptedBroker], starter: Starter) -> None:
        self.calls = calls
        self.brokers = brokers
        self.starter = starter
        self.leases: Leases = calls.services.credentials.leases

    async def task(self, **more: Json) -> Task:
        """Open a task."""
        return (await self.calls.open(**more))[0]

    async def given(self, task: Task, upstream: str) -> UpstreamCredential:
        """Return the credential for a call, which is over at once."""
        found = await self.leases.lease(task, upstream)
        assert found is not None
        self.leases.release(found)
        return found

    async def quiet(self) -> None:
        """Wait until nothing is being taken back."""
        await self.calls.until(lambda: self.leases.counts()["open"] == 0)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A gateway with upstreams of each kind."""
    brokers: dict[str, ScriptedBroker] = {
        "desk": ScriptedBroker(),
        "crm": ScriptedBroker(),
        "mail": Standing(),
        "wiki": SharedBroker(),
    }
    starter = Starter()
    outfit: Json = {"brokers": brokers, "processes": {"desk": starter, "mail": starter}, "settle_s": 0.2}
    async with call_world(tmp_path, **outfit) as made:
        yield World(made, brokers, starter)
        await made.services.credentials.leases.stop()


async def test_the_end_of_a_task_takes_back_all_of_it_and_nothing_of_others(world: World) -> None:
    """At whichever upstream."""
    mine, other = await world.task(), await world.task()
    for task in (mine, other):
        for upstream in ("crm", "wiki"):
            await world.given(task, upstream)
    found = world.leases.end([mine.id], "", 1000.0)
    assert [(one.record.task, one.record.upstream) for one in found] == [(mine.id, "crm"), (mine.id, "wiki")]
    assert all(one.ending for one in found)
    await world.quiet()
    assert {one["upstream"] for one in world.leases.of(task=other.id)} == {"crm", "wiki"}
    assert world.leases.of(task=mine.id) == []


async def test_the_end_of_an_upstream_takes_back_what_every_task_has_there_and_nothing_elsewhere(
    world: World,
) -> None:
    """The tasks go on, and would get others."""
    tasks = [await world.task() for _ in range(2)]
    for task in tasks:
        for upstream in ("crm", "wiki"):
            await world.given(task, upstream)
    found = world.leases.end([], "crm", 1000.0)
    assert sorted((one.record.task, one.record.upstream) for one in found) == sorted(
        (task.id, "crm") for task in tasks
    )
    await world.quiet()
    assert world.leases.counts() == {"held": 2, "open": 0}
    assert world.leases.end([], "", 1000.0) == []


async def test_the_end_of_an_upstream_with_a_standing_secret_changes_it(world: World) -> None:
    """What was in use is tried until it is refused, and is kept by then, for a restart goes on with it."""
    broker = world.brokers["mail"]
    assert isinstance(broker, Standing)
    assert world.leases.standing(["mail", "crm", "nowhere"]) == ["mail"]
    (held,) = world.leases.end([], "mail", world.calls.clock.boot_s())
    assert (held.record.task, held.record.agent, held.record.upstream) == ("", "", "mail")
    assert held.record.kind == "scripted"
    (closing,) = await world.leases.settled([held], wait=True)
    assert (closing.open, closing.name) == (False, "mail door")
    assert broker.changes == 1
    assert broker.revoked == broker.probed == [held.id]
    broker.lost = True
    assert world.leases.end([], "mail", 1000.0) == []


async def test_a_standing_secret_is_kept_from_results_beside_a_program(world: World) -> None:
    """It is not injected, for the program has it; neither is it a lease that ends with the task."""
    task = await world.task()
    given = await world.given(task, "mail")
    assert (given.sink, given.secrets) == ("program of desk", ("standing-0",))
    assert [one["kind"] for one in world.leases.of(task=task.id)] == ["process"]


async def test_a_program_has_its_credential_and_a_call_holds_on_to_both(world: World) -> None:
    """What must not come back in a result is the credential's; both are free when the call is over."""
    task = await world.task()
    given = await world.leases.lease(task, "desk")
    assert given is not None
    assert given.sink == "program of desk"
    (program,) = world.starter.obtained
    (under,) = world.brokers["desk"].obtained
    assert given.secrets == program.secrets == (f"s3cret-{under.lease}",)
    in_use = {one.id: one.uses for one in world.leases._held.values()}
    assert in_use == {program.lease: 1, under.lease: 1}
    world.leases.release(given)
    assert {one.uses for one in world.leases._held.values()} == {0}
    world.leases.release(UpstreamCredential(lease="lse_unknown"))


async def test_an_upstream_that_takes_no_credential_gets_none(world: World) -> None:
    """A call goes on without."""
    assert await world.leases.lease(await world.task(), "plain") is None


async def test_what_no_call_has_used_for_so_long_is_let_go(world: World) -> None:
    """At that upstream; not while a call uses it, nor of a task that is busy, nor before its time."""
    idle, busy, calling = [await world.task() for _ in range(3)]
    for task in (idle, busy):
        await world.given(task, "crm")
    await world.given(idle, "wiki")
    await world.leases.lease(calling, "crm")
    world.calls.clock.advance(59.9)
    assert world.leases.rest("crm", 60.0, lambda task: False) == []
    world.calls.clock.advance(0.1)
    found = world.leases.rest("crm", 60.0, lambda task: task == busy.id)
    assert [one.record.task for one in found] == [idle.id]
    assert [one.began_s for one in found] == [world.calls.clock.boot_s()]
    await world.quiet()
    assert {one["upstream"] for one in world.leases.of(task=idle.id)} == {"wiki"}
    assert len(world.leases.of(task=busy.id)) == len(world.leases.of(task=calling.id)) == 1
    assert world.brokers["crm"].revoked == [found[0].id]


async def test_each_upstream_shows_once_that_its_probe_accepts_what_lives(world: World) -> None:
    """Otherwise a refusal at the end would show nothing."""
    for _ in range(2):
        for upstream in ("crm", "wiki"):
            await world.given(await world.task(), upstream)
    assert [len(world.brokers[one].probed) for one in ("crm", "wiki")] == [1, 1]


async def test_a_probe_that_refuses_what_lives_gives_no_credential(world: World) -> None:
    """The next call tries again, and one that says nothing is asked again the next time."""
    broker = world.brokers["crm"]
    broker.blind = True
    with refused("credential-unavailable", KeyUnavailable):
        await world.given(await world.task(), "crm")
    broker.blind, broker.sink_down = False, True
    await world.given(await world.task(), "crm")
    broker.sink_down = False
    for _ in range(2):
        await world.given(await world.task(), "crm")
    _, silent, seen, spared = (one.lease for one in broker.obtained)
    assert {silent, seen, spared} & set(broker.probed) == {silent, seen}


async def test_one_that_others_have_changed_is_not_used_again(world: World) -> None:
    """Its source is asked before each call; one that says nothing refuses it."""
    broker = world.brokers["wiki"]
    assert isinstance(broker, SharedBroker)
    task = await world.task()
    first = await world.given(task, "wiki")
    assert await world.given(task, "wiki") == first
    broker.down = True
    with refused("credential-unavailable", KeyUnavailable):
        await world.given(task, "wiki")
    broker.down, broker.counting = False, False
    second = await world.given(task, "wiki")
    assert second.lease != first.lease
    await world.calls.until(lambda: first.lease in broker.revoked)
    broker.counting = True
    assert await world.given(task, "wiki") == second


async def test_one_whose_task_ends_while_its_source_is_asked_is_not_replaced(world: World) -> None:
    """Nothing is begun behind the end."""
    broker = world.brokers["wiki"]
    assert isinstance(broker, SharedBroker)
    task = await world.task()
    await world.given(task, "wiki")
    broker.answers.clear()
    call = asyncio.create_task(world.given(task, "wiki"))
    await world.calls.until(lambda: broker.asked == 1)
    world.leases.end([task.id], "", 1000.0)
    broker.answers.set()
    with pytest.raises(KeyUnavailable):
        await call
    assert len(broker.obtained) == 1


async def test_one_that_came_back_in_a_result_is_taken_back_with_what_is_under_it(world: World) -> None:
    """Once, and told of each time; the next call gets another."""
    task = await world.task()
    told: list[tuple[str, str, str]] = []
    world.leases._leak = lambda upstream, whose, what: told.append((upstream, whose.id, what.lease))
    given = await world.given(task, "desk")
    for _ in range(2):
        world.leases.leaked("desk", task, given)
    assert told == [("desk", task.id, given.lease)] * 2
    await world.quiet()
    assert len(world.starter.revoked) == len(world.brokers["desk"].revoked) == 1
    assert (await world.given(task, "desk")).lease != given.lease


async def test_what_is_held_is_told_by_task_and_by_agent_and_nothing_to_who_names_neither(
    world: World,
) -> None:
    """None of it is a credential."""
    mine, other = await world.task(), await world.task(agent="other")
    for task in (mine, other):
        await world.given(task, "crm")
    (found,) = world.leases.of(task=mine.id)
    assert (found["upstream"], found["sink"], found["ending"]) == ("crm", "desk door", False)
    assert [one["lease"] for one in world.leases.of(agent="clerk")] == [found["lease"]]
    assert world.leases.of() == []
    assert "s3cret" not in repr(found)
    world.brokers["crm"].sink_down = True
    world.leases.end([mine.id], "", 1000.0)
    assert world.leases.ending() == {mine.id}
    assert world.leases.counts() == {"held": 1, "open": 1}
    assert [one["ending"] for one in world.leases.of(task=mine.id)] == [True]


async def test_a_house_that_stops_gives_no_more(world: World) -> None:
    """And takes back all that it holds."""
    task = await world.task()
    await world.given(task, "crm")
    await world.leases.stop()
    assert world.brokers["crm"].alive == {}
    with pytest.raises(KeyUnavailable, match="remit is stopping"):
        await world.leases.lease(await world.task(), "crm")


async def test_what_others_left_is_taken_back_and_what_living_ones_hold_is_not(world: World) -> None:
    """By who looks after it; what is held here is none of it."""
    task = await world.task()
    await world.given(task, "crm")
    assert await world.leases.recover() == 0
    (held,) = world.leases._held.values()
    world.leases._held.clear()

    async def living() -> list[str]:
        return [held.record.holder]

    assert await world.leases.recover(living) == 0
    assert await world.leases.kept() == {held.id}

    async def nobody() -> list[str]:
        return []

    assert await world.leases.recover(nobody) == 1
    await world.quiet()
    assert world.brokers["crm"].revoked == [held.id]
    assert await world.leases.kept() == frozenset()
