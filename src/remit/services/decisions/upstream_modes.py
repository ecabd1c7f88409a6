# SPDX-License-Identifier: Apache-2.0
"""The mode of each upstream, changed while calls are decided.

A call keeps the mode in which it was described: its decision and its evidence agree. Every call that is
described after a change has the new mode.
"""

from __future__ import annotations

import asyncio

from remit.core.evidence.event import Event
from remit.core.evidence.events.tools import UpstreamModeChanged
from remit.ports.runtime import Clock
from remit.ports.store.units import Unit, UnitStore
from remit.ports.upstream import LISTS
from remit.services.decisions.authorizer import Authorizer
from remit.services.tools.announcements import Announcements


class UpstreamModes:
    """Changes which upstreams are only observed."""

    def __init__(
        self,
        *,
        store: UnitStore,
        clock: Clock,
        tenant: str,
        authorizer: Authorizer,
        announcements: Announcements,
        upstreams: frozenset[str],
    ) -> None:
        """Take the dependencies, and the names of the `upstreams` that run."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._authorizer = authorizer
        self._announcements = announcements
        self._upstreams = upstreams
        self._changing = asyncio.Lock()

    def differing(self, observed: frozenset[str]) -> list[str]:
        """Return the running upstreams whose mode would change."""
        return sorted(
            name for name in self._upstreams if self._authorizer.observes(name) is not (name in observed)
        )

    async def change(self, observed: frozenset[str], *, by: str) -> list[str]:
        """Let exactly these upstreams be observed; return those whose mode has changed.

        1. Record each change. If that fails, nothing changes.
        2. Put them in force, all at once.
        3. Announce that what agents see of these upstreams may have changed.
        """
        async with self._changing:
            changed = self.differing(observed)
            if not changed:
                return changed
            now = self._clock.now()
            events = tuple(
                Event.of(
                    UpstreamModeChanged(
                        upstream=name, mode="observe" if name in observed else "enforce", by=by
                    ),
                    at=now,
                    tenant=self._tenant,
                    subject=by,
                )
                for name in changed
            )
            await self._store.commit(Unit(events=events))
            self._authorizer.observe(observed & self._upstreams)
        for name in changed:
            self._announcements.changed(name, LISTS)
        return changed
