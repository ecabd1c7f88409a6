# SPDX-License-Identifier: Apache-2.0
"""Limits on the state that callers can create: anonymous callers, and each agent."""

from __future__ import annotations

from collections import OrderedDict

from starlette.requests import Request

from remit.core.errors import Busy
from remit.ports.runtime import Clock
from remit.services.limits.client_address import seen_from

#: Maximum numbers within `WINDOW_S`: per address or agent, and for all anonymous callers together. Stored
#: entries live for minutes, so these limits bound them.
PER_ADDRESS, OF_ALL = 120, 1200
WINDOW_S = 60.0
#: Addresses remembered; the oldest are dropped first.
MAX_ADDRESSES = 4096


class AnonymousLimits:
    """Counts stored entries of anonymous callers: pushed requests, challenges, provider visits.

    Requests that agents push are counted separately for each agent: anonymous callers cannot use up an
    agent's limit.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with all counts at zero."""
        self._clock = clock
        self._since = 0.0
        self._all = 0
        self._by_address: OrderedDict[str, int] = OrderedDict()

    def check(self, request: Request, agent: str = "") -> None:
        """Count one more entry of an anonymous caller or an agent; raise `Busy` above the limit."""
        now = self._clock.boot_s()
        if now >= self._since + WINDOW_S:
            self._since, self._all = now, 0
            self._by_address.clear()
        address = f"agent {agent}" if agent else seen_from(request.scope)
        count = self._by_address.get(address, 0) + 1
        if count > PER_ADDRESS or (not agent and self._all >= OF_ALL):
            raise Busy("too many unfinished sign-ins", code="too-many-tries", remediation="wait a minute")
        self._all += 0 if agent else 1
        self._by_address[address] = count
        self._by_address.move_to_end(address)
        if len(self._by_address) > MAX_ADDRESSES:
            self._by_address.popitem(last=False)
