# SPDX-License-Identifier: Apache-2.0
"""Stored leases: what is known of each, with its credential sealed.

INVARIANT: the store holds a credential only encrypted under the current sealing key, bound to its lease and
to the source that issued it; no event contains it. A lease whose record is gone is dead.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.core.endings.closure import Closing
from remit.core.errors import KeyUnavailable, RemitError
from remit.core.evidence.event import Event, EventBody
from remit.core.evidence.events.credentials import LeaseNames
from remit.core.ids import ID_BYTES, make_id
from remit.core.json_value import Json
from remit.core.sealing import NONCE_SIZE, seal, unseal
from remit.core.tasks.task import Task
from remit.ports.broker import Broker, LeaseWanted, Shared, Tracing, UnfitCredential, UpstreamCredential
from remit.ports.keys import SealingKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Change, PutValue
from remit.ports.store.units import Unit, UnitStore

PREFIX: Final = "lease:"
#: A call does not begin with a credential that expires within this time, or within a fifth of its lifetime if
#: that is less.
MARGIN: Final = timedelta(minutes=1)


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One lease in the store. `sealed` is empty until its source has answered."""

    id: str
    task: str
    agent: str
    upstream: str
    kind: str
    sink: str = ""
    until: datetime | None = None
    issued: datetime
    sealed: str = ""
    sealed_by: str = ""
    #: The incarnation of the replica that holds the lease.
    holder: str = ""
    #: The facts that the broker needs to revoke the lease if its source never answered.
    trace: dict[str, str] = {}


