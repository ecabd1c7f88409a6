# SPDX-License-Identifier: Apache-2.0
"""Step 6: credentials of upstreams, one for each task and upstream, shared by the task's calls.

1. the first call that needs one asks its broker; calls that come meanwhile wait for the same answer
2. where the source can be asked by name, the lease is kept before that; else as soon as there is an answer. A
   credential that cannot be kept, or is not fit for use, is taken back; nor is the first one used at an
   upstream where the probe refuses it alive, for then its refusal at the end would show nothing
3. one that runs out is replaced before it does, and let go when its last call is over
4. when the task ends, in whatever way, or its upstream is ended, it is taken back (`taking_back`)
5. what a process that stopped has left is taken back by the next one, for no call of it goes on
6. where an upstream is a process of each task's own, that is a lease too: asked for after the credential that
   it has in its environment, and replaced with it, between calls
7. where an upstream's credentials are for one call, each call has its own, taken back when the call is over
8. where an upstream has a standing secret that can be changed, the end of that upstream changes it, and shows
   when the one that was in use was refused
9. a program that nobody uses is let go with its credential (`idle_programs`)
10. where tasks share a credential, its source is asked before each call whether anybody has changed it

INVARIANT: after the end of a task none is given for it: the call looks at its fence with nothing awaited
before `lease`, and an end finds every lease that was begun by then.
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

#: Longest wait for a credential, and for a process to answer.
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
        processes: Mapping[str, Broker] | None = None,
        for_one_call: Collection[str] = (),
    ) -> None:
        """Take the parts; `brokers` by upstream, `settle_s` is how long an end waits for credentials to be
        dead. `processes` start what serves one task, by upstream; `for_one_call` are the upstreams whose
        credentials are for one call.
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
        #: Upstreams, by kind, whose probe has accepted a credential that lives.
        self._seen: set[tuple[str, str]] = set()
        self._stopped = False
        self._on_leak: list[Callable[[str, Task, UpstreamCredential], None]] = []

    async def lease(self, task: Task, upstream: str) -> UpstreamCredential | None:
        """Return the credential for a call of a task, `None` where the upstream takes none.

        Raises `KeyUnavailable` where there is none to be had. What is given is handed back with `release`.
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
        # The credential itself stays with its lease; what must not come back in a result is needed here.
        beside = under.given if under is not None else stands
        return msgspec.structs.replace(served.credential, secrets=beside.secrets if beside else ())

    def release(self, credential: UpstreamCredential) -> None:
        """The call that it was given for is over."""
        if (held := self._held.get(credential.lease)) is not None:
            self._over(held)
            self._over(held.under)

    def on_leak(self, told: Callable[[str, Task, UpstreamCredential], None]) -> None:
        """Have `told` called with upstream and task of each credential that came back in a result."""
        self._on_leak.append(told)

    def scrubber(self, credential: UpstreamCredential | None, upstream: str, task: Task) -> Scrubber:
        """Return what keeps a call's credential from its agent, and takes it back where it comes back."""
        return (
            NO_SCRUBBER if credential is None else Scrubber(credential, partial(self.leaked, upstream, task))
        )

    def leaked(self, upstream: str, task: Task, credential: UpstreamCredential) -> None:
        """A result brought a credential back: it is taken back at once, and the next call gets another.

        It was scrubbed, but in which other forms it went out nobody knows.
        """
        held = self._held.get(credential.lease)
        for one in (held, held.under if held is not None else None):
            if one is not None and not one.ending:
                self._let_go(one, self._clock.boot_s())
        for told in self._on_leak:
            told(upstream, task, credential)

    # Endings.

    def end(self, tasks: Collection[str], upstream: str, started_s: float) -> list[HeldLease]:
        """Begin to take back what is held for tasks, or at an upstream; gives all of it that is not dead.

        Nothing is awaited here: whoever has raised the fence goes on at once.
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
        """8. Hold what counts now, so that it is taken back like all the rest."""
        held = HeldLease(self._records.record("", "", upstream, broker), broker)
        try:
            held.credential = broker.now(held.id)
        except KeyUnavailable:
            return  # nobody knows it: `finding list` says so
        held.obtaining = asyncio.get_running_loop().create_task(self._note(held), name=f"keep {held.id}")
        self._held[held.id] = held

    async def _note(self, held: HeldLease) -> None:
        """Keep it before it is taken back, so that a restart goes on with that. It is taken back anyhow."""
        with contextlib.suppress(RemitError):
            await self._records.keep(held)

    async def settled(self, leases: list[HeldLease], *, wait: bool) -> list[Closing]:
        """Return what a closure says of leases; with `wait` once they are dead, or an end waits no longer."""
        if wait:
            await self._back.settled(leases)
        return [one.closing() for one in leases if not one.void]

    async def listed(self, leases: list[HeldLease], closure: Closure) -> None:
        """Have a closure that lists leases say so when they are dead."""
        await self._back.listed(leases, closure)

    async def sweep(self) -> int:
        """Try again to take back what is still open; gives how much that is. For a background loop."""
        left = await self._back.sweep()
        self._held = {name: one for name, one in self._held.items() if self._open(one)}
        return left

    def rest(self, upstream: str, idle_s: float, busy: Callable[[str], bool]) -> list[HeldLease]:
        """9. Let go of what tasks hold at an upstream and no call has used for so long, but not of a `busy`
        task; gives it.
        """
        now_s = self._clock.boot_s()
        at = [one for one in self._held.values() if one.record.upstream == upstream]
        unused = [one for one in at if one.unused(now_s - idle_s) and not busy(one.record.task)]
        for held in unused:
            self._let_go(held, now_s)
        return unused

    def abandon(self) -> None:
        """Take back all that is held: this process was taken for gone, and its calls are cut."""
        for held in list(self._held.values()):
            self._let_go(held, self._clock.boot_s())

    async def recover(self, living: Living | None = None) -> int:
        """5. Take back what others than the `living` have left; gives how much."""
        return await self.left.recover(living)

    async def reseal(self) -> None:
        """Seal every credential under the current sealing key, so that the others can be destroyed."""
        for held in list(self._held.values()):
            # Of one that its sink has refused the record is going; it must not come back.
            if held.credential is not None and self._open(held) and not held.dead:
                await self._records.keep(held)

    async def stop(self) -> None:
        """Take back all that is held, as far as it can be done now; the next start goes on with the rest."""
        self._stopped = True
        self.abandon()
        await self._back.stop()

    def of(self, *, task: str = "", agent: str = "") -> list[dict[str, Json]]:
        """Say which leases a task or an agent holds, or has still open after an end; no credentials."""
        return [
            one.told()
            for one in self._held.values()
            if self._open(one)
            and ((task and one.record.task == task) or (agent and one.record.agent == agent))
        ]

    def standing(self, upstreams: Collection[str]) -> list[str]:
        """Return those of some upstreams whose calls carry a secret that ends with no task."""
        brokers = {name: self._brokers.get(name) for name in upstreams}
        return sorted(name for name, broker in brokers.items() if broker is not None and broker.standing)

    def ending(self) -> set[str]:
        """Return the tasks of which something is being taken back."""
        return {one.record.task for one in self._back.open.values()}

    def counts(self) -> dict[str, int]:
        """Return how many are held, and how many are still open after an end."""
        return {"held": sum(not one.ending for one in self._held.values()), "open": len(self._back.open)}

    def open_sinks(self) -> list[OpenSink]:
        """Return what is being taken back, oldest first."""
        return self._back.open_sinks()

    async def kept(self) -> frozenset[str]:
        """Return the leases that are kept, whoever looks after them."""
        return frozenset(one.id for one in await self._records.left())

    # Obtaining.

    async def _given(
        self, task: Task, upstream: str, broker: Broker, under: HeldLease | None = None
    ) -> HeldLease:
        """Return what a broker gives for a call of a task: what is there already, or another one."""
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
            # A call that is cut while it waits does not take the answer from the others.
            await asyncio.shield(held.obtaining)
        except BaseException:
            self._over(held)
            raise
        if held.credential is None or held.failed:
            self._over(held)
            raise unavailable(upstream, held.why)
        return held

    async def _still(self, held: HeldLease) -> HeldLease:
        """10. Give it, or what has taken its place meanwhile; raises `KeyUnavailable`."""
        held.uses += 1
        try:
            await held.ask(OBTAIN_S)
        finally:
            self._over(held)
        if (now := self._current.get(held.key)) is None:
            # INVARIANT: none is begun behind the end of its task, which may have come meanwhile.
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
        """1, 2. Leaves `held.credential` unset where there is none to be had, and says why."""
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
        """2. See once for each upstream that the probe accepts what lives; raises `KeyUnavailable`."""
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
        """Nothing that could be used was obtained: the next call tries again."""
        held.failed = True
        if self._current.get(held.key) is held:
            del self._current[held.key]
        if not held.void or held.broker.traceable:
            # Of what can be taken back by name there is a record; where nothing was given, that goes alone.
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
