# SPDX-License-Identifier: Apache-2.0
"""The people that a person's words mention: by name, as several, or by a description.

A name is a row of words with a capital inside a sentence. At the beginning of a sentence every word has a
capital: there a word is a name only where the next word shows it (`Iker Luarca`, `Dirk says`, `Mia's mail`).

INVARIANT: a name only chooses among values that a person is then asked about. It makes no value trusted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from remit.core.flow.language.clauses import sentences
from remit.core.flow.language.phrases import ACTS
from remit.core.flow.language.word_forms import EMPTY, MARKS, PARTS, some, stem, stems, words_of

MAX_NAMES = 200
"""Names in a person's words that are remembered."""
SHORTEST_NAME = 3
_RUN = re.compile(r"[^\W\d_]+")
_LETTERS = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_OWNED = ("'s", "\u2019s", "'", "\u2019")
_TITLES = some("ms mr mrs miss dr prof sir madam frau herr herrn madame monsieur mme señor señora sr sra don")
_AFTER_A_NAME = some(
    "and in on too also as says said asks asked wants wanted needs wrote writes mentions mentioned sent"
)
#: Words before the name of a recipient, and stems of requests whose recipient is the sender of a message.
_TO_WHOM = some(
    "to cc bcc tell send mail email message forward invite inform notify ask dm ping write "
    "schick schicke sende send schreib schreibe sag sage frag frage antworte an "
    "envoie écris dis demande réponds à envía escribe di pregunta dile a"
)
_ANSWERING = stems("answer reply respond antworte beantworte réponds répondre responde")
_PERSON_NOUNS = (
    "person colleague assistant engineer journalist reporter editor planner accountant lawyer doctor nurse "
    "teacher trainer manager boss chief director head secretary intern trainee employee worker developer "
    "designer architect consultant contractor supplier vendor customer client buyer seller dealer agent "
    "broker landlord tenant neighbour neighbor guest visitor volunteer applicant candidate student pupil "
    "parent mother father sister brother son daughter wife husband partner cousin uncle aunt friend "
    "sister-in-law brother-in-law contact technician electrician plumber craftsman driver photographer "
    "speaker author writer artist musician singer caterer organizer organiser host successor deputy "
    "participant member attendee recipient sender invitee subscriber guy woman man lady "
    "kollege kollegin ingenieur ingenieurin journalist journalistin schwager schwägerin bruder schwester "
    "mutter vater freund freundin chef chefin nachbar nachbarin kunde kundin vermieter fahrer fotograf "
    "collègue ingénieur ingénieure journaliste frère soeur beau-frère ami amie voisin voisine cliente "
    "colega ingeniero ingeniera periodista hermano hermana cuñado cuñada amigo amiga vecino vecina"
)
PERSON_STEMS = stems(_PERSON_NOUNS)
_DETERMINERS = some(
    "the a his her their our my your its this that der die das den dem sein seine ihr ihre unser unsere "
    "mein meine le la les son sa leur notre mon ma el su sus nuestro nuestra mi"
)
_LINK_STEMS = stems("link linked links url page site website webpage hyperlink lien enlace")
MAX_BETWEEN = 3
"""Most words from a determiner to its noun."""
_SEVERAL = re.compile(r" (?:all who|all of them|them all|both of (?:them|you|us)|beiden?|ambos) ")
_MANY_WHO = re.compile(
    r" (?:everybody|everyone|anybody|anyone|those|people|all|alle|tous ceux|toutes celles"
    r"|todos los|todas las)"
    r" (?:who|that|die|qui|que) "
)
_PRONOUNS = some("him her them")


class _Mention(NamedTuple):
    """A name as said, in plain form; whether it is only the recipient of the request around it."""

    said: str
    addressed: bool


