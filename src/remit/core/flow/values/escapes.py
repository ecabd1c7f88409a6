# SPDX-License-Identifier: Apache-2.0
"""What may be read at a place of a text: the byte that is there, or what an escape that begins there says.

Nobody knows how a text is encoded, so each escape of JSON and JavaScript (`\\u002B`), of HTML (`&#43;`), of
addresses (`%2B`) and of mail (`=2B`) is one reading, escapes within escapes too, beside that of the byte as
it is.
"""

from __future__ import annotations

import re
from html.entities import html5
from typing import Final

#: Escapes within escapes: JSON in JSON in a page.
MAX_DEPTH: Final = 3
LEADS: Final = frozenset(b"\\%&=")
_BYTES_OF_LEADS: Final = frozenset(bytes((one,)) for one in LEADS)
SIGNS: Final = {
    # Markdown, Ruby, shells, properties of Java and expressions write a backslash before any of them.
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
#: Places whose readings are remembered. A reading goes back over no more than the last few.
_REMEMBERED: Final = 512
HTML_NAMES: Final = {name.encode(): text.encode() for name, text in html5.items()}


Read = tuple[bytes, int]
"""What is read at a place, as UTF-8, and where that ends."""


class Spellings:
    """The readings of one text. `short` says whether one came to the end of the text before its own, since it
    was last set; `steps` counts what was read.
    """

    def __init__(self, text: bytes) -> None:
        """Take a text."""
        self.text = text
        self.short = False
        self.steps = 0
        self._size = len(text)
        self._known: dict[tuple[int, int], list[Read]] = {}
        self._cut: set[tuple[int, int]] = set()

    def units(self, at: int, depth: int) -> list[Read]:
        """Return what may be read here, with at most `depth` escapes within each other."""
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
        """Return what an escape says whose lead was read up to here."""
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
        """RFC 3986 section 2.1, and what `escape` of old scripts writes (ECMAScript B.2.1.1)."""
        if self.text[at : at + 1] in (b"u", b"U"):
            return self._unicode(at + 1, depth, b"%")
        out: list[Read] = []
        for code, end in self._hex(at, 2):
            out.append((bytes((code,)), end))
            if code > 0x7F:
                out.append((_utf8(code), end))
        return out

    def _backslash(self, at: int, depth: int) -> list[Read]:
        """RFC 8259 section 7, and what JavaScript, Python, Ruby and C write besides."""
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
        """Four digits of a unit of UTF-16, a pair of them, or a code point in braces."""
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
        """A character reference of HTML; its semicolon may be left out (section 13.2.5.72)."""
        out: list[Read] = []
        for sign, place in self.units(at, depth):
            if sign != b"#":
                continue
            digits, base, start = self._of(_DIGITS, place), 10, place
            if self.text[place : place + 1] in (b"x", b"X"):
                digits, base, start = self._of(_HEX, place + 1), 16, place + 1
            # Without a semicolon each shorter number may be meant, as what follows may be a letter.
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
    """Return a character as it is sent; what is none reads as nothing that a secret holds."""
    return chr(code).encode("utf-8", "replace") if code < 0x110000 else b"\xff\xff"
