# SPDX-License-Identifier: Apache-2.0
"""Which records of a task's results the intent names, and to which sources it points.

Among the records of one result, only those that match the person's words best are named:

1. a short field of the record is contained whole in the words (the title of a meeting, the name of a file);
2. the record is the greatest or least of what the words ask for (`the largest file`), by a trusted field;
3. a word or a number of the intent is in a short field of this record and of no other;
4. the intent states the key of the lookup, or names all of what the call lists.

A source is pointed at where its lookup used text from a pointed source. A party that can write records can
make them match: then several match, and none is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from remit.core.flow.justification import Reach
from remit.core.flow.language.utterance import Utterance
from remit.core.flow.language.vocabulary.url_words import speak_of_link
from remit.core.flow.language.word_forms import name_stems, stem, stems, stems_of
from remit.core.flow.records.delegated_words import DelegatedWords
from remit.core.flow.records.hints import Hint
from remit.core.flow.records.lookup import Lookup
from remit.core.flow.records.people_fields import WHOLE_BYTES, Name, by_path, under_other_names
from remit.core.flow.records.reference import NamingOfResult, Referral
from remit.core.flow.records.search import with_titles
from remit.core.flow.values.destination import whole
from remit.core.flow.values.kinds import LINKS, KindOfValue
from remit.core.tools.tool import Tool

MAX_REFERRED = 200_000
"""Records of one task that the intent refers to; beyond this limit, the intent leads to no further
records.
"""
REFERRED_BYTES = 250
"""Approximate memory of a record that the intent refers to."""
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_UNLED = Reach.NONE
_NO_NAMES: frozenset[str] = frozenset()
#: Words of a field's name that do not identify the owner of the address in it.
_ANYBODYS_WORDS = (
    "address email mail phone telephone tel mobile number iban account url link web website "
    "site homepage handle user username id contact work business office home private personal primary main "
    "default name value"
)
_ANYBODYS = frozenset(map(stem, _ANYBODYS_WORDS.split()))
#: Words of fields that hold the author of a text.
_AUTHORS = stems("user from sender author creator by poster writer owner reporter")


class Naming:
    """What the intent names in all results of one task."""

    def __init__(self, utterance: Utterance) -> None:
        """Begin without results."""
        self._utterance = utterance
        #: Words of the named sources that the intent delegates to; and of those that no outsider names.
        self.handed = DelegatedWords()
        self.firmly_handed = DelegatedWords()
        #: The fields of such sources, by call, and whether no outsider names the source.
        self._handing: dict[tuple[int, str], bool] = {}
        self._reach: dict[int, Reach] = {}
        self._references: dict[int, tuple[int, ...]] = {}
        #: The words of the intent by which each reference finds its records.
        self._names: dict[int, frozenset[str]] = {}
        #: References by words of a search alone, with the stems of the name of the searching tool.
        self._searches: dict[int, frozenset[str]] = {}
        #: The objects that hold these words, by path.
        self._around: dict[int, frozenset[str]] = {}
        self._choices: dict[tuple[int, str], int] = {}
        #: Fields of each reference's records that hold another person's address.
        self._others: dict[int, frozenset[str]] = {}
        #: Addresses of each reference's records that stand under another person's name.
        self._misnamed: dict[int, frozenset[tuple[int, str]]] = {}
        self._candidates: dict[tuple[int, KindOfValue], int] = {}
        #: The structured values of each reference's records, by path, with the names that choose them.
        self._fields: dict[tuple[int, str], dict[int, tuple[Name, ...]]] = {}
        #: Digests of the ids of each record, and of the records around it.
        self._ids: dict[int, frozenset[int]] = {}
        #: Stems of the words by which each reference, or the call, found its records.
        self._found: dict[int, frozenset[str]] = {}
        #: For each id, stems of the words by which its records were found.
        self._words: dict[int, frozenset[str]] = {}
        #: The number of addresses in the prose of each reference's records.
        self._free: dict[tuple[int, KindOfValue], int] = {}
        #: The same by record, where the words describe people as many.
        self._free_alone: dict[tuple[int, KindOfValue], int] = {}
        self._wholes = 0
        #: The same for links outside fields that are links as a whole, and these fields.
        self._links: dict[tuple[int, KindOfValue], int] = {}
        self._link_fields: set[tuple[int, str]] = set()
        self._calls: dict[int, Reach] = {}
        #: Calls of whose records the intent picks some, with the words that pick them (empty: a choice).
        self._picked: dict[int, frozenset[str]] = {}
        self._namesakes: set[int] = set()  #: records with the same names as the picked ones
        self._many: set[int] = set()
        self._chosen: set[int] = set()  #: records named by more than a mention of the whole collection
        self._firm: set[int] = set()  #: records named by text that no outsider writes
        self._read_as_one: set[int] = set()  #: records read by a key that is one of many
        self._hinted: set[int] = set()  #: records named by a word of a title that outsiders write
        #: By call, the words of titles that hint at an item; and the items whose titles hold such words.
        self._title_words: dict[int, frozenset[str]] = {}
        self._titled: set[int] = set()
        #: By call, the number of the whole result: where that holds several records, and where it is the one
        #: record that the intent names.
        self._wholes_of: dict[int, int] = {}
        self._lists: dict[int, int] = {}
        #: Records that only a hint leads to, with its number; and the hints by number.
        self._hint_of: dict[int, int] = {}
        self._hints: dict[int, Hint] = {}
        self._records = 0
        self._count = 0
        #: Whether there were more records than are remembered.
        self.full = False

    @property
    def size_bytes(self) -> int:
        """Approximate memory of the stored data."""
        referred = len(self._reach) + len(self._hinted) + len(self._hint_of)
        handed = self.handed.size_bytes + self.firmly_handed.size_bytes
        return referred * REFERRED_BYTES + self._wholes * WHOLE_BYTES + handed

    def begin(self, call: int, tool: Tool, lookup: Lookup) -> NamingOfResult:
        """Begin the naming for the result of a call."""
        return NamingOfResult(self._utterance, self.handed.words, call, tool, lookup, self._records)

    def reach(self, record: int) -> Reach:
        """Return how the intent leads to a record."""
        return self._reach.get(record, _UNLED)

    def _numbers(self, record: int) -> tuple[int, ...]:
        """Return the references to a record, or the hint that leads to it."""
        hint = self._hint_of.get(record)
        return self._references.get(record, () if hint is None else (hint,))

    def hint(self, record: int) -> int | None:
        """Return the number of the hint that leads to a record, if nothing else does."""
        return self._hint_of.get(record) if self.reach(record) is _UNLED else None

    def hinted(self, number: int) -> Hint:
        """Return a hint by its number."""
        return self._hints[number]

    def rivals(self, numbers: AbstractSet[int]) -> frozenset[int]:
        """Return the hints that compete with some hints, unless a call concerns these as well."""
        ours = [self._hints[one] for one in numbers]
        return frozenset(
            number
            for number, one in self._hints.items()
            if any(mine.rivals(one) for mine in ours) and not any(mine.is_of(one) for mine in ours)
        )

    def choice(self, record: int, path: str) -> int:
        """Return the number of different values that a field has in the records of the same reference.

        It is 1 where the intent's reference leaves no choice.
        """
        found = [self._choices.get((one, path), 0) for one in self._numbers(record)]
        return min((one for one in found if one), default=0)

    def is_of_another(self, record: int, path: str) -> bool:
        """Return whether a field holds another person's address (`manager_email`) than the one the intent
        names.
        """
        return all(
            path in self._others.get(one, ()) or (record, path) in self._misnamed.get(one, ())
            for one in self._references.get(record, ())
        )

    def names(self, record: int, path: str = "") -> frozenset[str]:
        """Return the words by which a record was found; empty where only a choice among all records found
        it.

        With `path`, only those that the object of this field holds.
        """
        numbers = self.beside(record, path) if path else self._references.get(record, ())
        found = [self._names.get(one, _NO_NAMES) for one in numbers]
        return _NO_NAMES.union(*found) if all(found) else _NO_NAMES

    @property
    def searched(self) -> bool:
        """Whether words of a search alone name any record."""
        return bool(self._searches)

    def search(self, record: int) -> frozenset[str]:
        """Return the stems of the searching tool's name where words of a search alone name a record."""
        found = [self._searches.get(one, _NO_NAMES) for one in self._references.get(record, ())]
        return _NO_NAMES.union(*found) if all(found) else _NO_NAMES

    def beside(self, record: int, path: str) -> list[int]:
        """Return the references by which a field is in the object that the intent names, or below it.

        The channel of a message is not the address of the message's author.
        """
        return [
            one
            for one in self._references.get(record, ())
            if not (around := self._around.get(one)) or any(is_below(path, each) for each in around)
        ]

    def candidates(self, record: int, kind: KindOfValue, path: str = "") -> int:
        """Return the number of different destinations of a kind in the records of the same reference.

        Where the words speak of a link in the record, fields that are links as a whole (`html_url`) are not
        counted for a link in another field.
        """
        references = self._references.get(record, ())
        found = [self._candidates.get((one, kind), 0) for one in references]
        if kind in LINKS and not self.is_link_field(record, path) and self.speaks_of_link(record):
            found = [self._links.get((one, kind), 0) for one in references]
        return min((one for one in found if one), default=0)

    def is_link_field(self, record: int, path: str) -> bool:
        """Return whether a field of a record, or of one like it, is a link as a whole."""
        return any((one, path) in self._link_fields for one in self._references.get(record, ()))

    def speaks_of_link(self, record: int) -> bool:
        """Return whether the intent names a record and speaks of a link there."""
        return self.reach(record) is Reach.NAMED and speak_of_link(
            self._utterance.clauses.sentences, self.names(record)
        )

    def structured(self, record: int, path: str, value: int) -> dict[int, tuple[Name, ...]]:
        """Return the values of a field in the records of one reference, if a value is structured there.

        Each comes with the names of the intent that choose it. Of several references, the one with the fewest
        values counts.
        """
        found = [self._fields.get((one, path), {}) for one in self._numbers(record)]
        return min((one for one in found if value in one), key=len, default={})

    def ids(self, record: int) -> frozenset[int]:
        """Return digests of the ids of a record and of the records around it."""
        return self._ids.get(record, frozenset())

    def knows_id(self, value: int) -> bool:
        """Return whether a value is the id of a record that the intent refers to."""
        return value in self._words

    def found_by(self, record: int) -> frozenset[str]:
        """Return stems of the words by which a record, or a record with the same id, was found."""
        own = (self._found.get(one, _NO_NAMES) for one in self._references.get(record, ()))
        return _NO_NAMES.union(*own, *(self._words.get(one, _NO_NAMES) for one in self.ids(record)))

    def in_prose(self, record: int, kind: KindOfValue, *, alone: bool = False) -> int:
        """Return the most destinations of a kind that the prose of one reference's records holds.

        With `alone`, return the number in this record.
        """
        if alone:
            return self._free_alone.get((record, kind), 0)
        return max((self._free.get((one, kind), 0) for one in self._references.get(record, ())), default=0)

    def many(self, call: int) -> bool:
        """Return whether the intent names everything that a call returned."""
        return call in self._many

    def firm(self, record: int) -> bool:
        """Return whether a record is named by text that no outsider writes."""
        return record in self._firm

    def leads_to(self, record: int) -> bool:
        """Return whether the intent leads to a record, even if only by a title that outsiders write."""
        return record in self._hinted or self.reach(record) is not _UNLED

    def read_as_one(self, record: int) -> bool:
        """Return whether a record was read only as one of many: the texts of others in it are no source."""
        return record in self._read_as_one and self.collected(record)

    def collected(self, record: int) -> bool:
        """Return whether a record is named only because the intent names all records of its kind."""
        return record not in self._chosen

    def best(self, call: int) -> Reach:
        """Return the best reach of the intent into a call's result."""
        return self._calls.get(call, _UNLED)

    def picked(self, call: int, record: int, path: str, *, selects: bool) -> frozenset[str] | None:
        """Return the words by which the intent picks other records of a call than this one.

        The set is empty where the intent picks by a choice among all; None where the intent does not exclude
        the record. A record of the same names is not excluded as what a call changes (`selects`). As a
        recipient it is: outsiders can copy a name. With `path`, the object of this field must be named.
        """
        led = self.reach(record) is not _UNLED and (not path or bool(self.beside(record, path)))
        named = led or (selects and record in self._namesakes)
        return None if named else self._picked.get(call)

    def picked_words(self, call: int) -> frozenset[str]:
        """Return the words by which the intent picks some records of a call."""
        return self._picked.get(call, _NO_NAMES)

    def settle(self, one: NamingOfResult, above: Sequence[int]) -> None:
        """Store which records of a result the intent refers to."""
        references = one.references(len(above))
        best = _UNLED
        covered: set[int] = set()
        for reference in references:
            number, self._count = self._count, self._count + 1
            records = with_what_is_below(reference.records, above)
            if reference.collected:
                records -= with_what_is_below(one.ruled_out(), above)
            covered |= records
            if not reference.collected:
                self._chosen |= {one.base + record for record in records}
            if one.one_of_many:
                self._read_as_one |= {one.base + record for record in records}
            if reference.firm:
                self._firm |= {one.base + record for record in records}
            if len(self._reach) + len(records) > MAX_REFERRED:
                self.full = True
                continue
            best = max(best, reference.reach)
            if reference.names:
                self._names[number] = reference.names
            if reference.search:
                self._searches[number] = reference.search
            if reference.around:
                self._around[number] = reference.around
            for record in records:
                at = one.base + record
                self._reach[at] = max(self._reach.get(at, _UNLED), reference.reach)
                self._references[at] = (*self._references.get(at, ()), number)
            self._identify(one, reference, records, above, number)
            self._weigh(one, records, number, reference.names)
            if self._utterance.delegates:
                self._hand(one, reference, records)
        if best is not _UNLED:
            self._calls[one.call] = best
        self._hint(one, above)
        if not covered:
            self._settle_hints(one, above)
        self._records = one.base + len(above)
        if len(above) > 2 and covered and len(covered) < len(above):
            words = [reference.names for reference in references]
            self._picked[one.call] = frozenset().union(*words) if all(words) else frozenset()
            self._namesakes |= {one.base + record for record in one.namesakes()}
        if one.whole_collection():
            self._many.add(one.call)

    def _hint(self, one: NamingOfResult, above: Sequence[int]) -> None:
        """Store at which records of a result titles hint, and whether the result is a list."""
        if len(self._hinted) < MAX_REFERRED and (hinted := one.hinted(above)):
            self._hinted |= {one.base + record for record in hinted}
            self._title_words[one.call] = frozenset(one.titles)
            self._titled |= {one.base + record for record in with_titles(one.titles, above)}
        if len(above) > 2:
            self._lists[one.call] = one.base
        elif self.best(one.call) is Reach.NAMED:
            self._wholes_of[one.call] = one.base

    def _hand(self, one: NamingOfResult, reference: Referral, records: AbstractSet[int]) -> None:
        """Hear the texts of the record that the words delegate to."""
        named = reference.reach is Reach.NAMED and not reference.collected
        if not named or not self._utterance.delegates_to(reference.names | one.looked_for):
            return
        # The author's name is in the object of the text, or in the author's object below it. The topic of a
        # channel is not the text of the channel's members.
        texts = {
            path: text
            for at in sorted(records & one.said.keys())
            for path, text in one.said[at]
            if not reference.around or any(_is_author(each, path) for each in reference.around)
        }
        self.handed.hear(texts.values())
        if reference.firm:
            self.firmly_handed.hear(texts.values())
        for path in texts:
            key = (one.call, path)
            self._handing[key] = self._handing.get(key, False) or reference.firm

    def hands_over(self, call: int, path: str, *, firmly: bool) -> bool:
        """Return whether a field holds a text that the intent delegates to, `firmly`: by a name that no
        outsider writes.
        """
        firm = self._handing.get((call, path))
        return firm is not None and (firm or not firmly)

    def hints_elsewhere(self, call: int, record: int) -> frozenset[str]:
        """Return the words of titles (stems) that hint at another item of a call's result than this one.

        It is empty where the titles of this item hold a word of the intent, too.
        """
        return _NO_NAMES if record in self._titled else self._title_words.get(call, _NO_NAMES)

    def alone(self, call: int) -> int | None:
        """Return the record that is a call's whole result; None where the result holds several."""
        return self._wholes_of.get(call)

    def is_one_of_many(self, call: int, record: int) -> bool:
        """Return whether a record is one of several items of a call's result."""
        return self._lists.get(call, record) != record

    def _settle_hints(self, one: NamingOfResult, above: Sequence[int]) -> None:
        for hint in one.hints(above):
            records = with_what_is_below(hint.records, above) if hint.named else hint.records
            if len(self._hint_of) + len(records) > MAX_REFERRED:
                return
            number, self._count = self._count, self._count + 1
            item = min(hint.records)  # the first: other items can hold the same records
            ids = frozenset(one.ids.get(item, ()))
            self._hints[number] = msgspec.structs.replace(hint, tool=one.tool_name, ids=ids)
            self._hint_of.update((one.base + record, number) for record in records)
            self._weigh(one, records, number, _NO_NAMES)

    def _identify(
        self,
        one: NamingOfResult,
        reference: Referral,
        records: AbstractSet[int],
        above: Sequence[int],
        number: int,
    ) -> None:
        """Store the ids of records; a call that reads a record by its id reads that record."""
        words = self._found[number] = stems_of(" ".join(reference.names | one.looked_for))
        for record in sorted(records):
            found, at = one.keys.union(one.ids.get(record, ())), record
            while above[at] != at:
                at = above[at]
                found |= one.ids.get(at, set())
            self._ids[one.base + record] = found
            for value in found:
                self._words[value] = self._words.get(value, _NO_NAMES) | words

    def _weigh(
        self, one: NamingOfResult, records: AbstractSet[int], number: int, names: AbstractSet[str]
    ) -> None:
        here = [pair for pair in zip(one.values, one.wholes, strict=True) if pair[0].record in records]
        if misnamed := under_other_names(here, names, self._utterance.people.names):
            self._misnamed[number] = frozenset((one.base + at, path) for at, path in misnamed)
        fields = by_path(here, self._utterance.people.names)
        for path, found_here in fields.items():
            self._fields[number, path] = found_here
            self._wholes += len(found_here)
        values: dict[str, dict[int, set[str]]] = {}
        for leaf in one.values:
            if leaf.record in records:
                values.setdefault(leaf.path, {}).setdefault(leaf.record, set()).add(leaf.text)
        for path, by_record in values.items():
            self._choices[number, path] = len(set(map(frozenset, by_record.values())))
        if others := self._of_others({path: next(iter(values[path].values())) for path in values}):
            self._others[number] = others
        kinds: dict[KindOfValue, set[str]] = {}
        for (record, kind), found in one.candidates(records).items():
            if record in records:
                kinds.setdefault(kind, set()).update(found)
        for kind, all_found in kinds.items():
            self._candidates[number, kind] = len(all_found)
            whole_ones = {
                whole(leaf.text).normal
                for leaf, (value, of_kind) in here
                if of_kind is kind and value in fields.get(leaf.path, ())
            }
            self._free[number, kind] = len(all_found - whole_ones)
            for record in records if self._utterance.people.described_as_many else ():
                free_here = one.candidates(records).get((record, kind), set()) - whole_ones
                self._free_alone[one.base + record, kind] = len(free_here)
        for kind in LINKS:
            free = [found for (record, of), found in one.links.items() if of is kind and record in records]
            self._links[number, kind] = len(set().union(*free))
        self._link_fields.update((number, path) for path in one.link_fields)

    def _of_others(self, values: Mapping[str, AbstractSet[str]]) -> frozenset[str]:
        """Return the fields that hold another person's address.

        The name of such a field identifies an owner, a field of the same kind beside it does not, and the
        intent does not name that owner.
        """
        more: dict[KindOfValue, dict[str, int]] = {}
        for path, texts in values.items():
            kind = whole(next(iter(texts))).kind
            if kind is not KindOfValue.TEXT:
                words = name_stems(path) - _ANYBODYS - self._utterance.stems
                more.setdefault(kind, {})[path] = len(words)
        return frozenset(
            path
            for count in more.values()
            for path, found in count.items()
            if found and not min(count.values())
        )


def _is_author(around: str, path: str) -> bool:
    """Return whether an object is the one around a text, or describes the author of that text."""
    parent = path.rpartition(".")[0]
    if around == parent or not is_below(around, parent):
        return around == parent
    first = around.removeprefix(parent).lstrip(".[]{}").partition(".")[0]
    return not name_stems(first).isdisjoint(_AUTHORS)


def is_below(path: str, above: str) -> bool:
    """Return whether a path is below the path of an object."""
    return not above or path.startswith((f"{above}.", f"{above}[", f"{above}{{"))


def with_what_is_below(records: AbstractSet[int], above: Sequence[int]) -> set[int]:
    """Return records of a result together with the records in them."""
    out = set(records)
    for record, parent in enumerate(above):
        # A record comes after the record around it.
        if parent in out:
            out.add(record)
    return out
