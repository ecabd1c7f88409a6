# SPDX-License-Identifier: Apache-2.0
"""Searches in the log, and counts of calls by tool and day: read in parts, each with a bound.

A part is one read of the store. Between two parts other reads get their turn, and a search that looks at
`MOST` events stops and says where it continues.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Final

from remit.ports.store.log import Entry, EventSearch, FoundEvents, LogStore, TalliedCalls, ToolTally

__all__ = ["Entry", "EventSearch", "EventSearches", "ToolTally", "summed"]

#: Events that one part looks at, and one search.
PART: Final = 5_000
MOST: Final = 100_000
#: Events that one tally looks at, and lines that it makes.
MOST_TALLIED: Final = 2_000_000
MOST_LINES: Final = 10_000


class EventSearches:
    """Searches the log of one tenant."""

    def __init__(self, *, store: LogStore, tenant: str) -> None:
        """Take the store."""
        self._store = store
        self._tenant = tenant

    async def search(
        self,
        wanted: EventSearch,
        *,
        start: int = 0,
        before: int | None = None,
        limit: int = 100,
        most: int = MOST,
    ) -> FoundEvents:
        """Return the first sought events from `start` on, or the last ones below `before`, in order.

        It looks at `most` events.
        """
        found: list[FoundEvents] = []
        left = limit
        at: int | None = start if before is None else before
        for _ in range(max(1, most // PART)):
            place = {"start": at or 0} if before is None else {"before": at or 0}
            part = await self._store.search(self._tenant, wanted, limit=left, most=PART, **place)
            found.append(part)
            left -= len(part.entries)
            at = part.reached
            if at is None or not left:
                break
        parts = found if before is None else reversed(found)
        return FoundEvents(entries=[entry for part in parts for entry in part.entries], reached=at)

    async def tally(self, wanted: EventSearch, *, zone: timedelta, start: int = 0) -> TalliedCalls:
        """Count the sought calls from index `start` on; `reached` is where a too long count has stopped."""
        sums: dict[tuple[str, str], tuple[Counter[str], Counter[str]]] = {}
        at: int | None = start
        for _ in range(MOST_TALLIED // PART):
            part = await self._store.tally(self._tenant, wanted, zone=zone, start=at or 0, most=PART)
            for one in part.tallies:
                decided, ended = sums.setdefault((one.day, one.tool), (Counter(), Counter()))
                decided.update(one.decided)
                ended.update(one.ended)
            at = part.reached
            if at is None or len(sums) >= MOST_LINES:
                break
        return TalliedCalls(
            tallies=[
                ToolTally(day=day, tool=tool, decided=dict(decided), ended=dict(ended))
                for (day, tool), (decided, ended) in sorted(sums.items())
            ],
            reached=at,
        )


def summed(tallies: list[ToolTally]) -> ToolTally:
    """Return the sum of tallies, without day and tool."""
    decided, ended = Counter[str](), Counter[str]()
    for one in tallies:
        decided.update(one.decided)
        ended.update(one.ended)
    return ToolTally(day="", tool="", decided=dict(decided), ended=dict(ended))
