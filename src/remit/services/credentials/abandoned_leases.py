# SPDX-License-Identifier: Apache-2.0
"""Leases that another process holds or has left, and those of which nobody can say whether they are dead.

1. what a process that stopped, or a replica that is gone, has left is taken back by whoever finds it
2. what a replica holds that says nothing to an end is taken back by whoever ended; until it is dead, the
   closure lists it as open
3. where neither source nor sink ever says that a lease is dead, a person does, and why. It is tried once more
   before: what turns out dead is dead, and what its sink accepts stays open

Where the configuration names the broker no more, `RemovedBroker` stands in for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from remit.core.endings.closure import Closing
from remit.core.errors import Conflict, KeyUnavailable, NotFound
from remit.ports.broker import Broker, LeaseWanted, Probe, UpstreamCredential
from remit.ports.store.combined import TasksAndEndings
from remit.services.credentials.lease_records import HeldLease, LeaseRecord, LeaseRecords
from remit.services.credentials.revocation import CredentialRevocation

Living = Callable[[], Awaitable[Collection[str]]]

#: Closures that are searched for those that list a lease.
MANY: Final = 1_000


class AbandonedLeases:
    """Takes leases over by their records. For one event loop."""

    def __init__(
        self,
        *,
        held: dict[str, HeldLease],
        brokers: tuple[Mapping[str, Broker], ...],
        records: LeaseRecords,
        back: CredentialRevocation,
        store: TasksAndEndings,
        tenant: str,
    ) -> None:
        """Take the dependencies; `held` are the leases in memory. Leases that are taken over are added to
        it.
        """
        self._held = held
        self._brokers = brokers
        self._records = records
        self._back = back
        self._store = store
        self._tenant = tenant

    async def recover(self, living: Living | None = None) -> int:
        """1. Revoke the leases left by processes other than the `living`; return their number.

        `living` is called after the leases were read.
        """
        kept = [one for one in await self._records.left() if one.id not in self._held]
        apart = await living() if kept and living is not None else ()
        left = [one for one in kept if one.holder not in apart]
        await self._go_on(left)
        return len(left)

    async def of_silent(
        self, replicas: Collection[str], tasks: Collection[str], upstream: str, started_s: float
    ) -> list[HeldLease]:
        """2. Begin to revoke what these replicas hold for tasks, or at an upstream; return these leases."""
        found = [
            one
            for one in await self._records.left()
            if one.holder in replicas and (one.task in tasks or (upstream and one.upstream == upstream))
        ]
        taken = [self._held.get(one.id) or self._over(one) for one in found]
        for held in taken:
            self._back.begin(held, started_s)
        return taken

    async def close(self, lease: str, *, by: str, because: str) -> Closing:
        """3. Close a lease by hand.

        Raises `NotFound`, and `Conflict` if the lease is in use, is dead, or is accepted by its sink.
        """
        held = self._held.get(lease)
        if held is None or held.by_hand:
            found = [one for one in await self._records.left() if one.id == lease]
            if not found:
                raise NotFound(
                    f"no open lease `{lease[:80]}` exists",
                    remediation="see `remit lease list`, and the closure",
                )
            task = await self._store.task(self._tenant, found[0].task)
            if task is not None and not task.state.ended:
                raise _in_use(lease)
            # Another process that revokes the lease too will find its record gone.
            await self._go_on(found)
            held = self._held[lease]
        if not held.ending:
            raise _in_use(lease)
        return await self._back.close_by_hand(held, by=by, because=because)

    async def _go_on(self, left: list[LeaseRecord]) -> None:
        closures = await self._store.closures(self._tenant, limit=MANY) if left else []
        await self._back.go_on([self._over(one) for one in left], closures)

    def _over(self, record: LeaseRecord) -> HeldLease:
        held = self._held[record.id] = HeldLease(record, self._broker_of(record))
        held.credential = self._records.open(record)
        held.kept = True
        return held

    def _broker_of(self, record: LeaseRecord) -> Broker:
        for known in self._brokers:
            broker = known.get(record.upstream)
            if broker is not None and broker.kind == record.kind:
                return broker
        return RemovedBroker(record.upstream, record.kind)


def _in_use(lease: str) -> Conflict:
    return Conflict(
        f"lease `{lease[:80]}` is not being revoked",
        code="lease-in-use",
        remediation="end its task; close a lease by hand only if its revocation cannot be confirmed",
    )


class RemovedBroker:
    """Replaces a broker that was removed from the configuration; the credentials that it issued stay open."""

    standing = False
    traceable = True

    def __init__(self, upstream: str, kind: str) -> None:
        """Take the upstream and the kind of the missing broker."""
        self.kind = kind
        self._upstream = upstream

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Raise `KeyUnavailable`: a removed broker issues nothing."""
        raise self._gone()

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Raise `KeyUnavailable`: a removed broker revokes nothing."""
        raise self._gone()

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Return `unreachable`: a removed broker tries nothing."""
        return Probe.UNREACHABLE

    def _gone(self) -> KeyUnavailable:
        return KeyUnavailable(
            f"upstream `{self._upstream}` no longer has a broker of kind `{self.kind}`",
            code="broker-gone",
            remediation="configure it again until its credentials are revoked, or revoke them at their "
            "source and close each by hand (`remit lease close`)",
        )
