# SPDX-License-Identifier: Apache-2.0
"""The clock of a rehearsal: the machine's, ahead by the time that the rehearsal has let pass."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class RehearsalClock:
    """`ports.runtime.Clock` that may be moved forward."""

    def __init__(self) -> None:
        """Begin with the machine's time."""
        self._ahead_s = 0.0

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self._ahead_s)

    def boot_s(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic() + self._ahead_s

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_s += max(0.0, seconds)
