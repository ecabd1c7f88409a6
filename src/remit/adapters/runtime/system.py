# SPDX-License-Identifier: Apache-2.0
"""The machine's own clock and entropy."""

import os
import time
from datetime import UTC, datetime

# `time.monotonic()` stands still while the machine sleeps on Linux; a lease must not.
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """`ports.runtime.Clock` from the operating system."""

    def now(self) -> datetime:
        """Give the time of day in UTC."""
        return datetime.now(UTC)

    def boot_s(self) -> float:
        """Give seconds since the machine was started, suspend included."""
        return time.clock_gettime(_BOOT)


class SystemEntropy:
    """`ports.runtime.Entropy` from the operating system."""

    def bytes(self, count: int) -> bytes:
        """Give `count` random bytes."""
        return os.urandom(count)
