# SPDX-License-Identifier: Apache-2.0
"""Which upstreams this process reaches, since when, and why not; each loss and each return is recorded once.

An upstream that is followed (an MCP server) says so by itself. Of an HTTP API it is what its last call found.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

import msgspec

from remit.core.evidence.event import Event
from remit.core.evidence.events.tools import UpstreamLost, UpstreamRestored
from remit.ports.runtime import Clock
from remit.ports.store.units import Unit, UnitStore


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an upstream was reached when it was last tried: `None` where nobody has tried yet. `since` is
    when that became so, `why` what stands in the way.
    """

    up: bool | None = None
    since: datetime | None = None
    why: str = ""


class UpstreamReachability:
    """What is known of all upstreams. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing known."""
        self._clock = clock
        self._known: dict[str, Contact] = {}
        self._untold: deque[tuple[str, bool]] = deque()

    def of(self, upstream: str) -> Contact:
        """Say what is known of one."""
        return self._known.get(upstream, Contact())

    def tell(self, upstream: str, up: bool, why: str = "") -> None:
        """Take in what was found."""
        known = self.of(upstream)
        if known.up is up:
            # Why it is away may change; since when it is does not.
            self._known[upstream] = msgspec.structs.replace(known, why=why)
            return
        self._known[upstream] = Contact(up=up, since=self._clock.now(), why=why)
        if not up or known.up is not None:
            self._untold.append((upstream, up))

    async def record(self, store: UnitStore, tenant: str) -> None:
        """Write what was lost or came back to the evidence; for a background loop."""
        while self._untold:
            upstream, up = self._untold[0]
            body = UpstreamRestored(upstream=upstream) if up else UpstreamLost(upstream=upstream)
            event = Event.of(body, at=self._clock.now(), tenant=tenant)
            await store.commit(Unit(events=(event,), tenant=tenant))
            self._untold.popleft()
