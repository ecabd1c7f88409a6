# SPDX-License-Identifier: Apache-2.0
"""Revocation of credentials: requested at the source, then probed at the sink until the sink refuses.

1. the source is asked to revoke the credential, repeatedly, until it confirms; once more at later tries if
   the sink still accepts the credential
2. the sink is probed with the credential, repeatedly, until it refuses; also before 1 is done, because a
   credential can expire by itself
3. a credential is dead when the source has confirmed, or its lifetime is over, and the sink has refused it.
   Then its record is deleted, and every closure that lists it as open states after how long it was refused
4. a credential that stays open longer than an end waits is reported once (`lease.open`). The tries continue
   with growing pauses, also across restarts
5. a credential whose end no source or sink confirms is closed by hand (`abandoned_leases`). If its record is
   gone, another process has seen it dead or closed it
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Final

import msgspec

from remit.core.endings.closure import Closing, Closure
from remit.core.errors import Conflict, RemitError
from remit.core.evidence.events.credentials import LeaseClosed, LeaseDead, LeaseOpen, LeaseRevoked
from remit.ports.broker import Probe
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutClosure
from remit.ports.store.endings import EndingStore
from remit.services.credentials.lease_records import HeldLease, LeaseRecords, OpenSink
from remit.services.limits.durations import RecentTimes

log = logging.getLogger("remit.leases")

#: Longest wait in seconds for one answer of a source or sink.
ASK_S: Final = 10.0
#: First and longest pause in seconds between the first tries; each pause doubles up to the longest.
SOON_S: Final = (0.01, 0.25)
#: The same, once an end no longer waits.
LATER_S: Final = (1.0, 60.0)


class CredentialRevocation:
    """Leases under revocation. For one event loop."""

    def __init__(
        self, records: LeaseRecords, *, store: EndingStore, clock: Clock, tenant: str, settle_s: float
    ) -> None:
        """Take the dependencies; `settle_s` is how long an end waits for credentials to be dead."""
        self._records = records
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._settle_s = settle_s
        self._running: dict[str, asyncio.Task[None]] = {}
        self._closures = asyncio.Lock()
        self.open: dict[str, HeldLease] = {}
        #: How long credentials took to be dead, by kind.
        self.times = RecentTimes()

    def begin(self, held: HeldLease, started_s: float) -> None:
        """Begin to revoke a lease; milliseconds count from `started_s` on the boot-time clock."""
        if held.ending:
            return
        held.ending = True
        held.began_s = started_s
        self.open[held.id] = held
        self._run(held)

    async def go_on(self, leases: Iterable[HeldLease], closures: Iterable[Closure]) -> None:
        """Continue the revocations that another process left behind.

        The closure of the lease's task lists the lease from now on: that process may have ended before it
        could list it.
        """
        unlisted: dict[str, HeldLease] = {}
        for held in leases:
            began_s = now_s = self._clock.boot_s()
            for closure in closures:
                said = [one.open for one in closure.closings if one.lease == held.id]
                if any(said) or (not said and held.record.task in closure.tasks):
                    held.closures.append((closure.scope, closure.id))
                    began_s = now_s - max(0.0, (self._clock.now() - closure.at).total_seconds())
                    if not said:
                        unlisted[held.id] = held
            self.begin(held, began_s)
        for held in unlisted.values():
            async with self._closures:
                await self._records.tell(changes=await self._brought_up_to_date(held))

    async def settled(self, leases: Iterable[HeldLease]) -> None:
        """Wait at most `settle_s` for leases to be dead; report those that stay open."""
        mine = list(leases)
        if running := [self._running[one.id] for one in mine if one.id in self._running]:
            await asyncio.wait(running, timeout=self._settle_s)
        await self._alarm(mine)

    async def listed(self, leases: Iterable[HeldLease], closure: Closure) -> None:
        """Note that a closure lists leases, so that it is kept up to date; some may be dead by now."""
        listed = {one.lease: one for one in closure.closings if one.lease}
        for held in leases:
            if held.id not in listed or not listed[held.id].open:
                continue
            held.closures.append((closure.scope, closure.id))
            if held.dead or held.id not in self.open:
                # The sink refused it before this closure was known.
                async with self._closures:
                    await self._records.drop(held, await self._brought_up_to_date(held))

    async def sweep(self) -> int:
        """Retry what is due; return the number of open leases. For a background loop."""
        now_s = self._clock.boot_s()
        due = [one for one in self.open.values() if now_s >= one.due_s]
        await self._forget_gone(due)
        for held in due:
            if held.id in self.open and held.id not in self._running:
                self._run(held)
        await self._alarm(
            [one for one in self.open.values() if now_s - one.began_s >= self._settle_s and one.ending]
        )
        return len(self.open)

    async def _forget_gone(self, due: list[HeldLease]) -> None:
        """Do step 5."""
        kept = [one for one in due if one.kept and one.id not in self._running]
        if not kept:
            return
        with contextlib.suppress(RemitError):
            left = {one.id for one in await self._records.left()}
            for held in kept:
                if held.id not in left:
                    self.open.pop(held.id, None)

    async def close_by_hand(self, held: HeldLease, *, by: str, because: str) -> Closing:
        """5. Close a lease by hand; raise `Conflict` if it is dead by now, or its sink accepts it."""
        if held.id not in self._running:
            self._run(held)
        await asyncio.wait({self._running[held.id]})
        if held.id not in self.open:
            raise Conflict(
                f"lease `{held.id}` is revoked: it was tried again and refused",
                code="lease-dead",
                remediation="see the closure",
            )
        if held.accepted:
            raise Conflict(
                f"lease `{held.id}` is still valid: `{held.given.sink}` accepts it",
                code="lease-alive",
                remediation="revoke it at its source",
            )
        told = LeaseClosed(**held.names, why=held.why, reason=because, by=by)
        closed = held.event(told, self._clock.now(), self._tenant, subject=by)
        held.by_hand = by, because
        try:
            async with self._closures:
                await self._records.drop(held, await self._brought_up_to_date(held), *held.untold, closed)
        except RemitError:
            held.by_hand = None
            raise
        self.open.pop(held.id, None)
        return held.closing()

    def open_sinks(self) -> list[OpenSink]:
        """Return the credentials under revocation, oldest first."""
        now_s = self._clock.boot_s()
        return [
            OpenSink(
                lease=one.id,
                task=one.record.task,
                upstream=one.record.upstream,
                kind=one.record.kind,
                sink=one.given.sink,
                age_s=max(0.0, round(now_s - one.began_s, 3)),
                why=one.why,
                alarmed=one.told_open,
            )
            for one in sorted(self.open.values(), key=lambda held: held.began_s)
        ]

    async def stop(self) -> None:
        """Try for as long as an end would wait, then leave the rest to the next start."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=self._settle_s)
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _run(self, held: HeldLease) -> None:
        task = asyncio.get_running_loop().create_task(self._try(held), name=f"revoke {held.id}")
        self._running[held.id] = task

        def over(done: asyncio.Task[None]) -> None:
            self._running.pop(held.id, None)
            if not done.cancelled() and (fault := done.exception()) is not None:
                # A defect of a broker: the lease stays open, is reported, and is tried again.
                log.error("lease `%s` cannot be revoked", held.id, exc_info=fault)
                held.why = "fault"
                self._later(held)

        task.add_done_callback(over)

    async def _try(self, held: HeldLease) -> None:
        if held.obtaining is not None:
            await asyncio.wait((held.obtaining,))
            if held.void:
                async with self._closures:
                    await self._records.drop(held, await self._brought_up_to_date(held))
                self.open.pop(held.id, None)
                return
        if held.revoked_ms is not None and held.accepted:
            # The holder of the credential, or the administrator of its source, can have undone a confirmed
            # revocation.
            await self._revoke(held)
        pause_s, longest_s = SOON_S
        until_s = asyncio.get_running_loop().time() + (0.0 if held.told_open else self._settle_s)
        while not await self._once(held):
            if asyncio.get_running_loop().time() + pause_s > until_s:
                self._later(held)
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)

    def _later(self, held: HeldLease) -> None:
        first_s, longest_s = LATER_S
        # The longer a lease has been open, the less often it is tried.
        age_s = self._clock.boot_s() - held.began_s
        held.due_s = self._clock.boot_s() + min(max(first_s, age_s / 2), longest_s)

    async def _once(self, held: HeldLease) -> bool:
        """Ask source and sink once; return whether the lease is dead and recorded as dead."""
        if held.revoked_ms is None:
            await self._revoke(held)
        if held.refused_ms is None:
            await self._probe(held)
        try:
            # Recorded after both were asked, so that no commit delays the end of a credential.
            if held.refused_ms is not None:
                await self._bury(held)
            elif held.untold:
                await self._records.tell(*held.untold)
            held.untold.clear()
        except RemitError as fault:
            # The store failed: the events are recorded once it accepts them.
            held.why = fault.code
            return False
        return held.refused_ms is not None

    async def _revoke(self, held: HeldLease) -> None:
        """Do step 1."""
        held.revokes += 1
        try:
            async with asyncio.timeout(ASK_S):
                await held.broker.revoke(held.given)
        except TimeoutError:
            held.why = "source-timeout"
        except RemitError as fault:
            if held.why != fault.code:
                log.info("lease `%s` was not revoked: %s", held.id, fault)
            held.why = fault.code
        else:
            if held.revoked_ms is not None:
                return
            held.revoked_ms = self._elapsed_ms(held)
            revoked = LeaseRevoked(**held.names, after_us=_us(held.revoked_ms), attempts=held.revokes)
            held.untold.append(held.event(revoked, self._clock.now(), self._tenant))

    async def _probe(self, held: HeldLease) -> None:
        """Do steps 2 and 3."""
        held.probes += 1
        # INVARIANT: checked before the sink is asked. A refusal before the end of the lifetime can have
        # another cause.
        until = held.given.until
        over = held.revoked_ms is not None or (until is not None and self._clock.now() >= until)
        try:
            async with asyncio.timeout(ASK_S):
                found = await held.broker.probe(held.given)
        except TimeoutError:
            found = Probe.UNREACHABLE
        held.accepted = found is Probe.ACCEPTED
        if found is Probe.REFUSED and over:
            held.refused_ms = self._elapsed_ms(held)
        elif held.revoked_ms is not None:
            held.why = f"the sink answered {found.value}"

    async def _bury(self, held: HeldLease) -> None:
        assert held.refused_ms is not None
        told = LeaseDead(**held.names, after_us=_us(held.refused_ms), attempts=held.probes)
        dead = held.event(told, self._clock.now(), self._tenant)
        async with self._closures:
            await self._records.drop(held, await self._brought_up_to_date(held), *held.untold, dead)
        self.open.pop(held.id, None)
        self.times.add(held.record.kind, held.refused_ms)

    async def _brought_up_to_date(self, held: HeldLease) -> tuple[PutClosure, ...]:
        """Return the closures that list a lease, updated. The caller holds the lock."""
        found = []
        for scope, name in held.closures:
            kept = await self._store.closures(self._tenant, scope=scope, limit=1_000)
            for closure in kept:
                if closure.id == name:
                    closings = {one.lease or n: one for n, one in enumerate(closure.closings)}
                    if held.void:
                        closings.pop(held.id, None)
                    else:
                        closings[held.id] = held.closing()
                    changed = msgspec.structs.replace(closure, closings=tuple(closings.values()))
                    found.append(PutClosure(self._tenant, changed))
        return tuple(found)

    async def _alarm(self, leases: Iterable[HeldLease]) -> None:
        """Do step 4."""
        for held in leases:
            if held.id not in self.open or held.told_open:
                continue
            held.told_open = True
            why = held.why or "not answered yet"
            log.warning("lease `%s` for `%s` stays open: %s", held.id, held.given.sink, why)
            opened = LeaseOpen(**held.names, revoked=held.revoked_ms is not None, why=why)
            event = held.event(opened, self._clock.now(), self._tenant)
            try:
                async with self._closures:
                    # The entry "not tried yet" in a closure would no longer be true.
                    await self._records.tell(event, changes=await self._brought_up_to_date(held))
            except RemitError:
                held.told_open = False
                raise

    def _elapsed_ms(self, held: HeldLease) -> float:
        return round((self._clock.boot_s() - held.began_s) * 1000, 3)


def _us(ms: float) -> int:
    return round(ms * 1000)
