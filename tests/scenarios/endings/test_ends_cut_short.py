# SPDX-License-Identifier: Apache-2.0
"""Threat: of an end that was cut short, or of which a replica heard nothing, no closure tells all."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from remit.core.endings.closure import Closing, Closure
from remit.core.evidence.event import EventKind
from remit.core.scope import ScopeKind, scope
from remit.core.tasks.task import Task
from remit.ports.store.units import Receipt, Unit
from remit.services.assembly.services import Services
from remit.services.endings.task_ends import TaskEnds
from tests.faults.crashed_folder import crashed
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld
from tests.worlds.credentials import desk_world, of_leases
from tests.worlds.desk_replicas import DeskReplica, bury_others, desk_replicas
from tests.worlds.values import a_permit


async def closures_of(services: Services) -> list[Closure]:
    """Return all closures."""
    return await services.store.closures(services.tenant)


async def leases_of(services: Services) -> list[Closing]:
    """Return what the one closure says of credentials."""
    (closure,) = await closures_of(services)
    return of_leases(closure.closings)


async def begun(
    world: CallWorld, broker: ScriptedBroker, kind: ScopeKind = ScopeKind.TASK
) -> tuple[Task, asyncio.Task[Closure]]:
    """Begin an end that waits for its credential."""
    task, token = await world.open()
    await world.call(token, "read")
    broker.down = True
    name = task.id if kind is ScopeKind.TASK else task.agent
    ends = world.services.endings.revocations
    end = ends.end_task(name, reason="enough", by="root") if kind is ScopeKind.TASK else None
    end = end or ends.end_scope(kind, name, reason="enough", by="root")
    before = len(await world.facts(EventKind.TASK_ENDED))
    ending = asyncio.create_task(end)
    async with asyncio.timeout(60):
        while len(await world.facts(EventKind.TASK_ENDED)) == before:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return task, ending


@pytest.mark.parametrize("kind", [ScopeKind.TASK, ScopeKind.AGENT])
async def test_a_start_completes_an_end_that_was_cut_short(tmp_path: Path, kind: ScopeKind) -> None:
    """The end needs no second request. Its closure states who requested it and why, lists what it had ended,
    the call without an outcome, and the credential. It does not end a task that was opened since.
    """
    broker, folder = ScriptedBroker(), tmp_path / "before"
    folder.mkdir()
    async with desk_world(folder, broker) as world:
        task, ending = await begun(world, broker, kind)
        permit = a_permit("dec_hanging", task.id, tenant=task.tenant)
        await world.services.store.commit(Unit((), (permit,)))
        image = crashed(folder, tmp_path / "after")
        ending.cancel()
    async with desk_world(image, broker, "again") as world:
        world.clock.advance(3)
        (closure,) = await closures_of(world.services)
        target = scope(kind, task.id if kind is ScopeKind.TASK else task.agent)
        assert (closure.scope, closure.reason, closure.ended_by) == (target, "enough", "root")
        assert closure.tasks == (task.id,)
        assert [one.decision for one in closure.indeterminate] == ["dec_hanging"]
        assert [one["closure"] for one in await world.facts(EventKind.CLOSURE_MADE)] == [closure.id]
        await world.services.credentials.leases.recover()
        assert [one.open for one in await leases_of(world.services)] == [True]
        broker.down = False
        later, _ = await world.open()
        await world.services.endings.revocations.take_up()
        found = await world.services.store.task(world.services.tenant, later.id)
        assert found is not None
        assert not found.state.ended
        assert len(await closures_of(world.services)) == 1
        await world.services.credentials.leases.stop()


async def test_tasks_that_an_end_did_not_live_to_end_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence stands, and the rest of its tasks still say that they are active."""
    folder = tmp_path / "before"
    folder.mkdir()
    commit, reached = TaskEnds.commit, asyncio.Event()

    async def with_the_fence(ends: TaskEnds, *what: Any) -> Receipt:
        if len(what) > 3:
            return await commit(ends, *what)
        reached.set()
        return await asyncio.Future()

    monkeypatch.setattr("remit.services.endings.closure.BATCH", 1)
    async with desk_world(folder, ScriptedBroker()) as world:
        tasks = {(await world.open())[0].id for _ in range(3)}
        monkeypatch.setattr(TaskEnds, "commit", with_the_fence)
        end = world.services.endings.revocations.end_scope(
            ScopeKind.AGENT, "clerk", reason="enough", by="root"
        )
        ending = asyncio.create_task(end)
        await reached.wait()
        image = crashed(folder, tmp_path / "after")
        ending.cancel()
    monkeypatch.setattr(TaskEnds, "commit", commit)
    async with desk_world(image, ScriptedBroker(), "again") as world:
        (closure,) = await closures_of(world.services)
        assert set(closure.tasks) == tasks
        kept = [await world.services.store.task(world.services.tenant, one) for one in tasks]
        assert all(one is not None and one.state.ended for one in kept)


