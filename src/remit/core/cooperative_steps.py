# SPDX-License-Identifier: Apache-2.0
"""Work in steps: a generator that pauses between short steps, and returns its result.

The driver of the steps (`services.limits.time_slices`) sets the length of a time slice, because core reads no
clock. A step covers `STEP` characters, or a few dozen small items, so that even the slowest text takes little
time per step.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

_SPACE = re.compile(r"\s")
# Characters that occur in no host name. A long word is cut before one of them, so that part of a host name is
# never found as a name itself.
_MARK = re.compile(r"[=:/?#&<>()\[\]{}\"'`|,;\\]")
Found = TypeVar("Found")
Steps = Generator[None, None, Found]

STEP = 512
"""Characters that one step processes where each character may be slow to read."""
NOWHERE = 1 << 62
"""A position beyond the end of every text."""
PIECE = 16_384
"""Characters of a long text that are prepared at a time."""
MAX_PIECE = PIECE + PIECE // 4
"""Characters of the longest piece: a text of so many is one."""
SLICE = 4_096
"""Limit of characters for a text that is processed at once, in C."""
MAX_WORD = 2_048
"""Length of a word, in characters, up to which no piece is cut inside the word."""
LAP = 4_096
"""Characters that two pieces of a longer word share (or some hundred fewer): a value that crosses a cut and
is no longer than this is complete in one of the pieces, in every encoding.
"""
EACH = 64
"""The fixed cost of looking at any text, expressed in characters."""
FREED = 1_024
"""Entries of a list or a dictionary that one step frees."""
EXPANDED = 18
"""Most characters that one character beyond ASCII becomes when it is folded."""


def finish(steps: Steps[Found]) -> Found:
    """Run all steps at once, and return their result."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found: Found = end.value
        return found


def freeing(*boxes: list[Any] | dict[Any, Any]) -> Steps[None]:
    """Empty lists and dictionaries: to free a hundred thousand objects at once takes many milliseconds."""
    for box in boxes:
        while box:
            if isinstance(box, list):
                del box[-FREED:]
            else:
                for _ in range(min(FREED, len(box))):
                    box.popitem()
            yield


def freeing_json(held: list[Any]) -> Steps[None]:
    """Free values of JSON to which only the list `held` refers; what others refer to stays as it is."""
    for at, box in enumerate(held):
        inner = box.values() if isinstance(box, dict) else box if isinstance(box, list) else ()
        held += [one for one in inner if isinstance(one, dict | list)]
        if not at % FREED:
            yield
    # A box is freed before those that stand in it.
    held.reverse()
    yield from freeing(held)


def slices(text: str, mark: str = "") -> Iterator[str]:
    """Cut a text into slices of about two steps; all but the first begin with `mark`."""
    at = 0
    while at < len(text):
        end = text.find(mark, at + 2 * STEP)
        end = len(text) if end < 0 else end
        yield text[at:end]
        at = end


def weight(text: str) -> int:
    """Return the number of characters to process in a text, after folding."""
    return len(text) if text.isascii() else EXPANDED * len(text)


class WorkCount:
    """Signals when other tasks should run: after as many characters as one step covers, across all texts."""

    def __init__(self) -> None:
        """Start a step."""
        self._gone = 0

    def over(self, text: str) -> bool:
        """Count a text; return whether it completes a step."""
        self._gone += EACH + weight(text)
        if self._gone <= 2 * STEP:
            return False
        self._gone = 0
        return True


def pieces(text: str) -> Iterator[str]:
    """Yield a long text in overlapping pieces of about `PIECE` characters.

    A piece begins a little before the previous one ended, and `LAP` characters before within a word, so that
    the pieces together hold everything that the text holds.
    """
    start = 0
    while len(text) - start > MAX_PIECE:
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
    """Yield a long text in pieces as `pieces` does, but without the words that a cut would split.

    A part of a word would be a different word. An empty piece replaces each part.
    """
    start, within = 0, False
    while start < len(text):
        rest = len(text) - start <= size + size // 4
        end = len(text) if rest else _between_words(text, start, size)
        if within:
            # The rest of a long word, up to its end.
            blank = _SPACE.search(text, start, start + size)
            start, within = (blank.start(), False) if blank else (start + size, True)
            yield ""
        elif end > 0:
            yield text[start:end]
            start = end if rest else _begin(text, start, end, size)
        else:
            # A word that continues at `start + size` is too long; the text before it is yielded.
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
    """Return the start of the piece that follows the one from `start` to `end`."""
    # An account number has at most 34 characters with possible blanks between them, and may begin within a
    # word.
    back = max(start + 1, end - 80)
    begin = _last_blank(text, max(start + 1, back - size // 8), back)
    begin = text.find(" ", back, end) if begin < 0 else begin
    return end if begin < 0 else begin


def _last_blank(text: str, start: int, end: int) -> int:
    return max(text.rfind(" ", start, end), text.rfind("\n", start, end))


class Ahead:
    """The position of the next match of a pattern in a text, searched once for all positions before it.

    INVARIANT: for non-decreasing positions, the text is searched only once in total.
    """

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        """Start before the text."""
        self._pattern = pattern
        self._text = text
        self._found = (-1, -1)

    def after(self, at: int) -> tuple[int, int]:
        """Return start and end of the first match from `at` on; `NOWHERE` for both where there is none."""
        if self._found[0] < at:
            found = self._pattern.search(self._text, at)
            self._found = found.span() if found else (NOWHERE, NOWHERE)
        return self._found
