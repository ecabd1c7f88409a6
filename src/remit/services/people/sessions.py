# SPDX-License-Identifier: Apache-2.0
"""People at their browsers: sign-in, and the resulting sessions.

A browser's session is a secret in a cookie, separate from the sessions of programs: neither opens the other's
endpoints. Every sign-in makes a new secret, so that an attacker cannot plant one in a browser beforehand.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from remit.core.errors import Conflict, Forbidden, NotFound, Unauthenticated
from remit.core.evidence.event import Event
from remit.core.evidence.events.people import PersonChanged
from remit.core.findings.kinds import FindingKind
from remit.core.identity.admission import AdmissionRules, admitted, check_required, name_from
from remit.core.identity.passkey import Link
from remit.core.identity.principals import Memberships, Person, Role
from remit.core.oauth.one_time_code import ProviderVisit, TerminalCode
from remit.ports.provider import ProvenPerson, Provider
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import (
    Change,
    Credential,
    PutLink,
    PutPerson,
    TakeCredential,
    UseCredential,
    UsePerson,
)
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.findings.findings import Findings
from remit.services.identity.authenticator import Authenticator, secret_digest
from remit.services.identity.directory import Directory, NewPerson
from remit.services.identity.one_time_codes import OneTimeCodes
from remit.services.oauth.refresh_tokens import challenge_of
from remit.services.separation.last_administrators import keep_administrators

#: How long a person may take to go to the provider and come back.
VISIT = timedelta(minutes=10)
#: Age assumed for an authentication if the provider does not report when it took place.
UNTOLD = timedelta(days=1)
#: How long ago a person may have authenticated there, where a new authentication was requested.
FRESH = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """An identity provider as people know it, and the mapping of its accounts to people here."""

    title: str
    provider: Provider
    rules: AdmissionRules


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSeat:
    """The person at a browser, with time and method of sign-in. `secret` is the cookie's."""

    person: Person
    session: Credential
    secret: str

    @property
    def authenticated(self) -> datetime:
        """When the person last authenticated."""
        return self.session.authenticated or self.session.created

    @property
    def csrf(self) -> str:
        """The token that each form of this session carries: only remit's pages can know it."""
        return csrf_of(self.secret)

    def fresh(self, now: datetime, within_s: int) -> bool:
        """Return whether the authentication is at most `within_s` seconds old."""
        return now - self.authenticated <= timedelta(seconds=within_s)


def csrf_of(secret: str) -> str:
    """Return the form token of a browser, derived from the secret in its cookie without revealing it."""
    return hmac.new(secret.encode(), b"remit form", hashlib.sha256).hexdigest()


def handle_of(session: Credential) -> str:
    """Return the name by which a session is listed and ended; the name opens nothing."""
    return session.digest[:16]


