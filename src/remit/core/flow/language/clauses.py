# SPDX-License-Identifier: Apache-2.0
"""Clauses of a person's words: the verbs by which each clause asks, and the values that it states.

A sentence is divided at commas, brackets, conjunctions and words that rule something out. A clause asks where
a verb is its head: bare, or under one of a few wishes (`could you`, `I want you to`). Where something else
governs the verb (another subject, an auxiliary, a negation, `before`, `how`), the clause reports something or
rules it out. A part without a verb belongs to the clause before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import NamedTuple

from remit.core.flow.language.gloss import glossed, said
from remit.core.flow.language.phrases import ACTS, POINTS, STATED, ClausePiece, Mood, pieces_of, words_in
from remit.core.flow.language.tool_verbs import ASKING, AskedBy, ObjectWords, verbs_and_nouns
from remit.core.flow.language.word_forms import EMPTY, MARKS, some, stem, stems, stems_in
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.normal_text import plain
from remit.core.flow.values.strict_reading import exact, worded_forms, written

MAX_CLAUSES = 4
"""Asking clauses after one that states a value in which `it` may still refer to that value."""
MAX_BACK = 32
"""Clauses before a withdrawing clause that are searched for the withdrawn request."""
MAX_KNOWN = 1_000
"""Most answers that are cached until more words are added."""
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")
_ONESELF, _MINE = some("me myself moi-même yo"), some("my mine")
_IT = some("both it them him her that this one they its their")
#: `Send them the agenda`, but not `send them to Bob`.
_TO_IT = re.compile(
    r" (?:to|with|for|cc|in|at|on|into) (?:it|them|him|her|this|that|there|these|the \w+ one)"
    r"(?: (?:address|account|number|channel|page|url|person|host|site))? "
    r"| (?:them|him|her|there) (?!to |in |at |on |into )"
    r"| (?:in|to|on) (?:his|her|their|its|that|this|the same) (?:thread|conversation|issue|ticket) "
)
_THE_THING = re.compile(
    r" (?:the|these|those|all) (\w+) (?=(?:(?:please|now|today|again|then|too|first|for me|as well) )*$)"
)
_THE_ONE = some("the this that my our his her their")
#: The points of a list belong to the sentence that introduces them.
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?![-*\u2022] )|\n+(?!\s*[-*\u2022] )")


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [one for one in _SENTENCE.split(text) if one.strip()]


#: Words of a withdrawal that do not name what is withdrawn.
_FILLING = EMPTY | stems("please wait mind changed sorry actually anymore longer don't don\u2019t never")


class SaidClause(NamedTuple):
    """A clause: its parts as written, its words, the stems by which it can ask, and its mood.

    `heads` are the stems of its verbs of asking alone.
    """

    parts: tuple[str, ...]
    words: list[str]
    stems: frozenset[str]
    mood: Mood
    heads: frozenset[str] = frozenset()

    @property
    def said(self) -> str:
        """The clause as written."""
        return " ".join(self.parts)

    @property
    def text(self) -> str:
        """The words, each with one blank before and after it."""
        return f" {' '.join(self.words)} "

    @property
    def states(self) -> bool:
        """Whether the clause states the value that is looked for."""
        return any(STATED in one for one in self.words)

    @property
    def asks(self) -> bool:
        """Whether the clause asks for something."""
        return self.mood is Mood.ASKS

    def asks_for(self, by: AskedBy) -> bool:
        """Return whether the clause asks for what a tool does."""
        return self.asks and by.by(self.stems, self.text)

    def asks_by_verb(self, by: AskedBy, *, oneself: bool = False) -> bool:
        """Return whether a verb of the clause, and no noun, asks for what a tool does.

        With `oneself`, also where it asks to do so for the person.
        """
        return self.asks and by.by_verb(self.heads, self.text, oneself=oneself)


class Clauses:
    """The clauses of all words of a person so far."""

    def __init__(self) -> None:
        """Begin without any words."""
        #: The words, sentence by sentence, in plain form.
        self.sentences: list[str] = []
        self._divided: dict[frozenset[str], list[SaidClause]] = {}
        self._parts: dict[tuple[str, frozenset[str]], tuple[SaidClause, ...]] = {}
        #: The words of each sentence as they are read, and their stems.
        self._read: dict[str, tuple[Sequence[str], frozenset[str]]] = {}
        self._known: dict[tuple[str, AskedBy, bool], bool | None] = {}
        self._led: dict[tuple[str, AskedBy, bool], bool] = {}

    def hear(self, text: str) -> list[SaidClause]:
        """Add further words; return their clauses."""
        added = list(map(plain, sentences(text)))
        self.sentences += added
        self._divided.clear()
        self._known.clear()
        self._led.clear()
        return self._of_sentences(added, frozenset())

    def of(self, starts: frozenset[str] = frozenset()) -> list[SaidClause]:
        """Return all clauses; stems in `starts` count as verbs, too."""
        found = self._divided.get(starts)
        if found is None:
            if len(self._divided) >= MAX_KNOWN:
                self._divided.clear()
            found = self._divided[starts] = self._of_sentences(self.sentences, starts)
        return found

    def _of_sentences(self, said: Sequence[str], starts: frozenset[str]) -> list[SaidClause]:
        return _without_withdrawn([clause for one in said for clause in self._of_sentence(one, starts)])

    def _of_sentence(self, sentence: str, starts: frozenset[str]) -> tuple[SaidClause, ...]:
        if (read := self._read.get(sentence)) is None:
            if len(self._read) >= MAX_KNOWN:
                self._read.clear()
            tokens = glossed(sentence.split())
            read = self._read[sentence] = tokens, frozenset(map(stem, words_in(tokens)))
        # Verbs that a sentence does not contain divide it no further.
        key = (sentence, starts & read[1])
        if (found := self._parts.get(key)) is None:
            if len(self._parts) >= MAX_KNOWN:
                self._parts.clear()
            found = self._parts[key] = tuple(_clauses(read[0], key[1]))
        return found

    def ask(self, by: AskedBy) -> bool:
        """Return whether clauses that ask, or whose mood is open, ask for what a tool does."""
        said = [one for one in self.of(by.starts) if one.mood in (Mood.ASKS, Mood.OPEN)]
        stems = frozenset().union(*(one.stems for one in said))
        return by.by(stems, "".join(one.text for one in said))

    def exclude(self) -> bool:
        """Return whether any clause rules something out."""
        return any(one.mood is Mood.RULES_OUT for one in self.of())

    def ask_by_object(self, by: ObjectWords) -> bool:
        """Return whether a clause asks by its verb, and by an object of that verb."""
        starts = by.verbs
        return bool(starts) and any(
            one.asks and by.by(one.heads, stems_in(one.words)) for one in self.of(starts)
        )

    def rule_out(self, value: str, by: AskedBy | None = None) -> bool:
        """Return whether clauses state a value, and each of these clauses rules something out."""
        found = self._stating(value, by.starts if by else frozenset())
        return {one.mood for one in found if one.states} == {Mood.RULES_OUT}

    def asks_for(self, value: str, by: AskedBy, *, whom: bool) -> bool | None:
        """Return whether the clause that states a value, or one soon after it, asks for what a tool does.

        A later clause counts where it refers to the value as `it`; with `whom`, as the recipient or target.
        Returns None where the words leave the question open: no clause states the value, or the stating
        clauses do not report what the tool does and no other clause asks for it.
        """
        key = (value, by, whom)
        if key not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[key] = self._asks_for(value, by, whom=whom)
        return self._known[key]

    def ask_of(self, names: AbstractSet[str], by: AskedBy, generic: AbstractSet[str]) -> bool:
        """Return whether the words ask for what a tool does with what names denote.

        A clause that asks for it must state a name, or name nothing else: `put a note on the deal`. `generic`
        are stems of words that name no single thing.
        """
        if any(self.asks_for(one, by, whom=False) for one in names):
            return True
        verbs, nouns = verbs_and_nouns(by.name)
        own = ASKING | verbs | nouns | generic | frozenset(map(stem, by.name))
        own |= stems_in(word for one in (*by.words, *names) for word in one.split())
        asking = [one for one in self.of(by.starts) if one.asks_for(by)]
        return bool(asking) and all(stems_in(one.words) - EMPTY <= own for one in asking)

    def ask_beside(self, value: str, by: AskedBy) -> bool:
        """Return whether a clause that states a value asks for what a tool does, by itself."""
        return any(one.states and one.asks_for(by.verb) for one in self._stating(value, by.verb.starts))

    def mean_one(self, by: AskedBy) -> bool:
        """Return whether a clause that asks for what a tool does speaks of one thing (`the tent order`)."""
        _, nouns = verbs_and_nouns(by.name)
        return any(
            stem(after) in nouns and not after.endswith("s")
            for clause in self.of(by.verb.starts)
            if clause.asks_for(by.verb)
            for at, word in enumerate(clause.words)
            if word in _THE_ONE
            for after in clause.words[at + 1 : at + 4]
        )

    def ask_by_verb(self, by: AskedBy) -> bool:
        """Return whether a verb of a clause asks for what a tool does."""
        return any(one.asks_by_verb(by, oneself=True) for one in self.of(by.starts))

    def lead_by_verb(self, value: str, by: AskedBy, *, whom: bool) -> bool:
        """Return whether the clause that states a value asks by its verb for what a tool does.

        A clause soon after it counts, too, if it refers to the value; with `whom`, as the recipient.
        """
        key = (value, by, whom)
        if key not in self._led:
            if len(self._led) >= MAX_KNOWN:
                self._led.clear()
            self._led[key] = self._lead_by_verb(value, by, whom=whom)
        return self._led[key]

    def _lead_by_verb(self, value: str, by: AskedBy, *, whom: bool) -> bool:
        clauses = self._stating(value, by.starts)
        for at, clause in enumerate(clauses):
            if not clause.states or clause.mood is Mood.RULES_OUT:
                continue
            later = islice((near for near in clauses[at + 1 :] if near.asks), MAX_CLAUSES)
            if clause.asks_by_verb(by) or any(
                near.asks_by_verb(by) and _refers(near, by.name, whom=whom) for near in later
            ):
                return True
        return False

    def ask_for_oneself(self, by: AskedBy, widely: AskedBy, *, things: bool) -> bool:
        """Return whether a clause that speaks of the person asks for what a tool does.

        With `things`, also where it speaks of what is the person's (`my address`).
        """
        words = _ONESELF | _MINE if things else _ONESELF
        return any(
            (one.asks_for(by) or one.asks_by_verb(widely, oneself=True)) and not words.isdisjoint(one.words)
            for one in (*self.of(by.starts), *self.of(widely.starts))
        )

    def only_tell(self, value: str, by: AskedBy) -> bool:
        """Return whether all clauses that state a value report something other than what a tool does.

        Example: `the rent is 900 EUR`.
        """
        found = [one for one in self._stating(value, by.starts) if one.states]
        return all(one.mood is Mood.TELLS and not by.verb.by(stems_in(one.words), one.text) for one in found)

    def _stating(self, value: str, starts: frozenset[str]) -> list[SaidClause]:
        """Return all clauses, with a mark in place of the value; none where no clause states the value.

        So the text of the value (`select count(*) from orders`) asks for nothing and divides no clause.
        """
        wanted = plain(value)
        marked = [without(one, wanted) for one in self.sentences]
        return self._of_sentences(marked, starts) if any(STATED in one for one in marked) else []

    def _asks_for(self, value: str, by: AskedBy, *, whom: bool) -> bool | None:
        verb = by.verb
        clauses = self._stating(value, verb.starts)
        moods: set[Mood] = set()
        told = False
        for at, clause in enumerate(clauses):
            if not clause.states:
                continue
            moods.add(clause.mood)
            told = told or (not clause.asks and verb.by(stems_in(clause.words), clause.text))
            if clause.mood is Mood.RULES_OUT:
                continue
            later = islice((near for near in clauses[at + 1 :] if near.asks), MAX_CLAUSES)
            if clause.asks_for(verb) or any(
                near.asks_for(verb) and _goes_on(near, by, whom=whom) for near in later
            ):
                return True
        if not moods:
            return None
        asking = [one for one in clauses if one.asks_for(verb)]
        if moods == {Mood.OPEN}:
            # Of two similar values, the person means the one in a clause that asks.
            return False if any(like(one.said, value) for one in asking) else None
        return False if told or asking else None


def like(said: str, words: str) -> bool:
    """Return whether `said` names another value similar to `words`."""
    kind, rest = exact(words).kind, without(said, words)
    if kind is not KindOfValue.TEXT:
        return any(found.kind is kind for _, found in written(rest))
    shape = _shape(words)
    return any(map(str.isdigit, words)) and any(_shape(one.strip(MARKS)) == shape for one in rest.split())


def _shape(word: str) -> str:
    return _LETTERS.sub("a", _DIGITS.sub("9", word))


def without(said: str, value: str) -> str:
    """Return a sentence with a mark at each place where the whole value is, in any of its forms."""
    for form in worded_forms(value):
        out, done, at = "", 0, said.find(form) if form else -1
        while at >= 0:
            end = at + len(form)
            if not (_in_word(said[at - 1 : at]) or _in_word(said[end : end + 1])):
                out, done = f"{out}{said[done:at]}{STATED}", end
            at = said.find(form, max(at + 1, done))
        said = out + said[done:]
    return said


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _goes_on(clause: SaidClause, by: AskedBy, *, whom: bool) -> bool:
    """Return whether a clause refers to the value that was stated before it, or only names the action."""
    if {stem(one) for one in clause.words if one} - EMPTY <= by.words.union(*verbs_and_nouns(by.name)):
        return True
    return _refers(clause, by.name, whom=whom)


def _refers(clause: SaidClause, name: tuple[str, ...], *, whom: bool) -> bool:
    """Return whether a clause refers to a value that was stated before it."""
    return _TO_IT.search(clause.text) is not None if whom else _speaks_of_it(clause, name)


def _speaks_of_it(clause: SaidClause, name: tuple[str, ...]) -> bool:
    """Return whether a clause refers to a value named before it, as `it` or `the file`, and names no
    other.
    """
    if not _IT.isdisjoint(clause.words):
        return True
    nouns = {stem(one) for one in name}
    return any(stem(one[1]) in nouns for one in _THE_THING.finditer(clause.text))


def _without_withdrawn(clauses: list[SaidClause]) -> list[SaidClause]:
    """Mark a request as ruled out where a later clause rules it out in the same words."""
    for at, later in enumerate(clauses):
        gone = set(map(stem, later.words)) - _FILLING if later.mood is Mood.RULES_OUT else set[str]()
        for back in range(max(0, at - MAX_BACK), at) if gone else ():
            if clauses[back].asks and gone <= set(map(stem, clauses[back].words)):
                clauses[back] = clauses[back]._replace(mood=Mood.RULES_OUT)
    return clauses


def _clauses(tokens: Sequence[str], starts: frozenset[str]) -> Iterator[SaidClause]:
    verbs = ACTS | starts
    #: The clause in progress, and the last clause that asked, to which later words can return.
    held: list[ClausePiece] = []
    asked: list[ClausePiece] = []
    done: list[list[ClausePiece]] = []
    reported = False
    for place, one in enumerate(pieces_of(tokens)):
        mood = next((before.mood for before in held if before.mood is not Mood.OPEN), Mood.OPEN)
        point = one[0] in POINTS
        nouns = [before.nouns for before in held if mood is Mood.ASKS]
        piece = ClausePiece(one, verbs, frozenset().union(*nouns), begins=point or not place)
        reported = reported and not point
        if piece.mood is not Mood.OPEN and reported:
            piece.mood = Mood.TELLS
        if piece.mood is Mood.OPEN and mood in (Mood.TELLS, Mood.RULES_OUT) and piece.resumes(asked, held):
            asked.append(piece)
            continue
        if held and piece.mood is Mood.ASKS and one[0][0] == "(" and ")" in one[-1][-2:]:
            # `Add a label (keep the others) to the issue`: the words after the brackets go on before them.
            done.append([piece])
            continue
        # `For Ann, send ...` asks for something for her; `hands off it, and send ...` does not.
        leads = mood is Mood.OPEN and piece.mood is Mood.ASKS and not (point or piece.joined)
        if piece.mood is not Mood.OPEN and not leads:
            held = []
        if not held:
            done.append(held)
        held.append(piece)
        asked = held if piece.mood is Mood.ASKS else asked
        reported = reported or (piece.mood in (Mood.TELLS, Mood.OPEN) and piece.reports)
    yield from map(_joined, done)


def _joined(pieces: Sequence[ClausePiece]) -> SaidClause:
    """Join pieces to a clause.

    Its nouns ask where its first verb does more than read, and where the clause is no complete sentence.
    """
    moved = [one for one in pieces if one.mood is not Mood.OPEN]
    reads = next((one.reads for one in pieces if one.mood is Mood.ASKS), bool(moved))
    words = [word for one in pieces for word in one.words if word]
    parts = tuple(" ".join(filter(None, map(said, one.tokens))) for one in pieces)
    found = frozenset().union(*(one.stems(nouns=not reads) for one in pieces))
    heads = frozenset().union(*(one.heads for one in pieces))
    return SaidClause(parts, words, found, moved[0].mood if moved else Mood.OPEN, heads)