async def test_an_end_that_failed_here_is_completed_here(tmp_path: Path) -> None:
    """What it raised stays raised: the next look completes it, and one that is under way is left alone."""
    broker = ScriptedBroker()
    async with desk_world(tmp_path, broker) as world:
        _, ending = await begun(world, broker)
        await world.services.endings.revocations.take_up()
        assert await closures_of(world.services) == []
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        await world.services.endings.revocations.take_up()
        await world.services.endings.revocations.take_up()
        assert [one.open for one in await leases_of(world.services)] == [True]
        assert len(await world.facts(EventKind.CLOSURE_MADE)) == 1
        await world.services.credentials.leases.stop()


async def test_a_call_that_a_failed_end_has_cut_is_listed_by_the_next_try(tmp_path: Path) -> None:
    """By then the call has its outcome in the log: unknown."""
    broker = ScriptedBroker()
    async with desk_world(tmp_path, broker) as world:
        task, token = await world.open()
        await world.call(token, "read")
        world.desk.open.clear()
        hanging = asyncio.create_task(world.call(token, "write", text="hangs"))
        await world.until(lambda: len(world.desk.arrived) == 2)
        broker.down = True
        ending = asyncio.create_task(
            world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
        )
        await asyncio.gather(hanging, return_exceptions=True)
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        await world.services.endings.revocations.take_up()
        (closure,) = await closures_of(world.services)
        assert [one.tool for one in closure.indeterminate] == ["desk/write"]
        await world.services.credentials.leases.stop()


async def test_one_replica_completes_the_end_of_another_that_is_gone(tmp_path: Path, postgres: str) -> None:
    """With what that one held; however many look for it."""
    broker = ScriptedBroker()
    async with desk_replicas(tmp_path, postgres, broker, broker, broker) as (gone, *others):
        task, ending = await begun(gone, broker)
        for one in others:
            await one.services.endings.remains.tend()
            await one.services.endings.revocations.take_up()
        assert await closures_of(others[0].services) == []
        ending.cancel()
        await gone.die()
        await bury_others(*others)
        await asyncio.gather(*(one.services.endings.remains.tend() for one in others))
        await asyncio.gather(*(one.services.endings.revocations.take_up() for one in others))
        (closure,) = await closures_of(others[0].services)
        assert (closure.tasks, closure.ended_by) == ((task.id,), "root")
        assert [one.open for one in of_leases(closure.closings)] == [True]
        assert len(await others[0].facts(EventKind.CLOSURE_MADE)) == 1
        broker.down = False
        for one in others:
            one.clock.advance(120)
            await one.look()
            await one.services.credentials.leases.sweep()
            await one.services.credentials.leases.stop()
        assert [one.open for one in await leases_of(others[0].services)] == [False]


async def waited_out(silent: DeskReplica, ender: DeskReplica) -> Closure:
    """End a task whose credential another replica holds, which says nothing to it."""
    task, token = await silent.open()
    await silent.call(token, "read")
    silent.deafen()
    await ender.look()
    end = ender.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    return await ender.meanwhile(asyncio.ensure_future(end))


async def test_what_a_silent_replica_holds_is_in_the_closure_and_taken_back(
    tmp_path: Path, postgres: str
) -> None:
    """The ender waits out the silent replica's lease, and not until that replica counts as gone."""
    broker = ScriptedBroker()
    async with desk_replicas(tmp_path, postgres, broker, broker) as (silent, ender):
        closure = await waited_out(silent, ender)
        assert [one.after_ms for one in closure.acknowledged] == [None]
        assert [(one.open, one.revoked_after_ms is None) for one in of_leases(closure.closings)] == [
            (False, False)
        ]
        assert broker.alive == {}


async def test_what_a_silent_replica_alone_can_end_is_open_until_it_does(
    tmp_path: Path, postgres: str
) -> None:
    """An example is a program on its machine, which no other replica can see. The program goes on, and the
    closure reports what the ender saw.
    """
    mine, theirs = ScriptedBroker(), ScriptedBroker()
    theirs.sink_down = True
    async with desk_replicas(tmp_path, postgres, mine, theirs) as (silent, ender):
        closure = await waited_out(silent, ender)
        assert [one.open for one in of_leases(closure.closings)] == [True]
        ender.clock.advance(120)
        await ender.look()
        await silent.hear()
        await silent.until(lambda: not silent.services.credentials.leases.counts()["open"])

        async def told() -> bool:
            return [one.open for one in await leases_of(ender.services)] == [False]

        async with asyncio.timeout(60):
            while not await told():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await ender.services.credentials.leases.sweep()
        assert ender.services.credentials.leases.counts()["open"] == 0
        assert await told()
