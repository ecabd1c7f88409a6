# SPDX-License-Identifier: Apache-2.0
"""Suspending a single task: no call of it is permitted until a person resumes it, and nothing has ended. What
was permitted before goes on to its end.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import Conflict, Forbidden, NotFound, RemitError, Suspended
from remit.core.evidence.event import EventKind
from remit.services.tasks.opening_rules import DelegatedOpening
from tests.samples.tokens import HELD, task_token
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import TO_ALL, CallWorld, a_bundle, a_type, call_world
from tests.worlds.desk_replicas import desk_replicas
from tests.worlds.values import TENANT


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """The desk."""
    async with call_world(tmp_path) as made:
        yield made


async def suspend(world: CallWorld, task_id: str, person: str = "root", *, operates: bool = True) -> None:
    """Suspend a task."""
    task = await world.services.tasks.tasks.get(task_id)
    asked = await world.person(person)
    await world.services.endings.suspensions.suspend(task, asked, operates=operates, reason="look first")


async def resume(world: CallWorld, task_id: str, person: str = "root", *, operates: bool = True) -> None:
    """Resume a task."""
    task = await world.services.tasks.tasks.get(task_id)
    asked = await world.person(person)
    await world.services.endings.suspensions.resume(task, asked, operates=operates, reason="looked")


async def refusal(world: CallWorld, token: str) -> str:
    """Make a call that is refused; gives the code."""
    with pytest.raises(RemitError) as refused:
        await world.call(token, "read", text="a")
    assert refused.value.remediation
    return refused.value.code


async def test_a_suspended_task_makes_no_call_until_it_is_resumed(world: CallWorld) -> None:
    """Another task of the same agent goes on, and both stages are evidence."""
    task, token = await world.open()
    _, other = await world.open()
    await world.call(token, "read", text="a")
    await suspend(world, task.id)
    assert await refusal(world, token) == "task-suspended"
    assert await world.outcome(other, "read", text="a") is Outcome.PERMIT
    arrived = len(world.desk.arrived)
    await resume(world, task.id)
    assert await world.outcome(token, "read", text="a") is Outcome.PERMIT
    assert len(world.desk.arrived) == arrived + 1
    assert [one["reason"] for one in await world.facts(EventKind.TASK_SUSPENDED)] == ["look first"]
    assert [one["reason"] for one in await world.facts(EventKind.TASK_RESUMED)] == ["looked"]


async def test_a_call_under_way_goes_on_and_its_result_is_released(world: CallWorld) -> None:
    """Nothing is indeterminate because of a suspension."""
    task, token = await world.open()
    world.desk.open.clear()
    call = asyncio.create_task(world.call(token, "write", text="a"))
    await world.until(lambda: bool(world.desk.arrived))
    await suspend(world, task.id)
    assert await refusal(world, token) == "task-suspended"
    world.desk.open.set()
    assert (await call).decision.outcome is Outcome.PERMIT
    (facts,) = await world.facts(EventKind.TASK_SUSPENDED)
    assert facts["under_way"] == 1
    assert [one["outcome"] for one in await world.facts(EventKind.TOOL_CALLED)] == ["ok"]


async def test_a_task_below_is_suspended_too_and_none_is_opened_below(tmp_path: Path) -> None:
    """As it is ended too."""
    async with call_world(tmp_path) as world:
        types = {**a_bundle().task_types, "led": a_type("led", delegates=TO_ALL)}
        bundle = msgspec.structs.replace(a_bundle(digest="sha256:led"), task_types=types)
        await world.services.policies.apply(bundle, by="root")
        task, _ = await world.open("led")
        heir = await world.services.identity.directory.agent("other")
        tasks = world.services.tasks.tasks
        child = await tasks.open_child(task.id, heir, DelegatedOpening())
        below = await task_token(world.services, child.id, confirmation=HELD)
        await suspend(world, task.id)
        assert await refusal(world, below) == "task-suspended"
        with pytest.raises(Suspended) as refused:
            await tasks.open_child(task.id, heir, DelegatedOpening())
        assert refused.value.code == "task-suspended"
        assert await world.services.endings.suspensions.over(child) is not None
        await resume(world, task.id)
        assert await world.outcome(below, "read", text="a") is Outcome.PERMIT


async def test_time_runs_on_and_an_end_ends_it(world: CallWorld) -> None:
    """A suspended task expires by its deadline, and keeps its lease while that is renewed."""
    tasks, endings = world.services.tasks.tasks, world.services.endings
    task, _ = await world.open(lease_s=60)
    await suspend(world, task.id)
    world.clock.advance(40)
    await tasks.renew(task.id)
    world.clock.advance(40)
    await endings.revocations.expire()
    assert not (await tasks.get(task.id)).state.ended
    closure = await endings.revocations.end_task(task.id, reason="enough", by="root")
    assert closure.tasks == (task.id,)
    with pytest.raises((Conflict, NotFound)):
        await resume(world, task.id)
    other, _ = await world.open()
    await suspend(world, other.id)
    world.clock.advance((other.deadline - world.clock.now()) / timedelta(seconds=1) + 1)
    await endings.revocations.expire()
    assert (await tasks.get(other.id)).state.ended


async def test_an_approval_that_was_given_permits_nothing_while_it_is_suspended(world: CallWorld) -> None:
    """It is still there when the task goes on."""
    task, token = await world.open()
    approval = await world.asked(token, "pay", amount=1)
    await suspend(world, task.id)
    await world.services.decisions.approvals.answer(approval, await world.person("omar"), approve=True)
    with pytest.raises(Suspended):
        await world.call(token, "pay", amount=1)
    await resume(world, task.id)
    assert await world.outcome(token, "pay", amount=1) is Outcome.PERMIT


async def test_only_who_suspended_it_or_an_operator_has_it_go_on(world: CallWorld) -> None:
    """A person whose task an operator has suspended does not."""
    task, _ = await world.open()
    await suspend(world, task.id)
    await suspend(world, task.id, "lena", operates=False)  # a second click changes nothing
    with pytest.raises(Forbidden, match="another person suspended"):
        await resume(world, task.id, "lena", operates=False)
    await resume(world, task.id)
    with pytest.raises(NotFound, match="not suspended"):
        await resume(world, task.id)
    await suspend(world, task.id, "lena", operates=False)
    await resume(world, task.id, "lena", operates=False)
    assert len(await world.facts(EventKind.TASK_SUSPENDED)) == 2


async def test_who_suspends_their_own_task_first_does_not_keep_an_operator_from_it(world: CallWorld) -> None:
    """The operator takes it over; not even as an operator does that person have it go on then."""
    task, token = await world.open()
    await suspend(world, task.id, "lena", operates=False)
    await suspend(world, task.id)
    for operates in (False, True):
        with pytest.raises(Forbidden, match="another person suspended"):
            await resume(world, task.id, "lena", operates=operates)
    assert await refusal(world, token) == "task-suspended"
    await suspend(world, task.id, "omar")  # one operator's suspension is as good as another's
    assert len(await world.facts(EventKind.TASK_SUSPENDED)) == 2
    await resume(world, task.id, "omar")
    assert await world.outcome(token, "read", text="a") is Outcome.PERMIT


async def test_a_suspended_task_is_no_lock(world: CallWorld) -> None:
    """The list of locks has what an administrator unlocks."""
    task, _ = await world.open()
    await suspend(world, task.id)
    assert await world.services.endings.locks.all() == []


async def no_permit_between(world: CallWorld, task_id: str) -> tuple[int, int]:
    """Check by the order of the log that no call was permitted while the task was suspended.

    Return how many were permitted, and how often it was suspended.
    """
    entries = await world.services.store.entries(TENANT, limit=100_000)
    standing, permits, times = False, 0, 0
    for entry in entries:
        record = json.loads(entry.leaf)
        if record.get("task") != task_id:
            continue
        if entry.kind == EventKind.TASK_SUSPENDED:
            standing, times = True, times + 1
        elif entry.kind == EventKind.TASK_RESUMED:
            standing = False
        elif entry.kind == EventKind.DECISION_MADE and record["facts"]["outcome"] == "permit":
            assert not standing, entry.index
            permits += 1
    return permits, times


async def hammer(world: CallWorld, token: str, over: asyncio.Event) -> set[str]:
    """Make calls until it is over; gives the codes of refusals."""
    codes = set[str]()
    while not over.is_set():
        try:
            await world.call(token, "write", text="a")
        except RemitError as fault:
            codes.add(fault.code)
        await asyncio.sleep(0)
    return codes


async def test_no_call_is_permitted_between_the_two_commits(world: CallWorld) -> None:
    """However calls, suspensions and resumptions fall together."""
    task, token = await world.open()
    over = asyncio.Event()
    loops = [asyncio.create_task(hammer(world, token, over)) for _ in range(8)]
    for number in range(12):
        for _ in range(number % 5):
            await asyncio.sleep(0)
        await suspend(world, task.id)
        for _ in range(number % 3):
            await asyncio.sleep(0)
        await resume(world, task.id)
        await asyncio.sleep(0.01)
    over.set()
    codes = set().union(*await asyncio.gather(*loops))
    permits, times = await no_permit_between(world, task.id)
    assert (codes <= {"task-suspended"}, times) == (True, 12)
    assert permits > 12


async def test_a_task_is_suspended_at_another_replica_than_its_own(tmp_path: Path, postgres: str) -> None:
    """Its owner has not heard of it, and still permits nothing; it learns of the resumption by itself."""
    async with desk_replicas(tmp_path, postgres, ScriptedBroker(), ScriptedBroker()) as (owner, other):
        task, token = await owner.open()
        assert await owner.outcome(token, "read", text="a") is Outcome.PERMIT
        over = asyncio.Event()
        loops = [asyncio.create_task(hammer(owner, token, over)) for _ in range(4)]
        for _ in range(4):
            await suspend(other, task.id)
            await asyncio.sleep(0.02)
            await resume(other, task.id)
            await asyncio.sleep(0.02)
        over.set()
        codes = set().union(*await asyncio.gather(*loops))
        assert codes <= {"task-suspended"}
        permits, times = await no_permit_between(owner, task.id)
        assert (permits > 1, times) == (True, 4)
        owner.deafen()
        await suspend(other, task.id)
        assert await refusal(owner, token) == "task-suspended"
        await resume(other, task.id)
        await owner.look()
        # It believes the log alone, which its writer reads behind the look.
        async with asyncio.timeout(60):
            while owner.services.tasks.live.suspended(task):  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.01)
        assert await owner.outcome(token, "read", text="a") is Outcome.PERMIT


async def test_a_suspension_outlives_a_restart(tmp_path: Path) -> None:
    """It is in the store, and read before the first call."""
    async with call_world(tmp_path) as world:
        task, token = await world.open()
        await suspend(world, task.id)
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        assert await refusal(world, token) == "task-suspended"
        await resume(world, task.id)
        assert await world.outcome(token, "read", text="a") is Outcome.PERMIT
