# SPDX-License-Identifier: Apache-2.0
"""Leases as they are kept: what is known of each, and its credential sealed.

INVARIANT: a credential is in the store encrypted under the current sealing key, for its lease alone and for
the source that gave it, and in no event. What is gone from here is dead.
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
#: So long before its end a credential is not begun with any more; a fifth of its life where that is less.
MARGIN: Final = timedelta(minutes=1)


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One lease in the store. `sealed` is empty while its source has not answered."""

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
    #: The incarnation that looks after it.
    holder: str = ""
    #: What its broker wants to know should its source not live to answer.
    trace: dict[str, str] = {}


class HeldLease:
    """One lease in memory, from when it is asked for until it is dead at its sink."""

    def __init__(self, record: LeaseRecord, broker: Broker, wanted: Task | None = None) -> None:
        """Begin with nothing obtained; `wanted` is the task that asks for it."""
        self.record = record
        self.broker = broker
        self.shared = broker if isinstance(broker, Shared) else None
        #: Whether its source gives another one by now to the tasks that share it.
        self.superseded = False
        self.wanted = wanted
        #: Of a process, the credential that it has in its environment.
        self.under: HeldLease | None = None
        self.credential: UpstreamCredential | None = None
        self.obtaining: asyncio.Task[None] | None = None
        #: Calls that it was injected into and that are not over.
        self.uses = 0
        #: When the last of them was over, on the boot-time clock.
        self.used_s = 0.0
        #: Whether no further call is to use it, for another one has taken its place, or it is one call's
        #: alone: it is let go when its last call is over.
        self.replaced = False
        #: Whether it could not be obtained, or not be kept: no call uses it.
        self.failed = False
        #: Whether its source surely gave nothing.
        self.nothing = False
        # From here on it is being taken back. Milliseconds count from `began_s`.
        self.ending = False
        self.began_s = 0.0
        self.revoked_ms: float | None = None
        self.refused_ms: float | None = None
        #: Whether its sink has accepted it at the last try.
        self.accepted = False
        self.revokes = 0
        self.probes = 0
        self.why = ""
        self.due_s = 0.0
        self.told_open = False
        #: Whether it is known to have a record: where that is gone, somebody else has seen it dead.
        self.kept = False
        #: Who has closed it by hand, and why.
        self.by_hand: tuple[str, str] | None = None
        #: What has happened to it and could not be recorded yet.
        self.untold: list[Event] = []
        self.closures: list[tuple[str, str]] = []

    @property
    def id(self) -> str:
        """Its name in evidence, and where the source takes names, at the source."""
        return self.record.id

    @property
    def key(self) -> tuple[str, str, str]:
        """Whose it is: a task's, at an upstream, of one kind."""
        return self.record.task, self.record.upstream, self.record.kind

    @property
    def given(self) -> UpstreamCredential:
        """Its credential; of one whose source did not live to answer, what can be said without it."""
        return self.credential or UpstreamCredential(
            lease=self.id,
            sink=self.record.sink or self.record.upstream,
            until=self.record.until,
            handle=self.record.trace,
        )

    @property
    def void(self) -> bool:
        """Whether there is nothing to take back: its source gave none, or nothing of it is known there."""
        return self.failed and self.credential is None and (self.nothing or not self.broker.traceable)

    @property
    def dead(self) -> bool:
        """Whether its sink has refused it after it was taken back."""
        return self.refused_ms is not None

    def stale(self, now: datetime) -> bool:
        """Whether it ends by itself too soon to begin another call with it, or counts no more already."""
        if self.superseded:
            return True
        until = self.record.until
        if until is None:
            return False
        return now >= until - min((until - self.record.issued) / 5, MARGIN)

    async def obtain(self, wanted: LeaseWanted) -> UnfitCredential | None:
        """Ask its source, and have what that gives; gives why it is not used, where it is not."""
        try:
            self.credential = await self.broker.obtain(wanted)
        except UnfitCredential as fault:
            self.credential = fault.credential
            return fault
        return None

    async def ask(self, patience_s: float) -> None:
        """Learn from the source of what is shared, once it is there, whether it still counts; raises
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
        """Whether it was given, and no call has used it since then."""
        return not self.ending and not self.uses and 0.0 < self.used_s <= since_s

    def closing(self) -> Closing:
        """Return what a closure says of it."""
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
        """Return what `remit who` says of it; nothing of the credential."""
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
        """Return an event about it."""
        return Event.of(
            body, at=at, tenant=tenant, task=self.record.task, agent=self.record.agent, subject=subject
        )


class OpenSink(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that is being taken back; `alarmed` once it has stayed open for longer than an end
    waits.
    """

    lease: str
    task: str
    upstream: str
    kind: str
    sink: str
    age_s: float
    why: str = ""
    alarmed: bool = False


class LeaseRecords:
    """Keeps leases in the store."""

    def __init__(
        self, *, store: UnitStore, clock: Clock, entropy: Entropy, sealing: SealingKeys, tenant: str
    ) -> None:
        """Take the parts."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealing = sealing
        self._tenant = tenant

    def begin(self, task: Task, upstream: str, broker: Broker) -> HeldLease:
        """Return a lease that nobody has asked its source for yet."""
        return HeldLease(self.record(task.id, task.agent, upstream, broker), broker, task)

    def record(self, task: str, agent: str, upstream: str, broker: Broker) -> LeaseRecord:
        """Return the record of a new lease; of a secret that is no task's, `task` and `agent` are empty."""
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
        """Keep a lease as it is now, with what is told of that; raises as the store does."""
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
        """Let go of a lease that is dead, with what else becomes true by that."""
        gone = PutValue(self._tenant, _place(held.id), None)
        await self._store.commit(Unit((gone, *changes), events, tenant=self._tenant))

    async def tell(self, *events: Event, changes: tuple[Change, ...] = ()) -> None:
        """Record what happened to a lease, with what else becomes true by that."""
        await self._store.commit(Unit(changes, events, tenant=self._tenant))

    async def left(self) -> list[LeaseRecord]:
        """Return all leases that are kept."""
        found = await self._store.values(self._tenant, PREFIX)
        return [msgspec.convert(one, LeaseRecord) for one in found]

    def open(self, record: LeaseRecord) -> UpstreamCredential | None:
        """Return the credential of a kept lease; `None` where there is none, or it cannot be read any
        more.
        """
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
    """Say that a call is refused for want of a credential; without a `why`, what there was is being taken
    back.
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
    """Return what a credential is sealed for: no other source is shown it, whatever a row says of it."""
    return f"{_place(record.id)}\n{record.upstream}\n{record.kind}".encode()
