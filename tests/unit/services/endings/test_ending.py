# SPDX-License-Identifier: Apache-2.0
"""Ending: what an end covers, what its closure says, and that ending twice is ending once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.endings.closure import Cause
from remit.core.errors import Fenced, Forbidden, NotFound
from remit.core.evidence.event import EventKind
from remit.core.scope import EVERYTHING, ScopeKind
from remit.core.tasks.task import Ancestor, Task, TaskState
from remit.ports.store.changes import PutClosure, PutTask, RaiseFence
from remit.ports.store.units import Receipt, Unit
from remit.services.endings import closure as closures
from remit.services.endings.task_ends import TaskEnds
from tests.refusals import refused
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.values import TENANT


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def child_of(world: CallWorld, parent: Task, name: str) -> Task:
    """Put a task under another one."""
    child = msgspec.structs.replace(
        parent, id=name, lineage=(Ancestor(parent.id, parent.agent, parent.owner), *parent.lineage)
    )
    await world.services.store.commit(Unit((PutTask(child),)))
    return child


async def test_an_end_covers_all_descendants(world: CallWorld) -> None:
    """Children and grandchildren, bound or not, and not the siblings of the parent."""
    parent, _ = await world.open()
    child = await child_of(world, parent, "tsk_child")
    grandchild = await child_of(world, child, "tsk_grandchild")
    sibling, token = await world.open()
    tokens = [await task_token(world.services, one.id, confirmation=HELD) for one in (child, grandchild)]
    closure = await world.services.endings.revocations.end_task(parent.id, reason="enough", by="root")
    assert set(closure.tasks) == {parent.id, child.id, grandchild.id}
    for one in tokens:
        with refused("task-ended", Fenced):
            await world.call(one, "read")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert (await world.services.tasks.tasks.get(sibling.id)).state is TaskState.ACTIVE


async def test_a_child_ends_without_its_parent(world: CallWorld) -> None:
    """An end goes down, never up."""
    parent, token = await world.open()
    child = await child_of(world, parent, "tsk_child")
    closure = await world.services.endings.revocations.end_task(child.id, reason="enough", by="root")
    assert closure.tasks == (child.id,)
    assert await world.outcome(token, "read") is Outcome.PERMIT


async def test_ending_twice_gives_the_same_closure(world: CallWorld) -> None:
    """Also where both come at once; the epoch rises once for who asks again."""
    task, _ = await world.open()
    first = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    again = await world.services.endings.revocations.end_task(task.id, reason="again", by="omar")
    assert again == first
    other, _ = await world.open()
    both = await asyncio.gather(
        *(world.services.endings.revocations.end_task(other.id, reason="now", by="root") for _ in range(4)),
        return_exceptions=True,
    )
    assert not [one for one in both if isinstance(one, BaseException)]
    ended = await world.facts(EventKind.TASK_ENDED)
    assert len(ended) == 2
    with refused("not-found", NotFound):
        await world.services.endings.revocations.end_task("tsk_none", reason="", by="root")


async def test_a_closure_says_what_was_refused_when(world: CallWorld) -> None:
    """The token of each task, probed; it is kept, and the evidence has it."""
    task, _ = await world.open()
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    assert closure.closed
    assert [(one.kind, one.open) for one in closure.closings] == [("task", False), ("token", False)]
    assert closure.closings[0].name == task.id
    assert (closure.reason, closure.ended_by, closure.epoch) == ("enough", "root", 1)
    assert await world.services.store.closures(world.services.tenant, scope=f"task:{task.id}") == [closure]
    (told,) = await world.facts(EventKind.CLOSURE_MADE)
    assert (told["closure"], told["tasks"], told["indeterminate"]) == (closure.id, 1, [])


@pytest.mark.parametrize("name", ["desk", "desk/write"])
async def test_ending_a_tool_leaves_tasks_alive(world: CallWorld, name: str) -> None:
    """Its calls are refused, for tasks that are open; others of the task go on where they are not covered."""
    task, token = await world.open()
    kind = ScopeKind.TOOL if "/" in name else ScopeKind.UPSTREAM
    closure = await world.services.endings.revocations.end_scope(kind, name, reason="odd", by="root")
    assert closure.tasks == ()
    with refused("fenced", Fenced):
        await world.call(token, "write")
    if kind is ScopeKind.TOOL:
        assert await world.outcome(token, "read") is Outcome.PERMIT
    assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.ACTIVE
    _, fresh = await world.open()
    assert await world.outcome(fresh, "write") is Outcome.PERMIT


async def test_ends_of_many_tasks_come_in_batches_behind_one_fence(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence stands before the first batch is over, and every task is ended and told."""
    monkeypatch.setattr(closures, "BATCH", 3)
    told: list[str] = []

    async def hear(task: str) -> None:
        told.append(task)

    world.services.endings.events.ended.append(hear)
    tasks = [(await world.open())[0].id for _ in range(8)]
    closure = await world.services.endings.revocations.end_scope(
        ScopeKind.EVERYTHING, "", reason="fire", by="root"
    )
    assert set(closure.tasks) == set(told) == set(tasks)
    assert closure.scope == EVERYTHING
    assert {(await world.services.tasks.tasks.get(task)).state for task in tasks} == {TaskState.REVOKED}


