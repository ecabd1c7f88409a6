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

import itertools
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import msgspec

from remit.core.destination import Destination, DestinationKind
from remit.core.handed import Handed
from remit.core.inflection import stem
from remit.core.justification import Reach
from remit.core.label import Trust
from remit.core.lookup import Lookup
from remit.core.record import ResultLeaf
from remit.core.superlative import Superlative, moment_of
from remit.core.tool import Effect, Tool
from remit.core.utterance import (
    Utterance,
    name_words,
    number_of,
    stems_in,
)

MAX_NAMING_WORDS = 12
"""Words of a field that can be a record's name."""
MAX_PHRASES = 100
"""Phrases of the intent in one result that are held against one another."""
SHORTEST_IBAN = 15
MAX_REFERRED = 200_000
"""Records that the intent refers to, in one task; the intent leads to no further ones."""
REFERRED_BYTES = 250
"""What a record that is referred to takes in memory, about."""


class Referral(msgspec.Struct, frozen=True):
    """Something by which the intent refers to records of one result, and which ones it finds; `firm` where
    no outsider writes it, `collected` where it speaks of all.
    """

    reach: Reach
    records: frozenset[int]
    firm: bool = True
    collected: bool = False


#: How the intent speaks of a short text: the words, if it says all of them; which of them it says, or the
#: number; which stand in a source to which it hands over.
Hit = tuple[str, tuple[str, ...], tuple[str, ...]]


class Naming:
    """What is named in all results of one task."""

    def __init__(self, utterance: Utterance) -> None:
        """Begin with no result."""
        self._utterance = utterance
        #: Words of pointed sources to which the intent hands over.
        self.handed = Handed()
        self._reach: dict[int, Reach] = {}
        self._references: dict[int, tuple[int, ...]] = {}
        self._choices: dict[tuple[int, str], int] = {}
        self._candidates: dict[tuple[int, DestinationKind], int] = {}
        self._calls: dict[int, Reach] = {}
        self._picked: set[int] = set()
        self._many: set[int] = set()
        self._chosen: set[int] = set()  #: those that more names than that it speaks of all
        self._firm: set[int] = set()  #: records that something names which no outsider writes
        self._records = 0
        self._count = 0
        #: There were more records than are remembered.
        self.full = False

    @property
    def size_bytes(self) -> int:
        """What all of it takes in memory, about."""
        return len(self._reach) * REFERRED_BYTES + self.handed.size_bytes

    def begin(self, call: int, tool: Tool, lookup: Lookup) -> NamingOfResult:
        """Begin with the result of a call."""
        return NamingOfResult(self, self._utterance, self.handed.words, call, tool, lookup, self._records)

    def reach(self, record: int) -> Reach:
        """Give how the intent leads to a record."""
        return self._reach.get(record, Reach.NONE)

    def choice(self, record: int, path: str) -> int:
        """Count the different values that a field has in the records that are referred to like this one: 1
        where what the intent says of it leaves no choice.
        """
        found = [self._choices.get((one, path), 0) for one in self._references.get(record, ())]
        return min((one for one in found if one), default=0)

    def candidates(self, record: int, kind: DestinationKind) -> int:
        """Count the different destinations of a kind in what is referred to like this record."""
        found = [self._candidates.get((one, kind), 0) for one in self._references.get(record, ())]
        return min((one for one in found if one), default=0)

    def many(self, call: int) -> bool:
        """Whether the intent speaks of all that a call gave."""
        return call in self._many

    def firm(self, record: int) -> bool:
        """Whether what names a record is nothing that outsiders write."""
        return record in self._firm

    def collected(self, record: int) -> bool:
        """Whether nothing names a record but that the intent speaks of all of its kind."""
        return record not in self._chosen

    def best(self, call: int) -> Reach:
        """Give how the intent leads to what it leads to best in a call's result."""
        return self._calls.get(call, Reach.NONE)

    def picked(self, call: int) -> bool:
        """Whether the intent picks some of the records of a call, and not all."""
        return call in self._picked

    def settle(self, one: NamingOfResult, above: Sequence[int]) -> None:
        """Take in to which records of a result the intent refers."""
        references = one.references(len(above))
        best = Reach.NONE
        covered: set[int] = set()
        for reference in references:
            number, self._count = self._count, self._count + 1
            records = _with_what_is_below(reference.records, above)
            covered |= records
            if not reference.collected:
                self._chosen |= {one.base + record for record in records}
            if reference.firm:
                self._firm |= {one.base + record for record in records}
            if len(self._reach) + len(records) > MAX_REFERRED:
                self.full = True
                continue
            best = max(best, reference.reach)
            for record in records:
                at = one.base + record
                self._reach[at] = max(self._reach.get(at, Reach.NONE), reference.reach)
                self._references[at] = (*self._references.get(at, ()), number)
            self._weigh(one, records, number)
            if self._utterance.delegates:
                self.handed.hear(text for at in sorted(records & one.said.keys()) for text in one.said[at])
        if best is not Reach.NONE:
            self._calls[one.call] = best
        self._records = one.base + len(above)
        if len(above) > 2 and covered and len(covered) < len(above):
            self._picked.add(one.call)
        if one.whole_collection():
            self._many.add(one.call)

    def _weigh(self, one: NamingOfResult, records: AbstractSet[int], number: int) -> None:
        values: dict[str, dict[int, set[str]]] = {}
        for record, path, text in one.values:
            if record in records:
                values.setdefault(path, {}).setdefault(record, set()).add(text)
        for path, by_record in values.items():
            self._choices[number, path] = len(set(map(frozenset, by_record.values())))
        kinds: dict[DestinationKind, set[str]] = {}
        for (record, kind), found in one.candidates.items():
            if record in records:
                kinds.setdefault(kind, set()).update(found)
        for kind, all_found in kinds.items():
            self._candidates[number, kind] = len(all_found)


