# SPDX-License-Identifier: Apache-2.0
"""JSON with exactly one interpretation: the strict parser for input, and the canonical form for signing and
hashing.

`parse_strict` refuses every text that two parsers could read differently (RFC 7493, I-JSON). `encode` writes
RFC 8785 (JSON Canonicalization Scheme), so that equal values have equal bytes and `digest` identifies a
value.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any, TypeAlias, cast

import orjson
import rfc8785

from remit.core.cooperative_steps import Steps, finish
from remit.core.errors import Malformed

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_REQUEST_VALUES = 100_000
"""Limit of values in one request: no other task runs while these are written."""
LONG = 65_536
"""A longer text is parsed in steps."""
VALUES = 2_000
"""Values that one step visits, or one object or array."""
MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that every JSON parser represents exactly (RFC 7493 section 2.2)."""

_DUMP = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_SCALARS = frozenset({str, int, bool, type(None)})
_BOXES = frozenset({dict, list, tuple})

# A string of a JSON text, or the unterminated rest of a broken text. Every quantifier is possessive and the
# pattern matches at every quote, so a search is linear on any input.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+\\?(?:"|\Z)', re.DOTALL)
_STRING_OR_NUMBER = re.compile(
    rb"(" + _STRING.pattern + rb")|-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][+-]?\d++)?+", re.DOTALL
)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")

_PARSER_DEPTH = 1000
"""Nesting depth that orjson reads for certain; it refuses depths from 1025."""


def encode(value: object) -> bytes:
    """Encode `value` as RFC 8785 bytes.

    Accepts JSON values: dicts with string keys, lists or tuples, strings, integers within +-(2**53 - 1),
    finite floats, booleans, None. Raises `Malformed` for anything else: `number-out-of-range`,
    `lone-surrogate`, `too-deep`, or `not-json` for a type outside JSON.
    """
    try:
        fast = orjson.dumps(value, option=_DUMP)
    except TypeError:  # integer too large, lone surrogate, unknown type, or too deep; distinguished below
        return _encode_slowly(value)
    # orjson agrees with RFC 8785 on strings, integers and literals. It differs on some floats and on the
    # order of non-ASCII keys (UTF-8 against UTF-16 order), and it also writes types outside JSON.
    return fast if _is_plain(value) else _encode_slowly(value)


def encode_trusted(value: object) -> bytes:
    """Encode a record that remit itself has built as RFC 8785 bytes, without checking it first.

    INVARIANT: the caller built `value` only from exact dicts, lists, strings, integers, booleans and None: no
    floats, no subclasses, no non-ASCII keys. Then the result equals `encode(value)`. String values may come
    from outside; keys and containers may not. Raises `Malformed` as `encode` does.
    """
    try:
        return orjson.dumps(value, option=_DUMP)
    except TypeError:
        return _encode_slowly(value)


def digest(value: object) -> str:
    """Return the content digest of a value: `sha256:` and the hexadecimal SHA-256 of its RFC 8785 bytes."""
    return "sha256:" + hashlib.sha256(encode(value)).hexdigest()


def parse_strict(data: bytes, *, max_bytes: int, max_depth: int = 64, max_values: int | None = None) -> Json:
    """Parse one untrusted JSON text, or refuse it with `Malformed`.

    `max_bytes` bounds the size, `max_depth` the nesting of objects and arrays. A bare scalar has depth 0.
    Nesting beyond 1000 is always refused, whatever `max_depth` is. Refusals, by code:

    - `too-large` (also for more than `max_values`: a text of many values takes fifty times the memory and
      time of another text of the same length), `too-deep`;
    - `duplicate-key`: in any object, also where two keys are equal only once unescaped;
    - `number-out-of-range`: any number beyond +-(2**53 - 1), in any notation;
    - `lone-surrogate`: half of a surrogate pair, in a value or a key;
    - `not-json`: everything else that RFC 8259 forbids, including invalid UTF-8, a byte order mark, NaN and
      trailing data.

    Source: RFC 7493.
    """
    return finish(parsing_strict(data, max_bytes=max_bytes, max_depth=max_depth, max_values=max_values))


def parsing_strict(
    data: bytes, *, max_bytes: int, max_depth: int = 64, max_values: int | None = None
) -> Steps[Json]:
    """Do what `parse_strict` does, in steps. A step of a text of 4 MB takes a few milliseconds."""
    if len(data) > max_bytes:
        raise Malformed(f"JSON of {len(data)} bytes is over the limit of {max_bytes}", code="too-large")
    if max_values is not None and _marks(data) > max_values and _marks(_STRING.sub(b"", data)) > max_values:
        raise Malformed(
            f"JSON of more than {max_values} values",
            code="too-large",
            remediation="send them in several requests",
        )
    pause = len(data) > LONG
    if pause:
        yield
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as fault:
        raise _why_not_json(data, max_depth, fault) from None
    if pause:
        yield
    members, texts = yield from _walking(value, max_depth)
    # Outside strings, a JSON text has exactly one colon for each member that it writes. A parsed object keeps
    # one member for each distinct key. So the text repeats no key if and only if the two counts agree. The
    # text holds at least the colons of its members and, unless one is escaped, the colons of the parsed
    # strings. If the text holds no more than these, the parser dropped no member.
    colons = data.count(b":")
    if pause:
        yield
    if colons != members and colons != members + _colons_in(texts, data):
        if pause:
            yield
        colons = _STRING.sub(b"", data).count(b":")
        if colons != members:
            raise Malformed("a JSON object has a duplicate key", code="duplicate-key")
    return cast(Json, value)


