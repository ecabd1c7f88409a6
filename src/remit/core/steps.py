# SPDX-License-Identifier: Apache-2.0
"""Work in steps: a generator that pauses between short steps, and returns what it has found.

How long a turn takes is said by whoever drives the steps (`services.turns`): core reads no clock. A step goes
over `STEP` characters, or a few dozen small things, so that also the slowest of texts takes it little time.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterator
from typing import TypeVar

Found = TypeVar("Found")
Steps = Generator[None, None, Found]

STEP = 512
"""Characters that one step goes over, where each of them may be slow to read."""
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
            self._found = found.span() if found else (sys.maxsize, sys.maxsize)
        return self._found
