# SPDX-License-Identifier: Apache-2.0
"""Which records of a task's results the intent names, and to which sources it points.

Of the records of one result those are named that match the person's words best, and only the best ones:

1. a short field of theirs stands whole in the words (the title of a meeting, the name of a file);
2. they are the greatest or least of what the words ask for (`the largest file`), by a trusted field;
3. a word or a number of the intent stands in a short field of them and of no other record;
4. the intent states what the call looked up, or speaks of all of what the call lists.

A source is pointed at where it is looked up by what a pointed source says. Whoever can write records can make
them match: then several match, and nothing is named.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

from remit.core.destination import Destination, DestinationKind
from remit.core.label import Trust
from remit.core.record import Leaf
from remit.core.tool import Effect, Tool
from remit.core.utterance import (
    Superlative,
    Utterance,
    name_words,
    number_of,
    stem,
    stems_of,
    words_of,
)

MAX_NAMING_WORDS = 12
"""Words of a field that can be a record's name."""


_ID_WORDS = frozenset(
    name_words("id ids uid uuid guid key number no nr num ref reference code index handle slug name title")
)


class Reach(enum.IntEnum):
    """How the intent leads to a record: not at all, through untrusted text, or by naming it."""

    NONE = 0
    POINTED = 1
    NAMED = 2


class Naming:
    """What is named in all results of one task."""

    def __init__(self, utterance: Utterance) -> None:
        """Begin with no result."""
        self._utterance = utterance
        #: Words of pointed sources to which the intent hands over.
        self._delegated: set[str] = set()
        self._reach: dict[int, Reach] = {}
        self._next = 0
        self._calls: dict[int, Reach] = {}
        self._many: set[int] = set()
        self._choices: dict[tuple[int, str], int] = {}
        self._candidates: dict[tuple[int, DestinationKind], int] = {}
        self._now: NamingOfResult | None = None

    def begin(self, call: int, tool: Tool, looked_up: Reach) -> NamingOfResult:
        """Begin with the result of a call, which was looked up by what the intent leads to in this way."""
        self._now = NamingOfResult(self, self._utterance, self._delegated, call, tool, looked_up, self._next)
        return self._now

    def candidate(self, found: Destination, record: int) -> None:
        """Count a destination in the result that is being read."""
        if self._now is not None:
            self._now.candidates.setdefault((record, found.kind), set()).add(found.normal)

    def reach(self, record: int) -> Reach:
        """Give how the intent leads to a record."""
        return self._reach.get(record, Reach.NONE)

    def choice(self, call: int, path: str) -> int:
        """Count the different values that the named records of a call have in a field."""
        return self._choices.get((call, path), 0)

    def many(self, call: int) -> bool:
        """Whether the intent speaks of all that a call gave."""
        return call in self._many

    def candidates(self, call: int, kind: DestinationKind) -> int:
        """Count the different destinations of a kind in what the intent leads to in a call's result."""
        return self._candidates.get((call, kind), 0)

    def points_to(self, call: int) -> bool:
        """Whether the intent leads to anything in a call's result."""
        return self._calls.get(call, Reach.NONE) is not Reach.NONE

    def settle(self, one: NamingOfResult, above: Sequence[int]) -> None:
        """Take in which records of a result are named."""
        named = one.named(len(above))
        best = Reach.NONE
        for record in range(len(above)):
            place = record
            reach = named.get(place, Reach.NONE)
            while reach is Reach.NONE and above[place] != place:
                place = above[place]
                reach = named.get(place, Reach.NONE)
            if reach is not Reach.NONE:
                self._reach[one.base + record] = reach
                best = max(best, reach)
        self._calls[one.call] = best
        self._next = one.base + len(above)
        if one.whole_collection():
            self._many.add(one.call)
        self._count(one)
        self._now = None

    def _count(self, one: NamingOfResult) -> None:
        values: dict[str, set[frozenset[str]]] = {}
        for (record, path), texts in one.values.items():
            if self.reach(one.base + record) is not Reach.NONE:
                values.setdefault(path, set()).add(frozenset(texts))
        for path, several in values.items():
            self._choices[one.call, path] = len(several)
        kinds: dict[DestinationKind, set[str]] = {}
        for (record, kind), found in one.candidates.items():
            if self.reach(one.base + record) is not Reach.NONE:
                kinds.setdefault(kind, set()).update(found)
        for kind, all_found in kinds.items():
            self._candidates[one.call, kind] = len(all_found)
        if self._utterance.delegates and self.points_to(one.call):
            for record, words in one.said.items():
                if self.reach(one.base + record) is not Reach.NONE:
                    self._delegated |= words


