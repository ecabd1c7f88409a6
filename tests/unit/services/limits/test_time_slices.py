# SPDX-License-Identifier: Apache-2.0
"""Long work is done in steps, and all other tasks run between them."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable

import pytest

from remit.core.cooperative_steps import Steps
from remit.services.endings.priority import EndPriority
from remit.services.limits.time_slices import TimeSlices
from tests.worlds.values import RunningClock, WorldClock


def work(steps: int, done: list[int]) -> Steps[str]:
    """Do so many steps."""
    for at in range(steps):
        done.append(at)
        yield
    return "found"


async def turns_of(task: asyncio.Task[str], look: Callable[[], object] = lambda: None) -> int:
    """Count how often the loop goes round until a task is done."""
    count = 0
    while not task.done():
        count += 1
        look()
        await asyncio.sleep(0)
    return count


async def test_short_work_is_done_at_once() -> None:
    """Work that takes less than a step needs no wait, and schedules nothing."""
    done: list[int] = []
    assert await TimeSlices(WorldClock(), EndPriority()).take(work(1_000, done)) == "found"
    assert len(done) == 1_000


async def test_a_turn_ends_when_its_time_has_passed() -> None:
    """However many steps that is."""
    done: list[int] = []
    sizes: list[int] = []
    task = asyncio.ensure_future(
        TimeSlices(RunningClock(), EndPriority(), turn_s=0.0095).take(work(100, done))
    )
    await turns_of(task, lambda: sizes.append(len(done)))
    assert await task == "found"
    assert max(after - before for before, after in itertools.pairwise(sizes)) == 10


async def test_two_with_long_work_do_not_have_a_turn_each_time() -> None:
    """What others wait for is one turn, however many there are."""
    turns, done = TimeSlices(RunningClock(), EndPriority()), [[], [], []]  # type: tuple[TimeSlices, list[list[int]]]
    tasks = [asyncio.ensure_future(turns.take(work(60, one))) for one in done]
    grown: list[int] = []
    before = 0
    await asyncio.sleep(0)
    while not all(task.done() for task in tasks):
        before = sum(map(len, done))
        await asyncio.sleep(0)
        grown.append(sum(map(len, done)) - before)
    assert max(grown) <= 3
    assert [len(one) for one in done] == [60, 60, 60]


async def test_whoever_is_told_that_others_had_a_turn_may_end_the_work() -> None:
    """Then no step is done any more, and the work is closed."""
    done: list[int] = []

    def cut() -> None:
        raise PermissionError("cut")

    steps = work(100, done)
    with pytest.raises(PermissionError):
        await TimeSlices(RunningClock(), EndPriority()).take(steps, cut)
    assert 0 < len(done) < 5
    assert next(steps, None) is None
    assert len(done) < 5


async def test_what_the_work_meets_is_raised() -> None:
    """And the next one in line has its turn."""

    def broken() -> Steps[str]:
        yield from work(5, [])
        raise ValueError("odd")

    turns = TimeSlices(RunningClock(), EndPriority())
    first = asyncio.ensure_future(turns.take(broken()))
    second = asyncio.ensure_future(turns.take(work(50, [])))
    with pytest.raises(ValueError, match="odd"):
        await first
    assert await second == "found"


class Hand(WorldClock):
    """A clock that work moves on."""

    at_s = 0.0

    def boot_s(self) -> float:
        """Return the seconds that work has taken."""
        return self.at_s


def hours(clock: Hand, done: list[str], steps: int = 5) -> Steps[None]:
    """Do steps of a second each."""
    for _ in range(steps):
        clock.at_s += 1.0
        done.append("step")
        yield


async def test_what_goes_from_task_to_task_waits_for_no_turn_in_between() -> None:
    """A turn begins once the loop has gone round without other work."""
    clock, done = Hand(), list[str]()
    work = asyncio.ensure_future(TimeSlices(clock, EndPriority(), turn_s=1.0).take(hours(clock, done)))
    await asyncio.sleep(0)
    for _ in range(20):
        clock.at_s += 0.1
        done.append("call")
        await asyncio.sleep(0)
    await work
    assert done[:1] + done[1:21] == ["step"] + 20 * ["call"]


async def test_where_there_is_always_other_work_long_work_has_its_share() -> None:
    """At least one of five seconds."""
    clock, done = Hand(), list[str]()
    work = asyncio.ensure_future(TimeSlices(clock, EndPriority(), turn_s=1.0).take(hours(clock, done)))
    while not work.done():
        clock.at_s += 0.5
        done.append("call")
        await asyncio.sleep(0)
    assert done.count("call") <= 5 * (2 * 4 + 2)


async def test_no_turn_begins_while_an_end_has_priority() -> None:
    """It goes on after the end."""
    clock, done, ends = Hand(), list[str](), EndPriority(60.0)
    work = asyncio.ensure_future(TimeSlices(clock, ends, turn_s=1.0).take(hours(clock, done)))
    await asyncio.sleep(0)
    with ends.first():
        for _ in range(50):
            await asyncio.sleep(0)
        assert done == ["step"]
    await work
    assert done == 5 * ["step"]


async def test_work_whose_first_steps_are_long_does_not_begin_beside_an_end() -> None:
    """A small call's first turn comes at once; that of long work would be too long."""
    clock, done, ends = Hand(), list[str](), EndPriority(60.0)
    slices = TimeSlices(clock, ends, turn_s=1.0)
    with ends.first():
        work = asyncio.ensure_future(slices.take(hours(clock, done), long=True))
        for _ in range(50):
            await asyncio.sleep(0)
        assert done == []
    await work
    assert done == 5 * ["step"]


async def test_threads_get_the_interpreter_sooner_only_beside_long_work() -> None:
    """And so it is however the work ends."""
    clock, done, usual_s = Hand(), list[str](), sys.getswitchinterval()
    slices = TimeSlices(clock, EndPriority(), turn_s=1.0)
    await slices.take(work(1_000, []))
    one, other = (asyncio.ensure_future(slices.take(hours(clock, done))) for _ in range(2))
    await asyncio.sleep(0)
    assert sys.getswitchinterval() < usual_s / 10
    one.cancel()
    await other
    assert sys.getswitchinterval() == usual_s
