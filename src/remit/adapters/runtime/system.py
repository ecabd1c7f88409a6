# SPDX-License-Identifier: Apache-2.0
"""The machine's own clock and entropy."""

import os
import time
from datetime import UTC, datetime
from functools import partial

# `time.monotonic()` stands still while the machine sleeps on Linux; a lease must not.
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """`ports.runtime.Clock` from the operating system."""

    #: Gives the time of day in UTC. (Without a step in Python: each call asks a dozen times what time it is.)
    now = staticmethod(partial(datetime.now, UTC))

    #: Gives seconds since the machine was started, suspend included.
    boot_s = staticmethod(partial(time.clock_gettime, _BOOT))


class SystemEntropy:
    """`ports.runtime.Entropy` from the operating system."""

    #: Gives so many random bytes.
    bytes = staticmethod(os.urandom)
