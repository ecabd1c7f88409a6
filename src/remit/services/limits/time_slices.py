# SPDX-License-Identifier: Apache-2.0
"""Turns: long work of one call holds up neither the calls of others nor an end.

Core does long work in steps (`core.cooperative_steps`). Here they are driven for as long as a turn takes by
the clock; then everybody else has theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from remit.core.cooperative_steps import Steps
from remit.ports.runtime import Clock

Found = TypeVar("Found")

#: How long one turn takes: no longer than this and one step.
TURN_S: Final = 0.002


class TimeSlices:
    """Gives turns to what is done in steps. For one event loop."""

    def __init__(self, clock: Clock, turn_s: float = TURN_S) -> None:
        """Begin with nobody who waits."""
        self._clock = clock
        self._turn_s = turn_s
        self._line = asyncio.Lock()

    async def take(self, steps: Steps[Found], turned: Callable[[], object] = lambda: None) -> Found:
        """Do all steps, and give what they have found. `turned` is called whenever others have had a turn,
        and may raise: then no step is done any more.

        However many there are with long work, one of them at a time has a turn after its first one: what a
        small call waits for is one turn, and not one of each.
        """
        try:
            self._turn(steps)
            while True:
                async with self._line:
                    await asyncio.sleep(0)
                    turned()
                    self._turn(steps)
        except StopIteration as end:
            found: Found = end.value
            return found
        finally:
            steps.close()

    def _turn(self, steps: Steps[object]) -> None:
        """Do steps for one turn; raises `StopIteration` where that was the last one."""
        until = self._clock.boot_s() + self._turn_s
        next(steps)
        while self._clock.boot_s() < until:
            next(steps)