class HeldLease:
    """One lease in memory, from the request for it until it is dead at its sink."""

    def __init__(self, record: LeaseRecord, broker: Broker, wanted: Task | None = None) -> None:
        """Begin without a credential; `wanted` is the task that requests it."""
        self.record = record
        self.broker = broker
        self.shared = broker if isinstance(broker, Shared) else None
        #: Whether its source by now issues another credential to the tasks that share this one.
        self.superseded = False
        self.wanted = wanted
        #: For the lease of a process: the lease of the credential in its environment.
        self.under: HeldLease | None = None
        self.credential: UpstreamCredential | None = None
        self.obtaining: asyncio.Task[None] | None = None
        #: Calls in progress into which the credential was injected.
        self.uses = 0
        #: When the last of these calls ended, on the boot-time clock.
        self.used_s = 0.0
        #: Whether no further call may use it, because another credential has replaced it or because it
        #: belongs to one call only. It is released when its last call ends.
        self.replaced = False
        #: Whether it could not be obtained or not be stored; no call uses it.
        self.failed = False
        #: Whether its source certainly issued nothing.
        self.nothing = False
        # From here on: its revocation. Milliseconds count from `began_s`.
        self.ending = False
        self.began_s = 0.0
        self.revoked_ms: float | None = None
        self.refused_ms: float | None = None
        #: Whether its sink accepted it at the last try.
        self.accepted = False
        self.revokes = 0
        self.probes = 0
        self.why = ""
        self.due_s = 0.0
        self.told_open = False
        #: Whether a record of it is known to exist. If that record is gone, another process has seen it dead.
        self.kept = False
        #: The person who closed it by hand, and the reason.
        self.by_hand: tuple[str, str] | None = None
        #: Its events that could not be recorded yet.
        self.untold: list[Event] = []
        self.closures: list[tuple[str, str]] = []

    @property
    def id(self) -> str:
        """The lease's name in evidence and, if the source accepts names, at the source."""
        return self.record.id

    @property
    def key(self) -> tuple[str, str, str]:
        """The task, the upstream and the kind of the lease."""
        return self.record.task, self.record.upstream, self.record.kind

    @property
    def given(self) -> UpstreamCredential:
        """The credential; if the source never answered, a stand-in from what is known without it."""
        return self.credential or UpstreamCredential(
            lease=self.id,
            sink=self.record.sink or self.record.upstream,
            until=self.record.until,
            handle=self.record.trace,
        )

    @property
    def void(self) -> bool:
        """Whether nothing needs to be revoked: the source issued nothing, or cannot find it by the lease's
        name.
        """
        return self.failed and self.credential is None and (self.nothing or not self.broker.traceable)

    @property
    def dead(self) -> bool:
        """Whether its sink has refused it after its revocation."""
        return self.refused_ms is not None

    def stale(self, now: datetime) -> bool:
        """Return whether it expires too soon to begin another call with it, or is no longer valid."""
        if self.superseded:
            return True
        until = self.record.until
        if until is None:
            return False
        return now >= until - min((until - self.record.issued) / 5, MARGIN)

    async def obtain(self, wanted: LeaseWanted) -> UnfitCredential | None:
        """Obtain the credential from its source; return the fault if the credential is unfit for use."""
        try:
            self.credential = await self.broker.obtain(wanted)
        except UnfitCredential as fault:
            self.credential = fault.credential
            return fault
        return None

    async def ask(self, patience_s: float) -> None:
        """Wait for a shared credential, then ask its source whether it is still valid; raise
        `KeyUnavailable`.
        """
        assert self.shared is not None
        assert self.obtaining is not None
        await asyncio.shield(self.obtaining)
        if self.credential is None or self.failed:
            return
        try:
            async with asyncio.timeout(patience_s):
                self.superseded |= not await self.shared.counts(self.credential)
        except (KeyUnavailable, TimeoutError) as fault:
            why = fault.message if isinstance(fault, RemitError) else "its source does not answer"
            raise unavailable(self.record.upstream, why) from None

    def unused(self, since_s: float) -> bool:
        """Return whether it was issued and no call has used it since then."""
        return not self.ending and not self.uses and 0.0 < self.used_s <= since_s

    def closing(self) -> Closing:
        """Return the lease's entry in a closure."""
        waiting = "its source has not answered yet" if self.revokes else "not tried yet"
        detail = "" if self.dead else f"still open: {self.why or waiting}"
        if self.by_hand is not None and not self.dead:
            detail = "closed by {}, because {}".format(*self.by_hand)
        return Closing(
            kind=self.record.kind,
            name=self.given.sink,
            refused_after_ms=self.refused_ms,
            detail=detail or f"credential for upstream {self.record.upstream}",
            revoked_after_ms=self.revoked_ms,
            attempts=self.probes,
            lease=self.id,
            by_hand=self.by_hand is not None and not self.dead,
        )

    def told(self) -> dict[str, Json]:
        """Return what `remit who` shows of the lease, without its credential."""
        until = self.record.until
        return {
            "lease": self.id,
            "upstream": self.record.upstream,
            "kind": self.record.kind,
            "sink": self.given.sink,
            "issued": self.record.issued.isoformat(),
            "until": until.isoformat() if until else None,
            "ending": self.ending,
            "revoked": self.revoked_ms is not None,
            "attempts": self.probes,
            "why": self.why if self.ending else "",
        }

    @property
    def names(self) -> LeaseNames:
        """What each event about it says."""
        return {
            "lease": self.id,
            "upstream": self.record.upstream,
            "kind": self.record.kind,
            "sink": self.given.sink,
        }

    def event(self, body: EventBody, at: datetime, tenant: str, subject: str = "") -> Event:
        """Return an event about the lease."""
        return Event.of(
            body, at=at, tenant=tenant, task=self.record.task, agent=self.record.agent, subject=subject
        )


class OpenSink(msgspec.Struct, frozen=True, kw_only=True):
    """A credential under revocation; `alarmed` once it has stayed open for longer than an end waits."""

    lease: str
    task: str
    upstream: str
    kind: str
    sink: str
    age_s: float
    why: str = ""
    alarmed: bool = False


