# SPDX-License-Identifier: Apache-2.0
"""A broker with its source and sink in memory, both of which fail when a test wants them to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from remit.core.errors import KeyUnavailable
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential


class ScriptedBroker:
    """`ports.broker.Broker`. While `open` is not set, the source takes its time."""

    kind = "scripted"
    standing = False

    def __init__(self, *, traceable: bool = False) -> None:
        self.traceable = traceable
        self.open = asyncio.Event()
        self.open.set()
        self.down = False
        self.sink_down = False
        #: How often the sink goes on accepting what was taken back.
        self.stale = 0
        self.until: datetime | None = None
        self.obtained: list[LeaseWanted] = []
        self.revoked: list[str] = []
        self.probed: list[str] = []
        self.alive: dict[str, str] = {}
        self.ballast = 0
        self.blind = False
        self.on_obtain: Callable[[], object] | None = None
        self.on_probe: Callable[[], object] | None = None

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Return a password that tells which lease it is of."""
        self.obtained.append(wanted)
        await self.open.wait()
        if self.down:
            raise KeyUnavailable("the source is down", code="source-down", remediation="start it")
        if self.on_obtain is not None:
            self.on_obtain()
        password = f"s3cret-{wanted.lease}"
        self.alive[wanted.lease] = password
        return UpstreamCredential(
            lease=wanted.lease,
            sink="desk door",
            until=self.until,
            headers={"Authorization": f"Bearer {password}"},
            secrets=(password,),
            handle={"password": password, "ballast": "x" * self.ballast},
        )

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Take it back; one that is gone is taken back."""
        if self.down:
            raise KeyUnavailable("the source is down", code="source-down", remediation="start it")
        self.revoked.append(credential.lease)
        if not self.stale:
            self.alive.pop(credential.lease, None)

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Try it."""
        self.probed.append(credential.lease)
        if self.on_probe is not None:
            self.on_probe()
        if self.sink_down:
            return Probe.UNREACHABLE
        if self.blind:
            return Probe.REFUSED
        if self.stale and credential.lease in self.revoked:
            self.stale -= 1
            if not self.stale:
                del self.alive[credential.lease]
            return Probe.ACCEPTED
        return Probe.ACCEPTED if credential.lease in self.alive else Probe.REFUSED
