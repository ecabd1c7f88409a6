# SPDX-License-Identifier: Apache-2.0
"""Flood control: frequent events are counted, not written one by one.

So no caller can fill the evidence by repeated requests.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

#: Events written to the evidence per second; further ones are counted, and the next written one has the
#: count.
PER_SECOND = 20


class Flood:
    """Decides which of many similar events are written."""

    def __init__(self, per_second: int = PER_SECOND) -> None:
        """Begin with nothing seen."""
        self._limit = per_second
        self._second = 0
        self._count = 0
        self._further = 0

    def further(self, now: datetime) -> int | None:
        """Return the number of events not written since the last written one.

        Returns `None` if this event is not written either.
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
    """A `Flood` for each source, so that a flood from one source hides no events of another."""

    #: Sources counted separately; a further source takes over the `Flood` of the source quiet for longest.
    MOST = 1_024

    def __init__(self, per_second: int = PER_SECOND) -> None:
        """Begin with nothing seen."""
        self._limit = per_second
        self._each: OrderedDict[str, Flood] = OrderedDict()

    def further(self, source: str, now: datetime) -> int | None:
        """Return the result of `Flood.further` for one source."""
        found = self._each.pop(source, None)
        if found is None:
            quiet = len(self._each) >= self.MOST
            found = self._each.popitem(last=False)[1] if quiet else Flood(self._limit)
        self._each[source] = found
        return found.further(now)
