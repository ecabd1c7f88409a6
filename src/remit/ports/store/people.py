# SPDX-License-Identifier: Apache-2.0
"""Changes of the store about people at their browsers: tickets, passkeys, links to the organisation."""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.identity.passkey import Link, Passkey
from remit.core.oauth.one_time_code import OneTimeCode


class PutOneTimeCode(msgspec.Struct, frozen=True):
    """Keep a ticket; those that ran out before it was made may be dropped."""

    ticket: OneTimeCode


class UseOneTimeCode(msgspec.Struct, frozen=True):
    """Use a ticket up; `Conflict` unless it is there, unused, and not run out at `now`.

    `outcome` is kept with it, so that whoever sees a second use knows what to take back.
    """

    tenant: str
    digest: str
    now: datetime
    outcome: str = ""


class PutPasskey(msgspec.Struct, frozen=True):
    """Keep a new passkey; `Conflict` if there is one with its id."""

    passkey: Passkey


class UsePasskey(msgspec.Struct, frozen=True):
    """Remember that a passkey was used; `Conflict` if it is not there.

    `Conflict` as well if `counter` has not risen, unless both the kept one and this one are 0 (WebAuthn
    level 3 section 7.2): the passkey was copied, or an answer replayed.
    """

    tenant: str
    id: str
    counter: int
    now: datetime


class DropPasskey(msgspec.Struct, frozen=True):
    """Delete a passkey of a person; `Conflict` if they have none with this id."""

    tenant: str
    id: str
    person: str


class PutLink(msgspec.Struct, frozen=True):
    """Keep whom a subject is here; `Conflict` if the subject is another person already, or the person another
    subject of the same issuer.
    """

    link: Link


class DropLink(msgspec.Struct, frozen=True):
    """Forget whom a subject is here; `Conflict` if it is not this person."""

    tenant: str
    issuer: str
    subject: str
    person: str


PeopleChange = PutOneTimeCode | UseOneTimeCode | PutPasskey | UsePasskey | DropPasskey | PutLink | DropLink
