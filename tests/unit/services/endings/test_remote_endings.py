# SPDX-License-Identifier: Apache-2.0
"""What a replica does about an end that another one has committed: the same, for its own part."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.endings.closure import Closure
from remit.core.errors import Fenced, RemitError, StoreUnavailable
from remit.core.identity.principals import Agent, AgentState
from remit.core.policy.bundle import Bundle
from remit.core.scope import Raised, ScopeKind, scope
from remit.core.tasks.task import Task
from remit.ports.store.changes import PutAgent, PutClosure, RaiseFence
from remit.ports.store.replicas import FenceAck, FleetSight
from remit.ports.store.units import Unit
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld, a_bundle
from tests.worlds.credentials import closure_now, desk_world
from tests.worlds.values import TENANT


@pytest.fixture
def broker() -> ScriptedBroker:
    """What gives the desk's credentials."""
    return ScriptedBroker()


@pytest.fixture
async def world(tmp_path: Path, broker: ScriptedBroker) -> AsyncIterator[CallWorld]:
    """A desk that takes a credential."""
    async with desk_world(tmp_path, broker) as made:
        yield made
        await made.services.endings.reactions.stop()
        await made.services.credentials.leases.stop()


async def raised(world: CallWorld, target: str) -> Raised:
    """Have another replica raise a fence."""
    receipt = await world.services.store.commit(Unit((RaiseFence(TENANT, target),)))
    return Raised(target, receipt.epochs[target])


def of(task: Task) -> str:
    """Return the scope of a task."""
    return scope(ScopeKind.TASK, task.id)


async def in_hand(world: CallWorld, token: str) -> "asyncio.Task[object]":
    """Make a call that its upstream does not answer."""
    world.desk.open.clear()
    count = len(world.desk.arrived)
    call: asyncio.Task[object] = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: len(world.desk.arrived) > count)
    return call


async def test_calls_under_the_fence_are_cut_and_those_that_were_sent_are_told_of_at_once(
    world: CallWorld,
) -> None:
    """Those of other tasks go on."""
    task, token = await world.open()
    _, other = await world.open()
    calls = [await in_hand(world, one) for one in (token, other)]
    told: list[str] = []

    async def hear(name: str) -> None:
        told.append(name)

    world.services.endings.events.ended.append(hear)
    one = await raised(world, of(task))
    ((ack,), later) = world.services.endings.reactions.raised((one,))
    assert (ack.scope, ack.epoch, ack.replica) == (of(task), 1, "")
    assert [(each.tool, each.effect) for each in ack.indeterminate] == [("desk/write", "reversible")]
    with pytest.raises(Fenced):
        await calls[0]
    assert world.services.tasks.live.get(task.id) is None
    assert told == [task.id]
    assert not calls[1].done()
    world.desk.open.set()
    await calls[1]
    await asyncio.gather(*later)


