# SPDX-License-Identifier: Apache-2.0
"""Instructions to a model in the text of a tool, that are no description of the tool.

Each sign has a weight. One sign that is common in ordinary descriptions ("call this tool first", "do not show
the JSON to the user") is never enough: what makes a text poisoned is that it asks for what is not the tool's
(secrets, the conversation, other tools' calls) and tells where to put it, or to be silent about it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from remit.core.discovery.servers.meaning_forms import CONSENT, FORMS, PARAMETER_FORMS, Forms, SignKind
from remit.core.discovery.servers.meanings import read
from remit.core.discovery.servers.tool_text import (
    MAX_TEXT,
    comments_in,
    encoded_in,
    folded,
    hidden_in,
    unjoined,
    unleeted,
)
from remit.core.discovery.servers.word_meanings import Meaning

#: The sum of weights, of two different signs, from which a text is poisoned.
ENOUGH: Final = 3
_DEPTH: Final = 2
_EXCERPT: Final = 140
#: Words within which signs belong together.
_NEAR: Final = 30
_WITH_CONSENT: Final = frozenset({SignKind.CONVERSATION, SignKind.SECRET, SignKind.SENDING})


class Sign(NamedTuple):
    """A sign, its weight, and the words that show it."""

    kind: SignKind
    weight: int
    excerpt: str


class _Hit(NamedTuple):
    start: int
    end: int
    kind: SignKind
    weight: int


def signs_in(text: str, *, parameter: bool = False) -> list[Sign]:
    """Return the signs in a text; `parameter` says that it describes a parameter."""
    text = text[:MAX_TEXT]
    found = [Sign(SignKind.HIDDEN, ENOUGH, f"{one.what}: {one.text}"[:_EXCERPT]) for one in hidden_in(text)]
    return [*found, *_signs(text, parameter, 0)]


def _signs(text: str, parameter: bool, depth: int) -> Iterator[Sign]:
    plain = folded(text)
    yield from _plain_signs(plain, parameter)
    turned = unleeted(unjoined(plain))
    if turned != plain:
        yield from (one for one in _plain_signs(turned, parameter) if one.weight >= 2)
    if depth >= _DEPTH:
        return
    for inner in comments_in(text):
        yield from _inner(inner, "a comment", parameter, depth)
    for inner in encoded_in(text):
        yield from _inner(inner, "encoded text", parameter, depth)


def _inner(text: str, what: str, parameter: bool, depth: int) -> Iterator[Sign]:
    """A sign inside a text that is not shown counts for more: ordinary descriptions have none there."""
    found = list(_signs(text, parameter, depth + 1))
    if found:
        yield Sign(SignKind.HIDDEN, 2, f"{what}: {folded(text)}"[:_EXCERPT])
        yield from found


def _plain_signs(plain: str, parameter: bool) -> Iterator[Sign]:
    """Yield the signs of that part of a text which has the most: an instruction takes few sentences."""
    meant = read(plain)
    hits = sorted(_hits(meant.units, (*FORMS, *PARAMETER_FORMS) if parameter else FORMS))
    best: dict[SignKind, _Hit] = {}
    starts = [one.start for one in hits]
    last = -1
    for anchor in hits:
        if anchor.weight < 2 or anchor.start == last:
            continue
        last = anchor.start
        near: dict[SignKind, _Hit] = {}
        for one in hits[bisect_left(starts, last - _NEAR) : bisect_right(starts, last + _NEAR)]:
            known = near.get(one.kind)
            if known is None or one.weight > known.weight:
                near[one.kind] = one
        if sum(one.weight for one in near.values()) > sum(one.weight for one in best.values()):
            best = near
    for one in best.values():
        shown = plain[meant.spans[one.start][0] : meant.spans[one.end][1]]
        yield Sign(one.kind, one.weight, shown[:_EXCERPT])


def _hits(units: str, forms: Forms) -> Iterator[_Hit]:
    # What the first sentence speaks of is the tool's own: who summarizes talks has to be given them.
    own = Meaning.TALK.value in units.partition(Meaning.END.value)[0]
    asked_first = [found.start() // 2 for found in CONSENT.finditer(units)]
    for kind, weight, form in forms:
        for found in form.finditer(units):
            start, end = found.start() // 2, (found.end() - 1) // 2
            weak = kind in _WITH_CONSENT and any(start <= one <= end + 8 for one in asked_first)
            weak = weak or (own and kind is SignKind.CONVERSATION and weight == 2)
            yield _Hit(start, end, kind, 1 if weak else weight)


def weight_of(signs: list[Sign]) -> int:
    """Return the sum of the heaviest sign of each kind."""
    best: dict[SignKind, int] = {}
    for one in signs:
        best[one.kind] = max(best.get(one.kind, 0), one.weight)
    return sum(best.values())


def is_poisoned(signs: list[Sign]) -> bool:
    """Return whether signs make a text poisoned: enough weight, and one heavy sign."""
    heavy = [one for one in signs if one.weight >= 2]
    return weight_of(signs) >= ENOUGH and bool(heavy)
