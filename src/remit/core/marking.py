# SPDX-License-Identifier: Apache-2.0
"""Marks: by what values that somebody untrusted had written where they come back from a store.

A task that has read untrusted data may write what it read, or was told. What a store itself says of a record
(an id, a size, who signed in) is not made untrusted by that; what was written there is, by its value. A mark
is the interpreter's own keyed hash of a value in normal form: it is good for one process, and tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from remit.core.destination import MAX_WHOLE, whole, within

MAX_MARKED_CHARS = 65_536
"""Characters of one text in which values are looked for."""
MAX_MARKS = 50_000
"""Marks of one upstream; beyond, everything that comes from it counts as written there."""


def marks_of(text: str) -> Iterator[int]:
    """Give the marks of a text: of itself, and of each destination that stands in it."""
    if len(text) <= MAX_WHOLE:
        found = whole(text)
        if found.normal:
            yield hash((found.kind, found.normal))
    for one in within(text[:MAX_MARKED_CHARS]):
        yield hash((one.kind, one.normal))
