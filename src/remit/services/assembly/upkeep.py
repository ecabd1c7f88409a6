# SPDX-License-Identifier: Apache-2.0
"""Background work beside the calls.

It signs the log's head, ends expired tasks, and follows the upstreams' changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from remit.core.errors import RemitError

log = logging.getLogger("remit.upkeep")

#: Pause in seconds between two runs of a chore that was requested while it ran.
PAUSE_S = 0.25


class Upkeep:
    """Runs chores at intervals until it is closed. A chore that fails runs again at its next interval."""

    def __init__(self) -> None:
        """Begin without chores."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: set[str] = set()
        self._again: set[str] = set()
        self.failing: dict[str, str] = {}

    def every(self, name: str, interval_s: float, chore: Callable[[], Awaitable[object]]) -> None:
        """Run `chore` every `interval_s` seconds; the interval begins when the chore ends."""
        self._keep(asyncio.get_running_loop().create_task(self._loop(name, interval_s, chore), name=name))

    def soon(self, name: str, chore: Callable[[], Awaitable[object]]) -> None:
        """Run `chore` in the background, soon.

        A chore that is requested while it runs will run once more afterwards, however many requests came:
        requests do not set the pace of the work.
        """
        if name in self._running:
            self._again.add(name)
            return
        self._running.add(name)
        self._keep(asyncio.get_running_loop().create_task(self._until_quiet(name, chore), name=name))

    async def close(self) -> None:
        """Stop all chores."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_quiet(self, name: str, chore: Callable[[], Awaitable[object]]) -> None:
        try:
            while True:
                self._again.discard(name)
                await self._once(name, chore)
                if name not in self._again:
                    return
                await asyncio.sleep(PAUSE_S)
        finally:
            self._running.discard(name)

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
            # A defect, or an unforeseen fault of the machine: neither may stop a chore for good.
            if name not in self.failing:
                log.exception("%s failed", name)
            self.failing[name] = repr(error)
        else:
            if self.failing.pop(name, None) is not None:
                log.warning("%s: works again", name)
