# SPDX-License-Identifier: Apache-2.0
"""Time slices: long work of one call delays neither the calls of others nor an end.

Core does long work in steps (`core.cooperative_steps`). Here the steps run for the length of one turn by the
clock; then all other tasks get their turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from remit.core.cooperative_steps import Steps
from remit.ports.runtime import Clock

Found = TypeVar("Found")

#: Length of one turn: no longer than this plus one step.
TURN_S: Final = 0.002


class TimeSlices:
    """Runs work that is done in steps, in turns; for one event loop."""

    def __init__(self, clock: Clock, turn_s: float = TURN_S) -> None:
        """Begin with no work that waits."""
        self._clock = clock
        self._turn_s = turn_s
        self._line = asyncio.Lock()

    async def take(self, steps: Steps[Found], turned: Callable[[], object] = lambda: None) -> Found:
        """Do all steps and return their result.

        `turned` is called whenever other tasks have had a turn. It may raise: then no further step is done.

        However much long work there is, only one piece of it at a time gets further turns after its first
        one. So a small call waits for one turn, not for one turn of each.
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
        """Do steps for one turn; raises `StopIteration` at the last step."""
        until = self._clock.boot_s() + self._turn_s
        next(steps)
        while self._clock.boot_s() < until:
            next(steps)
