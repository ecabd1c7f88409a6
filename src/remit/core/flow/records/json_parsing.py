# SPDX-License-Identifier: Apache-2.0
"""JSON of an upstream, read in steps.

The parsers in C cannot be interrupted: a megabyte of `[],` blocks an event loop for a quarter of a second. So
they read only short texts. In a longer text they read the single strings and numbers, and a small parser
reads the tokens between these. Text that cannot be read within the bounds is `left`: a party that can
lengthen a result must not choose its fields.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import msgspec
import orjson

from remit.core.cooperative_steps import PIECE, Steps
from remit.core.flow.values.encodings import INNER_BYTES, MAX_INNER
from remit.core.json_value import Json

MAX_AT_ONCE = 65_536
"""Longest JSON text, in characters, that is read at once whatever it holds."""
MAX_RECORDS = 1_000_000
MAX_MARKS = 10_000
"""Longest JSON text, in characters, that is read at once if it has no more commas and brackets than this:
then the parser in C takes a millisecond or two.
"""
MAX_VALUES = 100_000
"""Values of a JSON text that are read; a text with more is `left` as a whole. Parsed, `[],` takes fifty times
its size. The limit is above the number of values that `core.flow.records.record` reads.
"""
MAX_NESTED = 1_024
"""Nesting levels of a JSON text that are read, the same as in `orjson`."""
TOKENS = 256
"""Tokens that one step reads."""
_LONGEST = 512
_INNER = frozenset(bytes((one,)) for one in INNER_BYTES)

# Possessive quantifiers: linear on any input.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# A short string without escapes, a punctuation mark, the beginning of any other string, a number or a name.
_TOKEN = re.compile(
    r'[ \t\n\r]{0,1024}+(?:"([^"\\\x00-\x1f]{0,512}+)"|([\[\]{},:])|(")|([-+.0-9A-Za-z]{1,512}+))?'
)
_SHORT, _MARK, _LONG = 1, 2, 3
# A part of a string that ends neither within an escape nor within a surrogate pair.
_PART = re.compile(
    r'(?:[^"\\\x00-\x1f]{1,512}+|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]){1,64}+'
)
# The next expected token: a value, the first value or the end of a list, a name, the first name or the end of
# an object, a colon, a comma or the end.
_VALUE, _FIRST, _NAME, _FIRST_NAME, _COLON, _COMMA = range(6)


class _TooMuchError(Exception):
    """Raised for a text that exceeds the bounds of reading."""


def reading(text: str, left: list[str]) -> Steps[Json]:
    """Read JSON; raise `ValueError` for invalid or too deeply nested JSON.

    Where a name occurs more than once in an object, all values but the last are added to `left`: another
    parser may use one of them. The whole text is added to `left` if it is long and repeats a name, or holds
    too many values.
    """
    dropped: list[tuple[str, Json]] = []
    if len(text) <= MAX_AT_ONCE:
        found = orjson.loads(text)
        try:
            if not _is_whole(text.encode(), found):
                yield
                yield from _reading(text, dropped)
                left += [one for name, value in dropped for one in (name, *texts_in(value))]
        except (_TooMuchError, ValueError, RecursionError):
            left.append(text)
        return found
    if len(text) <= MAX_RECORDS and _marks(text) <= MAX_MARKS:
        # What the parser in C refuses or shortens is read in steps.
        with contextlib.suppress(ValueError, RecursionError):
            found = orjson.loads(text)
            if _is_whole(text.encode(), found):
                return found
        yield
    try:
        yield from _sound(text)
        found = yield from _reading(text, dropped)
    except _TooMuchError:
        left.append(text)
        return []
    if dropped:
        left.append(text)
    return found


def decoding(raw: bytes, errors: str = "strict") -> Steps[str]:
    """Decode UTF-8; raise `ValueError` for invalid UTF-8, unless `errors` is `replace`."""
    if len(raw) <= MAX_AT_ONCE:
        return raw.decode(errors=errors)
    parts, at = [], 0
    while at < len(raw):
        end = at + PIECE
        # A part ends at the boundary of a character.
        end = next(
            (one for one in range(end, end - MAX_INNER - 1, -1) if raw[one : one + 1] not in _INNER), end
        )
        parts.append(raw[at:end].decode(errors=errors))
        at = end
        yield
    return "".join(parts)


def countless(written: bytes) -> bool:
    """Return whether a JSON text holds more values than are read."""
    if _marks(written) <= MAX_VALUES:
        return False
    # Punctuation inside strings does not count; with this many strings, the limit is exceeded anyway.
    return written.count(b'"') > 2 * MAX_VALUES or _marks(_STRING.sub(b"", written)) > MAX_VALUES


def texts_in(value: Json) -> Iterator[str]:
    """Yield the names, texts and numbers in a value."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield name
            yield from texts_in(below)
    elif isinstance(value, list):
        for below in value:
            yield from texts_in(below)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _marks(written: bytes | str) -> int:
    if isinstance(written, str):
        return written.count(",") + written.count("[") + written.count("{")
    return written.count(b",") + written.count(b"[") + written.count(b"{")


