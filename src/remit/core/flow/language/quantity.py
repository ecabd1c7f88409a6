# SPDX-License-Identifier: Apache-2.0
"""Quantities: whether words ask for something to be done with many (`reply to all of them`).

Who says that all messages are to be read has not said that all are to be answered: words for many count in
their own clause, or where they stand before everything else (`for each message, ...`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLAUSE = re.compile(r"[,.;:!?()\n]|\b(?:and|then|but|or)\b")
_MANY = re.compile(r"\b(?:all|every|each|both|everyone|everybody|anyone|any|several)\b")
_THEM = re.compile(r"(?<!\babout )(?<!\bof )(?<!\bfrom )(?<!\bin )(?<!\bon )(?<!\bby )\bthem\b")
_FIRST = re.compile(r"\s*(?:please )?(?:for|to|with) (?:all|every|each|both)\b")


def of_many(sentence: str) -> Iterator[str]:
    """Yield those clauses of a sentence, in small letters, in which something is done with many."""
    whole = bool(_FIRST.match(sentence))
    for clause in _CLAUSE.split(sentence):
        if whole or _MANY.search(clause) or _THEM.search(clause):
            yield clause
