# SPDX-License-Identifier: Apache-2.0
"""Followers of the log: each receives every event of interest, in order, also across restarts.

The log itself is the outbox. One number is stored for each follower: the index up to which it was notified.
So a follower receives nothing that is not in the log, and misses nothing that is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from remit.ports.store.changes import PutValue
from remit.ports.store.log import Entry, LogStore
from remit.ports.store.units import Unit

CURSORS: Final = "cursor:"
#: Events that are read at once.
PAGE: Final = 100


class Followers:
    """Stores the position of each follower of the log."""

    def __init__(self, *, store: LogStore, tenant: str) -> None:
        """Begin without a read."""
        self._store = store
        self._tenant = tenant

    async def position(self, name: str, first: int | None = None) -> int:
        """Return the index of the first event that a follower has not received.

        A new follower begins with event `first`, or with the next event.
        """
        # Read each time: another replica may have moved the position.
        kept = await self._store.value(self._tenant, CURSORS + name)
        if kept is not None:
            return int(kept["next"])
        position = await self._store.size(self._tenant) if first is None else first
        await self.advance(name, position)
        return position

    async def advance(self, name: str, position: int) -> None:
        """Store that a follower has received everything before `position`."""
        await self._store.commit(Unit((PutValue(self._tenant, CURSORS + name, {"next": position}),)))

    async def drop(self, name: str) -> None:
        """Delete a follower's position."""
        await self._store.commit(Unit((PutValue(self._tenant, CURSORS + name, None),)))

    async def ahead(self, start: int, kinds: tuple[str, ...]) -> AsyncIterator[Entry]:
        """Yield the events of these kinds from an index on, with their values, until the end of the log."""
        while True:
            page = await self._store.entries(self._tenant, start=start, limit=PAGE, kinds=kinds, opened=True)
            for entry in page:
                yield entry
            if len(page) < PAGE:
                return
            start = page[-1].index + 1
