# SPDX-License-Identifier: Apache-2.0
"""A secret in every spelling in which a server that received it may return it.

A server that echoes a secret encodes it as its library does: PHP puts a backslash before `/`, .NET and Go
write Unicode escapes with four digits (`002B`, `0026`), Ruby writes `&#39;`. Each may nest these in one
another, in base64 in lines of 76 characters, or in numbers of bytes. So the search uses no list of spellings.
It reads what a byte of the text, or an escape that begins there, stands for, and accepts every spelling that
reads as the next letter of the secret. The text before the secret does not matter, nor does a cut of the
text.

The search is linear: a position is read only where the first letters of a secret occur in some spelling, and
only as far as the following letters match.
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

#: A shorter secret occurs by chance in any text.
MIN_SECRET: Final = 6
#: First letters of a secret whose spellings locate the positions to be read.
_FIRST: Final = 4
#: Bytes that one search for a beginning covers, and that a beginning may span.
WINDOW_BYTES: Final = 32 * 1024
_LONGEST: Final = 1024
#: Readings in one step.
STEP_READS: Final = 64
#: Bytes of the longest spelling of a letter that the expression finds, including an end of line before it.
_WIDEST: Final = 40

_PLUS, _BLANK, _LINE = b"+ \n"
_QUOTES: Final = frozenset(b"'\"")
#: Bytes that may have a reading besides the literal one, in every form; each form has further ones.
_MARKS: Final = LEADS | frozenset(b"\r\n\0")
#: Fill between two letters: this many signs of `_Form.fill`, and one end of a line.
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
#: Names of HTML references, by the text that they stand for.
_NAMED: Final[dict[bytes, list[bytes]]] = {}
for _name, _said in HTML_NAMES.items():
    _NAMED.setdefault(_said, []).append(_name.removesuffix(b";"))
_SIGNS: Final = {said: sign for sign, said in SIGNS.items()}


class _Form(msgspec.Struct, frozen=True):
    """Letters to be found in a text after translation by `table`.

    Signs of `fill` may be between them; with `wrapped`, also ends of lines. The letters are encoded in
    `coding`; with `escaped`, the first ones may be escapes, too.
    """

    letters: bytes
    table: bytes = _AS_IT_IS
    fill: bytes = b"\0"
    wrapped: bool = True
    coding: str = "ascii"
    escaped: bool = True

    @property
    def marks(self) -> frozenset[int]:
        """Bytes that may have a reading besides the literal one."""
        return _MARKS | frozenset(self.fill) | (_QUOTES & frozenset(self.letters))

    @property
    def firsts(self) -> set[int]:
        """Bytes with which a spelling of the first letter may begin."""
        told = _letters(self.letters[:1], self.table)
        return {one[0] for one in told} | (LEADS if self.escaped else set())


class Echoes:
    """Finds secrets in a text. It keeps no state of a text; `steps` counts the readings, for tests."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        """Prepare the search for secrets; a secret that occurs by chance is left out."""
        self._forms = [form for one in secrets if len(one) >= MIN_SECRET for form in _forms_of(one)]
        self._marks = [form.marks for form in self._forms]
        self._begins = _begins(self._forms) if self._forms else None
        self._by_first: list[list[int]] = [[] for _ in range(256)]
        for number, form in enumerate(self._forms):
            for first in form.firsts:
                self._by_first[first].append(number)
        self.steps = 0

    def replaced(self, text: bytes, by: bytes, *, last: bool) -> Steps[tuple[bytes, bytes]]:
        """Return a text with each secret replaced, and the rest of its end that may begin a secret.

        That rest is empty where the text is the `last`. A text without secrets is returned as the same
        object.
        """
        if self._begins is None:
            return text, b""
        reader = _Reader(text)
        # Not a list of parts: joining many parts takes a hundred bytes for each.
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
            # A spelling that is cut off may not have its first letters yet.
            for at in range(max(done, len(text) - _FIRST * _WIDEST), held):
                if self._by_first[text[at]] and (yield from self._longest(reader, at))[1]:
                    held = at
                    break
        self.steps += reader.steps
        if not done and held == len(text):
            return text, b""
        return bytes(out + text[done:held]), text[held:]

    def _next(self, text: bytes, at: int) -> Steps[int]:
        """Return the first position from `at` on where a secret may begin; the end of the text if there is
        none.
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
        """Return the end of the longest secret at a position (0: none), and whether one may extend beyond the
        text.
        """
        best, beyond = 0, False
        for number in self._by_first[reader.text[at]]:
            end, more = yield from reader.match(self._forms[number], self._marks[number], at)
            best, beyond = max(best, end), beyond or more
        return best, beyond


