# SPDX-License-Identifier: Apache-2.0
"""Words of sources to which the intent hands over: what somebody else wrote is to be done."""

from __future__ import annotations

from collections.abc import Iterable

from remit.core.flow.language.words import different_words, stems_in

MAX_WORDS = 20_000
"""Words that a task remembers; what is beyond points to nothing."""
MAX_CHARS = 200_000
"""Characters of one result that are read for them, and of one text in it:"""
MAX_TEXT_CHARS = 20_000
WORD_BYTES = 150


class DelegatedWords:
    """The stems of those words, in all results of one task."""

    def __init__(self) -> None:
        """Begin with none."""
        self.words: set[str] = set()
        # As they were written: most words of a text have stood in another one.
        self._written: set[str] = set()

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return (len(self.words) + len(self._written)) * WORD_BYTES

    def hear(self, texts: Iterable[str]) -> None:
        """Take in what one result says."""
        left = MAX_CHARS
        for text in texts:
            if left <= 0 or len(self._written) >= MAX_WORDS:
                return
            heard = text[: min(left, MAX_TEXT_CHARS)]
            new = different_words(heard) - self._written
            self._written |= new
            self.words.update(stems_in(new))
            left -= len(heard)
