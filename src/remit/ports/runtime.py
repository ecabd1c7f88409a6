# SPDX-License-Identifier: Apache-2.0
"""Clock and entropy: the two things that core may never access directly."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time. Safe to use from any thread at once; never raises."""

    def now(self) -> datetime:
        """Return the time of day as an aware datetime in UTC; it may jump when the machine's clock is set."""
        ...

    def boot_s(self) -> float:
        """Return seconds on a clock that never goes back; for leases.

        It continues during suspend (CLOCK_BOOTTIME).
        """
        ...


class Entropy(Protocol):
    """Unpredictable bytes from the operating system. Safe to use from any thread at once."""

    def bytes(self, count: int) -> bytes:
        """Return `count` random bytes."""
        ...
