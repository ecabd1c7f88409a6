# SPDX-License-Identifier: Apache-2.0
"""The organisation's identity provider: people go there with their browser and come back proven."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from remit.core.json_value import Json


class ProvenPerson(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of somebody, its signature checked. `authenticated` is when they last proved
    themselves there; `None` where it does not say.
    """

    issuer: str
    subject: str
    claims: dict[str, Json]
    authenticated: datetime | None = None


class Provider(Protocol):
    """One OpenID Connect provider. Safe for many at once on one event loop; keeps its metadata and keys.

    Both methods raise `Unauthenticated` (codes begin with `sign-in-`) for what the provider or the browser
    brings and does not hold, and `SourceUnavailable` where the provider does not answer in bounded time.
    """

    @property
    def issuer(self) -> str:
        """Its issuer, as the configuration gives it."""
        ...

    async def address(
        self, *, redirect_uri: str, state: str, nonce: str, challenge: str, fresh: bool = False
    ) -> str:
        """Return where to send the browser (OpenID Connect Core section 3.1.2.1, with PKCE).

        `fresh` asks for a new proof of the person, whatever session they have there.
        """
        ...

    async def redeem(
        self, *, code: str, issuer: str, redirect_uri: str, verifier: str, nonce: str
    ) -> ProvenPerson:
        """Exchange the code that came back for a checked ID token (section 3.1.3).

        `issuer` is the `iss` that came with it (RFC 9207); empty where none did.
        """
        ...
