# SPDX-License-Identifier: Apache-2.0
"""An end goes first: calls wait between two of their steps while it is under way.

Each wait of an end costs a turn of the event loop, in which everybody's calls do their work. So once it is
known that whoever asks for an end may have it:

1. a call waits before its next step, and one that comes meanwhile before its first. No step is held up within
2. a call waits once, and `MOST_S` at the most, whatever becomes of the end
3. after a pause calls have the loop for as long as the pause was, and an end that comes then waits for its
   turn to go first: whoever ends one thing after another takes half of the time, and not more
4. while an end waits for others (sinks of credentials, other replicas), calls go on

What runs out, or is completed, is in no hurry, and does not go first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

#: Seconds for which calls wait for an end, at the most.
MOST_S: Final = 0.025


class EndPriority:
    """Who goes first in one process. For one event loop."""

    def __init__(self, most_s: float = MOST_S) -> None:
        """Begin with no end under way."""
        self._most_s = most_s
        self._ends = 0
        self._since_s = self._calls_until_s = 0.0
        self._opening: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        #: Set while calls wait.
        self.pause: asyncio.Event | None = None
        #: Pauses since start.
        self.pauses = 0

    async def turn(self) -> None:
        """Wait until a call may go on: not at all, where no end goes first."""
        if (pause := self.pause) is not None:
            await pause.wait()

    def first(self, *, hurried: bool = True) -> EndInFront:
        """Go first for as long as the block runs, if the end is `hurried`."""
        return EndInFront(self if hurried else None)

    def begin(self) -> None:
        """One more end goes first."""
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
        """One end less goes first."""
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
    """One end that goes first, or with `None` one that does not."""

    def __init__(self, among: EndPriority | None) -> None:
        """Take among whom."""
        self._among = among

    def __enter__(self) -> Self:
        """Begin."""
        if self._among is not None:
            self._among.begin()
        return self

    def __exit__(self, *_: object) -> None:
        """Be over."""
        if self._among is not None:
            self._among.over()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """4. Let calls go on for as long as the block runs."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()
