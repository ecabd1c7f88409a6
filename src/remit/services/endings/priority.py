# SPDX-License-Identifier: Apache-2.0
"""Priority of ends: while an end is in progress, calls wait between two of their steps.

Each await of an end costs a turn of the event loop, in which the calls of all tasks do their work. So once
the caller is known to be entitled to the end:

1. a running call waits before its next step, a new call before its first; no step is interrupted
2. a call waits once, and at most `MOST_S`, whatever becomes of the end
3. after a pause, calls run for as long as the pause took, and an end that comes in that time waits for its
   priority: a caller that ends one thing after another takes at most half of the time
4. while an end waits for others (sinks of credentials, other replicas), calls run

Ends of expired or completed tasks are not urgent, and have no priority.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

#: Longest time in seconds for which calls wait for an end.
MOST_S: Final = 0.025


class EndPriority:
    """The priorities of one process. For one event loop."""

    def __init__(self, most_s: float = MOST_S) -> None:
        """Begin without ends in progress."""
        self._most_s = most_s
        self._ends = 0
        self._since_s = self._calls_until_s = 0.0
        self._opening: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        #: Set while calls wait.
        self.pause: asyncio.Event | None = None
        #: Number of pauses since the start.
        self.pauses = 0

    async def turn(self) -> None:
        """Wait until a call may continue; return at once if no end has priority."""
        if (pause := self.pause) is not None:
            await pause.wait()

    def first(self, *, hurried: bool = True) -> EndInFront:
        """Return a context that gives an end priority for the duration of its block, if it is `hurried`."""
        return EndInFront(self if hurried else None)

    def begin(self) -> None:
        """Add an end with priority."""
        self._ends += 1
        if self.pause is not None or self._again is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._calls_until_s:
            self._shut()
        else:
            # 3
            self._again = loop.call_at(self._calls_until_s, self._shut)

    def over(self) -> None:
        """Remove an end with priority."""
        self._ends -= 1
        if not self._ends:
            self._open()

    def _shut(self) -> None:
        self._again = None
        loop = asyncio.get_running_loop()
        self.pause, self._since_s = asyncio.Event(), loop.time()
        self.pauses += 1
        # 2
        self._opening = loop.call_later(self._most_s, self._open)

    def _open(self) -> None:
        for timer in (self._opening, self._again):
            if timer is not None:
                timer.cancel()
        self._opening = self._again = None
        if (pause := self.pause) is not None:
            self.pause = None
            now_s = asyncio.get_running_loop().time()
            self._calls_until_s = 2 * now_s - self._since_s
            pause.set()


class EndInFront:
    """An end with priority or, with `None`, without."""

    def __init__(self, among: EndPriority | None) -> None:
        """Take the priorities in which the end takes part."""
        self._among = among

    def __enter__(self) -> Self:
        """Begin."""
        if self._among is not None:
            self._among.begin()
        return self

    def __exit__(self, *_: object) -> None:
        """Give up the priority."""
        if self._among is not None:
            self._among.over()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """4. Let calls run for the duration of the block."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()
