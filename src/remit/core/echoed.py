# SPDX-License-Identifier: Apache-2.0
"""A secret in each way in which those who were sent it write it back.

A server that echoes what it was sent encodes it as its library does: PHP writes `\\/`, .NET `\\u002B`, Go
`\\u0026`, Ruby `&#39;`, and each may put one of them into another, in base64 by lines of 76, or in
hexadecimal. So no list of spellings is searched for. What a byte of the text, or an escape that begins there,
stands for is read, and each letter of the secret may be written in any way that reads as that letter. What
stands before it does not matter, and neither does where a text is cut.

The search is linear: a place is read only where the first letters of a secret stand in some spelling, and as
far as they go on to be its letters.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import re2

from remit.core.escape import HTML_NAMES, LEADS, MAX_DEPTH, SIGNS, Spellings

#: What is shorter is met by chance in any text.
MIN_SECRET: Final = 6
#: Letters in whose spellings the places to be read are found.
_FIRST: Final = 4
#: Bytes of the longest spelling of a letter that the expression finds, an end of line before it included.
_WIDEST: Final = 40

_PLUS, _BLANK, _LINE = b"+ \n"
_MAY_END: Final = LEADS | frozenset(b"\r\n")
_DATA: Final = b"data: "
_INDENT: Final = re.compile(rb"[ \t]*(?:data: ?)?")
_TO_BASE64: Final = bytes.maketrans(b"-_", b"+/")
_TO_HEX: Final = bytes.maketrans(b"ABCDEF", b"abcdef")
_AS_IT_IS: Final = bytes(range(256))
#: The same by what they stand for: how an escape of it ends.
_NAMED: Final[dict[bytes, list[bytes]]] = {}
for _name, _said in HTML_NAMES.items():
    _NAMED.setdefault(_said, []).append(_name.removesuffix(b";"))
_SIGNS: Final = {said: sign for sign, said in SIGNS.items()}
#: What may stand between two letters where lines end between them.
_BREAK: Final = rb"(?:[\r\n\\%&][\r\n\\%&#;{}0-9A-Za-z \t:]{0,24})?"


class _Form(msgspec.Struct, frozen=True):
    """Letters to be found, once what is read has gone through `table`; with `wrapped` lines may end between
    them.
    """

    letters: bytes
    table: bytes
    wrapped: bool


class Echoes:
    """Finds secrets in a text. Holds no state of a text; `steps` counts what was read, for tests."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        """Take secrets; those that are met by chance are left out."""
        self._forms = [form for one in secrets if len(one) >= MIN_SECRET for form in _forms_of(one)]
        self._begins = _begins(self._forms) if self._forms else None
        self._by_first = [
            [
                form
                for form in self._forms
                if form.letters[0] in (form.table[one], 0x20 if one == 0x2B else -1)
            ]
            for one in range(256)
        ]
        self.steps = 0

    def replaced(self, text: bytes, by: bytes, *, last: bool) -> tuple[bytes, bytes]:
        """Give a text with each secret replaced, and what of its end may be the beginning of one (nothing
        where the text is the `last`). Without a secret the text is the very same object.
        """
        if self._begins is None:
            return text, b""
        reader = _Reader(text)
        out: list[bytes] = []
        done, held = 0, len(text)
        found = self._begins.search(text)
        while found is not None:
            at = found.start()
            end, more = self._longest(reader, at)
            if more and not last:
                held = at
                break
            if end:
                out += [text[done:at], by]
                done = end
            found = self._begins.search(text, end or at + 1)
        if not last:
            # A spelling that is cut has not its first letters yet.
            for at in range(max(done, len(text) - _FIRST * _WIDEST), held):
                if (text[at] in LEADS or self._by_first[text[at]]) and self._longest(reader, at)[1]:
                    held = at
                    break
        self.steps += reader.steps
        if not out and held == len(text):
            return text, b""
        out.append(text[done:held])
        return b"".join(out), text[held:]

    def _longest(self, reader: _Reader, at: int) -> tuple[int, bool]:
        """Give where the longest secret here ends (0 for none), and whether one may go beyond the end."""
        best, beyond = 0, False
        first = reader.text[at]
        for form in self._forms if first in LEADS else self._by_first[first]:
            end, more = reader.match(form, at)
            best, beyond = max(best, end), beyond or more
        return best, beyond


class _Reader(Spellings):
    """Follows the letters of a form through one text."""

    def match(self, form: _Form, at: int) -> tuple[int, bool]:
        """Give where a form ends that begins here (0 for none), and whether one may go beyond the end."""
        text, letters, table = self.text, form.letters, form.table
        size, most = len(text), len(letters)
        best, beyond = 0, False
        seen: set[tuple[int, int, bool]] = set()
        states = [(0, at, False)]
        while states:
            number, place, broken = states.pop()
            # Most of a text is what it is: there only one reading is to be followed.
            while number < most and place < size and (byte := text[place]) not in _MAY_END:
                self.steps += 1
                if table[byte] != letters[number] and (byte != _PLUS or letters[number] != _BLANK):
                    break
                number, place, broken = number + 1, place + 1, False
            if number == most:
                best = max(best, place)
            elif place == size:
                beyond = True
            elif text[place] in _MAY_END and (state := (number, place, broken)) not in seen:
                seen.add(state)
                states += self._after(form, *state)
                beyond = beyond or self.short
        return best, beyond

    def _after(self, form: _Form, number: int, place: int, broken: bool) -> list[tuple[int, int, bool]]:
        """Give how it goes on where an escape or an end of a line may be."""
        self.steps += 1
        self.short = False
        out: list[tuple[int, int, bool]] = []
        for said, end in self.units(place, MAX_DEPTH):
            if form.letters.startswith(said.translate(form.table), number):
                out.append((number + len(said), end, False))
            elif said == b"+" and form.letters[number] == _BLANK:
                out.append((number + 1, end, False))
        if number and not broken and form.wrapped:
            out += [(number, end, True) for end in self._line_ends(place)]
        elif number and form.letters[number] == _LINE:
            out += [(number + 1, end, False) for end in self._line_ends(place)]
        return out

    def _line_ends(self, at: int) -> set[int]:
        """Give where a line that ends here goes on: after its end, and what a stream of events puts before
        the next one.
        """
        found: set[int] = set()
        for said, end in self.units(at, MAX_DEPTH):
            if said not in (b"\r", b"\n"):
                continue
            found.add(end)
            if said == b"\r":
                found |= {after for more, after in self.units(end, MAX_DEPTH) if more == b"\n"}
        for end in tuple(found):
            indent = _INDENT.match(self.text, end)
            assert indent is not None
            found.add(indent.end())
            left = self.text[indent.end() : indent.end() + len(_DATA)]
            self.short = self.short or (len(left) < len(_DATA) and _DATA.startswith(left))
        return found


def _forms_of(secret: str) -> list[_Form]:
    plain = secret.encode("utf-8", "surrogatepass")
    out = [_Form(plain, _AS_IT_IS, wrapped=False), _Form(plain.hex().encode(), _TO_HEX, wrapped=True)]
    for skipped in range(3):
        # Whole groups of three bytes are written alike wherever the text begins.
        whole = plain[skipped : skipped + (len(plain) - skipped) // 3 * 3]
        if len(whole) >= MIN_SECRET:
            out.append(_Form(base64.b64encode(whole), _TO_BASE64, wrapped=True))
    return out


def _begins(forms: list[_Form]) -> re2._Regexp:
    """Give the expression that finds each place where one of the forms may begin, and some others."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    return re2.compile(b"|".join(map(_beginning, forms)), options)


