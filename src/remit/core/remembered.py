# SPDX-License-Identifier: Apache-2.0
"""What a task remembers of results: values by keyed digest and where they stood, words of untrusted text.

INVARIANT: no value stands here, and what was remembered first is not pushed out by what comes later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet

import msgspec

from remit.core.destination import Destination
from remit.core.justification import MAX_MET, Met
from remit.core.label import Trust
from remit.core.tool import Tool
from remit.core.utterance import words_of

CAPACITY = 100_000
"""Values that one index holds: about 27 MB when full, with the words."""
MENTIONS = 100_000
"""Words of untrusted text that one index remembers."""
MAX_MENTIONED = 12
"""Words of a value that is recognised by its words."""
RECORD_BITS = 24
RECORD_MASK = (1 << RECORD_BITS) - 1
_BYTES = ("utf-8", "surrogatepass")


class FieldPlace(msgspec.Struct, frozen=True):
    """A field of a call's results, by its path and by its last name."""

    met: Met
    name: str
    tool: Tool


class Remembered:
    """Values, and where they stood: a *spot* is a field and a record in one number."""

    def __init__(self, key: bytes, capacity: int) -> None:
        """Begin with nothing; `capacity` is how many values are held."""
        self._keyed = hashlib.blake2b(digest_size=12, key=key)  # taken in once: half of what a digest takes
        self._met: dict[bytes, tuple[int, ...]] = {}
        self._mentions: dict[int, int] = {}
        self.capacity = capacity
        self.places: list[FieldPlace] = []
        #: How often something was remembered.
        self.held = 0
        #: Something was met that could not be remembered.
        self.full = False

    def __len__(self) -> int:
        """Count the values."""
        return len(self._met)

    def place(self, met: Met, name: str, tool: Tool) -> int:
        """Give a new place its number."""
        self.places.append(FieldPlace(met, name, tool))
        return len(self.places) - 1

    def place_of(self, spot: int) -> FieldPlace:
        """Give the place of a spot."""
        return self.places[spot >> RECORD_BITS]

    def trust(self, spot: int) -> Trust:
        """Give how far what stands at a spot can be believed."""
        return self.places[spot >> RECORD_BITS].met.trust

    def spots(self, found: Destination) -> tuple[int, ...]:
        """Give where a value stood."""
        return self._met.get(self.digest(found), ())

    def spots_of(self, digest: bytes) -> tuple[int, ...]:
        """Give where a value with this digest stood."""
        return self._met.get(digest, ())

    def meet(self, found: Destination, spot: int, trust: Trust, doubtful: AbstractSet[bytes]) -> None:
        """Remember a value; a trusted one that is `doubtful` is an echo of what was given: no proof."""
        if not found.normal:
            return
        digest = self.digest(found)
        if trust is Trust.TRUSTED and digest in doubtful:
            return
        known = self._met.get(digest, ())
        if spot in known:
            return
        if not known and len(self._met) >= self.capacity:
            self.full = True
        elif len(known) < MAX_MET:
            self._met[digest] = (*known, spot)
            self.held += 1
        elif trust is Trust.UNTRUSTED and not any(self.trust(one) is Trust.UNTRUSTED for one in known):
            self._met[digest] = (*known[:-1], spot)
            self.held += 1

    def mention(self, text: str, place: int) -> None:
        """Remember which words untrusted text holds, by the interpreter's own keyed hash."""
        if len(self._mentions) >= MENTIONS:
            self.full = True
            return
        new = set(map(hash, words_of(text))).difference(self._mentions)
        self._mentions.update(dict.fromkeys(new, place))
        self.held += len(new)

    def mentioned(self, found: Destination) -> int | None:
        """Give the place of untrusted text that holds every word of a short text, if there is one."""
        words = words_of(found.normal) if found.normal.count(" ") <= 4 * MAX_MENTIONED else []
        if not words or len(words) > MAX_MENTIONED:
            return None
        places = [self._mentions.get(hash(word)) for word in words]
        return None if None in places else places[0]

    def digest(self, found: Destination) -> bytes:
        """Give the keyed digest of a value in normal form."""
        (digest := self._keyed.copy()).update(f"{found.kind._value_}\n{found.normal}".encode(*_BYTES))
        return digest.digest()
