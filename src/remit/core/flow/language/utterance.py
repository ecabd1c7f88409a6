# SPDX-License-Identifier: Apache-2.0
"""What a person's words state about a task: what they name, which groups they name, and what they ask for.

Nothing here understands language. The code compares words without their inflection, and knows a few dozen
English words that people use to ask for work: quantifiers, superlatives, verbs. A phrase that is not
recognised only costs a question; a phrase that is recognised never makes an untrusted value trusted. People
who need certainty state typed parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from remit.core.flow.language.clauses import Clauses, sentences
from remit.core.flow.language.dates import Day, day_of, days_in
from remit.core.flow.language.delegation_phrases import delegating
from remit.core.flow.language.people import SaidPeople
from remit.core.flow.language.phrases import Mood
from remit.core.flow.language.quantity import COLLECTIVE, of_many
from remit.core.flow.language.quotation import unquoted
from remit.core.flow.language.superlatives import Superlative, superlatives_in
from remit.core.flow.language.tool_verbs import AskedBy
from remit.core.flow.language.verbatim import Wording
from remit.core.flow.language.word_forms import (
    EMPTY,
    MARKS,
    MAX_WORDS,
    PARTS,
    bare_words,
    number_of,
    some,
    stem,
    stems,
    stems_from,
    stems_of,
    words_of,
)
from remit.core.flow.values.normal_text import folded

MAX_PHRASE = 24
"""Most words of a phrase that is searched for."""


_ENDS = MARKS.replace(":", "")
_SEVERAL = some("the my our your his her its their these those them us you")
_LINKS = some("link url hyperlink")
_NUMBERING = some("id ids no nr num number numbers ref reference")
#: Stems of recipients and targets.
_WHOM = some(
    "everyone everybody anyone person people member participant attendee recipient contact colleague user "
    "client customer guest friend employee student teacher parent vendor supplier partner invite team "
    "channel address group sender author owner name email"
) | stems(
    "teilnehmer teilnehmerin mitglied mitglieder empfänger kunden kundinnen kollegen kolleginnen gäste "
    "personen "
    "participant participante destinataire membre collègue collègues personne clients invités "
    "participantes destinatario destinatarios miembro miembros compañeros personas clientes invitados"
)
_WILD = frozenset("*%?|<>\\^$~{}[]`;")
_PROPER = re.compile(r"(?<=[\w,:;] )[\"'\u2018\u201c]?[A-Z]\w+")


class Utterance:
    """All words of the person behind a task so far."""

    def __init__(self) -> None:
        """Begin without any words."""
        #: The words verbatim; they alone decide whether a value is stated.
        self.wording = Wording()
        self._count = 0
        self._marked: list[str] = []
        #: Addresses that follow other words, and addresses that follow `from`.
        self._parties: tuple[set[str], set[str]] = (set(), set())
        #: The named days.
        self.days: frozenset[Day] = frozenset()
        self._text = " "
        self.clauses = Clauses()
        self.people = SaidPeople()
        self.stems: frozenset[str] = frozenset()
        self.numbers: frozenset[str] = frozenset()
        self.superlatives: tuple[Superlative, ...] = ()
        #: Stems of what the words name as many (`each person`, `all files`).
        self.many: frozenset[str] = frozenset()
        #: The pieces of sentences that delegate to a text that someone else wrote (`do what Owen asks`), each
        #: with the sentence before it, where `it` may refer to the text.
        self.delegating: tuple[str, ...] = ()
        #: Words with a capital inside a sentence: mostly names.
        self.proper: frozenset[str] = frozenset()

    def hear(self, text: str) -> None:
        """Add further words."""
        text = unquoted(text[: MAX_WORDS * 8])
        words = words_of(text)[: MAX_WORDS - self._count]
        self._count += len(words)
        self._marked += [bare for word in folded(text).split() if (bare := word.lstrip(MARKS).rstrip(_ENDS))]
        said = [one.said for one in self.clauses.hear(text) if one.mood is not Mood.RULES_OUT]
        meant = [word for one in said for word in bare_words(one.split())][: len(words)]
        self._text = f"{self._text}{' '.join(meant)} "
        for at, word in enumerate(meant):
            if "@" in word:
                self._parties[_is_sender(meant[max(0, at - 3) : at])].add(word)
        self.days |= days_in(" ".join(words))
        self.stems |= stems_of(text)
        self.numbers |= {found for word in words if (found := number_of(word))}
        self.people.hear(text)
        spoken = [words_of(one) for one in sentences(text)]
        most = [found for one in spoken for found in superlatives_in(one, EMPTY)]
        self.superlatives = tuple(dict.fromkeys((*self.superlatives, *most)))
        self.many |= frozenset(_counted_up(meant))
        self.delegating += tuple(delegating(sentences(text)))
        self.proper |= {found for one in _PROPER.findall(text) for found in words_of(one)}

    @property
    def delegates(self) -> bool:
        """Whether the words delegate to a text that someone else wrote (`follow the instructions`)."""
        return bool(self.delegating)

    def delegates_to(self, names: Iterable[str]) -> bool:
        """Return whether the words delegate to a text by one of these names of its record."""
        return any(f" {one} " in said for one in names for said in self.delegating)

    def only_sends(self, address: str) -> bool:
        """Return whether the words name an address only as a sender, and another address otherwise."""
        others, senders = self._parties
        return address in senders and bool(others) and address not in others

    def says(self, text: str) -> bool:
        """Return whether the words contain the whole text, word for word, or the day that it denotes."""
        if self.says_day(text):
            return True
        return self._may_say(text) and self.says_words(words_of(text))

    def says_day(self, text: str) -> bool:
        """Return whether a text is a day that the words name."""
        return bool(self.days) and (day := day_of(text)) is not None and day.among(self.days)

    def _may_say(self, text: str) -> bool:
        """Return whether a text is short enough to be part of the words."""
        return len(text) <= 4 * len(self._text) + 100 and text.count(" ") <= 4 * MAX_PHRASE

    def says_words(self, words: Sequence[str]) -> bool:
        """Return whether the words contain this sequence of words."""
        return 0 < len(words) <= MAX_PHRASE and self.holds(" ".join(words))

    def holds(self, joined: str) -> bool:
        """Return whether the words contain this sequence, joined by single blanks."""
        return f" {joined} " in self._text

    def spelt(self, stems: frozenset[str]) -> frozenset[str]:
        """Return the words, as the person wrote them, that have these stems."""
        return frozenset(one for one in set(self._text.split()) if not stems.isdisjoint(stems_from((one,))))

    def names(self, text: str, words: Sequence[str]) -> bool:
        """Return whether the words name everything that a text with these words names, in any order."""
        if not _WILD.isdisjoint(text):
            # A tool may read the text as a pattern, which matches more than the words name.
            return False
        stems = stems_from(words[:MAX_WORDS])
        # For most texts, the first stem is already missing in the words.
        if next(stems, None) in self.stems and self.stems.issuperset(stems):
            return True
        return self.says_day(text) or (self._may_say(text) and self.says_words(words))

    def names_number(self, number: str, nouns: frozenset[str]) -> bool:
        """Return whether the words use a short number as the number of an item: `file 13`, `ID 13`, `#13`.

        A number alone proves nothing: it may be a price or an hour. `nouns` are stems of the numbered items.
        """
        for at, marked in enumerate(self._marked):
            word = marked.rstrip(MARKS)
            bare = word.lstrip("#")
            if bare != number:
                continue
            if word != marked:
                # A colon follows the number: a list with an entry for each item.
                return True
            before = [stem(one) for one in self._marked[max(0, at - 3) : at]]
            if word != bare or any(one in _NUMBERING or one in nouns for one in before):
                return True
        return False

    def asks(self, by: AskedBy) -> bool:
        """Return whether the words ask for what a tool does."""
        return self.clauses.ask(by) if by.acts else by.by(self.stems, self._text)

    @property
    def speaks_of_links(self) -> bool:
        """Whether the words mention links, and so further reading."""
        return not self.stems.isdisjoint(_LINKS)

    def asks_for(self, value: str, by: AskedBy, *, whom: bool = False) -> bool | None:
        """Return whether the words ask for what a tool does in a clause that states a value, or soon after
        it.

        A later clause counts where it refers to the value as `it`; with `whom`, as the recipient or target.
        Returns None where the words leave the question open: they nowhere ask for the tool, and the clauses
        ask for nothing.
        """
        return self.clauses.asks_for(value, by, whom=whom)

    def asks_of_many(self, by: AskedBy) -> bool:
        """Return whether the words ask for a tool's action on many items, rather than only for reading
        many.
        """
        clauses = [clause for one in self.clauses.sentences for clause in of_many(one)]
        return any(by.widely.by(stems_of(one), f" {' '.join(words_of(one))} ") for one in clauses)

    def counts_up(self, nouns: Iterable[str]) -> bool:
        """Return whether the words name many of something (`each person`, `all channels`)."""
        return not self.many.isdisjoint(nouns)

    def speaks_of_many(self) -> bool:
        """Return whether the words name many recipients (`everyone`, `each participant`)."""
        return not self.many.isdisjoint(_WHOM)


def _is_sender(before: Sequence[str]) -> bool:
    """Return whether these words lead to a sender."""
    found = next((word for word in reversed(before) if word in ("from", "to", "with", "for", "cc")), "")
    return found == "from"


def _counted_up(words: list[str]) -> Iterator[str]:
    for at, word in enumerate(words):
        if word in COLLECTIVE:
            yield word
            following = words[at + 1 : at + 4]
            # `All of customer Bob Stone's orders` are all orders of one customer.
            one = following[:1] == ["of"] and following[1:2] and following[1] not in _SEVERAL
            for after in () if one and not following[1].endswith("s") else following:
                yield from (stem(part) for part in PARTS.findall(after))
