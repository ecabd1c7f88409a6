# SPDX-License-Identifier: Apache-2.0
"""Credentials for one call, and for a process of one task: what is begun with them, and when they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import Fenced, KeyUnavailable
from remit.core.evidence.event import EventKind
from remit.ports.broker import LeaseWanted, UpstreamCredential
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.credentials import of_leases
from tests.worlds.values import TENANT

Json = Any


class EnvironmentBroker(ScriptedBroker):
    """Gives its password for an environment."""

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Return one."""
        given = await super().obtain(wanted)
        return UpstreamCredential(
            lease=given.lease,
            sink=given.sink,
            until=given.until,
            env={"PASSWORD": given.secrets[0]},
            secrets=given.secrets,
            handle=given.handle,
        )


class Starter(ScriptedBroker):
    """Starts processes, as far as leases see that."""

    kind = "process"

    def __init__(self) -> None:
        super().__init__(traceable=True)

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Start a thief with an address."""
        await super().obtain(wanted)
        return UpstreamCredential(lease=wanted.lease, sink="process of desk")


class World:
    """A desk whose credentials are for one call, or for a process of each task."""

    def __init__(self, calls: CallWorld, broker: ScriptedBroker, starter: Starter) -> None:
        self.calls = calls
        self.broker = broker
        self.starter = starter

    async def quiet(self) -> None:
        """Wait until nothing is being taken back."""
        await self.calls.until(lambda: self.calls.services.credentials.leases.counts()["open"] == 0)


@pytest.fixture
async def one_call(tmp_path: Path) -> AsyncIterator[World]:
    """Credentials for one call."""
    broker = ScriptedBroker()
    outfit: Json = {"brokers": {"desk": broker}, "for_one_call": frozenset({"desk"}), "settle_s": 0.2}
    async with call_world(tmp_path, **outfit) as made:
        yield World(made, broker, Starter())


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[World]:
    """A process for each task."""
    broker, starter = EnvironmentBroker(), Starter()
    outfit: Json = {"brokers": {"desk": broker}, "processes": {"desk": starter}, "settle_s": 0.2}
    async with call_world(tmp_path, **outfit) as made:
        yield World(made, broker, starter)


# For one call.


async def test_each_call_has_its_own(one_call: World) -> None:
    """Taken back and tried behind its answer: none is alive between two calls."""
    task, token = await one_call.calls.open()
    for _ in range(3):
        await one_call.calls.call(token, "read")
        await one_call.quiet()
        assert one_call.broker.alive == {}
    assert len(one_call.broker.obtained) == len(set(one_call.broker.revoked)) == 3
    assert len(await one_call.calls.facts(EventKind.LEASE_DEAD)) == 3
    closure = await one_call.calls.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert of_leases(closure.closings) == []


async def test_calls_at_once_share_nothing(one_call: World) -> None:
    """One that is over does not take the credential from another."""
    _, token = await one_call.calls.open()
    one_call.calls.desk.open.clear()
    running = [asyncio.create_task(one_call.calls.call(token, "read")) for _ in range(4)]
    await one_call.calls.until(lambda: len(one_call.calls.desk.arrived) == 4)
    assert len(one_call.broker.alive) == 4
    one_call.calls.desk.open.set()
    await asyncio.gather(*running)
    await one_call.quiet()
    assert one_call.broker.alive == {}


async def test_the_end_of_a_task_ends_that_of_the_call_in_hand(one_call: World) -> None:
    """Dead when the end returns; in the closure, unless the cut call was faster to let go of it."""
    task, token = await one_call.calls.open()
    one_call.calls.desk.open.clear()
    running = asyncio.create_task(one_call.calls.call(token, "read"))
    await one_call.calls.until(lambda: bool(one_call.calls.desk.arrived))
    closure = await one_call.calls.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert closure.closed
    assert one_call.broker.alive == {}
    assert len(await one_call.calls.facts(EventKind.LEASE_DEAD)) == 1
    one_call.calls.desk.open.set()
    with pytest.raises(Fenced):
        await running


async def test_what_a_source_does_not_take_back_stays_in_the_account_of_its_task(one_call: World) -> None:
    """The answer is given all the same; the end of the task lists it as open until it is dead."""
    task, token = await one_call.calls.open()
    await one_call.calls.call(token, "read")
    await one_call.quiet()
    one_call.calls.desk.open.clear()
    running = asyncio.create_task(one_call.calls.call(token, "read"))
    await one_call.calls.until(lambda: len(one_call.calls.desk.arrived) == 2)
    one_call.broker.down = True
    one_call.calls.desk.open.set()
    await running
    closure = await one_call.calls.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    (closing,) = of_leases(closure.closings)
    assert closing.open
    assert len(await one_call.calls.facts(EventKind.LEASE_OPEN)) == 1
    (kept,) = await one_call.calls.services.store.closures(TENANT, limit=10)
    (told,) = of_leases(kept.closings)
    assert told.attempts > 0
    assert told.detail != "still open: not tried yet"
    one_call.broker.down = False
    one_call.calls.clock.advance(120)
    await one_call.calls.services.credentials.leases.sweep()
    await one_call.quiet()
    assert one_call.broker.alive == {}


async def test_a_source_that_is_down_refuses_that_call_alone(one_call: World) -> None:
    """And leaves nothing that would have to be taken back."""
    _, token = await one_call.calls.open()
    one_call.broker.down = True
    with pytest.raises(KeyUnavailable):
        await one_call.calls.call(token, "read")
    await one_call.quiet()
    one_call.broker.down = False
    await one_call.calls.call(token, "read")
    await one_call.quiet()
    assert len(one_call.broker.revoked) == 1


# In a process.


async def test_the_process_gets_what_its_task_was_given(process: World) -> None:
    """One process and one credential for all calls of a task; no call carries it."""
    task, token = await process.calls.open()
    await asyncio.gather(*(process.calls.call(token, "read") for _ in range(4)))
    (asked,), (started,) = process.broker.obtained, process.starter.obtained
    assert started.env == {"PASSWORD": process.broker.alive[asked.lease]}
    assert "s3cret" not in repr(started)
    closure = await process.calls.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert {one.kind for one in of_leases(closure.closings)} == {"process", "scripted"}
    assert closure.closed
    assert process.broker.alive == process.starter.alive == {}


async def test_a_renewed_credential_means_another_process(process: World) -> None:
    """Between two calls; a call that runs keeps its process and its credential until it is over."""
    process.broker.until = process.calls.clock.now() + timedelta(seconds=100)
    _, token = await process.calls.open()
    process.calls.desk.open.clear()
    running = asyncio.create_task(process.calls.call(token, "read"))
    await process.calls.until(lambda: bool(process.calls.desk.arrived))
    process.calls.clock.advance(85)
    process.broker.until = process.calls.clock.now() + timedelta(seconds=100)
    later = asyncio.create_task(process.calls.call(token, "read"))
    await process.calls.until(lambda: len(process.calls.desk.arrived) == 2)
    assert len(process.starter.alive) == len(process.broker.alive) == 2
    first, second = process.starter.obtained
    assert first.env != second.env
    process.calls.desk.open.set()
    await asyncio.gather(running, later)
    await process.quiet()
    assert list(process.starter.alive) == [second.lease]
    assert len(process.broker.alive) == 1
    await process.calls.call(token, "read")
    assert len(process.starter.obtained) == 2


async def test_where_no_process_starts_the_credential_is_kept_for_the_next_call(process: World) -> None:
    """The call is refused; the next one does not ask the source again."""
    task, token = await process.calls.open()
    process.starter.down = True
    with pytest.raises(KeyUnavailable, match="source is down"):
        await process.calls.call(token, "read")
    process.starter.down = False
    await process.calls.call(token, "read")
    assert len(process.broker.obtained) == 1
    closure = await process.calls.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert closure.closed


async def test_an_end_while_the_process_starts_leaves_neither(process: World) -> None:
    """The call is refused, and both are dead."""
    task, token = await process.calls.open()
    process.starter.open.clear()
    running = asyncio.create_task(process.calls.call(token, "read"))
    await process.calls.until(lambda: bool(process.starter.obtained))
    ending = asyncio.create_task(
        process.calls.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    )
    await process.calls.until(lambda: process.calls.services.credentials.leases.counts()["open"] >= 1)
    process.starter.open.set()
    await ending
    with pytest.raises(Fenced):
        await running
    await process.quiet()
    assert process.broker.alive == process.starter.alive == {}
    assert process.calls.desk.arrived == []
