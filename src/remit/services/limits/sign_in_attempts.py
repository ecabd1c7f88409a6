# SPDX-License-Identifier: Apache-2.0
"""Bound on failed sign-ins of a caller."""

from __future__ import annotations

from collections import OrderedDict, deque

from remit.core.errors import Busy
from remit.ports.runtime import Clock

#: Failures of one address within `WINDOW_S` before the address has to wait.
MAX_FAILURES = 10
WINDOW_S = 60
#: Addresses remembered; the oldest are dropped first.
MAX_ADDRESSES = 4096


class SignInAttempts:
    """Failed sign-ins by address. A code has 80 random bits, so this protects the evidence log, not the
    code.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with no failures."""
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise `Busy` if an address has failed too often recently."""
        failures = self._failures.get(address)
        now = self._clock.boot_s()
        while failures and failures[0] <= now - WINDOW_S:
            failures.popleft()
        if failures and len(failures) >= MAX_FAILURES:
            raise Busy("too many failed sign-ins", code="too-many-tries", remediation="wait a minute")

    def failed(self, address: str) -> None:
        """Count a failure."""
        self._failures.setdefault(address, deque(maxlen=MAX_FAILURES)).append(self._clock.boot_s())
        self._failures.move_to_end(address)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
