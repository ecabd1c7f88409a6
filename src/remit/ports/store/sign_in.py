# SPDX-License-Identifier: Apache-2.0
"""What people sign in with, in the store."""

from __future__ import annotations

from typing import Protocol

from remit.core.identity.passkey import Link, Passkey
from remit.core.identity.principals import Person
from remit.core.oauth.one_time_code import OneTimeCode
from remit.ports.store.changes import Credential
from remit.ports.store.principals import PrincipalStore


class SignInStore(PrincipalStore, Protocol):
    """Sessions, one-time codes, passkeys, and accounts at issuers, beside the people whose they are.

    Durability, concurrency and errors: `UnitStore`.
    """

    async def credential(self, tenant: str, digest: str) -> Credential | None:
        """Return a credential by the digest of its secret, expired or not."""

    async def signed_in(self, tenant: str, digest: str) -> tuple[Credential, Person] | None:
        """Return a credential by the digest of its secret, expired or not, and whose it is."""

    async def credentials(self, tenant: str, *, person: str, kind: str = "") -> list[Credential]:
        """Return the credentials of a person, newest first; one that ran out may be gone."""

    async def passkey(self, tenant: str, passkey_id: str) -> Passkey | None:
        """Return a passkey by its id."""

    async def passkeys(self, tenant: str, person: str) -> list[Passkey]:
        """Return the passkeys of a person."""

    async def link(self, tenant: str, issuer: str, subject: str) -> Link | None:
        """Return whom a subject of an issuer is here."""

    async def links(self, tenant: str, person: str) -> list[Link]:
        """Return the accounts that a person has at issuers."""

    async def ticket(self, tenant: str, digest: str) -> OneTimeCode | None:
        """Return a ticket by the digest of its value, used or not; one that ran out may be gone."""
