# SPDX-License-Identifier: Apache-2.0
"""Step 6: credentials of upstreams, one for each task and upstream, shared by the task's calls.

1. the first call that needs a credential asks its broker; calls that come in the meantime wait for the same
   answer
2. if the source can find a lease by its name, the lease is stored before the source is asked; otherwise as
   soon as the source answers. A credential that cannot be stored, or is unfit for use, is revoked. So is the
   first credential of an upstream if the probe refuses it while it is valid, because then a refusal at the
   end would prove nothing
3. a credential is replaced before it expires, and released when its last call ends
4. when the task ends, in any way, or its upstream is ended, the credential is revoked (`revocation`)
5. what a stopped process left behind is revoked by the next process, because none of its calls continue
6. where each task has its own process of an upstream, that process is a lease too: requested after the
   credential in its environment, and replaced together with it, between calls
7. where an upstream's credentials are for one call, each call has its own, revoked when the call ends
8. where an upstream has a standing secret that can be changed, the end of that upstream changes the secret,
   and records when the previous one was refused
9. an idle program is released together with its credential (`idle_programs`)
10. where tasks share a credential, its source is asked before each call whether it was changed

INVARIANT: after the end of a task no credential is issued for it. The call checks its fence, with no await
between that check and `lease`, and an end finds every lease that was begun by then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from remit.core.endings.closure import Closing, Closure
from remit.core.errors import KeyUnavailable, NothingDone, RemitError
from remit.core.evidence.event import Event, timestamp
from remit.core.evidence.events.credentials import LeaseIssued
from remit.core.json_value import Json
from remit.core.tasks.task import Task
from remit.ports.broker import Broker, LeaseWanted, Probe, Replaceable, UpstreamCredential
from remit.ports.keys import SealingKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.combined import TasksAndEndings
from remit.services.credentials.abandoned_leases import AbandonedLeases, Living
from remit.services.credentials.lease_records import HeldLease, LeaseRecords, OpenSink, unavailable
from remit.services.credentials.revocation import CredentialRevocation
from remit.services.credentials.scrubbing import NO_SCRUBBER, Scrubber

#: Longest wait in seconds for a credential, and for a process to answer.
OBTAIN_S: Final = 15.0
START_S: Final = 90.0


class Leases:
    """All leases of one process. For one event loop."""

    def __init__(
        self,
        *,
        brokers: Mapping[str, Broker],
        store: TasksAndEndings,
        clock: Clock,
        entropy: Entropy,
        sealing: SealingKeys,
        tenant: str,
        settle_s: float,
        leak: Callable[[str, Task, UpstreamCredential], None],
        processes: Mapping[str, Broker] | None = None,
        for_one_call: Collection[str] = (),
    ) -> None:
        """Take the parts; `brokers` by upstream, `settle_s` is how long an end waits for credentials to be
        dead. `processes` start what serves one task, by upstream; `for_one_call` are the upstreams whose
        credentials are for one call. `leak` is told of each credential that came back in a result.
        """
        self._brokers = brokers
        self._processes = dict(processes or {})
        self._for_one_call = frozenset(for_one_call)
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._records = LeaseRecords(
            store=store, clock=clock, entropy=entropy, sealing=sealing, tenant=tenant
        )
        self._back = CredentialRevocation(
            self._records, store=store, clock=clock, tenant=tenant, settle_s=settle_s
        )
        self.times = self._back.times
        self._current: dict[tuple[str, str, str], HeldLease] = {}
        self._held: dict[str, HeldLease] = {}
        self.left = AbandonedLeases(
            held=self._held,
            brokers=(brokers, self._processes),
            records=self._records,
            back=self._back,
            store=store,
            tenant=tenant,
        )
        #: Upstreams, with the kind of credential, whose probe has accepted a valid credential.
        self._seen: set[tuple[str, str]] = set()
        self._stopped = False
        self._leak = leak

    async def lease(self, task: Task, upstream: str) -> UpstreamCredential | None:
        """Return the credential for a call of a task, or `None` if the upstream needs none.

        Raises `KeyUnavailable` if no credential can be obtained. The caller returns the credential with
        `release`.
        """
        broker, process = self._brokers.get(upstream), self._processes.get(upstream)
        stands, under = None, None
        if broker is not None and broker.standing:
            stands = await broker.obtain(LeaseWanted("", upstream, task))
        elif broker is not None:
            under = await self._given(task, upstream, broker)
        if process is None:
            return under.credential if under is not None else stands
        try:
            # 6
            served = await self._given(task, upstream, process, under)
        except BaseException:
            self._over(under)
            raise
        assert served.credential is not None
        # The credential itself stays with its lease; the scrubber needs the texts that must not come back in
        # a result.
        beside = under.given if under is not None else stands
        return msgspec.structs.replace(served.credential, secrets=beside.secrets if beside else ())

    def release(self, credential: UpstreamCredential) -> None:
        """End the use of a credential by the call for which it was leased."""
        if (held := self._held.get(credential.lease)) is not None:
            self._over(held)
            self._over(held.under)

    def scrubber(self, credential: UpstreamCredential | None, upstream: str, task: Task) -> Scrubber:
        """Return a scrubber for a call's credential.

        It keeps the credential from the agent, and revokes the credential if a result contains it.
        """
        return (
            NO_SCRUBBER if credential is None else Scrubber(credential, partial(self.leaked, upstream, task))
        )

    def leaked(self, upstream: str, task: Task, credential: UpstreamCredential) -> None:
        """Revoke a credential that came back in a result at once; the next call gets another.

        The scrubber removed it, but the result may contain it in forms that are unknown.
        """
        held = self._held.get(credential.lease)
        for one in (held, held.under if held is not None else None):
            if one is not None and not one.ending:
                self._let_go(one, self._clock.boot_s())
        self._leak(upstream, task, credential)

    # Endings.

    def end(self, tasks: Collection[str], upstream: str, started_s: float) -> list[HeldLease]:
        """Begin to revoke what is held for tasks, or at an upstream; return all of it that is not dead.

        Nothing is awaited here: the caller, who has raised the fence, continues at once.
        """
        ending = set(tasks)
        if isinstance(broker := self._brokers.get(upstream), Replaceable):
            self._stands(upstream, broker)
        found = [
            one
            for one in self._held.values()
            if self._open(one)
            and (one.record.task in ending or (upstream and one.record.upstream == upstream))
        ]
        for held in found:
            self._let_go(held, started_s)
        return found

    def _stands(self, upstream: str, broker: Replaceable) -> None:
        """8. Hold the current secret as a lease, so that it is revoked like every other one."""
        held = HeldLease(self._records.record("", "", upstream, broker), broker)
        try:
            held.credential = broker.now(held.id)
        except KeyUnavailable:
            return  # the secret is not known; `finding list` reports that
        held.obtaining = asyncio.get_running_loop().create_task(self._note(held), name=f"keep {held.id}")
        self._held[held.id] = held

    async def _note(self, held: HeldLease) -> None:
        """Store a lease before its revocation, so that a restart continues it; a store fault does not stop
        it.
        """
        with contextlib.suppress(RemitError):
            await self._records.keep(held)

    async def settled(self, leases: list[HeldLease], *, wait: bool) -> list[Closing]:
        """Return the closure entries of leases; with `wait`, once they are dead or the wait of an end is
        over.
        """
        if wait:
            await self._back.settled(leases)
        return [one.closing() for one in leases if not one.void]

    async def listed(self, leases: list[HeldLease], closure: Closure) -> None:
        """Update a closure that lists leases when they are dead."""
        await self._back.listed(leases, closure)

    async def sweep(self) -> int:
        """Retry what is still open; return the number of open leases. For a background loop."""
        left = await self._back.sweep()
        self._held = {name: one for name, one in self._held.items() if self._open(one)}
        return left

    def rest(self, upstream: str, idle_s: float, busy: Callable[[str], bool]) -> list[HeldLease]:
        """9. Release the leases of an upstream that no call has used for `idle_s`, except those of `busy`
        tasks.

        Returns the released leases.
        """
        now_s = self._clock.boot_s()
        at = [one for one in self._held.values() if one.record.upstream == upstream]
        unused = [one for one in at if one.unused(now_s - idle_s) and not busy(one.record.task)]
        for held in unused:
            self._let_go(held, now_s)
        return unused

    def abandon(self) -> None:
        """Revoke every lease: the other replicas declared this process dead, and its calls are cut."""
        for held in list(self._held.values()):
            self._let_go(held, self._clock.boot_s())

    async def recover(self, living: Living | None = None) -> int:
        """5. Revoke the leases left by processes other than the `living`; return their number."""
        return await self.left.recover(living)

    async def reseal(self) -> None:
        """Seal every credential under the current sealing key, so that the other keys can be destroyed."""
        for held in list(self._held.values()):
            # The record of a lease that its sink has refused is being deleted and must not come back.
            if held.credential is not None and self._open(held) and not held.dead:
                await self._records.keep(held)

    async def stop(self) -> None:
        """Revoke every lease as far as possible now; the next start continues with the rest."""
        self._stopped = True
        self.abandon()
        await self._back.stop()

    def of(self, *, task: str = "", agent: str = "") -> list[dict[str, Json]]:
        """Return the leases that a task or an agent holds, or has still open after an end; without
        credentials.
        """
        return [
            one.told()
            for one in self._held.values()
            if self._open(one)
            and ((task and one.record.task == task) or (agent and one.record.agent == agent))
        ]

    def standing(self, upstreams: Collection[str]) -> list[str]:
        """Return those of the upstreams whose calls carry a secret that no end of a task revokes."""
        brokers = {name: self._brokers.get(name) for name in upstreams}
        return sorted(name for name, broker in brokers.items() if broker is not None and broker.standing)

    def ending(self) -> set[str]:
        """Return the tasks that have leases under revocation."""
        return {one.record.task for one in self._back.open.values()}

    def counts(self) -> dict[str, int]:
        """Return how many leases are held, and how many are still open after an end."""
        return {"held": sum(not one.ending for one in self._held.values()), "open": len(self._back.open)}

    def open_sinks(self) -> list[OpenSink]:
        """Return the credentials under revocation, oldest first."""
        return self._back.open_sinks()

    async def kept(self) -> frozenset[str]:
        """Return the ids of all stored leases, no matter which process holds them."""
        return frozenset(one.id for one in await self._records.left())

    # Obtaining.

    async def _given(
        self, task: Task, upstream: str, broker: Broker, under: HeldLease | None = None
    ) -> HeldLease:
        """Return a broker's lease for a call of a task: the current one, or a new one."""
        held = self._current.get((task.id, upstream, broker.kind))
        if held is not None and held.shared is not None:
            held = await self._still(held)
        if under is not None and under.ending:
            raise unavailable(upstream, under.why)
        if held is None or held.under is not under or held.stale(self._clock.now()):
            held = self._begin(task, upstream, broker, held, under)
        held.uses += 1
        assert held.obtaining is not None
        try:
            # A waiting call that is cut does not cancel the answer for the other calls.
            await asyncio.shield(held.obtaining)
        except BaseException:
            self._over(held)
            raise
        if held.credential is None or held.failed:
            self._over(held)
            raise unavailable(upstream, held.why)
        return held

    async def _still(self, held: HeldLease) -> HeldLease:
        """10. Return the lease, or the one that has replaced it since; raise `KeyUnavailable`."""
        held.uses += 1
        try:
            await held.ask(OBTAIN_S)
        finally:
            self._over(held)
        if (now := self._current.get(held.key)) is None:
            # INVARIANT: no lease is begun after the end of its task, which may have come in the meantime.
            raise unavailable(held.record.upstream, held.why)
        return now

    def _begin(
        self, task: Task, upstream: str, broker: Broker, before: HeldLease | None, under: HeldLease | None
    ) -> HeldLease:
        if self._stopped:
            raise unavailable(upstream, "remit is stopping")
        held = self._records.begin(task, upstream, broker)
        held.under = under
        self._held[held.id] = held
        if upstream in self._for_one_call:
            # 7
            held.replaced = True
        else:
            self._current[held.key] = held
        held.obtaining = asyncio.get_running_loop().create_task(self._obtain(held), name=f"lease {held.id}")
        if before is not None:
            # 3
            before.replaced = True
            if before.uses == 0:
                self._let_go(before, self._clock.boot_s())
        return held

    async def _obtain(self, held: HeldLease) -> None:
        """1, 2. Obtain the credential; on failure leave `held.credential` unset and record the reason."""
        broker, upstream = held.broker, held.record.upstream
        assert held.wanted is not None
        env, secrets = (under.given.env, under.given.secrets) if (under := held.under) else ({}, ())
        patience_s = START_S if broker is self._processes.get(upstream) else OBTAIN_S
        try:
            if broker.traceable:
                await self._records.keep(held)
            async with asyncio.timeout(patience_s):
                unfit = await held.obtain(LeaseWanted(held.id, upstream, held.wanted, env, secrets))
            await self._records.keep(held, self._issued(held, held.given.until))
            if unfit is not None:
                raise unfit
            await self._see(held, held.given)
        except (RemitError, TimeoutError) as fault:
            held.why = fault.message if isinstance(fault, RemitError) else "its source does not answer"
            held.nothing = isinstance(fault, NothingDone)
            self._lost(held)
        except BaseException:
            held.why = "it could not be obtained"
            self._lost(held)
            raise

    async def _see(self, held: HeldLease, given: UpstreamCredential) -> None:
        """2. Check once for each upstream that the probe accepts a valid credential; raise
        `KeyUnavailable`.
        """
        which = held.record.upstream, held.record.kind
        if which in self._seen:
            return
        async with asyncio.timeout(OBTAIN_S):
            found = await held.broker.probe(given)
        if found is Probe.REFUSED:
            raise KeyUnavailable("its probe refuses a credential that was just issued", code="probe-blind")
        if found is Probe.ACCEPTED:
            self._seen.add(which)

    def _lost(self, held: HeldLease) -> None:
        """Give up a lease without a usable credential; the next call tries again."""
        held.failed = True
        if self._current.get(held.key) is held:
            del self._current[held.key]
        if not held.void or held.broker.traceable:
            # A lease that the source can find by name has a record; if the source issued nothing, only the
            # record goes.
            self._let_go(held, self._clock.boot_s())
        elif not held.ending:
            del self._held[held.id]

    def _issued(self, held: HeldLease, until: datetime | None) -> Event:
        issued = LeaseIssued(**held.names, until=timestamp(until) if until else "")
        return held.event(issued, self._clock.now(), self._tenant)

    def _open(self, held: HeldLease) -> bool:
        return not held.ending or held.id in self._back.open

    def _over(self, held: HeldLease | None) -> None:
        if held is None:
            return
        held.uses -= 1
        held.used_s = self._clock.boot_s()
        if held.replaced and held.uses == 0 and not held.failed:
            self._let_go(held, self._clock.boot_s())

    def _let_go(self, held: HeldLease, started_s: float) -> None:
        if self._current.get(held.key) is held:
            del self._current[held.key]
        self._back.begin(held, started_s)
