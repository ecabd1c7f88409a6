# SPDX-License-Identifier: Apache-2.0
"""Ends without a closure: each is stored together with its fence, and removed together with its closure.

1. an end is stored in the commit that raises its fence, so that no crash leaves a fence without a closure
2. an end that no process continues is taken up: by the run that began it, if it failed there; the end of a
   lost run by the maintenance replica (`takeover`)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import msgspec

from remit.core.endings.closure import Ending
from remit.core.tasks.task import Task
from remit.ports.store.changes import Change, PutValue
from remit.ports.store.units import UnitStore
from remit.services.endings.takeover import Takeover

PREFIX: Final = "ending:"


class EndUnderWay(msgspec.Struct, frozen=True, kw_only=True):
    """An end whose fence is raised; `closure` is the id of its future closure.

    `at` is when its tasks ended.
    """

    closure: str
    scope: str
    ending: Ending
    at: datetime
    writer: str

    def has_ended(self, task: Task) -> bool:
        """Return whether this end ended a task."""
        so = self.ending.state, self.at, self.ending.reason
        return (task.state, task.ended, task.end_reason) == so and self.scope in task.scopes


class UnclosedEnds:
    """Stores unclosed ends. For one event loop."""

    def __init__(self, *, store: UnitStore, remains: Takeover, tenant: str) -> None:
        """Begin without ends in progress here."""
        self._store = store
        self._remains = remains
        self._tenant = tenant
        self._here: set[str] = set()

    @contextmanager
    def going_on(self, one: EndUnderWay) -> Iterator[None]:
        """Return a context in which this process does not take up the end a second time."""
        self._here.add(one.closure)
        try:
            yield
        finally:
            self._here.discard(one.closure)

    def begun(self, one: EndUnderWay) -> PutValue:
        """1. Return the change that stores the end."""
        return PutValue(self._tenant, PREFIX + one.closure, msgspec.to_builtins(one))

    def closed(self, one: EndUnderWay) -> tuple[Change, ...]:
        """1. Return the changes that remove the end.

        Only the maintenance replica completes the end of another process.
        """
        checks = self._remains.checks() if one.writer != self._store.writer else ()
        return (*checks, PutValue(self._tenant, PREFIX + one.closure, None))

    async def there(self, one: EndUnderWay) -> bool:
        """Return whether the end still has no closure."""
        return await self._store.value(self._tenant, PREFIX + one.closure) is not None

    async def left(self) -> list[EndUnderWay]:
        """2. Return the ends that no process continues, oldest first."""
        found = [msgspec.convert(one, EndUnderWay) for one in await self._store.values(self._tenant, PREFIX)]
        left = [one for one in found if one.writer == self._store.writer]
        if len(left) < len(found) and self._remains.tends:
            # Called after the ends were read: the process that began an end had joined before.
            living = await self._remains.living()
            left += [one for one in found if one.writer not in living]
        return sorted((one for one in left if one.closure not in self._here), key=lambda one: one.at)
