# SPDX-License-Identifier: Apache-2.0
"""Issuers that are trusted by configuration, and the tokens that they sign."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Protocol

import msgspec

from remit.core.json_value import Json


class IssuerUse(enum.StrEnum):
    """For what an issuer is believed; each issuer for what the configuration says, and nothing else.

    `workloads`: its subjects are programs. `people`: its subjects are people of the organisation. `id-jag`:
    it says which agent may act for which person (identity assertion JWT authorization grant). `signals`: it
    tells of what happened to subjects elsewhere (security event tokens).
    """

    WORKLOADS = "workloads"
    PEOPLE = "people"
    ID_JAG = "id-jag"
    SIGNALS = "signals"


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token whose signature, issuer, audience and times hold.

    `name` is how the configuration calls the issuer, `instance` the running copy that the token was issued
    to, where the issuer's platform says so.
    """

    name: str
    issuer: str
    subject: str
    expires: datetime
    header: dict[str, Json]
    claims: dict[str, Json]
    token_id: str = ""
    instance: str = ""


class SignedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token whose issuer, type and signature hold, and nothing else yet: its claims were not looked at."""

    name: str
    issuer: str
    header: dict[str, Json]
    claims: dict[str, Json]


class TrustedIssuers(Protocol):
    """Verifies tokens of others. Safe for many at once on one event loop; a slow issuer delays only tokens
    of its own. Keys that are known go on during an outage; an unknown key fails in bounded time.
    """

    def trusts(self, token: str, use: IssuerUse) -> bool:
        """Whether the token says it is of an issuer trusted for this use. No I/O, never raises."""
        ...

    async def verify(
        self, token: str, *, use: IssuerUse, audience: str = "", token_type: str = ""
    ) -> IssuedToken:
        """Return header and claims of a token that holds now; raises `Unauthenticated`.

        `audience` is one the token must have in `aud`; empty: the one that the configuration gives for this
        issuer. `token_type` is the header's `typ` that it must have; empty: none of those that mark a token
        for another purpose. Codes: `token-malformed`, `token-issuer`, `token-type`, `token-algorithm`,
        `token-signature`, `token-audience`, `token-expired`, `token-not-yet-valid`, `token-claims`,
        `issuer-unavailable`.
        """
        ...

    async def signed(self, token: str, *, use: IssuerUse, token_type: str) -> SignedToken:
        """Return header and claims of a token whose signature holds; raises `Unauthenticated`.

        For tokens that have not the claims of RFC 7519 that `verify` checks: whoever asks reads audience and
        times. `token_type` is the header's `typ` that it must have. Codes as those of `verify`.
        """
        ...
