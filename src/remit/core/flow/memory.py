# SPDX-License-Identifier: Apache-2.0
"""What a task remembers of results: values by keyed digest with their places, and words of untrusted text.

A digest is SipHash (64 bits) with the task's key. It never leaves the process. Two values have the same
digest with a probability of 2^-64. An attacker cannot search for such a pair without the key, which is random
for each task. The tables are native (`core.flow.reader`).

INVARIANT: no value is stored here, and later entries do not displace earlier ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from remit.core.flow.justification import Encounter
from remit.core.flow.language.word_forms import bare_word, bare_words, number_of, words_of
from remit.core.flow.reader.native_tables import HALF_WORD, LENIENT, NUMBER, STRICT, WORD, NativeTables
from remit.core.flow.values.destination import Destination
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import ExactValue
from remit.core.label import Trust
from remit.core.tools.tool import Tool

CAPACITY = 200_000
"""Digests that one index holds: most values have two, one in their form for use and one in normal form."""
MENTIONS = 100_000
"""Words of untrusted text that one index remembers."""
MAX_MENTIONED = 12
"""Most words of a value that is recognised by its words."""
MAX_OWN = 100
"""Accounts, addresses and ids of the person's own that are remembered."""
VALUE_BYTES = 140
PLACE_BYTES = 280
"""Approximate memory of a clean value, and of a field of a call (`make bench` measures it)."""
RECORD_BITS = 24
RECORD_MASK = (1 << RECORD_BITS) - 1
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_UNTRUSTED = Trust.UNTRUSTED


class FieldPlace(msgspec.Struct, frozen=True, gc=False):
    """A field of a call's results, by its path and by the last name of the path."""

    met: Encounter
    name: str
    tool: Tool


class TaskRecords:
    """Values and their places: a *spot* is a field and a record in one number."""

    def __init__(self, key: bytes, capacity: int) -> None:
        """Begin empty; `capacity` is the number of values that can be held."""
        self.tables = NativeTables(key, capacity, MENTIONS)
        #: Values of fields that hold the person's own accounts, addresses or ids.
        self._own: set[int] = set()
        #: Digests of links and hosts that are whole fields which no outsider writes.
        self.vouched: set[int] = set()
        #: Digests of links that a permitted call has read, in their form for use.
        self.fetched: set[int] = set()
        self.places: list[FieldPlace] = []

    @property
    def capacity(self) -> int:
        """Number of values that can be held."""
        return self.tables.capacity

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self.tables.capacity = capacity

    @property
    def held(self) -> int:
        """Number of entries that were remembered."""
        return self.tables.held

    @property
    def full(self) -> bool:
        """Whether something was met that could not be remembered."""
        return self.tables.full

    @full.setter
    def full(self, full: bool) -> None:
        self.tables.full = full

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self.tables)

    def place(self, met: Encounter, name: str, tool: Tool) -> int:
        """Add a place and return its number."""
        self.places.append(FieldPlace(met, name, tool))
        return len(self.places) - 1

    def place_of(self, spot: int) -> FieldPlace:
        """Return the place of a spot."""
        return self.places[spot >> RECORD_BITS]

    def trust(self, spot: int) -> Trust:
        """Return the trust of the field at a spot."""
        return self.places[spot >> RECORD_BITS].met.trust

    def records_at(self, spot: int) -> int:
        """Return the number of records with a value in the field at a spot; reads the whole memory."""
        return len(self.tables.records(spot >> RECORD_BITS))

    def untrusted(self, most: int) -> list[Encounter]:
        """Return sources of untrusted data: one place for each of the first `most` calls that returned
        some.
        """
        found: dict[int, Encounter] = {}
        for place in self.places:
            if place.met.trust is _UNTRUSTED and len(found) < most:
                found.setdefault(place.met.call, place.met)
        return list(found.values())

    @property
    def size_bytes(self) -> int:
        """Approximate memory of the stored data."""
        return self.tables.size_bytes + len(self.places) * PLACE_BYTES

    def keep_own(self, found: ExactValue) -> None:
        """Remember an account, an address or an id of the person behind the task."""
        if len(self._own) < MAX_OWN:
            self._own.add(self.digest_exact(found))

    def is_own(self, found: ExactValue) -> bool:
        """Return whether a value is the person's own account, address or id."""
        return bool(self._own) and self.digest_exact(found) in self._own

    def spots(self, found: Destination) -> tuple[int, ...]:
        """Return the spots of a value."""
        return self.spots_of(self.digest(found))

    def spots_of(self, digest: int) -> tuple[int, ...]:
        """Return the spots of the value with this digest."""
        return self.tables.spots(digest)

    def exact_spots(self, found: ExactValue) -> tuple[int, ...]:
        """Return the spots of a value in its form for use."""
        return self.spots_of(self.digest_exact(found))

    def meet_all(self, digests: Iterable[int], spot: int, trust: Trust) -> None:
        """Remember that the values with these digests are at a spot."""
        self.tables.meet(digests, spot, untrusted=trust is _UNTRUSTED)

    def mention(self, words: Collection[str], place: int) -> None:
        """Remember which words untrusted text holds. They are in lower case and otherwise as written."""
        if self._has_room():
            text = " ".join(words)
            if text.isascii():
                self.tables.mention(text, place)
            else:
                self.tables.mark(list(_marks(bare_words(words))), place)

    def mention_words(self, words: Iterable[str], place: int) -> None:
        """Remember words in the form that `words_of` returns."""
        if self._has_room():
            self.tables.mark(list(_marks(words)), place)

    def _has_room(self) -> bool:
        if self.tables.marks >= MENTIONS:
            self.full = True
            return False
        return True

    def mentioned_number(self, number: str) -> int | None:
        """Return the place of untrusted text that holds a number; None where there is no such text."""
        return self.tables.place_of(NUMBER, number)

    def mentioned(self, found: Destination) -> int | None:
        """Return the place of untrusted text that mentions the first word of a short text.

        None unless untrusted text mentions every word of it.
        """
        short = bool(self.tables.marks) and found.normal.count(" ") <= 4 * MAX_MENTIONED
        words = words_of(found.normal) if short else []
        if not words or len(words) > MAX_MENTIONED:
            return None
        first: int | None = None
        for word in words:
            place = self.tables.place_of(_tag(word), word)
            if place is None:
                return None
            first = place if first is None else first
        return first

    def digest(self, found: Destination) -> int:
        """Return the keyed digest of a value in normal form."""
        return self.tables.digest(LENIENT[found.kind], found.normal)

    def digest_exact(self, found: ExactValue) -> int:
        """Return the keyed digest of a value in its form for use; it never equals a digest of a normal
        form.
        """
        return self.tables.digest(STRICT[found.kind], found.normal)

    def digest_of(self, kind: KindOfValue, normal: str) -> int:
        """Return the keyed digest of the value of a kind with this normal form."""
        return self.tables.digest(LENIENT[kind], normal)


def _tag(word: str) -> int:
    """Return the tag of a word.

    INVARIANT: a word that is not fully stripped (`x.`, left from `x.'s`) has another digest than the same
    word as written. So a text that is spelled like a known word is that word.
    """
    if (last := word[-1]).isalnum() and last != "s" and word[0].isalnum():
        return WORD
    return WORD if word.isalnum() or bare_word(word) == word else HALF_WORD


def _marks(words: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield what is remembered of words in the form that `words_of` returns."""
    for word in words:
        yield _tag(word), word
        # The first letter already excludes most words.
        if not word[0].isalpha() and (number := number_of(word)):
            yield NUMBER, number
