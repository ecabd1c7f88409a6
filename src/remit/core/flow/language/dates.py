# SPDX-License-Identifier: Apache-2.0
"""Days, as people write them (`6 May 2031`, `May 6th`) and as tools do (`2031-05-06`).

A day without a year matches that day in any year. Relative days that depend on a clock (`tomorrow`) are not
recognised.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

import msgspec

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        1,
    )
    for name in names.split()
}
_MONTH = "|".join(_MONTHS)
_YEAR = r"(?:,? (?P<year>[12]\d{3}))?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_WRITTEN = tuple(
    re.compile(rf"(?<![\w.]){pattern}(?![\w])")
    for pattern in (
        rf"{_DAY}(?: of)? (?P<month>{_MONTH})\.?{_YEAR}",
        rf"(?P<month>{_MONTH})\.? {_DAY}{_YEAR}",
        r"(?P<year>[12]\d{3})-(?P<month>[01]\d)-(?P<day>[0-3]\d)",
    )
)
_TIME = r"[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-][0-2]\d:?[0-5]\d)?"
_ISO = re.compile(rf"([12]\d{{3}})-([01]\d)-([0-3]\d)(?:{_TIME})?")


class Day(msgspec.Struct, frozen=True):
    """A day; `year` is 0 where the text names no year."""

    year: int
    month: int
    day: int

    def among(self, days: AbstractSet[Day]) -> bool:
        """Return whether the day matches one of some days."""
        return self in days or Day(0, self.month, self.day) in days


def days_in(text: str) -> frozenset[Day]:
    """Return the days that a lower-case text names. Takes time linear in the length of the text."""
    found = set()
    for pattern in _WRITTEN:
        for one in pattern.finditer(text):
            month = one["month"]
            number = _MONTHS.get(month) or int(month)
            found.add(Day(int(one["year"] or 0), number, int(one["day"])))
    return frozenset(found)


def day_of(text: str) -> Day | None:
    """Return the day that the whole text states, in the notation of tools or of people."""
    bare = text.strip()
    if len(bare) > 40 or not bare.isascii():
        return None
    if found := _ISO.fullmatch(bare):
        return Day(int(found[1]), int(found[2]), int(found[3]))
    said = bare.lower()
    days = days_in(said) if any(one.fullmatch(said) for one in _WRITTEN) else frozenset[Day]()
    return next(iter(days)) if len(days) == 1 else None
