# SPDX-License-Identifier: Apache-2.0
"""A new bundle counts for open tasks: what it gives no more, they lose, and nothing that it adds they get."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.decision import Outcome
from remit.core.endings.closure import Cause
from remit.core.errors import BudgetExhausted, Fenced, RemitError, Unauthenticated
from remit.core.evidence.event import EventKind
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import Budgets, HandDown, Task, TaskState, TaskType
from remit.ports.store.changes import PutTask
from remit.ports.store.units import Unit
from remit.services.tasks.tasks import DelegatedOpening
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import OPEN_GRANTS, CallWorld, a_bundle, a_type, call_world
from tests.worlds.services import ServiceWorld, service_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk."""
    async with call_world(tmp_path) as made:
        yield made


def with_types(*types: TaskType) -> Bundle:
    """Return the bundle with other task types."""
    return msgspec.structs.replace(a_bundle(digest="sha256:new"), task_types={one.name: one for one in types})


async def applied(world: CallWorld, bundle: Bundle) -> None:
    """Put a bundle in force, as an administrator does: what was foretold is what happens."""
    foretold = await world.services.endings.rebundling.preview(bundle)
    await world.services.policies.apply(bundle, by="root")
    assert [(one.task.id, one.ends, one.lost) for one in await world.services.endings.rebundling.look()] == [
        (one.task.id, one.ends, one.lost) for one in foretold
    ]


async def narrowings(world: CallWorld) -> list[Json]:
    """Return what was narrowed so far: the task, and the tools."""
    entries = await world.services.evidence.log.pages(limit=1000)
    leaves = [json.loads(one.leaf) for one in entries if one.kind == EventKind.TASK_NARROWED]
    return [{"task": one["task"], **one["facts"]} for one in leaves]


async def over(world: CallWorld, task: Task, token: str) -> None:
    """A task has ended because of the policy."""
    with pytest.raises(Fenced):
        await world.call(token, "read")
    closures = await world.services.store.closures(world.services.tenant)
    assert [one.cause for one in closures if task.id in one.tasks] == [Cause.POLICY]


@pytest.mark.parametrize(
    "types",
    [
        (a_type("another"),),
        (a_type(run_by=("other",)),),
        (a_type(requested_by=("group:others",)),),
        (a_type(grants=()),),
        (a_type(grants=(GrantTemplate("desk/odd", other_arguments=True),)),),
    ],
    ids=["no type", "not its agent", "not its person", "no grants", "other grants"],
)
async def test_what_does_not_stand_ends(world: CallWorld, types: tuple[TaskType, ...]) -> None:
    """A type that is gone, that its agent or person is not of any more, or that grants nothing of it."""
    task, token = await world.open()
    await applied(world, with_types(*types))
    await over(world, task, token)


async def test_what_stands_goes_on(world: CallWorld) -> None:
    """The same bundle, one that gives more, other policies: the token of before is good."""
    task, token = await world.open("hello")
    hello = next(one for one in a_bundle().task_types.values() if one.name == "hello")
    wider = msgspec.structs.replace(hello, grants=OPEN_GRANTS, deadline_s=hello.deadline_s * 2)
    await applied(world, with_types(wider))
    assert await world.outcome(token, "write", text="hello") is Outcome.PERMIT
    # What the new type gives in addition, it does not get.
    assert await world.outcome(token, "write", text="goodbye") is Outcome.DENY
    assert (await world.services.tasks.tasks.get(task.id)).deadline == task.deadline


async def test_a_grant_that_is_given_no_more_is_withdrawn(world: CallWorld) -> None:
    """The rest goes on, with a new token; the one of before speaks of what was, and opens nothing."""
    task, token = await world.open()
    assert await world.outcome(token, "write") is Outcome.PERMIT
    only = (GrantTemplate("desk/read", other_arguments=True),)
    await applied(world, with_types(a_type(grants=only)))
    (told,) = await world.facts(EventKind.TASK_NARROWED)
    assert told["lost"] == ["desk/pay", "desk/write"]
    with pytest.raises(Unauthenticated) as refused:
        await world.call(token, "read")
    assert refused.value.code == "token-authority"
    token = await task_token(world.services, task.id, confirmation=HELD)
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert (await world.call(token, "write")).decision.outcome is Outcome.DENY
    assert {one.tool for one in (await world.services.tasks.tasks.get(task.id)).grants} == {"desk/read"}
    assert await world.services.endings.rebundling.look() == []


