# SPDX-License-Identifier: Apache-2.0
"""Step 1, identify: who is it, proven how.

Agents show access tokens (RFC 9068) that they got for a client assertion (RFC 7523); people show a session
secret that they got for a one-time code. A verified token is remembered by its SHA-256, never as text; its
expiry is checked on each use, and its task on each call.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta

from remit.core.assertion import verify_by_any
from remit.core.errors import Conflict, Unauthenticated
from remit.core.event import Event, EventKind
from remit.core.identity import Agent, Memberships, Person
from remit.core.ids import make_id
from remit.core.token import AGENT_SCOPE, TOKEN_TYPE, AccessClaims, validate
from remit.core.workload import Assurance
from remit.ports.keys import TokenKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store import Change, Credential, PutCredential, Store, TakeCredential, Unit, UseAssertion

#: Verified tokens remembered at once.
CACHE = 20_000
LEEWAY_S = 5
CODE_TTL_S = 15 * 60
#: Refusals written to the evidence per second; more of them are counted, and the count is written.
REFUSALS_PER_S = 20


def secret_digest(secret: str) -> str:
    """Give the form in which a secret is kept: its SHA-256 in hex. Our secrets have 160 random bits or
    more.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


class Authenticator:
    """Turns what a caller shows into who the caller is, or a 401 with a reason code in the evidence."""

    def __init__(
        self,
        *,
        store: Store,
        keys: TokenKeys,
        clock: Clock,
        entropy: Entropy,
        tenant: str,
        issuer: str,
        audience: str,
        token_ttl_s: int,
        session_ttl_s: int,
        members: Memberships,
    ) -> None:
        """Take the parts; `issuer` and `audience` are what tokens are issued and accepted under."""
        self._store = store
        self._keys = keys
        self._members = members
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        self._cache: OrderedDict[bytes, AccessClaims] = OrderedDict()
        self._refused_second = 0
        self._refused_count = 0
        self._refused_more = 0
        self.issuer = issuer
        self.audience = audience
        self.token_ttl_s = token_ttl_s
        self.session_ttl_s = session_ttl_s

    def claims(self, token: str, now: datetime) -> AccessClaims:
        """Give the claims of an access token of ours; raises `Unauthenticated` with the reason code."""
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = self._cache.get(key)
        if found is not None:
            if now.timestamp() < found.expires + LEEWAY_S:
                return found
            del self._cache[key]
            raise Unauthenticated(
                "the token has expired", code="token-expired", way_out="ask for a new one", step=1
            )
        header, wire = self._keys.verify(token)
        claims = validate(
            header, wire, issuer=self.issuer, audience=self.audience, now=now, leeway_s=LEEWAY_S
        )
        if claims.tenant != self._tenant:
            raise Unauthenticated("the token is of another tenant", code="token-tenant", step=1)
        self._cache[key] = claims
        if len(self._cache) > CACHE:
            self._cache.popitem(last=False)
        return claims

    async def refused(self, error: Unauthenticated, where: str) -> None:
        """Write a refused authentication to the evidence; a flood of them is counted, not written one by
        one.
        """
        now = self._clock.now()
        second = int(now.timestamp())
        if second != self._refused_second:
            self._refused_second, self._refused_count = second, 0
        self._refused_count += 1
        if self._refused_count > REFUSALS_PER_S:
            self._refused_more += 1
            return
        more, self._refused_more = self._refused_more, 0
        facts = {"code": error.code, "door": where, **({"further": more} if more else {})}
        kind = EventKind.SIGN_IN_REFUSED if error.code.startswith("sign-in-") else EventKind.TOKEN_REFUSED
        await self._store.commit(Unit(events=(Event(kind=kind, at=now, tenant=self._tenant, facts=facts),)))

    async def agent_by_assertion(self, assertion: str, client_id: str) -> Agent:
        """Give the agent that signed a client assertion (RFC 7523, `private_key_jwt`); each assertion works
        once.
        """
        agent = await self._store.agent(self._tenant, client_id)
        if agent is None or not agent.keys:
            raise Unauthenticated("there is no such agent, or it has no key", code="invalid_client", step=1)
        if not agent.usable:
            raise Unauthenticated(f"the agent is {agent.state.value}", code="invalid_client", step=1)
        now = self._clock.now()
        audiences = (self.issuer, f"{self.issuer}/oauth/token")
        proven = verify_by_any(assertion, agent.keys, subject=client_id, audiences=audiences, now=now)
        try:
            await self._store.commit(
                Unit(
                    changes=(
                        UseAssertion(
                            self._tenant, secret_digest(f"{client_id}\n{proven.token_id}"), proven.expires
                        ),
                    )
                )
            )
        except Conflict:
            raise Unauthenticated(
                "the client assertion was used before",
                code="invalid_client",
                way_out="sign a new one",
                step=1,
            ) from None
        return agent

    async def token(
        self,
        agent: Agent,
        *,
        task: str = "",
        on_behalf_of: str = "",
        authority_hash: str = "",
        deadline: datetime | None = None,
    ) -> tuple[str, AccessClaims]:
        """Sign an access token: for a task, or (without one) one that can only open tasks."""
        now = self._clock.now()
        expires = now + timedelta(seconds=self.token_ttl_s)
        if deadline is not None:
            expires = min(expires, deadline)
        claims = AccessClaims(
            issuer=self.issuer,
            audience=(self.audience,),
            subject=on_behalf_of or agent.name,
            client_id=agent.name,
            token_id=make_id("tok", self._entropy.bytes(10)),
            issued=int(now.timestamp()),
            expires=int(expires.timestamp()),
            tenant=self._tenant,
            task=task,
            authority_hash=authority_hash,
            assurance=Assurance.KEY_BOUND,
            scope="" if task else AGENT_SCOPE,
        )
        return await self._keys.sign(claims.to_wire(), token_type=TOKEN_TYPE), claims

    def token_event(self, claims: AccessClaims) -> Event:
        """Give the event that tells of an issued token."""
        return Event(
            kind=EventKind.TOKEN_ISSUED,
            at=self._clock.now(),
            tenant=self._tenant,
            task=claims.task,
            agent=claims.client_id,
            facts={"token": claims.token_id, "expires": claims.expires, "assurance": claims.assurance.word},
        )

    async def agent_token(self, agent: Agent) -> tuple[str, AccessClaims]:
        """Issue a token that can only open tasks and get their tokens; it is recorded before it is given."""
        token, claims = await self.token(agent)
        await self._store.commit(Unit(events=(self.token_event(claims),)))
        return token, claims

    # People.

    async def make_code(self, person: str, *, by: str) -> str:
        """Make a one-time sign-in code for a person: 15 minutes, once. `by` is who asked for it."""
        code = "-".join(
            make_id("", self._entropy.bytes(10))[1:][start : start + 4] for start in (0, 4, 8, 12)
        )
        now = self._clock.now()
        await self._store.commit(
            Unit(
                changes=(
                    PutCredential(
                        Credential(
                            tenant=self._tenant,
                            digest=secret_digest(code),
                            kind="code",
                            person=person,
                            created=now,
                            expires=now + timedelta(seconds=CODE_TTL_S),
                        )
                    ),
                ),
                events=(self._person_event(person, "sign-in-code", by),),
            )
        )
        return code

    async def person_by_code(self, code: str) -> tuple[Person, TakeCredential]:
        """Give whose one-time code this is, and the change that uses it up; raises `Unauthenticated`."""
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
                "this code is not valid, was used, or has run out",
                code="sign-in-code",
                way_out="ask an administrator for a new one",
                step=1,
            )
            await self.refused(error, "sign-in")
            raise error
        return person, TakeCredential(self._tenant, found.digest)

    async def open_session(
        self,
        person: Person,
        *,
        method: str = "code",
        kind: str = "session",
        ttl_s: int = 0,
        place: str = "",
        authenticated: datetime | None = None,
        changes: tuple[Change, ...] = (),
    ) -> tuple[str, Credential]:
        """Sign a person in: give the secret of a new session, and what is kept of it.

        `changes` become true at the same moment (a code used up, an older session ended); where one of them
        is refused, so is the session (`Unauthenticated`).
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
        )
        signed_in = Event(
            kind=EventKind.PERSON_SIGNED_IN,
            at=now,
            tenant=self._tenant,
            subject=person.name,
            facts={"method": method, "session": kind},
            sealed={"person": person.name},
        )
        try:
            await self._store.commit(Unit((*changes, PutCredential(session)), (signed_in,)))
        except Conflict as conflict:
            error = Unauthenticated(
                conflict.message, code=f"sign-in-{method}", way_out=conflict.way_out, step=1
            )
            await self.refused(error, "sign-in")
            raise error from None
        return secret, session

    async def sign_in(self, code: str) -> tuple[str, Person, datetime]:
        """Exchange a one-time code for a session secret."""
        person, use = await self.person_by_code(code)
        secret, session = await self.open_session(person, changes=(use,))
        return secret, person, session.expires

    async def person(self, secret: str) -> Person:
        """Give the person of a session secret; raises `Unauthenticated`."""
        found = await self._store.credential(self._tenant, secret_digest(secret))
        if found is None or found.kind != "session" or self._clock.now() >= found.expires:
            raise Unauthenticated(
                "you are not signed in", code="no-session", way_out="run `remit login`", step=1
            )
        person = await self._store.person(self._tenant, found.person)
        if person is None or not person.active:
            raise Unauthenticated("this person may not sign in", code="no-session", step=1)
        return self._members.of_person(person)

    async def sign_out(self, secret: str) -> None:
        """End a session; raises `Unauthenticated` where there is none."""
        person = await self.person(secret)
        await self._store.commit(
            Unit(
                changes=(TakeCredential(self._tenant, secret_digest(secret)),),
                events=(self._person_event(person.name, "signed-out", person.name),),
            )
        )

    def _person_event(self, person: str, change: str, by: str) -> Event:
        return Event(
            kind=EventKind.PERSON_CHANGED,
            at=self._clock.now(),
            tenant=self._tenant,
            subject=person,
            facts={"change": change},
            sealed={"person": person, "by": by},
        )