def _beginning(form: _Form) -> bytes:
    """Give an expression for the first two letters in any spelling, and for more of them that are plain."""
    # Where a letter is longer than a byte, what is cut off is found when it is read.
    letters = form.letters.decode("utf-8", "replace")[:_FIRST]
    more = b""
    for char in reversed(letters[2:]):
        more = b"(?:" + _any(_same(char, form.table)) + more + rb"|[\\%&\r\n])"
    between = _BREAK if form.wrapped else b""
    return _spelt(letters[0], form.table) + between + _spelt(letters[1], form.table) + between + more


def _same(char: str, table: bytes) -> list[bytes]:
    """Give the plain ways to write a letter."""
    raw = char.encode("utf-8", "replace")
    found = [bytes((one,)) for one in range(256) if raw == table[one : one + 1]] or [raw]
    return found + {" ": [b"+"], "\n": [b"\r"]}.get(char, [])


def _spelt(char: str, table: bytes) -> bytes:
    """Give an expression for one letter: itself, or an escape that ends with what tells it."""
    same = _same(char, table)
    told = dict.fromkeys(end for one in same for end in _told(one))
    left = b"{0,8}" if char.isascii() else b"{0,24}"
    escape = rb"[\\%&][\\%&#;{}0-9A-Za-z]{0,20}(?:" + b"|".join(told) + rb")[;}%0-9A-Za-z\\&#]" + left
    return b"(?:" + _any(same) + b"|" + escape + b")"


def _any(texts: Iterable[bytes]) -> bytes:
    return b"(?:" + b"|".join(map(re2.escape, texts)) + b")"


def _told(raw: bytes) -> Iterator[bytes]:
    """Give what an escape for a letter ends with."""
    code = ord(raw.decode("utf-8", "replace")[0])
    first = 0xD800 + ((code - 0x10000) >> 10) if code > 0xFFFF else code
    for number in (b"%x" % first, b"%x" % code, b"%02x" % raw[0]):
        yield b"(?i:" + number + b")"
    yield b"%d" % code
    yield b"%o" % code
    yield from map(re2.escape, _NAMED.get(raw, ()))
    if raw in _SIGNS:
        yield re2.escape(_SIGNS[raw])