def _is_whole(written: bytes, found: Json) -> bool:
    """Return whether a JSON text has as many strings as its parsed value, so that no name occurs twice in an
    object.
    """
    # Quotes inside texts count on both sides; they need separate treatment only where one is written as a
    # numeric escape.
    count = _strings if b"\\u0022" in written else _quotes
    return count(written) == count(msgspec.json.encode(found))


def _quotes(written: bytes) -> int:
    return written.count(b'"')


def _strings(written: bytes) -> int:
    """Count the quotes of a JSON text that begin or end a string."""
    quotes = written.count(b'"')
    if b"\\" in written:
        quotes -= written.replace(b"\\\\", b"").count(b'\\"')
    return quotes


def _sound(text: str) -> Steps[None]:
    """Raise `ValueError` where a text contains half a surrogate pair."""
    if not text.isascii():
        for at in range(0, len(text), PIECE):
            text[at : at + PIECE].encode()
            yield


class _Parse:
    """The state of parsing: the open object or list, the containers around it, and the current name."""

    def __init__(self, dropped: list[tuple[str, Json]]) -> None:
        self._dropped = dropped
        self._around: list[tuple[Json, str]] = []
        self._name = ""
        self._left = MAX_VALUES
        self.box: Json = []
        self.next = _VALUE

    def put(self, value: Json) -> None:
        """Add a string, a number, or a literal."""
        if self.next in (_NAME, _FIRST_NAME) and isinstance(value, str):
            self._name, self.next = value, _COLON
        elif self.next in (_VALUE, _FIRST):
            self._add(value)
            self.next = _COMMA
        else:
            raise ValueError("a value at a wrong place")

    def mark(self, mark: str) -> None:
        """Process one of the six punctuation marks."""
        if mark == "," and self.next == _COMMA and self._around:
            self.next = _NAME if isinstance(self.box, dict) else _VALUE
        elif mark == ":" and self.next == _COLON:
            self.next = _VALUE
        elif mark in "[{" and self.next in (_VALUE, _FIRST):
            inner: Json = {} if mark == "{" else []
            self._add(inner)
            self._around.append((self.box, self._name))
            if len(self._around) > MAX_NESTED:
                raise ValueError("nested without end")
            self.box, self.next = inner, _FIRST_NAME if mark == "{" else _FIRST
        elif (
            mark == ("}" if isinstance(self.box, dict) else "]")
            and self.next in (_COMMA, _FIRST, _FIRST_NAME)
            and self._around
        ):
            self.box, self._name = self._around.pop()
            self.next = _COMMA
        else:
            raise ValueError("a mark at a wrong place")

    def end(self) -> Json:
        """Return the single value of the text."""
        if self._around or self.next != _COMMA:
            raise ValueError("broken off")
        return self.box[0]

    def _add(self, value: Json) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooMuchError
        if isinstance(self.box, list):
            self.box.append(value)
            return
        if self._name in self.box:
            self._dropped.append((self._name, self.box[self._name]))
        self.box[self._name] = value


def _reading(text: str, dropped: list[tuple[str, Json]]) -> Steps[Json]:
    """Read JSON token by token. Earlier values of a repeated name are added to `dropped`."""
    parse = _Parse(dropped)
    at, count = 0, 0
    while token := _TOKEN.match(text, at):
        kind, end = token.lastindex, token.end()
        if kind is None:
            if end == at:
                break
        elif kind == _MARK:
            parse.mark(token[_MARK])
        elif kind == _SHORT:
            parse.put(token[_SHORT])
        elif kind == _LONG:
            value, end = yield from _string(text, end)
            parse.put(value)
        elif end - token.start(kind) == _LONGEST:
            # An overlong number: clients read it, with unknown results.
            raise _TooMuchError
        else:
            parse.put(orjson.loads(token[kind]))
        at = end
        if not (count := count + 1) % TOKENS:
            yield
    if at < len(text):
        raise ValueError("no JSON")
    return parse.end()


def _string(text: str, at: int) -> Steps[tuple[str, int]]:
    """Return the string whose first character is at a position, and the position after its end."""
    parts: list[str] = []
    while part := _PART.match(text, at):
        parts.append(orjson.loads(f'"{part[0]}"'))
        at = part.end()
        if not len(parts) % (TOKENS // 16):
            yield
    if not text.startswith('"', at):
        raise ValueError("a string that does not end")
    found = "".join(parts)
    if len(found) > MAX_AT_ONCE:
        yield
    return found, at + 1
