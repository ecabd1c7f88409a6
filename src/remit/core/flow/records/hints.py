# SPDX-License-Identifier: Apache-2.0
"""Hints: items of a result whose title or name has words of the intent, and shares none with another item.

Outsiders write titles and names. So a hint makes nothing reached, excludes no other record, names no source
from which a call may go on, and opens no prose: a person is asked about the item. A hint leads to the fields
of the item that no outsider writes, and to the addresses in or below an object with that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from remit.core.flow.language.quantity import COLLECTIVE
from remit.core.flow.language.word_forms import stem
from remit.core.flow.records.search import by_item, hinted

MAX_HINTED = 20
"""Most items of one result that words of the intent tell apart."""
_GROUPS = frozenset(map(stem, COLLECTIVE))


class Hint(msgspec.Struct, frozen=True):
    """An item that words of the intent tell apart from the others of a result.

    `words` are the stems of these words, `said` the words themselves, `records` the records with them and
    those around these up to the item, `named` the paths of the objects whose name holds one of the words.
    """

    words: frozenset[str]
    said: frozenset[str]
    records: frozenset[int]
    named: frozenset[str]


def hints_in(
    titles: Mapping[str, set[int]],
    named: Mapping[tuple[str, int], set[str]],
    above: Sequence[int],
    spoken: Iterable[str],
) -> list[Hint]:
    """Return the items that words in titles and names tell apart; none where a result has only one.

    `titles` holds the records by the words of the intent in their titles, `named` the paths of the objects
    whose names hold a word, by word and record, and `spoken` the words of the intent.
    """
    words: dict[int, set[str]] = {}
    alike: set[int] = set()
    for word, items in by_item(titles, above).items():
        if len(items) > 1:
            alike |= items
        elif word not in _GROUPS and 0 not in items:
            words.setdefault(next(iter(items)), set()).add(word)
    words = {item: mine for item, mine in words.items() if item not in alike}
    if len(words) > MAX_HINTED:
        return []
    out = []
    forms = [(one, stem(one)) for one in spoken] if words else []
    for item, mine in words.items():
        held = {word: titles[word] for word in mine}
        records = hinted(item, held, above)
        paths = (named.get((word, record), ()) for word in mine for record in titles[word])
        said = frozenset(form for form, of in forms if of in mine)
        out.append(Hint(frozenset(mine), said, frozenset(records), frozenset().union(*paths)))
    return out
