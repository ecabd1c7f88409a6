# SPDX-License-Identifier: Apache-2.0
"""Marks: recognise values that an untrusted source had written when they come back from a store.

A task that has read untrusted data may write what it read or what that data demanded. The store's own data on
a record (an id, a size, the signed-in user) stays trusted; a written value becomes untrusted, recognised by
its mark. A mark is the interpreter's own keyed hash of a value in normal form: it is valid in one process and
reveals nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from remit.core.flow.values.destination import MAX_WHOLE, Destination, searching, whole, within

MAX_MARKED_CHARS = 32_768
"""Most folded characters of an argument in which values are searched; beyond this, everything from the
upstream counts as written there.
"""
MAX_MARKS = 50_000
"""Marks of one upstream; beyond this, everything from the upstream counts as written there."""


def marks_of(text: str) -> Iterator[int]:
    """Return the marks of a text: of the whole text, and of each destination in it."""
    return (mark for mark in marking(text) if mark is not None)


def marking(text: str) -> Iterator[int | None]:
    """Yield the marks of a text, and None where other tasks may run."""
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
