# SPDX-License-Identifier: Apache-2.0
"""Intake of one result: each leaf is read once, for its values, its words and what it names.

Leaves are taken in together by the native reader (`core.flow.reader`). It leaves those to this module that
may have several readings. A long text of these is read in pieces, between which other tasks run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import compress

import msgspec

from remit.core.cooperative_steps import (
    MAX_PIECE,
    SLICE,
    STEP,
    Steps,
    WorkCount,
    pieces,
    weight,
    whole_words,
)
from remit.core.flow.arguments.argument_walk import found_in
from remit.core.flow.justification import Encounter
from remit.core.flow.language.word_forms import bare_word, bare_words, number_of
from remit.core.flow.memory import RECORD_BITS, RECORD_MASK, TaskRecords
from remit.core.flow.reader.native_tables import HOLDING_PROSE, KINDS, LeafBatch, LeafFields, Stop
from remit.core.flow.records.lookup import Lookup
from remit.core.flow.records.naming import Naming
from remit.core.flow.records.people_fields import Whole, is_own_id
from remit.core.flow.records.record import Reading, ResultLeaf
from remit.core.flow.records.reference import Hit
from remit.core.flow.values.destination import (
    MAX_WHOLE,
    Destination,
    at_a_glance,
    looked_into,
    searching,
    whole,
    within,
)
from remit.core.flow.values.kinds import LINKS, KindOfValue
from remit.core.flow.values.normal_text import folded, folding
from remit.core.flow.values.strict_reading import BLANKS, ExactValue, exact, small, standing, stated_forms
from remit.core.label import Trust

MAX_TEXT = 200
"""Longest field, in characters, that is remembered as a whole; a longer field is searched for destinations
only.
"""
MAX_TEXTS = 4_000
"""Distinct short texts of one result that are read only once."""
MAX_HEARD = 20_000
"""Words of long texts of one result that are looked up only once."""
LEAVES = 256
CHARS = 16_384
"""Leaves and characters that are taken in together, where the native reader reads all of them."""
MAX_DOUBTS = 1_000
"""Doubtful arguments with which the native reader compares each value; with more, Python reads."""
ODD_LEAVES = 16
"""Short texts that one step reads one by one."""
_DIGIT = re.compile("[0-9]")
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_TRUSTED, _UNTRUSTED = Trust.TRUSTED, Trust.UNTRUSTED
_EMAIL, _TEXT = KindOfValue.EMAIL, KindOfValue.TEXT
#: Numbers of kinds of which destinations are counted; each kind by its number.
_HOLDING = frozenset(at for at, one in enumerate(KINDS) if one is not _TEXT) | {HOLDING_PROSE}
_KIND_OF = (*KINDS, _TEXT)


def _own_field(leaf: ResultLeaf, own: AbstractSet[str]) -> str:
    """Return which of the fields that hold the person's own values a leaf is; empty for another leaf."""
    return next((one for one in (leaf.path, leaf.path.removeprefix("[]."), leaf.name) if one in own), "")


def _without(
    found: Sequence[Destination], links: Mapping[Destination, frozenset[Destination]]
) -> Iterator[Destination]:
    """Yield destinations without links, and without the host of a link where it follows as the link's part.

    Where the host stands without the link, it is yielded.
    """
    part: frozenset[Destination] = frozenset()
    for one in found:
        if one not in links and one not in part:
            yield one
        part = links.get(one, frozenset())


class ShortText(msgspec.Struct, gc=False):
    """What is found in a short text.

    `digests` are the digests of its values in normal form, `brought` those without the call's own links,
    `exact` those in their form for use, `candidates` its destinations, `words` its words, `whole` what it is
    as a whole, `number` its number. `mentioned` tells whether the words are already remembered, `link`
    whether the whole text is a link or a host.
    """

    digests: list[int]
    brought: list[int]
    exact: list[int]
    candidates: Sequence[Destination]
    words: list[str]
    whole: Whole
    number: str
    mentioned: bool = False
    link: bool = False


