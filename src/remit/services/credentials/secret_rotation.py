# SPDX-License-Identifier: Apache-2.0
"""Rotation of standing secrets: an upstream without other credentials does not stay open to a leaked secret.

1. the new secret is stored, sealed, beside the old one
2. it is set at the upstream; calls carry it from the upstream's confirmation on
3. it is tried. If it works it is the current one, and only then the old one is discarded
4. the old one is tried: if the upstream still accepts it, the rotation is not complete, and this is reported
5. where others read the secret, it is published there

An upstream may generate the new secret itself: then it is stored between 2 and 3. After a crash, or if 2 was
not confirmed, both secrets are tried, and the one that works is the current one. If neither works, the
upstream is asked for the current one. If it does not state it, the configured secret is tried: a person may
have set it again.

INVARIANT: a secret that may be valid at the upstream is in the store, sealed under the current sealing key.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from remit.core.errors import KeyUnavailable, RemitError
from remit.core.evidence.event import Event
from remit.core.evidence.events.credentials import SecretRotated
from remit.core.sealing import NONCE_SIZE, seal, unseal
from remit.ports.broker import Probe
from remit.ports.keys import SealingKeys
from remit.ports.rotating import Keep, Rotating
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import PutValue
from remit.ports.store.units import Unit, UnitStore

log = logging.getLogger("remit.secrets")

PREFIX: Final = "secret:"
SECRET_BYTES: Final = 32
#: How long in seconds the old secret may still be accepted after the new one was.
LATE_S: Final = 2.0
#: Pause before a failed rotation is tried again.
AGAIN: Final = timedelta(minutes=1)


class KeptSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The stored state of a secret.

    `next` is a secret that may already be valid. `published` states whether others have the current one,
    `refused` whether the upstream was seen to refuse the previous one.
    """

    current: str
    next: str = ""
    since: datetime
    published: bool = True
    refused: bool = True

    def __repr__(self) -> str:
        """Return the time of the last change, without the secrets."""
        return f"KeptSecret(since={self.since!r})"


class StuckRotation(NamedTuple):
    """The obstacle of a rotation, and the remediation for a person."""

    why: str
    remediation: str


