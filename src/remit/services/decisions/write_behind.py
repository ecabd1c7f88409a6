# SPDX-License-Identifier: Apache-2.0
"""Outcomes that are written after the answer, in a commit that no call awaits.

The commit is retried while the store is unavailable.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from remit.core.errors import RemitError, StoreUnavailable
from remit.ports.store.units import Unit, UnitStore

log = logging.getLogger("remit.mediate")

#: Limit of outcomes that could not be written yet and await a retry.
MAX_LATE = 10_000


class WriteBehind:
    """Writes units without waiting for them. Until a unit is written, its call counts as unfinished."""

    def __init__(self, store: UnitStore) -> None:
        """Begin without late units."""
        self._store = store
        self._late: deque[Unit] = deque(maxlen=MAX_LATE)

    def write(self, unit: Unit) -> None:
        """Commit a unit without waiting for it; `retry` repeats one that fails because the store is
        unavailable.
        """
        submitted = self._store.submit(unit)
        future = submitted if isinstance(submitted, asyncio.Future) else asyncio.ensure_future(submitted)

        def done(finished: asyncio.Future[Any]) -> None:
            if finished.cancelled() or isinstance(finished.exception(), StoreUnavailable):
                self._late.append(unit)
            elif (fault := finished.exception()) is not None:
                log.error("an outcome could not be recorded: %s", fault)

        future.add_done_callback(done)

    async def retry(self) -> int:
        """Retry what could not be written; return how many are left. For a background loop."""
        for _ in range(len(self._late)):
            unit = self._late.popleft()
            try:
                await self._store.commit(unit)
            except RemitError:
                self._late.appendleft(unit)
                break
        return len(self._late)
