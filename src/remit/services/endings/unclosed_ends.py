# SPDX-License-Identifier: Apache-2.0
"""Ends whose closure is not written: each is kept with its fence, and let go with its closure.

1. an end is kept in the commit that raises its fence, so that no crash leaves a fence without a closure
2. one that nobody goes on with is taken up: by the run that began it where it failed there, and one of a run
   that is gone by whoever tends (`remains`)
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
    """An end whose fence stands, and whose closure will have the id `closure`. Its tasks ended `at` that."""

    closure: str
    scope: str
    ending: Ending
    at: datetime
    writer: str

    def has_ended(self, task: Task) -> bool:
        """Whether it was this end that ended a task."""
        so = self.ending.state, self.at, self.ending.reason
        return (task.state, task.ended, task.end_reason) == so and self.scope in task.scopes


class UnclosedEnds:
    """Keeps them. For one event loop."""

    def __init__(self, *, store: UnitStore, remains: Takeover, tenant: str) -> None:
        """Begin with none under way here."""
        self._store = store
        self._remains = remains
        self._tenant = tenant
        self._here: set[str] = set()

    @contextmanager
    def going_on(self, one: EndUnderWay) -> Iterator[None]:
        """While this is held, nobody here takes it up."""
        self._here.add(one.closure)
        try:
            yield
        finally:
            self._here.discard(one.closure)

    def begun(self, one: EndUnderWay) -> PutValue:
        """1. Give what keeps it."""
        return PutValue(self._tenant, PREFIX + one.closure, msgspec.to_builtins(one))

    def closed(self, one: EndUnderWay) -> tuple[Change, ...]:
        """1. Give what lets it go. Another's is completed by whoever tends, and by nobody else."""
        checks = self._remains.checks() if one.writer != self._store.writer else ()
        return (*checks, PutValue(self._tenant, PREFIX + one.closure, None))

    async def there(self, one: EndUnderWay) -> bool:
        """Whether it is still without its closure."""
        return await self._store.value(self._tenant, PREFIX + one.closure) is not None

    async def left(self) -> list[EndUnderWay]:
        """2. Give those that nobody goes on with, oldest first."""
        found = [msgspec.convert(one, EndUnderWay) for one in await self._store.values(self._tenant, PREFIX)]
        left = [one for one in found if one.writer == self._store.writer]
        if len(left) < len(found) and self._remains.tends:
            # Asked after that was read: who has begun one had entered before.
            living = await self._remains.living()
            left += [one for one in found if one.writer not in living]
        return sorted((one for one in left if one.closure not in self._here), key=lambda one: one.at)
