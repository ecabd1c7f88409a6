# SPDX-License-Identifier: Apache-2.0
"""Hints: items of a result whose title or name has nouns of the intent, and shares none with another item.

Outsiders write titles and names. So a hint makes nothing reached, excludes no other record, names no source
from which a call may go on, and opens no prose: a person is asked about the item. A hint leads to the fields
of the item that no outsider writes, and to the addresses in or below an object with that name. Items of which
the words hint at several are rivals: a call must concern all of them, or none counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from remit.core.flow.language.clauses import SaidClause
from remit.core.flow.language.phrases import Mood
from remit.core.flow.language.quantity import COLLECTIVE
from remit.core.flow.language.word_forms import EMPTY, some, stem, words_of
from remit.core.flow.records.search import by_item, hinted

MAX_HINTED = 20
"""Most items of one result that words of the intent tell apart."""
MAX_NOUNS = 4
"""Most words after an article or possessive that denote a thing."""
_GROUPS = frozenset(map(stem, COLLECTIVE))
_ARTICLES = some("the a an my our your his her its their")
#: Words after which `'s` means `is` or `us`.
_IS = some("it that this what who there here he she how where when let everything everyone")


class Hint(msgspec.Struct, frozen=True):
    """An item that words of the intent tell apart from the others of a result.

    `words` are the stems of these words, `said` the words themselves, `records` the records with them and
    those around these up to the item, `named` the paths of the objects whose name holds one of the words.
    `tool` is the tool whose result it is, and `ids` are digests of the item's ids.
    """

    words: frozenset[str]
    said: frozenset[str]
    records: frozenset[int]
    named: frozenset[str]
    tool: str = ""
    ids: frozenset[int] = frozenset()

    def rivals(self, other: Hint) -> bool:
        """Return whether two hints leave a choice: other items of one tool, or other items by one word."""
        return not self.is_of(other) and (self.tool == other.tool or not self.words.isdisjoint(other.words))

    def is_of(self, other: Hint) -> bool:
        """Return whether two hints lead to the same item."""
        return self is other or not self.ids.isdisjoint(other.ids)


def nouns_in(clauses: Iterable[SaidClause]) -> Iterator[str]:
    """Yield the words that denote a thing: those after an article or possessive, unless it is ruled out."""
    for clause in clauses:
        if clause.mood is Mood.RULES_OUT:
            continue
        left = 0
        for token in clause.said.split():
            (word, *more) = words_of(token) or [""]
            owner = token.endswith(("'s", "\u2019s")) and token[:-2] not in _IS
            if word in _ARTICLES or owner:
                left = MAX_NOUNS
                continue
            if word in EMPTY or token[0] in "([{":
                left = 0
            if left:
                yield from (word, *more)
            left = left - 1 if left and token[-1].isalnum() else 0


def hints_in(
    titles: Mapping[str, set[int]],
    named: Mapping[tuple[str, int], set[str]],
    above: Sequence[int],
    nouns: Iterable[str],
) -> list[Hint]:
    """Return the items that nouns in titles and names tell apart; none where a result has only one.

    `titles` holds the records by the words of the intent in their titles, `named` the paths of the objects
    whose names hold a word, by word and record, and `nouns` the nouns of the intent.
    """
    words: dict[int, set[str]] = {}
    alike: set[int] = set()
    held_by = by_item(titles, above)
    if not any(len(items) == 1 and 0 not in items for items in held_by.values()):
        return []
    forms = [(one, stem(one)) for one in nouns]
    of_things = {one for _, one in forms} - _GROUPS
    for word, items in held_by.items():
        if len(items) > 1:
            alike |= items
        elif word in of_things and 0 not in items:
            words.setdefault(next(iter(items)), set()).add(word)
    words = {item: mine for item, mine in words.items() if item not in alike}
    if len(words) > MAX_HINTED:
        return []
    out = []
    for item, mine in words.items():
        held = {word: titles[word] for word in mine}
        records = hinted(item, held, above)
        paths = (named.get((word, record), ()) for word in mine for record in titles[word])
        said = frozenset(form for form, of in forms if of in mine)
        out.append(Hint(frozenset(mine), said, frozenset(records), frozenset().union(*paths)))
    return out