class NamingOfResult:
    """What is seen of one result, until it is known which of its records are named."""

    def __init__(
        self,
        naming: Naming,
        utterance: Utterance,
        delegated: set[str],
        call: int,
        tool: Tool,
        looked_up: Reach,
        base: int,
    ) -> None:
        """Begin with nothing seen; records of the result are numbered from `base`."""
        self._naming = naming
        self._utterance = utterance
        self._delegated = delegated
        self._tool = tool
        self._looked_up = looked_up
        self.call = call
        self.base = base
        #: Whether what stands in this result is pointed at already, whichever record it is in.
        self.pointed = looked_up is not Reach.NONE
        self.values: dict[tuple[int, str], set[str]] = {}
        self.candidates: dict[tuple[int, DestinationKind], set[str]] = {}
        self.said: dict[int, set[str]] = {}
        self._whole: dict[int, int] = {}
        self._words: dict[str, set[int]] = {}
        self._chained: dict[str, set[int]] = {}
        self._measured: dict[Superlative, list[tuple[float, int]]] = {}
        self._generic = frozenset(stem(one) for one in name_words(tool.name))

    def see(self, leaf: Leaf, trust: Trust) -> None:
        """See a leaf of the result."""
        text, record = leaf.text, leaf.record
        if len(text) <= 200:
            self.values.setdefault((record, leaf.path), set()).add(text)
            self._match(text, record)
            if self._utterance.superlatives and trust is Trust.TRUSTED:
                self._measure(leaf)
        if self._utterance.delegates and trust is Trust.UNTRUSTED:
            self.said.setdefault(record, set()).update(stems_of(text[:20_000]))

    def _match(self, text: str, record: int) -> None:
        words = words_of(text)
        if not 0 < len(words) <= MAX_NAMING_WORDS:
            return
        if _telling(words) and self._utterance.says(text):
            self._whole[record] = self._whole.get(record, 0) + 1
        if (number := number_of(text)) and number in self._utterance.numbers:
            self._words.setdefault(number, set()).add(record)
        for one in stems_of(text):
            if one in self._utterance.stems and one not in self._generic:
                self._words.setdefault(one, set()).add(record)
            elif one in self._delegated and one not in self._generic:
                self._chained.setdefault(one, set()).add(record)

    def _measure(self, leaf: Leaf) -> None:
        value = _measure_of(leaf.text)
        if value is None:
            return
        for one in self._utterance.superlatives:
            if one.fits(leaf.name):
                self._measured.setdefault(one, []).append((value, leaf.record))

    def named(self, count: int) -> dict[int, Reach]:
        """Give the records that are named or pointed at."""
        if self._tool.effect is not Effect.NONE:
            return dict.fromkeys(range(count), self._looked_up)
        best = self._best()
        if best:
            lowered = Reach.POINTED if self._looked_up is Reach.POINTED else Reach.NAMED
            return dict.fromkeys(best, lowered)
        if self._looked_up is not Reach.NONE:
            return dict.fromkeys(range(count), self._looked_up)
        if self.whole_collection():
            return dict.fromkeys(range(count), Reach.NAMED)
        return dict.fromkeys(_scored(self._chained), Reach.POINTED)

    def _best(self) -> set[int]:
        if self._whole:
            top = max(self._whole.values())
            return {record for record, score in self._whole.items() if score == top}
        extreme = self._extreme()
        return extreme or _scored(self._words)

    def _extreme(self) -> set[int]:
        out = set()
        for one, measured in self._measured.items():
            if len(measured) < 2:
                continue
            values = [value for value, _ in measured]
            wanted = max(values) if one.greatest else min(values)
            found = {record for value, record in measured if value == wanted}
            if len(found) == 1:
                out |= found
        return out

    def whole_collection(self) -> bool:
        """Whether the intent speaks of all that the call lists."""
        return self._utterance.counts_up(self._generic) or (
            self._utterance.speaks_of_many() and self._looked_up is Reach.NAMED
        )

    def end(self, above: Sequence[int]) -> None:
        """All leaves have been seen."""
        self._naming.settle(self, above)


def _scored(words: dict[str, set[int]]) -> set[int]:
    """Give the record that has most of what no other record has; none where two have as much."""
    scores: dict[int, int] = {}
    for word, records in words.items():
        if len(records) == 1:
            (record,) = records
            scores[record] = scores.get(record, 0) + (2 if word[:1].isdigit() else 1)
    if not scores:
        return set()
    top = max(scores.values())
    best = {record for record, score in scores.items() if score == top}
    return best if len(best) == 1 else set()


def _telling(words: Sequence[str]) -> bool:
    """Whether words can name something: two of them, or one that is long enough and no number."""
    if len(words) > 1:
        return any(stems_of(word) for word in words)
    return len(words[0]) >= 4 and not number_of(words[0]) and bool(stems_of(words[0]))


def _measure_of(text: str) -> float | None:
    if number := number_of(text):
        return float(number)
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def identifies(found: Destination, field: str, argument: str) -> bool:
    """Whether a field can be what an argument selects by: a size is no id, though both are numbers."""
    if not found.normal.isdecimal() or len(found.normal) > 8:
        return True
    words = frozenset(name_words(field))
    return not words.isdisjoint(_ID_WORDS) or not words.isdisjoint(name_words(argument))
