# SPDX-License-Identifier: Apache-2.0
"""What is kept of the ways in which people sign in: passkeys, and who they are at the organisation."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A credential of WebAuthn (level 3): its id and public key (COSE), both base64url.

    `counter` is the authenticator's signature counter when it was last used; 0 for one that does not count.
    `backed_up` tells a passkey that its provider copies to other devices. `coded_by` is who made the sign-in
    code that the person was signed in by when it was registered.
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
    """Whom a subject of the organisation's provider is here. A subject is never used again for another; a
    name or an address may be, so it is the subject that counts from the first sign-in on. `coded_by` is who
    made the sign-in code that the person was signed in by when they connected it.
    """

    tenant: str
    issuer: str
    subject: str
    person: str
    made: datetime
    coded_by: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """A name for it; it tells nothing of the account."""
        return hashlib.sha256(f"{self.issuer}\n{self.subject}".encode()).hexdigest()[:16]
