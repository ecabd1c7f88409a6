# SPDX-License-Identifier: Apache-2.0
"""What goes on beside the calls: signing the log's head, ending what has run out, following upstreams'
changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from remit.core.errors import RemitError

log = logging.getLogger("remit.upkeep")


class Upkeep:
    """Runs chores at intervals until it is closed. A chore that fails is tried again at its next turn."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.failing: dict[str, str] = {}

    def every(self, name: str, interval_s: float, chore: Callable[[], Awaitable[object]]) -> None:
        """Run `chore` every `interval_s` seconds, counted from its end."""
        self._keep(asyncio.get_running_loop().create_task(self._loop(name, interval_s, chore), name=name))

    def soon(self, name: str, chore: Callable[[], Awaitable[object]]) -> None:
        """Run `chore` once, beside whatever is going on."""
        self._keep(asyncio.get_running_loop().create_task(self._once(name, chore), name=name))

    async def close(self) -> None:
        """Stop all chores."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _loop(self, name: str, interval_s: float, chore: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self._once(name, chore)

    async def _once(self, name: str, chore: Callable[[], Awaitable[object]]) -> None:
        try:
            await chore()
        except RemitError as error:
            if name not in self.failing:
                log.warning("%s: %s", name, error)
            self.failing[name] = str(error)
        except Exception as error:
            # A defect, or a machine that fails in a way of its own: no chore may stop for good at that.
            if name not in self.failing:
                log.exception("%s failed", name)
            self.failing[name] = repr(error)
        else:
            if self.failing.pop(name, None) is not None:
                log.warning("%s: works again", name)
