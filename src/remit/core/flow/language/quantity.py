# SPDX-License-Identifier: Apache-2.0
"""Quantities: whether words ask for an action on many items (`reply to all of them`).

A person who asks for all messages to be read has not asked for all to be answered. So words for many count
only in their own clause, or where they begin the sentence (`for each message, ...`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from remit.core.flow.language.word_forms import some, stems_of, words_of

_CLAUSE = re.compile(r"[,.;:!?()\n]|\b(?:and|then|but|or|und|dann|aber|oder|et|puis|mais|ou|y|luego|pero)\b")
COLLECTIVE = some(
    "all every each both everyone everybody anyone any several "
    "alle allen aller jede jeden jedem jeder jedes sämtliche beide beiden "
    "tous toutes chaque chacun chacune "
    "todos todas cada ambos ambas"
)
"""Words that name many, in English, German, French and Spanish."""
_MANY = re.compile(rf"\b(?:{'|'.join(sorted(COLLECTIVE))})\b")
_THEM = re.compile(r"(?<!\babout )(?<!\bof )(?<!\bfrom )(?<!\bin )(?<!\bon )(?<!\bby )\bthem\b")
_FIRST = re.compile(r"\s*(?:please )?(?:for|to|with) (?:all|every|each|both)\b")


def of_many(sentence: str) -> Iterator[str]:
    """Yield the clauses of a lower-case sentence that ask for an action on many items."""
    whole = bool(_FIRST.match(sentence))
    for clause in _CLAUSE.split(sentence):
        if whole or _MANY.search(clause) or _THEM.search(clause):
            yield clause


def names_all(sentences: Iterable[str], key: AbstractSet[str], others: Iterable[str]) -> bool:
    """Return whether a clause names all items with a key (`everyone who signed up for the event`).

    `key` are the stems of the key. A clause that also names one of the `others` may mean that item only.
    """
    singled = [words_of(one) for one in others]
    return any(
        key <= stems_of(clause) and not any(_holds(words_of(clause), one) for one in singled)
        for sentence in sentences
        for clause in of_many(sentence)
    )


def _holds(words: list[str], part: list[str]) -> bool:
    return f" {' '.join(part)} " in f" {' '.join(words)} "