class Intake:
    """The intake of one result into the memory of a task."""

    def __init__(
        self,
        kept: TaskRecords,
        naming: Naming,
        lookup: Lookup,
        *,
        call: int,
        decision: str,
        marked: AbstractSet[int],
        brought_by_others: Callable[[Destination], bool],
    ) -> None:
        """Begin with the result of the call whose arguments are in `lookup`."""
        self._kept = kept
        self._brought_by_others = brought_by_others
        self._naming = naming
        #: What is seen of this result.
        self.now = naming.begin(call, lookup.tool, lookup)
        keys = (kept.digest_exact(exact(one)) for one in lookup.keys)
        self.now.keys = frozenset(one for one in keys if naming.knows_id(one))
        self._lookup = lookup
        self._call = call
        self._decision = decision
        self._marked = marked
        self._tool_id = lookup.tool.id
        #: The fields of other and of untrusted values, by path; and the first leaf of each, with its trust.
        self._numbered: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._fields = LeafFields()
        self._firsts: list[tuple[ResultLeaf, Trust]] = []
        #: Fields that are the id of a record.
        self._ids: set[int] = set()
        self._hits: dict[str, Hit | None] = {}
        #: Most results repeat the same texts in many places.
        self._texts: dict[str, ShortText] = {}
        #: Digests of the call's arguments that no trusted source confirms; computed at the first leaf that is
        #: not untrusted.
        self._doubts: set[int] = set()
        self._asked = False
        self._heard: set[str] = set()
        #: The call's own links, and the words that they are.
        links = lookup.own_links()
        self._links = {one: frozenset(within(one.normal)) for one in links}
        self._link_words = frozenset(links.values())
        #: Characters beyond ASCII that this step has read.
        self._gone = 0

    def take(self, reading: Reading) -> Steps[None]:
        """Take in every leaf, then settle which records the intent names. The caller must run it to the
        end.
        """
        kept, lookup = self._kept, self._lookup
        doubted = lookup.doubts(self._marked)
        # A call that selects something may return someone else's profile.
        own = frozenset() if lookup.selects else lookup.tool.own_fields
        owned: dict[str, set[ExactValue]] = {}
        kept.tables.say(self.now.hints_of_intent())
        leaves: list[ResultLeaf] = []
        trusts: list[Trust] = []
        chars = 0
        for leaf in reading.steps():
            if leaf is None:
                yield
                continue
            trust = leaf.label.trust
            if doubted:
                trust = yield from lookup.trusting(leaf, self._marked)
            if trust is not _UNTRUSTED and not self._asked:
                self._asked = True
                yield from self._doubting()
            mine = own and trust is _TRUSTED and len(leaf.text) <= MAX_TEXT and not kept.full
            if mine and (field := _own_field(leaf, own)):
                owned.setdefault(field, set()).add(exact(leaf.text))
            leaves.append(leaf)
            trusts.append(trust)
            chars += len(leaf.text)
            if len(leaves) == LEAVES or chars > CHARS:
                yield from self._together(leaves, trusts)
                leaves, trusts, chars = [], [], 0
                yield
        yield from self._together(leaves, trusts)
        for values in owned.values():
            if len(values) == 1:
                # Of several, it is not known which are the person's.
                kept.keep_own(*values)
        self._naming.settle(self.now, reading.above)
        kept.full = kept.full or reading.cut or self._naming.full

    def _together(self, leaves: list[ResultLeaf], trusts: list[Trust]) -> Steps[None]:
        """Take in leaves: as many as possible by the native reader, the others one by one."""
        kept, now = self._kept, self.now
        fields = [self._field(leaf, trust) for leaf, trust in zip(leaves, trusts, strict=True)]
        many = len(self._doubts) > MAX_DOUBTS
        batch = self._batch(leaves, fields, () if many else self._doubts)
        seen, odd, left_out, work = 0, set[int](), set[int](), 0
        while seen < len(leaves):
            stop = Stop.ODD if many else self._natively(batch)
            seen = batch.at
            if stop is Stop.ODD:
                leaf, trust = leaves[seen], trusts[seen]
                odd.add(seen)
                if kept.full and trust is _TRUSTED:
                    left_out.add(seen)
                elif len(leaf.text) <= MAX_TEXT:
                    digest, kind = self._short(leaf, trust, fields[seen])
                    batch.wholes[seen], batch.kinds[seen] = digest, KINDS.index(kind, 1)
                    if not (work := work + 1) % ODD_LEAVES or self._gone > STEP:
                        self._gone = 0
                        yield
                else:
                    yield from self._long(leaf, trust, fields[seen])
                batch.skip()
                seen += 1
            elif stop is not Stop.DONE and len((leaf := leaves[seen - 1]).text) <= MAX_TEXT:
                # The intent may name a leaf that found the tables full.
                if leaf.text not in self._hits:
                    words = bare_words(folded(leaf.text).split())
                    self._hits[leaf.text] = now.match(words, number_of(leaf.text))
                now.name(leaf, trusts[seen - 1], self._hits[leaf.text])
                if not (work := work + 1) % ODD_LEAVES:
                    yield
        self._see(leaves, trusts, fields, batch, odd, left_out)

    def _batch(self, leaves: list[ResultLeaf], fields: list[int], doubts: Iterable[int]) -> LeafBatch:
        return LeafBatch(
            [leaf.text for leaf in leaves],
            fields,
            [leaf.record for leaf in leaves],
            self._fields,
            doubts,
            base=self.now.base,
            pointed=self.now.pointed,
            own_links=bool(self._links),
        )

    def _natively(self, batch: LeafBatch) -> Stop:
        """Take in leaves of a batch by the native reader; return what it stopped for."""
        kept = self._kept
        if kept.full:
            return Stop.ODD
        batch.set_next_place(len(kept.places))
        stop = kept.tables.take(batch)
        for field in batch.placed:
            self._place(*self._firsts[field])
        return stop

    def _see(
        self,
        leaves: list[ResultLeaf],
        trusts: list[Trust],
        fields: list[int],
        batch: LeafBatch,
        odd: AbstractSet[int],
        left_out: AbstractSet[int],
    ) -> None:
        """Show leaves that were taken in to what finds the references of the intent."""
        now = self.now
        for at, kind in enumerate(batch.kinds):
            if kind in _HOLDING and at not in odd:
                leaf = leaves[at]
                now.meet_in(leaf.text, KINDS[kind] if kind < len(KINDS) else None, leaf.record, leaf.path)
        if self._ids:
            for at, field in enumerate(fields):
                if field in self._ids and at not in odd and len(leaves[at].text) <= MAX_TEXT:
                    now.identify(leaves[at], batch.wholes[at])
        whole = list(zip(batch.wholes, map(_KIND_OF.__getitem__, batch.kinds), strict=True))
        if left_out:
            kept = [at not in left_out for at in range(len(leaves))]
            leaves, trusts = list(compress(leaves, kept)), list(compress(trusts, kept))
            whole = list(compress(whole, kept))
        now.see(leaves, trusts, whole, longest=MAX_TEXT)

    def _field(self, leaf: ResultLeaf, trust: Trust) -> int:
        """Return the number of a leaf's field."""
        numbered = self._numbered[trust is _UNTRUSTED]
        field = numbered.get(leaf.path)
        if field is None:
            field = numbered[leaf.path] = self._fields.add(untrusted=trust is _UNTRUSTED)
            self._firsts.append((leaf, trust))
            if trust is _TRUSTED and is_own_id(leaf.name, self._lookup.tool.name):
                self._ids.add(field)
        return field

    def _place(self, leaf: ResultLeaf, trust: Trust) -> int:
        met = Encounter(self._call, self._decision, self._tool_id, leaf.path, trust)
        return self._kept.place(met, leaf.name, self._lookup.tool)

    def _doubting(self) -> Steps[None]:
        """Determine which arguments of the call no trusted source confirms."""
        work, read = WorkCount(), self._lookup.read
        for one in self._lookup.doubtful:
            if len(one) <= MAX_WHOLE:
                self._doubts.add(self._kept.digest(read.get(one) or whole(one)))
                if work.over(one):
                    yield
            # An argument that holds what untrusted data brought may be repeated in part.
            for found in found_in(one):
                self._doubts.update(self._digests(filter(self._brought_by_others, found)))
                if weight(one) > MAX_WHOLE:
                    yield

    def _short(self, leaf: ResultLeaf, trust: Trust, field: int) -> Whole:
        """Take in a short text with several readings; return what it is as a whole."""
        text = self._texts.get(leaf.text) or self._read(leaf.text)
        kept, now, record, digests = self._kept, self.now, leaf.record, text.digests
        untrusted, held = trust is _UNTRUSTED, kept.held
        place = self._fields.places[field]
        number, at = len(kept.places) if place < 0 else place, now.base + record
        spot = number << RECORD_BITS | (min(RECORD_MASK, at))
        if untrusted:
            kept.meet_all(text.brought, spot, trust)
            if not text.mentioned:
                kept.mention_words(self._not_own(text.words), number)
                text.mentioned = True
            if now.pointed:
                self._numbers(text.words, spot, trust)
        else:
            digests = [one for one in digests if one not in self._doubts]
            kept.meet_all(digests, spot, trust)
        confirmed = len(digests) == len(text.digests)
        if untrusted or confirmed:
            # A text that repeats a doubtful value, in any spelling, confirms none of its values.
            kept.meet_all(text.exact, spot, trust)
            if text.link and not untrusted and not kept.full:
                kept.vouched.update(digests)
        if place < 0 and kept.held > held:
            # Where every value was already known, the place need not be stored.
            self._fields.places[field] = self._place(leaf, trust)
        if text.candidates:
            now.meet(text.candidates, record, leaf.path if text.link else "")
        if field in self._ids and confirmed:
            now.identify(leaf, text.whole[0])
        if leaf.text not in self._hits:
            self._hits[leaf.text] = now.match(text.words, text.number)
        now.name(leaf, trust, self._hits[leaf.text])
        return text.whole

    def _read(self, text: str) -> ShortText:
        kept, kind, number = self._kept, at_a_glance(text), ""
        if not text.isascii():
            self._gone += len(text)
        candidates: Sequence[Destination] = ()
        link = False
        if kind is _EMAIL:
            # The text is a single word and the only value.
            words = [text.lower()]
            candidates = (Destination(kind, words[0]),)
            brought = digests = [kept.digest_of(kind, words[0])]
            used = [kept.digest_exact(ExactValue(KindOfValue.EMAIL, words[0]))]
            as_whole = (used[0], _EMAIL)
        else:
            written = folded(text).split()
            words = bare_words(written)
            if kind is _TEXT:
                brought = digests = [kept.digest_of(kind, " ".join(written))] if written else []
                used = [kept.digest_exact(ExactValue(KindOfValue.TEXT, small(text.strip(BLANKS))))]
                as_whole = (used[0], _TEXT)
            else:
                found, inside = looked_into(text)
                link = found.kind in LINKS
                candidates = inside if found.kind is _TEXT else (*inside, found)
                digests = self._digests((found, *inside))
                brought = self._brought((found, *inside), digests)
                forms = list(dict.fromkeys(stated_forms(text)))
                # What stands in a single word without marks around it is that word.
                if len(written) > 1 or not (text.isascii() and text[0].isalnum() and text[-1].isalnum()):
                    forms = list(dict.fromkeys((*forms, *standing(text))))
                used = [kept.digest_exact(one) for one in forms]
                as_whole = (used[0], forms[0].kind)
            if not text[:1].isalpha() and (number := number_of(text)) and number != text:
                brought = [*brought, kept.digest_of(_TEXT, number)]
                digests = [*digests, kept.digest_of(_TEXT, number)]
                used.append(kept.digest_exact(ExactValue(KindOfValue.TEXT, number)))
        short = ShortText(digests, brought, used, candidates, words, as_whole, number, link=link)
        if len(self._texts) < MAX_TEXTS:
            self._texts[text] = short
        return short

    def _in_pieces(self, leaf: ResultLeaf, field: int) -> Steps[None]:
        """Take in a long untrusted text: as many of its pieces as possible by the native reader."""
        for text in pieces(leaf.text):
            piece = msgspec.structs.replace(leaf, text=text)
            batch = self._batch([piece], [field], ())
            if self._natively(batch) is Stop.ODD:
                yield from self._long(piece, _UNTRUSTED, field)
            elif batch.kinds[0] == HOLDING_PROSE:
                self.now.meet_in(text, None, leaf.record, leaf.path)
            yield

    def _long(self, leaf: ResultLeaf, trust: Trust, field: int) -> Steps[None]:
        if trust is _UNTRUSTED and len(leaf.text) > MAX_PIECE and leaf.text.isascii():
            yield from self._in_pieces(leaf, field)
            return
        kept, held, known = self._kept, self._kept.held, self._fields.places[field]
        # Other tasks may ask between the steps where a value is.
        place = self._place(leaf, trust) if known < 0 else known
        spot = place << RECORD_BITS | min(self.now.base + leaf.record, RECORD_MASK)
        found: list[Destination] = []
        vouches = True
        for _ in searching(leaf.text, found):
            if found:
                vouches &= self._found(tuple(found), leaf.record, spot, trust)
                found.clear()
            yield
        vouches &= self._found(tuple(found), leaf.record, spot, trust)
        if vouches:
            yield from self._used(leaf.text, spot, trust)
        if trust is _UNTRUSTED:
            yield from self._words(leaf.text, spot, trust)
        if known < 0:
            if kept.held > held:
                self._fields.places[field] = place
            else:
                kept.places.pop()

    def _digests(self, found: Iterable[Destination]) -> list[int]:
        return [self._kept.digest(one) for one in found if one.normal]

    def _brought(self, found: Sequence[Destination], digests: list[int]) -> list[int]:
        """Return those digests of an untrusted text that are not of the call's own links and their hosts."""
        return self._digests(_without(found, self._links)) if self._links else digests

    def _not_own(self, words: Iterable[str]) -> Iterable[str]:
        """Return the words of an untrusted text without the call's own links."""
        own = self._link_words
        return [one for one in words if one and bare_word(one) not in own] if own else words

    def _found(self, found: Sequence[Destination], record: int, spot: int, trust: Trust) -> bool:
        """Remember destinations of a long text; return whether the text still confirms what it holds."""
        met = digests = self._digests(found)
        if trust is not _UNTRUSTED:
            met = [one for one in digests if one not in self._doubts]
            self._kept.meet_all(met, spot, trust)
        else:
            self._kept.meet_all(self._brought(found, digests), spot, trust)
        self.now.meet(found, record)
        # A text that repeats a doubtful value, in any spelling, confirms nothing.
        return len(met) == len(digests)

    def _words(self, text: str, spot: int, trust: Trust) -> Steps[None]:
        """Remember the words of an untrusted long text."""
        if weight(text) <= SLICE:
            self._some(set(folded(text).split()), spot, trust)
            return
        for part in pieces(text):
            written = part.lower() if part.isascii() else (yield from folding(part))
            # A value that is recognised by its words is no longer than one of these pieces.
            for one in whole_words(written, SLICE):
                self._some(set(one.split()), spot, trust)
                yield

    def _some(self, words: set[str], spot: int, trust: Trust) -> None:
        # A word that this result already mentioned needs no lookup in the task's memory.
        new = words - self._heard
        self._kept.mention(set(self._not_own(new)), spot >> RECORD_BITS)
        if len(self._heard) < MAX_HEARD:
            self._heard |= new
        if self.now.pointed:
            self._numbers(bare_words(words), spot, trust)

    def _used(self, text: str, spot: int, trust: Trust) -> Steps[None]:
        """Remember the destinations of a long text in the form in which they are used."""
        for part in whole_words(text, 2 * STEP):
            # In a run of numbers, each may begin a longer number. Names beyond ASCII need many comparisons.
            many = not part.isascii() or len(_DIGIT.findall(part)) > STEP // 4
            for one in whole_words(part, STEP // 4) if many else (part,):
                digests = dict.fromkeys(map(self._kept.digest_exact, standing(one)))
                self._kept.meet_all(digests, spot, trust)
                yield

    def _meet(self, found: Destination, spot: int, trust: Trust) -> None:
        digest = self._kept.digest(found)
        if found.normal and (trust is _UNTRUSTED or digest not in self._doubts):
            self._kept.meet_all((digest,), spot, trust)

    def _numbers(self, words: AbstractSet[str] | list[str], spot: int, trust: Trust) -> None:
        for word in words:
            # A word that begins with a letter is no number: this test excludes most words.
            if not word[0].isalpha() and (number := number_of(word)):
                self._meet(Destination(_TEXT, number), spot, trust)
