# SPDX-License-Identifier: Apache-2.0
"""A secret in each way in which those who were sent it write it back.

A server that echoes what it was sent encodes it as its library does: PHP writes `\\/`, .NET `\\u002B`, Go
`\\u0026`, Ruby `&#39;`, and each may put one of them into another, in base64 by lines of 76, or in numbers of
bytes. So no list of spellings is searched for. What a byte of the text, or an escape that begins there,
stands for is read, and each letter of the secret may be written in any way that reads as that letter. What
stands before it does not matter, and neither does where a text is cut.

The search is linear: a place is read only where the first letters of a secret stand in some spelling, and as
far as they go on to be its letters.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import msgspec
import re2

from remit.core.cooperative_steps import Steps
from remit.core.flow.values.escapes import HTML_NAMES, LEADS, MAX_DEPTH, SIGNS, Spellings

#: What is shorter is met by chance in any text.
MIN_SECRET: Final = 6
#: Letters in whose spellings the places to be read are found.
_FIRST: Final = 4
#: Bytes in which a beginning is looked for at a time, and that a beginning may take.
WINDOW_BYTES: Final = 32 * 1024
_LONGEST: Final = 1024
#: Places that are read in one step.
STEP_READS: Final = 64
#: Bytes of the longest spelling of a letter that the expression finds, an end of line before it included.
_WIDEST: Final = 40

_PLUS, _BLANK, _LINE = b"+ \n"
_QUOTES: Final = frozenset(b"'\"")
#: Where more than the byte that is there is to be looked at: in any form, and of each form's own besides.
_MARKS: Final = LEADS | frozenset(b"\r\n\0")
#: What may stand between two letters: so many signs of `_Form.fill`, and one end of a line.
_MOST_FILL: Final = 3
_BROKEN: Final = _MOST_FILL + 1
_DATA: Final = b"data: "
_INDENT: Final = re.compile(rb"[ \t]{0,64}(?:data: ?)?")
_TO_BASE64: Final = bytes.maketrans(b"-_", b"+/")
_BETWEEN_HEX: Final = b"\0 +,:-\t"
_BETWEEN_NUMBERS: Final = b"\0 +"
_TO_HEX: Final = bytes.maketrans(b"ABCDEF", b"abcdef")
_TO_NUMBERS: Final = bytes.maketrans(b" +;\t\r\n", b",,,,,,")
_AS_IT_IS: Final = bytes(range(256))
#: The same by what they stand for: how an escape of it ends.
_NAMED: Final[dict[bytes, list[bytes]]] = {}
for _name, _said in HTML_NAMES.items():
    _NAMED.setdefault(_said, []).append(_name.removesuffix(b";"))
_SIGNS: Final = {said: sign for sign, said in SIGNS.items()}


class _Form(msgspec.Struct, frozen=True):
    """Letters to be found, once what is read has gone through `table`. Between them may stand what is in
    `fill`, and with `wrapped` ends of lines. The letters are written in `coding`; with `escaped` the first
    ones may be escapes, too.
    """

    letters: bytes
    table: bytes = _AS_IT_IS
    fill: bytes = b"\0"
    wrapped: bool = True
    coding: str = "ascii"
    escaped: bool = True

    @property
    def marks(self) -> frozenset[int]:
        """Bytes where more than the byte that is there is to be looked at."""
        return _MARKS | frozenset(self.fill) | (_QUOTES & frozenset(self.letters))

    @property
    def firsts(self) -> set[int]:
        """Bytes with which the first letter may begin."""
        told = _letters(self.letters[:1], self.table)
        return {one[0] for one in told} | (LEADS if self.escaped else set())


class Echoes:
    """Finds secrets in a text. Holds no state of a text; `steps` counts what was read, for tests."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        """Take secrets; those that are met by chance are left out."""
        self._forms = [form for one in secrets if len(one) >= MIN_SECRET for form in _forms_of(one)]
        self._marks = [form.marks for form in self._forms]
        self._begins = _begins(self._forms) if self._forms else None
        self._by_first: list[list[int]] = [[] for _ in range(256)]
        for number, form in enumerate(self._forms):
            for first in form.firsts:
                self._by_first[first].append(number)
        self.steps = 0

    def replaced(self, text: bytes, by: bytes, *, last: bool) -> Steps[tuple[bytes, bytes]]:
        """Return a text with each secret replaced, and what of its end may be the beginning of one (nothing
        where the text is the `last`). Without a secret the text is the very same object.
        """
        if self._begins is None:
            return text, b""
        reader = _Reader(text)
        # Not a list of parts: to join many of them takes a hundred bytes for each.
        out = bytearray()
        done, held = 0, len(text)
        at = yield from self._next(text, 0)
        while at < len(text):
            end, more = yield from self._longest(reader, at)
            if more and not last:
                held = at
                break
            if end:
                out += text[done:at] + by
                done = end
            at = yield from self._next(text, end or at + 1)
        if not last:
            # A spelling that is cut has not its first letters yet.
            for at in range(max(done, len(text) - _FIRST * _WIDEST), held):
                if self._by_first[text[at]] and (yield from self._longest(reader, at))[1]:
                    held = at
                    break
        self.steps += reader.steps
        if not done and held == len(text):
            return text, b""
        return bytes(out + text[done:held]), text[held:]

    def _next(self, text: bytes, at: int) -> Steps[int]:
        """Return the first place from `at` on where a secret may begin, and the end of the text where there
        is none.
        """
        assert self._begins is not None
        while at < len(text):
            found = self._begins.search(text, at, at + WINDOW_BYTES + _LONGEST)
            start: int = len(text) if found is None else found.start()
            if start < at + WINDOW_BYTES:
                return start
            at += WINDOW_BYTES
            yield
        return len(text)

    def _longest(self, reader: _Reader, at: int) -> Steps[tuple[int, bool]]:
        """Return where the longest secret here ends (0 for none), and whether one may go beyond the end."""
        best, beyond = 0, False
        for number in self._by_first[reader.text[at]]:
            end, more = yield from reader.match(self._forms[number], self._marks[number], at)
            best, beyond = max(best, end), beyond or more
        return best, beyond


class _Reader(Spellings):
    """Follows the letters of a form through one text."""

    def __init__(self, text: bytes) -> None:
        """Take a text."""
        super().__init__(text)
        self._pause = STEP_READS

    def match(self, form: _Form, marks: frozenset[int], at: int) -> Steps[tuple[int, bool]]:
        """Return where a form ends that begins here (0 for none), and whether one may go beyond the end."""
        text, letters, table = self.text, form.letters, form.table
        size, most = len(text), len(letters)
        best, beyond = 0, False
        seen: set[tuple[int, int, int]] = set()
        states = [(0, at, 0)]
        while states:
            number, place, gap = states.pop()
            # Most of a text is what it is: there only one reading is to be followed.
            while number < most and place < size and (byte := text[place]) not in marks:
                self.steps += 1
                if table[byte] != letters[number] and (byte != _PLUS or letters[number] != _BLANK):
                    break
                number, place, gap = number + 1, place + 1, 0
            if number == most:
                best = max(best, place)
            elif place == size:
                beyond = True
            elif text[place] in marks and (state := (number, place, gap)) not in seen:
                seen.add(state)
                states += self._after(form, *state)
                beyond = beyond or self.short
            if self.steps >= self._pause:
                self._pause = self.steps + STEP_READS
                yield
        return best, beyond

    def _after(self, form: _Form, number: int, place: int, gap: int) -> list[tuple[int, int, int]]:
        """Return how it goes on where an escape, an end of a line, or what fills gaps may be."""
        self.steps += 1
        self.short = False
        out: list[tuple[int, int, int]] = []
        units, wanted = self.units(place, MAX_DEPTH), form.letters[number]
        for said, end in units:
            if form.letters.startswith(said.translate(form.table), number):
                out.append((number + len(said), end, 0))
                if wanted in _QUOTES:
                    # YAML, SQL and CSV write a quote twice.
                    out += [
                        (number + 1, after, 0) for more, after in self.units(end, MAX_DEPTH) if more == said
                    ]
            elif said == b"+" and wanted == _BLANK:
                out.append((number + 1, end, 0))
            if number and said in form.fill and gap % _BROKEN < _MOST_FILL:
                out.append((number, end, gap + 1))
            if number and said == b"=" and gap < _BROKEN:
                # RFC 2045 section 6.7: a soft break can stand anywhere.
                out += [(number, after, gap + _BROKEN) for after in self._line_ends(end)]
        if number and form.wrapped and gap < _BROKEN:
            out += [(number, end, gap + _BROKEN) for end in self._line_ends(place)]
        elif number and wanted == _LINE:
            out += [(number + 1, end, 0) for end in self._line_ends(place)]
        return out

    def _line_ends(self, at: int) -> set[int]:
        """Return where a line that ends here goes on: after its end, and what a stream of events puts before
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
    """Return a form for each way to write a secret that is no escape of its letters: its bytes, these as
    numbers, and what encoders of bytes make of it, or of a text in which it stands.
    """
    plain = secret.encode("utf-8", "surrogatepass")
    wide = secret.encode("utf-16-le", "surrogatepass")
    out = [_Form(plain, wrapped=False, coding="utf-8")]
    bare = {plain: None}
    if not secret.isascii():
        # Signs of ASCII have zeros beside them in UTF-16, and these fill gaps.
        narrow = secret.encode("latin-1", "replace").decode("latin-1") == secret
        others = [secret.encode("latin-1")] if narrow else [wide, secret.encode("utf-16-be", "surrogatepass")]
        out += [_Form(one, wrapped=False, coding="latin-1") for one in others]
        bare |= dict.fromkeys(others)
    out += [_Form(one.hex().encode(), _TO_HEX, _BETWEEN_HEX) for one in bare]
    out += [_Form(core, _TO_BASE64) for core in _in_base64(plain)]
    numbers = (b",".join(b"%d" % byte for byte in one) for one in bare)
    out += [_Form(one, _TO_NUMBERS, _BETWEEN_NUMBERS, escaped=False) for one in numbers]
    told = (quote(secret, safe="", errors="replace").encode(), json.dumps(secret)[1:-1].encode())
    # Nobody escapes letters and digits of these, and each escape would be looked at for all of them.
    inside = dict.fromkeys(one for one in (*bare, wide, *told, *_in_base64(plain)) if one != plain)
    cores = (core.lstrip(b"+/") for one in inside for core in _in_base64(one))
    return [*out, *(_Form(core, _TO_BASE64, escaped=False) for core in cores)]


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """Yield what is the same in base64 of a text that holds these bytes, wherever they begin in it."""
    for skipped in range(3):
        # Whole groups of three bytes are written alike.
        whole = plain[skipped : skipped + (len(plain) - skipped) // 3 * 3]
        if len(whole) >= MIN_SECRET:
            yield base64.b64encode(whole)


def _begins(forms: list[_Form]) -> re2._Regexp:
    """Return the expression that finds each place where one of the forms may begin, and some others."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    return re2.compile(b"|".join(map(_beginning, forms)), options)


def _beginning(form: _Form) -> bytes:
    """Return an expression for the first two letters in any spelling, and for more of them that are plain."""
    # Where a letter is longer than a byte, what is cut off is found when it is read.
    letters = form.letters.decode(form.coding, "replace")[:_FIRST]
    marks = _any(bytes((one,)) for one in sorted(form.marks - frozenset(form.fill)))
    fill = _any(bytes((one,)) for one in form.fill) + b"{0,%d}" % _MOST_FILL
    more = b""
    for char in reversed(letters[2:]):
        more = fill + b"(?:" + _any(_same(char, form)) + more + b"|" + marks + b")"
    between = fill + b"(?:" + marks + rb"[\r\n\\%&#=;{}0-9A-Za-z \t:\-\0]{0,24})?"
    return _spelt(letters[0], form) + between + _spelt(letters[1], form) + more


def _same(char: str, form: _Form) -> tuple[bytes, ...]:
    """Return the plain ways to write a letter."""
    return _letters(char.encode(form.coding, "replace"), form.table)


@lru_cache(maxsize=1024)
def _letters(raw: bytes, table: bytes) -> tuple[bytes, ...]:
    """Return what reads as a letter, once it has gone through a table, and the plus for a blank."""
    found = tuple(bytes((one,)) for one in range(256) if raw == table[one : one + 1]) or (raw,)
    return (*found, *{b" ": (b"+",), b"\n": (b"\r",)}.get(raw, ()))


def _spelt(char: str, form: _Form) -> bytes:
    """Return an expression for one letter: itself, or an escape that ends with what tells it."""
    same = _same(char, form)
    if not form.escaped:
        return _any(same)
    told = dict.fromkeys(end for one in same for end in _told(one, form.coding))
    left = b"{0,8}" if char.isascii() else b"{0,24}"
    escape = rb"[\\%&=][\\%&#=;{}0-9A-Za-z]{0,20}(?:" + b"|".join(told) + rb")[;}%0-9A-Za-z\\&#=]" + left
    return b"(?:" + _any(same) + b"|" + escape + b")"


def _any(texts: Iterable[bytes]) -> bytes:
    return b"(?:" + b"|".join(map(re2.escape, texts)) + b")"


def _told(raw: bytes, coding: str) -> Iterator[bytes]:
    """Yield what an escape for a letter ends with."""
    code = ord(raw.decode(coding, "replace")[0])
    first = 0xD800 + ((code - 0x10000) >> 10) if code > 0xFFFF else code
    for number in (b"%x" % first, b"%x" % code, b"%02x" % raw[0]):
        yield b"(?i:" + number + b")"
    yield b"%d" % code
    yield b"%o" % code
    yield from map(re2.escape, _NAMED.get(raw, ()))
    if raw in _SIGNS:
        yield re2.escape(_SIGNS[raw])
