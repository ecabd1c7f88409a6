# SPDX-License-Identifier: Apache-2.0
"""Receiving shared signals: what others report of a person, a session or an agent removes authority here.

    1. the token is one of a configured transmitter, and is signed by it (`secevent+jwt`, its own keys)
    2. its claims are valid: audience, freshness, a subject, no `exp`
    3. it is stored in one commit with its id, which is not accepted twice; from here on it is not lost
    4. its subjects are found: people, agents, tasks of remit
    5. the consequences are applied, by the kind of the event and the configuration
    6. the completion is recorded; only then is the token acknowledged

A token that comes again while it is stored and not completed is completed then. A completed token is
acknowledged and does nothing, so a replay has no effect. What a crash left between 3 and 6 is completed by
the next start.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from remit.core.canonical import digest
from remit.core.circumstances.circumstances import RiskLevel
from remit.core.errors import Busy, Conflict, Malformed, RemitError, Unauthenticated
from remit.core.evidence.event import Event
from remit.core.evidence.events.signals import SignalReceived, SignalRefused
from remit.core.signals.risk import ReportedRisk, level_of
from remit.core.signals.security_event_token import SET_TYPE, SecurityEvent, read_event
from remit.core.signals.signal import Reaction, SignalKind, kind_of, reactions
from remit.ports.issuers import IssuerUse, TrustedIssuers
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, PutValue, UseAssertion
from remit.ports.store.units import Unit, UnitStore
from remit.services.limits.flood_control import FloodControl
from remit.services.signals.reactions import SignalReactions
from remit.services.signals.subjects import AffectedSubjects, SignalSubjects, SubjectRules

log = logging.getLogger("remit.signals")


#: Prefix of tokens that were taken in and are not completed yet.
KEPT: Final = "signal:"
#: Issue time of the last event from a transmitter, and the state of the verification that was requested.
HEARD: Final = "heard:"
ASKED: Final = "asked:"
#: Tokens of one transmitter that are processed at once.
AT_ONCE: Final = 8


class Transmitter(msgspec.Struct, frozen=True, kw_only=True):
    """A party that sends events to remit: what it is trusted for, and what follows.

    `token` is the secret that it shows when it pushes, empty where it is only polled. `may` is the most that
    can follow from any of its events.
    """

    name: str
    audience: str
    token: str = ""
    subjects: SubjectRules = SubjectRules()
    reactions: Mapping[SignalKind, tuple[Reaction, ...]] = {}
    may: frozenset[Reaction] = frozenset(Reaction)
    max_age_s: int = 24 * 3600
    leeway_s: int = 30


def issuer_name(transmitter: str) -> str:
    """Return a transmitter's name among the trusted issuers, whose other names contain no `/`."""
    return f"signals/{transmitter}"


