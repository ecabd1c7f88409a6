# SPDX-License-Identifier: Apache-2.0
"""Findings: stores unexplained observations until a person or remit resolves them.

Observations on the path of a call or a token are noted without waiting, and a background loop writes them. A
finding that is seen repeatedly is written once a minute, with its count.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from remit.core.errors import ChangedMeanwhile, Conflict, Forbidden, Malformed, NotFound
from remit.core.evidence.event import Event, EventBody, timestamp
from remit.core.evidence.events.findings import (
    FindingAnswered,
    FindingReopened,
    FindingResolved,
    FindingSeen,
)
from remit.core.findings.finding import (
    MOST_ACCEPTED_DAYS,
    Finding,
    FindingState,
    answered,
    basis_of,
    finding_id,
    is_over,
    opened,
    seen_again,
)
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.findings.meanings import REVIEWED
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
#: Times that a sighting is tried again because the finding changed meanwhile.
TRIES = 5
#: Accepted findings that are looked at for the end of their time.
MAX_ACCEPTED = 100_000


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
        left = TRIES
        while True:
            sighting = await self.sighting(kind, about, which, facts)
            left -= 1
            try:
                await self._store.commit(sighting.unit)
            except ChangedMeanwhile:
                if not left:
                    raise
                continue
            await self.written(sighting)
            return sighting.finding

    async def sighting(
        self,
        kind: FindingKind,
        about: str,
        which: str,
        facts: dict[str, Json],
        *,
        stated: Severity | None = None,
        owner: str = "",
    ) -> Sighting:
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
        if stated is not None:
            found = msgspec.structs.replace(found, stated=stated, owner=owner)
        return self.changed(known, found)

    def changed(self, known: Finding | None, found: Finding) -> Sighting:
        """Return a changed finding with what must be committed for it: only one that opens has an event."""
        opens = found.state is FindingState.OPEN and (known is None or known.state is not FindingState.OPEN)
        seen = FindingSeen(finding=found.id, finding_kind=found.kind, about=found.about, seen=found.facts)
        events = (self.event(seen, found, subject=found.agent),) if opens else ()
        return Sighting(found, Unit((replaced(known, found),), events), opens)

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
        if not reviewed:
            refuse_without_review(known)
        if known.state is FindingState.RESOLVED:
            return known
        found = answered(known, FindingState.RESOLVED, by=by, why=resolution, now=self._clock.now())
        # Scopes that see it again open it again.
        found = msgspec.structs.replace(found, scopes={})
        body = FindingResolved(
            finding=found.id, finding_kind=found.kind, about=found.about, resolution=resolution, by=by
        )
        return await self._answer(known, found, body, by)

    async def accept(self, name: str, *, by: str, reason: str, until: datetime, basis: str = "") -> Finding:
        """Mark a finding as accepted until a time. Raises as `reject`, and `Malformed` for such a time."""
        now = self._clock.now()
        if not now < until <= now + timedelta(days=MOST_ACCEPTED_DAYS):
            raise Malformed(
                f"a finding is accepted until a time within {MOST_ACCEPTED_DAYS} days",
                remediation="choose an earlier day that is still to come",
            )
        return await self._answered(
            name, FindingState.ACCEPTED, by=by, reason=reason, until=until, basis=basis
        )

    async def reject(self, name: str, *, by: str, reason: str, basis: str = "") -> Finding:
        """Mark a finding as false.

        `basis` is `basis_of` the finding as it was shown, where the caller knows. Raises `NotFound`,
        `Forbidden` for one that another person must review, `Conflict` for a resolved one, and for one that
        has changed materially since it was shown.
        """
        return await self._answered(name, FindingState.FALSE, by=by, reason=reason, basis=basis)

    async def reopen(self, name: str, *, by: str, reason: str) -> Finding:
        """Open an accepted, false or resolved finding again; one that is open stays as it is."""
        known = await self.get(name)
        if known.state is FindingState.OPEN:
            return known
        found = opened(known)
        body = FindingReopened(
            finding=found.id, finding_kind=found.kind, about=found.about, reason=reason, by=by
        )
        found = await self._answer(known, found, body, by)
        if not found.delivered:
            for told in self._on_seen:
                await told(found)
        return found

    async def reopen_due(self) -> None:
        """Open the accepted findings whose time is over. For a background loop."""
        now = self._clock.now()
        accepted = await self._store.findings(self._tenant, state=FindingState.ACCEPTED, limit=MAX_ACCEPTED)
        for one in accepted:
            if is_over(one, now):
                await self.reopen(one.id, by="remit", reason="the time of its acceptance is over")

    async def _answered(
        self,
        name: str,
        state: FindingState,
        *,
        by: str,
        reason: str,
        until: datetime | None = None,
        basis: str = "",
    ) -> Finding:
        known = await self.get(name)
        refuse_without_review(known)
        if basis and basis != basis_of(known):
            raise Conflict(
                f"finding `{known.id}` has changed since it was shown",
                code="finding-stale",
                remediation="look at it again, and answer what it says now",
            )
        if known.state is FindingState.RESOLVED:
            raise Conflict(
                f"finding `{known.id}` is resolved",
                code="resolved",
                remediation="run `remit finding reopen` first, if it is a question again",
            )
        found = answered(known, state, by=by, why=reason, now=self._clock.now(), until=until)
        body = FindingAnswered(
            finding=found.id,
            finding_kind=found.kind,
            about=found.about,
            state=state,
            until=timestamp(until) if until else "",
            reason=reason,
            by=by,
        )
        return await self._answer(known, found, body, by)

    async def _answer(self, known: Finding, found: Finding, body: EventBody, by: str) -> Finding:
        event = self.event(body, found, subject=by or found.agent)
        change = replaced(known, found)
        await self._store.commit(Unit((change,), (event,)))
        self._written.pop(known.id, None)
        return change.finding

    async def settle(self, kind: FindingKind, about: str, *, by: str, resolution: str) -> None:
        """Resolve the open findings of a kind about a subject whose problem was corrected."""
        for one in await self._store.findings(
            self._tenant, about=about, state=FindingState.OPEN, kinds=(kind,)
        ):
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

    async def about(
        self,
        about: str = "",
        state: FindingState | None = None,
        kinds: Collection[FindingKind] = (),
        *,
        severity: Severity | None = None,
        owner: str = "",
        limit: int = 1000,
    ) -> list[Finding]:
        """Return findings, most recently seen first; no `kinds` are all kinds."""
        return await self._store.findings(
            self._tenant, about=about, state=state, kinds=kinds, severity=severity, owner=owner, limit=limit
        )

    async def about_agents(
        self,
        names: Iterable[str],
        state: FindingState | None = None,
        kinds: Collection[FindingKind] = (),
        *,
        severity: Severity | None = None,
        owner: str = "",
    ) -> list[Finding]:
        """Return findings about these agents, most recently seen first: no number of others hides one."""
        found = [
            one
            for name in names
            for one in await self.about(f"agent:{name}", state, kinds, severity=severity, owner=owner)
        ]
        return sorted(found, key=lambda one: one.last_seen, reverse=True)

    def _due(self, name: str) -> bool:
        written_s = self._written.get(name)
        return written_s is None or self._clock.boot_s() - written_s >= AGAIN_S

    def event(self, body: EventBody, found: Finding, *, subject: str) -> Event:
        """Return an event about a finding."""
        return Event.of(body, at=self._clock.now(), tenant=self._tenant, agent=found.agent, subject=subject)


def replaced(known: Finding | None, found: Finding) -> PutFinding:
    """Return the change that puts a finding in the place of the one that was read."""
    before = known.revision if known is not None else -1
    return PutFinding(msgspec.structs.replace(found, revision=before + 1), over=before)


def refuse_without_review(known: Finding) -> None:
    """Raise `Forbidden` for a finding that only a review closes."""
    if known.kind in REVIEWED:
        reviewer = "another person" if known.kind is FindingKind.BROKEN_GLASS else "a person"
        raise Forbidden(
            f"finding `{known.id}` stays open until {reviewer} has reviewed it",
            code="review-due",
            remediation=f"run `{REVIEWED[known.kind]} {known.facts.get('approval') or known.agent}`",
        )
