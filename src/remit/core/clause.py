# SPDX-License-Identifier: Apache-2.0
"""Clauses of a person's words: by which verbs each of them asks, and what is stated in it.

A sentence is divided at commas and conjunctions. A part without a verb of asking belongs to the part before
it. A word is a verb where it can stand as one: `the messages` and `my order` ask for nothing. In a clause
that only reads, or only says how something is, nouns ask for nothing either.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from remit.core.inflection import stem
from remit.core.spelling import folded, plain
from remit.core.tool import Effect, Tool
from remit.core.word import EMPTY, MARKS, bare_word, name_words, stems_in, words_of

MAX_CLAUSES = 4
"""Clauses after the one that states something, in which `it` may still be that."""
MAX_KNOWN = 1_000
"""Answers that are kept until more is said."""
#: Stands in place of a value that the words state: a letter of nobody's.
_STATED = "\U000f0000"


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _stems(text: str) -> frozenset[str]:
    return frozenset(map(stem, text.split()))


#: Verbs that ask for the same kind of thing.
_VERBS: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "send email e-mail mail message write reply respond answer forward notify inform text tell dm ping",
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
_READING = _stems(
    "read open look check see find show list get fetch visit download browse load summarise summarize "
    "compare review analyse analyze examine inspect verify study count translate search scan skim identify "
    "evaluate assess explain describe retrieve extract"
)
_WRITTEN = frozenset().union(*_VERBS)
_ASKING = frozenset(map(stem, _WRITTEN)) | _READING | _stems("let give tell")
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
#: Words by which a tool is asked for that tells people something, and others that ask for the same.
_TELLING = _stems("mail email message tell notify inform text ping")
_TELLING_TOO = _stems("reply respond answer inform notify contact")
_JOINING = _set("and then but or")
_BEFORE_NOUNS = _set(
    "the a an my your our his her its their this that these those any all every each no some which whose "
    "what of in on at from with for about via into per by regarding new latest recent unread old other short "
    "brief daily weekly monthly"
)
_BEGINNING = _set("please first now then kindly just also and could can would you next finally")
_BEFORE_OBJECTS = _set(
    "the a an my our your his her its their all each every both this these those what how whether"
)
_STATING = _set("is are was were has had")
_NOBODY_ELSE = _set("i you we it that which what me us")
_IT = _set("both it them him her that this one they its their")
#: `Send them the agenda`, but not `send them to Bob`.
_TO_IT = re.compile(
    r" (?:to|with|for|cc|in|at|on|into) (?:it|them|him|her|this|that|there|these)"
    r"(?: (?:address|account|number|channel|page|url|person|host|site))? "
    r"| (?:them|him|her|there) (?!to |in |at |on |into )"
)
_THE_THING = re.compile(r" (?:the|these|those|all) (\w+)(?= (?:[^\W\d_]+ )*$)")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")


def sentences(text: str) -> list[str]:
    """Give the sentences of a text."""
    return [one for one in _SENTENCE.split(text) if one.strip()]


class Asking(msgspec.Struct, frozen=True):
    """By what people ask for what a tool does: the stems that its description names, else the words of its
    name. `acts` where it does more than read.
    """

    words: frozenset[str]
    name: tuple[str, ...]
    acts: bool = True

    @property
    def verb(self) -> Asking:
        """Ask by the verb of the name alone, where it has one."""
        return Asking(self.words, self.name[:1], self.acts) if verbs_and_nouns(self.name)[0] else self

    @property
    def widely(self) -> Asking:
        """Ask by any word of the name."""
        verbs, nouns = verbs_and_nouns(self.name)
        return Asking(self.words or verbs or nouns, (), self.acts)

    @property
    def starts(self) -> frozenset[str]:
        """Give the stems that ask as verbs do."""
        return frozenset(stem(one.split()[0]) for one in (*self.words, *self.name[:1]) if one)

    def by(self, stems: frozenset[str], text: str) -> bool:
        """Whether words ask for it: their stems, and they themselves with blanks around them."""
        if self.words:
            return not self.words.isdisjoint(stems) or any(
                (" " in one and f" {' '.join(words_of(one))} " in text)
                or (one in EMPTY and _said_of(one, text))
                for one in self.words
            )
        verbs, nouns = verbs_and_nouns(self.name)
        if not verbs:
            return not nouns.isdisjoint(stems)
        return not verbs.isdisjoint(stems) and (not nouns or not nouns.isdisjoint(stems))


def asking(tool: Tool) -> Asking:
    """Give by what people ask for what a tool does."""
    name = name_words(tool.name)
    by = tool.asked_by
    if not by and tool.sends and not verbs_and_nouns(name)[0]:
        # The name has no verb that people ask with: then it is asked for as all is that goes somewhere.
        by = _SENDING + name
    words = _stems_of(by)
    if tool.sends and not tool.financial and not words.isdisjoint(_TELLING):
        words |= _TELLING_TOO
    return Asking(words, name, tool.effect is not Effect.NONE)


@functools.lru_cache(4096)
def _stems_of(words: tuple[str, ...]) -> frozenset[str]:
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


def _said_of(word: str, text: str) -> bool:
    """Whether words hold one that names nothing by itself (`tell`), and do not go on with `me`."""
    at = text.find(f" {word} ")
    while at >= 0:
        if not text.startswith(("me ", "us "), at + len(word) + 2):
            return True
        at = text.find(f" {word} ", at + 1)
    return False


class Clause(NamedTuple):
    """A clause: as it is said, its words, the stems by which it can ask, and whether it has a verb."""

    said: str
    words: list[str]
    stems: frozenset[str]
    asks: bool

    @property
    def text(self) -> str:
        """Give the words with one blank around each of them."""
        return f" {' '.join(self.words)} "


class Clauses:
    """The clauses of everything that a person has said so far."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._sentences: list[str] = []
        self._divided: dict[frozenset[str], list[list[Clause]]] = {}
        self._known: dict[tuple[str, Asking, bool], bool | None] = {}

    def hear(self, text: str) -> None:
        """Take more words in."""
        self._sentences += [" ".join(folded(one).split()) for one in sentences(text)]
        self._divided.clear()
        self._known.clear()

    def of(self, starts: frozenset[str] = frozenset()) -> list[list[Clause]]:
        """Give the clauses of each sentence, where stems in `starts` are verbs, too."""
        found = self._divided.get(starts)
        if found is None:
            if len(self._divided) >= MAX_KNOWN:
                self._divided.clear()
            found = [list(_clauses(one.split(), starts)) for one in self._sentences]
            self._divided[starts] = found
        return found

    @property
    def stems(self) -> frozenset[str]:
        """Give the stems by which any clause can ask."""
        return frozenset().union(*(clause.stems for sentence in self.of() for clause in sentence))

    def asks_for(self, value: str, by: Asking, *, whom: bool) -> bool | None:
        """Whether a clause that states a value asks for something, or one soon after it that speaks of the
        value as `it`; with `whom`, as somebody or something to which it goes. None where no clause that
        states the value asks for anything, and where none states it.
        """
        key = (value, by, whom)
        if key not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[key] = self._asks_for(value, by, whom=whom)
        return self._known[key]

    def _asks_for(self, value: str, by: Asking, *, whom: bool) -> bool | None:
        verb, wanted = by.verb, " ".join(folded(value).split())
        clauses: list[Clause] = []
        for said, divided in zip(self._sentences, self.of(verb.starts), strict=True):
            # What stands in a value (`select count(*) from orders`) asks for nothing, and divides no clause.
            masked = _without(said, wanted)
            clauses += divided if masked == said else _clauses(masked.split(), verb.starts)
        open_still, found = False, False
        for at, clause in enumerate(clauses):
            if not any(_STATED in one for one in clause.words):
                continue
            found = True
            for near in (clause, *clauses[at + 1 : at + 1 + MAX_CLAUSES]):
                if near is not clause and not (
                    _TO_IT.search(near.text) if whom else _speaks_of_it(near, by.name)
                ):
                    continue
                if verb.by(near.stems, near.text):
                    return True
            open_still = open_still or not clause.asks
        return None if open_still or not found else False


