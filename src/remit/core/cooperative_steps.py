# SPDX-License-Identifier: Apache-2.0
"""Work in steps: a generator that pauses between short steps, and returns what it has found.

How long a turn takes is said by whoever drives the steps (`services.limits.time_slices`): core reads no
clock. A step goes over `STEP` characters, or a few dozen small things, so that also the slowest of texts
takes it little time.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import TypeVar

_SPACE = re.compile(r"\s")
# Marks that stand in no name of a host. A long word is cut before one of them: no part of a name is found as
# a name of its own.
_MARK = re.compile(r"[=:/?#&<>()\[\]{}\"'`|,;\\]")
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
MAX_WORD = 2_048
"""Characters of a word that no piece ends in."""
LAP = 4_096
"""Characters that two pieces of a longer word have in common, or some hundred fewer: what stands across a cut
stands whole in one of them, in whatever encodings, if it is no longer.
"""
EACH = 64
"""Characters that take as long as it takes to look at a text at all."""
EXPANDED = 18
"""Characters that one character beyond ASCII has at most when it is folded."""


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


def weight(text: str) -> int:
    """Return how many characters there are to go over in a text, once it is folded."""
    return len(text) if text.isascii() else EXPANDED * len(text)


class WorkCount:
    """Says when others may have a turn: after so many characters as a step goes over, in whatever texts."""

    def __init__(self) -> None:
        """Begin a step."""
        self._gone = 0

    def over(self, text: str) -> bool:
        """Count a text; say whether a step is over with it."""
        self._gone += EACH + weight(text)
        if self._gone <= 2 * STEP:
            return False
        self._gone = 0
        return True


def pieces(text: str) -> Iterator[str]:
    """Yield a long text in pieces of about `PIECE` characters. What stands in the text stands in them: a
    piece begins a little before the last one ended, and `LAP` before within a word.
    """
    start = 0
    while len(text) - start > PIECE + PIECE // 4:
        end = _between_words(text, start, PIECE)
        if end > 0:
            yield text[start:end]
            start = _begin(text, start, end, PIECE)
            continue
        end = start + PIECE
        mark = _MARK.search(text[end - LAP // 4 : end][::-1])
        end -= mark.end() if mark else 0
        yield text[start:end]
        mark = _MARK.search(text, end - LAP, end - LAP + LAP // 8)
        start = mark.start() if mark else end - LAP
    if start < len(text):
        yield text[start:]


def whole_words(text: str, size: int) -> Iterator[str]:
    """Yield a long text in pieces as `pieces` does, but without the words that it cuts: a part of a word is
    another word. An empty piece stands for each part of them.
    """
    start, within = 0, False
    while start < len(text):
        rest = len(text) - start <= size + size // 4
        end = len(text) if rest else _between_words(text, start, size)
        if within:
            # What is left of a long word, to where it ends.
            blank = _SPACE.search(text, start, start + size)
            start, within = (blank.start(), False) if blank else (start + size, True)
            yield ""
        elif end > 0:
            yield text[start:end]
            start = end if rest else _begin(text, start, end, size)
        else:
            # A word is too long that goes on at `start + size`; what stands before it is read.
            end = _last_blank(text, start, start + size)
            yield text[start : max(start, end)]
            start, within = start + size, True


def _between_words(text: str, start: int, size: int) -> int:
    """Return where a piece that begins at `start` can end between words; -1 where one word is too long."""
    end = _last_blank(text, start + size // 2, start + size)
    if end < 0 and (blank := _SPACE.search(text, start + size, start + size + MAX_WORD)):
        end = blank.start()
    return end


def _begin(text: str, start: int, end: int, size: int) -> int:
    """Return where the piece after one from `start` to `end` begins."""
    # An account number has at most 34 characters, a blank between any two of them, and it may begin
    # within a word.
    back = max(start + 1, end - 80)
    begin = _last_blank(text, max(start + 1, back - size // 8), back)
    begin = text.find(" ", back, end) if begin < 0 else begin
    return end if begin < 0 else begin


def _last_blank(text: str, start: int, end: int) -> int:
    return max(text.rfind(" ", start, end), text.rfind("\n", start, end))


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
        """Return start and end of the first match from `at` on; far behind the text where there is none."""
        if self._found[0] < at:
            found = self._pattern.search(self._text, at)
            self._found = found.span() if found else (NOWHERE, NOWHERE)
        return self._found