class NamingOfResult:
    """What is seen of one result, until it is known which of its records are referred to."""

    def __init__(
        self,
        naming: Naming,
        utterance: Utterance,
        delegated: set[str],
        call: int,
        tool: Tool,
        lookup: Lookup,
        base: int,
    ) -> None:
        """Begin with nothing seen; records of the result are numbered from `base`."""
        self._naming = naming
        self._utterance = utterance
        self._delegated = delegated
        self._tool = tool
        self._looked_up = lookup.reach
        self._vague = lookup.vague
        self._asked = lookup.asked
        self.call = call
        self.base = base
        #: Whether what stands in this result is pointed at already, whichever record it is in.
        self.pointed = lookup.reach is not Reach.NONE
        #: Record, path and text of each short field.
        self.values: list[tuple[int, str, str]] = []
        self.candidates: dict[tuple[int, DestinationKind], set[str]] = {}
        #: What untrusted hands wrote, by record, where the intent may hand over to it.
        self.said: dict[int, list[str]] = {}
        self._phrases: dict[str, set[int]] = {}
        self._score: Counter[int] = Counter()
        #: Records that say what the intent says in untrusted fields; what they say of it in trusted ones.
        self._boasting: set[int] = set()
        self._sure: set[tuple[str, int]] = set()
        #: Words and numbers of the intent by the records whose trusted fields hold them; and those of a
        #: source to which the intent hands over, of any field.
        self._words: tuple[dict[str, set[int]], dict[str, set[int]]] = ({}, {})
        self._measured: dict[Superlative, dict[str, list[tuple[float, int]]]] = {}
        self._generic = frozenset(stem(one) for one in name_words(tool.name))

    def candidate(self, found: Destination, record: int) -> None:
        """Count a destination."""
        # Where an account number ends no mark says: the longer readings of one are no others.
        normal = found.normal[:SHORTEST_IBAN] if found.kind is DestinationKind.IBAN else found.normal
        self.candidates.setdefault((record, found.kind), set()).add(normal)

    def see(self, leaf: ResultLeaf, trust: Trust, hit: Hit | None) -> None:
        """See a short leaf of the result, with how the intent speaks of its text (`match`)."""
        self.values.append((leaf.record, leaf.path, leaf.text))
        if hit is not None:
            self._hit(hit, leaf.record, trusted=trust is Trust.TRUSTED)
        if self._utterance.superlatives and trust is Trust.TRUSTED:
            self._measure(leaf)
        if trust is Trust.UNTRUSTED:
            self.hear(leaf)

    def _hit(self, hit: Hit, record: int, *, trusted: bool) -> None:
        phrase, words, chained = hit
        if phrase:
            self._phrases.setdefault(phrase, set()).add(record)
            # Whoever writes a record can write any number of words of the intent into it: they count once.
            if trusted or record not in self._boasting:
                self._score[record] += 1
            if trusted:
                self._sure.add((phrase, record))
            else:
                self._boasting.add(record)
        for one in words if trusted else ():
            self._words[0].setdefault(one, set()).add(record)
        for one in chained:
            self._words[1].setdefault(one, set()).add(record)

    def hear(self, leaf: ResultLeaf) -> None:
        """Hear what untrusted hands wrote."""
        if self._utterance.delegates:
            self.said.setdefault(leaf.record, []).append(leaf.text)

    def match(self, words: Sequence[str], number: str) -> Hit | None:
        """Say how the intent speaks of a short text with these words, which is a number or none (empty)."""
        if not 0 < len(words) <= MAX_NAMING_WORDS:
            return None
        stems, utterance = stems_in(words), self._utterance
        # Words are said one after the other only where each of them is said.
        phrase = bool(stems) and stems <= utterance.stems and self._telling(words)
        phrase = phrase and utterance.says_words(words)
        if not phrase and self._asked:
            phrase = " ".join(words) in self._asked
        found = (stems & utterance.stems) - self._generic
        if found and any("@" in one or "//" in one for one in words):
            # A part of an address (`example`, `org`) is no name that anybody has said.
            found &= stems_in([one for one in words if "@" not in one and "//" not in one])
        if number and number in utterance.numbers:
            found |= {number}
        chained = (stems & self._delegated) - utterance.stems - self._generic if self._delegated else ()
        if not (phrase or found or chained):
            return None
        return " ".join(words) if phrase else "", tuple(found), tuple(chained)

    def _telling(self, words: Sequence[str]) -> bool:
        """Whether words that have stems can name something: several, a name, or one that is long enough."""
        one = words[0]
        return len(words) > 1 or ((len(one) >= 4 or one in self._utterance.proper) and not number_of(one))

    def _measure(self, leaf: ResultLeaf) -> None:
        value = _measure_of(leaf.text)
        if value is None:
            return
        for one in self._utterance.superlatives:
            if one.fits(leaf.name, leaf.text):
                self._measured.setdefault(one, {}).setdefault(leaf.path, []).append((value, leaf.record))

    def references(self, count: int) -> list[Referral]:
        """Give all by which the intent refers to records of this result."""
        everything = frozenset(range(count))
        if self._tool.effect is not Effect.NONE:
            return [Referral(self._looked_up, everything)] if self._looked_up else []
        said = [one for one in self._by_phrase() if one.reach is not Reach.NONE]
        # What several have in common narrows down among which one is the greatest.
        common = [one.records for one in said if len(one.records) > 1]
        most = self._by_measure(frozenset.intersection(*common) if common else frozenset())
        found = [*([one for one in said if len(one.records) == 1] if most else said), *most]
        if not found and self._looked_up is Reach.NONE:
            found = self._by_word()
        if self._looked_up is Reach.POINTED:
            # What was found through untrusted text stays so, however well it fits.
            found = [Referral(Reach.POINTED, one.records) for one in found]
        if not found and self._looked_up is not Reach.NONE:
            collected = self._vague and self.whole_collection()
            reach = Reach.POINTED if self._vague and not collected else self._looked_up
            return [Referral(reach, everything, collected=collected)]
        if not found and self.whole_collection():
            return [Referral(Reach.NAMED, everything, collected=True)]
        return found

    def _by_phrase(self) -> list[Referral]:
        out = []
        for phrase, records in self._phrases.items():
            top = max(self._score[record] for record in records)
            best = frozenset(record for record in records if self._score[record] == top)
            said = self._utterance.says(phrase)
            firm = any((phrase, record) in self._sure for record in best)
            if not firm:
                best |= self._alike(best, top)
            out.append(Referral(Reach.NAMED if said else self._looked_up, best, firm))
        return out

    def _alike(self, records: frozenset[int], score: int) -> frozenset[int]:
        """Give the records with which some share more words of the intent that others wrote: what sets these
        apart was written by the same hands.
        """
        out: set[int] = set()
        for phrase, those in itertools.islice(self._phrases.items(), MAX_PHRASES):
            if any((phrase, one) not in self._sure for one in records & those):
                out |= {one for one in those if self._score[one] >= score}
        return frozenset(out)

    def _by_measure(self, common: frozenset[int]) -> list[Referral]:
        """Refer by what is greatest or least, of all and of what the words say of several, if all fields that
        can be meant say the same.
        """
        out = []
        for one, by_path in self._measured.items():
            for among in {None, common or None}:
                picked = [
                    one.pick([(value, at) for value, at in measured if among is None or at in among])
                    for measured in by_path.values()
                ]
                found = frozenset.intersection(*picked)
                if len(found) == 1:
                    out.append(Referral(Reach.NAMED, found))
        return out

    def _by_word(self) -> list[Referral]:
        """Refer by words that one record alone has: a guess, in which only trusted fields count, or words of
        a source to which the intent hands over. Anybody can put a word of it into a text.
        """
        for by_word, reach in zip(self._words, (Reach.NAMED, Reach.POINTED), strict=True):
            if found := _scored(by_word):
                return [Referral(reach, found)]
        return []

    def whole_collection(self) -> bool:
        """Whether the intent speaks of all that the call lists."""
        return self._utterance.counts_up(self._generic) or (
            self._utterance.speaks_of_many() and self._looked_up is Reach.NAMED
        )

    def end(self, above: Sequence[int]) -> None:
        """All leaves have been seen."""
        self._naming.settle(self, above)


def _with_what_is_below(records: AbstractSet[int], above: Sequence[int]) -> set[int]:
    out = set(records)
    for record, parent in enumerate(above):
        # A record stands after the one around it.
        if parent in out:
            out.add(record)
    return out


def _scored(words: dict[str, set[int]]) -> frozenset[int]:
    """Give the record that has most of what no other record has; none where two have as much."""
    scores: dict[int, int] = {}
    for word, records in words.items():
        if len(records) == 1:
            (record,) = records
            scores[record] = scores.get(record, 0) + (2 if word[:1].isdigit() else 1)
    if not scores:
        return frozenset()
    top = max(scores.values())
    best = frozenset(record for record, score in scores.items() if score == top)
    return best if len(best) == 1 else frozenset()


def _measure_of(text: str) -> float | None:
    number = number_of(text)
    return float(number) if number else moment_of(text)
