# SPDX-License-Identifier: Apache-2.0
"""Findings: stores unexplained observations until a person or remit resolves them.

Observations on the path of a call or a token are noted without waiting, and a background loop writes them. A
finding that is seen repeatedly is written once a minute, with its count.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from remit.core.errors import Forbidden, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.findings import FindingResolved, FindingSeen
from remit.core.findings.finding import (
    REVIEWED,
    Finding,
    FindingKind,
    FindingState,
    finding_id,
    seen_again,
    settled,
)
from remit.core.json_value import Json
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutFinding
from remit.ports.store.findings import FindingStore
from remit.ports.store.units import Unit

#: Limit of sightings that await writing; further ones are dropped.
MAX_WAITING = 1_000
#: Seconds before the same finding is written again.
AGAIN_S = 60.0
MAX_WRITTEN = 10_000


class Sighting(NamedTuple):
    """A finding as it is seen now, what must be committed for it, and whether it opens with that."""

    finding: Finding
    unit: Unit
    opens: bool


class Findings:
    """Stores findings. For one event loop."""

    def __init__(self, *, store: FindingStore, clock: Clock, tenant: str) -> None:
        """Begin without sightings."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._waiting: dict[str, tuple[FindingKind, str, str, dict[str, Json]]] = {}
        self._written: OrderedDict[str, float] = OrderedDict()
        self._on_seen: list[Callable[[Finding], Awaitable[None]]] = []

    def on_seen(self, told: Callable[[Finding], Awaitable[None]]) -> None:
        """Call `told` with each finding that opens, or opens again."""
        self._on_seen.append(told)

    def notice(self, kind: FindingKind, about: str, which: str, facts: dict[str, Json]) -> None:
        """Note a sighting without waiting; `flush` writes it."""
        name = finding_id(kind, about, which)
        if name not in self._waiting and len(self._waiting) < MAX_WAITING and self._due(name):
            self._waiting[name] = (kind, about, which, facts)

    async def flush(self) -> None:
        """Write the noted sightings; those that cannot be written now are kept. For a background loop."""
        while self._waiting:
            name, noticed = next(iter(self._waiting.items()))
            await self.see(*noticed)
            self._waiting.pop(name, None)

    async def see(self, kind: FindingKind, about: str, which: str, facts: dict[str, Json]) -> Finding:
        """Write a sighting: a new finding, or a known one seen again. Only one that opens makes an event."""
        sighting = await self.sighting(kind, about, which, facts)
        await self._store.commit(sighting.unit)
        await self.written(sighting)
        return sighting.finding

    async def sighting(self, kind: FindingKind, about: str, which: str, facts: dict[str, Json]) -> Sighting:
        """Return a sighting for a caller that commits it with other changes, and then calls `written`."""
        now = self._clock.now()
        name = finding_id(kind, about, which)
        known = await self._store.finding(self._tenant, name)
        if known is None:
            found = Finding(
                tenant=self._tenant,
                id=name,
                kind=kind,
                about=about,
                facts=facts,
                first_seen=now,
                last_seen=now,
            )
        else:
            found = seen_again(known, facts, now)
        opens = known is None or known.state is not FindingState.OPEN
        seen = FindingSeen(finding=found.id, finding_kind=kind, about=about, seen=facts)
        events = (self._event(seen, found, subject=found.agent),) if opens else ()
        return Sighting(found, Unit((PutFinding(found),), events), opens)

    async def written(self, sighting: Sighting) -> None:
        """Tell of a sighting that was committed."""
        found, name = sighting.finding, sighting.finding.id
        self._written.pop(name, None)
        self._written[name] = self._clock.boot_s()
        if len(self._written) > MAX_WRITTEN:
            self._written.popitem(last=False)
        if sighting.opens:
            for told in self._on_seen:
                await told(found)

    async def resolve(self, name: str, *, by: str, resolution: str, reviewed: bool = False) -> Finding:
        """Mark a finding as resolved; if it is seen again, it opens again.

        `reviewed`: the caller has made sure that another person reviewed what such a finding demands. Raises
        `NotFound`, or `Forbidden` without such a review.
        """
        known = await self.get(name)
        if known.kind in REVIEWED and not reviewed:
            raise Forbidden(
                f"finding `{known.id}` stays open until it was reviewed",
                code="review-due",
                remediation=f"run `{REVIEWED[known.kind]} {known.facts.get('approval') or known.agent}`",
            )
        if known.state is FindingState.RESOLVED:
            return known
        found = settled(known, by=by, resolution=resolution, now=self._clock.now())
        resolved = FindingResolved(
            finding=found.id, finding_kind=found.kind, about=found.about, resolution=resolution, by=by
        )
        event = self._event(resolved, found, subject=by or found.agent)
        await self._store.commit(Unit((PutFinding(found),), (event,)))
        self._written.pop(name, None)
        return found

    async def settle(self, kind: FindingKind, about: str, *, by: str, resolution: str) -> None:
        """Resolve the open findings of a kind about a subject whose problem was corrected."""
        for one in await self._store.findings(self._tenant, about=about, state=FindingState.OPEN):
            if one.kind is kind:
                await self.resolve(one.id, by=by, resolution=resolution)

    async def get(self, name: str) -> Finding:
        """Return a finding; raise `NotFound`."""
        found = await self.find(name)
        if found is None:
            raise NotFound(f"finding `{name[:80]}` does not exist", remediation="see `remit finding list`")
        return found

    async def find(self, name: str) -> Finding | None:
        """Return a finding; `None` if there is none."""
        return await self._store.finding(self._tenant, name)

    async def about(self, about: str = "", state: FindingState | None = None) -> list[Finding]:
        """Return findings, most recently seen first."""
        return await self._store.findings(self._tenant, about=about, state=state)

    def _due(self, name: str) -> bool:
        written_s = self._written.get(name)
        return written_s is None or self._clock.boot_s() - written_s >= AGAIN_S

    def _event(self, body: FindingSeen | FindingResolved, found: Finding, subject: str) -> Event:
        return Event.of(body, at=self._clock.now(), tenant=self._tenant, agent=found.agent, subject=subject)