async def test_credentials_under_the_fence_are_taken_back_and_told_of_when_they_are_dead(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """First what is open, then what became of it."""
    task, token = await world.open()
    _, other = await world.open()
    for one in (token, other):
        await world.call(one, "read")
    mine, theirs = (wanted.lease for wanted in broker.obtained)
    ((ack,), (later,)) = world.services.endings.reactions.raised((await raised(world, of(task)),))
    assert not ack.settled
    assert [(one.lease, one.open) for one in ack.closings] == [(mine, True)]
    word = await later
    assert (word.scope, word.epoch, word.settled) == (ack.scope, ack.epoch, True)
    assert [(one.lease, one.open) for one in word.closings] == [(mine, False)]
    assert broker.revoked == [mine]
    assert theirs in broker.alive


async def test_the_end_of_an_upstream_takes_back_its_credentials_and_leaves_the_tasks(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """A tool of the upstream has no separate credentials."""
    task, token = await world.open()
    await world.call(token, "read")
    ((ack,), later) = world.services.endings.reactions.raised((await raised(world, "tool:desk/pay"),))
    assert (ack.settled, ack.closings, later) == (True, (), [])
    ((ack,), (dead,)) = world.services.endings.reactions.raised((await raised(world, "upstream:desk"),))
    assert [one.lease for one in ack.closings] == [one.lease for one in (await dead).closings]
    assert broker.alive == {}
    assert world.services.tasks.live.get(task.id) is not None


async def test_a_task_that_was_opened_after_the_fence_is_none_of_its_business(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """Neither are tasks under another scope: each fence is answered for itself."""
    old, token = await world.open()
    await world.call(token, "read")
    owner = await raised(world, "owner:lena")
    new, fresh = await world.open()
    await world.call(fresh, "read")
    nobody = Raised("owner:zoe", 1)
    acks, later = world.services.endings.reactions.raised((nobody, owner))
    assert [(one.scope, one.settled) for one in acks] == [("owner:zoe", True), ("owner:lena", False)]
    await asyncio.gather(*later)
    assert world.services.tasks.live.get(old.id) is None
    assert world.services.tasks.live.get(new.id) is not None
    assert broker.revoked == [broker.obtained[0].lease]


async def test_an_end_that_is_under_way_here_does_the_rest_itself(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """Its own fence comes back with the next look: calls are cut, and nothing is done twice."""
    task, token = await world.open()
    await world.call(token, "read")
    call = await in_hand(world, token)
    seen: list[tuple[list[FenceAck], int]] = []

    def look() -> None:
        if not seen:
            acks, later = world.services.endings.reactions.raised((Raised(of(task), 1),))
            seen.append((acks, len(later)))

    broker.on_probe = look
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    ((acks, later),) = seen
    assert [(one.scope, one.epoch, one.settled, one.closings) for one in acks] == [(of(task), 1, True, ())]
    assert later == 0
    assert len(closure.indeterminate) == 1
    assert broker.revoked == [broker.obtained[0].lease]
    with pytest.raises(Fenced):
        await call


async def test_a_closure_of_another_says_so_when_a_credential_here_is_dead(
    world: CallWorld, broker: ScriptedBroker
) -> None:
    """It is written before that, with what was open."""
    task, token = await world.open()
    await world.call(token, "read")
    broker.sink_down = True
    ((ack,), (later,)) = world.services.endings.reactions.raised((await raised(world, of(task)),))
    written = Closure(
        id="cls_other",
        scope=of(task),
        epoch=1,
        reason="enough",
        ended_by="root",
        at=world.clock.now(),
        tasks=(task.id,),
        closings=ack.closings,
    )
    await world.services.store.commit(Unit((PutClosure(TENANT, written),)))
    (still,) = (await later).closings
    assert still.open
    await world.until(lambda: not world.services.endings.reactions._listing)
    broker.sink_down = False
    world.clock.advance(3_600)
    await world.services.credentials.leases.sweep()
    await world.until(lambda: not world.services.credentials.leases.counts()["open"])
    (now,) = await closure_now(world.services, of(task))
    assert (now.lease, now.open) == (still.lease, False)


async def test_what_was_taken_for_gone_has_nothing_left(world: CallWorld, broker: ScriptedBroker) -> None:
    """Its calls are cut, its tasks are let go, its credentials are taken back."""
    tokens = [(await world.open())[1] for _ in range(2)]
    for token in tokens:
        await world.call(token, "read")
    calls = [await in_hand(world, token) for token in tokens]
    told: list[str] = []

    async def hear(name: str) -> None:
        told.append(name)

    world.services.endings.events.ended.append(hear)
    tasks = [live.task.id for live in world.services.tasks.live.all()]
    await world.services.endings.reactions.lost()
    assert world.services.tasks.live.all() == []
    assert told == tasks
    for call in calls:
        with pytest.raises(RemitError):
            await call
    await world.until(lambda: not broker.alive)
    assert sorted(broker.revoked) == sorted(one.lease for one in broker.obtained)


def a_sight(**changes: Any) -> FleetSight:
    """Return what a look has found."""
    known: dict[str, Any] = {"sent_s": None, "seen_s": 0.0, "gone": False, "replicas": ()}
    return FleetSight(**{**known, **changes})


async def test_an_agent_that_another_replica_has_suspended_is_suspended_here(world: CallWorld) -> None:
    """With the look that tells of it."""
    task, token = await world.open()
    await world.call(token, "read")
    agent = await world.services.identity.directory.agent("clerk")
    suspended = msgspec.structs.replace(agent, state=AgentState.SUSPENDED)
    await world.services.store.commit(Unit((PutAgent(suspended),)))
    world.services.endings.reactions.changed(a_sight(agents=("clerk", "nobody")))
    live = world.services.tasks.live.get(task.id)
    assert live is not None
    await world.until(lambda: live.agent.state is AgentState.SUSPENDED)


async def test_a_bundle_that_another_replica_applies_comes_into_force_where_it_lies_here_too(
    world: CallWorld,
) -> None:
    """Until then this one is superseded; it looks again only after a while."""
    services, reactions = world.services, world.services.endings.reactions
    assert (reactions.in_force, reactions.superseded) == (services.policies.digest, False)
    reads: list[Bundle] = []
    here = a_bundle()

    def reload() -> Bundle:
        reads.append(here)
        return here

    adopted: list[str] = []

    async def hold() -> None:
        adopted.append(services.policies.digest)

    reactions._reload, reactions._adopted = reload, hold
    reactions.changed(a_sight(bundle=here.digest))
    assert (reactions.superseded, reads) == (False, [])
    reactions.changed(a_sight(bundle="sha256:new"))
    assert (reactions.in_force, reactions.superseded) == ("sha256:new", True)
    await world.until(lambda: len(reads) == 1)
    here = a_bundle(digest="sha256:new")
    world.clock.advance(1.999)
    reactions.changed(a_sight(bundle="sha256:new"))
    assert (len(reads), adopted, reactions.superseded) == (1, [], True)
    world.clock.advance(0.001)
    reactions.changed(a_sight(bundle="sha256:new"))
    await world.until(lambda: bool(adopted))
    assert (len(reads), adopted, reactions.superseded) == (2, ["sha256:new"], False)


async def test_what_cannot_be_taken_in_is_logged_and_looked_at_again(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The store may be lost just then."""
    agent = world.services.store.agent
    faults = [StoreUnavailable("the store is lost")]
    asked: list[str] = []

    async def lost(tenant: str, name: str) -> Agent | None:
        asked.append(name)
        if faults:
            raise faults.pop()
        return await agent(tenant, name)

    monkeypatch.setattr(world.services.store, "agent", lost)
    for count in (1, 2):
        world.services.endings.reactions.changed(a_sight(agents=("clerk",)))
        await world.until(lambda: not world.services.endings.reactions._listing)
        assert len(asked) == count
    assert [one.message for one in caplog.records if one.name == "remit.replicas"] == [
        "changes of another replica could not be read: the store is lost"
    ]
