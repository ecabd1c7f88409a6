# SPDX-License-Identifier: Apache-2.0
"""What a person's words say of a task: what they name, whom they count up, and what they ask for.

Nothing here understands language. It compares words without their inflection, and knows a few dozen of
English that people use when they ask for work: quantifiers, superlatives, verbs. What it does not recognise
only costs a question; what it does recognise never makes an untrusted value a trusted one. People who need
certainty state typed parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from remit.core.flow.language.clauses import Clauses, divided, sentences
from remit.core.flow.language.dates import Day, day_of, days_in
from remit.core.flow.language.delegation_phrases import hands_over
from remit.core.flow.language.phrases import Mood
from remit.core.flow.language.quantity import of_many
from remit.core.flow.language.quotation import unquoted
from remit.core.flow.language.superlatives import Superlative, superlatives_in
from remit.core.flow.language.tool_verbs import AskedBy
from remit.core.flow.language.verbatim import Wording
from remit.core.flow.language.words import (
    EMPTY,
    MARKS,
    MAX_WORDS,
    PARTS,
    number_of,
    some,
    stem,
    stems_from,
    stems_of,
    words_of,
)
from remit.core.flow.values.normal_text import folded

MAX_PHRASE = 24
"""Words of a phrase that is looked for."""


_ENDS = MARKS.replace(":", "")
_COLLECTIVE = some("all every each both everyone everybody anyone any several")
_SEVERAL = some("the my our your his her its their these those them us you")
_LINKS = some("link url hyperlink")
_NUMBERING = some("id ids no nr num number numbers ref reference")
#: Stems of to whom, or where, something goes.
_WHOM = some(
    "everyone everybody anyone person people member participant attendee recipient contact colleague user "
    "client customer guest friend employee student teacher parent vendor supplier partner invite team "
    "channel address group sender author owner name email"
)
_WILD = frozenset("*%?|<>\\^$~{}[]`;")
_PROPER = re.compile(r"(?<=[\w,:;] )[\"'\u2018\u201c]?[A-Z]\w+")


class Utterance:
    """Everything that the person behind a task has said so far."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        #: The words as they stand, which alone say whether a value is stated.
        self.wording = Wording()
        self._count = 0
        self._marked: list[str] = []
        #: Addresses that were named otherwise, and those after `from`.
        self._parties: tuple[set[str], set[str]] = (set(), set())
        #: The days that were named.
        self.days: frozenset[Day] = frozenset()
        self._text = " "
        self.clauses = Clauses()
        self.stems: frozenset[str] = frozenset()
        self.numbers: frozenset[str] = frozenset()
        self.superlatives: tuple[Superlative, ...] = ()
        #: Stems of what is spoken of as many (`each person`, `all files`).
        self.many: frozenset[str] = frozenset()
        #: Whether the words hand over to something that somebody wrote (`follow the instructions`).
        self.delegates = False
        #: Words that were written with a capital inside of a sentence: names, most of them.
        self.proper: frozenset[str] = frozenset()

    def hear(self, text: str) -> None:
        """Take more words in."""
        text = unquoted(text[: MAX_WORDS * 8])
        words = words_of(text)[: MAX_WORDS - self._count]
        self._count += len(words)
        self._marked += [bare for word in folded(text).split() if (bare := word.lstrip(MARKS).rstrip(_ENDS))]
        said = [one.words for one in divided(text) if one.mood is not Mood.RULES_OUT]
        meant = [word for one in said for word in one if word][: len(words)]
        self._text = f"{self._text}{' '.join(meant)} "
        for at, word in enumerate(meant):
            if "@" in word:
                self._parties[_is_sender(meant[max(0, at - 3) : at])].add(word)
        self.days |= days_in(" ".join(words))
        self.stems |= stems_of(text)
        self.numbers |= {found for word in words if (found := number_of(word))}
        self.clauses.hear(text)
        spoken = [words_of(one) for one in sentences(text)]
        most = [found for one in spoken for found in superlatives_in(one, EMPTY)]
        self.superlatives = tuple(dict.fromkeys((*self.superlatives, *most)))
        self.many |= frozenset(_counted_up(meant))
        self.delegates = self.delegates or any(map(hands_over, spoken))
        self.proper |= {found for one in _PROPER.findall(text) for found in words_of(one)}

    def only_sends(self, address: str) -> bool:
        """Whether the words name an address only as where something comes from, and another one otherwise."""
        others, senders = self._parties
        return address in senders and bool(others) and address not in others

    def says(self, text: str) -> bool:
        """Whether the words hold a text whole, from word to word, or the day that it is."""
        if self.says_day(text):
            return True
        return self._may_say(text) and self.says_words(words_of(text))

    def says_day(self, text: str) -> bool:
        """Whether a text is a day that the words name."""
        return bool(self.days) and (day := day_of(text)) is not None and day.among(self.days)

    def _may_say(self, text: str) -> bool:
        """Whether a text is not too long to be said."""
        return len(text) <= 4 * len(self._text) + 100 and text.count(" ") <= 4 * MAX_PHRASE

    def says_words(self, words: Sequence[str]) -> bool:
        """Whether the words hold others, one after the other."""
        return 0 < len(words) <= MAX_PHRASE and self.holds(" ".join(words))

    def holds(self, joined: str) -> bool:
        """Whether the words hold others, which have one blank between them."""
        return f" {joined} " in self._text

    def names(self, text: str, words: Sequence[str]) -> bool:
        """Whether everything that a text with these words names is named, in whatever order."""
        if not _WILD.isdisjoint(text):
            # What a tool may read as a pattern finds more than the words name.
            return False
        stems = stems_from(words[:MAX_WORDS])
        # Most texts name something first that nobody has named.
        if next(stems, None) in self.stems and self.stems.issuperset(stems):
            return True
        return self.says_day(text) or (self._may_say(text) and self.says_words(words))

    def names_number(self, number: str, nouns: frozenset[str]) -> bool:
        """Whether a short number is said as that of something: `file 13`, `ID 13`, `#13`.

        A number alone says nothing: it may be a price or an hour. `nouns` are stems of what it numbers.
        """
        for at, marked in enumerate(self._marked):
            word = marked.rstrip(MARKS)
            bare = word.lstrip("#")
            if bare != number:
                continue
            if word != marked:
                # A list with something of each.
                return True
            before = [stem(one) for one in self._marked[max(0, at - 3) : at]]
            if word != bare or any(one in _NUMBERING or one in nouns for one in before):
                return True
        return False

    def asks(self, by: AskedBy) -> bool:
        """Whether the words ask for what a tool does."""
        return self.clauses.ask(by) if by.acts else by.by(self.stems, self._text)

    @property
    def speaks_of_links(self) -> bool:
        """Whether the words speak of links, and so of reading on."""
        return not self.stems.isdisjoint(_LINKS)

    def asks_for(self, value: str, by: AskedBy, *, whom: bool = False) -> bool | None:
        """Whether the words ask for what a tool does in a clause that states a value, or in one soon after it
        that speaks of it as `it`; with `whom`, as somebody or something to which it goes. None where they
        leave it open: words that nowhere ask for it, and clauses that ask for nothing.
        """
        return self.clauses.asks_for(value, by, whom=whom)

    def asks_of_many(self, by: AskedBy) -> bool:
        """Whether the words ask to do with many what a tool does, and not only to read many."""
        clauses = [clause for one in self.clauses.sentences for clause in of_many(one)]
        return any(by.widely.by(stems_of(one), f" {' '.join(words_of(one))} ") for one in clauses)

    def counts_up(self, nouns: Iterable[str]) -> bool:
        """Whether the words speak of many of something (`each person`, `all channels`)."""
        return not self.many.isdisjoint(nouns)

    def speaks_of_many(self) -> bool:
        """Whether the words speak of many to whom something goes (`everyone`, `each participant`)."""
        return not self.many.isdisjoint(_WHOM)


def _is_sender(before: Sequence[str]) -> bool:
    """Whether what follows these words is where something comes from."""
    found = next((word for word in reversed(before) if word in ("from", "to", "with", "for", "cc")), "")
    return found == "from"


def _counted_up(words: list[str]) -> Iterator[str]:
    for at, word in enumerate(words):
        if word in _COLLECTIVE:
            yield word
            following = words[at + 1 : at + 4]
            # `All of customer Bob Stone's orders` are all orders of one.
            one = following[:1] == ["of"] and following[1:2] and following[1] not in _SEVERAL
            for after in () if one and not following[1].endswith("s") else following:
                yield from (stem(part) for part in PARTS.findall(after))
