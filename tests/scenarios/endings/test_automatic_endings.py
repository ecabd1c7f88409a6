# SPDX-License-Identifier: Apache-2.0
"""Authority ends by itself when what it rests on is gone, and each end says which of these it was."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.endings.closure import Cause
from remit.core.errors import Fenced, RemitError
from remit.core.evidence.event import EventKind
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import AgentState
from remit.core.scope import ScopeKind
from remit.core.tasks.task import TaskState
from remit.services.identity.directory import NewPerson
from remit.services.tasks.opening_rules import DelegatedOpening
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import TO_ALL, CallWorld, a_bundle, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk."""
    async with call_world(tmp_path) as made:
        yield made


async def caused(world: CallWorld, task: str, cause: Cause) -> None:
    """A task has ended, and its closure and its events say by what."""
    entries = await world.services.evidence.log.pages(limit=1000)
    leaves = [json.loads(one.leaf) for one in entries if one.kind == EventKind.TASK_ENDED.value]
    assert [one["facts"]["cause"] for one in leaves if one["task"] == task] == [cause.value]
    made = [one["cause"] for one in await world.facts(EventKind.CLOSURE_MADE)]
    assert cause.value in made
    closures = await world.services.store.closures(world.services.tenant)
    assert any(task in one.tasks and one.cause is cause for one in closures)


async def test_a_completed_task(world: CallWorld) -> None:
    """Done is done."""
    task, token = await world.open()
    await world.services.endings.revocations.end_task(
        task.id, reason="", by="lena", state=TaskState.COMPLETED
    )
    with pytest.raises(Fenced):
        await world.call(token, "read")
    await caused(world, task.id, Cause.COMPLETED)


async def test_a_deadline_a_lease_and_disuse(world: CallWorld) -> None:
    """Each is its own cause."""
    leased, _ = await world.open(lease_s=1)
    idle, _ = await world.open(idle_s=5)
    late, _ = await world.open()
    await world.services.tasks.live.load(leased.id)
    await world.services.tasks.live.load(idle.id)
    world.clock.advance(10)
    await world.services.endings.revocations.expire()
    await caused(world, leased.id, Cause.LEASE)
    await caused(world, idle.id, Cause.IDLE)
    world.clock.advance(3600)
    await world.services.endings.revocations.expire()
    await caused(world, late.id, Cause.DEADLINE)


@pytest.mark.parametrize(
    ("task_type", "calls"),
    [("one-call", ["read"]), ("few-bytes", ["read"]), ("twice", ["write", "write"]), ("purse", ["write"])],
)
async def test_a_budget_that_is_used_up(world: CallWorld, task_type: str, calls: list[str]) -> None:
    """Calls, bytes, a ceiling on calls, a ceiling on amounts: once no call can pass, the task ends."""
    task, token = await world.open(task_type)
    for name in calls:
        assert await world.outcome(token, name, amount=10) is Outcome.PERMIT
        await asyncio.sleep(0)
    await world.services.endings.revocations.expire()
    await caused(world, task.id, Cause.BUDGET)
    assert "used up" in (await world.services.tasks.tasks.get(task.id)).end_reason
    with pytest.raises(Fenced):
        await world.call(token, "read")


async def test_a_budget_that_leaves_something_ends_nothing(world: CallWorld) -> None:
    """Effects are used up, and reading goes on; a call in hand is not cut."""
    task, token = await world.open("one-effect")
    assert await world.outcome(token, "write") is Outcome.PERMIT
    await world.services.endings.revocations.expire()
    assert await world.outcome(token, "read") is Outcome.PERMIT
    task, token = await world.open("one-call")
    world.desk.open.clear()
    call = asyncio.create_task(world.call(token, "read"))
    await world.until(lambda: bool(world.desk.arrived[2:]))
    assert await world.services.endings.revocations.expire() == []
    world.desk.open.set()
    assert (await call).decision.outcome is Outcome.PERMIT
    (closure,) = await world.services.endings.revocations.expire()
    assert (closure.tasks, closure.indeterminate) == ((task.id,), ())


