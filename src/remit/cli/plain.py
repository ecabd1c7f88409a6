# SPDX-License-Identifier: Apache-2.0
"""Text of others made safe to show: what would move the cursor, recolour the screen or reorder the line is
written out instead.
"""

from __future__ import annotations

import unicodedata

#: Control, format (bidirectional overrides, zero-width), surrogate, private and unassigned characters, and
#: separators that break a line.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def plain(text: object, *, lines: bool = False) -> str:
    """Give a text in which every character that does not show itself stands as `\\u{...}`.

    With `lines`, newlines and tabs stay.
    """
    kept = "\n\t" if lines else ""
    return "".join(
        character
        if character.isascii() and character.isprintable()
        else character
        if character in kept or unicodedata.category(character) not in _HIDDEN
        else f"\\u{{{ord(character):x}}}"
        for character in str(text)
    )
