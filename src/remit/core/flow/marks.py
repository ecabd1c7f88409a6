# SPDX-License-Identifier: Apache-2.0
"""Marks: by what values that somebody untrusted had written where they come back from a store.

A task that has read untrusted data may write what it read, or was told. What a store itself says of a record
(an id, a size, who signed in) is not made untrusted by that; what was written there is, by its value. A mark
is the interpreter's own keyed hash of a value in normal form: it is good for one process, and tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from remit.core.flow.values.destination import MAX_WHOLE, Destination, searching, whole, within

MAX_MARKED_CHARS = 32_768
"""Characters, once they are folded, of an argument in which values are looked for; with more, everything that
comes from the upstream counts as written there.
"""
MAX_MARKS = 50_000
"""Marks of one upstream; beyond, everything that comes from it counts as written there."""


def marks_of(text: str) -> Iterator[int]:
    """Return the marks of a text: of itself, and of each destination that stands in it."""
    return (mark for mark in marking(text) if mark is not None)


def marking(text: str) -> Iterator[int | None]:
    """Yield the marks of a text, and None where others may have a turn."""
    if len(text) <= MAX_WHOLE:
        if (found := whole(text)).normal:
            yield _mark(found)
        yield from map(_mark, within(text))
        return
    inside: list[Destination] = []
    for _ in searching(text, inside):
        yield from map(_mark, inside)
        inside.clear()
        yield None
    yield from map(_mark, inside)


def _mark(found: Destination) -> int:
    return hash((found.kind, found.normal))
