# SPDX-License-Identifier: Apache-2.0
"""How much anybody may have kept here: before they have said who they are, and as an agent."""

from __future__ import annotations

from collections import OrderedDict

from starlette.requests import Request

from remit.core.errors import Busy
from remit.ports.runtime import Clock
from remit.services.limits.client_address import seen_from

#: Within `WINDOW_S`, of one address or agent, and of all strangers together. What is kept lives for minutes,
#: so this bounds it.
PER_ADDRESS, OF_ALL = 120, 1200
WINDOW_S = 60.0
#: Addresses remembered; the oldest are forgotten first.
MAX_ADDRESSES = 4096


class AnonymousLimits:
    """Counts what is kept for callers who are not known: pushed requests, challenges, provider visits.

    What agents push is counted for each of them, apart: strangers take nothing from them.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing kept."""
        self._clock = clock
        self._since = 0.0
        self._all = 0
        self._by_address: OrderedDict[str, int] = OrderedDict()

    def check(self, request: Request, agent: str = "") -> None:
        """Count one more, of a stranger or an agent; raises `Busy` where it is too many."""
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
