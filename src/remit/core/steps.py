# SPDX-License-Identifier: Apache-2.0
"""Work in steps: a generator that pauses between short steps, and returns what it has found.

How long a turn takes is said by whoever drives the steps (`services.turns`): core reads no clock. A step goes
over `STEP` characters, or a few dozen small things, so that also the slowest of texts takes it little time.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import TypeVar

_SPACE = re.compile(r"\s")
Found = TypeVar("Found")
Steps = Generator[None, None, Found]

STEP = 512
"""Characters that one step goes over, where each of them may be slow to read."""
NOWHERE = 1 << 62
"""A place that is in no text."""
PIECE = 16_384
"""Characters of a long text that are prepared at a time."""
SLICE = 4_096
"""Characters of a text that is so short that it is gone over at once, in C."""


def finish(steps: Steps[Found]) -> Found:
    """Do all steps at once, and give what they have found."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found: Found = end.value
        return found


def slices(text: str, mark: str = "") -> Iterator[str]:
    """Cut a text into slices of about two steps; all but the first begin with `mark`."""
    at = 0
    while at < len(text):
        end = text.find(mark, at + 2 * STEP)
        end = len(text) if end < 0 else end
        yield text[at:end]
        at = end


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """Give a long text in pieces of about `size` characters. What stands in
    the text stands in them: a piece ends between words, and begins a little before the last one ended.
    """
    start = 0
    while len(text) - start > size + size // 4:
        end = text.rfind(" ", start + size // 2, start + size)
        end = end if end > 0 else text.rfind("\n", start + size // 2, start + size)
        if end <= 0:
            # One long word, as base64 is: to where it ends.
            blank = _SPACE.search(text, start + size)
            end = blank.start() if blank else len(text)
        yield text[start:end]
        # An account number has at most 34 characters, a blank between any two of them, and it may begin
        # within a word.
        back = max(start + 1, end - 80)
        begin = text.rfind(" ", max(start + 1, back - size // 8), back)
        begin = text.find(" ", back, end) if begin < 0 else begin
        start = end if begin < 0 else begin
    if start < len(text):
        yield text[start:]


class Ahead:
    """Where the next match of a pattern stands in a text: looked up once for all places before it.

    INVARIANT: asked of places that only go up, it goes over the text once, however often it is asked.
    """

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        """Begin before the text."""
        self._pattern = pattern
        self._text = text
        self._found = (-1, -1)

    def after(self, at: int) -> tuple[int, int]:
        """Give start and end of the first match from `at` on; far behind the text where there is none."""
        if self._found[0] < at:
            found = self._pattern.search(self._text, at)
            self._found = found.span() if found else (NOWHERE, NOWHERE)
        return self._found
