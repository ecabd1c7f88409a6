# SPDX-License-Identifier: Apache-2.0
"""Who goes first: ends, for a bounded time, and then all other work for as long."""

import asyncio
from collections.abc import Awaitable, Callable

from remit.services.endings.priority import EndPriority


class SetLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock moves only when it is told to."""

    now_s = 1000.0

    def time(self) -> float:
        """Return the loop's time."""
        return self.now_s


class Times:
    """What a test does: lets time pass, and looks who waits. Pauses are of ten seconds at the most."""

    def __init__(self, loop: SetLoop) -> None:
        self._loop = loop
        self.precedence = EndPriority(10.0)
        self.waiting: set[asyncio.Task[None]] = set()

    async def passing(self, seconds: float) -> None:
        """Let time pass, and let the tasks that are ready run."""
        self._loop.now_s += seconds
        for _ in range(5):
            await asyncio.sleep(0)

    async def call(self) -> "asyncio.Task[None]":
        """Have a call begin."""
        task = self._loop.create_task(self.precedence.turn())
        await self.passing(0)
        return task


def timed(test: Callable[[Times], Awaitable[None]]) -> Callable[[], None]:
    """Run a test on a loop whose clock it sets."""

    def run() -> None:
        loop = SetLoop()
        try:
            loop.run_until_complete(test(Times(loop)))
        finally:
            loop.close()

    run.__doc__ = test.__doc__
    return run


@timed
async def test_a_call_waits_for_an_end_and_no_longer(t: Times) -> None:
    """It waits while an end goes first, and goes on in the moment in which that is over."""
    assert (await t.call()).done()
    with t.precedence.first():
        waiting = await t.call()
        assert not waiting.done()
    await t.passing(0)
    assert waiting.done()
    assert (await t.call()).done()
    assert t.precedence.pauses == 1


@timed
async def test_nobody_waits_longer_than_the_bound(t: Times) -> None:
    """An end that takes long goes on beside the calls."""
    with t.precedence.first():
        waiting = await t.call()
        await t.passing(9.9)
        assert not waiting.done()
        await t.passing(0.2)
        assert waiting.done()
        assert (await t.call()).done()


@timed
async def test_ends_together_are_one_pause(t: Times) -> None:
    """It is over with the last of them, or with the bound, counted from the first."""
    with t.precedence.first():
        waiting = await t.call()
        await t.passing(6)
        with t.precedence.first():
            pass
        await t.passing(0)
        assert not waiting.done()
        with t.precedence.first():
            await t.passing(4.1)
            assert waiting.done()
    assert t.precedence.pauses == 1


@timed
async def test_after_a_pause_calls_have_as_long_as_it_was(t: Times) -> None:
    """An end that comes then waits for its turn to go first, and has it if it is still under way."""
    with t.precedence.first():
        await t.passing(4)
    with t.precedence.first():
        assert (await t.call()).done()
        await t.passing(3.9)
        assert (await t.call()).done()
        await t.passing(0.2)
        waiting = await t.call()
        await t.passing(1)
        assert not waiting.done()
    await t.passing(0)
    assert waiting.done()
    with t.precedence.first():
        pass
    # It was over before its turn came: nothing waits for it afterwards.
    await t.passing(20)
    assert (await t.call()).done()
    assert t.precedence.pauses == 2


@timed
async def test_ends_without_a_gap_take_half_of_the_time(t: Times) -> None:
    """However many there are, and however they overlap."""
    paused = 0
    first = t.precedence.first()
    first.__enter__()
    for _ in range(1000):
        second = t.precedence.first()
        second.__enter__()
        first.__exit__()
        first = second
        await t.passing(1)
        paused += t.precedence.pause is not None
    first.__exit__()
    assert 400 <= paused <= 600


@timed
async def test_calls_go_on_while_an_end_waits_for_others(t: Times) -> None:
    """And wait again, in turn, when it goes on."""
    with t.precedence.first() as going:
        waiting = await t.call()
        await t.passing(1)
        with going.aside():
            await t.passing(2)
            assert waiting.done()
            assert (await t.call()).done()
        waiting = await t.call()
        assert not waiting.done()
    await t.passing(0)
    assert waiting.done()


@timed
async def test_an_end_without_hurry_holds_up_nobody(t: Times) -> None:
    """Neither while it is under way nor while it waits for others."""
    with t.precedence.first(hurried=False) as going:
        assert (await t.call()).done()
        with going.aside():
            assert (await t.call()).done()
    assert t.precedence.pauses == 0


@timed
async def test_a_call_that_gives_up_takes_nothing_from_the_others(t: Times) -> None:
    """Its agent hung up while it waited."""
    with t.precedence.first():
        gone, waiting = await t.call(), await t.call()
        gone.cancel()
        await t.passing(0)
        assert gone.cancelled()
        assert not waiting.done()
    await t.passing(0)
    assert waiting.done()
