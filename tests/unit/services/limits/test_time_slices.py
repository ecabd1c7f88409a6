# SPDX-License-Identifier: Apache-2.0
"""Long work is done in steps, and all other tasks run between them."""

from __future__ import annotations

import asyncio
import itertools
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