class SaidPeople:
    """The people that all words of a person mention."""

    def __init__(self) -> None:
        """Begin without any words."""
        #: Each name, in words in normal form, with its mentions.
        self._names: dict[tuple[str, ...], list[_Mention]] = {}
        #: Whether the words mean several people (`both`, `him and Priya`, `the same participants`).
        self.several = False
        #: Whether the words describe people as many (`everybody who volunteered`).
        self.described_as_many = False
        #: The words of each sentence, and whether it describes a person, a link, and many people.
        self._described: list[tuple[frozenset[str], bool, bool, bool]] = []

    def hear(self, text: str) -> None:
        """Add further words."""
        for sentence in sentences(text):
            for name, mention in _names_in(sentence):
                if len(self._names) < MAX_NAMES:
                    self._names.setdefault(name, []).append(mention)
            words = words_of(sentence)
            self.several = self.several or self._means_several(words)
            said = frozenset(map(stem, words))
            link = not said.isdisjoint(_LINK_STEMS)
            many = _MANY_WHO.search(f" {' '.join(words)} ") is not None
            self.described_as_many = self.described_as_many or many
            self._described.append((said, many or _describes_person(words), link, many))

    @property
    def names(self) -> Iterable[tuple[str, ...]]:
        """The names, each as its words in normal form."""
        return self._names

    def said(self, name: tuple[str, ...], *, of_sender: bool = False) -> list[str]:
        """Return the forms in which a name is said; with `of_sender`, not those of a mere recipient.

        `Tell Bram` does not choose among the senders of messages: a stranger may sign as Bram.
        """
        return [one.said for one in self._names.get(name, ()) if not (of_sender and one.addressed)]

    def addressed(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the names to which the words send something (`tell Bram`), each with a form as said."""
        for name, mentions in self._names.items():
            yield from ((name, one.said) for one in mentions if one.addressed)

    def describes(self, source: frozenset[str], *, link: bool, several: bool = False) -> bool:
        """Return whether the words describe a person (or a `link`) beside a name of the source.

        With `several`, only people that they describe as many count.
        Beside: in the same sentence or in the one before it. `source` are stems of the words that found the
        source; only names count.
        """
        # A search for any other word of the sentence would make its own result the source.
        names = {stem(word) for of in self._names.values() for one in of for word in one.said.split()}
        before: frozenset[str] = frozenset()
        for said, person, linked, many in self._described:
            here = said | before
            if not (linked if link else many if several else person):
                pass
            elif not (source & names).isdisjoint(here) or (several and _names_place(here, source)):
                return True
            before = said
        return False

    def _means_several(self, words: Sequence[str]) -> bool:
        text = f" {' '.join(words)} "
        if _SEVERAL.search(text):
            return True
        first = {name[0] for name in self._names}
        for at, word in enumerate(words):
            after = words[at + 1] if at + 1 < len(words) else ""
            last = words[at + 2] if at + 2 < len(words) else ""
            if word == "both" and (not after or after in EMPTY or stem(after) in PERSON_STEMS):
                return True
            if word == "same" and after.endswith("s") and stem(after) in PERSON_STEMS:
                return True
            if after == "and" and word in _PRONOUNS and normal_name(last) in first:
                return True
        return False


def normal_name(word: str) -> str:
    """Return a word of a name without case and accents.

    Only canonical marks are removed: a letter of another script stays another letter.
    """
    if word.isascii():
        return word.lower()
    apart = unicodedata.normalize("NFD", word)
    return "".join(one for one in apart if not unicodedata.combining(one)).lower()


def words_of_name(text: str) -> frozenset[str]:
    """Return the words of a name or of the local part of an address, in normal form."""
    return frozenset(map(normal_name, _RUN.findall(text)))


def _names_in(sentence: str) -> Iterator[tuple[tuple[str, ...], _Mention]]:
    tokens = sentence.split()
    bare = [one.strip(MARKS) for one in tokens]
    answers = not _ANSWERING.isdisjoint(stem(one.lower()) for one in bare)
    at = 0
    while at < len(tokens):
        end = at
        while end < len(tokens) and _is_capital(bare[end]):
            end += 1
            if tokens[end - 1][-1:] in MARKS or tokens[end - 1].endswith(_OWNED):
                break
        if end == at:
            at += 1
            continue
        for start in _starts(tokens, bare, at, end):
            words = [one for one in map(_unowned, bare[start:end]) if one.lower().rstrip(".") not in _TITLES]
            name = tuple(map(normal_name, words))
            addressed = not answers and start > 0 and bare[start - 1].lower() in _TO_WHOM
            if name and all(len(one) >= SHORTEST_NAME for one in name):
                yield name, _Mention(" ".join(words).lower(), addressed)
        at = end


def _starts(tokens: Sequence[str], bare: Sequence[str], at: int, end: int) -> Iterator[int]:
    """Yield where a name in this row of capitals may begin."""
    if at > 0:
        yield at
        return
    if stem(bare[0].lower()) not in ACTS and bare[0].lower() not in EMPTY | _TO_WHOM:
        following = bare[1].lower() if len(bare) > 1 else ""
        if end > 1 or tokens[0].rstrip(MARKS).endswith(("'s", "\u2019s")) or following in _AFTER_A_NAME:
            yield 0
    if end > 1:
        yield 1


def _is_capital(word: str) -> bool:
    return word[:1].isupper() and word.lower() not in EMPTY and _LETTERS.fullmatch(_unowned(word)) is not None


def _unowned(word: str) -> str:
    return next((word[: -len(one)] for one in _OWNED if word.endswith(one)), word)


def _names_place(said: frozenset[str], source: frozenset[str]) -> bool:
    """Return whether one of the words is a name of several parts (`info-inbox`) that the source has, too."""
    return any(len(parts := PARTS.findall(one)) > 1 and source.issuperset(map(stem, parts)) for one in said)


def _describes_person(words: Sequence[str]) -> bool:
    """Return whether a noun for a person follows a determiner (`their new engineer`)."""
    return any(
        stem(word) in PERSON_STEMS and not _DETERMINERS.isdisjoint(words[max(0, at - MAX_BETWEEN) : at])
        for at, word in enumerate(words)
    )
