# SPDX-License-Identifier: Apache-2.0
"""Makes untrusted text safe to show: characters that would move the cursor, recolour the screen or reorder
the line, or cannot be seen, are written out.
"""

from __future__ import annotations

import re
import unicodedata

#: Control, format (bidirectional overrides, zero-width), surrogate, private and unassigned characters, and
#: separators that break a line.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Letters and marks without a shape (Unicode `Default_Ignorable_Code_Point`), and the empty Braille pattern.
#: The two variation selectors of emoji stay: without them common text would be unreadable.
_SHAPELESS = frozenset(
    map(
        chr,
        (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0,
         *range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0)),
    )
)  # fmt: skip
_MARKS = frozenset({"Mn", "Me"})
#: Marks above and below one letter; no language needs more, and a pile of them covers other lines.
_PILED = 4
_UNUSUAL = re.compile(r"[^ -~\n]")


def legible(text: str) -> bool:
    """Return whether a person can read anything in a text: a letter or a digit that has a shape."""
    return any(
        unicodedata.category(character)[0] in "LN" and character not in _SHAPELESS for character in text
    )


def plain(text: object, *, lines: bool = False) -> str:
    """Return a text in which an escape with the code point replaces every hidden character, and each mark
    that is piled on too many others.

    With `lines`, newlines and tabs stay.
    """
    text = str(text)
    kept = "\n\t" if lines else ""
    if text.isascii() and text.translate(dict.fromkeys(map(ord, kept))).isprintable():
        return text
    out: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        hidden = category in _HIDDEN or character in _SHAPELESS or marks > _PILED
        out.append(f"\\u{{{ord(character):x}}}" if hidden and character not in kept else character)
    return "".join(out)


def escaped(json: str, *, yaml: bool = False) -> str:
    """Return an equivalent JSON text whose strings contain no hidden character.

    JSON itself demands that only of the first 32 characters. With `yaml` the text is also valid YAML, which
    writes characters beyond the first plane differently.
    """
    return _UNUSUAL.sub(lambda found: _shown(found[0], yaml), json)


def _shown(character: str, yaml: bool) -> str:
    hidden = unicodedata.category(character) in _HIDDEN or character in _SHAPELESS
    return _escape(ord(character), yaml) if hidden else character


def _escape(point: int, yaml: bool) -> str:
    if point < 0x10000:
        return f"\\u{point:04x}"
    if yaml:
        return f"\\U{point:08x}"
    high, low = divmod(point - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
