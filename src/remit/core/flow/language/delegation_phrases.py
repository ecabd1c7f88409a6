# SPDX-License-Identifier: Apache-2.0
"""Delegation phrases: whether the words leave the task's instructions to another person's text.

Example: `do what she asks for`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from remit.core.flow.language.word_forms import stem, words_of


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


_CARRY_OUT = _stems("do follow execute perform complete carry implement handle action act")
_WRITTEN_WORK = _stems("action instruction todo step request direction procedure checklist")
_SAYING = _stems(
    "say ask request want write wrote written tell told describe require need wish suggest propose recommend "
    "instruct explain demand prescribe order"
)
_WANTING = _stems("ask request want require need wish demand")
#: Before `what`, with verbs of carrying out: `change the address as he wishes`.
_LIKE = frozenset(("as", "like"))
_WHAT = frozenset(("what", "whatever", "everything", "anything"))
_MYSELF = frozenset(("i", "we", "you", "i've", "we've", "i'd", "we'd"))
_FAR = 5
"""Most words from `as` or `what` to the verb that describes the other person's wish."""


_PIECES = re.compile(r"[:;,](?=\s)|\s[\u2013\u2014-]\s")


def delegating(sentences: Sequence[str]) -> Iterator[str]:
    """Yield the words of each piece of a sentence that delegates, with blanks around them.

    Where the piece alone does not delegate, the whole sentence counts. Words of the sentence before it
    follow, as the text may be named there (`Read Ann's mail. Do what it says`).
    """
    before = ""
    for sentence in sentences:
        words = words_of(sentence)
        pieces = [one for one in map(words_of, _PIECES.split(sentence)) if hands_over(one)]
        for one in pieces or ([words] if hands_over(words) else []):
            yield f" {' '.join(one)} {before} "
        before = " ".join(words)


def hands_over(words: Sequence[str]) -> bool:
    """Return whether the words of a sentence delegate to what another person wrote or wants.

    Examples: `follow the steps in ...`, `do what she asks for`, `as the handbook says`, `the door that they
    need`.
    """
    said = [{stem(part) for part in word.split("-")} for word in words]
    carried = {at for at, one in enumerate(said) if not one.isdisjoint(_CARRY_OUT)}
    work = {at for at, one in enumerate(said) if not one.isdisjoint(_WRITTEN_WORK)}
    # `actions` alone counts both as an act and as a document, but expresses no request.
    if carried and work and len(carried | work) > 1:
        return True
    for at, word in enumerate(words):
        after = words[at + 1 : at + 1 + _FAR]
        if word in _LIKE:
            found = _says(after, _SAYING)
        elif word in _WHAT:
            found = _says(after, _SAYING) and any(
                stem(one) in _CARRY_OUT for one in words[max(0, at - 2) : at]
            )
        elif word == "that":
            # In `mails that ask for it` the mails ask; in `the door that they need` another person wants
            # something.
            found = at > 0 and _says(after, _WANTING) and stem(after[0]) not in _WANTING
        else:
            continue
        if found:
            return True
    return False


def _says(after: Sequence[str], verbs: frozenset[str]) -> bool:
    """Return whether another person follows, together with one of the verbs."""
    return bool(after) and _MYSELF.isdisjoint(after[:1]) and any(stem(one) in verbs for one in after)
