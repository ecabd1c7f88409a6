# SPDX-License-Identifier: Apache-2.0
"""How long the keys of each kind overlap, wherever they are stored."""

from __future__ import annotations

from datetime import timedelta

from remit.adapters.keys.key_versions import Rules
from remit.core.keys.own_keys import KeyKind

#: Longer than the life of any own token (`limits.token_ttl_s` is at most an hour) plus the clock difference.
TOKEN_OVERLAP = timedelta(hours=1, minutes=5)

#: For this time the previous key signs heads of the log beside the current one, so that a verifier who checks
#: once a month still learns the new key from the old one.
CHECKPOINT_OVERLAP = timedelta(days=35)

#: Most keys that sign one head, however often they were rotated: a note holds a hundred signatures.
MAX_SIGNERS = 8

CHECKPOINT_RULES = Rules(kind=KeyKind.CHECKPOINT, overlap=CHECKPOINT_OVERLAP, ahead=False, remembered=True)
SEALING_RULES = Rules(kind=KeyKind.SEALING, overlap=None, ahead=False)


def jwt_rules(kind: KeyKind, overlap: timedelta | None) -> Rules:
    """Return the rules of keys that sign JWTs."""
    return Rules(kind=kind, overlap=TOKEN_OVERLAP if overlap is None else overlap)


def authority_rules(overlap: timedelta) -> Rules:
    """Return the rules of a certificate authority."""
    return Rules(kind=KeyKind.CA, overlap=overlap)
