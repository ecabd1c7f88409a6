# SPDX-License-Identifier: Apache-2.0
"""Conditions without a comma: where the main clause begins (`if yes send Ann the file`).

A comma ends most conditions. Without one, a verb begins the main clause only where the words before it are a
whole condition, nothing else governs the verb, and its object follows.
"""

from __future__ import annotations

from collections.abc import Sequence

from remit.core.flow.language.tool_verbs import WRITTEN
from remit.core.flow.language.word_forms import some

_SHORT = some("yes so not needed necessary possible any ok okay true")
#: Words by which a condition has a verb.
_STATING = some(
    "is are was were has have had isn't aren't wasn't hasn't haven't there's it's that's he's she's fails "
    "failed exists works passes builds agrees agreed"
)
#: Words before a verb that govern it, or make it a noun.
_GOVERNING = some(
    "i we you he she it they who that which to not never and or will would can could may might must should "
    "do does did is are was were be been being has have had the a an my our your his her its their this "
    "these no any some every each of in on at from with for by about new open last next don't"
)
_OBJECTS = some(
    "the a an my our your his her its their all each every both this these those it them him me us one"
)
_NOT_AFTER = some("is are was were has have had will would can could to by for from of in on at with")


def main_clauses(tokens: Sequence[str], words: Sequence[str]) -> frozenset[int]:
    """Return where a main clause begins after a condition; `words` are the tokens without punctuation."""
    if "if" not in words:
        return frozenset()
    start = words.index("if")
    comma = next(
        (n for n, one in enumerate(tokens) if n >= start and one[-1:] in (",", ";", ":")), len(words)
    )
    # `If those who are there ask the host, tell me` has its main clause after the comma.
    if "if" in words[start + 1 :] or not WRITTEN.isdisjoint(words[comma + 1 : comma + 2]):
        return frozenset()
    for at in range(start + 2, min(comma + 1, len(words) - 1)):
        condition, before, word, after = words[start + 1 : at], words[at - 1], words[at], words[at + 1]
        if word not in WRITTEN or before in _GOVERNING:
            continue
        short = len(condition) == 1 and before in _SHORT
        whole = short or (len(condition) > 1 and not _STATING.isdisjoint(condition))
        if whole and (after in _OBJECTS or (short and after not in _NOT_AFTER)):
            return frozenset((at,))
    return frozenset()
