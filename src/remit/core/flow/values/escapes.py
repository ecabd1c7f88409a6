# SPDX-License-Identifier: Apache-2.0
"""The possible readings at a position of a text: the literal byte, or the meaning of an escape that begins
there.

The encoding of the text is unknown. So each escape of JSON and JavaScript (a backslash, `u` and `002B`), HTML
(`&#43;`), URLs (`%2B`) and mail (`=2B`) is one reading, also where escapes are nested, and the literal byte
is another.
"""

from __future__ import annotations

import re
from html.entities import html5
from typing import Final

#: Nested escapes: JSON in JSON in a page.
MAX_DEPTH: Final = 3
LEADS: Final = frozenset(b"\\%&=")
_BYTES_OF_LEADS: Final = frozenset(bytes((one,)) for one in LEADS)
SIGNS: Final = {
    # Markdown, Ruby, shells, Java properties and regular expressions write a backslash before each of these.
    **{bytes((one,)): bytes((one,)) for one in b" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
}
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")
_DIGITS: Final = re.compile(rb"[0-9]+")
_OCTAL: Final = re.compile(rb"[0-7]{1,3}")
_NAME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9]{0,31}")
_MAX_DIGITS: Final = 12
#: Positions whose readings are cached. A reading goes back only over the last few.
_REMEMBERED: Final = 512
HTML_NAMES: Final = {name.encode(): text.encode() for name, text in html5.items()}


Read = tuple[bytes, int]
"""A reading at a position: its UTF-8 bytes, and the position where it ends."""


class Spellings:
    """The readings of one text.

    `short` is true if a reading reached the end of the text before its own end, since `short` was last reset;
    `steps` counts the readings.
    """

    def __init__(self, text: bytes) -> None:
        """Begin with a text."""
        self.text = text
        self.short = False
        self.steps = 0
        self._size = len(text)
        self._known: dict[tuple[int, int], list[Read]] = {}
        self._cut: set[tuple[int, int]] = set()

    def units(self, at: int, depth: int) -> list[Read]:
        """Return the possible readings at a position, with at most `depth` nested escapes."""
        if at >= self._size:
            self.short = True
            return []
        lead = self.text[at]
        if lead not in LEADS:
            return [(self.text[at : at + 1], at + 1)]
        key = (at, depth)
        known = self._known.get(key)
        if known is None:
            before, self.short = self.short, False
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
                self._cut.clear()
            known = [(self.text[at : at + 1], at + 1)]
            fresh = known
            for _ in range(depth):
                found = dict.fromkeys(read for one in fresh for read in self._escapes(*one, depth - 1))
                known += (fresh := [one for one in found if one not in known])
            self._known[key] = known
            if self.short:
                self._cut.add(key)
            self.short = before
        self.short = self.short or key in self._cut
        return known

    def _escapes(self, lead: bytes, at: int, depth: int) -> list[Read]:
        """Return the readings of an escape whose lead ends at `at`."""
        if lead not in _BYTES_OF_LEADS:
            return []
        self.steps += 1
        if lead == b"%":
            return self._percent(at, depth)
        if lead == b"&":
            return self._reference(at, depth)
        if lead == b"\\":
            return self._backslash(at, depth)
        return [(bytes((code,)), end) for code, end in self._hex(at, 2)]

    def _percent(self, at: int, depth: int) -> list[Read]:
        """Read an escape of RFC 3986 section 2.1, or of the old function `escape` (ECMAScript B.2.1.1)."""
        if self.text[at : at + 1] in (b"u", b"U"):
            return self._unicode(at + 1, depth, b"%")
        out: list[Read] = []
        for code, end in self._hex(at, 2):
            out.append((bytes((code,)), end))
            if code > 0x7F:
                out.append((_utf8(code), end))
        return out

    def _backslash(self, at: int, depth: int) -> list[Read]:
        """Read an escape of RFC 8259 section 7, or a further one of JavaScript, Python, Ruby or C."""
        out: list[Read] = []
        for char, end in self.units(at, depth):
            if char in SIGNS:
                out.append((SIGNS[char], end))
            elif char == b"u":
                out += self._unicode(end, depth, b"\\")
            elif char == b"x":
                out += [(_utf8(code), after) for code, after in self._hex(end, 2)]
            elif char == b"U":
                out += [(_utf8(code), after) for code, after in self._hex(end, 8)]
            elif octal := _OCTAL.match(self.text, at):
                self.short = self.short or octal.end() == self._size
                out.append((_utf8(int(octal[0], 8)), octal.end()))
        return out

    def _unicode(self, at: int, depth: int, lead: bytes) -> list[Read]:
        """Read a UTF-16 unit of four digits, a surrogate pair, or a code point in braces."""
        if self.text[at : at + 1] == b"{":
            digits = self._of(_HEX, at + 1)
            closed = at + 1 + len(digits)
            self.short = self.short or closed >= self._size
            if digits and self.text[closed : closed + 1] == b"}":
                return [(_utf8(int(digits, 16)), closed + 1)]
            return []
        out: list[Read] = []
        for code, end in self._hex(at, 4):
            if not 0xD800 <= code < 0xDC00:
                out.append((_utf8(code), end))
                continue
            for again, place in self.units(end, depth):
                for char, after in self.units(place, depth) if again == lead else ():
                    for low, close in self._hex(after, 4) if char == b"u" else ():
                        if 0xDC00 <= low < 0xE000:
                            out.append((_utf8(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), close))
        return out

    def _reference(self, at: int, depth: int) -> list[Read]:
        """Read a character reference of HTML; its semicolon may be absent (section 13.2.5.72)."""
        out: list[Read] = []
        for sign, place in self.units(at, depth):
            if sign != b"#":
                continue
            digits, base, start = self._of(_DIGITS, place), 10, place
            if self.text[place : place + 1] in (b"x", b"X"):
                digits, base, start = self._of(_HEX, place + 1), 16, place + 1
            # Without a semicolon, each shorter number is possible, because the next character may be a
            # letter.
            for size in range(1, len(digits) + 1):
                out += self._ended(
                    _utf8(int(digits[:size], base)), start + size, depth, whole=size == len(digits)
                )
        name = self._of(_NAME, at)
        if name + b";" in HTML_NAMES:
            out += self._ended(HTML_NAMES[name + b";"], at + len(name), depth, whole=True)
        for size in range(2, min(len(name), 6) + 1):
            if name[:size] in HTML_NAMES:
                out.append((HTML_NAMES[name[:size]], at + size))
        return out

    def _ended(self, said: bytes, at: int, depth: int, *, whole: bool) -> list[Read]:
        out = [(said, at)]
        if whole:
            out += [(said, end) for mark, end in self.units(at, depth) if mark == b";"]
        return out

    def _of(self, kind: re.Pattern[bytes], at: int) -> bytes:
        found = kind.match(self.text, at, at + _MAX_DIGITS if kind is not _NAME else self._size)
        if at >= self._size or (found is not None and found.end() == self._size):
            self.short = True
        return found[0] if found is not None else b""

    def _hex(self, at: int, size: int) -> list[tuple[int, int]]:
        digits = self.text[at : at + size]
        if len(digits) < size:
            self.short = self.short or not digits or _HEX.fullmatch(digits) is not None
            return []
        return [(int(digits, 16), at + size)] if _HEX.fullmatch(digits) else []


def _utf8(code: int) -> bytes:
    """Return a character in UTF-8; an invalid code becomes bytes that no secret contains."""
    return chr(code).encode("utf-8", "replace") if code < 0x110000 else b"\xff\xff"
