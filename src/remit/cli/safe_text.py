# SPDX-License-Identifier: Apache-2.0
"""Text of others made safe to show: what would move the cursor, recolour the screen or reorder the line is
written out instead.
"""

from __future__ import annotations

import re
import unicodedata

#: Control, format (bidirectional overrides, zero-width), surrogate, private and unassigned characters, and
#: separators that break a line.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_UNUSUAL = re.compile(r"[^ -~\n]")


def plain(text: object, *, lines: bool = False) -> str:
    """Return a text in which every character that does not show itself stands as `\\u{...}`.

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


def escaped(json: str, *, yaml: bool = False) -> str:
    """Return a JSON text, which means the same, whose strings hold no character that does not show itself.

    JSON itself demands that of the first 32 alone. With `yaml` it is YAML too, which writes the characters
    beyond the first plane in another way.
    """
    return _UNUSUAL.sub(lambda found: _shown(found[0], yaml), json)


def _shown(character: str, yaml: bool) -> str:
    return _escape(ord(character), yaml) if unicodedata.category(character) in _HIDDEN else character


def _escape(point: int, yaml: bool) -> str:
    if point < 0x10000:
        return f"\\u{point:04x}"
    if yaml:
        return f"\\U{point:08x}"
    high, low = divmod(point - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
