# SPDX-License-Identifier: Apache-2.0
"""Calls that go on after their answer: what ends them, what upstreams may say of them, and how many there
are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.evidence.event import EventKind
from remit.core.scope import ScopeKind
from remit.services.mediation import deferred_calls as deferrals
from tests.refusals import failure
from tests.servers.deferring_mcp import (
    KNOWS,
    OWN_ID,
    DeferringServer,
    deferring_bundle,
    text,
)
from tests.worlds.deferring import DeferringWorld, refused
from tests.worlds.mcp_endpoint import gateway_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[DeferringWorld]:
    """The endpoint, and a task that may call what is deferred."""
    server = DeferringServer()
    async with gateway_world(tmp_path, server=server, bundle=deferring_bundle()) as gateway:
        yield DeferringWorld(gateway, server)


# Endings.


async def test_the_end_of_the_task_ends_the_call(world: DeferringWorld) -> None:
    """It is listed as indeterminate, cancelled at its upstream, and nothing more of it is released."""
    handle = await world.begin("export")
    closure = await world.services.endings.revocations.end_task(world.gateway.task, reason="r", by="lena")
    assert [one.tool for one in closure.indeterminate] == ["files/export"]
    world.server.finish()
    for method in ("get", "cancel", "update"):
        told = await world.ask(method, handle, params={"inputResponses": {}})
        assert told.status == 403
    assert await world.outcomes() == [("unknown", "fence")]
    assert [one["taskId"] for one in world.server.asked("tasks/cancel")] == [f"{OWN_ID}-1"]
    assert [one["by"] for one in await world.gateway.facts(EventKind.CALL_CANCELLED)] == ["fence"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(ScopeKind.TOOL, "files/export"), (ScopeKind.UPSTREAM, "files")],
    ids=["tool", "upstream"],
)
async def test_the_end_of_a_tool_ends_its_calls_and_leaves_the_task(
    world: DeferringWorld, kind: ScopeKind, name: str
) -> None:
    """The task lives on; what went on at the tool is lost to it."""
    handle = await world.begin("export")
    closure = await world.services.endings.revocations.end_scope(kind, name, reason="r", by="lena")
    assert len(closure.indeterminate) == 1
    assert "error" in (await world.ask("get", handle)).json
    assert await world.outcomes() == [("unknown", "fence")]
    assert world.in_hand == 0


async def test_an_end_cuts_who_is_just_looking(world: DeferringWorld) -> None:
    """An answer that is on its way when the task ends is not released, and the closure has the call once."""
    handle = await world.begin("export")
    world.server.silent = True
    looking = asyncio.create_task(world.ask("get", handle))
    await world.reached()
    closure = await world.services.endings.revocations.end_task(world.gateway.task, reason="r", by="lena")
    told = await asyncio.wait_for(looking, 30)
    assert told.json["error"]["code"] == -31003
    assert failure(told.json)["outcome"] == "unknown"
    assert len(closure.indeterminate) == 1
    assert await world.outcomes() == [("unknown", "fence")]


async def test_an_agent_cancels_its_call(world: DeferringWorld) -> None:
    """The upstream is told, the evidence says so, and how it ended is seen like any end."""
    handle = await world.begin("export")
    told = await world.ask("cancel", handle)
    assert told.json["result"] == {"resultType": "complete"}
    assert (await world.get(handle))["status"] == "cancelled"
    assert await world.outcomes() == [("unknown", "cancelled")]
    assert [one["by"] for one in await world.gateway.facts(EventKind.CALL_CANCELLED)] == ["agent"]
    assert (await world.ask("cancel", handle)).json["result"] == {"resultType": "complete"}
    assert len(world.server.asked("tasks/cancel")) == 1


async def test_a_call_that_was_cancelled_and_forgotten_is_let_go(world: DeferringWorld) -> None:
    """remit follows an abandoned call for a limited time; then the call is closed, its outcome unknown."""
    handle = await world.begin("export")
    await world.ask("cancel", handle)
    world.server.job()["status"] = "working"
    world.gateway.clock.advance(deferrals.GRACE_S)
    assert await world.services.mediation.deferrals.sweep() == 1
    assert await world.outcomes() == [("unknown", "cancelled")]
    assert world.in_hand == 0


async def test_a_call_that_never_ends_is_given_up(world: DeferringWorld) -> None:
    """After the time that its upstream itself gives it, it is cancelled and out of hand."""
    world.server.first = {"ttlMs": 60_000}
    handle = await world.begin("export")
    world.gateway.clock.advance(60)
    await world.services.mediation.deferrals.sweep()
    assert await world.outcomes() == [("unknown", "expired")]
    assert len(world.server.asked("tasks/cancel")) == 1
    assert refused(await world.ask("get", handle)) == (-32602, "unknown-task")
    assert (world.in_hand, len(world.services.mediation.deferrals)) == (0, 0)


async def test_no_call_outlives_its_task(world: DeferringWorld) -> None:
    """An upstream that asks for years gets what the task has left, and a day at the most."""
    world.server.first = {"ttlMs": 10**12}
    told = await world.gateway.call("slow", meta=KNOWS)
    live = world.services.tasks.live.get(world.gateway.task)
    assert live is not None
    left_ms = (live.task.deadline - world.gateway.clock.now()).total_seconds() * 1000
    assert told.json["result"]["ttlMs"] <= min(left_ms, deferrals.MAX_LIFE_S * 1000)


async def test_what_a_stop_leaves_is_unknown(world: DeferringWorld) -> None:
    """When remit stops, it asks the upstreams to stop the calls that no process follows from then on."""
    await world.begin("export")
    await world.services.mediation.deferrals.stop()
    assert await world.outcomes() == [("unknown", "restart")]
    assert len(world.server.asked("tasks/cancel")) == 1


async def test_a_crash_leaves_it_to_the_next_start(world: DeferringWorld) -> None:
    """A permit whose outcome a process took with it is found by the next one."""
    await world.begin("export")
    assert await world.services.endings.remains.recover() == 1
    assert await world.outcomes() == [("unknown", "restart")]


# Upstreams that lie.


async def test_an_upstream_that_tells_of_another_call_is_not_believed(world: DeferringWorld) -> None:
    """An answer about another job of the same server may be another task's."""
    handle = await world.begin()
    world.server.job()["taskId"] = "another"
    assert refused(await world.ask("get", handle))[0] == -31004
    assert await world.outcomes() == []


