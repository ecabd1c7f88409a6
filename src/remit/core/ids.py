# SPDX-License-Identifier: Apache-2.0
"""Identifiers: short, typed by their prefix, and unguessable where that matters.

The caller supplies the random bytes for an identifier, because core has no entropy source.
"""

from __future__ import annotations

import re

from remit.core.errors import Malformed

DEFAULT_TENANT = "default"

#: A name that people choose: agents, task types, upstreams, initiatives.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")

#: Random bytes behind an identifier: 80 bits, 16 characters of base32.
ID_BYTES = 10


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
# Two letters for each 10 bits: lower-case RFC 4648 base32, in an eighth of the time of `base64`.
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]


def make_id(prefix: str, entropy: bytes) -> str:
    """Return `prefix_` and 16 lower-case base32 characters from 10 random bytes."""
    if len(entropy) != ID_BYTES:
        raise ValueError(f"an id takes {ID_BYTES} random bytes, not {len(entropy)}")
    bits = int.from_bytes(entropy)
    return f"{prefix}_{''.join([_PAIRS[bits >> shift & 1023] for shift in range(70, -1, -10)])}"


#: Names that the evidence records where no person or agent acted: remit itself, and a provider of people.
RESERVED = frozenset({"remit", "provider"})


def check_subject(value: str, what: str) -> str:
    """Return `value` if it may name a person or an agent, else raise `Malformed`."""
    if value in RESERVED:
        raise Malformed(
            f"`{value}` cannot name {what}: evidence uses it for remit itself",
            code="name-reserved",
            remediation="choose another name",
        )
    return check_name(value, what)


def check_name(value: str, what: str) -> str:
    """Return `value` if it may name a `what`, else raise `Malformed` with the rule."""
    if not NAME.match(value):
        raise Malformed(
            f"`{value[:80]}` cannot name {what}",
            remediation="use 1 to 63 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit",
        )
    return value
