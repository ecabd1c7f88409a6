# SPDX-License-Identifier: Apache-2.0
"""Step 1, identify: who the caller is, and how that was proven.

Agents show access tokens (RFC 9068) that they got for a client assertion (RFC 7523). People show a session
secret that they got for a one-time code. A verified token is remembered by its SHA-256, never as text. Its
expiry is checked on each use, and its task on each call.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from remit.core.draft_names import MISSION, MISSION_ID
from remit.core.errors import Conflict, RemitError, Unauthenticated
from remit.core.evidence.event import Event
from remit.core.evidence.events.identity import TokenRefused
from remit.core.evidence.events.people import PersonChanged, PersonSignedIn, SignInRefused
from remit.core.identity.principals import Memberships, Person
from remit.core.identity.workload import Confirmation
from remit.core.ids import make_id
from remit.core.oauth.access_token import AccessClaims, validate, wrong_audience
from remit.core.oauth.dpop import FIRST_PROOF
from remit.core.oauth.resource import Resources
from remit.ports.keys import TokenKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Change, Credential, PutCredential, TakeCredential, UsePerson
from remit.ports.store.issued_tokens import IssuedTokenStore
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit

#: Largest number of verified tokens remembered at once.
CACHE = 20_000
LEEWAY_S = 5
#: For a sender who showed nothing but a token.
NOTHING_PROVEN = Confirmation()
CODE_TTL_S = 15 * 60
#: Refusals written to the evidence per second. Further refusals are counted, and the count is written.
REFUSALS_PER_S = 20


def secret_digest(secret: str) -> str:
    """Return the form in which a secret is stored: its SHA-256 in hex.

    Remit's secrets have at least 160 random bits.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


class _Rooms(IssuedTokenStore, SignInStore, Protocol):
    """The rooms of the store that sign-in and tokens are checked against."""


