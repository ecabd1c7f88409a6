# SPDX-License-Identifier: Apache-2.0
"""remit's own keys as facts: their purpose, and their state between creation and destruction."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec


class KeyKind(enum.StrEnum):
    """The purpose of a key. No key has two purposes."""

    TOKEN = "token"
    CHECKPOINT = "checkpoint"
    SEALING = "sealing"
    CA = "ca"
    SVID = "svid"


#: The purpose of each kind, for people.
SERVES: dict[KeyKind, str] = {
    KeyKind.TOKEN: "signs access tokens",
    KeyKind.CHECKPOINT: "signs the head of the evidence log",
    KeyKind.SEALING: "wraps the subjects' keys, which seal values in the evidence",
    KeyKind.CA: "signs X.509-SVIDs of remit's trust domain",
    KeyKind.SVID: "signs JWT-SVIDs of remit's trust domain",
}


class KeyStanding(enum.StrEnum):
    """The state of a key.

    `next` is published and does not sign yet. `current` signs. `previous` has been replaced; its signatures
    are still accepted. `retired` is destroyed: only signatures from before that can be verified.
    """

    NEXT = "next"
    CURRENT = "current"
    PREVIOUS = "previous"
    RETIRED = "retired"


class HeldKey(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one of remit's own keys, without the key material.

    `id` is its published identifier: the RFC 7638 thumbprint (`token`, `svid`), the verifier (`checkpoint`),
    the subject key identifier (`ca`), or a digest (`sealing`). `until` is the time from which a previous
    key's signatures are no longer accepted; `None` while that is open.
    """

    kind: KeyKind
    id: str
    standing: KeyStanding
    made: datetime
    until: datetime | None = None
