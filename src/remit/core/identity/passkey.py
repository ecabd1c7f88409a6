# SPDX-License-Identifier: Apache-2.0
"""The stored sign-in methods of people: passkeys, and accounts at the organisation's provider."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A credential of WebAuthn (level 3): its id and public key (COSE), both base64url.

    `counter` is the authenticator's signature counter at its last use; 0 for an authenticator without a
    counter. `backed_up` marks a passkey that its provider copies to other devices. `coded_by` names the
    creators of the sign-in code by which the person was signed in when registering the passkey.
    """

    tenant: str
    id: str
    person: str
    public_key: str
    counter: int = 0
    name: str = ""
    backed_up: bool = False
    made: datetime
    last_used: datetime | None = None
    coded_by: tuple[str, ...] = ()


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link from a subject of the organisation's provider to a person here.

    A provider never reuses a subject, but may reuse a name or an address, so from the first sign-in on the
    subject decides. `coded_by` names the creators of the sign-in code by which the person was signed in when
    connecting the account.
    """

    tenant: str
    issuer: str
    subject: str
    person: str
    made: datetime
    coded_by: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """A name for the link that reveals nothing about the account."""
        return hashlib.sha256(f"{self.issuer}\n{self.subject}".encode()).hexdigest()[:16]
