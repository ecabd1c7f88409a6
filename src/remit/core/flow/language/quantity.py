# SPDX-License-Identifier: Apache-2.0
"""Quantities: whether words ask for an action on many items (`reply to all of them`).

A person who asks for all messages to be read has not asked for all to be answered. So words for many count
only in their own clause, or where they begin the sentence (`for each message, ...`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLAUSE = re.compile(r"[,.;:!?()\n]|\b(?:and|then|but|or)\b")
_MANY = re.compile(r"\b(?:all|every|each|both|everyone|everybody|anyone|any|several)\b")
_THEM = re.compile(r"(?<!\babout )(?<!\bof )(?<!\bfrom )(?<!\bin )(?<!\bon )(?<!\bby )\bthem\b")
_FIRST = re.compile(r"\s*(?:please )?(?:for|to|with) (?:all|every|each|both)\b")


def of_many(sentence: str) -> Iterator[str]:
    """Yield the clauses of a lower-case sentence that ask for an action on many items."""
    whole = bool(_FIRST.match(sentence))
    for clause in _CLAUSE.split(sentence):
        if whole or _MANY.search(clause) or _THEM.search(clause):
            yield clause
