# SPDX-License-Identifier: Apache-2.0
"""Pieces of a sentence, from one joint to the next: whether each asks, reports, or rules something out.

A piece asks where a verb is its head: bare, or under one of a few wishes (`could you`, `I want you to`).
Where something else governs the verb (another subject, an auxiliary, a negation, `before`, `how`), the piece
asks for nothing. A word counts as a verb only where its position permits one: `the messages` and `my order`
ask for nothing.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence

from remit.core.flow.language.conditions import main_clauses
from remit.core.flow.language.tool_verbs import ASKING, READING, WRITTEN
from remit.core.flow.language.word_forms import EMPTY, MARKS, bare_word, some, stem, stems, stems_in

#: Replaces a value that the words state: a private-use character.
STATED = "\U000f0000"
POINTS = some("- * \u2022 \u2013 \u2014")
_JOINING = some("and then but or so")
_BEGINNING = some(
    "please first now then kindly just also next finally hi hello hey ok okay well afterwards lastly "
    "additionally once again ps - \u2013 \u2014 * \u2022"
)
_BEFORE_NOUNS = some(
    "the a an my your our his her its their this that these those any all every each no some which whose "
    "what of in on at from with for about via into per by regarding new latest recent unread old other short "
    "brief daily weekly monthly"
)
_BEFORE_OBJECTS = some(
    "the a an my our your his her its their all each every both this these those what how whether"
)
#: Words that ask for the verb after them.
_WISH = re.compile(
    r"\b(?:please|(?:can|could|would|will) you(?: please| kindly| also)?"
    r"|(?:i|we) (?:also )?(?:want|need|wish|expect|have|ask|would like)(?: you)?(?: also)? to"
    r"|(?:she|he|they) wants? to|(?:i|we) (?:need|want|would like)(?= (?:an?|the|my|our|some) )"
    r"|(?:i|we)['\u2019]d (?:also )?like (?:you )?to|you (?:should|must|can|may|have to|need to|are to)"
    r"|(?:make|be) sure (?:to|that you|you)|go ahead and|let['\u2019]s|let us|feel free to|remember to"
    r"|try to|(?:your|the) (?:task|job) is to|help (?:me|us)(?: to)?|(?:begin|start) (?:by|to)"
    r"|would you mind|(?:do not|don['\u2019]t|never) (?:forget|hesitate|fail) to|do)"
    r" (?!(?:not|never|you|we|i|they|it)\b)(?=\w)"
)
#: Words that begin an exclusion.
_RULING_OUT = some(
    "not don't dont don\u2019t never no nobody nothing neither nor without instead rather except excluding "
    "avoid refuse refrain ignore skip exclude omit "
    "hands beware cannot can't can\u2019t mustn't shouldn't won't"
)
#: Words that begin a report or a question.
_SUBORDINATE = some(
    "if when whenever while until unless before after whether how why because since although though who whom"
)
_AUXILIARY = some(
    "is are was were has had will would may might can could should must does did isn't wasn't doesn't"
)
_SUBJECTS = some("i we he she they who somebody someone nobody everybody everyone i'm i've i'll we've we'll")
_TELLING = _SUBORDINATE | _AUXILIARY | _SUBJECTS | some("what which it this there you did does these those")
_DONE = some(
    "sent wrote paid gave told bought ran got said came went made took found met left says asks tells reads "
    "writes wants gets needs works links names speaks owes belongs comes"
)
_IN_MAY = re.compile(r"\bmay (?=\d)|(?<=\d )may\b|(?<=\dst )may\b|(?<=\dth )may\b")
_REPORTING = some(
    "says say said reads wrote writes asks asked tells told insists insisted suggests suggested replied "
    "answered demanded requested proposes proposed claimed according"
)
_LIKE_DONE = some("named called entitled titled attached dated including following regarding concerning")
_ORDERING = some("ask tell remind advise instruct invite warn")
#: Words that begin an indirect question.
_INDIRECT = _SUBORDINATE | some("what which")
#: Words after which `that` begins what a person is told.
_KNOWING = some("tell know remind inform notify reply answer respond")
#: Verbs of asking that need an object; before these words they are nouns (`message to Ann`).
_TRANSITIVE = some("message text dm ping")
_AFTER_NOUNS = some("to for from of")
_LEADING = some("to from for on at in with")
ACTS = ASKING | stems("block report leave keep stay compare have remind wait use do ask take turn put call")
_NOBODY_ELSE = some("i you we it that which what me us")
_PARTING = _JOINING | _SUBORDINATE | _RULING_OUT
_AFTER_THAT = _SUBJECTS | some("it the all there")
_THERE_IS = some("is are was were has have there's there\u2019s")
_SKIPPED = _JOINING | _BEGINNING
_NO_ORDER = EMPTY | _TELLING | _LEADING
_NO_PAST = WRITTEN | _LIKE_DONE
_SAYING = _AUXILIARY | _SUBJECTS | _DONE


class Mood(enum.Enum):
    """The mood of a clause: it asks, reports, or rules something out; or its mood is open."""

    ASKS = 1
    TELLS = 2
    RULES_OUT = 3
    OPEN = 4


def pieces_of(tokens: Sequence[str]) -> Iterator[list[str]]:
    """Divide the words of a sentence at its joints."""
    piece: list[str] = []
    bare = [one.strip(MARKS) for one in tokens]
    main = main_clauses(tokens, bare)
    for at, token in enumerate(tokens):
        word, before, after = bare[at], bare[at - 1] if at else "", next(iter(bare[at + 1 : at + 2]), "")
        negated = word in ("do", "does", "did") and after == "not"
        apart = (
            token in POINTS
            or at in main
            or token[0] == "("
            or negated
            # `If there is no issue, ...` rules nothing out.
            or (word in _PARTING and not (word == "no" and bare[:1] == ["if"] and before in _THERE_IS))
            # `Reply that it is late`.
            or (word == "that" and after in _AFTER_THAT)
            or (word == "that" and not _KNOWING.isdisjoint(one.strip(MARKS) for one in piece))
            # `Tell Bob to ...` asks Bob.
            or (word == "to" and not _ORDERING.isdisjoint(one.strip(MARKS) for one in piece[:-1]))
            # `Pay 2 instead of 3 to ...`.
            or (word in _LEADING and len(piece) > 2 and piece[0] in _RULING_OUT)
        )
        whole = (word == "not" and before in ("do", "does", "did")) or (word == "and" and before == "ahead")
        if piece and apart and not whole:
            yield piece
            piece = []
        piece.append(token)
        # `A-17: 500` is a pair.
        if token[-1] in ",;" or ")" in token[-2:] or (token[-1] == ":" and word.isalpha()):
            yield piece
            piece = []
    if piece:
        yield piece


def words_in(tokens: Sequence[str]) -> list[str]:
    """Return the words of a sentence without the punctuation around them."""
    return [one if one.isalnum() else bare_word(one) for one in tokens]


class ClausePiece:
    """A piece of a sentence, with the possible function of each of its words."""

    def __init__(
        self, tokens: Sequence[str], verbs: frozenset[str], nouns: frozenset[str], *, begins: bool
    ) -> None:
        self.tokens = tokens
        self.words = words_in(tokens)
        self._stems = [stem(one) for one in self.words]
        self._verbs = verbs
        self._before = nouns
        #: Words that could be verbs and are nouns here.
        self._nouns: set[int] = set()
        self.head = -1
        self.mood = self._mood(begins=begins)
        for at, one in enumerate(self._stems):
            if one in verbs and at != self.head and self._is_noun(at):
                self._nouns.add(at)
        self.reads = self.head >= 0 and (
            self._stems[self.head] in READING
            # `I need a room` asks by its noun.
            or (self._stems[self.head] not in verbs and self.words[self.head] not in _BEFORE_OBJECTS)
        )
        self.joined = bool(self.words) and self.words[0] in _JOINING
        self.acts = any(
            one in verbs and (at not in self._nouns or self.words[at].endswith("ing"))
            for at, one in enumerate(self._stems)
        )
        # `Bob says: ...`, and `Bob says, ...`.
        self.reports = (self.tokens[-1][-1] == ":" and not _REPORTING.isdisjoint(self.words)) or (
            self.tokens[-1][-1] == "," and self.words[-1] in _REPORTING
        )

    @property
    def nouns(self) -> frozenset[str]:
        """The stems of words that could be verbs and are nouns here."""
        return frozenset(self._stems[at] for at in self._nouns if not self.words[at].endswith("ing"))

    def stems(self, *, nouns: bool) -> frozenset[str]:
        """Return the stems by which the piece can ask, with or without its nouns."""
        gone = () if nouns else self._nouns
        counted = (one for at, one in enumerate(self.words) if one and at not in gone)
        return stems_in(counted) | frozenset(self._idioms())

    @property
    def heads(self) -> frozenset[str]:
        """The stems of the verbs by which the piece asks; `tell me` is one by itself."""
        if self.mood is not Mood.ASKS or self.head < 0:
            return frozenset(self._idioms() if self.mood is Mood.ASKS else ())
        me = " me" if self.words[self.head + 1 : self.head + 2] in (["me"], ["us"]) else ""
        return frozenset((*(f"{one}{me}" for one in self._stems[self.head : self.head + 1]), *self._idioms()))

    def resumes(self, asked: Sequence[ClausePiece], told: Sequence[ClausePiece]) -> bool:
        """Return whether the piece continues a request that was interrupted.

        It does so after brackets, or with a leading preposition that the request does not have yet.
        """
        if asked and told[-1].tokens[-1].endswith((")", "),")):
            return True
        first = next(iter(self.words), "")
        if not asked or any(one.acts for one in told):
            return False
        return first in _LEADING and not any(first in one.words[max(0, one.head) :] for one in asked)

    def _mood(self, *, begins: bool) -> Mood:
        words = self.words
        at = next((n for n, one in enumerate(words) if one and one not in _SKIPPED), len(words))
        if at == len(words):
            return Mood.OPEN
        text = " ".join(words)
        wish = _WISH.search(text)
        led = text[: wish.start()].split() if wish else words[at:]
        if wish and not self._says(led, at):
            self.head = len(text[: wish.end()].split())
            return Mood.ASKS
        first = words[at]
        if first in _RULING_OUT or words[at : at + 2] in (["do", "not"], ["does", "not"], ["did", "not"]):
            return Mood.RULES_OUT
        if begins and words[at : at + 2] == ["before", "you"]:
            self.head = at + 2
            return Mood.ASKS
        if any(self._idioms()):
            return Mood.ASKS
        if self._is_order(at, begins=begins):
            if self.tokens[-1].endswith("?") and _INDIRECT.isdisjoint(words):
                # `Reply to Bob still open?`
                return Mood.TELLS
            self.head = at
            return Mood.ASKS
        tells = self._says(words, at) or (
            first == "to" and not self._verbs.isdisjoint(self._stems[at + 1 : at + 2])
        )
        # `Message to Bob still open?`
        asks = begins and self.tokens[-1].endswith("?") and len(words) > at + 2
        return Mood.TELLS if tells or asks else Mood.OPEN

    def _is_order(self, at: int, *, begins: bool) -> bool:
        """Return whether a clause begins with a verb that asks."""
        word, after = self.words[at], self.words[at + 1 : at + 3]
        if not _AUXILIARY.isdisjoint(after) or not self.tokens[at].strip(MARKS).replace("-", "").isalpha():
            return False
        if word in _TRANSITIVE and after[:1] and after[0] in _AFTER_NOUNS:
            return False
        if self._stems[at] not in self._verbs:
            return self._is_unknown_order(at, begins=begins)
        if not begins and self._stems[at] in self._before and self._names_one(at + 1):
            # `Refund order 1 and order 2`.
            return False
        return word in WRITTEN or not word.endswith(("ing", "ed", "s")) or word.endswith("ss")

    def _is_unknown_order(self, at: int, *, begins: bool) -> bool:
        after = self.words[at + 1 : at + 2]
        if not after or self.words[at] in _NO_ORDER:
            return False
        if begins:
            return after[0] in _BEFORE_OBJECTS or any(map(str.isdigit, after[0]))
        return self.words[0] in _JOINING and at == 1 and self.tokens[at + 1][0] == STATED

    def _says(self, words: Sequence[str], at: int) -> bool:
        """Return whether words report something: they have a subject, or a verb that is no order."""
        text = _IN_MAY.sub("", " ".join(words[at:]))
        said = text.split()
        if not said:
            return False
        first = said[0]
        if first in _TELLING or (first.endswith("ing") and first not in _NO_PAST):
            return True
        if first in _LIKE_DONE:
            return False
        # `The file that was sent` only identifies the file.
        until = next((n for n, one in enumerate(said) if n and one in ("that", "which", "whose")), len(said))
        said = said[:until]
        done = any(one.endswith("ed") and one not in _NO_PAST for one in said[1:4])
        return done or not _SAYING.isdisjoint(said)

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
        return owner.endswith(("'s", "\u2019s")) or at - 1 == self.head >= 0

    def _names_one(self, at: int) -> bool:
        after = self.words[at : at + 1]
        return bool(after) and (after[0] == STATED or any(map(str.isdigit, after[0])))

    def _idioms(self) -> Iterator[str]:
        """Yield the verb that several words express together: `let Ann know`, `Bob should get it, too`."""
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
