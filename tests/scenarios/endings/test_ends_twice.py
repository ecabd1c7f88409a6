# SPDX-License-Identifier: Apache-2.0
"""Threat: an end of what has ended already says `closed` while a credential of it is open."""

import asyncio
from pathlib import Path

import msgspec

from remit.core.endings.closure import Closure
from remit.core.scope import ScopeKind, scope
from remit.core.tasks.task import Task
from remit.ports.broker import UpstreamCredential
from remit.ports.store.changes import PutClosure
from remit.ports.store.units import Unit
from remit.services.assembly.services import Services
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.credentials import desk_world


def listed(closure: Closure) -> list[tuple[str, bool]]:
    """Return the leases that a closure lists, and whether each is open."""
    return [(one.lease, one.open) for one in closure.closings if one.lease]


async def closure_of(services: Services, task: Task) -> Closure:
    """Return the closure of a task's end as it is now."""
    (closure,) = await services.store.closures(services.tenant, scope=scope(ScopeKind.TASK, task.id))
    return closure


async def test_a_second_end_lists_what_the_first_has_left_open(tmp_path: Path) -> None:
    """One of the same task gives the closure of the first end; one of its agent lists the open lease too."""
    broker = ScriptedBroker()
    async with desk_world(tmp_path, broker) as world:
        ends, leases = world.services.endings.revocations, world.services.credentials.leases
        task, token = await world.open()
        await world.call(token, "read")
        (lease,) = broker.alive
        broker.down = True
        first = asyncio.create_task(ends.end_task(task.id, reason="one", by="root"))
        await world.until(lambda: leases.counts()["open"] == 1)
        agent, second = await asyncio.gather(
            ends.end_scope(ScopeKind.AGENT, task.agent, reason="three", by="root"),
            ends.end_task(task.id, reason="two", by="root"),
        )
        assert (second.id, second.tasks) == ((await first).id, (task.id,))
        assert listed(second) == listed(agent) == [(lease, True)]
        assert not second.closed
        assert not agent.closed
        later = await ends.end_scope(ScopeKind.OWNER, task.owner, reason="four", by="root")
        assert listed(later) == [(lease, True)]


async def test_an_end_that_was_cut_short_before_its_closure_is_told_whole_by_the_next(tmp_path: Path) -> None:
    """The task has ended and no closure says so: the next end lists what is still open."""
    broker = ScriptedBroker()
    async with desk_world(tmp_path, broker) as world:
        task, token = await world.open()
        await world.call(token, "read")
        (lease,) = broker.alive
        broker.down = True
        first = asyncio.create_task(
            world.services.endings.revocations.end_task(task.id, reason="one", by="root")
        )
        await world.until(lambda: world.services.credentials.leases.counts()["open"] == 1)
        first.cancel()
        await world.services.credentials.leases.stop()
        assert not await world.services.store.closures(world.services.tenant)
    async with desk_world(tmp_path, broker, "again") as world:
        await world.services.credentials.leases.recover()
        closure = await world.services.endings.revocations.end_task(task.id, reason="two", by="root")
        assert (listed(closure), closure.closed) == ([(lease, True)], False)
        await world.services.credentials.leases.stop()


async def test_a_lease_that_no_closure_lists_is_put_into_that_of_its_task(tmp_path: Path) -> None:
    """The process that held the lease ended before it could list it; the next process that finds the lease
    lists it, and when it is dead.
    """
    broker = ScriptedBroker()
    async with desk_world(tmp_path, broker) as world:
        services = world.services
        task, token = await world.open()
        await world.call(token, "read")
        (lease,) = broker.alive
        broker.down = True
        closure = await services.endings.revocations.end_task(task.id, reason="enough", by="root")
        await services.credentials.leases.stop()
        bare = msgspec.structs.replace(closure, closings=())
        await services.store.commit(Unit((PutClosure(services.tenant, bare),), (), tenant=services.tenant))
    async with desk_world(tmp_path, broker, "again") as world:
        await world.services.credentials.leases.recover()
        assert listed(await closure_of(world.services, task)) == [(lease, True)]
        broker.down = False
        world.clock.advance(120)
        await world.services.credentials.leases.sweep()
        await world.services.credentials.leases.stop()
        assert listed(await closure_of(world.services, task)) == [(lease, False)]


class TracingBroker(ScriptedBroker):
    """It says beforehand where it asks, and hears it when it takes back."""

    def __init__(self) -> None:
        super().__init__(traceable=True)
        self.heard: list[dict[str, str]] = []

    def trace(self) -> dict[str, str]:
        """Say it."""
        return {"run": "first"}

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Hear it."""
        self.heard.append(credential.handle)
        await super().revoke(credential)


async def test_of_what_its_source_did_not_live_to_tell_the_trace_was_kept(tmp_path: Path) -> None:
    """The process that takes the credential back knows which run of remit had asked for it."""
    broker = TracingBroker()
    async with desk_world(tmp_path, broker) as world:
        _, token = await world.open()
        broker.open.clear()
        call = asyncio.create_task(world.call(token, "read"))
        await world.until(lambda: bool(broker.obtained))
        call.cancel()
    async with desk_world(tmp_path, broker, "again") as world:
        await world.services.credentials.leases.recover()
        await world.until(lambda: not world.services.credentials.leases.counts()["open"])
    assert broker.heard[0] == {"run": "first"}
