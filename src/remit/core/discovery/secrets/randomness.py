# SPDX-License-Identifier: Apache-2.0
"""Whether a value looks random, like words, or like a password that a person made up.

No dictionary: a table tells how common each pair of letters is in words of English, German, French and
Spanish and in names of code, from 0 (never) to 9. In words the mean is above 5, in random letters below it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

_PAIRS: Final = [
    "05651240503766050767433340",
    "74547223651733640564610152",
    "70427116506632820547521030",
    "63358330711533630564521230",
    "52674432302557242776143530",
    "61336621800522731655600040",
    "61328245600536530663631012",
    "71248202701443710545500041",
    "54655450001658640566050304",
    "70328210505302740454705041",
    "51348342700625441374415120",
    "72358211702613730155420060",
    "75248100602353670153500030",
    "62666472514324530267441020",
    "34562440414567560755645210",
    "71337313602612651756512040",
    "20040232330414000552903011",
    "72458340603354630565432040",
    "51527335604433551268623040",
    "62438316700433630665413141",
    "55545440500667360767100000",
    "72209221700132530221032111",
    "72347306711416622664023310",
    "54647503601531472447122342",
    "54546432600566570576244123",
    "62309021710433610343413231",
]
_COMMON: Final = {
    (97 + first, 97 + second): int(_PAIRS[first][second]) for first in range(26) for second in range(26)
}
#: Means below are random letters in nineteen of twenty cases; words are above as often.
WORDS_FROM: Final = 4.8
_CLASS: Final = bytes(
    1 if 48 <= b <= 57 else 2 if 65 <= b <= 90 else 3 if 97 <= b <= 122 else 0 for b in range(256)
)
_CAMEL: Final = re.compile(rb"[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z])")
_LETTERS: Final = re.compile(rb"[A-Za-z]{2,}")
_MARK: Final = re.compile(rb"(?:[0-9a-f]{5,8}|[A-Za-z]{2,12}\d{1,4})\Z")
_BETWEEN: Final = re.compile(rb"[-_.:/]")
#: So much of a long value is looked at.
_JUDGED_BYTES: Final = 256
#: Shorter values cannot be told apart by how often their characters change class.
_LONG: Final = 12


def commonness(value: bytes) -> float:
    """Return the mean of all pairs of letters that stand together, 5.0 if there is none."""
    low = value.lower()
    found = [_COMMON[pair] for pair in pairwise(low) if pair in _COMMON]
    return sum(found) / len(found) if found else 5.0


def changes(value: bytes) -> float:
    """Return how often characters change their class, per character; a capital before small ones is none."""
    classes = value.translate(_CLASS)
    turns = sum(one != two and not (one == 2 and two == 3) for one, two in pairwise(classes))
    return turns / max(1, len(value) - 1)


def random_like(value: bytes) -> bool:
    """Return whether a value was drawn by a machine: a token, a key, a generated password."""
    value = value[:_JUDGED_BYTES]
    if len(value) < _LONG:
        return False
    if structured(value):
        return False
    digits = sum(48 <= b <= 57 for b in value)
    if digits and changes(value) > 0.28:
        return True
    letters = b"".join(_LETTERS.findall(value))
    if digits >= len(value) // 4 and letters and changes(value) > 0.18:
        return True
    # A long row of letters alone: only the pairs can tell.
    return len(letters) >= 16 and commonness(value) < 4.3


def structured(value: bytes) -> bool:
    """Return whether a value consists of words, numbers and short marks with signs between, as names do."""
    parts = _BETWEEN.split(value)
    return len(parts) > 1 and all(
        part.isdigit() or len(part) <= 4 or _MARK.match(part) or (part.isalpha() and commonness(part) >= 4.5)
        for part in parts
    )


def word_like(value: bytes) -> bool:
    """Return whether a value consists of words, as names of code, sentences and labels do."""
    value = value[:_JUDGED_BYTES]
    parts = _CAMEL.findall(value)
    letters = sum(map(len, parts))
    if letters * 10 < len(value) * 7:
        return False
    return commonness(value) >= WORDS_FROM


def password_like(value: bytes) -> bool:
    """Return whether a person may have chosen it as a password: letters with digits or signs among them."""
    if not 6 <= len(value) <= 128:
        return False
    classes = set(value.translate(_CLASS))
    letters = 2 in classes or 3 in classes
    if letters and 1 in classes:
        return True
    return letters and 0 in classes and _signs(value)


def _signs(value: bytes) -> bool:
    """Return whether there is a sign that names of code and words do not have."""
    return any(b in b"!#$%&*+?^~" for b in value)
