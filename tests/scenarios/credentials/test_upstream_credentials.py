# SPDX-License-Identifier: Apache-2.0
"""A credential of an upstream lives for one task, no agent sees it, and it is tried until it is dead."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.api.health import Health
from remit.api.rooms import health_rooms
from remit.core.decisions.decision import Outcome
from remit.core.errors import Fenced, KeyUnavailable, RemitError, StoreUnavailable
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import AgentState
from remit.core.scope import ScopeKind
from remit.core.tasks.task import TaskState
from remit.ports.store.units import Unit
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld, Heard, full_disk
from tests.worlds.credentials import closure_now, desk_world, of_leases
from tests.worlds.values import an_event

Json = Any


@pytest.fixture
def broker() -> ScriptedBroker:
    """What gives the desk's credentials."""
    return ScriptedBroker()


@pytest.fixture
async def world(tmp_path: Path, broker: ScriptedBroker) -> AsyncIterator[CallWorld]:
    """A desk that takes a credential."""
    async with desk_world(tmp_path, broker) as made:
        yield made
        await made.services.credentials.leases.stop()


async def test_calls_of_a_task_share_one_credential(world: CallWorld, broker: ScriptedBroker) -> None:
    """It is injected into each of them; another task has another."""
    _, token = await world.open()
    _, other = await world.open()
    for one in (token, token, other):
        assert await world.outcome(one, "read") is Outcome.PERMIT
    first, second, third = world.desk.headers
    assert first == second != third
    assert [one.tools for one in broker.obtained] == [("read", "write", "pay")] * 2
    issued = await world.facts(EventKind.LEASE_ISSUED)
    assert [one["lease"] for one in issued] == [one.lease for one in broker.obtained]
    assert {(one["kind"], one["sink"], one["upstream"]) for one in issued} == {
        ("scripted", "desk door", "desk")
    }


async def test_calls_at_once_wait_for_one_credential(world: CallWorld, broker: ScriptedBroker) -> None:
    """The source is asked once; a call that gives up meanwhile takes nothing from the others."""
    _, token = await world.open()
    broker.open.clear()
    calls = [asyncio.create_task(world.call(token, "read")) for _ in range(5)]
    await world.until(lambda: bool(broker.obtained))
    await asyncio.sleep(0)
    calls[0].cancel()
    broker.open.set()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert len(world.desk.arrived) == 4
    assert len(broker.obtained) == 1


