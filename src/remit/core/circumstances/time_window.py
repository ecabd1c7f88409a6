# SPDX-License-Identifier: Apache-2.0
"""Time windows: named parts of the week, in a time zone."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import msgspec

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class TimeWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the week: from `opens` until `closes`, on `days` (0 is Monday), by the clocks of `zone`.

    A window that does not close later on the same day closes on the next one. The day is that of its opening.
    """

    zone: str
    days: frozenset[int]
    opens: time
    closes: time

    def open_at(self, now: datetime) -> bool:
        """Return whether the window is open at a moment."""
        local = now.astimezone(ZoneInfo(self.zone))
        at, day = local.time(), local.weekday()
        if self.opens < self.closes:
            return day in self.days and self.opens <= at < self.closes
        return (day in self.days and at >= self.opens) or ((day - 1) % 7 in self.days and at < self.closes)
