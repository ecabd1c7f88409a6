# SPDX-License-Identifier: Apache-2.0
"""Words of sources that the intent delegates to: text that someone else wrote is to be carried out."""

from __future__ import annotations

from collections.abc import Iterable

from remit.core.flow.language.word_forms import different_words, stems_in

MAX_WORDS = 20_000
"""Words that a task remembers; further words point to nothing."""
MAX_CHARS = 200_000
"""Characters that are read for these words, of one result and (`MAX_TEXT_CHARS`) of one text in it."""
MAX_TEXT_CHARS = 20_000
WORD_BYTES = 150


class DelegatedWords:
    """The stems of these words, over all results of one task."""

    def __init__(self) -> None:
        """Start with no arguments."""
        self.words: set[str] = set()
        # The words as written: most words of a text also occur in an earlier one.
        self._written: set[str] = set()

    @property
    def size_bytes(self) -> int:
        """Approximate memory of the stored entries."""
        return (len(self.words) + len(self._written)) * WORD_BYTES

    def hear(self, texts: Iterable[str]) -> None:
        """Add the texts of one result."""
        left = MAX_CHARS
        for text in texts:
            if left <= 0 or len(self._written) >= MAX_WORDS:
                return
            heard = text[: min(left, MAX_TEXT_CHARS)]
            new = different_words(heard) - self._written
            self._written |= new
            self.words.update(stems_in(new))
            left -= len(heard)
