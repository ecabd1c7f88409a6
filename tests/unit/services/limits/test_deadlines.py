# SPDX-License-Identifier: Apache-2.0
"""Time bounds that share a timer mean what `asyncio.timeout` means."""

import asyncio
from typing import Any

import pytest

from remit.services.limits.deadlines import Deadlines, DeadlineTimer

NEVER_S = 3600.0


class Bell(DeadlineTimer):
    """Notes that it has rung."""

    def __init__(self, rung: list["Bell"]) -> None:
        """Note it in this list."""
        self._rung = rung

    def ring(self) -> None:
        """Note it."""
        self._rung.append(self)


class Last(DeadlineTimer):
    """Tells that all before it have been called."""

    def __init__(self, rung: asyncio.Event) -> None:
        """Tell by this event."""
        self._rung = rung

    def ring(self) -> None:
        """Tell."""
        self._rung.set()


async def for_ever() -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


async def test_who_is_in_time_notices_nothing() -> None:
    """And is not cancelled afterwards."""
    alarms = Deadlines()
    with alarms.within(0.01):
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)


async def test_who_is_late_is_told_so() -> None:
    """What was awaited is cancelled, the task is not."""
    alarms = Deadlines()
    ended = asyncio.Event()

    async def waiting() -> None:
        try:
            await for_ever()
        finally:
            ended.set()

    with pytest.raises(TimeoutError), alarms.within(0.01):
        await waiting()
    assert ended.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_time_that_is_over_bounds_the_first_wait(seconds: float) -> None:
    """Nothing has to be in line for it."""
    with pytest.raises(TimeoutError), Deadlines().within(seconds):
        await for_ever()


async def test_a_shorter_time_does_not_wait_behind_longer_ones() -> None:
    """Each is told at its own time."""
    alarms = Deadlines()
    with alarms.within(NEVER_S), pytest.raises(TimeoutError), alarms.within(0.01):
        await for_ever()


async def test_a_cancellation_from_outside_stays_one() -> None:
    """It is not taken for a time that has run out."""
    alarms = Deadlines()

    async def bounded() -> None:
        with alarms.within(NEVER_S):
            await for_ever()

    task = asyncio.create_task(bounded())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_at_once_are_a_cancellation() -> None:
    """The party that cancelled the task is waiting for it to end."""
    alarms = Deadlines()
    late = asyncio.Event()

    async def bounded() -> None:
        with alarms.within(0.01):
            try:
                await for_ever()
            finally:
                task.cancel()
                late.set()

    task = asyncio.create_task(bounded())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert late.is_set()


async def test_many_that_wait_equally_long_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop hears of the first alone, and of the next once that is over."""
    loop, alarms, rung = asyncio.get_running_loop(), Deadlines(), list[Bell]()
    timers: list[float] = []
    set_timer = loop.call_at

    def call_at(when: float, *given: Any, **named: Any) -> asyncio.TimerHandle:
        timers.append(when)
        return set_timer(when, *given, **named)

    monkeypatch.setattr(loop, "call_at", call_at)
    bells = [Bell(rung) for _ in range(100)]
    for bell in bells:
        alarms.start(bell, 0.02)
    assert len(timers) == 1
    for bell in bells[::2]:
        alarms.put_off(bell)
    last = asyncio.Event()
    alarms.start(Last(last), 0.02)
    await last.wait()
    assert rung == bells[1::2]


async def test_one_that_is_put_off_while_it_is_due_does_not_ring() -> None:
    """The others of the same moment may take time; what ends meanwhile is left alone."""
    alarms, rung = Deadlines(), list[Bell]()
    second = Bell(rung)

    class First(DeadlineTimer):
        def ring(self) -> None:
            """End what the second one bounds."""
            alarms.put_off(second)

    first = First()
    alarms.start(first, 0.0)
    alarms.start(second, 0.0)
    last = asyncio.Event()
    alarms.start(Last(last), 0.01)
    await last.wait()
    assert rung == []


async def test_one_that_raises_keeps_no_other_from_ringing() -> None:
    """The event loop hears of what it raised."""
    alarms, rung, heard = Deadlines(), list[Bell](), list[dict[str, Any]]()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))

    class Broken(DeadlineTimer):
        def ring(self) -> None:
            """Fail."""
            raise ValueError("broken")

    alarms.start(Broken(), 0.0)
    alarms.start(Bell(rung), 0.0)
    last = asyncio.Event()
    alarms.start(Last(last), 0.01)
    await last.wait()
    assert len(rung) == 1
    assert isinstance(heard[0]["exception"], ValueError)
