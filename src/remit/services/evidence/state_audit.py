# SPDX-License-Identifier: Apache-2.0
"""Audit of the rows of state: compares each with what the log says, again and again, and tells of each that
differs. A decision that rests on such a row is refused without it, by the store, at its next read.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from remit.core.evidence.events.state_rows import STATE_TABLES, BrokenRow
from remit.core.findings.kinds import FindingKind
from remit.ports.runtime import Clock
from remit.ports.store.log import LogStore
from remit.services.evidence.log_audit import LogAudit
from remit.services.findings.findings import Findings

log = logging.getLogger("remit.evidence")

#: Rows that are read at a time.
PAGE: Final = 500

#: The least time between two pages of rows.
PACE: Final = timedelta(seconds=1)


class StateAudit:
    """Compares the rows of state with the log."""

    #: Seconds between turns.
    pause_s: Final = 0.25

    def __init__(
        self, *, store: LogStore, log_reading: LogAudit, findings: Findings, clock: Clock, tenant: str
    ) -> None:
        """Begin before the first table."""
        self._store = store
        self._log = log_reading
        self._findings = findings
        self._clock = clock
        self._tenant = tenant
        self._tables = list(STATE_TABLES)
        self._after: tuple[str, ...] = ()
        # Rows of the current table that the log knew when its reading began, and that were not met since.
        self._unmet = self._recorded()
        self._due = clock.now()
        #: Passes over all tables that were completed.
        self.passes = 0

    async def adopt(self) -> None:
        """Record all rows as they are, because an administrator says that they are right."""
        await self._store.adopt_rows(self._tenant, self._clock.now(), vouched=True)

    async def turn(self) -> None:
        """Tell of the broken rows that were met; compare the next page, if it is time. For a background
        loop.
        """
        for one in self._store.broken_rows(self._tenant):
            await self._broken(one)
        if self._clock.now() < self._due:
            return
        self._due = self._clock.now() + PACE
        if not self._store.covers_rows(self._tenant) and not await self._adopted():
            return
        table = self._tables[0]
        page = await self._store.state_page(self._tenant, table, self._after, PAGE)
        for name in page.names:
            self._unmet.pop(name, None)
        self._after = page.last
        if not page.last:
            if STATE_TABLES[table]:
                for one in await self._store.gone_rows(self._tenant, table, self._unmet):
                    await self._broken(one)
            self._tables.append(self._tables.pop(0))
            self._unmet = self._recorded()
            self.passes += self._tables[0] == next(iter(STATE_TABLES))
        for one in self._store.broken_rows(self._tenant):
            await self._broken(one)

    async def _adopted(self) -> bool:
        """Record the rows of an older version, once the log was read: it must not be one that hides them."""
        return self._log.state == "holds" and await self._store.adopt_rows(self._tenant, self._clock.now())

    def _recorded(self) -> dict[bytes, bytes]:
        return self._store.recorded_rows(self._tenant, self._tables[0])

    async def _broken(self, one: BrokenRow) -> None:
        log.error("a row of `%s` is not as the log says: %s: %s", one.table, one.row, one.why)
        facts = {"table": one.table, "row": one.row[:200], "why": one.why}
        await self._findings.see(FindingKind.STATE_CHANGED, self._log.about, f"{one.table} {one.row}", facts)