async def test_the_call_that_completes_the_work(world: CallWorld) -> None:
    """Reading completes nothing; the write does, and the task is completed, not expired."""
    task, token = await world.open("until-written")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await world.services.endings.revocations.expire() == []
    assert await world.outcome(token, "write") is Outcome.PERMIT
    assert await world.outcome(token, "read") is Outcome.DENY
    (closure,) = await world.services.endings.revocations.expire()
    assert (closure.tasks, closure.cause) == ((task.id,), Cause.COMPLETED)
    ended = await world.services.tasks.tasks.get(task.id)
    assert (ended.state, "`desk/write`" in ended.end_reason) == (TaskState.COMPLETED, True)
    with pytest.raises(Fenced):
        await world.call(token, "read")


async def test_a_completing_call_of_which_the_agent_does_not_wait_for_the_answer(world: CallWorld) -> None:
    """It may have done the work, so no further call passes: giving calls up does not make a task last."""
    task, token = await world.open("until-written")
    world.desk.open.clear()
    call = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: bool(world.desk.arrived))
    call.cancel()
    await asyncio.wait({call})
    world.desk.open.set()
    assert await world.outcome(token, "write") is Outcome.DENY
    assert len(world.desk.arrived) == 1
    (closure,) = await world.services.endings.revocations.expire()
    assert (closure.tasks, closure.cause) == ((task.id,), Cause.COMPLETED)


async def test_a_completing_call_that_was_not_sent_completes_nothing(world: CallWorld) -> None:
    """The upstream cannot have acted."""
    _, token = await world.open("until-written")
    world.desk.refuses = True
    with pytest.raises(RemitError):
        await world.call(token, "write")
    world.desk.refuses = False
    assert await world.outcome(token, "write") is Outcome.PERMIT


async def test_work_that_was_done_before_a_restart_ends_at_the_start(tmp_path: Path) -> None:
    """The completing call is counted with its outcome, so a process that starts again knows of it."""
    async with call_world(tmp_path) as world:
        task, token = await world.open("until-written")
        other, _ = await world.open("until-written")
        assert await world.outcome(token, "write") is Outcome.PERMIT
    async with call_world(tmp_path, settle=False, seed="again") as world:
        await world.reopen()
        closures = await world.services.endings.spent.end()
        assert [(one.tasks, one.cause) for one in closures] == [((task.id,), Cause.COMPLETED)]
        assert (await world.services.tasks.tasks.get(other.id)).state is TaskState.ACTIVE


async def test_a_child_completes_a_parent_that_is_not_in_memory(tmp_path: Path) -> None:
    """After a restart nothing has bound the parent; its work is done all the same."""
    made = a_bundle(digest="sha256:family")
    made.task_types["until-written"] = msgspec.structs.replace(
        made.task_types["until-written"], delegates=TO_ALL
    )
    async with call_world(tmp_path) as world:
        await world.services.policies.apply(made, by="root")
        parent, _ = await world.open("until-written")
        other = await world.services.identity.directory.agent("other")
        child = await world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening(brief="help"))
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        await world.services.policies.apply(made, by="root")
        own = await task_token(world.services, child.id, confirmation=HELD)
        assert await world.outcome(own, "write") is Outcome.PERMIT
        assert await world.outcome(own, "write") is Outcome.DENY
        token = await task_token(world.services, parent.id, confirmation=HELD)
        assert await world.outcome(token, "write") is Outcome.DENY


async def test_a_task_type_may_only_refuse(world: CallWorld) -> None:
    """Where it says so, the task goes on and its calls are refused."""
    bundle = a_bundle(digest="sha256:patient")
    types = {
        name: msgspec.structs.replace(one, ends_when_spent=False) for name, one in bundle.task_types.items()
    }
    await world.services.policies.apply(msgspec.structs.replace(bundle, task_types=types), by="root")
    _, token = await world.open("one-call")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await world.services.endings.revocations.expire() == []
    assert await world.outcome(token, "read") is Outcome.DENY


async def test_a_suspended_agent(world: CallWorld) -> None:
    """Its tasks end with it, with or without a stated reason."""
    task, token = await world.open()
    await world.services.identity.directory.move("clerk", AgentState.SUSPENDED, by="root", reason="")
    with pytest.raises(Fenced):
        await world.call(token, "read")
    await caused(world, task.id, Cause.AGENT_STATE)


