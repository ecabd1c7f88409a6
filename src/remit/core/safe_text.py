# SPDX-License-Identifier: Apache-2.0
"""Makes untrusted text safe to show: characters that would move the cursor, recolour the screen or reorder
the line are written out.
"""

from __future__ import annotations

import re
import unicodedata

#: Control, format (bidirectional overrides, zero-width), surrogate, private and unassigned characters, and
#: separators that break a line.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_UNUSUAL = re.compile(r"[^ -~\n]")


def plain(text: object, *, lines: bool = False) -> str:
    """Return a text in which an escape with the code point replaces every hidden character.

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
    """Return an equivalent JSON text whose strings contain no hidden character.

    JSON itself demands that only of the first 32 characters. With `yaml` the text is also valid YAML, which
    writes characters beyond the first plane differently.
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