def _without(said: str, value: str) -> str:
    """Give a sentence with a mark in each place where a value stands whole."""
    out, done, at = "", 0, said.find(value) if value else -1
    while at >= 0:
        end = at + len(value)
        if not (_in_word(said[at - 1 : at]) or _in_word(said[end : end + 1])):
            out, done = f"{out}{said[done:at]}{_STATED}", end
        at = said.find(value, max(at + 1, done))
    return out + said[done:]


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _speaks_of_it(clause: Clause, name: tuple[str, ...]) -> bool:
    """Whether a clause speaks of what was named before it, as `it` or `the file`, and names no other."""
    if not _IT.isdisjoint(clause.words):
        return True
    nouns = {stem(one) for one in name}
    return any(stem(one[1]) in nouns for one in _THE_THING.finditer(clause.text))


def _clauses(tokens: list[str], starts: frozenset[str]) -> Iterator[Clause]:
    verbs = _ASKING | starts
    held: list[str] = []
    asks = False
    for place, piece in enumerate(_pieces(tokens)):
        one = _Words(piece, verbs, begins=not place)
        if asks and one.asks:
            yield _Words(held, verbs, begins=True).clause()
            held, asks = [], False
        held = held + piece
        asks = asks or one.asks
    if held:
        yield _Words(held, verbs, begins=True).clause()


