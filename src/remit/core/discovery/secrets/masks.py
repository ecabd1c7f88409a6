# SPDX-License-Identifier: Apache-2.0
"""Words in names that a machine drew: they are masked, although nothing around them calls them a secret.

A name, a key, a path and an excerpt have no sentence that tells a detector what a word is. There the word
alone decides: letters of both cases with digits or signs between them, in no order that words have. What is
shorter than eight characters, or looks like words, cannot be told from a name, and stays.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from remit.core.discovery.secrets.placeholders import hexadecimal, identifier, term
from remit.core.discovery.secrets.randomness import (
    changes,
    commonness,
    random_like,
    structured,
    word_like,
)

#: Characters that stand between the parts of names, paths, addresses and sentences.
_APART: Final = r"\s/:=,;()\[\]{}<>&?|`@."
_WORD: Final = re.compile(rf"[^{_APART}]{{8,200}}")
_EDGE: Final = "\"'\\-_!*#~"
#: Part of a secret behind a quote or a backslash, where a detector ended.
_BEHIND: Final = re.compile(rf"(?:[\"'\\]+[^{_APART}\"'\\]+)+")
_BEFORE: Final = re.compile(rf"(?:[^{_APART}\"'\\]+[\"'\\]+)+\Z")
_REACH: Final = 200
_SIGNS: Final = frozenset("!#$%^*+~\"'\\")
_GENITIVE: Final = re.compile(r"['\u2019](?:s|t|re|ll|ve|d|m)$")
#: Ids that providers draw and print: they open nothing. A stack of AWS ends the names that it makes.
_PROVIDER_ID: Final = re.compile(
    r"(?:A(?:BIA|CCA|GPA|IDA|IPA|KIA|NPA|NVA|PKA|ROA|SCA|SIA)[A-Z2-7]{12,17}|"
    r"[\w+-]*-[A-Z0-9]{10,13}|[a-z]{1,5}-[0-9a-f]{8,17}|fnd_[0-9a-f]+)\Z"
)
_CACHED: Final = 20_000


def without_drawn_words(text: str) -> str:
    """Return a text of names with its drawn words masked; linear in the text."""
    return _WORD.sub(lambda found: _shown(found[0]), text) if len(text) >= 8 else text


def whole_word(text: str, start: int, end: int) -> str:
    """Return what a detector found, with the rest of it that a quote or a backslash cut off."""
    before = _BEFORE.search(text[max(0, start - _REACH) : start])
    behind = _BEHIND.match(text, end, end + _REACH)
    return text[start - len(before[0]) if before else start : behind.end() if behind else end]


@lru_cache(_CACHED)
def _shown(word: str) -> str:
    inner = word.strip(_EDGE)
    if not drawn(inner):
        return word
    left, _, right = word.partition(inner)
    return f"{left}[secret ...{inner[-4:] if len(inner) >= 16 else inner[-2:]}]{right}"


def drawn(word: str) -> bool:
    """Return whether a word was drawn, or made up to be guessed by no one."""
    value = word.encode("utf-8", "replace")
    if len(word) < 8 or _PROVIDER_ID.match(word) or identifier(value) or hexadecimal(value) or term(value):
        return False
    return _password(_GENITIVE.sub("", word)) or (
        random_like(value) and not word_like(value) and len(value) >= 16
    )


def _password(word: str) -> bool:
    """Return whether at least three of small letters, capitals, digits and signs alternate in a word."""
    value = word.encode("utf-8", "replace")
    signs = bool(_SIGNS.intersection(word))
    kinds = (
        any("a" <= one <= "z" for one in word)
        + any("A" <= one <= "Z" for one in word)
        + any("0" <= one <= "9" for one in word)
        + signs
    )
    return (
        signs and kinds >= 3 and (changes(value) > 0.25 or commonness(value) < 4.8) and not structured(value)
    )