def _marks(data: bytes) -> int:
    """Count the marks that precede values in a JSON text (`,`, `[` and `{`), including those inside
    strings.
    """
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _colons_in(texts: Iterable[str], data: bytes) -> int:
    """Count the colons in parsed strings; return -1 if the text may have written a colon as an escape."""
    # (`find`, not `in`: `in` first tries the bytes as a number, which costs an exception.)
    if data.find(b"\\u003a") >= 0 or data.find(b"\\u003A") >= 0:
        return -1
    return "".join(texts).count(":")


def _walking(value: Any, max_depth: int) -> Steps[tuple[int, list[str]]]:
    """Visit a value level by level: check depth and numbers, count members, collect strings and keys."""
    members = gone = 0
    texts: list[str] = []
    level: list[Any] = [[value]] if type(value) not in _BOXES else [value]
    depth = 0 if type(value) not in _BOXES else 1
    while level:
        if depth > max_depth:
            raise Malformed(f"JSON is nested deeper than {max_depth}", code="too-deep")
        below: list[Any] = []
        for box in level:
            gone += len(box)
            if gone > VALUES:
                gone = 0
                yield
            if type(box) is dict:
                members += len(box)
                texts += box
                items: Iterable[Any] = box.values()
            else:
                items = box
            for item in items:
                kind = type(item)
                if kind is str:
                    texts.append(item)
                elif kind is dict or kind is list:
                    below.append(item)
                elif (kind is int or kind is float) and not -MAX_SAFE_INTEGER <= item <= MAX_SAFE_INTEGER:
                    raise _out_of_range()
        level = below
        depth += 1
    return members, texts


def _out_of_range() -> Malformed:
    return Malformed(
        "a JSON number is beyond +-(2**53 - 1), where parsers disagree",
        code="number-out-of-range",
        remediation="send it as a string",
    )


def _why_not_json(data: bytes, max_depth: int, fault: orjson.JSONDecodeError) -> Malformed:
    """Find the stable code for a text that the parser refused, in time linear in the input."""
    bare = _STRING.sub(b'""', data)
    bound = min(max_depth, _PARSER_DEPTH)
    depth = 0
    for mark in re.finditer(rb"[\[{\]}]", bare):
        depth += 1 if mark[0] in b"[{" else -1
        if depth > bound:
            return Malformed(f"JSON is nested deeper than {bound}", code="too-deep")
    # A text that becomes valid without its numbers held a number that no double can represent. (The stand-in
    # is `[]`, which no other byte can join or follow.) A text that becomes valid only when its surrogates are
    # replaced too held half a pair.
    small = _STRING_OR_NUMBER.sub(lambda found: found[1] or b"[]", data)
    if _is_json(small):
        return _out_of_range()
    if _is_json(_SURROGATE_ESCAPE.sub(rb"\\u00", small)):
        return Malformed("a JSON string contains half of a surrogate pair", code="lone-surrogate")
    return Malformed(f"not JSON: {fault.msg}", code="not-json")


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_plain(value: object) -> bool:
    """Return whether orjson writes `value` exactly as RFC 8785 does.

    The work is bounded, because orjson has already written `value`.
    """
    waiting: list[Any] = [[value]]
    for box in waiting:  # the list grows during the loop
        if type(box) is dict:
            if not "".join(box).isascii():
                return False
            items: Iterable[Any] = box.values()
        else:
            items = box
        kinds = {*map(type, items)} - _SCALARS
        if not kinds:
            continue
        if float in kinds:
            # Excludes whole numbers, which RFC 8785 writes without `.0`, and numbers that need an exponent.
            floats = [one for one in items if type(one) is float]
            if not all(1e-5 <= abs(one) < 1e15 and not one.is_integer() for one in floats):
                return False
            kinds.discard(float)
        if not kinds <= _BOXES:
            return False
        waiting += [one for one in items if type(one) in _BOXES]
    return True


def _encode_slowly(value: object) -> bytes:
    try:
        return rfc8785.dumps(cast(Any, value))
    except (rfc8785.IntegerDomainError, rfc8785.FloatDomainError) as fault:
        raise Malformed(
            "a number has no canonical form in JSON", code="number-out-of-range", debug=str(fault)
        ) from None
    except RecursionError:
        raise Malformed("a value is nested too deeply for JSON", code="too-deep") from None
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as fault:
        surrogate = isinstance(fault, UnicodeEncodeError) or isinstance(fault.__cause__, UnicodeEncodeError)
        raise Malformed(
            "a string contains half of a surrogate pair"
            if surrogate
            else "a value has a type that JSON does not know",
            code="lone-surrogate" if surrogate else "not-json",
            debug=str(fault),
        ) from None
