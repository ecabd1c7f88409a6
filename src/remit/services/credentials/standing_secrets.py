# SPDX-License-Identifier: Apache-2.0
"""Standing secrets: referenced by the configuration, and not revoked by the end of any task.

Each is a finding, with its age. A secret does not state its age, so remit stores a sealed digest of each, and
since when the digest is the same.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.core.errors import KeyUnavailable, RemitError
from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.json_value import Json
from remit.core.sealing import NONCE_SIZE, seal, unseal
from remit.ports.keys import SealingKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import PutValue
from remit.ports.store.units import Unit, UnitStore
from remit.services.credentials.secret_rotation import RotatedSecrets
from remit.services.findings.findings import Findings

PREFIX: Final = "standing:"
#: An open finding is written again once a day, to update its age.
AGAIN: Final = timedelta(days=1)
BY: Final = "remit"
_OURS: Final = (FindingKind.STANDING_SECRET, FindingKind.OLD_SECRET, FindingKind.SECRET_STUCK)


def _unknown() -> datetime | None:
    return None


class StandingSecret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret: its upstream, its use in the configuration, and the reference that finds it.

    `rotated` states whether remit changes it by itself. `since` and `version` are those of its source, if the
    source states them.
    """

    upstream: str
    place: str
    where: str
    read: Callable[[], str]
    rotated: bool = False
    since: Callable[[], datetime | None] = _unknown
    version: Callable[[], int] = int

    @property
    def about(self) -> str:
        """The subject of its findings."""
        return f"upstream:{self.upstream}"


class _Seen(msgspec.Struct, frozen=True):
    since: datetime
    sealed: str
    sealed_by: str


class StandingSecrets:
    """Tracks all standing secrets. For one event loop."""

    def __init__(
        self,
        secrets: Sequence[StandingSecret],
        *,
        rotated: RotatedSecrets,
        findings: Findings,
        store: UnitStore,
        clock: Clock,
        entropy: Entropy,
        sealing: SealingKeys,
        tenant: str,
        max_age: timedelta,
    ) -> None:
        """Take the dependencies."""
        self._secrets = tuple(secrets)
        self._rotated = rotated
        self._findings = findings
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealing = sealing
        self._tenant = tenant
        self._max_age = max_age

    async def look(self) -> None:
        """Bring the findings up to date. For a background loop."""
        wanted: set[tuple[FindingKind, str, str]] = set()
        for one in self._secrets:
            since = await self._since(one)
            known = {
                "upstream": one.upstream,
                "place": one.place,
                "where": one.where,
                "since": since.isoformat() if since else "",
                "version": one.version(),
            }
            every = self._rotated.rotates(one.upstream) if one.rotated else None
            facts = known | {"rotated_every_s": int(every.total_seconds()) if every else 0}
            wanted.add(await self._stands(FindingKind.STANDING_SECRET, one, facts))
            if since is not None and self._clock.now() - since > self._max_age:
                days = (self._clock.now() - since).days
                wanted.add(await self._stands(FindingKind.OLD_SECRET, one, known | {"age_days": days}))
            if one.rotated and (why := self._rotated.stuck.get(one.upstream)):
                wanted.add(await self._stands(FindingKind.SECRET_STUCK, one, known | why._asdict()))
        await self._settle(wanted)

    async def reseal(self) -> None:
        """Seal every digest under the current sealing key, so that the other keys can be destroyed."""
        for one in self._secrets:
            if (seen := await self._seen(one)) is not None and (digest := self._open(one, seen)):
                await self._keep(one, digest, seen.since)

    async def _stands(
        self, kind: FindingKind, one: StandingSecret, facts: dict[str, Json]
    ) -> tuple[FindingKind, str, str]:
        """Write a finding that is new, has a new reason, or is a day old.

        A finding that a person has resolved stays resolved: the person gave a reason.
        """
        which = f"{one.place}\n{one.where}"
        known = next((f for f in await self._of(one) if f.kind is kind and _which(f) == which), None)
        if known is None or (
            known.state is FindingState.OPEN
            and (known.facts.get("why") != facts.get("why") or self._clock.now() - known.last_seen > AGAIN)
        ):
            await self._findings.see(kind, one.about, which, facts)
        return kind, one.about, which

    async def _settle(self, wanted: set[tuple[FindingKind, str, str]]) -> None:
        """Resolve findings that are no longer true, also those of secrets removed from the configuration."""
        for found in await self._findings.about(state=FindingState.OPEN, kinds=_OURS):
            if (found.kind, found.about, _which(found)) not in wanted:
                await self._findings.resolve(found.id, by=BY, resolution="this is no longer the case")

    async def _of(self, one: StandingSecret) -> list[Finding]:
        return await self._findings.about(one.about, kinds=_OURS)

    # Age of a secret.

    async def _since(self, one: StandingSecret) -> datetime | None:
        """Return when the current value of a secret was first seen; `None` if the secret cannot be read
        now.
        """
        if one.rotated:
            return self._rotated.since(one.upstream)
        if (told := one.since()) is not None:
            return told
        try:
            digest = hashlib.sha256(one.read().encode()).hexdigest()
        except KeyUnavailable:
            return None
        seen = await self._seen(one)
        if seen is not None and self._open(one, seen) == digest:
            return seen.since
        now = self._clock.now()
        await self._keep(one, digest, now)
        return now

    async def _seen(self, one: StandingSecret) -> _Seen | None:
        found = await self._store.values(self._tenant, _place(one))
        return msgspec.convert(found[0], _Seen) if found else None

    def _open(self, one: StandingSecret, seen: _Seen) -> str:
        try:
            key = self._sealing.sealing_key(seen.sealed_by)
            return str(unseal(key, base64.b64decode(seen.sealed), _place(one).encode())["digest"][0])
        except (RemitError, KeyError):
            return ""

    async def _keep(self, one: StandingSecret, digest: str, since: datetime) -> None:
        sealed_by = self._sealing.current
        key, nonce = self._sealing.sealing_key(sealed_by), self._entropy.bytes(NONCE_SIZE)
        blob = seal(key, nonce, {"digest": [digest]}, _place(one).encode())
        value = _Seen(since, base64.b64encode(blob).decode(), sealed_by)
        change = PutValue(self._tenant, _place(one), msgspec.to_builtins(value))
        await self._store.commit(Unit((change,), tenant=self._tenant))


def _which(found: Finding) -> str:
    return f"{found.facts.get('place', '')}\n{found.facts.get('where', '')}"


def _place(one: StandingSecret) -> str:
    return f"{PREFIX}{one.upstream}:{one.place}:"
