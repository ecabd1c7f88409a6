# SPDX-License-Identifier: Apache-2.0
"""Following the log: whoever is told of its events is told of each, in order, over restarts too.

The log itself is the outbox. What is kept for each follower is one number, the index up to which it was told;
so nothing is told that the log does not say, and nothing that it says is lost.
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
    """Keeps how far each follower of the log has come."""

    def __init__(self, *, store: LogStore, tenant: str) -> None:
        """Read nothing yet."""
        self._store = store
        self._tenant = tenant

    async def position(self, name: str) -> int:
        """Return the index of the first event that a follower was not told of; a new one begins with what
        comes next.
        """
        # Read each time: another replica may have told it of more.
        kept = await self._store.value(self._tenant, CURSORS + name)
        if kept is not None:
            return int(kept["next"])
        position = await self._store.size(self._tenant)
        await self.advance(name, position)
        return position

    async def advance(self, name: str, position: int) -> None:
        """Keep that a follower was told of everything before `position`."""
        await self._store.commit(Unit((PutValue(self._tenant, CURSORS + name, {"next": position}),)))

    async def drop(self, name: str) -> None:
        """Forget a follower."""
        await self._store.commit(Unit((PutValue(self._tenant, CURSORS + name, None),)))

    async def ahead(self, start: int, kinds: tuple[str, ...]) -> AsyncIterator[Entry]:
        """Yield the events of certain kinds from an index on, with their values, until there are no more."""
        while True:
            page = await self._store.entries(self._tenant, start=start, limit=PAGE, kinds=kinds, opened=True)
            for entry in page:
                yield entry
            if len(page) < PAGE:
                return
            start = page[-1].index + 1
