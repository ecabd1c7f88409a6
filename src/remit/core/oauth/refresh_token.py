# SPDX-License-Identifier: Apache-2.0
"""The stored records of issued tokens: families of refresh tokens, which reveal a stolen token.

Access tokens are not stored. A refresh token is opaque and works once; each use replaces it. A second use
means that an unauthorised party has the token, and the two parties cannot be told apart: so the whole family
ends (RFC 9700 section 4.14.2).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.identity.workload import Assurance, AttestationMethod, Confirmation


class TokenFamily(msgspec.Struct, frozen=True, kw_only=True):
    """Everything issued under one grant: its access tokens carry the family's id.

    `client_id` is the client's own identifier, `agent` the agent here. `public` marks a client that cannot
    authenticate: its refresh tokens are bound only to `confirmation`. `audience` and `scope` are as granted;
    a refresh never exceeds them.
    """

    tenant: str
    id: str
    client_id: str
    agent: str
    task: str
    audience: tuple[str, ...]
    scope: str = ""
    confirmation: Confirmation = Confirmation()
    public: bool = False
    assurance: Assurance = Assurance.ASSERTED
    attestation: AttestationMethod | None = None
    started: datetime
    expires: datetime


class RefreshToken(msgspec.Struct, frozen=True, kw_only=True):
    """One refresh token, stored as the SHA-256 of its text."""

    tenant: str
    digest: str
    family: str
    made: datetime
    expires: datetime
    used: datetime | None = None
