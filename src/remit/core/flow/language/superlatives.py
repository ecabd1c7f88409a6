# SPDX-License-Identifier: Apache-2.0
"""Superlatives: the greatest or least of many, as words ask for it (`the largest file`).

They are computed from trusted fields; a claim in a result is not believed. A word that implies a measure
(`cheapest`, `oldest`) is compared by fields of that measure; another word (`highest`, `most`) by fields that
the words after it name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

import msgspec

from remit.core.flow.language.vocabulary.superlative_words import (
    AFTER_ARTICLE,
    CHOOSING,
    GREATEST,
    LEAST,
    LESS,
    MORE,
    MORE_WORDS,
    NO_CHOICE,
    RANK_PREFIXES,
    RANKS,
)
from remit.core.flow.language.word_forms import some, stem

_MEASURES = {
    "size": some("size bytes length amount count total"),
    "weight": some("weight size mass"),
    "duration": some("duration length time minutes hours days"),
    "time": some("time date timestamp created modified updated day at when sent received since"),
    "price": some("price cost amount total fee rate fare"),
    "rating": some("rating score stars rank review"),
}
_PARTS = re.compile(r"[^\W_]+", re.UNICODE)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?")
_DAY = 24 * 3600
#: Words after a superlative that can name its measure, and words before it in which its article can be.
_AFTER, _BEFORE = 3, 3


class Superlative(msgspec.Struct, frozen=True):
    """A greatest or least that words ask for, with its measure, or else the stems of the words after it.

    `rank` is its place in the order: 2 for `the second largest`. `said` is the superlative as written.
    """

    greatest: bool
    measure: str
    after: frozenset[str] = frozenset()
    rank: int = 1
    said: str = ""

    def fits(self, field: str, text: str) -> bool:
        """Return whether the superlative compares by a field with this name and text."""
        words = _PARTS.findall(field.lower().replace("_", " "))
        if self.measure:
            return not _MEASURES[self.measure].isdisjoint(words) or (
                self.measure == "time" and moment_of(text) is not None
            )
        return not self.after or not self.after.isdisjoint(map(stem, words))

    def pick(self, measured: Sequence[tuple[float, int]]) -> frozenset[int]:
        """Return the records with the value of the rank; an empty set for too few records to choose from."""
        best: dict[int, float] = {}
        choose = max if self.greatest else min
        for value, record in measured:
            best[record] = choose(value, best.get(record, value))
        if len(best) < max(self.rank, 2):
            return frozenset()
        wanted = sorted(best.values(), reverse=self.greatest)[self.rank - 1]
        return frozenset(record for record, value in best.items() if value == wanted)


def superlatives_in(words: Sequence[str], empty: AbstractSet[str]) -> Iterator[Superlative]:
    """Yield the superlatives of one sentence; `empty` are words that name nothing."""
    for at in range(len(words)):
        rank, bare = _rank(words, at)
        found = _of_two_words(words, at) or _of_one_word(bare, words, at)
        if found is None:
            continue
        greatest, measure, length = found
        after = words[at + length : at + length + _AFTER]
        if not _of_several(after):
            named = frozenset() if measure else frozenset(stem(one) for one in after if one not in empty)
            yield Superlative(greatest, measure, named, rank, " ".join(words[at : at + length]))


def _rank(words: Sequence[str], at: int) -> tuple[int, str]:
    """Return the place in the order that a superlative at this place has, and its word without that place."""
    word, before = words[at], list(words[max(0, at - _BEFORE) : at])
    for prefix, rank in RANK_PREFIXES.items():
        rest = word.removeprefix(prefix)
        if rest != word and (rest in GREATEST or rest in LEAST):
            return rank, rest
    if word not in MORE_WORDS:
        # `The second most recent`, but not `the second of the largest`.
        before = before[-2:] if before[-1:] == ["most"] else before[-1:]
    return next((int(RANKS[one]) for one in before if one in RANKS), 1), word


def _of_one_word(word: str, words: Sequence[str], at: int) -> tuple[bool, str, int] | None:
    if (place := AFTER_ARTICLE.get(word)) is not None:
        following = words[at + 1 : at + 2]
        chosen = bool(at and following) and words[at - 1] in CHOOSING and following[0] not in NO_CHOICE
        return (place == "last", "time", 1) if chosen else None
    for greatest, known in ((True, GREATEST), (False, LEAST)):
        if word in known:
            return greatest, known[word], 1
    return None


def _of_two_words(words: Sequence[str], at: int) -> tuple[bool, str, int] | None:
    """Return what `le plus récent` or `la factura más reciente` selects by.

    Without an article before them, these words only compare.
    """
    if words[at] not in MORE_WORDS or CHOOSING.isdisjoint(words[max(0, at - _BEFORE) : at]):
        return None
    adjective = words[at + 1] if at + 1 < len(words) else ""
    for greatest, known in ((True, MORE), (False, LESS)):
        if adjective in known:
            return greatest, known[adjective], 2
    return None


def _of_several(after: Sequence[str]) -> bool:
    """Return whether a plural follows, so that no single record is selected (`the latest mails`)."""
    return any(
        len(one) > 3 and one.endswith("s") and not one.endswith(("ss", "us", "is", "'s")) for one in after[:2]
    )


def moment_of(text: str) -> float | None:
    """Return a date, or a time of day, as a number that increases with time."""
    bare = text.strip()
    if clock := _CLOCK.fullmatch(bare):
        return (int(clock[1]) * 60 + int(clock[2])) / (24 * 60)
    if len(bare) < 8 or bare.isdecimal():
        return None
    try:
        return datetime.fromisoformat(bare).replace(tzinfo=None).timestamp() / _DAY
    except (ValueError, OverflowError, OSError):
        return None
