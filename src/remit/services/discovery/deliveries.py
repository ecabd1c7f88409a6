# SPDX-License-Identifier: Apache-2.0
"""Deliveries of scans: what was discovered elsewhere becomes findings.

1. A scan has a scope: the name of what was scanned. An agent delivers into the scopes that the configuration
   gives it, a person into scopes that no agent is given and no other person has begun. Administrators deliver
   into all.
2. The parts of a scan arrive in order. The same part again, and a scan that began before the last one, change
   nothing.
3. The end of a complete scan closes what its scope no longer sees. Other scopes still hold their findings.
4. INVARIANT: no delivery suspends an agent, ends a task, or counts in a decision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from remit.core.discovery.delivery import check_discovered, check_scan, facts_of, safe_line, subject_of
from remit.core.discovery.discovered import Discovered
from remit.core.errors import ChangedMeanwhile, Conflict, Forbidden
from remit.core.evidence.event import Event
from remit.core.evidence.events.findings import FindingResolved, ScanDelivered
from remit.core.findings.finding import FindingState, ScopeSighting, answered
from remit.core.findings.meanings import DISCOVERED
from remit.core.findings.scan_scopes import found_in, not_seen
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.findings import FindingStore
from remit.ports.store.units import Unit
from remit.services.findings.findings import TRIES, Findings, Sighting, replaced

PREFIX: Final = "scan-scope:"
#: Most findings of one part, of one scan, and twice that of one scope; most scopes of all, and of one
#: deliverer; most scans that a scope remembers.
MOST_OF_PART: Final = 500
MOST_OF_SCAN: Final = 10_000
MOST_SCOPES: Final = 1_000
MOST_OF_ONE: Final = 100
MOST_SCANS: Final = 16
#: Findings that one commit holds, and that the end of a scan looks at.
TOGETHER: Final = 50
MOST_LOOKED_AT: Final = 200_000
#: Findings that stand in all scopes of one deliverer together.
MOST_OF_DELIVERER: Final = MOST_LOOKED_AT // 4
#: The scope of what remit sees in its own traffic; no one else delivers into it.
OWN_SCOPE: Final = "remit"


class ScanPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a scan, counted from 0. `last` ends it; `complete`: everything of the scope was read."""

    scope: str
    scan: str
    found: tuple[Discovered, ...] = ()
    part: int = 0
    last: bool = True
    complete: bool = False


class DeliveryReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a part has changed: findings that opened with it, and those that are fixed now."""

    scope: str
    scan: str
    opened: int
    fixed: int


class _Scan(msgspec.Struct, frozen=True):
    """A scan of a scope: its number, the parts and findings so far, and whether it has ended."""

    number: int
    parts: int = 0
    found: int = 0
    ended: bool = False


class ScanScope(msgspec.Struct, frozen=True, kw_only=True):
    """A scope: who delivers into it, its last scans by id, and about how many of its findings stand."""

    name: str
    by: str
    scans: dict[str, _Scan] = {}
    standing: int = 0

    @property
    def newest(self) -> int:
        """The number of the scan that began last."""
        return max((one.number for one in self.scans.values()), default=0)


class ScanDeliveries:
    """Takes deliveries. `scanners` are the agents that may deliver, with their scopes (`*` at the end: all
    that begin so).
    """

    def __init__(
        self,
        *,
        store: FindingStore,
        clock: Clock,
        tenant: str,
        findings: Findings,
        scanners: Mapping[str, Sequence[str]],
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._findings = findings
        self._scanners = scanners
        self._one = asyncio.Lock()

    def admit(self, agent: str, scope: str) -> None:
        """Do step 1 for an agent; raises `Forbidden`."""
        if not any(_covers(one, scope) for one in self._scanners.get(agent, ())):
            raise Forbidden(
                f"agent `{agent}` does not deliver scans of `{scope[:80]}`",
                code="scope",
                remediation="name the agent and the scope in `discovery.scanners`",
            )

    async def take(
        self, part: ScanPart, *, by: str, every_scope: bool = False, own: bool = False
    ) -> DeliveryReceipt:
        """Take a part of a scan; `own` for what remit itself has seen.

        Raises `Malformed`, `Forbidden` for a scope of others, `Conflict` for too much, or where a part is
        missing.
        """
        check_scan(part.scope, part.scan)
        for one in part.found:
            check_discovered(one)
        if part.scope == OWN_SCOPE and not own:
            raise Forbidden(
                f"scope `{OWN_SCOPE}` is remit's own", code="scope", remediation="use another name"
            )
        async with self._one:
            scope = await self._scope(part.scope, by, every_scope=every_scope)
            scan, again = _next(scope, part)
            if again:
                # INVARIANT: what is counted nowhere is not kept, whatever the part holds this time.
                return DeliveryReceipt(scope=part.scope, scan=part.scan, opened=0, fixed=0)
            if part.found and scope.standing > 2 * MOST_OF_SCAN and not part.complete:
                raise _too_many("a scope", 2 * MOST_OF_SCAN)
            if part.found and not own:
                await self._check_all_of(part, scope)
            opened = await self._see(part, scan.number, by)
            fixed, standing = 0, scope.standing + opened
            if part.last and part.complete:
                fixed, standing = await self._close(part, scan.number, by)
            scope = msgspec.structs.replace(scope, standing=standing)
            await self._keep(scope, part, scan, opened, fixed, by)
            return DeliveryReceipt(scope=part.scope, scan=part.scan, opened=opened, fixed=fixed)

    async def _scope(self, name: str, by: str, *, every_scope: bool) -> ScanScope:
        if not every_scope and any(_covers(one, name) for some in self._scanners.values() for one in some):
            raise Forbidden(
                f"the configuration gives scope `{name}` to an agent",
                code="scope-of-another",
                remediation="use another scope, or deliver as an administrator",
            )
        kept = await self._store.value(self._tenant, PREFIX + name)
        if kept is None:
            known = await self._store.values(self._tenant, PREFIX)
            if len(known) >= MOST_SCOPES or sum(one["by"] == by for one in known) >= MOST_OF_ONE:
                raise Conflict(
                    f"there are {MOST_SCOPES} scopes already, or {MOST_OF_ONE} of this deliverer",
                    code="too-many-scopes",
                    remediation="use a scope for each tree, and not for each scan",
                )
            return ScanScope(name=name, by=by)
        scope = msgspec.convert(kept, ScanScope)
        if scope.by != by:
            if not every_scope:
                raise Forbidden(
                    f"scope `{name}` is delivered by another one",
                    code="scope-of-another",
                    remediation="use another scope, or ask an administrator to deliver into it once",
                )
            scope = msgspec.structs.replace(scope, by=by)
        return scope

    async def _check_all_of(self, part: ScanPart, scope: ScanScope) -> None:
        """Raise `Conflict` where a deliverer's scopes hold too much together: the end of a scan reads all."""
        known = [msgspec.convert(one, ScanScope) for one in await self._store.values(self._tenant, PREFIX)]
        held = sum(one.standing for one in known if one.by == scope.by and one.name != scope.name)
        held += 0 if part.complete else scope.standing
        if held + len(part.found) > MOST_OF_DELIVERER:
            raise _too_many("a deliverer", MOST_OF_DELIVERER)

    async def _see(self, part: ScanPart, number: int, by: str) -> int:
        opened = 0
        found = list({one.id: one for one in part.found}.values())
        for first in range(0, len(found), TOGETHER):
            some = found[first : first + TOGETHER]
            for left in reversed(range(TRIES)):
                sightings = [await self._sighting(part, one, number, by) for one in some]
                changed = [one for one in sightings if one is not None]
                try:
                    await self._commit(changed)
                except ChangedMeanwhile:
                    if not left:
                        raise
                    continue
                opened += sum(one.opens for one in changed)
                break
        return opened

    async def _commit(self, some: list[Sighting]) -> None:
        if some:
            changes = tuple(change for one in some for change in one.unit.changes)
            events = tuple(event for one in some for event in one.unit.events)
            await self._store.commit(Unit(changes, events))

    async def _sighting(self, part: ScanPart, one: Discovered, number: int, by: str) -> Sighting | None:
        known = await self._findings.find(one.id)
        seen = ScopeSighting(
            scan=part.scan,
            number=number,
            seen=self._clock.now(),
            by=by,
            severity=one.weight,
            owner=safe_line(one.owner, 120),
            facts=facts_of(one),
        )
        found = found_in(
            known, part.scope, seen, tenant=self._tenant, name=one.id, kind=one.kind, about=subject_of(one)
        )
        return None if found is known else self._findings.changed(known, found)

    async def _close(self, part: ScanPart, number: int, by: str) -> tuple[int, int]:
        """Do step 3; return how many findings are fixed with it, and how many of the scope stand."""
        fixed = standing = 0
        for state in (FindingState.OPEN, FindingState.ACCEPTED):
            held = await self._findings.about(state=state, kinds=tuple(DISCOVERED), limit=MOST_LOOKED_AT)
            for one in held:
                sighting = one.scopes.get(part.scope)
                if sighting is None:
                    continue
                if sighting.number < number:
                    fixed += await self._unseen(one.id, part, number, by)
                else:
                    standing += 1
        return fixed, standing

    async def _unseen(self, name: str, part: ScanPart, number: int, by: str) -> bool:
        for left in reversed(range(TRIES)):
            known = await self._findings.get(name)
            sighting = known.scopes.get(part.scope)
            if sighting is None or sighting.number >= number or known.state is FindingState.FALSE:
                return False
            found, why = not_seen(known, part.scope), f"a complete scan of {part.scope} no longer sees it"
            events: tuple[Event, ...] = ()
            if not found.scopes and known.state is not FindingState.RESOLVED:
                now = self._clock.now()
                found = answered(found, FindingState.RESOLVED, by=by, why=why, now=now)
                body = FindingResolved(
                    finding=name, finding_kind=known.kind, about=known.about, resolution=why, by=by
                )
                events = (self._findings.event(body, found, subject=by),)
            try:
                await self._store.commit(Unit((replaced(known, found),), events))
            except ChangedMeanwhile:
                if not left:
                    raise
                continue
            return bool(events)
        return False

    async def _keep(
        self, scope: ScanScope, part: ScanPart, scan: _Scan, opened: int, fixed: int, by: str
    ) -> None:
        ended = part.last
        now = msgspec.structs.replace(
            scan, parts=scan.parts + 1, found=scan.found + len(part.found), ended=ended
        )
        scans = {**scope.scans, part.scan: now}
        newest = sorted(scans, key=lambda one: scans[one].number)[-MOST_SCANS:]
        kept = msgspec.structs.replace(scope, scans={one: scans[one] for one in newest})
        told = ScanDelivered(
            scope=part.scope,
            scan=part.scan,
            found=len(part.found),
            opened=opened,
            fixed=fixed,
            complete=part.last and part.complete,
            by=by,
        )
        event = Event.of(told, at=self._clock.now(), tenant=self._tenant, subject=by)
        put = PutValue(self._tenant, PREFIX + part.scope, msgspec.to_builtins(kept))
        await self._store.commit(Unit((put,), (event,)))

    async def scopes(self) -> list[ScanScope]:
        """Return the scopes, by name."""
        kept = await self._store.values(self._tenant, PREFIX)
        return sorted((msgspec.convert(one, ScanScope) for one in kept), key=lambda one: one.name)


def _next(scope: ScanScope, part: ScanPart) -> tuple[_Scan, bool]:
    """Return the scan that a part continues, and whether the part has arrived before (step 2)."""
    scan = scope.scans.get(part.scan) or _Scan(scope.newest + 1)
    if part.part < scan.parts:
        return scan, True
    if part.part > scan.parts or scan.ended:
        raise Conflict(
            f"part {scan.parts} of scan `{part.scan}` is next, and not {part.part}",
            code="part-missing",
            remediation="send the parts in order, or begin another scan",
        )
    if scan.found + len(part.found) > MOST_OF_SCAN:
        raise _too_many("a scan", MOST_OF_SCAN)
    return scan, False


def _too_many(what: str, most: int) -> Conflict:
    return Conflict(
        f"{what} has more than {most} findings",
        code="too-many",
        remediation="scan smaller trees completely, each with its own scope, or use a baseline",
    )


def _covers(given: str, scope: str) -> bool:
    return scope == given or (given.endswith("*") and scope.startswith(given[:-1]))
