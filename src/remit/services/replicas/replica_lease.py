# SPDX-License-Identifier: Apache-2.0
"""This process among the replicas of one store: its lease, fences that others raise, and acknowledgements.

1. a committed renewal lets this replica act for one lease, counted from when the renewal was *sent*; fences
   raised by then are known before the lease counts
2. a replica that cannot renew refuses everything, and acts again by itself once it can renew
3. a fence that another replica raised is taken in within moments (a nudge) or with the next renewal: calls
   under it are cut, and the raising replica is notified of what had been sent
4. a replica that raises a fence waits for every other replica that is not gone: for its acknowledgement, or
   until the longest lease is over by its own clock. After that, silent replicas refuse by themselves
5. a replica that was silent for two leases is buried by any replica that notices. It commits nothing from
   then on, and comes back as a new incarnation that owns nothing

A store that a single process writes has no fleet: then nothing here acts or waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

import msgspec

from remit.core.endings.closure import Closing, Indeterminate
from remit.core.errors import Conflict, OutOfForce, RemitError, StoreUnavailable
from remit.core.evidence.event import Event
from remit.core.evidence.events.system import ReplicaGone
from remit.core.ids import ID_BYTES, make_id
from remit.core.replicas.replica import Acknowledgement, OwnLease, Replica, Watch, longest_s, outlived_s
from remit.core.scope import Raised
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import PutValue
from remit.ports.store.replicas import DeclareDead, FenceAck, Fleet, FleetSight
from remit.ports.store.units import Unit, UnitStore
from remit.services.limits.durations import RecentTimes
from remit.services.replicas.events import ReplicaEvents

log = logging.getLogger("remit.replicas")

#: Renewals in one lease.
RENEWALS = 3
#: The value that is written to see whether the store can be written to.
PROBE_KEY = "health.probe"


class ReplicaStanding(msgspec.Struct, frozen=True):
    """A replica, and the time since it last renewed its lease, as seen by the reporting replica."""

    replica: Replica
    silent_s: float | None

    @property
    def late(self) -> bool:
        """Whether the replica's lease has expired, so that it refuses everything."""
        return self.silent_s is not None and self.silent_s >= outlived_s(self.replica.lease_s)


class Acknowledgements(msgspec.Struct, frozen=True):
    """The acknowledgements of an end by the other replicas."""

    acknowledged: tuple[Acknowledgement, ...] = ()
    indeterminate: tuple[Indeterminate, ...] = ()
    closings: tuple[Closing, ...] = ()

    @property
    def heard(self) -> frozenset[str]:
        """The replicas that acknowledged."""
        return frozenset(one.replica for one in self.acknowledged if one.after_ms is not None)

    @property
    def silent(self) -> frozenset[str]:
        """The replicas that did not acknowledge."""
        return frozenset(one.replica for one in self.acknowledged if one.after_ms is None)


