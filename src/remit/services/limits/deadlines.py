# SPDX-License-Identifier: Apache-2.0
"""Time bounds of many that wait equally long, with one timer of the event loop for all of them.

A timer of its own is made and thrown away for each body that is read and each answer that is waited for, and
hardly one of them ever goes off. Here whoever comes later is due later, so that the first in line is always
the next: the loop's one timer is set for them, and set again only once it has gone off.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

Running = asyncio.Task[Any]


class DeadlineTimer:
    """Something that is due at a time, unless it is put off before."""

    __slots__ = ("due_s", "handle")

    due_s: float
    handle: asyncio.Handle | None

    def ring(self) -> None:
        """It is due; what this raises goes to the event loop."""
        raise NotImplementedError


class Deadlines:
    """Alarms of one length, about; a shorter one than those in line costs a timer of its own.

    For one event loop. INVARIANT: those in line are in the order in which they are due, and while there is
    one, the loop's timer is set for the first of them or earlier.
    """

    def __init__(self) -> None:
        """Begin with nobody in line."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._line: dict[DeadlineTimer, None] = {}
        self._last_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, alarm: DeadlineTimer, seconds: float) -> None:
        """Have an alarm ring after so many seconds."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        alarm.due_s = due_s = loop.time() + seconds
        alarm.handle = None
        if due_s < self._last_s and self._line:
            alarm.handle = loop.call_at(due_s, alarm.ring)
            return
        self._last_s = due_s
        self._line[alarm] = None
        if self._timer is None:
            self._timer = loop.call_at(due_s, self._ring, loop)

    def put_off(self, alarm: DeadlineTimer) -> None:
        """Let an alarm ring no more; where it has, this does nothing."""
        if alarm.handle is None:
            self._line.pop(alarm, None)
        else:
            alarm.handle.cancel()

    def within(self, seconds: float, task: Running | None = None) -> Deadline:
        """Bound what is awaited in a `with` block: it is cancelled, and the block raises `TimeoutError`.

        `task` is the one that runs, where that is known already.
        """
        return Deadline(self, seconds, task or self.running())

    def running(self) -> Running:
        """Return the task that runs."""
        # By the loop that is known: to ask for the running one takes a call to the operating system.
        task = asyncio.current_task(self._loop)
        assert task is not None
        return task

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now_s = loop.time()
        while self._line:
            alarm = next(iter(self._line))
            if alarm.due_s > now_s:
                self._timer = loop.call_at(alarm.due_s, self._ring, loop)
                return
            del self._line[alarm]
            # By the loop, as each timer is: it can still be put off, and what one raises concerns no other.
            alarm.handle = loop.call_soon(alarm.ring)


class Deadline(DeadlineTimer):
    """The bound of one block (`Deadlines.within`); it means what `asyncio.timeout` means."""

    __slots__ = ("_alarms", "_before", "_over", "_seconds", "_task")

    def __init__(self, alarms: Deadlines, seconds: float, task: Running) -> None:
        """Begin with the block."""
        self._alarms = alarms
        self._seconds = seconds
        self._task = task
        self._over = False

    def __enter__(self) -> None:
        self._before = self._task.cancelling()
        self._alarms.start(self, self._seconds)

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None
    ) -> None:
        self._alarms.put_off(self)
        if self._over and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from fault

    def ring(self) -> None:
        """Cancel what the block awaits."""
        self._over = True
        self._task.cancel()
