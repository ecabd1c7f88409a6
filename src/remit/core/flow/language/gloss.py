# SPDX-License-Identifier: Apache-2.0
"""Sentences in German, French and Spanish, as clauses are read: with the English words by which they ask.

Each verb by which a clause asks is replaced by its English verb, at the head of its clause. So are joints,
negations, pronouns and reporting verbs; all other words stay. Then one set of rules decides for all languages
which clause asks.

A verb counts only where its form and its place permit a request: at the beginning of a sentence, after
`bitte` or a like phrase, or joined to another request. A form that is also the form of a report (`manda`,
`envoie`, `lösche`) begins no request after a word that introduces a report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import msgspec

from remit.core.flow.language.quantity import COLLECTIVE
from remit.core.flow.language.tool_verbs import WRITTEN
from remit.core.flow.language.vocabulary.vocabularies import ENGLISH, TONGUES, Tongue, bare_of_accents
from remit.core.flow.language.word_forms import MARKS, some

_OPENED = "\u00bf\u00a1"
_MARKS = MARKS + _OPENED
_ENDS = tuple(",;:.!?)")
_JOINTS = some("and or but then")
_EXCLUDING = some("without instead")
_REPORTING = some("says said writes wrote asks asked according")
_WANTING = some("wants would")
#: Words after which a negation belongs to another clause.
_GOVERNING = some("that which who if whether because before after how why when")
_NEGATIONS = some("not no never neither")
_LEADING_ON = some("and or but then please also")
_SUBJECTS = some("i we he they")
#: Words of a clause in which a person does something.
_GOVERNED = (
    _SUBJECTS
    | _GOVERNING
    | _REPORTING
    | some("she it is are was were has had have will wants would can could must should not no never")
)
#: Phrases that exclude some after a word for all.
_INSTEAD = frozenset(
    (
        "in place of",
        "en vez de",
        "en lugar de",
        "au lieu de",
        "à la place de",
        "anstelle von",
        "an stelle von",
    )
)
_OF_INSTEAD = some("place vez lugar lieu anstelle stelle todo tout alles")
_ALL_OF_IT = some("todo tout alles")
_EXCEPTING = some("but save bar besides hormis menos") | frozenset(
    ("other than", "apart from", "aside from", "bis auf", "mit ausnahme von")
)
_OF_NOUNS = some("of for from")
_AFTER_NOUNS = _OF_NOUNS | some("to the")
_TELLING = some("tell ask remind inform write answer")
_POINTS = some("- * \u2022 \u2013 \u2014")
_MAX_CLITICS = 2
_LONGEST_WISH = 4
MIN_VERB = 2
"""Fewest letters of a verb before attached pronouns."""


class GlossedWord(str):
    """A word as clauses read it; `said` is the written word, empty where the reading adds a word."""

    __slots__ = ("said",)
    said: str

    def __new__(cls, text: str, said: str) -> Self:
        """Return a word with the written word that it stands for."""
        made = super().__new__(cls, text)
        made.said = said
        return made


class _Clause(msgspec.Struct):
    """A clause from `start` to `end`: its first word that says something, and the verb by which it asks.

    `please` is the place of `please`, or -1. `late`: the verb is the infinitive at the end. `goes_on`: the
    next clause may ask as this one does. `reports`: the next clause is what another person says.
    """

    start: int
    end: int
    head: int = 0
    please: int = -1
    verb: str = ""
    pronouns: list[str] = []
    late: bool = False
    negated: bool = False
    goes_on: bool = False
    reports: bool = False


def said(token: str) -> str:
    """Return a word as written."""
    return token.said if isinstance(token, GlossedWord) else token


def glossed(tokens: Sequence[str]) -> Sequence[str]:
    """Return the words of a sentence as clauses are read; English words stay as they are."""
    tokens = _excluding(tokens)
    tongue = _tongue_of(tokens)
    return tokens if tongue is None else list(_Sentence(tongue, tokens))


def _excluding(tokens: Sequence[str]) -> Sequence[str]:
    """Return the words of a sentence, with `except` and `instead` for phrases of that meaning.

    `But` excludes some only after a word for all (`everyone but Bob`).
    """
    if COLLECTIVE.isdisjoint(tokens) and _OF_INSTEAD.isdisjoint(tokens):
        return tokens
    out, at = list[str](), 0
    while at < len(tokens):
        known = _INSTEAD | (_EXCEPTING if out and out[-1] in COLLECTIVE | _ALL_OF_IT else frozenset())
        phrases = [" ".join(tokens[at : at + size]) for size in range(_LONGEST_WISH, 0, -1)]
        phrase = next((one for one in phrases if one in known), "")
        word = "instead" if phrase in _INSTEAD else "except"
        out.append(GlossedWord(word, phrase) if phrase else tokens[at])
        at += len(phrase.split()) or 1
    return out


def _tongue_of(tokens: Sequence[str]) -> Tongue | None:
    """Return the language of a sentence; None for English, and where nothing shows another language."""
    words = {one.strip(_MARKS) for one in tokens}
    first = next(iter(one.strip(_MARKS) for one in tokens), "")
    best, top = None, len(words & ENGLISH)
    for tongue in TONGUES:
        verb = _verb_at(tongue, first) or _with_pronouns(tongue, first)[0]
        known = sum(1 for one in words if one in tongue.shown and one not in WRITTEN)
        shown = len(words & tongue.common) + (verb != "") + known - (not verb and first in WRITTEN)
        if shown > top:
            best, top = tongue, shown
    return best


def _verb_at(tongue: Tongue, word: str) -> str:
    """Return the English verb of a word without attached pronouns; empty where it is no verb."""
    return tongue.verbs.get(bare_of_accents(word), "")


def _with_pronouns(tongue: Tongue, word: str) -> tuple[str, list[str]]:
    """Return the English verb of a word with attached pronouns, and those pronouns in English."""
    bare, found = bare_of_accents(word), list[str]()
    if not tongue.clitics:
        return "", []
    if "-" in bare:
        verb, *rest = bare.split("-")
        known = [tongue.clitics[one] for one in rest if one in tongue.clitics]
        return (tongue.verbs.get(verb, ""), known) if len(known) == len(rest) else ("", [])
    for _ in range(_MAX_CLITICS):
        last = next((one for one in sorted(tongue.clitics, key=len, reverse=True) if bare.endswith(one)), "")
        if not last or len(bare) - len(last) < MIN_VERB or tongue.late:
            break
        bare, found = bare[: -len(last)], [tongue.clitics[last], *found]
        if verb := tongue.verbs.get(bare, ""):
            return verb, found
    return "", []


class _Sentence:
    """The reading of one sentence, clause by clause."""

    def __init__(self, tongue: Tongue, tokens: Sequence[str]) -> None:
        self._tongue = tongue
        self._tokens = list(_parted(tongue, tokens))
        self._words = [one.strip(_MARKS) for one in self._tokens]
        #: English words, where a word has one.
        self._english = [
            tongue.words.get(token) or tongue.words.get(word, "")
            for token, word in zip(self._tokens, self._words, strict=True)
        ]

    def __iter__(self) -> Iterator[str]:
        """Yield the words of the sentence."""
        start, before = 0, _Clause(0, 0)
        while start < len(self._tokens):
            clause = self._read(start, self._end(start), before)
            yield from self._written(clause)
            start, before = clause.end, clause

    def _end(self, start: int) -> int:
        """Return the end of a clause: after a comma, or before the next joint."""
        for at in range(start, len(self._tokens)):
            if (
                at > start
                and self._english[at] in _JOINTS | _EXCLUDING
                and self._english[at - 1] not in _JOINTS
            ):
                return at
            if said(self._tokens[at]).endswith(_ENDS):
                return at + 1
        return len(self._tokens)

    def _read(self, start: int, end: int, before: _Clause) -> _Clause:
        """Return what a clause asks for; `before` is the clause before it."""
        english = self._english[start:end]
        head = next((n for n, one in enumerate(english, start) if one not in _LEADING_ON), end)
        please = next((n for n, one in enumerate(english, start) if one == "please"), -1)
        point = self._tokens[start] in _POINTS
        head += point and head == start
        begins = not start or point or said(self._tokens[start - 1]).endswith(":")
        clause = _Clause(start, end, head, please)
        if head >= end:
            return clause
        if before.reports and not point:
            # What another person says asks for nothing, politely or not.
            self._english[start:end] = ["" if one == "please" else one for one in english]
            return clause
        if self._tongue.late and (please >= 0 or (before.late and english[0] in _JOINTS)):
            last = self._words[end - 1]
            # `Bitte lesen, ohne zu schreiben`: an infinitive with `zu` asks for nothing.
            free = last.endswith("n") and self._words[end - 2 : end - 1] != ["zu"]
            clause.verb = _verb_at(self._tongue, last) if free else ""
            clause.late = clause.verb != ""
        if not clause.verb:
            free = begins or please >= 0 or before.goes_on
            clause.verb, clause.pronouns = self._imperative(head, end, free=free)
        governed = next((n for n in range(head, end) if self._english[n] in _GOVERNING), end)
        clause.negated = any(
            self._words[n] in self._tongue.after or self._english[n] in _NEGATIONS
            for n in range(start, governed)
        )
        wants = said(self._tokens[end - 1]).endswith(":") and not _WANTING.isdisjoint(english)
        reports = wants or not _REPORTING.isdisjoint(english)
        clause.reports = not clause.verb and reports and "that" not in english
        # `Send Ann and Bob the file, and ...` goes on after its second name.
        aside = not clause.verb and _GOVERNED.isdisjoint(english) and before.goes_on
        clause.goes_on = bool(clause.verb) or aside or (begins and self._english[head] == "if")
        return clause

    def _imperative(self, at: int, end: int, *, free: bool) -> tuple[str, list[str]]:
        """Return the English verb by which a clause asks, and attached pronouns; empty where it asks nothing.

        `free`: a form that may also report asks here.
        """
        tongue, word = self._tongue, self._words[at]
        follows = self._english[at + 1] if at + 1 < end else ""
        verb, pronouns = _with_pronouns(tongue, word)
        if not verb:
            head, last = bare_of_accents(word), bare_of_accents(self._words[end - 1])
            verb = tongue.parted.get((head, last), "") or tongue.verbs.get(head, "")
            if tongue.late and word.endswith("n") and follows != "she":
                # `Senden Sie ...` asks; `Schreiben wollte ich ...` does not.
                verb = ""
        if word in tongue.nouns and follows in (_AFTER_NOUNS if tongue.late else _OF_NOUNS):
            # `Frage an Ann` is a question to her.
            return "", []
        if follows in _SUBJECTS or not (free or pronouns or self._is_imperative(word)):
            return "", []
        return verb, pronouns

    def _is_imperative(self, word: str) -> bool:
        """Return whether a form of a verb can be nothing but an imperative."""
        return not bare_of_accents(word).endswith(("e", "n") if self._tongue.late else ("a", "e", "r", "z"))

    def _written(self, clause: _Clause) -> Iterator[str]:
        """Yield the words of a clause, with the English verb at its head."""
        if not clause.verb:
            if self._tongue.late and any(map(self._is_governed, range(clause.start, clause.end))):
                yield GlossedWord("whether", "")
            yield from self._plainly(clause.start, clause.end)
            return
        where = clause.head if not clause.late or clause.please < 0 else clause.please + 1
        yield from self._plainly(clause.start, where, negated=clause.negated)
        if clause.negated:
            yield GlossedWord("not", "")
        if clause.late:
            yield GlossedWord(clause.verb, "")
            yield from self._plainly(where, clause.end, negated=clause.negated)
            return
        token, *pronouns = self._tokens[clause.head], *clause.pronouns
        yield _around(token, clause.verb) if not pronouns else GlossedWord(clause.verb, said(token))
        for place, one in enumerate(pronouns, 1):
            yield _around(token, one, "") if place == len(pronouns) else GlossedWord(one, "")
        yield from self._objects(clause)

    def _objects(self, clause: _Clause) -> Iterator[str]:
        """Yield the words after a verb that asks; what another person is to do begins a clause by itself."""
        start = clause.head + 1
        for at in range(start, clause.end):
            told = self._english[at] == "that" and clause.verb in _TELLING
            if told or self._is_governed(at):
                yield from self._plainly(start, at, negated=clause.negated)
                yield GlossedWord("whether", said(self._tokens[at]) if told else "")
                start = at + told
        yield from self._plainly(start, clause.end, negated=clause.negated)

    def _is_governed(self, at: int) -> bool:
        """Return whether a word is an infinitive that another verb governs (`demande à Ann d'écrire`)."""
        word, before = self._words[at], self._words[at - 1] if at else ""
        if not _verb_at(self._tongue, word):
            return False
        if self._tongue.late:
            return word.endswith("n") and before == "zu"
        ends = bare_of_accents(word).endswith(("r", "re")) and self._english[at - 1] not in _JOINTS
        return ends and self._english[at - 1] != "please"

    def _plainly(self, start: int, end: int, *, negated: bool = False) -> Iterator[str]:
        """Yield words that ask for nothing; the negation of a clause is already at its head."""
        for at in range(start, end):
            token, word = self._tokens[at], self._english[at]
            if not word and self._words[at] in self._tongue.after:
                word = "not"
            if at == start and self._words[at] in self._tongue.nouns:
                yield GlossedWord("the", "")
            if negated and (word in _NEGATIONS or word == "please"):
                yield GlossedWord("there", said(token))
            else:
                yield _around(token, word) if word else token


def _around(token: str, word: str, written: str | None = None) -> GlossedWord:
    """Return a word between the punctuation that is around a token."""
    bare = token.strip(_MARKS)
    before, _, after = token.partition(bare) if bare else ("", "", token)
    return GlossedWord(f"{before.strip(_OPENED)}{word}{after}", said(token) if written is None else written)


def _parted(tongue: Tongue, tokens: Sequence[str]) -> Iterator[str]:
    """Yield the words of a sentence: a phrase of wishing as one word, and an elided word as two."""
    at = 0
    while at < len(tokens):
        phrases = (tokens[at : at + size] for size in range(_LONGEST_WISH, 0, -1))
        if wish := next((one for one in phrases if " ".join(one).rstrip(_MARKS) in tongue.wishes), ()):
            phrase = " ".join(wish)
            yield GlossedWord(f"please{phrase[len(phrase.rstrip(_MARKS)) :]}", phrase)
            at += len(wish)
            continue
        token = tokens[at]
        head, mark, rest = token.replace("\u2019", "'").partition("'")
        if mark and rest and f"{head}'" in tongue.words:
            yield GlossedWord(f"{head}'", token)
            yield GlossedWord(rest, "")
        else:
            yield token
        at += 1