async def test_an_owner_who_left(world: CallWorld) -> None:
    """The owner's agents stop, for every person they work for, and begin nothing until they have a new
    owner.
    """
    await world.services.identity.directory.set_owner("clerk", "omar", by="root")
    task, token = await world.open()
    await world.services.identity.personnel.deactivate("omar", by="root", reason="left")
    with pytest.raises(Fenced):
        await world.call(token, "read")
    await caused(world, task.id, Cause.OWNER_LEFT)
    with pytest.raises(RemitError) as refused:
        await world.open()
    assert refused.value.code == "locked"
    await world.services.identity.directory.set_owner("clerk", "lena", by="root")
    _, token = await world.open()
    assert await world.outcome(token, "read") is Outcome.PERMIT


async def test_an_owner_who_comes_back(world: CallWorld) -> None:
    """What remit shut opens again; what an administrator locked meanwhile does not."""
    await world.services.identity.directory.set_owner("clerk", "omar", by="root")
    await world.services.identity.personnel.deactivate("omar", by="root", reason="left")
    await world.services.identity.personnel.activate("omar", by="root")
    await world.open()
    await world.services.identity.personnel.deactivate("omar", by="root", reason="left")
    await world.services.endings.revocations.end_scope(
        ScopeKind.OWNER, "omar", reason="odd", by="root", lock=True
    )
    await world.services.identity.personnel.activate("omar", by="root")
    with pytest.raises(Fenced):
        await world.open()


async def test_a_team_that_was_emptied(world: CallWorld) -> None:
    """No member of the team is active: its agents stop at the next look."""
    await world.services.identity.directory.add_person(NewPerson(name="mona", groups=("money",)), by="root")
    await world.services.identity.directory.set_owner("clerk", "group:money", by="root")
    task, token = await world.open()
    await world.services.identity.personnel.deactivate("mona", by="root", reason="left")
    with pytest.raises(Fenced):
        await world.call(token, "read")
    await caused(world, task.id, Cause.OWNER_LEFT)
    await world.services.identity.personnel.activate("mona", by="root")
    await world.open()


async def test_a_person_who_left(world: CallWorld) -> None:
    """What is done for them ends."""
    task, token = await world.open()
    await world.services.identity.personnel.deactivate("lena", by="root", reason="left")
    with pytest.raises(Fenced):
        await world.call(token, "read")
    await caused(world, task.id, Cause.PERSON_LEFT)


async def test_a_posture_that_dropped(tmp_path: Path) -> None:
    """A finding of a kind that the configuration names ends the agent's tasks; it may begin new ones."""
    async with call_world(tmp_path, end_on=frozenset({FindingKind.MANIFEST_DRIFT})) as world:
        task, token = await world.open()
        await world.services.findings.findings.see(FindingKind.SHARED_KEY, "agent:clerk", "k", {})
        assert await world.outcome(token, "read") is Outcome.PERMIT
        await world.services.findings.findings.see(
            FindingKind.MANIFEST_DRIFT, "agent:clerk", "m", {"registered": "a", "reported": "b"}
        )
        with pytest.raises(Fenced):
            await world.call(token, "read")
        await caused(world, task.id, Cause.POSTURE)
        await world.open()


@pytest.mark.parametrize("task_type", ["one-call", "purse"])
async def test_what_was_used_up_before_a_restart_ends_at_the_start(tmp_path: Path, task_type: str) -> None:
    """The task ends without a call, with credentials held until then; a task with something left remains."""
    async with call_world(tmp_path) as world:
        task, token = await world.open(task_type)
        other, _ = await world.open(task_type)
        name = "read" if task_type == "one-call" else "write"
        assert await world.outcome(token, name, amount=10) is Outcome.PERMIT
    async with call_world(tmp_path, settle=False, seed="again") as world:
        await world.reopen()
        services = world.services
        closures = await services.endings.spent.end()
        assert [(one.tasks, one.cause) for one in closures] == [((task.id,), Cause.BUDGET)]
        assert (await services.tasks.tasks.get(other.id)).state is TaskState.ACTIVE
        with pytest.raises(Fenced):
            await world.call(token, name)
        assert await services.endings.spent.end() == []
