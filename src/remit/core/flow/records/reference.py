# SPDX-License-Identifier: Apache-2.0
"""References of the intent into one result: which of its records match the person's words best.

Most fields of most results contain no word of the intent. The code determines this first, at the least cost
for each word.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from remit.core.cooperative_steps import Steps, freeing
from remit.core.flow.justification import Reach
from remit.core.flow.language.phrases import ACTS
from remit.core.flow.language.quantity import names_all
from remit.core.flow.language.superlatives import Superlative, moment_of
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.language.word_forms import (
    PARTS,
    name_stems,
    number_of,
    stem,
    stems_among,
    stems_in,
    stems_of,
)
from remit.core.flow.reader.native_tables import ASKED, SAID_NUMBER, STEM
from remit.core.flow.records.hints import Hint, hints_in, nouns_in
from remit.core.flow.records.lookup import Lookup
from remit.core.flow.records.people_fields import Whole, can_be_id, is_of_name
from remit.core.flow.records.record import ResultLeaf
from remit.core.flow.records.search import by_item, hinted, is_title, witnessed
from remit.core.flow.values.destination import Destination, plainly_in
from remit.core.flow.values.kinds import LINKS, KindOfValue
from remit.core.label import Trust
from remit.core.tools.tool import Effect, Tool

MAX_NAMING_WORDS = 12
"""Most words of a field that can be a record's name."""
MAX_PHRASES = 100
"""Phrases of the intent in one result that are compared with one another."""
SHORTEST_IBAN = 15
MAX_UNSORTED = 100
"""Most fields of one result whose destinations still wait to be counted."""
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_TRUSTED, _UNTRUSTED = Trust.TRUSTED, Trust.UNTRUSTED
_NONE: frozenset[str] = frozenset()
_NONE_OF_THEM: frozenset[int] = frozenset()


class Referral(msgspec.Struct, frozen=True):
    """A reference of the intent to records of one result.

    `firm`: no outsider writes the text that it matches. `collected`: it covers all records. `names`: the
    words that found the records. `search`: the records were found by words of a search alone; these are the
    stems of the name of the searching tool. `around`: the paths of the objects that hold the words.
    """

    reach: Reach
    records: frozenset[int]
    firm: bool = True
    collected: bool = False
    names: frozenset[str] = frozenset()
    search: frozenset[str] = frozenset()
    around: frozenset[str] = frozenset()


#: How the intent names a short text: its words, if the intent contains all of them; the words (or the number)
#: that the intent contains; the words that a source contains to which the intent delegates.
Hit = tuple[str, tuple[str, ...], tuple[str, ...]]