class HeardSignals:
    """Takes in security event tokens; for one event loop."""

    def __init__(
        self,
        *,
        store: UnitStore,
        clock: Clock,
        issuers: TrustedIssuers,
        subjects: SignalSubjects,
        taking_away: SignalReactions,
        tenant: str,
        transmitters: Mapping[str, Transmitter],
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._issuers = issuers
        self._subjects = subjects
        self._taking_away = taking_away
        self._tenant = tenant
        self.transmitters = transmitters
        self._room = {name: asyncio.Semaphore(AT_ONCE) for name in transmitters}
        self._floods = FloodControl()
        self._doing: dict[str, asyncio.Lock] = {}
        #: Outcomes of tokens since the start.
        self.counts = Counter({"taken": 0, "known": 0, "refused": 0})

    def authenticate(self, name: str, shown: str) -> Transmitter:
        """Return the pushing transmitter with this secret; raises one `Unauthenticated` for all failures."""
        known = self.transmitters.get(name)
        wanted = known.token if known else ""
        # Compared in every case, so that an answer does not reveal which transmitters exist.
        same = hmac.compare_digest(shown.encode(), (wanted or "-").encode())
        if known is None or not wanted or not same:
            raise Unauthenticated(
                "the transmitter could not be authenticated",
                code="authentication_failed",
                remediation="push with the token that is configured for you",
            )
        return known

    async def receive(self, name: str, token: str) -> None:
        """Take one token in, and apply its consequences; returns once that is durable.

        Raises `Malformed` or `Unauthenticated` with the error codes of RFC 8935 section 2.4, `Busy` where too
        many tokens are being processed, `StoreUnavailable`.
        """
        transmitter = self.transmitters[name]
        room = self._room[name]
        if room.locked():
            raise Busy(
                "too many signals are being processed",
                code="too-many-tries",
                remediation="send it again later",
            )
        async with room:
            try:
                told = await self._read(transmitter, token)
            except (Malformed, Unauthenticated) as error:
                await self._refused(transmitter, error)
                raise
            await self._take(transmitter, told)

    async def resume(self) -> int:
        """Complete tokens that were taken in and not completed; return their number.

        For the start, and a background loop.
        """
        left = await self._store.values(self._tenant, KEPT)
        for kept in left:
            try:
                await self._do(msgspec.convert(kept, _Kept))
            except RemitError as fault:
                # It stays stored, and is tried again; other tokens are not affected.
                log.warning("a signal waits: %s", fault)
        return len(left)

    async def _read(self, transmitter: Transmitter, token: str) -> SecurityEvent:
        """Do steps 1 and 2."""
        try:
            signed = await self._issuers.signed(token, use=IssuerUse.SIGNALS, token_type=SET_TYPE)
        except Unauthenticated as error:
            if error.code == "issuer-unavailable":
                raise Busy(error.message, code="issuer-unavailable", remediation=error.remediation) from None
            raise Malformed(error.message, code=_CODES.get(error.code, "invalid_request")) from None
        if signed.name != issuer_name(transmitter.name):
            raise Malformed("it belongs to another transmitter", code="invalid_issuer")
        return read_event(
            signed.claims,
            audience=transmitter.audience,
            now=self._clock.now(),
            leeway_s=transmitter.leeway_s,
            max_age_s=transmitter.max_age_s,
        )

    async def _take(self, transmitter: Transmitter, told: SecurityEvent) -> None:
        """Do step 3, then the rest."""
        key = digest({"iss": told.issuer, "jti": told.token_id})
        kept = _Kept(key=key, transmitter=transmitter.name, told=told)
        until = told.issued + timedelta(seconds=transmitter.max_age_s + 2 * transmitter.leeway_s)
        changes: tuple[Change, ...] = (
            UseAssertion(self._tenant, f"signal {key}", until),
            PutValue(self._tenant, f"{KEPT}{key}", msgspec.to_builtins(kept)),
            *await self._heard(transmitter.name, told),
        )
        try:
            await self._store.commit(Unit(changes))
        except Conflict:
            left = await self._store.value(self._tenant, f"{KEPT}{key}")
            if left is None:
                self.counts["known"] += 1
                return  # it was completed before
        await self._do(kept)

    async def _heard(self, name: str, told: SecurityEvent) -> tuple[PutValue, ...]:
        """Return what to store about a transmitter's last event, for `services.signals.silence`."""
        verified = [
            payload for uri, payload in told.events.items() if kind_of(uri) is SignalKind.VERIFICATION
        ]
        if verified:
            asked = await self._store.value(self._tenant, ASKED + name)
            if asked is None or any(one.get("state") != asked["state"] for one in verified):
                return ()
        before = await self._store.value(self._tenant, HEARD + name)
        at = told.issued.isoformat()
        return (
            ()
            if before is not None and before["at"] >= at
            else (PutValue(self._tenant, HEARD + name, {"at": at}),)
        )

    async def _do(self, kept: _Kept) -> None:
        """Do steps 4 to 6. One at a time for one token."""
        lock = self._doing.setdefault(kept.key, asyncio.Lock())
        try:
            async with lock:
                if await self._store.value(self._tenant, f"{KEPT}{kept.key}") is not None:
                    await self._follow(kept)
        finally:
            if not lock.locked():
                self._doing.pop(kept.key, None)

    async def _follow(self, kept: _Kept) -> None:
        transmitter = self.transmitters.get(kept.transmitter)
        events = []
        risks: list[PutValue] = []
        for uri, payload in kept.told.events.items():
            kind = kind_of(uri)
            wanted: tuple[Reaction, ...] = ()
            if kind is not None and transmitter is not None:
                told = reactions(kind, payload, transmitter.reactions)
                wanted = tuple(one for one in told if one in transmitter.may)
            rules = transmitter.subjects if transmitter else SubjectRules()
            found = await self._subjects.find(kept.told, rules)
            if kind is SignalKind.RISK_LEVEL_CHANGE:
                risks += await self._risks(kept, level_of(payload), found)
            why = f"{kind.value if kind else 'an event'} from {kept.transmitter}"
            done = await self._taking_away.react(wanted, found, reason=why, by=f"signal:{kept.transmitter}")
            received = SignalReceived(
                transmitter=kept.transmitter,
                event=uri[:200],
                reactions=[one.value for one in wanted],
                people=len(found.people),
                agents=sorted(found.agents),
                tasks=sorted(found.tasks),
                beyond=found.beyond,
                closures=list(done),
                sub_id=kept.told.subject.wire(),
                jti=kept.told.token_id,
                names=sorted(found.people),
            )
            subject = min(found.people, default="")
            events.append(Event.of(received, at=self._clock.now(), tenant=self._tenant, subject=subject))
        gone = PutValue(self._tenant, f"{KEPT}{kept.key}", None)
        await self._store.commit(Unit((*risks, gone), tuple(events)))
        self.counts["taken"] += 1

    async def _risks(self, kept: _Kept, level: RiskLevel, found: AffectedSubjects) -> list[PutValue]:
        """Return what to store about the risk of the subjects; an older word never replaces a newer one."""
        names = (("person", found.people), ("agent", found.agents), ("task", found.tasks))
        out = []
        for scope in (f"{kind}:{name}" for kind, known in names for name in sorted(known)):
            risk = ReportedRisk(scope=scope, level=level, at=kept.told.issued, transmitter=kept.transmitter)
            before = await self._store.value(self._tenant, risk.key)
            if before is None or msgspec.convert(before, ReportedRisk).at <= risk.at:
                out.append(PutValue(self._tenant, risk.key, msgspec.to_builtins(risk)))
        return out

    async def _refused(self, transmitter: Transmitter, error: RemitError) -> None:
        self.counts["refused"] += 1
        now = self._clock.now()
        further = self._floods.further(transmitter.name, now)
        if further is None:
            return
        refused = SignalRefused(transmitter=transmitter.name, code=error.code, further=further)
        event = Event.of(refused, at=now, tenant=self._tenant)
        await self._store.commit(Unit(events=(event,)))


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was taken in and is not completed yet."""

    key: str
    transmitter: str
    told: SecurityEvent


#: Codes of RFC 8935 section 2.4 for problems with a signature.
_CODES: Final = {
    "token-issuer": "invalid_issuer",
    "token-signature": "invalid_key",
    "token-algorithm": "invalid_key",
}
