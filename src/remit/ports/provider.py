# SPDX-License-Identifier: Apache-2.0
"""The organisation's identity provider: people authenticate there with their browser and return."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from remit.core.json_value import Json


class ProvenPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's statement about a person, with its signature checked.

    `authenticated` is when the person last authenticated there; `None` where the provider does not state it.
    """

    issuer: str
    subject: str
    claims: dict[str, Json]
    authenticated: datetime | None = None


class Provider(Protocol):
    """One OpenID Connect provider. Safe for many at once on one event loop; keeps its metadata and keys.

    Both methods raise `Unauthenticated` (codes begin with `sign-in-`) for invalid data from the provider or
    the browser, and `SourceUnavailable` where the provider does not answer in bounded time.
    """

    @property
    def issuer(self) -> str:
        """The provider's issuer, as configured."""
        ...

    async def address(
        self, *, redirect_uri: str, state: str, nonce: str, challenge: str, fresh: bool = False
    ) -> str:
        """Return where to send the browser (OpenID Connect Core section 3.1.2.1, with PKCE).

        `fresh` requests a new authentication of the person, whatever session the person has there.
        """
        ...

    async def redeem(
        self, *, code: str, issuer: str, redirect_uri: str, verifier: str, nonce: str
    ) -> ProvenPerson:
        """Exchange the returned code for a checked ID token (section 3.1.3).

        `issuer` is the `iss` that came with the code (RFC 9207); empty where none came.
        """
        ...