async def test_a_narrower_grant_is_not_held_on_to(world: CallWorld) -> None:
    """The type permits less than before: the task goes on with that, and with no more."""
    task, _ = await world.open()
    narrow = (*OPEN_GRANTS[:1], GrantTemplate("desk/write", {"text": {"exact": "hello"}}))
    await applied(world, with_types(a_type(grants=narrow)))
    (told,) = await world.facts(EventKind.TASK_NARROWED)
    assert (told["lost"], told["narrowed"]) == (["desk/pay"], ["desk/write"])
    token = await task_token(world.services, task.id, confirmation=HELD)
    assert await world.outcome(token, "write", text="hello") is Outcome.PERMIT
    assert await world.outcome(token, "write", text="goodbye") is Outcome.DENY
    assert await world.outcome(token, "write", text="hello", amount=1) is Outcome.DENY
    assert await world.services.endings.rebundling.look() == []


async def test_what_cannot_be_compared_is_withdrawn(world: CallWorld) -> None:
    """Neither of two patterns is known to be the narrower: nothing is guessed."""
    held = GrantTemplate("desk/write", {"text": {"pattern": "a.*b"}})
    await applied(world, with_types(a_type(grants=(*OPEN_GRANTS[:1], held))))
    await world.open()
    for other in ({"pattern": "a.*b.?"}, {"exact": "x"}):
        new = GrantTemplate("desk/write", {"text": other})
        bundle = with_types(a_type(grants=(*OPEN_GRANTS[:1], new)))
        (judged,) = await world.services.endings.rebundling.preview(
            msgspec.structs.replace(bundle, digest="sha256:x")
        )
        assert (judged.lost, judged.narrowed) == (("desk/write",), ())


def writing(calls: int) -> GrantTemplate:
    """Return a grant of `write` with a ceiling."""
    return GrantTemplate("desk/write", other_arguments=True, ceilings={"calls": calls})


async def test_a_smaller_ceiling_leaves_what_is_left_of_it(world: CallWorld) -> None:
    """What was used up before counts against it: narrowing gives nothing back, however often it is done."""
    await applied(world, with_types(a_type(grants=(*OPEN_GRANTS[:1], writing(5)))))
    task, token = await world.open()
    for _ in range(2):
        assert await world.outcome(token, "write", text="x") is Outcome.PERMIT
    for digest, calls in (("sha256:a", 4), ("sha256:b", 3)):
        bundle = with_types(a_type(grants=(*OPEN_GRANTS[:1], writing(calls))))
        await applied(world, msgspec.structs.replace(bundle, digest=digest))
    told = await world.facts(EventKind.TASK_NARROWED)
    assert [(one["lost"], one["narrowed"]) for one in told] == [([], ["desk/write"])] * 2
    with pytest.raises(Unauthenticated):
        await world.call(token, "write", text="x")
    token = await task_token(world.services, task.id, confirmation=HELD)
    assert await world.outcome(token, "write", text="x") is Outcome.PERMIT
    assert await world.outcome(token, "write", text="x") is Outcome.DENY
    # Nor does a process give anything back that binds the task again.
    world.services.tasks.live.drop(task.id)
    assert await world.outcome(token, "write", text="x") is Outcome.DENY
    assert await world.outcome(token, "read") is Outcome.PERMIT


async def test_a_call_in_hand_to_what_is_narrowed_is_cut(world: CallWorld) -> None:
    """It was permitted under more than the task holds now."""
    await applied(world, with_types(a_type(grants=(*OPEN_GRANTS[:1], writing(5)))))
    _, token = await world.open()
    world.desk.open.clear()
    call = asyncio.create_task(world.call(token, "write", text="x"))
    await world.until(lambda: bool(world.desk.arrived))
    bundle = with_types(a_type(grants=(*OPEN_GRANTS[:1], writing(4))))
    await applied(world, msgspec.structs.replace(bundle, digest="sha256:less"))
    with pytest.raises(RemitError):
        await call


async def test_children_are_narrowed_with_what_they_were_handed_down_from(world: CallWorld) -> None:
    """By the smaller ceiling, used up by both together; a child that asked for less keeps that."""
    down = HandDown(to=("other",), max_depth=2)
    await applied(world, with_types(a_type(delegates=down, grants=(*OPEN_GRANTS[:1], writing(5)))))
    task, _ = await world.open()
    child, little = [
        await world.services.tasks.tasks.open_child(
            task.id, await world.services.identity.directory.agent("other"), DelegatedOpening(grants=wanted)
        )
        for wanted in (None, (writing(1).instantiate({}),))
    ]
    for one in (child, little):
        world.services.tasks.live.drop(one.id)
        await world.services.tasks.live.load(one.id)
    bundle = with_types(a_type(delegates=down, grants=(*OPEN_GRANTS[:1], writing(2))))
    await applied(world, msgspec.structs.replace(bundle, digest="sha256:less"))
    told = {one["task"]: one["narrowed"] for one in await narrowings(world)}
    assert told == {task.id: ["desk/write"], child.id: ["desk/write"]}

    async def writes(one: Task) -> Outcome:
        token = await task_token(world.services, one.id, confirmation=HELD)
        try:
            return await world.outcome(token, "write", text="x")
        except BudgetExhausted:
            return Outcome.DENY  # the store says so, where the task above is not bound

    assert [await writes(one) for one in (child, task)] == [Outcome.PERMIT] * 2
    assert [await writes(one) for one in (child, little, task)] == [Outcome.DENY] * 3
    for one in (task, child, little):
        world.services.tasks.live.drop(one.id)
    assert [await writes(one) for one in (child, little, task)] == [Outcome.DENY] * 3


