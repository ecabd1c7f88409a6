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

from remit.core.flow.language.word_forms import some, stem

_GREATEST = {
    "largest": "size",
    "biggest": "size",
    "greatest": "size",
    "heaviest": "weight",
    "most": "",
    "highest": "",
    "maximum": "",
    "longest": "duration",
    "latest": "time",
    "newest": "time",
    "recent": "time",
    "last": "time",
    "best": "rating",
    "top": "rating",
    "priciest": "price",
}
_LEAST = {
    "smallest": "size",
    "least": "",
    "lowest": "",
    "minimum": "",
    "fewest": "",
    "shortest": "duration",
    "earliest": "time",
    "oldest": "time",
    "first": "time",
    "cheapest": "price",
    "worst": "rating",
}
#: Words after `last` and `first` where these select nothing from a list.
_NO_CHOICE = some(
    "night week month year time name day monday tuesday wednesday thursday friday saturday sunday weekend "
    "minute hour step of all thing"
)
#: Words before `last` and `first` where these select from a list.
_CHOOSING = some("the my our your his her its their")
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
#: Words after a superlative that can name its measure.
_AFTER = 3


class Superlative(msgspec.Struct, frozen=True):
    """A greatest or least that words ask for, with its measure, or else the stems of the words after it."""

    greatest: bool
    measure: str
    after: frozenset[str] = frozenset()

    def fits(self, field: str, text: str) -> bool:
        """Return whether the superlative compares by a field with this name and text."""
        words = _PARTS.findall(field.lower().replace("_", " "))
        if self.measure:
            return not _MEASURES[self.measure].isdisjoint(words) or (
                self.measure == "time" and moment_of(text) is not None
            )
        return not self.after or not self.after.isdisjoint(map(stem, words))

    def pick(self, measured: Sequence[tuple[float, int]]) -> frozenset[int]:
        """Return the records with the greatest or least value; an empty set for fewer than two records."""
        if len({record for _, record in measured}) < 2:
            return frozenset()
        values = [value for value, _ in measured]
        wanted = max(values) if self.greatest else min(values)
        return frozenset(record for value, record in measured if value == wanted)


def superlatives_in(words: Sequence[str], empty: AbstractSet[str]) -> Iterator[Superlative]:
    """Yield the superlatives of one sentence; `empty` are words that name nothing."""
    for at, word in enumerate(words):
        after = words[at + 1 : at + 1 + _AFTER]
        if word in ("last", "first") and (
            not after or after[0] in _NO_CHOICE or at == 0 or words[at - 1] not in _CHOOSING
        ):
            continue
        for greatest, known in ((True, _GREATEST), (False, _LEAST)):
            if word in known and not _of_several(after):
                measure = known[word]
                named = frozenset() if measure else frozenset(stem(one) for one in after if one not in empty)
                yield Superlative(greatest, measure, named)


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
