# SPDX-License-Identifier: Apache-2.0
"""Short texts whose kind is evident at a glance: most fields of most results.

INVARIANT: a glance never differs from the reading by `core.flow.values.destination`; it is only faster.
"""

from __future__ import annotations

import enum
import re

SHORT = 120
"""Longest text, in characters, that `glance` may classify."""
SHORTER = 40
"""Longest text, in characters, that skips the test for characters other than words."""


class FastPath(enum.StrEnum):
    """The kind of a short text at a glance: one address, a text without destinations, or unclear."""

    UNCLEAR = "unclear"
    ADDRESS = "address"
    TEXT = "text"


# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_UNCLEAR, _ADDRESS, _TEXT = FastPath.UNCLEAR, FastPath.ADDRESS, FastPath.TEXT

# The words are too short for base64 (12 characters), with no joining character between them. Rows of digits
# are too short for a telephone number (7), or have the form of a date, a time or an amount.
AN_ADDRESS = re.compile(
    r"[A-Za-z][A-Za-z0-9]{0,10}(?:\.[A-Za-z][A-Za-z0-9]{0,10}){0,3}"
    r"@(?:[A-Za-z][A-Za-z0-9]{0,10}\.){1,4}[A-Za-z]{2,11}"
)
SOME_WORDS = re.compile(r"(?:[A-Za-z]{1,11}(?:[ ,!?'()]{1,3}|[.:;] ))*[A-Za-z]{0,11}[.!?]?")
A_VALUE = re.compile(
    r"-?[0-9]{1,6}(?:\.[0-9]{1,4})?"
    r"|[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?:(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|\+[0-9]{2}:[0-9]{2})?"
    r"|(?::[0-9]{2})?-[0-9]{2}:[0-9]{2}))?"
    r"|[A-Za-z_][A-Za-z_]{0,4}-?[0-9]{1,5}"
    # No base64 of a text begins with these letters (`core.flow.values.encodings`), and `00` begins a
    # telephone number.
    r"|[g-v][A-Za-z]{0,9}_(?!00)[0-9]{1,11}"
)
_OF_WORDS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ,!?'().:;"


def glance(text: str) -> FastPath:
    """Classify a text of at most `SHORT` characters."""
    if "@" in text:
        return _ADDRESS if AN_ADDRESS.fullmatch(text) else _UNCLEAR
    if text[-1:].isdecimal() or text[:1].isdecimal():
        return _TEXT if A_VALUE.fullmatch(text) else _UNCLEAR
    if len(text) > SHORTER and text.encode("utf-8", "replace").translate(None, _OF_WORDS):
        return _UNCLEAR
    return _TEXT if SOME_WORDS.fullmatch(text) else _UNCLEAR
