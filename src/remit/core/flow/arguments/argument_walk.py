# SPDX-License-Identifier: Apache-2.0
"""The walk over an argument in steps. It yields each distinct text of the argument once."""

from __future__ import annotations

from collections.abc import Iterator

from remit.core.cooperative_steps import WorkCount, weight
from remit.core.flow.arguments.argument_values import several, values_of
from remit.core.flow.values.destination import MAX_WHOLE, Destination, searching, within
from remit.core.flow.values.normal_text import size
from remit.core.json_value import Json
from remit.core.tools.tool import Tool


def is_long(text: str) -> bool:
    """Return whether a text, once folded, is longer than the texts that are compared as a whole."""
    return len(text) > MAX_WHOLE or (weight(text) > MAX_WHOLE and size(text, MAX_WHOLE) > MAX_WHOLE)


def is_one(value: Json) -> bool:
    """Return whether an argument is one short text, so that reading it needs no pause for other tasks."""
    return isinstance(value, str) and not is_long(value) and next(several(value)) == value


def walk(value: Json, tool: Tool | None, name: str) -> Iterator[str | None]:
    """Yield each distinct value of an argument of a tool.

    Values are those of `values_of`; of an address list, each address is yielded (`several`). Yields None
    where other tasks may run.
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
    """Yield every destination that a text holds: in each step those found since the step before.

    The texts that are read in it are added to `read`, as `searching` describes.
    """
    if weight(text) <= MAX_WHOLE and read is None:
        yield list(within(text))
        return
    found: list[Destination] = []
    for _ in searching(text, found, read=read):
        yield found
        found.clear()
    yield found