class NamingOfResult:
    """What is seen of one result until the references of the intent to its records are known."""

    def __init__(
        self,
        utterance: Utterance,
        delegated: set[str],
        call: int,
        tool: Tool,
        lookup: Lookup,
        base: int,
    ) -> None:
        """Begin with nothing seen; records of the result are numbered from `base`."""
        self._utterance = utterance
        self._delegated = delegated
        self._reads = tool.effect is Effect.NONE
        self._looked_up = lookup.reach
        self._vague = lookup.vague
        self.one_of_many = lookup.one_of_many
        self._search = lookup.search
        self._asked = frozenset(lookup.asked)
        self.call = call
        self.base = base
        #: Whether the whole result is already pointed at, independent of the record.
        self.pointed = lookup.reach is not Reach.NONE
        #: The short fields.
        self.values: list[ResultLeaf] = []
        #: What each of them is as a whole.
        self.wholes: list[Whole] = []
        #: Digests of the ids of each record, in trusted fields; and of the ids by which the call looked up.
        self.ids: dict[int, set[int]] = {}
        self.keys: frozenset[int] = frozenset()
        #: The texts of the lookup, if the intent leads to it.
        self.looked_for = self._asked if lookup.reach is not Reach.NONE else _NONE
        self._unsorted: list[tuple[int, Sequence[Destination], str]] = []
        self._unread: dict[int, list[tuple[str, KindOfValue | None, str]]] = {}
        #: Fields that are links as a whole; and the links and hosts of each record in other texts.
        self.link_fields: set[str] = set()
        self.links: dict[tuple[int, KindOfValue], set[str]] = {}
        self._candidates: dict[tuple[int, KindOfValue], set[str]] = {}
        #: Untrusted texts with their paths, by record, where the intent may delegate to them.
        self.said: dict[int, list[tuple[str, str]]] = {}
        self._phrases: dict[str, set[int]] = {}
        self._score: dict[int, int] = {}
        #: Records whose untrusted fields contain words of the intent; and (phrase, record) of trusted fields.
        self._boasting: set[int] = set()
        self.sure: set[tuple[str, int]] = set()
        #: Words and numbers of the intent, with the records whose trusted fields hold them; and words of a
        #: source that the intent delegates to, with the records that hold them in any field.
        self._words: tuple[dict[str, set[int]], dict[str, set[int]]] = ({}, {})
        #: Words of the intent, with the records whose untrusted titles hold them.
        self._titles: dict[str, set[int]] = {}
        #: The paths of the objects with a name that holds such a word, by word and record.
        self._named: dict[tuple[str, int], set[str]] = {}
        #: The paths of the objects that hold words of the intent, by trust of the field.
        self._around: dict[tuple[str, Trust], set[str]] = {}
        self._measured: dict[Superlative, dict[str, list[tuple[float, int]]]] = {}
        self.tool_name = tool.name
        self._generic = name_stems(tool.name)

    def meet(self, found: Sequence[Destination], record: int, link_field: str = "") -> None:
        """Add destinations of a record; `link_field` is a field that is one link as a whole."""
        # The intent refers to nothing in most results: then the destinations need not be counted.
        self._unsorted.append((record, found, link_field))
        if len(self._unsorted) > MAX_UNSORTED:
            self._sort()

    def let_go(self) -> Steps[None]:
        """Free what was seen: of a result of 10 MB, all at once takes 20 ms."""
        yield from freeing(self.values, self.wholes, self._candidates, self._unread, self.links)

    def meet_in(self, text: str, kind: KindOfValue | None, record: int, path: str) -> None:
        """Add a plain text in which destinations stand: it is one of a kind, or (None) prose."""
        link_field = path if kind in LINKS else ""
        self._unread.setdefault(record, []).append((text, kind, link_field))
        if link_field:
            self.link_fields.add(link_field)

    def candidates(self, records: AbstractSet[int]) -> dict[tuple[int, KindOfValue], set[str]]:
        """Return the destinations of records, by kind, and of others that are already known."""
        for record in records & self._unread.keys():
            for text, kind, link_field in self._unread.pop(record):
                self.meet(plainly_in(text, kind), record, link_field)
        self._sort()
        return self._candidates

    def _sort(self) -> None:
        for record, found, link_field in self._unsorted:
            if link_field:
                self.link_fields.add(link_field)
            for one in found:
                # No mark shows where an account number ends: its longer readings are no further destinations.
                normal = one.normal[:SHORTEST_IBAN] if one.kind is KindOfValue.IBAN else one.normal
                self._candidates.setdefault((record, one.kind), set()).add(normal)
                if not link_field and one.kind in LINKS:
                    self.links.setdefault((record, one.kind), set()).add(normal)
        self._unsorted.clear()

    def hints_of_intent(self) -> Iterator[tuple[int, frozenset[str]]]:
        """Yield the stems, words and numbers of which a text holds at least one that `match` finds."""
        said = self._utterance
        yield STEM, said.stems | self._delegated if self._delegated else said.stems
        yield ASKED, frozenset(joined.partition(" ")[0] for joined in self._asked)
        yield SAID_NUMBER, said.numbers

    def see(
        self,
        leaves: Iterable[ResultLeaf],
        trusts: Iterable[Trust],
        wholes: Iterable[Whole],
        *,
        longest: int,
    ) -> None:
        """Add leaves of the result; of the short ones, `wholes` are what they are as a whole."""
        leaves, wholes = list(leaves), list(wholes)
        if any(len(leaf.text) > longest for leaf in leaves):
            short = [pair for pair in zip(leaves, wholes, strict=True) if len(pair[0].text) <= longest]
            self.values += [leaf for leaf, _ in short]
            self.wholes += [whole for _, whole in short]
        else:
            self.values += leaves
            self.wholes += wholes
        if not (self._utterance.delegating or self._utterance.superlatives):
            return
        for leaf, trust in zip(leaves, trusts, strict=True):
            if trust is not _UNTRUSTED:
                if len(leaf.text) <= longest:
                    self._measure(leaf)
            elif self._utterance.delegating:
                self.said.setdefault(leaf.record, []).append((leaf.path, leaf.text))

    def identify(self, leaf: ResultLeaf, digest: int) -> None:
        """Add a trusted field that is the id of its record, and repeats no argument that is in doubt."""
        if can_be_id(leaf.text):
            self.ids.setdefault(leaf.record, set()).add(digest)

    def name(self, leaf: ResultLeaf, trust: Trust, hit: Hit | None) -> None:
        """Add how the intent names a short leaf (`match`)."""
        if hit is not None and trust is _UNTRUSTED and is_of_name(leaf.name) and self._is_request(hit[0]):
            hit = None
        if hit is None:
            return
        self._hit(hit, leaf.record, trusted=trust is _TRUSTED)
        for one in hit[1] if trust is _UNTRUSTED and is_title(leaf.name) else ():
            self._titles.setdefault(one, set()).add(leaf.record)
            if is_of_name(leaf.name):
                self._named.setdefault((one, leaf.record), set()).add(leaf.path.rpartition(".")[0])
        for one in (hit[0], *hit[1]):
            self._around.setdefault((one, trust), set()).add(leaf.path.rpartition(".")[0])

    @property
    def titles(self) -> dict[str, set[int]]:
        """Words of the intent (stems), with the records whose untrusted titles hold them."""
        return self._titles

    def _is_request(self, phrase: str) -> bool:
        """Return whether a phrase is one word by which people ask: a stranger may sign as `Mail`."""
        return stem(phrase) in ACTS or stem(phrase) in self._generic

    def _hit(self, hit: Hit, record: int, *, trusted: bool) -> None:
        phrase, words, chained = hit
        if phrase:
            self._phrases.setdefault(phrase, set()).add(record)
            # The author of a record can write any number of words of the intent into it: they count once.
            if trusted or record not in self._boasting:
                self._score[record] = self._score.get(record, 0) + 1
            if trusted:
                self.sure.add((phrase, record))
            else:
                self._boasting.add(record)
        for one in words if trusted else ():
            self._words[0].setdefault(one, set()).add(record)
        for one in chained:
            self._words[1].setdefault(one, set()).add(record)

    def match(self, words: Sequence[str], number: str) -> Hit | None:
        """Return how the intent names a short text with these words; `number` is the text's number or
        empty.
        """
        if not 0 < len(words) <= MAX_NAMING_WORDS:
            return None
        said, joined = self._utterance, words[0] if len(words) == 1 else " ".join(words)
        phrase = joined in self._asked
        # A sequence of words is in the intent only where each of its words is.
        if not phrase and said.holds(joined):
            stems = stems_in(words)
            phrase = bool(stems) and stems <= said.stems and self._telling(words)
        found = _NONE
        if "@" not in joined and "//" not in joined:
            found = stems_among(words, said.stems) - self._generic
        elif len(words) > 1:
            # A part of an address (`example`, `org`) is no name in the intent.
            named = [one for one in words if "@" not in one and "//" not in one]
            found = stems_among(named, said.stems) - self._generic
        if found and not joined.isalpha():
            found -= self._letters_of_ids(words)
        if number and number in said.numbers:
            found |= {number}
        chained = _NONE
        if self._delegated:
            chained = (stems_in(words) & self._delegated) - said.stems - self._generic
        if not (phrase or found or chained):
            return None
        return joined if phrase else "", tuple(found), tuple(chained)

    def _letters_of_ids(self, words: Sequence[str]) -> frozenset[str]:
        """Return the letters in ids that the intent does not contain: `CU-1` does not name `CU-2`."""
        others = [one for one in words if any(map(str.isdigit, one)) and not self._utterance.holds(one)]
        plain = {stem(one) for one in words if one.isalpha()}
        return (
            frozenset(stem(part) for one in others for part in PARTS.findall(one) if part.isalpha()) - plain
        )

    def _telling(self, words: Sequence[str]) -> bool:
        """Return whether words that have stems can name something: several words, a name, or a word of 4
        letters.
        """
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
        """Return all references of the intent to records of this result."""
        found = self._references(count)
        if self.one_of_many:
            # Reading each of many chooses none of them for a change.
            found = [msgspec.structs.replace(one, collected=True) for one in found]
        if self._search:
            # What is read by the key of a record is named by the words that found that record.
            words, by = self._search
            found = [
                msgspec.structs.replace(one, names=words, search=by) if one.names <= self._asked else one
                for one in found
            ]
        return found

    def _references(self, count: int) -> list[Referral]:
        if not (self._phrases or self._measured or self._words[0] or self._words[1] or self._looked_up):
            # The result contains nothing of the intent, as most results.
            collected = self._reads and self.whole_collection()
            return [Referral(Reach.NAMED, frozenset(range(count)), collected=True)] if collected else []
        if not self._reads:
            return [Referral(self._looked_up, frozenset(range(count)))] if self._looked_up else []
        said = [one for one in self._by_phrase() if one.reach is not Reach.NONE]
        # The intersection of several references limits the records for a superlative.
        common = [one.records for one in said if len(one.records) > 1]
        most = []
        if self._measured:
            most = self._by_measure(frozenset.intersection(*common) if common else frozenset())
        found = [*([one for one in said if len(one.records) == 1] if most else said), *most]
        if not found and self._looked_up is Reach.NONE:
            found = self._by_word()
        if self._looked_up is Reach.NAMED and self._means_all(found):
            found.append(Referral(Reach.NAMED, frozenset(range(count)), collected=True, names=self._asked))
        if self._looked_up is Reach.POINTED:
            # A record that was found through untrusted text stays pointed, however well it matches.
            found = [Referral(Reach.POINTED, one.records) for one in found]
        if not found and self._looked_up is not Reach.NONE:
            collected = self._vague and self.whole_collection()
            if self._vague and not collected and (shown := self._shown(count)):
                return [Referral(Reach.NAMED, shown, names=self._asked, search=self._generic)]
            reach = Reach.POINTED if self._vague and not collected else self._looked_up
            return [Referral(reach, frozenset(range(count)), collected=collected, names=self._asked)]
        if not found and self.whole_collection():
            return [Referral(Reach.NAMED, frozenset(range(count)), collected=True)]
        return found

    def holding(self, keys: AbstractSet[str]) -> set[int]:
        """Return the records that hold a key of the look-up as a whole field."""
        return {record for key in keys for record in self._phrases.get(key, ())}

    def _means_all(self, found: Sequence[Referral]) -> bool:
        """Return whether the words name everything that was looked up, and single records elsewhere only."""
        key = stems_in(word for one in self._asked for word in one.split()) - self._generic
        names = [one for referral in found for one in referral.names]
        return (
            bool(found and key)
            and all(one.names for one in found)
            and names_all(self._utterance.clauses.sentences, key, names)
        )

    def _shown(self, count: int) -> frozenset[int]:
        """Return the one record that a search found by the words in its trusted fields.

        The whole result is none: a server may repeat there what it was asked.
        """
        found = witnessed(self._asked, self._utterance.stems, self._generic, self._words[0])
        found -= {0} if count > 1 else frozenset()
        return _scored(self._words[0], found) if len(found) > 1 else found

    def hinted(self, above: Sequence[int]) -> set[int]:
        """Return the records of the one item with most words of the intent in titles that outsiders write."""
        items = _scored(by_item(self._titles, above)) if self._titles else frozenset()
        return hinted(next(iter(items)), self._titles, above) if items else set()

    def hints(self, above: Sequence[int]) -> list[Hint]:
        """Return the items that words of the intent in such titles tell apart."""
        titles = {one: held for one, held in self._titles.items() if one not in ACTS}
        if not titles or not self._reads:
            return []
        return hints_in(titles, self._named, above, nouns_in(self._utterance.clauses.of()))

    def _by_phrase(self) -> list[Referral]:
        out = []
        for phrase, records in self._phrases.items():
            top = max(self._score[record] for record in records)
            best = frozenset(record for record in records if self._score[record] == top)
            said = self._utterance.says(phrase)
            firm = any((phrase, record) in self.sure for record in best)
            if not firm:
                best |= self._alike(best, top)
            names = frozenset((phrase,))
            trust = _TRUSTED if firm else _UNTRUSTED
            around = frozenset(self._around.get((phrase, trust), ()))
            out.append(
                Referral(Reach.NAMED if said else self._looked_up, best, firm, names=names, around=around)
            )
        return out

    def namesakes(self) -> set[int]:
        """Return the records that hold all phrases of the intent that any record of the result holds."""
        return set.intersection(*self._phrases.values()) if self._phrases else set()

    def _alike(self, records: frozenset[int], score: int) -> frozenset[int]:
        """Return the records that share further untrusted phrases of the intent with these.

        The difference between such records was written by the same outsiders.
        """
        out: set[int] = set()
        for phrase, those in itertools.islice(self._phrases.items(), MAX_PHRASES):
            if any((phrase, one) not in self.sure for one in records & those):
                out |= {one for one in those if self._score[one] >= score}
        return frozenset(out)

    def _by_measure(self, common: frozenset[int]) -> list[Referral]:
        """Return references by superlatives, among all records and among the records in `common`.

        A superlative counts only where all fields that it may mean yield the same record.
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
                    out.append(Referral(Reach.NAMED, found, names=frozenset((one.said,))))
        return out

    def _by_word(self) -> list[Referral]:
        """Return a reference by words that only one record has.

        This is a guess, so only trusted fields count, or else words of a source that the intent delegates to.
        An outsider can put a single word of the intent into a text.
        """
        for by_word, reach in zip(self._words, (Reach.NAMED, Reach.POINTED), strict=True):
            if found := _scored(by_word):
                stems = frozenset(one for one, those in by_word.items() if those == found)
                around = frozenset[str]().union(*(self._around.get((one, _TRUSTED), ()) for one in stems))
                names = self._utterance.spelt(stems)
                if reach is Reach.NAMED and not names and all(map(str.isalpha, stems)):
                    # The words only exclude it (`everyone except finance`).
                    continue
                return [Referral(reach, found, names=names, around=around)]
        return []

    def ruled_out(self) -> frozenset[int]:
        """Return the records, except the whole result, that the words exclude by a field of theirs."""
        said = self._utterance
        if not said.clauses.exclude():
            return _NONE_OF_THEM
        short = [one for one in self.values if one.record and 0 < len(one.text.split()) <= MAX_NAMING_WORDS]
        return frozenset(
            one.record
            for one in short
            if said.stems.issuperset(stems_of(one.text)) and said.clauses.rule_out(one.text)
        )

    def whole_collection(self) -> bool:
        """Return whether the intent names everything that the call lists."""
        return self._utterance.counts_up(self._generic) or (
            self._utterance.speaks_of_many() and self._looked_up is Reach.NAMED
        )


def _scored(words: dict[str, set[int]], among: AbstractSet[int] | None = None) -> frozenset[int]:
    """Return the record with the highest score of words that no other record has; empty for a tie.

    With `among`, only these records are compared.
    """
    scores: dict[int, int] = {}
    for word, records in words.items():
        found = records if among is None else records & among
        if len(found) == 1:
            (record,) = found
            scores[record] = scores.get(record, 0) + (2 if word[:1].isdigit() else 1)
    if not scores:
        return frozenset()
    top = max(scores.values())
    best = frozenset(record for record, score in scores.items() if score == top)
    return best if len(best) == 1 else frozenset()


def _measure_of(text: str) -> float | None:
    number = number_of(text)
    return float(number) if number else moment_of(text)
