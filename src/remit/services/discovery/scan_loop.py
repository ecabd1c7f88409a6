# SPDX-License-Identifier: Apache-2.0
"""Discovery on a schedule: the files of this machine, and remit's own traffic. For background loops."""

from __future__ import annotations

from typing import Protocol

from remit.core.discovery.discovered import Discovered
from remit.ports.runtime import Entropy
from remit.services.discovery.deliveries import MOST_OF_PART, OWN_SCOPE, ScanDeliveries, ScanPart
from remit.services.discovery.live_use import GovernedNames, LiveTraffic

BY = "remit"


class FileScan(Protocol):
    """Scans files that the configuration names. Reads only; raises `RemitError` if nothing can be read."""

    async def found(self, governed: GovernedNames) -> tuple[tuple[Discovered, ...], bool]:
        """Return what was found, and whether everything was read."""
        ...


class ScheduledScans:
    """Scans and delivers to this remit itself."""

    def __init__(self, *, entropy: Entropy, deliveries: ScanDeliveries, live: LiveTraffic) -> None:
        """Take the dependencies."""
        self._entropy = entropy
        self._deliveries = deliveries
        self._live = live

    async def look_at_traffic(self) -> None:
        """Bring the findings about remit's own traffic up to date."""
        await self._deliver(OWN_SCOPE, await self._live.found(), complete=True)

    async def scan_files(self, scope: str, files: FileScan) -> None:
        """Scan the files of a scope; what a complete scan no longer sees is fixed."""
        found, complete = await files.found(await self._live.governed())
        await self._deliver(scope, found, complete=complete)

    async def _deliver(self, scope: str, found: tuple[Discovered, ...], *, complete: bool) -> None:
        scan = f"scn_{self._entropy.bytes(8).hex()}"
        parts = max(1, -(-len(found) // MOST_OF_PART))
        for number in range(parts):
            part = ScanPart(
                scope=scope,
                scan=scan,
                found=found[number * MOST_OF_PART : (number + 1) * MOST_OF_PART],
                part=number,
                last=number == parts - 1,
                complete=complete,
            )
            await self._deliveries.take(part, by=BY, every_scope=True, own=True)