class Replicas:
    """This replica and what it knows of the others; for one event loop."""

    def __init__(
        self,
        *,
        fleet: Fleet | None,
        store: UnitStore,
        clock: Clock,
        entropy: Entropy,
        tenant: str,
        me: Replica | None = None,
        seal: Callable[[str, str], str] = lambda replica, address: "",
    ) -> None:
        """Take the parts; `me` says what others are told of this process, its id apart.

        `seal`, of its id and address, shows others that this replica holds the keys of the organisation.
        """
        self._fleet = fleet
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        self._me = me
        self.lease = OwnLease(me.lease_s if me else 1.0)
        self._watch = Watch()
        self.others: dict[str, Replica] = {}
        self._acks: dict[tuple[str, int, str], FenceAck] = {}
        self._looked = asyncio.Event()
        self._in = False
        self._leaving = False
        self._burying: set[str] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._seal = seal
        #: Called with the fences that others have raised.
        self.events = ReplicaEvents()
        #: How long others took to acknowledge, in milliseconds.
        self.times = RecentTimes()
        #: Leases that expired here since the start.
        self.lapses = 0

    # Checks of every call.

    @property
    def several(self) -> bool:
        """Whether there may be other replicas."""
        return self._fleet is not None

    @property
    def id(self) -> str:
        """The id of this incarnation."""
        return self._store.writer

    @property
    def me(self) -> Replica | None:
        """This replica as others see it; `None` if one process serves alone."""
        return self._me

    def holds(self) -> bool:
        """Return whether this replica may permit, send and release."""
        return self._fleet is None or self.lease.holds(self._clock.boot_s())

    @property
    def state(self) -> str:
        """`alone`, `leased`, or `fenced`."""
        return "alone" if self._fleet is None else "leased" if self.holds() else "fenced"

    def check(self) -> None:
        """Raise `OutOfForce` where this replica may not act."""
        if not self.holds():
            raise OutOfForce

    async def probe(self) -> str:
        """Write to the store; `writable`, or the code of why it cannot be written to."""
        probe = PutValue(self._tenant, PROBE_KEY, {"at": self._clock.now().isoformat()})
        try:
            await self._store.commit(Unit((probe,)))
        except RemitError as error:
            return error.code
        # The probe writes no event: a store that can write state may still be unable to write the log.
        return self._store.failing or "writable"

    # Joining and leaving.

    async def enter(self) -> None:
        """Join the replicas and get the first lease; raises `StoreUnavailable`."""
        if self._fleet is not None and self._me is not None:
            await self._fleet.join(self._as(self.id), self._told)
            self._in = True
            await self._fleet.renew()

    async def renew(self) -> None:
        """Renew the lease; for a background loop, `RENEWALS` times in each lease."""
        if self._fleet is None or not self._in:
            return
        if not self.holds():
            self._watch.forget()
        await self._fleet.renew()

    async def keep_up(self) -> None:
        """Break off a renewal that takes too long, and bury silent replicas; for a background loop."""
        if self._fleet is None:
            return
        self._fleet.check()
        if not self.holds():
            return
        for one in self._watch.silent(self.others.values(), self._clock.boot_s()):
            await self._bury(one)

    async def leave(self) -> None:
        """Leave in order, so that no replica has to wait for this one. Nothing is committed after it."""
        self._leaving = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._fleet is not None:
            await self._fleet.leave()
        self.lease.give_up()

    def _as(self, replica: str) -> Replica:
        assert self._me is not None
        self._me = msgspec.structs.replace(
            self._me, id=replica, joined=self._clock.now(), seal=self._seal(replica, self._me.address)
        )
        return self._me

    async def _bury(self, one: Replica) -> None:
        if one.id in self._burying:
            return
        self._burying.add(one.id)
        try:
            gone = ReplicaGone(replica=one.id, host=one.host)
            event = Event.of(gone, at=self._clock.now(), tenant=self._tenant)
            await self._store.commit(Unit((DeclareDead(self._tenant, one.id, one.renewed),), (event,)))
        except Conflict:
            return  # it is alive after all, or another replica was faster
        finally:
            self._burying.discard(one.id)
        if self.others.pop(one.id, None) is not None:
            # The next look no longer reports it as missing.
            self._tell_of_gone(one.id)
        log.warning("replica `%s` on %s was silent for too long; other replicas take over", one.id, one.host)

    async def _again(self) -> None:
        """Come back under a new id, owning nothing and with no pending calls."""
        assert self._fleet is not None
        assert self._me is not None
        for told in self.events.lost:
            await told()
        new = make_id("writer", self._entropy.bytes(ID_BYTES))
        while not self._leaving:
            try:
                await self._fleet.join(self._as(new), self._told)
                self._in = True
                await self._fleet.renew()
            except RemitError as fault:
                log.info("has not rejoined yet: %s", fault)
                await asyncio.sleep(self.lease.lease_s / RENEWALS)
            else:
                log.warning("this replica was considered gone; it rejoined as `%s`", new)
                return

    # Observations of the fleet.

    def _told(self, look: FleetSight) -> None:
        """Take in a look at the fleet.

        INVARIANT: calls under raised fences are cut before the renewal in the same look counts.
        """
        if look.gone:
            self.lease.give_up()
            if self._in and not self._leaving:
                self._in = False
                self.lapses += 1
                self._run(self._again())
            return
        if look.raised:
            now, later = self.events.react(look.raised)
            self._run(self._tell(now, later))
        gone = self.others.keys() - {one.id for one in look.replicas}
        self.others = {one.id: one for one in look.replicas if one.id != self.id}
        self._watch.saw(self.others.values(), look.seen_s)
        self._acks = {(ack.scope, ack.epoch, ack.replica): ack for ack in look.acks}
        if look.sent_s is not None:
            if self.lease.until_s and not self.lease.holds(look.seen_s):
                self.lapses += 1
            self.lease.renewed(look.sent_s)
        self._looked.set()
        self._looked = asyncio.Event()
        for told in self.events.changed:
            told(look)
        for name in gone:
            self._tell_of_gone(name)

    def _tell_of_gone(self, name: str) -> None:
        for lost in self.events.gone:
            self._run(lost(name))

    async def _tell(self, now: list[FenceAck], later: list[Awaitable[FenceAck]]) -> None:
        assert self._fleet is not None
        me = self.id
        if now:
            await self._fleet.acknowledge([msgspec.structs.replace(one, replica=me) for one in now])
        for one in later:
            await self._fleet.acknowledge([msgspec.structs.replace(await one, replica=me)])

    def _run(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except RemitError as fault:
                # A lost acknowledgement costs the ending replica one lease; a change is looked at again.
                log.warning("%s", fault)

        task = asyncio.get_running_loop().create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # Ending.

    async def gathered(self, raised: Raised, started_s: float, settle_s: float) -> Acknowledgements:
        """Do step 4: return the acknowledgements by every other replica of a fence that was just committed.

        Returns when each replica has answered or is gone, or when the longest of their leases is over. Then
        waits for the outcome of their credentials, `settle_s` seconds at most.
        """
        if self._fleet is None:
            return Acknowledgements()
        with self._fleet.awaiting():
            return await self._gather(self._fleet, raised, started_s, settle_s)

    async def _gather(
        self, fleet: Fleet, raised: Raised, started_s: float, settle_s: float
    ) -> Acknowledgements:
        committed_s = self._clock.boot_s()
        try:
            # A replica that joins from here on reads the epoch before it acts.
            await fleet.look()
            blind = False
        except StoreUnavailable:
            log.warning("the other replicas cannot be read: waiting until their leases expire")
            blind = True
        waited = dict(self.others)
        longest = longest_s(waited.values())
        until_s = committed_s + outlived_s(max(longest, self.lease.lease_s) if blind else longest)
        at: dict[str, float] = {}
        while True:
            now_s, heard = self._clock.boot_s(), self._heard(raised, waited)
            for name in heard:
                at.setdefault(name, now_s)
            if now_s >= until_s or not (blind or (waited.keys() & self.others.keys()) - heard.keys()):
                break
            await self._next_look(until_s - now_s)
        for one in waited.values():
            if one.id in at:
                self.times.add("acknowledged", (at[one.id] - started_s) * 1000)
        if waited.keys() - at.keys() and self._clock.boot_s() < until_s:
            # It was buried in the meantime: what it could still do ends with its lease, and not before.
            await asyncio.sleep(until_s - self._clock.boot_s())
        closings = await self._settled(raised, waited, settle_s)
        told = tuple(
            Acknowledgement(
                one.id, one.host, round((at[one.id] - started_s) * 1000, 3) if one.id in at else None
            )
            for one in sorted(waited.values(), key=lambda one: one.id)
        )
        listed = [one for ack in self._heard(raised, waited).values() for one in ack.indeterminate]
        return Acknowledgements(told, tuple(listed), tuple(closings))

    def _heard(self, raised: Raised, waited: Collection[str]) -> dict[str, FenceAck]:
        """Return the acknowledgement of each replica; one for a later fence of the scope counts too."""
        found: dict[str, FenceAck] = {}
        for (scope, epoch, replica), ack in list(self._acks.items()):
            if scope == raised.scope and epoch >= raised.epoch and replica in waited:
                before = found[replica].indeterminate if replica in found else ()
                listed = tuple(dict.fromkeys((*before, *ack.indeterminate)))
                found[replica] = msgspec.structs.replace(ack, indeterminate=listed)
        return found

    def own_word(self, raised: Raised) -> FenceAck:
        """Return this replica's acknowledgement of a fence that another replica raised, or of a later one."""
        return self._heard(raised, {self.id}).get(self.id) or FenceAck(
            scope=raised.scope, epoch=raised.epoch, replica=self.id
        )

    async def _settled(self, raised: Raised, waited: dict[str, Replica], settle_s: float) -> list[Closing]:
        until_s = self._clock.boot_s() + settle_s
        while True:
            heard = self._heard(raised, waited)
            left_s = until_s - self._clock.boot_s()
            if left_s <= 0 or all(ack.settled for ack in heard.values()):
                return [one for ack in heard.values() for one in ack.closings]
            await self._next_look(left_s)

    async def _next_look(self, most_s: float) -> None:
        try:
            async with asyncio.timeout(most_s):
                await self._looked.wait()
        except TimeoutError:
            pass

    def recorded(self, raised: Raised) -> None:
        """Forget the acknowledgements of a fence: its closure is written, so they are on record."""
        if self._fleet is not None:
            self._run(self._fleet.forget_acks(raised.scope, raised.epoch))

    # Reports.

    def standing(self) -> list[ReplicaStanding]:
        """Return every replica that is not gone, this one first; none where there can be no others."""
        if not self._in or self._me is None:
            return []
        now_s = self._clock.boot_s()
        silent_s = max(0.0, now_s - (self.lease.until_s - self.lease.lease_s))
        return [
            ReplicaStanding(self._me, silent_s),
            *(ReplicaStanding(one, self._watch.age_s(one.id, now_s)) for one in self.others.values()),
        ]

    async def describe(self, *, bundle: str, version: str) -> None:
        """Publish this replica's description to the others where it has changed; for a background loop."""
        if self._fleet is None or self._me is None or not self._in:
            return
        now = msgspec.structs.replace(self._me, bundle=bundle, version=version)
        if now != self._me:
            await self._fleet.restate(now)
            self._me = msgspec.structs.replace(self._me, bundle=bundle, version=version)
