# SPDX-License-Identifier: Apache-2.0
"""What a person's words say of a task: what they name, whom they count up, and what they ask for.

Nothing here understands language. It compares words without their inflection, and knows a few dozen of
English that people use when they ask for work: quantifiers, superlatives, verbs. What it does not recognise
only costs a question; what it does recognise never makes an untrusted value a trusted one. People who need
certainty state typed parameters.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence

from remit.core.day import Day, day_of, days_in
from remit.core.handover import hands_over
from remit.core.inflection import stem
from remit.core.quantity import of_many
from remit.core.spelling import folded, plain
from remit.core.superlative import Superlative, superlatives_in
from remit.core.tool import Tool
from remit.core.word import (
    EMPTY,
    MARKS,
    MAX_WORDS,
    PARTS,
    name_words,
    number_of,
    stems_from,
    stems_in,
    stems_of,
    words_of,
)
from remit.core.wording import LEFT_OUT, Wording

MAX_PHRASE = 24
"""Words of a phrase that is looked for."""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
#: With what a sentence begins that goes on to another thing.
_NEXT_THING = re.compile(
    r"(?:also|additionally|besides|furthermore|moreover|then|after that|afterwards|finally|next|lastly|"
    r"second|third|\d+[.)]|[-*\u2022])\b"
)
_COLLECTIVE = _set("all every each both everyone everybody anyone any several")
_SEVERAL = _set("the my our your his her its their these those them us you")
_LINKS = _set("link url hyperlink")
_NUMBERING = _set("id ids no nr num number numbers ref reference")
#: Stems of to whom, or where, something goes.
_WHOM = _set(
    "everyone everybody anyone person people member participant attendee recipient contact colleague user "
    "client customer guest friend employee student teacher parent vendor supplier partner invite team "
    "channel address group sender author owner name email"
)
#: Clauses after the one that states something, in which `it` may still be that.
_MAX_CLAUSES = 4
#: Stands in place of a value that the words state: a letter of nobody's.
_STATED = "\U000f0000"
_WILD = frozenset("*%?|<>\\^$~{}[]`;")
_PROPER = re.compile(r"(?<=[\w,:;] )[\"'\u2018\u201c]?[A-Z]\w+")
_SENDING = (
    "send",
    "write",
    "tell",
    "message",
    "inform",
    "notify",
    "reply",
    "answer",
    "forward",
    "share",
    "invite",
)
#: Verbs that ask for the same kind of thing.
_VERBS: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "send email mail message write reply respond answer forward notify inform text tell dm ping",
        "create add make schedule book plan organise organize arrange open draft register set",
        "update change adjust modify edit correct set move reschedule rename fix replace alter",
        "delete remove cancel drop clear discard erase trash unsubscribe revoke",
        "pay send transfer refund settle reimburse wire remit",
        "share invite give grant add send",
        "post publish upload put write share",
        "append add put insert write extend",
        "invite add ask include",
        "reserve book order buy purchase rent",
        "fetch visit open read download browse load summarise summarize",
        "deploy release ship roll install",
        "merge approve accept close reopen assign comment",
    )
)


def without_left_out(text: str) -> str:
    """Give words in small letters, without what they leave out (`all but not ...`, `leave ... as it is`)."""
    return LEFT_OUT.sub(" . ", folded(text[: MAX_WORDS * 8]))


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
        self._sentences: list[str] = []
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
        words = words_of(text)[: MAX_WORDS - self._count]
        self._count += len(words)
        self._marked += [bare for word in folded(text).split() if (bare := word.strip(MARKS))]
        meant = words_of(without_left_out(text))[: len(words)]
        self._text = f"{self._text}{' '.join(meant)} "
        for at, word in enumerate(meant):
            if "@" in word:
                self._parties[_is_sender(meant[max(0, at - 3) : at])].add(word)
        self.days |= days_in(" ".join(words))
        self.stems |= stems_of(text)
        self.numbers |= {found for word in words if (found := number_of(word))}
        sentences = [one for one in _SENTENCE.split(text[: MAX_WORDS * 8]) if one.strip()]
        self._sentences += sentences
        most = [found for one in sentences for found in superlatives_in(words_of(one), EMPTY)]
        self.superlatives = tuple(dict.fromkeys((*self.superlatives, *most)))
        self.many |= frozenset(_counted_up(meant))
        self.delegates = self.delegates or any(hands_over(words_of(one)) for one in sentences)
        self.proper |= {found for one in _PROPER.findall(text[: MAX_WORDS * 8]) for found in words_of(one)}

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
        for at, word in enumerate(self._marked):
            bare = word.lstrip("#")
            if bare != number:
                continue
            before = [stem(one) for one in self._marked[max(0, at - 3) : at]]
            if word != bare or any(one in _NUMBERING or one in nouns for one in before):
                return True
        return False

    def asks(self, tool_words: frozenset[str], name: tuple[str, ...]) -> bool:
        """Whether the words ask for what a tool does.

        `tool_words` are the stems that its description says people ask by; without them its name speaks: one
        of its verbs, or another verb for the same, and what it is done to.
        """
        return _asked(self.stems, self._text, tool_words, name)

    def asks_near(self, value: str, tool_words: frozenset[str], name: tuple[str, ...]) -> bool:
        """Whether the words ask for what a tool does where they state a value: in the same sentence, the one
        before, or the one after, if that goes on with the same thing.

        Words that nowhere ask for it leave it open for what the value was stated.
        """
        if not self.asks(tool_words, name):
            return True
        stated = [at for at, one in enumerate(self._sentences) if value in plain(one).replace(" ", "")]
        stated = stated or [at for at, one in enumerate(self._sentences) if value in plain(one)]
        for at in stated:
            near = self._sentences[max(0, at - 1) : at + 1]
            if at + 1 < len(self._sentences) and not _NEXT_THING.match(plain(self._sentences[at + 1])):
                near.append(self._sentences[at + 1])
            text = " ".join(near)
            if _asked(stems_of(text), f" {' '.join(words_of(text))} ", tool_words, name):
                return True
        return not stated

    @property
    def speaks_of_links(self) -> bool:
        """Whether the words speak of links, and so of reading on."""
        return not self.stems.isdisjoint(_LINKS)

    def asks_for(
        self, value: str, tool_words: frozenset[str], name: tuple[str, ...], *, whom: bool = False
    ) -> bool | None:
        """Whether the words ask for what a tool does in a clause that states a value, or in one soon after it
        that speaks of it as `it`; with `whom`, as somebody or something to which it goes. None where they
        leave it open: words that nowhere ask for it, and clauses that ask for nothing.
        """
        named = name
        name = name[:1] if verbs_and_nouns(name)[0] else name
        if not self.asks(tool_words, name):
            return None
        starts = frozenset(stem(one.split()[0]) for one in (*tool_words, *name[:1]) if one)
        # What stands in a value (`select count(*) from orders`) asks for nothing, and divides no clause.
        stated = re.compile(rf"(?<!\w){re.escape(folded(value).strip())}(?!\w)")
        said = [stated.sub(_STATED, folded(one)) for one in self._sentences]
        clauses = [one for sentence in said for one in _clauses(sentence, starts)]
        open_still, found = False, False
        for at, words in enumerate(clauses):
            if not any(_STATED in one for one in words):
                continue
            found = True
            for near in (words, *clauses[at + 1 : at + 1 + _MAX_CLAUSES]):
                text = f" {' '.join(near)} "
                if near is not words and not (
                    _TO_IT.search(text) if whom else _speaks_of_it(near, text, named)
                ):
                    continue
                if _asked(stems_in(near), text, tool_words, name):
                    return True
            open_still = open_still or not _asks_something(words)
        return None if open_still or not found else False

    def asks_of_many(self, tool_words: frozenset[str], name: tuple[str, ...]) -> bool:
        """Whether the words ask to do with many what a tool does, and not only to read many."""
        verbs, nouns = verbs_and_nouns(name)
        clauses = [clause for one in self._sentences for clause in of_many(plain(one))]
        return any(
            _asked(stems_of(one), f" {' '.join(words_of(one))} ", tool_words or verbs or nouns, ())
            for one in clauses
        )

    def counts_up(self, nouns: Iterable[str]) -> bool:
        """Whether the words speak of many of something (`each person`, `all channels`)."""
        return not self.many.isdisjoint(nouns)

    def speaks_of_many(self) -> bool:
        """Whether the words speak of many to whom something goes (`everyone`, `each participant`)."""
        return not self.many.isdisjoint(_WHOM)


def _clauses(sentence: str, starts: frozenset[str]) -> Iterator[list[str]]:
    """Give the words of each clause of a folded sentence; one without a verb of asking, or a stem in
    `starts`, belongs to the one before, or after it.
    """
    held: list[str] = []
    for one in _CLAUSE.split(sentence):
        words = words_of(one)
        if held and _asks_something(words, starts) and _asks_something(held, starts):
            yield held
            held = []
        held += words
    if held:
        yield held


def _asks_something(words: Sequence[str], starts: frozenset[str] = frozenset()) -> bool:
    return not (_ASKING | starts).isdisjoint(map(stem, words))


def _asked(stems: frozenset[str], text: str, tool_words: frozenset[str], name: tuple[str, ...]) -> bool:
    if tool_words:
        return not tool_words.isdisjoint(stems) or any(
            (" " in one and f" {' '.join(words_of(one))} " in text) or (one in EMPTY and _said_of(one, text))
            for one in tool_words
        )
    verbs, nouns = verbs_and_nouns(name)
    if not verbs:
        return not nouns.isdisjoint(stems)
    return not verbs.isdisjoint(stems) and (not nouns or not nouns.isdisjoint(stems))


def _said_of(word: str, text: str) -> bool:
    """Whether words hold one that names nothing by itself (`tell`), and do not go on with `me`."""
    at = text.find(f" {word} ")
    while at >= 0:
        if not text.startswith(("me ", "us "), at + len(word) + 2):
            return True
        at = text.find(f" {word} ", at + 1)
    return False


def asking(tool: Tool) -> tuple[frozenset[str], tuple[str, ...]]:
    """Give the words by which people ask for what a tool does, and those of its name."""
    name = name_words(tool.name)
    if tool.asked_by or verbs_and_nouns(name)[0] or not tool.sends:
        return _asking(tool.asked_by), name
    # The name has no verb that people ask with: then it is asked for as all is that goes somewhere.
    return _asking(_SENDING + name), name


_CLAUSE = re.compile(r"[,:]\s|\s-\s|\b(?:and|then|but|or)\b")


def _speaks_of_it(words: Sequence[str], text: str, name: tuple[str, ...]) -> bool:
    """Whether a clause speaks of what was named before it, as `it` or `the file`, and names no other."""
    if not _IT.isdisjoint(words):
        return True
    nouns = {stem(one) for one in name}
    return any(stem(one[1]) in nouns for one in _THE_THING.finditer(text))


_THE_THING = re.compile(r" (?:the|these|those|all) (\w+)(?= (?:[^\W\d_]+ )*$)")
_IT = _set("both it them him her that this one they its their")
#: `Send them the agenda`, but not `send them to Bob`.
_TO_IT = re.compile(
    r" (?:to|with|for|cc|in|at|on|into) (?:it|them|him|her|this|that|there|these)"
    r"(?: (?:address|account|number|channel|page|url|person|host|site))? "
    r"| (?:them|him|her|there) (?!to |in |at |on |into )"
)
_ASKING = frozenset(stem(word) for group in _VERBS for word in group) | {
    stem(word) for word in _set("let check look see find show list give get tell")
}


@functools.lru_cache(4096)
def _asking(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word if " " in word else stem(plain(word)) for word in words)


@functools.lru_cache(4096)
def verbs_and_nouns(name: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Divide the words of a tool's name into stems of verbs, with others that ask for the same, and nouns."""
    verbs: set[str] = set()
    nouns: set[str] = set()
    for place, word in enumerate(name):
        groups = [group for group in _VERBS if word in group] if place == 0 else []
        if groups:
            verbs.update(stem(one) for group in groups for one in group)
        elif word not in EMPTY:
            nouns.add(stem(word))
    return frozenset(verbs), frozenset(nouns)


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
