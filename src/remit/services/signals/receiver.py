# SPDX-License-Identifier: Apache-2.0
"""Receiving shared signals: what others tell of a person, a session or an agent takes authority away here.

    1. the token is one of a configured transmitter, and is signed by it (`secevent+jwt`, its own keys)
    2. its claims hold: audience, freshness, a subject, no `exp`
    3. it is kept in one commit with its id, which is not taken twice; from here on it is not lost
    4. whom it is about is found: people, agents, tasks of ours
    5. what follows is done, by the kind of the event and the configuration
    6. that it is done is recorded; only then is it acknowledged

A token that comes again while it is kept and not done is done then. One that was done is acknowledged and
does nothing: nobody replays it. What a crash left between 3 and 6 is done by the next start.
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
from remit.core.errors import Busy, Conflict, Malformed, RemitError, Unauthenticated
from remit.core.evidence.event import Event
from remit.core.evidence.events.signals import SignalReceived, SignalRefused
from remit.core.signals.security_event_token import SET_TYPE, SecurityEvent, read_event
from remit.core.signals.signal import Reaction, SignalKind, kind_of, reactions
from remit.ports.issuers import IssuerUse, TrustedIssuers
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, PutValue, UseAssertion
from remit.ports.store.units import Unit, UnitStore
from remit.services.limits.flood_control import FloodControl
from remit.services.signals.reactions import SignalReactions
from remit.services.signals.subjects import SignalSubjects, SubjectRules

log = logging.getLogger("remit.signals")


#: What was taken in and is not done yet.
KEPT: Final = "signal:"
#: When what was heard last of a transmitter was issued, and the state of the verification that was asked for.
HEARD: Final = "heard:"
ASKED: Final = "asked:"
#: Tokens of one transmitter that are worked on at once.
AT_ONCE: Final = 8


class Transmitter(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who tells us of events: what is believed of them, and what follows.

    `token` is what they show when they push, empty where they only are polled. `may` is the most that follows
    from anything they tell.
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
    """Return how a transmitter is called among the trusted issuers, whose other names have no `/`."""
    return f"signals/{transmitter}"


class HeardSignals:
    """Takes security event tokens in. For one event loop."""

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
        """Take the parts."""
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
        #: What became of tokens since the start.
        self.counts = Counter({"taken": 0, "known": 0, "refused": 0})

    def authenticate(self, name: str, shown: str) -> Transmitter:
        """Return a transmitter that pushes, by what it shows; raises `Unauthenticated` whoever it is not."""
        known = self.transmitters.get(name)
        wanted = known.token if known else ""
        # Compared in any case, so that an answer tells nobody which transmitters there are.
        same = hmac.compare_digest(shown.encode(), (wanted or "-").encode())
        if known is None or not wanted or not same:
            raise Unauthenticated(
                "the transmitter could not be authenticated",
                code="authentication_failed",
                remediation="push with the token that is configured for you",
            )
        return known

    async def receive(self, name: str, token: str) -> None:
        """Take one token in, and do what follows from it; returns once that is durable.

        Raises `Malformed` or `Unauthenticated` with the error codes of RFC 8935 section 2.4, `Busy` where too
        many are at work, `StoreUnavailable`.
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
        """Do what was taken in and not done; gives how much that was. For the start, and a background
        loop.
        """
        left = await self._store.values(self._tenant, KEPT)
        for kept in left:
            try:
                await self._do(msgspec.convert(kept, _Kept))
            except RemitError as fault:
                # It stays kept, and is tried again; the others are none the worse for it.
                log.warning("a signal waits: %s", fault)
        return len(left)

    async def _read(self, transmitter: Transmitter, token: str) -> SecurityEvent:
        """1, 2."""
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
        """3, then the rest."""
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
                return  # it was done before
        await self._do(kept)

    async def _heard(self, name: str, told: SecurityEvent) -> tuple[PutValue, ...]:
        """Return what is kept of a transmitter's having been heard: `services.signals.silence` looks at
        it.
        """
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
        """4 to 6. One at a time for one token."""
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
        for uri, payload in kept.told.events.items():
            kind = kind_of(uri)
            wanted: tuple[Reaction, ...] = ()
            if kind is not None and transmitter is not None:
                told = reactions(kind, payload, transmitter.reactions)
                wanted = tuple(one for one in told if one in transmitter.may)
            rules = transmitter.subjects if transmitter else SubjectRules()
            found = await self._subjects.find(kept.told, rules)
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
        await self._store.commit(Unit((gone,), tuple(events)))
        self.counts["taken"] += 1

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
    """A token that was taken in and is not done yet."""

    key: str
    transmitter: str
    told: SecurityEvent


#: Codes of RFC 8935 section 2.4 for what is wrong with a signature.
_CODES: Final = {
    "token-issuer": "invalid_issuer",
    "token-signature": "invalid_key",
    "token-algorithm": "invalid_key",
}