async def test_no_agent_sees_it_and_nothing_tells_of_it(
    world: CallWorld, broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """An upstream that sends back what it was sent: the answer is scrubbed. Events, store and logs are
    without it.
    """
    caplog.set_level(logging.DEBUG)
    task, token = await world.open()
    await world.call(token, "read")
    (password,) = broker.alive.values()
    world.desk.says = f"Authorization: Bearer {password}, as you said"
    heard = Heard()
    await world.call(token, "read", heard)
    (chunk,) = heard.chunks
    assert json.loads(chunk.body)["said"] == "Authorization: Bearer [credential removed], as you said"
    broker.down = True
    await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert password not in caplog.text
    assert password not in repr(vars(next(iter(world.services.credentials.leases._held.values()))))
    entries = await world.services.store.entries(world.services.tenant, limit=1000, opened=True)
    assert password not in repr(entries)
    for file in world.folder.iterdir():
        assert file.is_dir() or password.encode() not in file.read_bytes()


async def test_without_a_credential_the_call_is_refused(world: CallWorld, broker: ScriptedBroker) -> None:
    """Nothing arrives at the upstream, the refusal says what to do, and the next call tries again."""
    _, token = await world.open()
    broker.down = True
    with pytest.raises(KeyUnavailable, match="the source is down; call again") as refused:
        await world.call(token, "write")
    assert (refused.value.code, refused.value.step) == ("credential-unavailable", 6)
    assert world.desk.arrived == []
    called = await world.facts(EventKind.TOOL_CALLED)
    assert [one["outcome"] for one in called] == ["not-sent"]
    broker.down = False
    assert await world.outcome(token, "write") is Outcome.PERMIT
    assert await world.facts(EventKind.LEASE_OPEN) == []


async def test_an_end_takes_it_back_and_tries_it(world: CallWorld, broker: ScriptedBroker) -> None:
    """The closure says when its source took it back and when its sink refused it."""
    task, token = await world.open()
    await world.call(token, "read")
    (lease,) = broker.alive
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    (closing,) = of_leases(closure.closings)
    assert (closing.kind, closing.name, closing.lease, closing.attempts) == (
        "scripted",
        "desk door",
        lease,
        1,
    )
    assert closing.refused_after_ms is not None
    assert closing.revoked_after_ms is not None
    assert closure.closed
    assert broker.alive == {}
    for kind in (EventKind.LEASE_REVOKED, EventKind.LEASE_DEAD):
        (told,) = await world.facts(kind)
        assert (told["lease"], told["attempts"]) == (lease, 1)
    (made,) = await world.facts(EventKind.CLOSURE_MADE)
    assert ["scripted", "desk door", 0, 0, 1, lease] in made["closings"]
    assert await world.services.store.values(world.services.tenant, "lease:") == []


@pytest.mark.parametrize("ending", ["complete", "deadline", "agent", "lock", "upstream", "everything"])
async def test_it_ends_however_the_task_ends(world: CallWorld, broker: ScriptedBroker, ending: str) -> None:
    """Completed, run out, its agent suspended, locked; its upstream ended, after which no task can use it."""
    task, token = await world.open()
    await world.call(token, "read")
    services = world.services
    if ending == "complete":
        await services.endings.revocations.end_task(
            task.id, reason="done", by="clerk", state=TaskState.COMPLETED
        )
    elif ending == "deadline":
        world.clock.advance(100_000)
        await services.endings.revocations.expire()
    elif ending == "agent":
        await services.identity.directory.move("clerk", AgentState.SUSPENDED, reason="odd", by="root")
    elif ending == "lock":
        await services.endings.revocations.end_scope(
            ScopeKind.AGENT, "clerk", reason="", by="root", lock=True
        )
    elif ending == "upstream":
        await services.endings.revocations.end_scope(ScopeKind.UPSTREAM, "desk", reason="", by="root")
    else:
        await services.endings.revocations.end_scope(ScopeKind.EVERYTHING, "", reason="", by="root")
    await world.until(lambda: not broker.alive)
    await world.until(lambda: not services.credentials.leases.of(task=task.id))
    (closure, *_) = await services.store.closures(services.tenant)
    (closing,) = of_leases(closure.closings)
    assert closing.refused_after_ms is not None


async def test_a_source_that_is_down_is_asked_until_it_answers(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """The end does not wait for it: the closure stays open, `who` lists it, and an alarm is told once."""
    task, token = await world.open()
    await world.call(token, "read")
    (lease,) = broker.alive
    broker.down = True
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    (closing,) = of_leases(closure.closings)
    assert not closure.closed
    assert (closing.revoked_after_ms, closing.refused_after_ms) == (None, None)
    assert closing.detail == "still open: source-down"
    for _ in range(4):
        world.clock.advance(60)
        await world.services.credentials.leases.sweep()
        await asyncio.sleep(0.01)
    (alarm,) = await world.facts(EventKind.LEASE_OPEN)
    assert (alarm["lease"], alarm["revoked"], alarm["why"]) == (lease, False, "source-down")
    for name in (task.id, "clerk"):
        (told,) = (await world.services.inspection.who.of(name))["leases"]
        assert (told["lease"], told["ending"], told["revoked"]) == (lease, True, False)
    broker.down = False
    world.clock.advance(60)
    await world.services.credentials.leases.sweep()
    await world.until(lambda: not world.services.credentials.leases.of(task=task.id))
    (closing,) = await closure_now(world.services, f"task:{task.id}")
    assert closing.refused_after_ms == closing.revoked_after_ms == 300_000
    assert (await world.services.inspection.who.of(task.id))["leases"] == []
    (dead,) = await world.facts(EventKind.LEASE_DEAD)
    assert dead["after_us"] == 300_000_000


async def test_a_sink_that_accepts_the_dead_for_a_while_is_seen(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """What the source says is not what the sink does: it is tried until it refuses."""
    task, token = await world.open()
    await world.call(token, "read")
    broker.stale = 3
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    (closing,) = of_leases(closure.closings)
    assert closing.attempts == 4
    assert closing.refused_after_ms is not None


async def test_a_sink_that_goes_on_accepting_keeps_the_closure_open(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """Taken back at its source or not: it is open, and told of."""
    task, token = await world.open()
    await world.call(token, "read")
    broker.stale = 1_000
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    (closing,) = of_leases(closure.closings)
    assert closing.open
    assert closing.revoked_after_ms is not None
    (alarm,) = await world.facts(EventKind.LEASE_OPEN)
    assert (alarm["revoked"], alarm["why"]) == (True, "the sink answered accepted")
    assert len(await world.facts(EventKind.LEASE_REVOKED)) == 1


async def test_a_sink_that_cannot_be_asked_is_no_refusal(world: CallWorld, broker: ScriptedBroker) -> None:
    """Nothing was shown, so nothing is claimed."""
    task, token = await world.open()
    await world.call(token, "read")
    broker.sink_down = True
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert [one.open for one in of_leases(closure.closings)] == [True]
    broker.sink_down = False
    world.clock.advance(60)
    await world.services.credentials.leases.sweep()
    await world.until(lambda: not world.services.credentials.leases.of(task=task.id))
    assert [one.open for one in await closure_now(world.services, f"task:{task.id}")] == [False]


async def test_an_end_while_it_is_obtained(world: CallWorld, broker: ScriptedBroker) -> None:
    """The call is refused, and a credential that arrives late is taken back before its first use."""
    task, token = await world.open()
    broker.open.clear()
    call = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: bool(broker.obtained))
    ending = asyncio.create_task(
        world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    )
    await world.until(lambda: world.services.tasks.live.get(task.id) is None or ending.done())
    broker.open.set()
    with pytest.raises(Fenced):
        await call
    await ending
    await world.until(lambda: not world.services.credentials.leases.of(task=task.id))
    assert broker.alive == {}
    assert broker.revoked == [broker.obtained[0].lease]
    assert world.desk.arrived == []
    assert [one.open for one in await closure_now(world.services, f"task:{task.id}")] == [False]


async def test_an_end_while_none_can_be_obtained_leaves_nothing_open(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """The source gave nothing: there is nothing to take back, and the closure does not speak of it."""
    task, token = await world.open()
    broker.open.clear()
    call = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: bool(broker.obtained))
    await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert len(await closure_now(world.services, f"task:{task.id}")) == 1
    broker.down = True
    broker.open.set()
    with pytest.raises(RemitError):
        await call
    await world.until(lambda: not world.services.credentials.leases.of(task=task.id))
    assert await closure_now(world.services, f"task:{task.id}") == []


async def test_one_that_runs_out_is_replaced(world: CallWorld, broker: ScriptedBroker) -> None:
    """Before it does, and the old one is let go when its last call is over."""
    task, token = await world.open()
    broker.until = world.clock.now() + timedelta(minutes=5)
    await world.call(token, "read")
    world.desk.open.clear()
    slow = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: len(world.desk.arrived) == 2)
    world.clock.advance(4 * 60)
    broker.until = world.clock.now() + timedelta(minutes=5)
    quick = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: len(world.desk.arrived) == 3)
    old, new = (one.lease for one in broker.obtained)
    assert broker.revoked == []
    world.desk.open.set()
    await asyncio.gather(slow, quick)
    await world.until(lambda: broker.revoked == [old])
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert [one.lease for one in of_leases(closure.closings)] == [new]


async def test_what_cannot_be_kept_is_not_used(world: CallWorld, broker: ScriptedBroker) -> None:
    """A credential that no restart would know of is taken back at once, and the call is refused."""
    _, token = await world.open()
    with ExitStack() as disk:
        broker.ballast = 1_000_000
        broker.on_obtain = lambda: disk.enter_context(full_disk(world))
        with pytest.raises(RemitError):
            await world.call(token, "write")
        await world.until(lambda: not broker.alive)
    assert len(broker.obtained) == 1
    assert world.desk.arrived == []


async def test_a_probe_that_refuses_what_lives_is_found_out(world: CallWorld, broker: ScriptedBroker) -> None:
    """It would "prove" every ending: the call is refused, and the credential taken back."""
    _, token = await world.open()
    broker.blind = True
    with pytest.raises(KeyUnavailable, match="its probe refuses a credential that was just issued"):
        await world.call(token, "write")
    await world.until(lambda: not broker.alive)
    assert world.desk.arrived == []
    broker.blind = False
    _, token = await world.open()
    assert await world.outcome(token, "write") is Outcome.PERMIT


async def test_a_store_that_takes_nothing_does_not_keep_it_alive(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """The disk fills up after the fence: it is taken back and tried all the same, and told of later."""
    _, token = await world.open()
    await world.call(token, "read")
    (lease,) = broker.alive
    with full_disk(world):
        with suppress(StoreUnavailable):
            while True:
                await world.services.store.commit(Unit(events=(an_event(),)))
        (held,) = world.services.credentials.leases.end([], "desk", world.clock.boot_s())
        await world.until(lambda: held.why == "store-unavailable")
        assert broker.alive == {}
        assert [one["lease"] for one in world.services.credentials.leases.of(agent="clerk")] == [lease]
    world.clock.advance(60)
    await world.services.credentials.leases.sweep()
    await world.until(lambda: not world.services.credentials.leases.of(agent="clerk"))
    for kind in (EventKind.LEASE_REVOKED, EventKind.LEASE_DEAD):
        assert [one["lease"] for one in await world.facts(kind)] == [lease]


async def test_figures_say_how_fast_they_die(world: CallWorld, broker: ScriptedBroker) -> None:
    """Held, open, and the time to dead by kind; none before there was one."""
    health = Health(health_rooms(world.services))
    assert "remit_lease_dead_ms" not in bytes((await health.metrics()).body).decode()
    task, token = await world.open()
    await world.call(token, "read")
    await world.open()
    assert 'remit_leases{state="held"} 1' in bytes((await health.metrics()).body).decode()
    await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    told = bytes((await health.metrics()).body).decode()
    for line in (
        'remit_leases{state="held"} 0',
        'remit_leases{state="open"} 0',
        'remit_lease_dead_ms{kind="scripted",quantile="0.99"} 0.0',
        'remit_lease_dead_ms_count{kind="scripted"} 1',
        'remit_fence_ms_count{scope="task"} 1',
    ):
        assert line in told.splitlines()
