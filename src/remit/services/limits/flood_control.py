# SPDX-License-Identifier: Apache-2.0
"""What comes in floods is counted and not written one by one, so that nobody fills the evidence by asking."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

#: Written to the evidence per second; more are counted, and the next one that is written tells the count.
PER_SECOND = 20


class Flood:
    """Decides which of many like facts are written."""

    def __init__(self, per_second: int = PER_SECOND) -> None:
        """Begin with nothing seen."""
        self._limit = per_second
        self._second = 0
        self._count = 0
        self._further = 0

    def further(self, now: datetime) -> int | None:
        """Return how many were not written since the last that was; `None` if this one is not written
        either.
        """
        second = int(now.timestamp())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count > self._limit:
            self._further += 1
            return None
        further, self._further = self._further, 0
        return further


class FloodControl:
    """A `Flood` for each source, so that the flood of one hides nothing of another."""

    #: Sources told apart; further ones share what the one that was quiet for longest has left.
    MOST = 1_024

    def __init__(self, per_second: int = PER_SECOND) -> None:
        """Begin with nothing seen."""
        self._limit = per_second
        self._each: OrderedDict[str, Flood] = OrderedDict()

    def further(self, source: str, now: datetime) -> int | None:
        """Return what `Flood.further` gives, for one source."""
        found = self._each.pop(source, None)
        if found is None:
            quiet = len(self._each) >= self.MOST
            found = self._each.popitem(last=False)[1] if quiet else Flood(self._limit)
        self._each[source] = found
        return found.further(now)
