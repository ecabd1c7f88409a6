# SPDX-License-Identifier: Apache-2.0
"""Passkeys (WebAuthn level 3): registering one, and signing in with one.

A passkey belongs to the host of remit's pages. It is discoverable, so a person need not type a name, and it
always verifies its user: each use needs a finger, a face or a PIN.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from remit.core.errors import Conflict, Forbidden, Malformed, Unauthenticated
from remit.core.evidence.event import Event
from remit.core.evidence.events.people import PersonChanged
from remit.core.identity.passkey import Passkey
from remit.core.identity.principals import Person
from remit.core.json_value import Json
from remit.core.oauth.client_metadata import is_ip_address
from remit.core.oauth.one_time_code import PasskeyCeremony
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import DropPasskey, PutPasskey, UseCredential, UsePasskey, UsePerson
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.identity.authenticator import Authenticator, secret_digest
from remit.services.people.sessions import BrowserSeat, BrowserSessions

if TYPE_CHECKING:
    from remit.services.people.webauthn import WebAuthn


#: How long a challenge can be answered.
CEREMONY = timedelta(minutes=5)
MOST_PER_PERSON = 10
MAX_NAME_CHARS = 60


class Passkeys:
    """Registers passkeys, and signs people in with them."""

    def __init__(
        self,
        *,
        store: SignInStore,
        clock: Clock,
        entropy: Entropy,
        authenticator: Authenticator,
        browsers: BrowserSessions,
        tenant: str,
        origin: str,
        wanted: bool = True,
    ) -> None:
        """Take the dependencies; `origin` is that of remit's pages, `wanted` enables passkeys."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._authenticator = authenticator
        self._browsers = browsers
        self._tenant = tenant
        self._origin = origin
        self._host = urlsplit(origin).hostname or ""
        self._wanted = wanted

    @property
    def offered(self) -> bool:
        """Return whether passkeys are possible.

        WebAuthn needs a host name and, except on the local machine, TLS.
        """
        secure = self._origin.startswith("https://") or self._host == "localhost"
        return self._wanted and secure and not is_ip_address(self._host)

    async def begin_registration(self, person: Person, browser: str) -> Json:
        """Return the options of `navigator.credentials.create` for a new passkey of a person."""
        self._need()
        mine = await self._store.passkeys(self._tenant, person.name)
        if len(mine) >= MOST_PER_PERSON:
            raise Forbidden(
                f"the limit of {MOST_PER_PERSON} passkeys is reached", remediation="remove one first"
            )
        challenge = await self._challenge(browser, person.name)
        handle = self._user_handle(person.name)
        return self._webauthn().to_register(challenge, person.name, handle, [one.id for one in mine])

    async def register(self, seat: BrowserSeat, browser: str, credential: Json, name: str) -> Passkey:
        """Store a new passkey of the person at the browser.

        Raises `Unauthenticated` where the answer does not fit its challenge, or the session has ended.
        """
        self._need()
        person = seat.person
        ceremony, challenge = await self._answered(credential, browser)
        if ceremony.person != person.name:
            raise await self._refuse("this challenge belongs to another person")
        try:
            proven = self._webauthn().registered(credential, ceremony.challenge)
        except ValueError as error:
            raise await self._refuse("the passkey's response does not verify", str(error)) from None
        passkey = Passkey(
            tenant=self._tenant,
            id=proven.id,
            person=person.name,
            public_key=proven.public_key,
            counter=proven.counter,
            name=" ".join(name.split())[:MAX_NAME_CHARS],
            backed_up=proven.backed_up,
            made=self._clock.now(),
            coded_by=seat.session.coded_by,
        )
        use = self._browsers.tickets.use(challenge)
        event = self._changed(person.name, "passkey-registered")
        try:
            known = UsePerson(self._tenant, person.name), UseCredential(self._tenant, seat.session.digest)
            await self._store.commit(Unit((*known, use, PutPasskey(passkey)), (event,)))
        except Conflict as conflict:
            raise await self._refuse(conflict.message) from None
        return passkey

    async def begin_sign_in(self, browser: str) -> Json:
        """Return the options of `navigator.credentials.get`; the answer names the passkey's owner."""
        self._need()
        return self._webauthn().to_sign_in(await self._challenge(browser, ""))

    async def sign_in(self, browser: str, credential: Json, *, place: str, replacing: str = "") -> str:
        """Sign in with a passkey; return the secret of a new session. Raises `Unauthenticated`."""
        self._need()
        ceremony, challenge = await self._answered(credential, browser)
        found = await self._store.passkey(self._tenant, str(credential.get("id", ""))[:2000])
        person = await self._store.person(self._tenant, found.person) if found else None
        if ceremony.person or found is None or person is None or not person.active:
            raise await self._refuse("this passkey is not registered here")
        try:
            counter = self._webauthn().signed_in(
                credential, ceremony.challenge, found.public_key, self._user_handle(person.name)
            )
        except ValueError as error:
            raise await self._refuse("the passkey's response does not verify", str(error)) from None
        changes = (
            self._browsers.tickets.use(challenge),
            UsePasskey(self._tenant, found.id, counter, self._clock.now()),
        )
        return await self._browsers.open(
            person,
            method="passkey",
            place=place,
            replacing=replacing,
            coded_by=found.coded_by,
            changes=changes,
        )

    async def of(self, person: str) -> list[Passkey]:
        """Return a person's passkeys."""
        return await self._store.passkeys(self._tenant, person)

    async def remove(self, person: str, passkey_id: str) -> None:
        """Remove a passkey of a person; raises `Conflict` where the person has no such passkey."""
        event = self._changed(person, "passkey-removed")
        await self._store.commit(Unit((DropPasskey(self._tenant, passkey_id, person),), (event,)))

    def _webauthn(self) -> WebAuthn:
        from remit.services.people.webauthn import WebAuthn

        return WebAuthn(self._host, self._origin)

    async def _challenge(self, browser: str, person: str) -> bytes:
        challenge = self._entropy.bytes(32)
        text = urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii")
        holds = PasskeyCeremony(challenge=text, browser=secret_digest(browser), person=person)
        _, keep = self._browsers.tickets.make(holds, CEREMONY, value=text)
        await self._store.commit(Unit((keep,)))
        return challenge

    async def _answered(self, credential: Json, browser: str) -> tuple[PasskeyCeremony, str]:
        """Return the ceremony that an answer belongs to, with its challenge, which is not used up yet."""
        try:
            challenge = self._webauthn().challenge_of(credential)
        except ValueError as error:
            raise Malformed("this is not a passkey response", debug=str(error)) from None
        ticket = await self._browsers.tickets.look(challenge)
        ceremony = ticket.holds if ticket and ticket.open_at(self._clock.now()) else None
        if not isinstance(ceremony, PasskeyCeremony) or ceremony.browser != secret_digest(browser):
            raise await self._refuse(
                "this challenge belongs to another browser, was already used or has expired"
            )
        return ceremony, challenge

    def _user_handle(self, person: str) -> bytes:
        # WebAuthn level 3 section 14.6.1: it reveals nothing about the person to a reader of the
        # authenticator.
        return hashlib.sha256(f"remit passkey {self._tenant} {person}".encode()).digest()

    def _changed(self, person: str, change: str) -> Event:
        told = PersonChanged(change=change, person=person, by=person)
        return Event.of(told, at=self._clock.now(), tenant=self._tenant, subject=person)

    def _need(self) -> None:
        if not self.offered:
            raise Forbidden(
                "passkeys are not enabled",
                remediation="give remit a host name (`listen.public_url`), and set `sign_in.passkeys` "
                "to true",
            )

    async def _refuse(self, message: str, debug: str = "") -> Unauthenticated:
        error = Unauthenticated(
            message, code="sign-in-passkey", remediation="start again", debug=debug, step=1
        )
        await self._authenticator.refused(error, "sign-in")
        return error
