# SPDX-License-Identifier: Apache-2.0
"""The mode of each upstream, changed while calls are decided.

The files say which upstreams are observed. A person can have remit enforce at one of them at once, although
the files say `observe`: that holds at each replica and over restarts, until an administrator lets the files
decide again. Files that say `enforce` do not end it: those of another replica may still say `observe`.

A call keeps the mode in which it was described: its decision and its evidence agree. Every call that is
described after a change has the new mode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from remit.core.errors import NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.tools import UpstreamModeChanged
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.units import Unit, UnitStore
from remit.ports.upstream import LISTS
from remit.services.decisions.authorizer import Authorizer
from remit.services.tools.announcements import Announcements

#: Prefix of what is stored of an upstream that a person lets remit enforce at.
HELD: Final = "enforced:"


class UpstreamModes:
    """Changes which upstreams are only observed. `held` are those at which a person had remit enforce."""

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
        #: The observed upstreams as the files say.
        self._written = authorizer.observed
        self.held: frozenset[str] = frozenset()

    async def look(self) -> None:
        """Take over what a person has changed at another replica, or before the start."""
        async with self._changing:
            await self._read()
            changed = self.differing(self._written)
            if changed:
                self._put_in_force()
        self._announce(changed)

    async def _read(self) -> None:
        """Take over what is stored. The caller holds the lock: what was read before a change is not put in
        force after it.
        """
        found = await self._store.values(self._tenant, HELD)
        self.held = frozenset(str(one["upstream"]) for one in found)

    async def enforce(self, name: str, *, by: str) -> None:
        """Enforce at one upstream from now on, although the files say `observe`.

        Raises `NotFound` for an upstream that does not run.
        """
        self._check(name)
        async with self._changing:
            was = self._authorizer.observes(name)
            kept = PutValue(self._tenant, HELD + name, {"upstream": name, "by": by})
            await self._store.commit(
                Unit((kept,), self._events([name] if was else [], self._written - {name}, by))
            )
            self.held |= {name}
            self._put_in_force()
        self._announce([name] if was else [])

    async def follow_files(self, name: str, *, by: str) -> None:
        """Let the files decide about one upstream again; raises like `enforce`."""
        self._check(name)
        async with self._changing:
            await self._read()
            if name not in self.held:
                return
            changed = [name] if name in self._written else []
            dropped = PutValue(self._tenant, HELD + name, None)
            await self._store.commit(Unit((dropped,), self._events(changed, self._written, by)))
            self.held -= {name}
            self._put_in_force()
        self._announce(changed)

    def differing(self, observed: frozenset[str]) -> list[str]:
        """Return the running upstreams whose mode would change if the files said this; none that is held."""
        wanted = observed - self.held
        return sorted(
            name for name in self._upstreams if self._authorizer.observes(name) is not (name in wanted)
        )

    async def change(self, observed: frozenset[str], *, by: str) -> list[str]:
        """Take over that the files let exactly these upstreams be observed; return the changed ones.

        1. Record each change. If that fails, nothing changes.
        2. Put them in force, all at once.
        3. Announce that what agents see of these upstreams may have changed.
        """
        async with self._changing:
            await self._read()
            changed = self.differing(observed)
            if changed:
                await self._store.commit(Unit(events=self._events(changed, observed, by)))
            self._written = observed
            self._put_in_force()
        self._announce(changed)
        return changed

    def _check(self, name: str) -> None:
        if name not in self._upstreams:
            raise NotFound(f"upstream `{name[:80]}` does not exist", remediation="see `remit status`")

    def _events(self, changed: Iterable[str], observed: frozenset[str], by: str) -> tuple[Event, ...]:
        now = self._clock.now()
        return tuple(
            Event.of(
                UpstreamModeChanged(upstream=name, mode="observe" if name in observed else "enforce", by=by),
                at=now,
                tenant=self._tenant,
                subject=by,
            )
            for name in changed
        )

    def _put_in_force(self) -> None:
        self._authorizer.observe((self._written - self.held) & self._upstreams)

    def _announce(self, changed: Iterable[str]) -> None:
        for name in changed:
            self._announcements.changed(name, LISTS)