async def test_a_call_ends_once(world: DeferringWorld) -> None:
    """What was called final stays so: neither another result nor an unfinished call comes after it."""
    handle = await world.begin()
    world.server.finish(**text("x" * deferrals.MAX_KEPT))
    await world.get(handle)
    for change in ({"result": text("y")}, {"status": "working"}, {"status": "cancelled"}):
        world.server.job().update(change)
        assert refused(await world.ask("get", handle))[0] == -31004
    assert await world.outcomes() == [("ok", "")]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "completed"},
        {"status": "completed", "result": 7},
        {"status": "failed", "error": "x"},
        {"status": "odd"},
        {"status": "input_required", "inputRequests": []},
        {"taskId": ""},
        {"taskId": "x" * 10_000},
        {"ttlMs": "long"},
    ],
)
async def test_what_is_no_standing_is_refused(world: DeferringWorld, change: Json) -> None:
    """A wrong answer ends the look and not the call."""
    handle = await world.begin()
    good = dict(world.server.job())
    world.server.job().update(change)
    assert refused(await world.ask("get", handle))[0] == -31004
    world.server.job().update(good)
    assert (await world.get(handle))["status"] in ("working", "completed")


async def test_no_two_calls_have_one_job(world: DeferringWorld) -> None:
    """A server that gives one task the id of another's job would show it that one's result."""
    await world.begin("export")
    world.server.first = {"taskId": f"{OWN_ID}-1"}
    _, token = await world.gateway.open()
    told = await world.gateway.call("export", meta=KNOWS, token=token)
    assert refused(told)[0] == "failed"
    assert await world.outcomes() == [("unknown", "upstream")]


@pytest.mark.parametrize("first", [{"taskId": ""}, {"status": "odd"}, {"taskId": 7}])
async def test_a_handle_that_is_none_leaves_the_outcome_unknown(world: DeferringWorld, first: Json) -> None:
    """The call was sent; its outcome cannot be known."""
    world.server.first = first
    told = await world.gateway.call("export", meta=KNOWS)
    assert refused(told)[0] == "failed"
    assert await world.outcomes() == [("unknown", "upstream")]
    assert world.in_hand == 0


async def test_an_upstream_that_has_forgotten_a_call_ends_it(world: DeferringWorld) -> None:
    """It is not known any more what became of it, and it is in hand no longer."""
    handle = await world.begin()
    del world.server.jobs[f"{OWN_ID}-1"]
    assert refused(await world.ask("get", handle)) == (-32602, "unknown-task")
    assert await world.outcomes() == [("unknown", "upstream")]
    assert world.in_hand == 0


