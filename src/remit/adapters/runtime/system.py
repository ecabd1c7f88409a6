# SPDX-License-Identifier: Apache-2.0
"""The machine's clock and entropy."""

import os
import time
from datetime import UTC, datetime
from functools import partial

# On Linux, `time.monotonic()` stops while the machine sleeps; a lease must not.
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """`ports.runtime.Clock` from the operating system."""

    #: Returns the time of day in UTC. (No Python frame in between: each call reads the clock a dozen times.)
    now = staticmethod(partial(datetime.now, UTC))

    #: Returns the seconds since the machine was started, including suspend.
    boot_s = staticmethod(partial(time.clock_gettime, _BOOT))


class SystemEntropy:
    """`ports.runtime.Entropy` from the operating system."""

    #: Returns a given number of random bytes.
    bytes = staticmethod(os.urandom)
