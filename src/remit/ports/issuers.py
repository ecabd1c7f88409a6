# SPDX-License-Identifier: Apache-2.0
"""Issuers that are trusted by configuration, and the tokens that they sign."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Protocol

import msgspec

from remit.core.json_value import Json


class IssuerUse(enum.StrEnum):
    """What an issuer is trusted for; each issuer only for what the configuration states.

    `workloads`: its subjects are programs. `people`: its subjects are people of the organisation. `id-jag`:
    it states which agent may act for which person (identity assertion JWT authorization grant). `signals`: it
    reports what happened to subjects elsewhere (security event tokens).
    """

    WORKLOADS = "workloads"
    PEOPLE = "people"
    ID_JAG = "id-jag"
    SIGNALS = "signals"


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token whose signature, issuer, audience and times are valid.

    `name` is the issuer's name in the configuration, `instance` the running copy that the token was issued
    to, where the issuer's platform states it. `posture` are the claims that the configuration lets in for
    policies, by their names there.
    """

    name: str
    issuer: str
    subject: str
    expires: datetime
    header: dict[str, Json]
    claims: dict[str, Json]
    token_id: str = ""
    instance: str = ""
    posture: dict[str, Json] = {}


class SignedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token whose issuer, type and signature are valid; its claims were not checked yet."""

    name: str
    issuer: str
    header: dict[str, Json]
    claims: dict[str, Json]


class TrustedIssuers(Protocol):
    """Verifies tokens of other issuers.

    Safe for many at once on one event loop; a slow issuer delays only its own tokens. Known keys stay usable
    during an outage; an unknown key fails in bounded time.
    """

    def trusts(self, token: str, use: IssuerUse) -> bool:
        """Return whether the token claims an issuer that is trusted for this use. No I/O, never raises."""
        ...

    async def verify(
        self, token: str, *, use: IssuerUse, audience: str = "", token_type: str = ""
    ) -> IssuedToken:
        """Return header and claims of a token that is valid now; raises `Unauthenticated`.

        `audience` is one that the token must have in `aud`; empty: the one that the configuration sets for
        this issuer. `token_type` is the header's `typ` that it must have; empty: none of those that mark a
        token for another purpose. Codes: `token-malformed`, `token-issuer`, `token-type`, `token-algorithm`,
        `token-signature`, `token-audience`, `token-expired`, `token-not-yet-valid`, `token-claims`,
        `issuer-unavailable`.
        """
        ...

    async def signed(self, token: str, *, use: IssuerUse, token_type: str) -> SignedToken:
        """Return header and claims of a token whose signature is valid; raises `Unauthenticated`.

        For tokens without the claims of RFC 7519 that `verify` checks: the caller checks audience and times.
        `token_type` is the header's `typ` that the token must have. Codes as those of `verify`.
        """
        ...
