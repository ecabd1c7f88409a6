# SPDX-License-Identifier: Apache-2.0
"""One result as it is taken in: each leaf is read once, for its values, its words and what it names.

Most leaves are short, and most time goes into them: they pass through no generator, and their words are
found once. A long text is read in pieces, between which others have a turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import msgspec

from remit.core.destination import MAX_WHOLE, Destination, DestinationKind, both, whole, within
from remit.core.justification import Met
from remit.core.label import Trust
from remit.core.lookup import Lookup
from remit.core.named import Hit, Naming
from remit.core.record import Reading, ResultLeaf
from remit.core.remembered import RECORD_BITS, RECORD_MASK, Remembered
from remit.core.utterance import different_words, number_of, words_of

MAX_TEXT = 200
"""Characters of a field that is remembered as a whole; longer ones are searched for destinations alone."""
MAX_TEXTS = 4_000
"""Different short texts of one result that are read only once."""
TURN = 500
"""Leaves that are taken in before others have a turn; or so many characters of a long text:"""
TURN_CHARS = 32_768


class ShortText(msgspec.Struct, gc=False):
    """What is found in a short text: digests of the values in it, the destinations, the words, and how the
    intent speaks of it; and whether its words are remembered already.
    """

    digests: tuple[int, ...]
    candidates: tuple[Destination, ...]
    words: list[str]
    hit: Hit | None
    mentioned: bool = False


class Taking:
    """Takes one result into what a task remembers."""

    def __init__(
        self,
        kept: Remembered,
        naming: Naming,
        lookup: Lookup,
        *,
        call: int,
        decision: str,
        marked: AbstractSet[int],
    ) -> None:
        """Begin with the result of the call whose arguments are in `lookup`."""
        self._kept = kept
        self._naming = naming
        self._now = naming.begin(call, lookup.tool, lookup)
        self._lookup = lookup
        self._call = call
        self._decision = decision
        self._marked = marked
        self._places: dict[tuple[str, Trust], int] = {}
        #: Most results say the same in many places.
        self._texts: dict[str, ShortText] = {}
        self._doubts: frozenset[int] | None = None

    def take(self, reading: Reading) -> Iterator[None]:
        """Take every leaf in, and settle what is named: go to the end."""
        kept = self._kept
        for count, leaf in enumerate(reading, start=1):
            trust = self._lookup.trust_of(leaf, self._marked)
            if kept.full and trust is Trust.TRUSTED:
                continue
            place = self._places.get((leaf.path, trust))
            if new := place is None:
                place = self._place(leaf, trust)
            held = kept.held
            spot = place << RECORD_BITS | min(self._now.base + leaf.record, RECORD_MASK)
            if len(leaf.text) <= MAX_TEXT:
                self._short(leaf, spot, trust)
            else:
                yield from self._long(leaf, spot, trust)
            if new:
                if kept.held > held:
                    self._places[leaf.path, trust] = place
                else:
                    # Nothing that stood there was new: no place needs to be known for it.
                    kept.places.pop()
            if not count % TURN:
                yield
        self._now.end(reading.above)
        kept.full = kept.full or reading.cut or self._naming.full

    def _place(self, leaf: ResultLeaf, trust: Trust) -> int:
        tool = self._lookup.tool
        return self._kept.place(Met(self._call, self._decision, tool.id, leaf.path, trust), leaf.name, tool)

    @property
    def _doubtful(self) -> frozenset[int]:
        """Digests of what the call was given and nobody vouches for."""
        if self._doubts is None:
            doubtful = (one for one in self._lookup.doubtful if len(one) <= MAX_WHOLE)
            self._doubts = frozenset(self._kept.digest(whole(one)) for one in doubtful)
        return self._doubts

    def _short(self, leaf: ResultLeaf, spot: int, trust: Trust) -> None:
        text = self._texts.get(leaf.text)
        if text is None:
            text = self._read(leaf.text)
            if len(self._texts) < MAX_TEXTS:
                self._texts[leaf.text] = text
        for digest in text.digests:
            if trust is Trust.UNTRUSTED or digest not in self._doubtful:
                self._kept.meet(digest, spot, trust)
        for found in text.candidates:
            self._now.candidate(found, leaf.record)
        if trust is Trust.UNTRUSTED:
            if not text.mentioned:
                self._kept.mention(text.words, spot >> RECORD_BITS)
                text.mentioned = True
            if self._now.pointed:
                self._numbers(text.words, spot, trust)
        self._now.see(leaf, trust, text.hit)

    def _read(self, text: str) -> ShortText:
        words, number = words_of(text), number_of(text)
        found, inside = both(text)
        candidates = (*inside, found) if found.kind is not DestinationKind.TEXT else tuple(inside)
        digests = [self._kept.digest(one) for one in (found, *inside) if one.normal]
        if number and number != text:
            digests.append(self._kept.digest(Destination(DestinationKind.TEXT, number)))
        return ShortText(tuple(digests), candidates, words, self._now.match(words, number))

    def _long(self, leaf: ResultLeaf, spot: int, trust: Trust) -> Iterator[None]:
        text = leaf.text
        for start in range(0, len(text), TURN_CHARS):
            # What stands across two pieces is in the overlap.
            piece = text[max(0, start - MAX_TEXT) : start + TURN_CHARS]
            for found in within(piece):
                self._meet(found, spot, trust)
                self._now.candidate(found, leaf.record)
            if trust is Trust.UNTRUSTED:
                words = different_words(piece)
                self._kept.mention(words, spot >> RECORD_BITS)
                if self._now.pointed:
                    self._numbers(words, spot, trust)
            if start:
                yield
        if trust is Trust.UNTRUSTED:
            self._now.hear(leaf)

    def _meet(self, found: Destination, spot: int, trust: Trust) -> None:
        digest = self._kept.digest(found)
        if found.normal and (trust is Trust.UNTRUSTED or digest not in self._doubtful):
            self._kept.meet(digest, spot, trust)

    def _numbers(self, words: AbstractSet[str] | list[str], spot: int, trust: Trust) -> None:
        for word in words:
            # What begins with a letter is none: most words are told apart by that.
            if not word[0].isalpha() and (number := number_of(word)):
                self._meet(Destination(DestinationKind.TEXT, number), spot, trust)