class Authenticator:
    """Derives a caller's identity from what the caller shows.

    A failure is a 401 with a reason code in the evidence.
    """

    def __init__(
        self,
        *,
        store: _Rooms,
        keys: TokenKeys,
        clock: Clock,
        entropy: Entropy,
        tenant: str,
        issuer: str,
        resources: Resources,
        session_ttl_s: int,
        members: Memberships,
    ) -> None:
        """Take the dependencies; tokens are issued and accepted under `issuer`, for one of `resources`."""
        self._store = store
        self._keys = keys
        self._members = members
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        self._cache: OrderedDict[bytes, AccessClaims] = OrderedDict()
        self._generation = keys.generation
        self._refused_second = 0
        self._refused_count = 0
        self._refused_more = 0
        self.issuer = issuer
        self.resources = resources
        self.session_ttl_s = session_ttl_s

    def claims(
        self, token: str, now: datetime, *, resource: str = "", proven: Confirmation = NOTHING_PROVEN
    ) -> AccessClaims:
        """Return the claims of an access token of remit; raises `Unauthenticated` with the reason code.

        `resource` is the requested resource: the token must be issued for it. Empty: any resource of this
        deployment. `proven` is the key whose possession the sender proved. A token that is bound to a key is
        refused without it.
        """
        found = self.unproven(token, now, resource=resource)
        if found.confirmation:
            self.check_proven(found, proven)
        return found

    def check_proven(self, claims: AccessClaims, proven: Confirmation) -> None:
        """Refuse a token if the keys that it is bound to were not proven.

        RFC 9449 section 7.2, RFC 8705 section 3.
        """
        if not claims.confirmation.met_by(proven):
            raise Unauthenticated(
                "the token is bound to a key, but the sender did not prove possession",
                code="token-unproven",
                remediation="send a DPoP proof with it, or present the certificate that it is bound to",
                step=1,
            )

    def unproven(self, token: str, now: datetime, *, resource: str = "") -> AccessClaims:
        """Return the claims of a token without proof of possession, for callers that check the proof next."""
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        if self._generation != self._keys.generation:
            # A key is no longer accepted: forget the tokens that were verified with it.
            self._generation = self._keys.generation
            self._cache.clear()
        found = self._cache.get(key)
        if found is None:
            found = self._verified(token, now)
            self._cache[key] = found
            self._forget(now)
        elif now.timestamp() >= found.expires + LEEWAY_S:
            del self._cache[key]
            raise Unauthenticated(
                "the token has expired", code="token-expired", remediation="ask for a new one", step=1
            )
        if resource and resource not in found.audience:
            raise wrong_audience(resource)
        withdrawn = self._store.withdrawn(self._tenant)
        if found.token_id in withdrawn or found.grant_id in withdrawn:
            raise Unauthenticated(
                "the token has been revoked", code="token-revoked", remediation="ask for a new one", step=1
            )
        return found

    def _forget(self, now: datetime) -> None:
        """Drop the oldest tokens while there are too many, or they have expired: their tasks are over."""
        oldest = next(iter(self._cache.values()))
        while len(self._cache) > CACHE or now.timestamp() >= oldest.expires + LEEWAY_S:
            self._cache.popitem(last=False)
            oldest = next(iter(self._cache.values()))

    def about(self, token: str, now: datetime) -> str:
        """Return the task of a token of remit; empty for a token without a task, and for any other token.

        The replica that serves the task decides whether the token is valid at this moment.
        """
        try:
            return self.unproven(token, now).task
        except RemitError as refused:
            if refused.code not in ("token-expired", "token-not-yet-valid"):
                return ""
        try:
            mission = self._keys.verify(token)[1].get(MISSION)
        except RemitError:
            return ""
        return str(mission.get(MISSION_ID, "")) if isinstance(mission, dict) else ""

    def _verified(self, token: str, now: datetime) -> AccessClaims:
        header, wire = self._keys.verify(token)
        claims = validate(
            header, wire, issuer=self.issuer, audiences=self.resources, now=now, leeway_s=LEEWAY_S
        )
        if claims.tenant != self._tenant:
            raise Unauthenticated("the token belongs to another tenant", code="token-tenant", step=1)
        return claims

    async def refused(self, error: RemitError, where: str, *, agent: str = "", task: str = "") -> None:
        """Write a refusal of step 1 or 2 to the evidence; a flood of refusals is only counted.

        `agent` and `task` are those of a token whose signature is valid. A first proof without a nonce is
        answered with a request for one, which is not a refusal.
        """
        if error.code == FIRST_PROOF:
            return
        now = self._clock.now()
        second = int(now.timestamp())
        if second != self._refused_second:
            self._refused_second, self._refused_count = second, 0
        self._refused_count += 1
        if self._refused_count > REFUSALS_PER_S:
            self._refused_more += 1
            return
        more, self._refused_more = self._refused_more, 0
        kind = SignInRefused if error.code.startswith("sign-in-") else TokenRefused
        refused = kind(code=error.code, endpoint=where, further=more)
        event = Event.of(refused, at=now, tenant=self._tenant, task=task, agent=agent)
        await self._store.commit(Unit(events=(event,)))

    # People.

    async def make_code(self, person: str, *, by: str, coded_by: Iterable[str] = ()) -> str:
        """Make a one-time sign-in code for a person, valid once and for 15 minutes.

        `by` requested the code. `coded_by` are other people who took part in making it; `by` is added to
        them, and the person is left out.
        """
        code = "-".join(
            make_id("", self._entropy.bytes(10))[1:][start : start + 4] for start in (0, 4, 8, 12)
        )
        now = self._clock.now()
        await self._store.commit(
            Unit(
                changes=(
                    UsePerson(self._tenant, person),
                    PutCredential(
                        Credential(
                            tenant=self._tenant,
                            digest=secret_digest(code),
                            kind="code",
                            person=person,
                            created=now,
                            expires=now + timedelta(seconds=CODE_TTL_S),
                            coded_by=tuple(sorted({by, *coded_by} - {person})),
                        )
                    ),
                ),
                events=(self._person_event(person, "sign-in-code", by),),
            )
        )
        return code

    async def person_by_code(self, code: str) -> tuple[Person, Credential]:
        """Return the person of a one-time code, and the code to be used up; raises `Unauthenticated`."""
        now = self._clock.now()
        found = await self._store.credential(self._tenant, secret_digest(code.strip().lower()))
        person = await self._store.person(self._tenant, found.person) if found else None
        if (
            found is None
            or found.kind != "code"
            or now >= found.expires
            or person is None
            or not person.active
        ):
            error = Unauthenticated(
                "this code is invalid, already used or expired",
                code="sign-in-code",
                remediation="ask an administrator for a new one",
                step=1,
            )
            await self.refused(error, "sign-in")
            raise error
        return person, found

    async def open_session(
        self,
        person: Person,
        *,
        method: str = "code",
        kind: str = "session",
        ttl_s: int = 0,
        place: str = "",
        authenticated: datetime | None = None,
        coded_by: tuple[str, ...] = (),
        changes: tuple[Change, ...] = (),
        jkt: str = "",
    ) -> tuple[str, Credential]:
        """Sign a person in: return the secret of a new session, and the stored record of the session.

        With `jkt` the session is bound to the key of this thumbprint: the secret alone opens nothing.
        `coded_by` are the makers of the sign-in code that the session results from, directly or indirectly.
        `changes` are committed in the same transaction (a code used up, an older session ended). Where one of
        them is refused, the session is refused too (`Unauthenticated`).
        """
        secret = ("rms_" if kind == "session" else "rmb_") + self._entropy.bytes(32).hex()
        now = self._clock.now()
        session = Credential(
            tenant=self._tenant,
            digest=secret_digest(secret),
            kind=kind,
            person=person.name,
            created=now,
            expires=now + timedelta(seconds=ttl_s or self.session_ttl_s),
            method=method,
            authenticated=authenticated or now,
            place=place[:200],
            jkt=jkt,
            coded_by=coded_by,
        )
        signed_in = Event.of(
            PersonSignedIn(method=method, session=kind, bound=bool(jkt), person=person.name),
            at=now,
            tenant=self._tenant,
            subject=person.name,
        )
        try:
            # A person who was deactivated in the meantime gets no session: it would become valid at
            # reactivation.
            known = UsePerson(self._tenant, person.name)
            await self._store.commit(Unit((known, *changes, PutCredential(session)), (signed_in,)))
        except Conflict as conflict:
            error = Unauthenticated(
                conflict.message, code=f"sign-in-{method}", remediation=conflict.remediation, step=1
            )
            await self.refused(error, "sign-in")
            raise error from None
        return secret, session

    async def sign_in(self, code: str, jkt: str = "") -> tuple[str, Person, datetime]:
        """Exchange a one-time code for a session secret, bound to the key of the thumbprint `jkt`."""
        person, found = await self.person_by_code(code)
        use = TakeCredential(self._tenant, found.digest)
        secret, session = await self.open_session(person, coded_by=found.coded_by, changes=(use,), jkt=jkt)
        return secret, person, session.expires

    async def person(self, secret: str, jkt: str = "") -> Person:
        """Return the person of a session secret; raises `Unauthenticated`.

        `jkt` is the thumbprint of the key that was proven.
        """
        found = await self._store.signed_in(self._tenant, secret_digest(secret))
        if found is None or found[0].kind != "session" or self._clock.now() >= found[0].expires:
            raise Unauthenticated(
                "you are not signed in", code="no-session", remediation="run `remit login`", step=1
            )
        if found[0].jkt != jkt:
            raise Unauthenticated(
                "the session is bound to a key, but the sender did not prove possession"
                if found[0].jkt
                else "the session is bound to no key",
                code="session-unproven" if found[0].jkt else "session-unbound",
                remediation="run `remit login`",
                step=1,
            )
        person = found[1]
        if not person.active:
            raise Unauthenticated("this person may not sign in", code="no-session", step=1)
        return self._members.of_person(person)

    async def session_of(self, secret: str) -> Credential | None:
        """Return the session of a secret whose person was authenticated by `person`."""
        found = await self._store.signed_in(self._tenant, secret_digest(secret))
        return found[0] if found else None

    async def sign_out(self, secret: str, jkt: str = "") -> None:
        """End a session; raises `Unauthenticated` where there is no such session."""
        person = await self.person(secret, jkt)
        await self._store.commit(
            Unit(
                changes=(TakeCredential(self._tenant, secret_digest(secret)),),
                events=(self._person_event(person.name, "signed-out", person.name),),
            )
        )

    def _person_event(self, person: str, change: str, by: str) -> Event:
        changed = PersonChanged(change=change, person=person, by=by)
        return Event.of(changed, at=self._clock.now(), tenant=self._tenant, subject=person)
