# SPDX-License-Identifier: Apache-2.0
"""Remit's own keys: which there are, replacing them, and keeping evidence of that.

A key is replaced, by hand or by age, in a turn that processes with the same keys take one after another:

1. what another process has made of the keys is taken over
2. what is current is compared with what is on record: a rotation that a crash kept from being recorded, or
   that somebody made without remit, is recorded as found. Nobody is about to record it: that ends a turn.
   One that was made here, and that the store did not take, is recorded as what it is
3. the key is replaced if the one that was seen is still the newest
4. the rotation is recorded, together with the key that is current then

INVARIANT: a rotation is on record once, and each names the key of the one before it: 2 and 4 are committed
only where the key before is still what is on record, whenever a commit of somebody who is gone arrives.
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
from remit.ports.keys import AuthorityKeys, CheckpointKeys, RotatingKeys, SealingKeys, TokenKeys
from remit.ports.runtime import Clock
from remit.ports.store.changes import CheckValue, PutValue
from remit.ports.store.log import LogStore
from remit.ports.store.units import Unit

#: Keys of subjects wrapped again in one transaction.
STEP = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys of a process, a kind each; those of a trust domain of its own only where it has one."""

    tokens: TokenKeys
    checkpoints: CheckpointKeys
    sealing: SealingKeys
    authority: AuthorityKeys | None = None
    svids: TokenKeys | None = None
    #: What whoever keeps the keys needs done now and then, by name.
    chores: Mapping[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)

    def kinds(self) -> dict[KeyKind, RotatingKeys]:
        """Return all of them, by kind."""
        found: tuple[RotatingKeys | None, ...] = (
            self.tokens,
            self.checkpoints,
            self.sealing,
            self.authority,
            self.svids,
        )
        return {one.kind: one for one in found if one is not None}


class KeyRotations:
    """Replaces keys, by hand and by age. One rotation at a time."""

    def __init__(
        self,
        *,
        keys: Keyring,
        store: LogStore,
        clock: Clock,
        tenant: str,
        periods: dict[KeyKind, timedelta] | None = None,
    ) -> None:
        """Take the parts; `periods` are the ages at which keys of a kind are replaced by themselves."""
        self._keys = keys.kinds()
        self._sealing = keys.sealing
        self._authority = keys.authority
        self.chores = keys.chores
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._periods = {kind: period for kind, period in (periods or {}).items() if period}
        self._lock = asyncio.Lock()
        #: How long a sealing key stays after another one has taken its place: other processes seal again what
        #: they hold meanwhile.
        self.rest: Callable[[], timedelta] = timedelta
        #: The keys that were told of last.
        self._told = {kind: keys.held() for kind, keys in self._keys.items()}
        #: The last rotation of a kind that was made here: where its record failed, it is known who made it.
        self._made: dict[KeyKind, Event] = {}
        self._changed: list[Callable[[KeyKind], None]] = []
        self._rewrap_too: list[Callable[[], Awaitable[None]]] = []

    def on_change(self, tell: Callable[[KeyKind], None]) -> None:
        """Have `tell(kind)` called whenever keys of a kind came or went."""
        self._changed.append(tell)

    def on_rewrap(self, too: Callable[[], Awaitable[None]]) -> None:
        """Have `too()` awaited before a sealing key is destroyed: it seals again what it has under that."""
        self._rewrap_too.append(too)

    def held(self) -> tuple[HeldKey, ...]:
        """Return every key, by kind; never a private one."""
        return tuple(one for keys in self._keys.values() for one in keys.held())

    async def look(self) -> None:
        """Take over what other processes have made of the keys; for a background loop."""
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
        """Let another key of a kind sign from now on; raises `NotFound` where there are none, and
        `KeyUnavailable` and `ChangedMeanwhile`, after which all is as it was.
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
        """Do what is due: record what was not, replace keys by age, destroy those whose time is over, wrap
        again.
        """
        async with self._lock:
            await self._refresh()
            for kind, keys in self._keys.items():
                # A turn is taken only where there is something to do in it: who hangs in one holds up others.
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
        """Take step 2."""
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
        # Whoever changes keys without taking a turn may still be first: then there is nothing to do here.
        with contextlib.suppress(ChangedMeanwhile):
            if self._due(kind):
                await self._replace(kind, by="remit", reason="age")
            if self._spent(kind):
                # Remit was not running for so long that the next authority has grown old meanwhile.
                await self._replace(kind, by="remit", reason="expired", at_once=True)

    def _due(self, kind: KeyKind) -> bool:
        """Whether the current key has signed for its period, and so the next one was published for it: that
        was made at the moment in which the current one began to sign.
        """
        period, keys = self._periods.get(kind), self._keys[kind]
        return period is not None and self._clock.now() - _newest(keys).made >= period

    def _spent(self, kind: KeyKind) -> bool:
        """Whether these are authorities, and the current one's certificate does not last for another
        period.
        """
        if kind is not KeyKind.CA or self._authority is None:
            return False
        expires = load_der_x509_certificate(self._authority.certificate).not_valid_after_utc
        return expires - self._clock.now() < self._periods.get(kind, timedelta(0))

    async def _replace(self, kind: KeyKind, *, by: str, reason: str, at_once: bool = False) -> HeldKey:
        """Take steps 3 and 4."""
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
        """Wrap every subject's key under the current sealing key, in steps, and whatever else is sealed; then
        destroy the others.
        """
        previous = [one for one in self._sealing.held() if one.standing is KeyStanding.PREVIOUS]
        if not previous:
            return
        reached = await self._store.rewrap(limit=STEP)
        while reached is not None:
            # INVARIANT: the current key is the same through the whole walk. The lock is held in this process;
            # where another one has replaced it, the next look walks again: nothing may be wrapped under the
            # one of before when the other destroys it.
            if await self._sealing.refresh():
                self._tell(KeyKind.SEALING)
                return
            reached = await self._store.rewrap(reached, STEP)
        for too in self._rewrap_too:
            await too()
        if self._clock.now() - _current(self._sealing).made < self.rest():
            return
        retired = []
        for one in previous:
            # Another process may have been first, and has told of it.
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
        # Refused where it is on record by now, though nobody had heard of that when it was looked for.
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
        for tell in self._changed:
            tell(kind)


def _place(kind: KeyKind) -> str:
    return f"key:{kind}"


def _current(keys: RotatingKeys) -> HeldKey:
    return next(one for one in keys.held() if one.standing is KeyStanding.CURRENT)


def _newest(keys: RotatingKeys) -> HeldKey:
    """Return the next key, or where none is made ahead the current one: every rotation makes another."""
    return keys.held()[0]