class RotatedSecrets:
    """All rotated secrets of one process. For one event loop."""

    def __init__(
        self,
        *,
        rotating: Mapping[str, Rotating],
        every: Mapping[str, timedelta],
        store: UnitStore,
        clock: Clock,
        entropy: Entropy,
        sealing: SealingKeys,
        tenant: str,
    ) -> None:
        """Take the dependencies; `rotating` and `every` are by upstream."""
        self._rotating = dict(rotating)
        self._every = dict(every)
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealing = sealing
        self._tenant = tenant
        self._kept: dict[str, KeptSecret] = {}
        self._turns = {name: asyncio.Lock() for name in self._rotating}
        self._again: dict[str, datetime] = {}
        #: The obstacle of a rotation, by upstream.
        self.stuck: dict[str, StuckRotation] = {}

    def reader(self, name: str) -> Callable[[], str]:
        """Return a function that returns the current secret of an upstream."""

        def read() -> str:
            kept = self._kept.get(name)
            if kept is None:
                raise KeyUnavailable(
                    f"the secret of upstream `{name}` is not known",
                    code="secret-unknown",
                    remediation="see `remit finding list`",
                )
            return kept.current

        return read

    def since(self, name: str) -> datetime | None:
        """Return when the current secret of an upstream was set, as far as remit knows."""
        kept = self._kept.get(name)
        return kept.since if kept is not None else None

    def rotates(self, name: str) -> timedelta | None:
        """Return the rotation interval of an upstream; `None` if its secret is not rotated here."""
        return self._every.get(name)

    async def load(self) -> None:
        """Read the stored secrets. If none is stored, the configured secret is current from now on."""
        for name, one in self._rotating.items():
            try:
                kept = await self._read(name)
                first = one.first if kept is None else ""
            except KeyUnavailable as fault:
                # Calls of this upstream are refused; those of others continue.
                self.stuck[name] = StuckRotation(fault.message, fault.remediation)
                continue
            if kept is None:
                await self._keep(name, KeptSecret(current=first, since=self._clock.now()))
            else:
                self._kept[name] = kept

    async def tend(self) -> None:
        """Complete the rotations in progress, and rotate secrets that are due. For a background loop."""
        now = self._clock.now()
        for name in self._rotating:
            await self._adopt(name)
            kept = self._kept.get(name)
            if kept is None or now < self._again.get(name, now):
                continue
            begun = kept.next or not kept.published or not kept.refused
            if begun or now >= kept.since + self._every[name]:
                await self.rotate(name)

    async def rotate(self, name: str) -> bool:
        """Rotate one secret now; return whether that succeeded. A failure is in `stuck`, and is tried
        again.
        """
        await self._adopt(name)
        async with self._turns[name]:
            try:
                await self._rotate(name, self._rotating[name])
            except KeyUnavailable as fault:
                stuck = StuckRotation(fault.message, fault.remediation)
                if self.stuck.get(name) != stuck:
                    log.warning("the secret of upstream `%s` is not rotated: %s; %s", name, *stuck)
                self.stuck[name] = stuck
                self._again[name] = self._clock.now() + AGAIN
                return False
            self.stuck.pop(name, None)
            self._again.pop(name, None)
            return True

    async def reseal(self) -> None:
        """Seal all secrets under the current sealing key, so that the other keys can be destroyed."""
        for name in self._rotating:
            async with self._turns[name]:
                if (kept := await self._read(name)) is not None:
                    await self._write(name, kept)

    async def _adopt(self, name: str) -> None:
        """Adopt a rotation that another process on the same store has completed since."""
        async with self._turns[name]:
            mine = self._kept.get(name)
            if mine is None or mine.next:
                return
            with contextlib.suppress(KeyUnavailable):
                stored = await self._read(name)
                if stored is not None and not stored.next:
                    self._kept[name] = stored

    # One rotation.

    async def _rotate(self, name: str, one: Rotating) -> None:
        kept = self._kept[name]
        if kept.next:
            kept = await self._counting(name, one, kept)
        elif kept.published:
            kept = await self._begin(name, one, kept)
        if not kept.published:
            # 5
            await one.publish(kept.current)
            kept = msgspec.structs.replace(kept, published=True)
            await self._keep(name, kept)
        if not kept.refused:
            raise KeyUnavailable(
                "the secret was changed, but the upstream still accepts the previous one",
                code="secret-old-works",
                remediation="check what else accepts it (`trust` in pg_hba.conf, a cache)",
            )

    async def _begin(self, name: str, one: Rotating, kept: KeptSecret) -> KeptSecret:
        # 1
        new = base64.urlsafe_b64encode(self._entropy.bytes(SECRET_BYTES)).decode().rstrip("=")
        kept = msgspec.structs.replace(kept, next=new)
        await self._keep(name, kept)
        # 2
        return await self._taken(name, one, await self._changed(name, one, kept))

    async def _changed(self, name: str, one: Rotating, kept: KeptSecret) -> KeptSecret:
        """2. Change the secret at the upstream; store one that the upstream generated before it is used."""
        given = await one.change(kept.current, kept.next, self._keeping(name))
        if given != kept.next:
            kept = msgspec.structs.replace(self._kept[name], next=given)
            await self._keep(name, kept)
        return kept

    def _keeping(self, name: str) -> Keep:
        """Return a function that stores the current secret in another form."""

        async def keep(current: str) -> None:
            await self._keep(name, msgspec.structs.replace(self._kept[name], current=current))

        return keep

    async def _taken(self, name: str, one: Rotating, kept: KeptSecret) -> KeptSecret:
        """3, 4. Complete a rotation whose `kept.next` was set at the upstream: calls carry it from here
        on.
        """
        self._kept[name] = msgspec.structs.replace(kept, current=kept.next, next=kept.current)
        found = await one.works(kept.next)
        if found is not Probe.ACCEPTED:
            raise KeyUnavailable(
                f"the new secret was set, but the upstream answered {found.value}",
                code="secret-untried",
                remediation="remit tries again",
            )
        began_s, refused = self._clock.boot_s(), await self._refused(one, kept.current)
        after_us = round((self._clock.boot_s() - began_s) * 1_000_000)
        now_is = KeptSecret(current=kept.next, since=self._clock.now(), published=False, refused=refused)
        rotated = SecretRotated(
            upstream=name,
            sink=one.sink,
            age_s=int((now_is.since - kept.since).total_seconds()),
            old_refused=refused,
            after_us=after_us,
        )
        event = Event.of(rotated, at=now_is.since, tenant=self._tenant)
        await self._keep(name, now_is, event)
        return now_is

    async def _refused(self, one: Rotating, old: str) -> bool:
        end_s = asyncio.get_running_loop().time() + LATE_S
        while (found := await one.works(old)) is not Probe.REFUSED:
            if found is Probe.UNREACHABLE or asyncio.get_running_loop().time() > end_s:
                return False
            await asyncio.sleep(0.05)
        return True

    async def _counting(self, name: str, one: Rotating, kept: KeptSecret) -> KeptSecret:
        """Find out which of two secrets is valid, after a crash or a lost answer."""
        stored = await self._read(name) or kept
        if not stored.next:
            self._kept[name] = stored
            return stored
        new, old = await one.works(stored.next), await one.works(stored.current)
        if new is Probe.ACCEPTED:
            return await self._taken(name, one, stored)
        if old is Probe.ACCEPTED and new is Probe.REFUSED:
            self._kept[name] = stored
            return await self._taken(name, one, await self._changed(name, one, stored))
        if new is old is Probe.REFUSED:
            self._kept[name] = stored
            return await self._told(name, one)
        raise KeyUnavailable(
            f"`{one.sink}` does not show which of two secrets is valid",
            code="secret-unclear",
            remediation="check that it runs and is reachable from here",
        )

    async def _told(self, name: str, one: Rotating) -> KeptSecret:
        """Neither of two secrets is valid: ask the upstream for the valid one, otherwise try the configured
        one.
        """
        silent: KeyUnavailable | None = None
        try:
            told = await one.known(self._kept[name].current, self._keeping(name))
        except KeyUnavailable as fault:
            silent, told = fault, ""
        if told not in ("", self._kept[name].current):
            found = msgspec.structs.replace(self._kept[name], next=told)
            await self._keep(name, found)
            return await self._taken(name, one, found)
        if (first := await self._first(one)) is not None:
            kept = KeptSecret(current=first, since=self._clock.now())
            await self._keep(name, kept)
            return kept
        if silent is not None:
            raise KeyUnavailable(
                f"`{one.sink}` refuses every secret that remit has, and calls with it: {silent.message}",
                code="secret-lost",
                remediation=silent.remediation,
            )
        raise KeyUnavailable(
            f"`{one.sink}` refuses every secret that remit has: the secret was changed elsewhere",
            code="secret-lost",
            remediation="set a new secret there, and give it as `first`",
        )

    async def _first(self, one: Rotating) -> str | None:
        """Return the configured secret if it exists and works: a person has set another one."""
        try:
            first = one.first
        except KeyUnavailable:
            return None
        return first if await one.works(first) is Probe.ACCEPTED else None

    # Where they are kept.

    async def _keep(self, name: str, kept: KeptSecret, *events: Event) -> None:
        await self._write(name, kept, *events)
        self._kept[name] = kept

    async def _write(self, name: str, kept: KeptSecret, *events: Event) -> None:
        sealed_by = self._sealing.current
        blob = seal(
            self._sealing.sealing_key(sealed_by),
            self._entropy.bytes(NONCE_SIZE),
            {"secret": [msgspec.to_builtins(kept)]},
            _place(name).encode(),
        )
        value = {"sealed": base64.b64encode(blob).decode(), "sealed_by": sealed_by}
        change = PutValue(self._tenant, _place(name), value)
        await self._store.commit(Unit((change,), events, tenant=self._tenant))

    async def _read(self, name: str) -> KeptSecret | None:
        """Return the stored secret; raise `KeyUnavailable` if it is no longer readable."""
        found = await self._store.values(self._tenant, _place(name))
        if not found:
            return None
        try:
            key = self._sealing.sealing_key(found[0]["sealed_by"])
            opened = unseal(key, base64.b64decode(found[0]["sealed"]), _place(name).encode())
            return msgspec.convert(opened["secret"][0], KeptSecret)
        except (RemitError, KeyError, msgspec.ValidationError) as fault:
            raise KeyUnavailable(
                f"the kept secret of upstream `{name}` can no longer be read",
                code="secret-unreadable",
                remediation="restore the sealing keys, or set a new secret and remove the stored one",
                debug=type(fault).__name__,
            ) from None


def _place(name: str) -> str:
    return f"{PREFIX}{name}:"