class LeaseRecords:
    """Stores leases."""

    def __init__(
        self, *, store: UnitStore, clock: Clock, entropy: Entropy, sealing: SealingKeys, tenant: str
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealing = sealing
        self._tenant = tenant

    def begin(self, task: Task, upstream: str, broker: Broker) -> HeldLease:
        """Return a new lease whose source was not asked yet."""
        return HeldLease(self.record(task.id, task.agent, upstream, broker), broker, task)

    def record(self, task: str, agent: str, upstream: str, broker: Broker) -> LeaseRecord:
        """Return the record of a new lease; for a secret that belongs to no task, `task` and `agent` are
        empty.
        """
        return LeaseRecord(
            id=make_id("lse", self._entropy.bytes(ID_BYTES)),
            task=task,
            agent=agent,
            upstream=upstream,
            kind=broker.kind,
            issued=self._clock.now(),
            holder=self._store.writer,
            trace=broker.trace() if isinstance(broker, Tracing) else {},
        )

    async def keep(self, held: HeldLease, *events: Event) -> None:
        """Store the current state of a lease together with events about it; raise as the store does."""
        credential = held.credential
        if credential is not None:
            sealed_by = self._sealing.current
            blob = seal(
                self._sealing.sealing_key(sealed_by),
                self._entropy.bytes(NONCE_SIZE),
                {"credential": [msgspec.to_builtins(credential)]},
                _bound(held.record),
            )
            held.record = msgspec.structs.replace(
                held.record,
                sink=credential.sink,
                until=credential.until,
                sealed=base64.b64encode(blob).decode(),
                sealed_by=sealed_by,
            )
        await self._commit(PutValue(self._tenant, _place(held.id), msgspec.to_builtins(held.record)), *events)
        held.kept = True

    async def drop(self, held: HeldLease, changes: tuple[Change, ...] = (), *events: Event) -> None:
        """Delete the record of a dead lease, together with the changes and events that follow from its
        death.
        """
        gone = PutValue(self._tenant, _place(held.id), None)
        await self._store.commit(Unit((gone, *changes), events, tenant=self._tenant))

    async def tell(self, *events: Event, changes: tuple[Change, ...] = ()) -> None:
        """Record events of a lease, together with the changes that follow from them."""
        await self._store.commit(Unit(changes, events, tenant=self._tenant))

    async def left(self) -> list[LeaseRecord]:
        """Return all stored leases."""
        found = await self._store.values(self._tenant, PREFIX)
        return [msgspec.convert(one, LeaseRecord) for one in found]

    def open(self, record: LeaseRecord) -> UpstreamCredential | None:
        """Return the credential of a stored lease; `None` if it has none, or it is no longer readable."""
        if not record.sealed:
            return None
        try:
            key = self._sealing.sealing_key(record.sealed_by)
            opened = unseal(key, base64.b64decode(record.sealed), _bound(record))
            return msgspec.convert(opened["credential"][0], UpstreamCredential)
        except (RemitError, KeyError, msgspec.ValidationError):
            return None

    async def _commit(self, change: PutValue, *events: Event) -> None:
        await self._store.commit(Unit((change,), events, tenant=self._tenant))


def unavailable(upstream: str, why: str) -> KeyUnavailable:
    """Return the fault for a call that lacks a credential.

    Without a `why`, the reason is that the task's credential was just revoked.
    """
    why = why or "the task's credentials have just been revoked"
    return KeyUnavailable(
        f"no credential for upstream `{upstream}` is available: {why}",
        code="credential-unavailable",
        remediation="call again; if the error remains, check `remit doctor` and the source of its "
        "credentials",
        step=6,
    )


def _place(lease: str) -> str:
    return f"{PREFIX}{lease}"


def _bound(record: LeaseRecord) -> bytes:
    """Return the context to which a credential is sealed: a changed row cannot pass it to another source."""
    return f"{_place(record.id)}\n{record.upstream}\n{record.kind}".encode()
