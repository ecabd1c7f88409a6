# SPDX-License-Identifier: Apache-2.0
"""Intake of one result: each leaf is read once, for its values, its words and what it names.

Most leaves are short and take most of the time: they pass through no generator, and their words are found
once. A long text is read in pieces, between which other tasks run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from remit.core.cooperative_steps import SLICE, STEP, Steps, WorkCount, pieces, weight, whole_words
from remit.core.flow.justification import Encounter
from remit.core.flow.language.word_forms import bare_word, bare_words, number_of
from remit.core.flow.memory import RECORD_BITS, RECORD_MASK, TaskRecords
from remit.core.flow.records.lookup import Lookup
from remit.core.flow.records.naming import Naming
from remit.core.flow.records.people_fields import Whole
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
LEAVES = 16
"""Short texts that one step takes in."""
_DIGIT = re.compile("[0-9]")
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_TRUSTED, _UNTRUSTED = Trust.TRUSTED, Trust.UNTRUSTED
_EMAIL, _TEXT = KindOfValue.EMAIL, KindOfValue.TEXT


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
    as a whole. `hit` describes how the intent names the text; `mentioned` tells whether the words are already
    remembered, `link` whether the whole text is a link or a host.
    """

    digests: list[int]
    brought: list[int]
    exact: list[int]
    candidates: Sequence[Destination]
    words: list[str]
    whole: Whole
    hit: Hit | None
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
    ) -> None:
        """Begin with the result of the call whose arguments are in `lookup`."""
        self._kept = kept
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
        #: Places of untrusted and other values, by path.
        self._places: tuple[dict[str, int], dict[str, int]] = ({}, {})
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
        for count, leaf in enumerate(reading.steps()):
            if leaf is None or not count % LEAVES or self._gone > STEP:
                self._gone = 0
                yield
            if leaf is None:
                continue
            trust = leaf.label.trust
            if doubted:
                trust = yield from lookup.trusting(leaf, self._marked)
            if trust is not _UNTRUSTED and not self._asked:
                self._asked = True
                yield from self._doubting()
            if kept.full and trust is _TRUSTED:
                continue
            if len(leaf.text) <= MAX_TEXT:
                if own and trust is _TRUSTED and (field := _own_field(leaf, own)):
                    owned.setdefault(field, set()).add(exact(leaf.text))
                self._short(leaf, trust)
            else:
                yield from self._long(leaf, trust)
        for values in owned.values():
            if len(values) == 1:
                # Of several, it is not known which are the person's.
                kept.keep_own(*values)
        self._naming.settle(self.now, reading.above)
        kept.full = kept.full or reading.cut or self._naming.full

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

    def _short(self, leaf: ResultLeaf, trust: Trust) -> None:
        text = self._texts.get(leaf.text) or self._read(leaf.text)
        kept, now, record, digests = self._kept, self.now, leaf.record, text.digests
        untrusted, held = trust is _UNTRUSTED, kept.held
        places = self._places[untrusted]
        place = places.get(leaf.path)
        number, at = len(kept.places) if place is None else place, now.base + record
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
        if place is None and kept.held > held:
            # Where every value was already known, the place need not be stored.
            places[leaf.path] = self._place(leaf, trust)
        if text.candidates:
            now.meet(text.candidates, record, leaf.path if text.link else "")
        now.see(leaf, trust, text.hit, text.whole, sure=trust is _TRUSTED and confirmed)

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
                digests = [kept.digest(one) for one in (found, *inside) if one.normal]
                brought = [kept.digest(one) for one in self._brought((found, *inside)) if one.normal]
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
        hit = self.now.match(words, number)
        short = ShortText(digests, brought, used, candidates, words, as_whole, hit, link=link)
        if len(self._texts) < MAX_TEXTS:
            self._texts[text] = short
        return short

    def _long(self, leaf: ResultLeaf, trust: Trust) -> Steps[None]:
        kept, held, places = self._kept, self._kept.held, self._places[trust is _UNTRUSTED]
        known = places.get(leaf.path)
        # Other tasks may ask between the steps where a value is.
        place = self._place(leaf, trust) if known is None else known
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
        if trust is _UNTRUSTED:
            self.now.hear(leaf)
        if known is None:
            if kept.held > held:
                places[leaf.path] = place
            else:
                kept.places.pop()

    def _brought(self, found: Sequence[Destination]) -> Iterable[Destination]:
        """Return the destinations in an untrusted text without the call's own links and their hosts."""
        return _without(found, self._links) if self._links else found

    def _not_own(self, words: Iterable[str]) -> Iterable[str]:
        """Return the words of an untrusted text without the call's own links."""
        own = self._link_words
        return [one for one in words if one and bare_word(one) not in own] if own else words

    def _found(self, found: Sequence[Destination], record: int, spot: int, trust: Trust) -> bool:
        """Remember destinations of a long text; return whether the text still confirms what it holds."""
        met = digests = [self._kept.digest(one) for one in found if one.normal]
        if trust is not _UNTRUSTED:
            met = [one for one in digests if one not in self._doubts]
            self._kept.meet_all(met, spot, trust)
        else:
            brought = [self._kept.digest(one) for one in self._brought(found) if one.normal]
            self._kept.meet_all(brought, spot, trust)
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
            self._kept.meet(digest, spot, trust)

    def _numbers(self, words: AbstractSet[str] | list[str], spot: int, trust: Trust) -> None:
        for word in words:
            # A word that begins with a letter is no number: this test excludes most words.
            if not word[0].isalpha() and (number := number_of(word)):
                self._meet(Destination(_TEXT, number), spot, trust)
