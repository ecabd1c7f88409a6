# SPDX-License-Identifier: Apache-2.0
"""The walk over an argument in steps: each different text that it holds once, however often it holds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from remit.core.destination import MAX_WHOLE, Destination, searching, within
from remit.core.leaf import several, values_of
from remit.core.tool import Tool

Json = Any

WALK_STEP = 16
"""Texts after which others may have a turn."""


def is_one(value: Json) -> bool:
    """Whether an argument is one short text: nobody need have a turn while it is read."""
    return isinstance(value, str) and len(value) <= MAX_WHOLE and several(value) == [value]


def walk(value: Json, tool: Tool | None = None, name: str = "") -> Iterator[str | None]:
    """Give each different value of an argument of a tool (`values_of`), and of a list of addresses each one
    (`several`); None where others may have a turn.
    """
    seen: set[str] = set()
    count = 0
    for leaf in values_of(value, tool, name):
        for text in several(leaf):
            count += 1
            if not count % WALK_STEP:
                yield None
            if text not in seen:
                seen.add(text)
                yield text


def found_in(text: str) -> Iterator[list[Destination]]:
    """Give every destination that stands in a text: in each step those found since the one before."""
    if len(text) <= MAX_WHOLE:
        yield list(within(text))
        return
    found: list[Destination] = []
    for _ in searching(text, found):
        yield found
        found.clear()
    yield found
