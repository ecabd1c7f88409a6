# SPDX-License-Identifier: Apache-2.0
"""Time slices: long work of one call delays neither the calls of others nor an end.

Core does long work in steps (`core.cooperative_steps`). Here the steps run for the length of one turn by the
clock. Then everything else that can run has the loop, ends before all:

1. while an end has priority, no turn begins (`services.endings.priority`, which bounds how long that is)
2. a turn begins once the loop has gone round without work, so a call that goes from task to task waits for
   no turn in between
3. where there is always other work, a turn begins after `OTHERS` times its length, so long work goes on
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from remit.core.cooperative_steps import Steps
from remit.ports.runtime import Clock

Found = TypeVar("Found")

#: Length of one turn: no longer than this plus one step. A call waits for the rest of a turn whenever it
#: comes back from another thread, from its upstream, or from its client.
TURN_S: Final = 0.0005
#: Length of the first turn, in which the work of a small call ends.
FIRST_S: Final = 0.002
#: How long the loop takes at most to go round where nothing else runs.
IDLE_S: Final = 0.00002
#: The share of others, where there is always other work: so many times the length of a turn.
OTHERS: Final = 4
#: How long a thread waits at most for the interpreter beside long work. Between two turns the loop lets go of
#: it too briefly for another thread, and the interpreter's 5 ms begin again each time: a commit waited for
#: ten turns. It is not the setting for all times, because it costs many small calls at once a tenth.
SWITCH_S: Final = 0.00005


class Ends(Protocol):
    """Says whether ends have priority."""

    @property
    def pause(self) -> asyncio.Event | None:
        """Return what is set once calls may go on; None while nothing waits."""
        ...


class TimeSlices:
    """Runs work that is done in steps, in turns; for one event loop."""

    def __init__(self, clock: Clock, ends: Ends, turn_s: float = TURN_S) -> None:
        """Begin with no work that waits."""
        self._clock = clock
        self._ends = ends
        self._turn_s = turn_s
        self._first_s = max(turn_s, FIRST_S)
        self._line = asyncio.Lock()
        self._long = 0
        self._usual_s = sys.getswitchinterval()

    async def take(
        self, steps: Steps[Found], turned: Callable[[], object] = lambda: None, *, long: bool = False
    ) -> Found:
        """Do all steps and return their result; `long` if already the first ones take milliseconds.

        `turned` is called whenever other tasks have had a turn. It may raise: then no further step is done.

        However much long work there is, only one piece of it at a time gets further turns after its first
        one. So a small call waits for one turn, not for one turn of each.
        """
        try:
            if not long:
                self._turn(steps, self._first_s)
            with self._sharing():
                while True:
                    async with self._line:
                        await self._others()
                        turned()
                        self._turn(steps, self._turn_s)
        except StopIteration as end:
            found: Found = end.value
            return found
        finally:
            steps.close()

    @contextmanager
    def _sharing(self) -> Iterator[None]:
        """Hand the interpreter to other threads soon, for as long as there is long work."""
        self._long += 1
        if self._long == 1:
            sys.setswitchinterval(SWITCH_S)
        try:
            yield
        finally:
            self._long -= 1
            if not self._long:
                sys.setswitchinterval(self._usual_s)

    async def _others(self) -> None:
        """Let everything else run that can."""
        now = self._clock.boot_s()
        until, idle = now + OTHERS * self._turn_s, 0
        # What arrives is read at the end of a round, and its task runs in the next one.
        while True:
            if (pause := self._ends.pause) is not None:
                await pause.wait()
            elif now >= until or idle == 2:
                return
            else:
                await asyncio.sleep(0)
            before, now = now, self._clock.boot_s()
            idle = idle + 1 if now - before < IDLE_S else 0

    def _turn(self, steps: Steps[object], turn_s: float) -> None:
        """Do steps for one turn; raises `StopIteration` at the last step."""
        until = self._clock.boot_s() + turn_s
        next(steps)
        while self._clock.boot_s() < until:
            next(steps)
