# SPDX-License-Identifier: Apache-2.0
"""Remit's own keys: listing them, replacing them, and recording each replacement.

A key is replaced by hand or by age. Processes that share the keys take turns at this. In a turn:

1. the process takes over changes that other processes made to the keys
2. the process compares the current key with the key on record. A rotation that a crash kept from being
   recorded, or that was made outside remit, is recorded as found: no other process can be about to record it,
   because recording ends a turn. A rotation that was made here, and whose record the store did not take, is
   recorded with its true author
3. the process replaces the key if the key that it saw is still the newest
4. the process records the rotation together with the key that is current then

INVARIANT: a rotation is on record once, and each rotation names the previous key: 2 and 4 are committed only
where the previous key is still the key on record, even if a commit of a process that is gone arrives late.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography.x509 import load_der_x509_certificate

from remit.core.errors import ChangedMeanwhile, Conflict, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.system import KeyRetired, KeyRotated
from remit.core.keys.own_keys import HeldKey, KeyKind, KeyStanding
from remit.ports.keys import Keyring, RotatingKeys
from remit.ports.runtime import Clock
from remit.ports.store.changes import CheckValue, PutValue
from remit.ports.store.log import LogStore
from remit.ports.store.units import Unit

#: Subject keys rewrapped in one transaction.
STEP = 100


@dataclass(frozen=True, slots=True)
class KeyEvents:
    """Who is told of keys; listeners are added before the keys are kept."""

    #: Called with the kind whenever keys of a kind came or went.
    changed: list[Callable[[KeyKind], None]] = field(default_factory=list)
    #: Awaited before a sealing key is destroyed: each listener seals again what it has under that key.
    rewrapping: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


class KeyRotations:
    """Replaces keys by hand and by age, one rotation at a time."""

    def __init__(
        self,
        *,
        keys: Keyring,
        store: LogStore,
        clock: Clock,
        tenant: str,
        periods: Mapping[KeyKind, timedelta] | None = None,
        rest: timedelta = timedelta(),
    ) -> None:
        """Take the parts; `periods` are the ages at which keys of a kind are replaced by themselves.

        `rest` is how long a sealing key stays after another one has taken its place: other processes seal
        again what they hold meanwhile.
        """
        self._keys = keys.kinds()
        self._sealing = keys.sealing
        self._authority = keys.authority
        self.chores = keys.chores
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._periods = {kind: period for kind, period in (periods or {}).items() if period}
        self._lock = asyncio.Lock()
        self._rest = rest
        self.events = KeyEvents()
        #: The keys as of the last notification.
        self._told = {kind: keys.held() for kind, keys in self._keys.items()}
        #: The last rotation of each kind that was made here: if recording failed, its author is still known.
        self._made: dict[KeyKind, Event] = {}

    def held(self) -> tuple[HeldKey, ...]:
        """Return every key, by kind, without private keys."""
        return tuple(one for keys in self._keys.values() for one in keys.held())

    async def look(self) -> None:
        """Take over changes that other processes made to the keys; for a background loop."""
        async with self._lock:
            await self._refresh()

    async def _refresh(self) -> None:
        for kind in self._keys:
            await self._take_over(kind)

    async def _take_over(self, kind: KeyKind) -> None:
        keys = self._keys[kind]
        await keys.refresh()
        if keys.held() != self._told[kind]:
            self._tell(kind)

    async def rotate(self, kind: KeyKind, *, by: str, reason: str = "", at_once: bool = False) -> HeldKey:
        """Rotate the key of a kind, so that another key signs from now on.

        Raises `NotFound` where there are no keys of the kind, and `KeyUnavailable` and `ChangedMeanwhile`,
        after which nothing has changed.
        """
        keys = self._keys.get(kind)
        if keys is None:
            raise NotFound(
                f"no keys of kind `{kind}` exist here",
                remediation="configure `workload_api`, or see `remit key list`",
            )
        async with self._lock, keys.turn():
            await self._take_over(kind)
            await self._compare(kind)
            return await self._replace(kind, by=by, reason=reason, at_once=at_once)

    async def keep(self) -> None:
        """Do what is due: record rotations, replace keys by age, destroy expired keys, rewrap."""
        async with self._lock:
            await self._refresh()
            for kind, keys in self._keys.items():
                # Take a turn only if there is work for it: a process that hangs in a turn delays the others.
                if self._due(kind) or self._spent(kind) or await self._known(kind) != _current(keys).id:
                    async with keys.turn():
                        await self._take_over(kind)
                        await self._compare(kind)
                        await self._replace_by_age(kind)
                if gone := await keys.tidy():
                    self._tell(kind)
                    await self._retired(gone)
            await self._rewrap()

    async def _known(self, kind: KeyKind) -> str | None:
        known: str | None = await self._store.value(self._tenant, _place(kind))
        return known

    async def _compare(self, kind: KeyKind) -> None:
        """Do step 2."""
        current, known = _current(self._keys[kind]).id, await self._known(kind)
        if known is None:
            await self._keep_current(kind, current, None)
        elif known != current:
            made = self._made.get(kind)
            if made is None or (made.facts["previous"], made.facts["key"]) != (known, current):
                made = self._rotated(
                    KeyRotated(kind=kind, key=current, previous=known, found=True, by="unknown")
                )
            await self._keep_current(kind, current, known, made)

    async def _replace_by_age(self, kind: KeyKind) -> None:
        # A process that changes keys without a turn may be first: then there is nothing to do here.
        with contextlib.suppress(ChangedMeanwhile):
            if self._due(kind):
                await self._replace(kind, by="remit", reason="age")
            if self._spent(kind):
                # Remit was stopped for so long that the next authority has become too old in the meantime.
                await self._replace(kind, by="remit", reason="expired", at_once=True)

    def _due(self, kind: KeyKind) -> bool:
        """Return whether the current key has signed for its period.

        The next key is made at the moment when the current key begins to sign, so its age is the age of that
        period.
        """
        period, keys = self._periods.get(kind), self._keys[kind]
        return period is not None and self._clock.now() - _newest(keys).made >= period

    def _spent(self, kind: KeyKind) -> bool:
        """Return whether the kind is an authority whose current certificate expires within a period."""
        if kind is not KeyKind.CA or self._authority is None:
            return False
        expires = load_der_x509_certificate(self._authority.certificate).not_valid_after_utc
        return expires - self._clock.now() < self._periods.get(kind, timedelta(0))

    async def _replace(self, kind: KeyKind, *, by: str, reason: str, at_once: bool = False) -> HeldKey:
        """Do steps 3 and 4."""
        keys = self._keys[kind]
        before = _current(keys)
        turned = await keys.rotate(at_once=at_once, seen=_newest(keys).id)
        self._tell(kind)
        made = self._rotated(
            KeyRotated(kind=kind, key=turned.id, previous=before.id, reason=reason, at_once=at_once, by=by)
        )
        self._made[kind] = made
        await self._keep_current(kind, turned.id, before.id, made)
        return turned

    async def _rewrap(self) -> None:
        """Rewrap every subject's key under the current sealing key, in batches, and reseal other sealed data.

        Then destroy the previous sealing keys.
        """
        previous = [one for one in self._sealing.held() if one.standing is KeyStanding.PREVIOUS]
        if not previous:
            return
        reached = await self._store.rewrap(self._tenant, limit=STEP)
        while reached is not None:
            # INVARIANT: the current key is the same during the whole walk. This process holds the lock. Where
            # another process has replaced the key, the next look walks again: nothing may be wrapped under
            # the previous key when the other process destroys it.
            if await self._sealing.refresh():
                self._tell(KeyKind.SEALING)
                return
            reached = await self._store.rewrap(self._tenant, reached, STEP)
        for too in self.events.rewrapping:
            await too()
        if self._clock.now() - _current(self._sealing).made < self._rest:
            return
        retired = []
        for one in previous:
            # Another process may have destroyed the key first, and then it has recorded that.
            with contextlib.suppress(Conflict):
                await self._sealing.retire(one.id)
                retired.append(one)
        self._tell(KeyKind.SEALING)
        if retired:
            await self._retired(tuple(retired))

    def _rotated(self, rotated: KeyRotated) -> Event:
        return Event.of(rotated, at=self._clock.now(), tenant=self._tenant, subject=rotated.by)

    async def _keep_current(self, kind: KeyKind, key: str, previous: str | None, *events: Event) -> None:
        place = _place(kind)
        changes = (CheckValue(self._tenant, place, previous), PutValue(self._tenant, place, key))
        # Refused where the key is already on record, although it was not yet when this process looked.
        with contextlib.suppress(ChangedMeanwhile):
            await self._store.commit(Unit(changes, events))

    async def _retired(self, gone: tuple[HeldKey, ...]) -> None:
        now = self._clock.now()
        events = tuple(
            Event.of(KeyRetired(kind=one.kind, key=one.id), at=now, tenant=self._tenant) for one in gone
        )
        await self._store.commit(Unit(events=events))

    def _tell(self, kind: KeyKind) -> None:
        self._told[kind] = self._keys[kind].held()
        for tell in self.events.changed:
            tell(kind)


def _place(kind: KeyKind) -> str:
    return f"key:{kind}"


def _current(keys: RotatingKeys) -> HeldKey:
    return next(one for one in keys.held() if one.standing is KeyStanding.CURRENT)


def _newest(keys: RotatingKeys) -> HeldKey:
    """Return the next key, or the current one where no next key exists; each rotation makes another."""
    return keys.held()[0]
