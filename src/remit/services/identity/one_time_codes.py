# SPDX-License-Identifier: Apache-2.0
"""One-time codes: opaque values that travel once through a browser. Makes them and uses them up."""

from __future__ import annotations

import base64
from datetime import timedelta

from remit.core.oauth.one_time_code import Held, OneTimeCode
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import PutOneTimeCode, UseOneTimeCode
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.identity.authenticator import secret_digest


class OneTimeCodes:
    """Makes one-time codes and uses them up."""

    def __init__(self, store: SignInStore, clock: Clock, entropy: Entropy, tenant: str) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant

    def make(self, holds: Held, lasts: timedelta, *, value: str = "") -> tuple[str, PutOneTimeCode]:
        """Return a new code's value, 256 random bits unless given, and the change that stores it."""
        value = value or base64.urlsafe_b64encode(self._entropy.bytes(32)).rstrip(b"=").decode()
        now = self._clock.now()
        ticket = OneTimeCode(
            tenant=self._tenant, digest=secret_digest(value), created=now, expires=now + lasts, holds=holds
        )
        return value, PutOneTimeCode(ticket)

    async def issue(self, holds: Held, lasts: timedelta) -> str:
        """Keep a new ticket, and return its value."""
        value, keep = self.make(holds, lasts)
        await self._store.commit(Unit((keep,)))
        return value

    async def look(self, value: str) -> OneTimeCode | None:
        """Return a code, used or not."""
        return await self._store.ticket(self._tenant, secret_digest(value)) if value else None

    def use(self, value: str, outcome: str = "") -> UseOneTimeCode:
        """Return the change that uses a code up."""
        return UseOneTimeCode(self._tenant, secret_digest(value), self._clock.now(), outcome)