async def test_a_call_that_ended_before_it_was_cancelled_keeps_its_end(world: DeferringWorld) -> None:
    """An upstream may refuse to cancel what is over; what it came to is still there."""
    handle = await world.begin()
    world.server.finish(**text("done"))
    job = world.server.jobs.pop(f"{OWN_ID}-1")
    told = await world.ask("cancel", handle)
    assert refused(told) == (-32602, "unknown-task")
    assert OWN_ID.encode() not in told.content
    world.server.jobs[f"{OWN_ID}-1"] = job
    assert (await world.get(handle))["status"] == "completed"
    assert await world.outcomes() == [("ok", "")]


async def test_an_upstream_that_is_silent_holds_nobody_from_cancelling(world: DeferringWorld) -> None:
    """While one look waits for its answer the agent can still say that it wants the call no more."""
    handle = await world.begin()
    world.server.silent = True
    looking = asyncio.create_task(world.ask("get", handle))
    await world.reached()
    assert (await world.ask("cancel", handle)).json["result"] == {"resultType": "complete"}
    looking.cancel()


# Bounds.


async def test_what_may_go_on_is_bounded(world: DeferringWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """One task may not fill the gateway, nor all of them: the next call is refused before it is sent."""
    monkeypatch.setattr(deferrals, "MAX_PER_TASK", 2)
    monkeypatch.setattr(deferrals, "MAX_IN_ALL", 3)
    await world.begin()
    await world.begin()
    assert refused(await world.gateway.call("slow", meta=KNOWS)) == ("busy", "busy")
    _, token = await world.gateway.open()
    await world.begin(token=token)
    _, token = await world.gateway.open()
    assert refused(await world.gateway.call("slow", meta=KNOWS, token=token)) == ("busy", "busy")
    assert len(world.server.asked("tools/call")) == 3
    # Who does not defer is not held up by those who do.
    assert (await world.gateway.call("slow")).json["result"]["content"][0]["text"] == "at once"
    world.server.finish()


async def test_what_is_kept_of_them_is_bounded(
    world: DeferringWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call with much to keep is refused a handle where that is too much, and cancelled; ended ones make
    room.
    """
    monkeypatch.setattr(deferrals, "MAX_BYTES", deferrals.MAX_KEPT + 4096)
    first = await world.begin("slow", {"text": "x" * 1024})
    assert refused(await world.gateway.call("slow", {"text": "x" * 4096}, meta=KNOWS)) == ("busy", "busy")
    await world.settled()
    assert [one["taskId"] for one in world.server.asked("tasks/cancel")] == [f"{OWN_ID}-2"]
    assert await world.outcomes() == [("unknown", "fault")]
    assert world.in_hand == 1
    world.server.jobs[f"{OWN_ID}-1"].update(status="completed", result=text("done"))
    await world.get(first)
    await world.begin("slow", {"text": "x" * 1024})
    assert refused(await world.ask("get", first)) == (-32602, "unknown-task")


async def test_a_bound_uses_up_no_approval(world: DeferringWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is refused since too much goes on is refused before anything is decided."""
    monkeypatch.setattr(deferrals, "MAX_PER_TASK", 1)
    await world.begin()
    made = len(await world.gateway.facts(EventKind.DECISION_MADE))
    assert refused(await world.gateway.call("export", meta=KNOWS)) == ("busy", "busy")
    assert len(await world.gateway.facts(EventKind.DECISION_MADE)) == made


async def test_nothing_is_read_while_a_task_is_declassified(world: DeferringWorld) -> None:
    """A look is a way for data into a task, and has to wait like a call."""
    handle = await world.begin()
    live = world.services.tasks.live.get(world.gateway.task)
    assert live is not None
    live.lowering = True
    assert refused(await world.ask("get", handle)) == (-32000, "busy")
    live.lowering = False
    assert (await world.get(handle))["status"] == "working"


async def test_calls_that_go_on_count_as_calls_in_hand(world: DeferringWorld) -> None:
    """A task is not idle while a call of it goes on, and may not have more in hand than others."""
    live = world.services.tasks.live.get(world.gateway.task)
    await world.begin()
    live = world.services.tasks.live.get(world.gateway.task)
    assert live is not None
    assert live.open_calls == 1
    world.server.finish()
    handle = next(iter(world.services.mediation.deferrals._calls))
    await world.get(handle)
    assert live.open_calls == 0