async def test_a_task_that_holds_less_than_its_type_gives_keeps_it(world: CallWorld) -> None:
    """Narrower than today's grant is fine."""
    _, token = await world.open("hello")
    either = (GrantTemplate("desk/write", {"text": {"one_of": ["hello", "goodbye"]}}),)
    await applied(world, with_types(a_type("hello", grants=either)))
    assert await world.outcome(token, "write", text="hello") is Outcome.PERMIT


async def test_smaller_ceilings_count_for_open_tasks(world: CallWorld) -> None:
    """Budgets and deadline: what was used up stays so, and what is left is what the new ones leave."""
    task, token = await world.open()
    assert await world.outcome(token, "read") is Outcome.PERMIT
    await applied(world, with_types(a_type(budgets=Budgets(calls=2), deadline_s=60)))
    token = await task_token(world.services, task.id, confirmation=HELD)
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert await world.outcome(token, "read") is Outcome.DENY
    world.clock.advance(60)
    with pytest.raises(Fenced):
        await world.call(token, "read")


async def test_a_call_in_hand_to_what_is_withdrawn_is_cut(world: CallWorld) -> None:
    """It had been permitted: its answer is not released."""
    _, token = await world.open()
    world.desk.open.clear()
    call = asyncio.create_task(world.call(token, "write"))
    await world.until(lambda: bool(world.desk.arrived))
    await applied(world, with_types(a_type(grants=OPEN_GRANTS[:1])))
    with pytest.raises(RemitError):
        await call


async def test_a_task_that_is_opened_meanwhile_is_looked_at(world: CallWorld) -> None:
    """It was judged by the bundle before; the next look finds it."""
    prepared = world.services.tasks.tasks._prepare

    async def slow(*given: Any, **more: Any) -> Any:
        found = await prepared(*given, **more)
        await world.services.policies.apply(with_types(a_type("another")), by="root")
        await world.services.endings.rebundling.look()
        return found

    world.services.tasks.tasks._prepare = slow  # type: ignore[method-assign]
    task, token = await world.open()
    assert await world.outcome(token, "read") is Outcome.PERMIT
    await world.services.endings.rebundling.turn()
    await over(world, task, token)


async def test_what_somebody_else_took_is_taken_here_too(world: CallWorld) -> None:
    """Another process has applied the bundle, and narrowed the task in the store that both have."""
    task, token = await world.open()
    assert await world.outcome(token, "write") is Outcome.PERMIT
    bundle = with_types(a_type(grants=OPEN_GRANTS[:1]))
    (judged,) = await world.services.endings.rebundling.preview(bundle)
    narrowed = judged.on(task)
    await world.services.store.commit(Unit((PutTask(narrowed, expected=TaskState.ACTIVE),)))
    await world.services.policies.apply(bundle, by="root")
    assert await world.outcome(token, "read") is Outcome.PERMIT
    await world.services.endings.rebundling.turn()
    with pytest.raises(Unauthenticated):
        await world.call(token, "read")
    token = await task_token(world.services, task.id, confirmation=HELD)
    assert await world.outcome(token, "write") is Outcome.DENY


async def test_applying_says_what_ends_before_it_does(tmp_path: Path) -> None:
    """Over the interface: a preview that changes nothing, and files that changed since are not applied."""
    async with service_world(tmp_path) as world:
        root, lena = await world.session("root"), await world.session("lena")
        task = await world.open(lena)
        world.on_disk = msgspec.structs.replace(_two(world), task_types={})
        told = (await world.ask("POST", "/api/v1/policies/preview", by=root)).json
        assert [(one["task"], bool(one["ends"])) for one in told["tasks"]] == [(task, True)]
        assert (await world.ask("GET", f"/api/v1/tasks/{task}", by=lena)).json["state"] == "active"
        stale = await world.ask("POST", "/api/v1/policies/apply", {"bundle": "sha256:other"}, by=root)
        assert stale.status == 409
        given = {"bundle": told["bundle"]}
        done = await world.ask("POST", "/api/v1/policies/apply", given, by=root)
        assert [one["task"] for one in done.json["tasks"]] == [task]
        assert (await world.ask("GET", f"/api/v1/tasks/{task}", by=lena)).json["state"] == "revoked"
        assert (await world.ask("POST", "/api/v1/policies/preview", by=lena)).status == 403


def _two(world: ServiceWorld) -> Bundle:
    assert isinstance(world.on_disk, Bundle)
    return world.on_disk
