# SPDX-License-Identifier: Apache-2.0
"""An end goes first, and that is no weapon: calls come through however much is ended."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome
from remit.core.endings.closure import Closure
from remit.core.errors import Fenced
from remit.core.scope import ScopeKind
from remit.core.tasks.task import TaskState
from remit.services.decisions.authorizer import Ruling
from remit.services.tasks.live_task import LiveTask
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.services import service_world
from tests.worlds.values import TENANT

#: Calls that must come through.
CALLS = 20


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def end(world: CallWorld, task: str) -> Closure:
    """End a task."""
    return await world.services.endings.revocations.end_task(task, reason="enough", by="root")


async def test_calls_come_through_a_storm_of_ends(world: CallWorld) -> None:
    """Ends follow each other without a gap, so that at any moment one is under way; calls of a task that is
    not ended are made all the same, one after another.
    """
    task, token = await world.open()
    over = asyncio.Event()
    ended = 0

    async def storm() -> None:
        nonlocal ended
        while not over.is_set():
            await world.services.endings.revocations.end_scope(
                ScopeKind.TOOL, "desk/odd", reason="odd", by="root"
            )
            ended += 1

    first = asyncio.create_task(storm())
    # The second begins in the middle of one of the first: they take turns from then on.
    await world.until(lambda: world.services.store.epochs(TENANT).get("tool:desk/odd", 0) > 0)
    second = asyncio.create_task(storm())
    await world.until(lambda: ended >= 2)
    before = ended
    async with asyncio.timeout(60):
        for _ in range(CALLS):
            assert await world.outcome(token, "read") is Outcome.PERMIT
    assert ended > before
    assert world.services.endings.precedence.pauses > 0
    over.set()
    await asyncio.gather(first, second)
    assert len(world.desk.arrived) == CALLS
    await end(world, task.id)
    with pytest.raises(Fenced):
        await world.call(token, "read")


async def test_calls_go_on_while_an_end_waits_for_a_sink(tmp_path: Path) -> None:
    """A source that takes its time to take a credential back holds up the end, and no call of others."""
    broker = ScriptedBroker()
    async with call_world(tmp_path, brokers={"desk": broker}, settle_s=60.0) as world:
        task, token = await world.open()
        _, other = await world.open()
        for one in (token, other):
            assert await world.outcome(one, "read") is Outcome.PERMIT
        broker.sink_down = True
        ending = asyncio.create_task(end(world, task.id))
        await world.until(lambda: bool(broker.probed))
        for _ in range(CALLS):
            assert await world.outcome(other, "read") is Outcome.PERMIT
        with pytest.raises(Fenced):
            await world.call(token, "read")
        assert not ending.done()
        broker.sink_down = False
        closure = await ending
        assert all(one.refused_after_ms is not None for one in closure.closings)
        await world.services.credentials.leases.stop()


async def test_a_call_that_waits_is_judged_by_what_is_true_afterwards(world: CallWorld) -> None:
    """Calls of the task itself that come while it is ended: none arrives, and none is left waiting."""
    task, token = await world.open()
    assert await world.outcome(token, "read") is Outcome.PERMIT
    arrived = len(world.desk.arrived)
    ending = asyncio.create_task(end(world, task.id))
    await world.until(lambda: world.services.endings.precedence.pause is not None or ending.done())
    calls = [asyncio.create_task(world.call(token, "write")) for _ in range(20)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, Fenced) for one in found), found
    assert len(world.desk.arrived) == arrived
    assert (await ending).indeterminate == ()


async def test_a_call_in_hand_waits_between_steps_and_is_cut(world: CallWorld) -> None:
    """Calls that stand anywhere on their way when their task is ended: whatever had reached the desk is
    listed, and none of the others reaches it any more.
    """
    for turns in range(12):
        task, token = await world.open()
        assert await world.outcome(token, "read") is Outcome.PERMIT
        world.desk.arrived.clear()
        world.desk.open.clear()
        calls = [asyncio.create_task(world.call(token, "write", text=str(n))) for n in range(5)]
        for _ in range(turns):
            await asyncio.sleep(0)
        closure = await end(world, task.id)
        sent = len(world.desk.arrived)
        world.desk.open.set()
        await asyncio.gather(*calls, return_exceptions=True)
        assert len(world.desk.arrived) == sent == len(closure.indeterminate)


async def test_who_may_not_end_holds_up_nobody(tmp_path: Path) -> None:
    """A stranger, a person without a role, and a name that does not exist: no call waits for any of them."""
    async with service_world(tmp_path) as world:
        lena, ada, otto = [await world.session(name) for name in ("lena", "ada", "otto")]
        task = await world.open(lena)
        for body, by, status in (
            ({"kind": "task", "name": task}, "", 401),
            ({"kind": "task", "name": task}, "rms_" + "0" * 64, 401),
            ({"kind": "task", "name": task}, ada, 403),
            ({"kind": "task", "name": "tsk_none"}, otto, 404),
            ({"kind": "agent", "name": "contract-bot"}, ada, 403),
        ):
            answer = await world.ask("POST", "/api/v1/end", body, by=by)
            assert answer.status == status, answer.json
        assert world.services.endings.precedence.pauses == 0
        assert (await world.ask("POST", "/api/v1/end", {"kind": "task", "name": task}, by=lena)).status == 200
        assert world.services.endings.precedence.pauses == 1


async def test_what_runs_out_or_is_done_holds_up_nobody(world: CallWorld) -> None:
    """A task that its agent completes, and one whose deadline has passed, permit nothing by themselves."""
    done, _ = await world.open()
    await world.services.endings.revocations.end_task(
        done.id, reason="", by="clerk", state=TaskState.COMPLETED
    )
    late, _ = await world.open()
    world.clock.advance(timedelta(days=2).total_seconds())
    (closure,) = await world.services.endings.revocations.expire()
    assert closure.tasks == (late.id,)
    assert world.services.endings.precedence.pauses == 0
    await world.services.endings.revocations.end_scope(ScopeKind.UPSTREAM, "desk", reason="odd", by="root")
    assert world.services.endings.precedence.pauses == 1


async def test_a_call_that_is_cancelled_while_an_end_goes_first_uses_no_budget(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call waits between its decision and its record, and its agent hangs up: what it had reserved of the
    task's budget is free again, in memory too.
    """
    _, token = await world.open("one-call")
    authorizer, precedence = world.services.decisions.authorizer, world.services.endings.precedence
    decide = authorizer.decide

    async def decided(request: AccessRequest, live: LiveTask) -> Ruling:
        ruling = await decide(request, live)
        precedence.begin()
        return ruling

    monkeypatch.setattr(authorizer, "decide", decided)
    call = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: precedence.pause is not None)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    precedence.over()
    monkeypatch.undo()
    assert await world.outcome(token, "write") is Outcome.PERMIT
