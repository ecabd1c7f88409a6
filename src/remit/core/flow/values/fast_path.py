# SPDX-License-Identifier: Apache-2.0
"""Short texts that say at a glance what they are: most fields of most results.

INVARIANT: a glance never differs from what `core.flow.values.destination` finds by reading the text; it is
only faster.
"""

from __future__ import annotations

import enum
import re

SHORT = 120
"""Characters of a text that is worth a glance."""
SHORTER = 40
"""Characters of one that is looked at without asking first whether it has nothing but words."""


class FastPath(enum.StrEnum):
    """What a short text is at a glance: one address, a text in which no destination stands, or either."""

    UNCLEAR = "unclear"
    ADDRESS = "address"
    TEXT = "text"


# Names of their own, as each look at a class of constants costs the interpreter a search.
_UNCLEAR, _ADDRESS, _TEXT = FastPath.UNCLEAR, FastPath.ADDRESS, FastPath.TEXT

# Words are too short for base64 (12 characters), with nothing between them that joins; rows of digits are too
# short for a telephone number (7), or have the form of a moment or an amount.
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
    # With these letters no base64 of a text begins (`core.flow.values.encodings`), and `00` begins a
    # telephone number.
    r"|[g-v][A-Za-z]{0,9}_(?!00)[0-9]{1,11}"
)
_OF_WORDS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ,!?'().:;"


def glance(text: str) -> FastPath:
    """Look at a text of at most `SHORT` characters."""
    if "@" in text:
        return _ADDRESS if AN_ADDRESS.fullmatch(text) else _UNCLEAR
    if text[-1:].isdecimal() or text[:1].isdecimal():
        return _TEXT if A_VALUE.fullmatch(text) else _UNCLEAR
    if len(text) > SHORTER and text.encode("utf-8", "replace").translate(None, _OF_WORDS):
        return _UNCLEAR
    return _TEXT if SOME_WORDS.fullmatch(text) else _UNCLEAR
