# SPDX-License-Identifier: Apache-2.0
"""Remit's own keys as facts: for what they serve, and where each stands between its making and its end."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec


class KeyKind(enum.StrEnum):
    """For what a key serves. No key serves for two things."""

    TOKEN = "token"
    CHECKPOINT = "checkpoint"
    SEALING = "sealing"
    CA = "ca"
    SVID = "svid"


#: What each kind does, for people.
SERVES: dict[KeyKind, str] = {
    KeyKind.TOKEN: "signs access tokens",
    KeyKind.CHECKPOINT: "signs the head of the evidence log",
    KeyKind.SEALING: "wraps the subjects' keys, which seal values in the evidence",
    KeyKind.CA: "signs X.509-SVIDs of remit's trust domain",
    KeyKind.SVID: "signs JWT-SVIDs of remit's trust domain",
}


class KeyStanding(enum.StrEnum):
    """Where a key stands.

    `next` is published and does not sign yet. `current` signs. `previous` has handed over, and what it signed
    is still accepted. `retired` is destroyed: only what it signed before can be checked.
    """

    NEXT = "next"
    CURRENT = "current"
    PREVIOUS = "previous"
    RETIRED = "retired"


class HeldKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key of ours, without the key.

    `id` names it where it is published: the RFC 7638 thumbprint (`token`, `svid`), the verifier
    (`checkpoint`), the subject key identifier (`ca`), or a digest (`sealing`). `until` is when a previous
    key's work is accepted no longer; `None` while that is open.
    """

    kind: KeyKind
    id: str
    standing: KeyStanding
    made: datetime
    until: datetime | None = None
