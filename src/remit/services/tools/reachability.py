# SPDX-License-Identifier: Apache-2.0
"""Reachability of upstreams from this process: since when, and why not.

Each loss and each return is recorded once. An upstream that is followed (an MCP server) reports its state by
itself. For an HTTP API the state is the result of its last call.
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
    """Whether an upstream was reached at the last attempt: `None` where there was no attempt yet.

    `since` is when this state began, `why` what prevents contact.
    """

    up: bool | None = None
    since: datetime | None = None
    why: str = ""


class UpstreamReachability:
    """The reachability of all upstreams; for one event loop."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing known."""
        self._clock = clock
        self._known: dict[str, Contact] = {}
        self._untold: deque[tuple[str, bool]] = deque()

    def of(self, upstream: str) -> Contact:
        """Return what is known of one upstream."""
        return self._known.get(upstream, Contact())

    def tell(self, upstream: str, up: bool, why: str = "") -> None:
        """Take in the result of an attempt."""
        known = self.of(upstream)
        if known.up is up:
            # The reason for an outage may change; its beginning does not.
            self._known[upstream] = msgspec.structs.replace(known, why=why)
            return
        self._known[upstream] = Contact(up=up, since=self._clock.now(), why=why)
        if not up or known.up is not None:
            self._untold.append((upstream, up))

    async def record(self, store: UnitStore, tenant: str) -> None:
        """Record losses and returns in the evidence; for a background loop."""
        while self._untold:
            upstream, up = self._untold[0]
            body = UpstreamRestored(upstream=upstream) if up else UpstreamLost(upstream=upstream)
            event = Event.of(body, at=self._clock.now(), tenant=tenant)
            await store.commit(Unit(events=(event,), tenant=tenant))
            self._untold.popleft()