class _Reader(Spellings):
    """Follows the letters of a form through one text."""

    def __init__(self, text: bytes) -> None:
        """Begin with a text."""
        super().__init__(text)
        self._pause = STEP_READS

    def match(self, form: _Form, marks: frozenset[int], at: int) -> Steps[tuple[int, bool]]:
        """Return the end of a form that begins at a position (0: none), and whether it may extend beyond the
        text.
        """
        text, letters, table = self.text, form.letters, form.table
        size, most = len(text), len(letters)
        best, beyond = 0, False
        seen: set[tuple[int, int, int]] = set()
        states = [(0, at, 0)]
        while states:
            number, place, gap = states.pop()
            # Most bytes have only their literal reading: this loop needs to follow no alternatives.
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
        """Return the possible next states at an escape, an end of a line, or a sign of the fill."""
        self.steps += 1
        self.short = False
        out: list[tuple[int, int, int]] = []
        units, wanted = self.units(place, MAX_DEPTH), form.letters[number]
        for said, end in units:
            if form.letters.startswith(said.translate(form.table), number):
                out.append((number + len(said), end, 0))
                if wanted in _QUOTES:
                    # YAML, SQL and CSV double a quote.
                    out += [
                        (number + 1, after, 0) for more, after in self.units(end, MAX_DEPTH) if more == said
                    ]
            elif said == b"+" and wanted == _BLANK:
                out.append((number + 1, end, 0))
            if number and said in form.fill and gap % _BROKEN < _MOST_FILL:
                out.append((number, end, gap + 1))
            if number and said == b"=" and gap < _BROKEN:
                # RFC 2045 section 6.7: a soft line break may occur anywhere.
                out += [(number, after, gap + _BROKEN) for after in self._line_ends(end)]
        if number and form.wrapped and gap < _BROKEN:
            out += [(number, end, gap + _BROKEN) for end in self._line_ends(place)]
        elif number and wanted == _LINE:
            out += [(number + 1, end, 0) for end in self._line_ends(place)]
        return out

    def _line_ends(self, at: int) -> set[int]:
        """Return the positions where the text continues after a line end at `at`.

        These are the position after the line end, and the one after the prefix of the next line in an event
        stream.
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
    """Return a form for each way to write a secret other than escapes of its letters.

    These are its bytes, the bytes as numbers, and the result of binary encoders applied to the secret or to a
    text that contains it.
    """
    plain = secret.encode("utf-8", "surrogatepass")
    wide = secret.encode("utf-16-le", "surrogatepass")
    out = [_Form(plain, wrapped=False, coding="utf-8")]
    bare = {plain: None}
    if not secret.isascii():
        # In UTF-16, ASCII signs have a zero byte beside them; the fill covers these.
        narrow = secret.encode("latin-1", "replace").decode("latin-1") == secret
        others = [secret.encode("latin-1")] if narrow else [wide, secret.encode("utf-16-be", "surrogatepass")]
        out += [_Form(one, wrapped=False, coding="latin-1") for one in others]
        bare |= dict.fromkeys(others)
    out += [_Form(one.hex().encode(), _TO_HEX, _BETWEEN_HEX) for one in bare]
    out += [_Form(core, _TO_BASE64) for core in _in_base64(plain)]
    numbers = (b",".join(b"%d" % byte for byte in one) for one in bare)
    out += [_Form(one, _TO_NUMBERS, _BETWEEN_NUMBERS, escaped=False) for one in numbers]
    told = (quote(secret, safe="", errors="replace").encode(), json.dumps(secret)[1:-1].encode())
    # Letters and digits of these are not escaped in practice, and each escape would have to be read for all
    # of them.
    inside = dict.fromkeys(one for one in (*bare, wide, *told, *_in_base64(plain)) if one != plain)
    cores = (core.lstrip(b"+/") for one in inside for core in _in_base64(one))
    return [*out, *(_Form(core, _TO_BASE64, escaped=False) for core in cores)]


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """Yield the constant parts in base64 of a text that contains these bytes, for every alignment."""
    for skipped in range(3):
        # Whole groups of three bytes are always encoded alike.
        whole = plain[skipped : skipped + (len(plain) - skipped) // 3 * 3]
        if len(whole) >= MIN_SECRET:
            yield base64.b64encode(whole)


def _begins(forms: list[_Form]) -> re2._Regexp:
    """Return the expression that finds each position where a form may begin, and some others."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    return re2.compile(b"|".join(map(_beginning, forms)), options)


def _beginning(form: _Form) -> bytes:
    """Return an expression for the first two letters in any spelling, and for further letters in plain
    spelling.
    """
    # Where a letter is longer than a byte, the reading checks the part that is cut off here.
    letters = form.letters.decode(form.coding, "replace")[:_FIRST]
    marks = _any(bytes((one,)) for one in sorted(form.marks - frozenset(form.fill)))
    fill = _any(bytes((one,)) for one in form.fill) + b"{0,%d}" % _MOST_FILL
    more = b""
    for char in reversed(letters[2:]):
        more = fill + b"(?:" + _any(_same(char, form)) + more + b"|" + marks + b")"
    between = fill + b"(?:" + marks + rb"[\r\n\\%&#=;{}0-9A-Za-z \t:\-\0]{0,24})?"
    return _spelt(letters[0], form) + between + _spelt(letters[1], form) + more


def _same(char: str, form: _Form) -> tuple[bytes, ...]:
    """Return the plain spellings of a letter."""
    return _letters(char.encode(form.coding, "replace"), form.table)


@lru_cache(maxsize=1024)
def _letters(raw: bytes, table: bytes) -> tuple[bytes, ...]:
    """Return the bytes that a table maps to a letter, and the plus sign for a blank."""
    found = tuple(bytes((one,)) for one in range(256) if raw == table[one : one + 1]) or (raw,)
    return (*found, *{b" ": (b"+",), b"\n": (b"\r",)}.get(raw, ()))


def _spelt(char: str, form: _Form) -> bytes:
    """Return an expression for one letter: the letter itself, or an escape that ends with its code."""
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
    """Yield the endings of escapes for a letter."""
    code = ord(raw.decode(coding, "replace")[0])
    first = 0xD800 + ((code - 0x10000) >> 10) if code > 0xFFFF else code
    for number in (b"%x" % first, b"%x" % code, b"%02x" % raw[0]):
        yield b"(?i:" + number + b")"
    yield b"%d" % code
    yield b"%o" % code
    yield from map(re2.escape, _NAMED.get(raw, ()))
    if raw in _SIGNS:
        yield re2.escape(_SIGNS[raw])
