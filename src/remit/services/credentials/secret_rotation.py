# SPDX-License-Identifier: Apache-2.0
"""Standing secrets that remit changes by itself: an upstream that knows no other kind is at least not opened
for ever by what somebody has once seen.

1. the new secret is kept, sealed, beside the old one
2. it is set at the upstream; from its confirmation on calls carry it
3. it is tried. What works is the one that counts, and the old one is let go only then
4. the old one is tried: an upstream that still takes it has not been rotated, and that is told
5. where others read the secret, it is handed there

An upstream may make the new secret itself: then it is kept between 2 and 3. After a crash, or where 2 was not
confirmed, both are tried, and the one that works counts; where neither does, the upstream is asked which, and
where it does not say, the configured one is tried: a person may have set it again.

INVARIANT: a secret that may count at the upstream is in the store, sealed under the current sealing key.
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
#: How long the old secret may still be taken after the new one is.
LATE_S: Final = 2.0
#: Pause before a rotation that did not come through is tried again.
AGAIN: Final = timedelta(minutes=1)


class KeptSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a secret. `next` is one that may count already; `published` whether others have the
    current one, `refused` whether the one before it was seen to be.
    """

    current: str
    next: str = ""
    since: datetime
    published: bool = True
    refused: bool = True

    def __repr__(self) -> str:
        """Say since when; nothing of the secrets."""
        return f"KeptSecret(since={self.since!r})"


class StuckRotation(NamedTuple):
    """What stands in the way of a rotation, and what a person can do about it."""

    why: str
    remediation: str


class RotatedSecrets:
    """All such secrets of one process. For one event loop."""

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
        """Take the parts; `rotating` and `every` by upstream."""
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
        #: What stands in the way of a rotation, by upstream.
        self.stuck: dict[str, StuckRotation] = {}

    def reader(self, name: str) -> Callable[[], str]:
        """Return what reads the secret of an upstream that counts now."""

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
        """Say since when the secret of an upstream is the one that it is, as far as remit knows."""
        kept = self._kept.get(name)
        return kept.since if kept is not None else None

    def rotates(self, name: str) -> timedelta | None:
        """Say how often; `None` for what is not rotated here."""
        return self._every.get(name)

    async def load(self) -> None:
        """Read what is kept. A secret that is new here counts as it is configured, from now on."""
        for name, one in self._rotating.items():
            try:
                kept = await self._read(name)
                first = one.first if kept is None else ""
            except KeyUnavailable as fault:
                # Its calls are refused; the others go on.
                self.stuck[name] = StuckRotation(fault.message, fault.remediation)
                continue
            if kept is None:
                await self._keep(name, KeptSecret(current=first, since=self._clock.now()))
            else:
                self._kept[name] = kept

    async def tend(self) -> None:
        """Bring to an end what was begun, and rotate what is due; for a background loop."""
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
        """Rotate one now; gives whether it came through. What did not is said by `stuck`, and tried again."""
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
        """Seal all of them under the current sealing key, so that the others can be destroyed."""
        for name in self._rotating:
            async with self._turns[name]:
                if (kept := await self._read(name)) is not None:
                    await self._write(name, kept)

    async def _adopt(self, name: str) -> None:
        """Take over what another process on the same store has brought to its end meanwhile."""
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
        """2. What the upstream has made itself is kept before it is used."""
        given = await one.change(kept.current, kept.next, self._keeping(name))
        if given != kept.next:
            kept = msgspec.structs.replace(self._kept[name], next=given)
            await self._keep(name, kept)
        return kept

    def _keeping(self, name: str) -> Keep:
        """Return what keeps the secret of before in another form."""

        async def keep(current: str) -> None:
            await self._keep(name, msgspec.structs.replace(self._kept[name], current=current))

        return keep

    async def _taken(self, name: str, one: Rotating, kept: KeptSecret) -> KeptSecret:
        """3, 4. `kept.next` was set: calls carry it from here on."""
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
        """Find out which of two secrets counts: a crash, or an answer that was lost, came in between."""
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
        """Neither of two secrets counts: have the upstream say which does, else take the configured one."""
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
        """Return the configured secret, if it is there and works: somebody has set another one."""
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
        """Return what is kept; raises `KeyUnavailable` where it cannot be read any more."""
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
