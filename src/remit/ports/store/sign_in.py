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
        """Return a credential by the digest of its secret, expired or not, and its person."""

    async def credentials(self, tenant: str, *, person: str, kind: str = "") -> list[Credential]:
        """Return the credentials of a person, newest first; expired ones may be missing."""

    async def passkey(self, tenant: str, passkey_id: str) -> Passkey | None:
        """Return a passkey by its id."""

    async def passkeys(self, tenant: str, person: str) -> list[Passkey]:
        """Return the passkeys of a person."""

    async def link(self, tenant: str, issuer: str, subject: str) -> Link | None:
        """Return the link of an issuer's subject to a person here."""

    async def links(self, tenant: str, person: str) -> list[Link]:
        """Return the accounts that a person has at issuers."""

    async def ticket(self, tenant: str, digest: str) -> OneTimeCode | None:
        """Return a one-time code by the digest of its value, used or not; an expired one may be missing."""
