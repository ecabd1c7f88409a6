# SPDX-License-Identifier: Apache-2.0
"""Deadlines of many equally long waits, with one timer of the event loop for all of them.

Without this, each request body and each awaited answer would need a timer that hardly ever fires. Here a
deadline that starts later is due later, so the first in line is always the next one due. The loop's one timer
is set for that deadline, and is set again only after it has fired.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

Running = asyncio.Task[Any]


class DeadlineTimer:
    """An alarm that rings at a time, unless it is cancelled before."""

    __slots__ = ("due_s", "handle")

    due_s: float
    handle: asyncio.Handle | None

    def ring(self) -> None:
        """Act on the alarm; what this raises goes to the event loop."""
        raise NotImplementedError


class Deadlines:
    """Alarms of about the same length; an alarm shorter than those in line costs a separate timer.

    For one event loop. INVARIANT: the alarms in line are in the order in which they are due, and while there
    is one, the loop's timer is set for the first of them or earlier.
    """

    def __init__(self) -> None:
        """Begin with no alarm in line."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._line: dict[DeadlineTimer, None] = {}
        self._last_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, alarm: DeadlineTimer, seconds: float) -> None:
        """Start an alarm that rings after this many seconds."""
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
        """Cancel an alarm; do nothing if it has already rung."""
        if alarm.handle is None:
            self._line.pop(alarm, None)
        else:
            alarm.handle.cancel()

    def within(self, seconds: float, task: Running | None = None) -> Deadline:
        """Bound a `with` block: at the deadline the block is cancelled and raises `TimeoutError`.

        `task` is the running task, where the caller knows it already.
        """
        return Deadline(self, seconds, task or self.running())

    def running(self) -> Running:
        """Return the running task."""
        # Passing the known loop saves a call to the operating system, which finding the running loop takes.
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
            # Run by the loop, like any timer: it can still be cancelled, and its exception affects no other
            # alarm.
            alarm.handle = loop.call_soon(alarm.ring)


class Deadline(DeadlineTimer):
    """The deadline of one block (`Deadlines.within`), with the semantics of `asyncio.timeout`."""

    __slots__ = ("_alarms", "_before", "_over", "_seconds", "_task")

    def __init__(self, alarms: Deadlines, seconds: float, task: Running) -> None:
        """Prepare the deadline of a block."""
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