async def test_an_end_whose_other_tasks_all_ended_meanwhile_is_completed(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have their own closures; the end has nothing left to do behind its fence."""
    monkeypatch.setattr(closures, "BATCH", 1)
    endings, commit = world.services.endings.revocations, TaskEnds.commit
    tasks = {(await world.open())[0].id for _ in range(2)}

    async def overtaken(ends: TaskEnds, batch: list[Task], *what: Any) -> Receipt:
        if len(what) < 3:  # behind the fence
            monkeypatch.setattr(TaskEnds, "commit", commit)
            (other,) = batch
            await endings.end_task(other.id, reason="done", by="root")
        return await commit(ends, batch, *what)

    monkeypatch.setattr(TaskEnds, "commit", overtaken)
    closure = await endings.end_scope(ScopeKind.EVERYTHING, "", reason="fire", by="root")
    assert closure.closed
    assert {(await world.services.tasks.tasks.get(task)).state for task in tasks} == {TaskState.REVOKED}
    assert len(await world.facts(EventKind.TASK_ENDED)) == 2


async def test_a_lock_holds_until_it_is_unlocked(world: CallWorld) -> None:
    """An unlocked scope opens tasks again; what was ended stays ended."""
    _, token = await world.open()
    await world.services.endings.revocations.end_scope(
        ScopeKind.OWNER, "lena", reason="x", by="root", lock=True
    )
    with refused("locked"):
        await world.open()
    with refused("task-ended", Fenced):
        await world.call(token, "read")
    await world.services.endings.revocations.unlock(ScopeKind.OWNER, "lena", by="root")
    _, fresh = await world.open()
    assert await world.outcome(fresh, "read") is Outcome.PERMIT
    with refused("task-ended", Fenced):
        await world.call(token, "read")
    assert [one["scope"] for one in await world.facts(EventKind.FENCE_UNLOCKED)] == ["owner:lena"]


async def test_the_deadline_ends_what_nobody_looked_at(world: CallWorld) -> None:
    """Bound or not, a task whose time has passed is expired by upkeep, once."""
    task, _ = await world.open()
    world.services.tasks.live.drop(task.id)
    assert await world.services.endings.revocations.expire() == []
    world.clock.advance(1800)
    (closure,) = await world.services.endings.revocations.expire()
    assert closure.tasks == (task.id,)
    assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.EXPIRED
    assert await world.services.endings.revocations.expire() == []


async def test_a_call_that_was_not_sent_is_not_indeterminate(world: CallWorld) -> None:
    """Only what an upstream may have taken up is listed."""
    task, token = await world.open()
    world.desk.open.clear()
    call = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: bool(world.desk.arrived))
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    (one,) = closure.indeterminate
    assert (one.tool, one.effect) == ("desk/write", "reversible")
    with refused("fenced", Fenced) as caught:
        await call
    assert isinstance(caught.value, Fenced)
    assert caught.value.sent
    (called,) = await world.facts(EventKind.TOOL_CALLED)
    assert (called["outcome"], called["ended_by"]) == ("unknown", "fence")
    assert world.desk.cancelled == ["fence"]


async def test_a_child_that_ended_with_its_parent_has_the_parents_closure(world: CallWorld) -> None:
    """Who asks for its end is shown the end that it had."""
    parent, _ = await world.open()
    child = await child_of(world, parent, "tsk_child")
    other, _ = await world.open()
    closure = await world.services.endings.revocations.end_task(parent.id, reason="enough", by="root")
    await world.services.endings.revocations.end_task(other.id, reason="later", by="root")
    assert await world.services.endings.revocations.end_task(child.id, reason="again", by="root") == closure
    assert closure.id.startswith("cls_")


async def test_what_is_locked_is_told_with_who_when_and_why(world: CallWorld) -> None:
    """By scope; a scope that is only ended, or unlocked again, is not."""
    revocations = world.services.endings.revocations
    assert await revocations.locks() == []
    for name in ("zoe", "bob"):
        await revocations.end_scope(ScopeKind.OWNER, name, reason=f"{name} left", by="root", lock=True)
    await revocations.end_scope(ScopeKind.OWNER, "eve", reason="x", by="root")
    found = await revocations.locks()
    assert [(one.scope, one.reason, one.by) for one in found] == [
        ("owner:bob", "bob left", "root"),
        ("owner:zoe", "zoe left", "root"),
    ]
    assert all(one.at is not None for one in found)
    await revocations.unlock(ScopeKind.OWNER, "bob", by="root")
    assert [one.scope for one in await revocations.locks()] == ["owner:zoe"]
    await revocations.end_scope(ScopeKind.EVERYTHING, "", reason="fire", by="root", lock=True)
    assert EVERYTHING in {one.scope for one in await revocations.locks()}
    await revocations.unlock(ScopeKind.EVERYTHING, "", by="root")
    assert [one.scope for one in await revocations.locks()] == ["owner:zoe"]


async def test_whoever_may_not_end_a_task_ends_nothing(world: CallWorld) -> None:
    """It is asked before anything is done."""
    task, token = await world.open()

    def disagree(asked: Task) -> None:
        raise Forbidden(f"not {asked.id}", code="not-yours")

    with refused("not-yours", Forbidden):
        await world.services.endings.revocations.end_task(task.id, reason="x", by="eve", agreed=disagree)
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert not world.services.endings.revocations.ending(f"task:{task.id}")


async def test_a_task_that_says_it_is_done_has_that_as_its_cause(world: CallWorld) -> None:
    """Unless another cause is given."""
    for cause, told in ((Cause.ASKED, Cause.COMPLETED), (Cause.BUDGET, Cause.BUDGET)):
        task, _ = await world.open()
        closure = await world.services.endings.revocations.end_task(
            task.id, reason="done", by="bot", state=TaskState.COMPLETED, cause=cause
        )
        assert closure.cause is told
        assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.COMPLETED


async def test_a_task_that_is_opened_while_others_are_looked_for_ends_with_them(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies under the fence that comes behind it; one that is opened behind the fence does not."""
    known, _ = await world.open()
    opened: list[tuple[Task, str]] = []
    commit = world.services.store.commit

    async def between(unit: Unit, **more: Any) -> Receipt:
        raises = not opened and any(isinstance(one, RaiseFence) for one in unit.changes)
        if raises:
            opened.append(await world.open())
        receipt = await commit(unit, **more)
        if raises:
            opened.append(await world.open())
        return receipt

    monkeypatch.setattr(world.services.store, "commit", between)
    told: list[str] = []

    async def hear(task: str) -> None:
        told.append(task)

    world.services.endings.events.ended.append(hear)
    world.clock.advance(1)
    closure = await world.services.endings.revocations.end_scope(
        ScopeKind.OWNER, "lena", reason="x", by="root"
    )
    (late, token), (after, fresh) = opened
    assert set(closure.tasks) == set(told) == {known.id, late.id}
    listed = {one.name: one.refused_after_ms for one in closure.closings if one.kind == "task"}
    assert listed.keys() == {known.id, late.id}
    assert set(listed.values()) == {0.0}
    with refused("task-ended", Fenced):
        await world.call(token, "read")
    assert await world.outcome(fresh, "read") is Outcome.PERMIT
    assert (await world.services.tasks.tasks.get(after.id)).state is TaskState.ACTIVE


async def test_an_end_of_long_ago_still_has_its_closure(world: CallWorld) -> None:
    """However many others there have been since."""
    task, _ = await world.open()
    closure = await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
    later = [
        PutClosure(TENANT, msgspec.structs.replace(closure, id=f"cls_{at}", scope=f"task:{at}", tasks=()))
        for at in range(1_001)
    ]
    await world.services.store.commit(Unit(tuple(later)))
    assert await world.services.endings.revocations.end_task(task.id, reason="again", by="root") == closure
