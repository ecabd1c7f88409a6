# SPDX-License-Identifier: Apache-2.0
"""Step 2 and the cache of bound tasks: what is bound, what is refused from memory, what may be forgotten."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.errors import Fenced, NotFound, Unauthenticated
from remit.core.label import Classes, Label
from remit.core.scope import ScopeKind
from remit.core.tasks.task import Budgets
from remit.services.tasks import live_tasks as live_module
from remit.services.tasks.budgets import own_accounts
from remit.services.tasks.calls_in_flight import LiveCall
from remit.services.tasks.live_tasks import LiveTask
from tests.refusals import refused
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.values import an_agent


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with a desk."""
    async with call_world(tmp_path) as made:
        yield made


async def bind(world: CallWorld, token: str, **changes: Any) -> LiveTask:
    """Bind a token, with other claims than it has."""
    now = world.clock.now()
    claims = msgspec.structs.replace(world.services.identity.authenticator.unproven(token, now), **changes)
    return await world.services.tasks.live.bind(claims, now)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no task": ({"task": ""}, "no-task"),
    "a task that there is not": ({"task": "tsk_none"}, "no-task"),
    "another agent": ({"client_id": "other"}, "token-task"),
    "another person": ({"subject": "omar"}, "token-task"),
    "nobody behind it": ({"subject": "clerk"}, "token-task"),
    "another authority": ({"authority_hash": "sha256:0"}, "token-authority"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_token_binds_its_own_task_alone(world: CallWorld, what: str) -> None:
    """Whatever of task, agent, person and authority does not fit is refused by its code."""
    changes, code = WRONG[what]
    _, token = await world.open()
    with pytest.raises((Unauthenticated, NotFound)) as refused:
        await bind(world, token, **changes)
    assert refused.value.code == code
    assert refused.value.step == 2


async def test_binding_at_once_binds_once(world: CallWorld) -> None:
    """There is one home for a task's label and budgets, however many calls come first."""
    _, token = await world.open()
    world.services.tasks.live._tasks.clear()
    found = await asyncio.gather(*(bind(world, token) for _ in range(10)))
    assert len({id(one) for one in found}) == 1


ENDS: dict[str, tuple[ScopeKind, str]] = {
    "everything": (ScopeKind.EVERYTHING, ""),
    "the owner": (ScopeKind.OWNER, "lena"),
    "the agent": (ScopeKind.AGENT, "clerk"),
}


@pytest.mark.parametrize("what", ENDS)
async def test_a_fence_is_seen_at_once(world: CallWorld, what: str) -> None:
    """Whichever scope was ended, the bound task refuses; one that is opened afterwards does not."""
    _, token = await world.open()
    await bind(world, token)
    await world.services.endings.revocations.end_scope(*ENDS[what], reason="odd", by="root")
    with refused("task-ended", Fenced):
        await bind(world, token)
    _, token = await world.open()
    await bind(world, token)


async def test_a_task_with_something_in_hand_is_not_forgotten(
    world: CallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the capacity the least used goes; a call in hand or a lease keeps its task."""
    monkeypatch.setattr(live_module, "CAPACITY", 2)
    busy, _ = await world.open()
    leased, _ = await world.open(lease_s=60)
    held = world.services.tasks.live.get(busy.id)
    assert held is not None
    call = LiveCall("dec_1", "desk/write", "reversible", held.call_scopes("desk/write"))
    held.in_hand.add(call)
    more = [(await world.open())[0] for _ in range(4)]
    assert world.services.tasks.live.get(busy.id) is held
    assert world.services.tasks.live.get(leased.id) is not None
    assert [world.services.tasks.live.get(task.id) for task in more[:3]] == [None] * 3
    assert (await world.services.tasks.live.load(more[0].id)).task == more[0]


async def test_a_label_only_rises(world: CallWorld) -> None:
    """Joining what is known already is no rise."""
    task, _ = await world.open()
    live = await world.services.tasks.live.load(task.id)
    secret = Label(data_class="restricted", categories=frozenset({"pii"}))
    assert live.rise(secret, Classes())
    assert not live.rise(secret, Classes())
    assert not live.rise(Label(), Classes())
    assert live.label == secret


async def test_a_reservation_is_held_whole_or_not_at_all(world: CallWorld) -> None:
    """Where one account cannot pay, none is charged; what is given back can be used again."""
    task, _ = await world.open("one-effect")
    live = await world.services.tasks.live.load(task.id)
    grant = task.grants[1]
    takes = live.takes(grant, {}, effectful=True)
    live.reserve(takes)
    with refused("budget-exhausted"):
        live.reserve(takes)
    live.settle(takes, taken=False)
    live.reserve(takes)
    live.settle(takes, taken=True)
    with refused("budget-exhausted"):
        live.reserve(takes)
    live.reserve(live.takes(grant, {}, effectful=False))


async def test_sums_are_kept_in_whole_millionths(world: CallWorld) -> None:
    """The bound is rounded down and what is spent is rounded up: never in the spender's favour."""
    task, _ = await world.open("purse")
    live = await world.services.tasks.live.load(task.id)
    (grant,) = task.grants
    takes = live.takes(grant, {"amount": 0.0000001}, effectful=True)
    account = next(iter(own_accounts(task) - {task.id}))
    spent = [(take.calls, take.bounds[account]) for take in takes if account in take.bounds]
    assert spent == [(1, Budgets(calls=10_000_000))]


async def test_a_refreshed_agent_reaches_its_bound_tasks(world: CallWorld) -> None:
    """What a decision sees of the agent is what is registered now."""
    task, _ = await world.open()
    live = await world.services.tasks.live.load(task.id)
    world.services.tasks.live.refresh_agent(an_agent("clerk", groups=("night",)))
    world.services.tasks.live.refresh_agent(an_agent("other", groups=("day",)))
    assert live.agent.groups == ("night",)


@pytest.mark.parametrize("bound_after_s", [0.0, 10.0])
async def test_a_task_ends_by_the_seconds_that_pass_wherever_the_clock_is_set(
    world: CallWorld, bound_after_s: float
) -> None:
    """Not a millisecond earlier; counted from what was left of its deadline when it was bound."""
    task, _ = await world.open()
    left_s = (task.deadline - world.clock.now()).total_seconds()
    world.services.tasks.live._tasks.clear()
    world.clock.advance(bound_after_s)
    live = await world.services.tasks.live.load(task.id)
    world.clock.jump(-7200)
    world.clock.advance(left_s - bound_after_s - 0.001)
    world.services.tasks.live.check(live, world.clock.now())
    assert await world.services.endings.revocations.expire() == []
    world.clock.advance(0.001)
    assert world.clock.now() < task.deadline
    with pytest.raises(Fenced) as refused:
        world.services.tasks.live.check(live, world.clock.now())
    assert (refused.value.code, refused.value.step) == ("task-expired", 2)
    (closure,) = await world.services.endings.revocations.expire()
    assert (closure.tasks, closure.cause.value) == ((task.id,), "deadline")


async def test_a_task_ends_by_the_time_of_day_though_no_second_has_passed(world: CallWorld) -> None:
    """Whichever comes first."""
    task, _ = await world.open()
    live = await world.services.tasks.live.load(task.id)
    world.clock.jump((task.deadline - world.clock.now()).total_seconds() - 0.001)
    world.services.tasks.live.check(live, world.clock.now())
    world.clock.jump(0.001)
    with pytest.raises(Fenced) as refused:
        world.services.tasks.live.check(live, world.clock.now())
    assert refused.value.code == "task-expired"


def test_stopping_a_call_cuts_what_it_has_in_hand() -> None:
    """And only once there is something to cut."""
    call = LiveCall("dec_1", "desk/write", "reversible", ())
    call.stop()
    assert call.cut
    cuts: list[str] = []
    call.on_cut = lambda: cuts.append("cut")
    call.stop()
    assert cuts == ["cut"]