class BrowserSessions:
    """Signs people in at browsers, and lists and ends their sessions."""

    def __init__(
        self,
        *,
        store: SignInStore,
        clock: Clock,
        entropy: Entropy,
        authenticator: Authenticator,
        directory: Directory,
        members: Memberships,
        tenant: str,
        entrances: Mapping[str, Entrance],
        ttl_s: int,
        findings: Findings,
        second_person: bool,
        tickets: OneTimeCodes,
    ) -> None:
        """Take the dependencies.

        `entrances` are the organisation's providers by name; `second_person` states whether two
        administrators must remain.
        """
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._authenticator = authenticator
        self._directory = directory
        self._members = members
        self._tenant = tenant
        self._findings = findings
        self._second_person = second_person
        self.ttl_s = ttl_s
        self.entrances = entrances
        self.tickets = tickets

    async def seat(self, secret: str) -> BrowserSeat | None:
        """Return the person at the browser with this cookie; `None` where the session is no longer valid."""
        if not secret.startswith("rmb_"):
            return None
        found = await self._store.credential(self._tenant, secret_digest(secret))
        if found is None or found.kind != "browser" or self._clock.now() >= found.expires:
            return None
        person = await self._store.person(self._tenant, found.person)
        if person is None or not person.active:
            return None
        return BrowserSeat(person=self._members.of_person(person), session=found, secret=secret)

    async def open(
        self,
        person: Person,
        *,
        method: str,
        place: str,
        replacing: str = "",
        authenticated: datetime | None = None,
        coded_by: tuple[str, ...] = (),
        changes: tuple[Change, ...] = (),
    ) -> str:
        """Sign a person in at a browser and return the new secret; the browser's previous session ends."""
        before = await self.seat(replacing)
        secret, _ = await self._authenticator.open_session(
            person,
            method=method,
            kind="browser",
            ttl_s=self.ttl_s,
            place=place,
            authenticated=authenticated,
            coded_by=coded_by,
            changes=changes,
        )
        if before is not None:
            await self._drop(before.session)
        return secret

    async def by_code(self, code: str, *, place: str, replacing: str = "") -> str:
        """Sign in with a one-time code."""
        person, found = await self._authenticator.person_by_code(code)
        return await self.open(
            person,
            method="code",
            place=place,
            replacing=replacing,
            coded_by=found.coded_by,
            changes=(TakeCredential(self._tenant, found.digest),),
        )

    async def for_terminal(
        self, code: str, *, verifier: str, redirect_uri: str, jkt: str = ""
    ) -> tuple[str, Credential]:
        """Return a command line's session for the code that a person passed to it (RFC 7636 section 4.6).

        The session is bound to the key of the thumbprint `jkt`.
        """
        ticket = await self.tickets.look(code)
        held = ticket.holds if ticket and ticket.open_at(self._clock.now()) else None
        if (
            not isinstance(held, TerminalCode)
            or held.redirect_uri != redirect_uri
            or not hmac.compare_digest(held.code_challenge, challenge_of(verifier))
        ):
            raise await self._refuse(
                "this code is unknown, already used or belongs to another program", "sign-in-terminal"
            )
        person = await self._store.person(self._tenant, held.person)
        if person is None or not person.active:
            raise await self._refuse("this person may not sign in", "sign-in-terminal")
        return await self._authenticator.open_session(
            person,
            # What the person showed at the browser, where that proves presence (`decisions.approvals`).
            method="passkey" if held.method == "passkey" else "browser",
            place="a command line",
            authenticated=held.authenticated,
            coded_by=held.coded_by,
            changes=(UseCredential(self._tenant, held.session), self.tickets.use(code)),
            jkt=jkt,
        )

    async def sessions(self, person: str) -> list[Credential]:
        """Return a person's valid sessions, of browsers and of programs, newest first."""
        found = await self._store.credentials(self._tenant, person=person)
        now = self._clock.now()
        return [one for one in found if one.kind in ("browser", "session") and now < one.expires]

    async def issuers_of(self, person: str) -> set[str]:
        """Return the issuers at which a person has an account that is connected."""
        return {one.issuer for one in await self._store.links(self._tenant, person)}

    async def end(self, person: str, handle: str) -> None:
        """End a session of a person; raises `NotFound` where the person has no such session."""
        for one in await self.sessions(person):
            if handle_of(one) == handle:
                await self._drop(one)
                return
        raise NotFound("the session no longer exists", remediation="reload the list")

    async def close(self, seat: BrowserSeat) -> None:
        """End the session of a browser."""
        await self._drop(seat.session)

    async def _drop(self, session: Credential) -> None:
        event = self._changed(session.person, "session-ended")
        try:
            await self._store.commit(Unit((TakeCredential(self._tenant, session.digest),), (event,)))
        except Conflict:
            return  # it had ended already

    def _changed(self, person: str, change: str, now_is: Person | None = None) -> Event:
        told = PersonChanged(change=change, person=person, by=person)
        if now_is is not None:
            told.groups = sorted(now_is.groups)
            told.roles = sorted(role.value for role in now_is.roles)
        return Event.of(told, at=self._clock.now(), tenant=self._tenant, subject=person)

    # Sign-in at the organisation's provider.

    async def leave_for(
        self, name: str, *, browser: str, then: str, redirect_uri: str, fresh: bool = False
    ) -> str:
        """Return where to send a browser to sign in at a provider. `browser` is a secret in its cookie."""
        entrance = self._entrance(name)
        nonce, verifier = (self._entropy.bytes(32).hex() for _ in range(2))
        state, keep = self.tickets.make(
            ProviderVisit(
                provider=name,
                nonce=nonce,
                verifier=verifier,
                browser=secret_digest(browser),
                then=then,
                fresh=fresh,
            ),
            VISIT,
        )
        address = await entrance.provider.address(
            redirect_uri=redirect_uri, state=state, nonce=nonce, challenge=challenge_of(verifier), fresh=fresh
        )
        await self._store.commit(Unit((keep,)))
        return address

    async def arrive(
        self,
        *,
        state: str,
        code: str,
        issuer: str,
        browser: str,
        redirect_uri: str,
        place: str,
        replacing: str = "",
    ) -> tuple[str, str]:
        """Sign in a person who comes back from a provider; return the session's secret and where to go on.

        1. The state is remit's, unused, and this very browser's: otherwise an attacker could push a foreign
           sign-in on it.
        2. The provider takes the code and returns an ID token for this sign-in.
        3. The rules determine the person; a subject once seen stays the same person.
        4. Groups and roles follow the provider; the session is new.
        """
        # Step 1.
        ticket = await self.tickets.look(state)
        visit = ticket.holds if ticket else None
        if not isinstance(visit, ProviderVisit) or not hmac.compare_digest(
            visit.browser, secret_digest(browser)
        ):
            raise await self._refuse("this sign-in was not started in this browser", "sign-in-state")
        try:
            await self._store.commit(Unit((self.tickets.use(state),)))
        except Conflict as conflict:
            raise await self._refuse(conflict.message, "sign-in-state") from None
        entrance = self._entrance(visit.provider)
        try:
            # Step 2.
            proven = await entrance.provider.redeem(
                code=code,
                issuer=issuer,
                redirect_uri=redirect_uri,
                verifier=visit.verifier,
                nonce=visit.nonce,
            )
            # Steps 3 and 4.
            person, link = await self._admit(entrance, proven, await self.seat(replacing))
            now = self._clock.now()
            since = proven.authenticated or now - UNTOLD
            if visit.fresh and now - since > FRESH:
                # OpenID Connect Core section 3.1.2.1: asked with `max_age`, the provider must return
                # `auth_time`.
                raise Forbidden(
                    "the provider does not confirm a recent authentication",
                    code="sign-in-fresh",
                    remediation="sign in with a passkey or a code, or configure the provider to return "
                    "`auth_time`",
                )
        except (Unauthenticated, Forbidden) as error:
            # A refusal by the rules is recorded like any other: the author of the rules must see it.
            await self._authenticator.refused(error, "sign-in")
            raise
        secret = await self.open(
            person,
            method=f"oidc:{visit.provider}",
            place=place,
            replacing=replacing,
            authenticated=min(since, now),
            coded_by=link.coded_by,
        )
        return secret, visit.then

    async def _admit(
        self, entrance: Entrance, proven: ProvenPerson, seat: BrowserSeat | None
    ) -> tuple[Person, Link]:
        rules, claims = entrance.rules, proven.claims
        check_required(rules, claims)
        link = await self._store.link(self._tenant, proven.issuer, proven.subject)
        name = link.person if link else name_from(rules, claims)
        person = await self._store.person(self._tenant, name)
        if person is None:
            if not rules.add_people or link is not None:
                raise Forbidden(
                    f"`{name}` is not known here",
                    code="sign-in-unknown",
                    remediation="ask an administrator to add you",
                )
            person = await self._directory.add_person(NewPerson(name=name), by="provider")
        elif (
            # A name proves nothing, and another provider may give it to any account: a person with authority
            # here, or with another way to sign in, confirms once, here, that the account is theirs.
            link is None
            and (seat is None or seat.person.name != name)
            and (
                person.roles
                or await self._store.links(self._tenant, name)
                or await self._store.passkeys(self._tenant, name)
            )
        ):
            raise Forbidden(
                f"`{name}` is not linked to this account yet",
                code="sign-in-connect",
                remediation="sign in with a code or a passkey first, then once with the provider",
            )
        if not person.active:
            raise Forbidden("this person may not sign in", code="sign-in-inactive")
        now_is, kept = await self._followed(person, admitted(rules, claims, person))
        changes: list[Change] = [*kept]
        events: list[Event] = []
        if link is None:
            link = Link(
                tenant=self._tenant,
                issuer=proven.issuer,
                subject=proven.subject,
                person=name,
                made=self._clock.now(),
                coded_by=seat.session.coded_by if seat and seat.person.name == name else (),
            )
            changes.append(PutLink(link))
            if seat and seat.person.name == name:
                # A person who was signed out in the meantime leaves no new way to sign in.
                changes.append(UseCredential(self._tenant, seat.session.digest))
            events.append(self._changed(name, "provider-connected"))
        if now_is != person:
            # The person may have been deactivated or changed in the meantime: the write must not undo that.
            changes += [UsePerson(self._tenant, name), PutPerson(now_is, was=person)]
            events.append(self._changed(name, "groups-followed", now_is))
        if changes:
            await self._store.commit(Unit(tuple(changes), tuple(events)))
        return now_is, link

    async def _followed(self, was: Person, now_is: Person) -> tuple[Person, tuple[Change, ...]]:
        """Return a person as changed by the provider's groups.

        One of the last administrators keeps that role.
        """
        try:
            kept = await keep_administrators(
                self._store, was, roles=now_is.roles, second_person=self._second_person
            )
        except Conflict:
            facts, about = {"groups": sorted(now_is.groups)}, f"person:{was.name}"
            await self._findings.see(FindingKind.LAST_ADMINISTRATOR, about, was.name, facts)
            return msgspec.structs.replace(now_is, roles=now_is.roles | {Role.ADMINISTRATOR}), ()
        return now_is, kept

    def _entrance(self, name: str) -> Entrance:
        found = self.entrances.get(name)
        if found is None:
            raise NotFound(f"provider `{name[:80]}` does not exist", remediation="start again")
        return found

    async def _refuse(self, message: str, code: str) -> Unauthenticated:
        error = Unauthenticated(message, code=code, remediation="start again", step=1)
        await self._authenticator.refused(error, "sign-in")
        return error