def _pieces(tokens: Iterable[str]) -> Iterator[list[str]]:
    piece: list[str] = []
    for token in tokens:
        if piece and (token == "-" or token.strip(MARKS) in _JOINING):
            yield piece
            piece = []
        piece.append(token)
        if token[-1] in ",:":
            yield piece
            piece = []
    if piece:
        yield piece


class _Words:
    """Words of a clause, with what each of them can be in it."""

    def __init__(self, tokens: Sequence[str], verbs: frozenset[str], *, begins: bool) -> None:
        self._tokens = tokens
        self._words = [one if one.isalnum() else bare_word(one) for one in tokens]
        self._stems = [stem(one) for one in self._words]
        #: Verbs that ask, and words that could be such and are nouns here.
        self._verbs: list[int] = []
        self._nouns: set[int] = set()
        unknown = self._unknown() if begins else -1
        for at, one in enumerate(self._stems):
            if at == unknown:
                self._verbs.append(at)
            elif one in verbs:
                if self._is_noun(at):
                    self._nouns.add(at)
                else:
                    self._verbs.append(at)
        self._reads = (
            self._verbs[0] == unknown or self._stems[self._verbs[0]] in _READING
            if self._verbs
            else not _STATING.isdisjoint(self._words)
        )
        self.asks = bool(self._verbs)

    def clause(self) -> Clause:
        """Give the clause that they are."""
        words = [one for one in self._words if one]
        counted = (
            one for at, one in enumerate(self._words) if one and not (self._reads and at in self._nouns)
        )
        stems = stems_in(counted) | frozenset(self._idioms())
        return Clause(" ".join(self._tokens), words, stems, self.asks)

    def _is_noun(self, at: int) -> bool:
        word, before = self._words[at], self._words[at - 1] if at else ""
        if word.endswith(("ment", "s")) and not word.endswith("ss") and word not in _WRITTEN:
            return True
        if before in ("first", "last", "next"):
            return at > 1 and self._words[at - 2] in _BEFORE_NOUNS
        if before in _BEFORE_NOUNS:
            return before != "by" or not word.endswith("ing")
        if self._stems[at] in _READING and self._words[at + 1 : at + 2] == ["to"]:
            return True
        owner = self._tokens[at - 1].rstrip(MARKS) if at else ""
        return owner.endswith(("'s", "\u2019s")) or bool(self._verbs and self._verbs[-1] == at - 1)

    def _unknown(self) -> int:
        """Give where a sentence begins with a verb that nothing knows (`compare the ...`); -1 where not."""
        at = next((at for at, one in enumerate(self._words) if one not in _BEGINNING), -1)
        after = self._words[at + 1 : at + 2]
        if at < 0 or not after or not self._tokens[at].isalpha() or self._words[at] in EMPTY:
            return -1
        object_ = after[0] in _BEFORE_OBJECTS or any(map(str.isdigit, after[0]))
        return at if object_ and self._stems[at] not in _ASKING else -1

    def _idioms(self) -> Iterator[str]:
        """Give what several words ask for together: `let Ann know`, `Bob should get it, too`."""
        words = self._words
        for at, word in enumerate(words):
            before, after = (
                words[at - 1] if at else "",
                [one for one in words[at + 1 : at + 4] if one != "also"],
            )
            told = word in ("let", "keep") and after[:1] and after[0] not in _NOBODY_ELSE
            if (word == "touch" and before == "in") or (
                told and not {"know", "posted"}.isdisjoint(words[at:])
            ):
                yield "inform"
            if (
                word in ("should", "must")
                and after[:1] in (["get"], ["receive"])
                and before not in _NOBODY_ELSE
            ):
                yield "send"
