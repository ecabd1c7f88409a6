# SPDX-License-Identifier: Apache-2.0
"""Short texts that say at a glance what they are: most fields of most results.

INVARIANT: a glance never differs from what `core.destination` finds by reading the text; it is only faster.
"""

from __future__ import annotations

import enum
import re

SHORT = 80
"""Characters of a text that is worth a glance."""


class Glance(enum.StrEnum):
    """What a short text is at a glance: one address, a text in which no destination stands, or either."""

    UNCLEAR = "unclear"
    ADDRESS = "address"
    TEXT = "text"


# Words are too short for base64 (12 characters), with nothing between them that joins; rows of digits are too
# short for a telephone number (7), or have the form of a moment or an amount.
AT_A_GLANCE = re.compile(
    r"([A-Za-z][A-Za-z0-9]{0,10}(?:\.[A-Za-z][A-Za-z0-9]{0,10}){0,3}"
    r"@(?:[A-Za-z][A-Za-z0-9]{0,10}\.){1,4}[A-Za-z]{2,11})"
    r"|(?:[A-Za-z]{1,11}(?:[ ,!?'()]{1,3}|[.:;] ))*[A-Za-z]{0,11}[.!?]?"
    r"|-?[0-9]{1,6}(?:\.[0-9]{1,4})?"
    r"|[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?:(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|\+[0-9]{2}:[0-9]{2})?"
    r"|(?::[0-9]{2})?-[0-9]{2}:[0-9]{2}))?"
    r"|[A-Za-z_][A-Za-z_]{0,4}-?[0-9]{1,5}"
    # With these letters no base64 of a text begins (`core.encoding`), and `00` begins a telephone number.
    r"|[g-v][A-Za-z]{0,9}_(?!00)[0-9]{1,11}"
)


def glance(text: str) -> Glance:
    """Look at a text of at most `SHORT` characters."""
    seen = AT_A_GLANCE.fullmatch(text)
    return Glance.UNCLEAR if seen is None else Glance.TEXT if seen[1] is None else Glance.ADDRESS
