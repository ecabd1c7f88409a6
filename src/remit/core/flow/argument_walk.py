# SPDX-License-Identifier: Apache-2.0
"""The walk over an argument in steps: each different text that it holds once, however often it holds it."""

from __future__ import annotations

from collections.abc import Iterator

from remit.core.cooperative_steps import WorkCount, weight
from remit.core.flow.argument_values import several, values_of
from remit.core.flow.values.destination import MAX_WHOLE, Destination, searching, within
from remit.core.flow.values.normal_text import size
from remit.core.json_value import Json
from remit.core.tools.tool import Tool


def is_long(text: str) -> bool:
    """Whether a text is longer, once it is folded, than one that is compared as a whole."""
    return len(text) > MAX_WHOLE or (weight(text) > MAX_WHOLE and size(text, MAX_WHOLE) > MAX_WHOLE)


def is_one(value: Json) -> bool:
    """Whether an argument is one short text: nobody need have a turn while it is read."""
    return isinstance(value, str) and not is_long(value) and next(several(value)) == value


def walk(value: Json, tool: Tool | None, name: str) -> Iterator[str | None]:
    """Yield each different value of an argument of a tool (`values_of`), and of a list of addresses each one
    (`several`); None where others may have a turn.
    """
    seen: set[str] = set()
    work = WorkCount()
    for leaf in values_of(value, tool, name):
        for text in several(leaf):
            if text not in seen:
                seen.add(text)
                yield text
            if work.over(text):
                yield None


def found_in(text: str, read: list[str] | None = None) -> Iterator[list[Destination]]:
    """Yield every destination that stands in a text: in each step those found since the one before. What is
    read in it is added to `read`, as `searching` has it.
    """
    if weight(text) <= MAX_WHOLE and read is None:
        yield list(within(text))
        return
    found: list[Destination] = []
    for _ in searching(text, found, read=read):
        yield found
        found.clear()
    yield found
