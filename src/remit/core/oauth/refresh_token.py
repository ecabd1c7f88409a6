# SPDX-License-Identifier: Apache-2.0
"""What is kept of issued tokens: families of refresh tokens, by which a stolen one is known.

Access tokens are not kept. A refresh token is opaque and works once; with each use it is replaced. If one
comes a second time, somebody has it who should not, and nobody can tell who: the whole family ends (RFC 9700
section 4.14.2).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.identity.workload import Assurance, AttestationMethod, Confirmation


class TokenFamily(msgspec.Struct, frozen=True, kw_only=True):
    """Everything issued under one grant: its access tokens carry the family's id.

    `client_id` is how the client names itself, `agent` which agent that is here. `public` is a client that
    cannot prove itself: its refresh tokens are bound to `confirmation` alone. `audience` and `scope` are what
    was granted; a refresh asks for no more.
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
    """One refresh token, by the SHA-256 of its text."""

    tenant: str
    digest: str
    family: str
    made: datetime
    expires: datetime
    used: datetime | None = None
