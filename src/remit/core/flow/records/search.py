# SPDX-License-Identifier: Apache-2.0
"""Searches: what the words of a search prove about the records that it finds.

A search by words alone finds what others have written. It names a record only where a field that outsiders
do not write holds the searched words, or where the person named a container and searched it for nothing else.

A title that outsiders write only *hints* at its record. A hint makes no value reached and points to no
source. It has two consequences. An id in a trusted field stays trusted although untrusted text repeats it, so
a person is asked about that id. And where the words ask for a change of one thing, a record without any word
of the intent in its titles is not meant beside one with such a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from remit.core.flow.language.word_forms import name_stems, stems, stems_in

#: Words in names of arguments that denote a container of records.
_CONTAINERS = stems(
    "folder mailbox inbox repository repo project channel board calendar space workspace group "
    "directory drive album notebook collection"
)
#: Names of fields that hold a record's title.
_TITLES = frozenset(("name", "title", "subject", "label"))


def is_container(argument: str) -> bool:
    """Return whether an argument limits a search to a container, by the argument's name."""
    return not name_stems(argument).isdisjoint(_CONTAINERS)


def is_title(field: str) -> bool:
    """Return whether a field of this name holds the title of its record."""
    return field.lower() in _TITLES


def witnessed(
    asked: Iterable[str], said: AbstractSet[str], generic: AbstractSet[str], held: Mapping[str, set[int]]
) -> frozenset[int]:
    """Return the records whose trusted fields hold all words of a search.

    It is empty where the person did not say these words. `asked` are the searched texts, `said` the stems of
    the person's words, `generic` stems that name no single record, and `held` the records by the stems in
    their trusted fields.
    """
    wanted = stems_in(word for one in asked for word in one.split()) - generic
    if not wanted or not wanted <= said:
        return frozenset()
    return frozenset.intersection(*(frozenset(held.get(one, ())) for one in wanted))


def by_item(titles: Mapping[str, set[int]], above: Sequence[int]) -> dict[str, set[int]]:
    """Return the items of a result by the words in their titles, or in titles of what they hold.

    An item is a record directly below the whole result: an order, with its lines.
    """
    return {word: {_path(one, above)[-1] for one in records} for word, records in titles.items()}


def hinted(item: int, titles: Mapping[str, set[int]], above: Sequence[int]) -> set[int]:
    """Return an item, the records in it whose titles hold words of the intent, and the records between."""
    paths = (_path(one, above) for records in titles.values() for one in records)
    return {one for path in paths if path[-1] == item for one in path}


def with_titles(titles: Mapping[str, set[int]], above: Sequence[int]) -> set[int]:
    """Return all records of the items with words of the intent in their titles, or in titles of what they
    hold.
    """
    items = {_path(one, above)[-1] for records in titles.values() for one in records}
    return {one for one in range(len(above)) if _path(one, above)[-1] in items}


def _path(record: int, above: Sequence[int]) -> list[int]:
    """Return a record and the records around it, up to its item."""
    out = [record]
    while above[out[-1]] not in (0, out[-1]):
        out.append(above[out[-1]])
    return out
