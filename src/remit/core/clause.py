# SPDX-License-Identifier: Apache-2.0
"""Clauses of a person's words: by which verbs each of them asks, and what is stated in it.

A sentence is divided at commas and conjunctions. A part without a verb of asking belongs to the part before
it. A word is a verb where it can stand as one: `the messages` and `my order` ask for nothing. In a clause
that only reads, or only says how something is, nouns ask for nothing either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from remit.core.asking import ASKING, READING, WRITTEN, AskedBy, some
from remit.core.inflection import stem
from remit.core.spelling import folded
from remit.core.word import EMPTY, MARKS, bare_word, stems_in

MAX_CLAUSES = 4
"""Clauses after the one that states something, in which `it` may still be that."""
MAX_KNOWN = 1_000
"""Answers that are kept until more is said."""
#: Stands in place of a value that the words state: a letter of nobody's.
_STATED = "\U000f0000"


_JOINING = some("and then but or")
_BEFORE_NOUNS = some(
    "the a an my your our his her its their this that these those any all every each no some which whose "
    "what of in on at from with for about via into per by regarding new latest recent unread old other short "
    "brief daily weekly monthly"
)
_BEGINNING = some("please first now then kindly just also and could can would you next finally")
_BEFORE_OBJECTS = some(
    "the a an my our your his her its their all each every both this these those what how whether"
)
#: Words before a verb that say that it is not asked for: it is told of, ruled out, or only thought of.
_NOT_ASKING = some(
    "not don't dont don\u2019t doesn't never cannot can't can\u2019t mustn't shouldn't won't nobody "
    "nothing without avoid refrain refuse refused forbidden wrong mistake instead rather unless longer no "
    "if whether how why who used wanted tried told asked asks tells says said wrote was were has had did "
    "thinking remind explain might"
)
_CANCELLING = some("forget hesitate fail")
_OTHERS = some("i we he she they it who somebody someone nobody everybody everyone")
_UNTIL = some("before until after")
_BEFORE_DOING = some("by mind start begin keep")
_WISHING = some("want need needs like have get make sure must should please 'd i'd we'd")
_GOING_ON = some(
    "which that who whom whose if when once as because since while where unless until although though so to "
    "in at on for with of from"
)
_STATING = some("is are was were has had")
_NOBODY_ELSE = some("i you we it that which what me us")
_IT = some("both it them him her that this one they its their")
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


class SaidClause(NamedTuple):
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
        self._divided: dict[frozenset[str], list[list[SaidClause]]] = {}
        self._known: dict[tuple[str, AskedBy, bool], bool | None] = {}

    def hear(self, text: str) -> None:
        """Take more words in."""
        self._sentences += [" ".join(folded(one).split()) for one in sentences(text)]
        self._divided.clear()
        self._known.clear()

    def of(self, starts: frozenset[str] = frozenset()) -> list[list[SaidClause]]:
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

    def asks_for(self, value: str, by: AskedBy, *, whom: bool) -> bool | None:
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

    def _asks_for(self, value: str, by: AskedBy, *, whom: bool) -> bool | None:
        verb, wanted = by.verb, " ".join(folded(value).split())
        clauses: list[SaidClause] = []
        for said, divided in zip(self._sentences, self.of(verb.starts), strict=True):
            # What stands in a value (`select count(*) from orders`) asks for nothing, and divides no clause.
            masked = without(said, wanted)
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


def without(said: str, value: str) -> str:
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


def _speaks_of_it(clause: SaidClause, name: tuple[str, ...]) -> bool:
    """Whether a clause speaks of what was named before it, as `it` or `the file`, and names no other."""
    if not _IT.isdisjoint(clause.words):
        return True
    nouns = {stem(one) for one in name}
    return any(stem(one[1]) in nouns for one in _THE_THING.finditer(clause.text))


def _clauses(tokens: list[str], starts: frozenset[str]) -> Iterator[SaidClause]:
    verbs = ASKING | starts
    held: list[_Piece] = []
    for place, one in enumerate(_pieces(tokens)):
        nouns = frozenset().union(*(before.nouns for before in held))
        piece = _Piece(one, verbs, nouns, begins=not place)
        if piece.apart and any(before.apart for before in held):
            yield _joined(held)
            held = []
        held.append(piece)
    if held:
        yield _joined(held)


def _joined(pieces: Sequence[_Piece]) -> SaidClause:
    """Give the clause that pieces make. Nouns ask where its first verb does more than read, and where it is
    no sentence at all.
    """
    first = next((one.reads for one in pieces if one.asked), None)
    only_reads = first if first is not None else any(one.apart for one in pieces)
    words = [word for one in pieces for word in one.words if word]
    stems = frozenset().union(*(one.stems(nouns=not only_reads) for one in pieces))
    said = " ".join(token for one in pieces for token in one.tokens)
    return SaidClause(said, words, stems, any(one.asked or one.told for one in pieces))


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


class _Piece:
    """A piece of a sentence, with what each of its words can be in it."""

    def __init__(
        self, tokens: Sequence[str], verbs: frozenset[str], nouns: frozenset[str], *, begins: bool
    ) -> None:
        self.tokens = tokens
        self.words = [one if one.isalnum() else bare_word(one) for one in tokens]
        self._stems = [stem(one) for one in self.words]
        #: Verbs that ask, those that only tell of something, and words that could be verbs and are nouns.
        self._verbs: list[int] = []
        self._telling: set[int] = set()
        self._nouns: set[int] = set()
        unknown = self._unknown() if begins else self._joined_to()
        for at, one in enumerate(self._stems):
            if at != unknown and one not in verbs:
                continue
            # `Refund order 1 and order 2`.
            alike = one in nouns and at == (self.words[0] in _JOINING) and self._names_one(at + 1)
            if at != unknown and (alike or self._is_noun(at)):
                self._nouns.add(at)
            elif self._tells(at):
                self._telling.add(at)
            else:
                self._verbs.append(at)
        self.asked, self.told = bool(self._verbs), bool(self._telling)
        self.reads = self.asked and (self._verbs[0] == unknown or self._stems[self._verbs[0]] in READING)
        #: Whether it is a sentence of its own: it asks, or tells, or says how something is.
        says = not _STATING.isdisjoint(self.words) and _WISHING.isdisjoint(self.words)
        self.apart = self.asked or self.told or (says and self._begins_anew())

    @property
    def nouns(self) -> frozenset[str]:
        """Give the stems of words that could be verbs and are nouns."""
        return frozenset(self._stems[at] for at in self._nouns)

    def stems(self, *, nouns: bool) -> frozenset[str]:
        """Give the stems by which it can ask, with or without its nouns."""
        gone = self._telling if nouns else self._telling | self._nouns
        counted = (one for at, one in enumerate(self.words) if one and at not in gone)
        return stems_in(counted) | frozenset(self._idioms())

    def _begins_anew(self) -> bool:
        first = next((one for one in self.words if one not in _JOINING), "")
        return first not in _GOING_ON

    def _tells(self, at: int) -> bool:
        """Whether a verb tells of something, or rules it out, and does not ask for it."""
        word, before = self.words[at], self.words[:at]
        last = before[-1] if before else ""
        if not _CANCELLING.isdisjoint(before):
            return False
        if word.endswith("ing") and word not in WRITTEN:
            return last not in _BEFORE_DOING
        if word.endswith("ed") and word not in WRITTEN and _WISHING.isdisjoint(before):
            return True
        if ("will" in before and "you" not in before) or last in _OTHERS:
            return True
        return not _NOT_ASKING.isdisjoint(before) or (last == "you" and not _UNTIL.isdisjoint(before[1:]))

    def _is_noun(self, at: int) -> bool:
        word, before = self.words[at], self.words[at - 1] if at else ""
        if word.endswith(("ment", "s")) and not word.endswith("ss") and word not in WRITTEN:
            return True
        if before in ("first", "last", "next"):
            return at > 1 and self.words[at - 2] in _BEFORE_NOUNS
        if before in _BEFORE_NOUNS:
            return before != "by" or not word.endswith("ing")
        if self._stems[at] in READING and self.words[at + 1 : at + 2] == ["to"]:
            return True
        owner = self.tokens[at - 1].rstrip(MARKS) if at else ""
        return owner.endswith(("'s", "\u2019s")) or bool(self._verbs and self._verbs[-1] == at - 1)

    def _unknown(self) -> int:
        """Give where a sentence begins with a verb that nothing knows (`compare the ...`); -1 where not."""
        at = next((at for at, one in enumerate(self.words) if one not in _BEGINNING), -1)
        after = self.words[at + 1 : at + 2]
        if at < 0 or not after or not self.tokens[at].isalpha() or self.words[at] in EMPTY:
            return -1
        object_ = after[0] in _BEFORE_OBJECTS or any(map(str.isdigit, after[0]))
        return at if object_ and self._stems[at] not in ASKING else -1

    def _names_one(self, at: int) -> bool:
        after = self.words[at : at + 1]
        return bool(after) and (after[0] == _STATED or any(map(str.isdigit, after[0])))

    def _joined_to(self) -> int:
        """Give where another order with a verb that nothing knows is joined to one (`and block ...`)."""
        known = len(self.words) < 3 or self.words[0] not in _JOINING or self._stems[1] in ASKING
        return -1 if known or self.words[1] in EMPTY or self.tokens[2][0] != _STATED else 1

    def _idioms(self) -> Iterator[str]:
        """Give what several words ask for together: `let Ann know`, `Bob should get it, too`."""
        words = self.words
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
