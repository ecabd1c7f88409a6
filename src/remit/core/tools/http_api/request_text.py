# SPDX-License-Identifier: Apache-2.0
"""Values as text of a request: segments of a path, pairs of a query, lines of a header.

Each text is decoded once, and only where it has one reading. Text that a server on the way could interpret
differently (a slash, `..`, a second percent-encoding, a matrix parameter) is refused, not repaired.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from remit.core.canonical import MAX_SAFE_INTEGER
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tools.http_api.operation import RouteParameter, ValueKind, Where

MAX_PATH: Final = 8192
MAX_SEGMENTS: Final = 48
MAX_PAIRS: Final = 512
MAX_HEADER: Final = 4096

_TEXT = re.compile(rb"[\x21\x24-\x3e\x40-\x7e]*")
_QUERY = re.compile(rb"[\x21\x24-\x7e]*")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|%u[0-9A-Fa-f]{4}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HEADER = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,39})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_WORDS: Final = {"true": True, "false": False}


def segments_of(raw: bytes) -> list[str]:
    """Return the decoded segments of a raw path, from its first slash on; raise `Malformed`."""
    if len(raw) > MAX_PATH or raw[:1] != b"/" or not _TEXT.fullmatch(raw):
        raise bad_path("is not an absolute path of plain characters")
    pieces = raw[1:].split(b"/")
    if len(pieces) > MAX_SEGMENTS:
        raise bad_path(f"has more than {MAX_SEGMENTS} segments")
    out = []
    for place, piece in enumerate(pieces):
        if not piece:
            if place < len(pieces) - 1:
                raise bad_path("has an empty segment")
            out.append("")
        else:
            out.append(checked_segment(decoded(piece, "the path")))
    return out


def checked_segment(value: str) -> str:
    """Return a decoded segment if every server reads it as one segment, else raise `Malformed`."""
    if not value:
        raise bad_path("has an empty value")
    plain = unicodedata.normalize("NFKC", value)
    if plain.strip() in (".", "..") or "/" in plain or "\\" in plain:
        raise bad_path("has a segment that changes the path")
    if ";" in plain:
        raise bad_path("has a `;`, which some servers remove")
    if _ESCAPE.search(plain):
        raise bad_path("is percent-encoded twice")
    if _CONTROL.search(value):
        raise bad_path("contains a control character")
    return value


def bad_path(what: str) -> Malformed:
    """Return the fault of a path that has more than one reading, or none."""
    return Malformed(f"the path {what}", code="bad-path", remediation="send a path as the API describes it")


def pairs_of(raw: bytes, what: str) -> Iterator[tuple[str, str]]:
    """Yield the decoded pairs of a query or form; raise `Malformed` for an invalid pair."""
    if not raw:
        return
    if not _QUERY.fullmatch(raw):
        raise Malformed(f"{what} contains a character that must be encoded", code="bad-query")
    pieces = raw.split(b"&")
    if len(pieces) > MAX_PAIRS:
        raise Malformed(f"{what} has more than {MAX_PAIRS} parameters", code="bad-query")
    for piece in pieces:
        name, equals, value = piece.partition(b"=")
        if not name or not equals:
            raise Malformed(
                f"{what} has a parameter without name or value",
                code="bad-query",
                remediation="write `name=value`",
            )
        yield decoded(name.replace(b"+", b" "), what), decoded(value.replace(b"+", b" "), what)


def decoded(piece: bytes, what: str) -> str:
    """Decode percent-encoded UTF-8, once; raise `Malformed`."""
    if b"%" not in piece:
        return piece.decode("ascii")
    if _BAD_ESCAPE.search(piece):
        raise Malformed(f"{what} is not valid percent-encoding", code="bad-encoding")
    try:
        return unquote_to_bytes(piece).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"{what} is not UTF-8", code="bad-encoding") from None


def value_of(parameter: RouteParameter, text: str) -> Json:
    """Return the value of a text; raise `Malformed`."""
    if parameter.kind is ValueKind.STRING or parameter.kind is ValueKind.ANY:
        return text
    if parameter.kind is ValueKind.BOOLEAN and text in _WORDS:
        return _WORDS[text]
    if parameter.kind is ValueKind.INTEGER and _INTEGER.fullmatch(text) and text != "-0":
        if abs(number := int(text)) <= MAX_SAFE_INTEGER:
            return number
        raise _too_large(parameter)
    if parameter.kind is ValueKind.NUMBER and _NUMBER.fullmatch(text):
        if _INTEGER.fullmatch(text):
            if abs(int(text)) <= MAX_SAFE_INTEGER:
                return int(text)
            raise _too_large(parameter)
        found = float(text)
        if abs(found) < 1e300:
            return found
    raise _not(parameter)


def text_of(parameter: RouteParameter, value: Json) -> str:
    """Return the text of a value in a path, query, form or header; raise `Malformed`."""
    kind = parameter.kind
    text = None
    if isinstance(value, str):
        text = value if kind in (ValueKind.STRING, ValueKind.ANY) else None
    elif isinstance(value, bool):
        text = ("true" if value else "false") if kind in (ValueKind.BOOLEAN, ValueKind.ANY) else None
    elif isinstance(value, int):
        text = str(value) if kind in (ValueKind.INTEGER, ValueKind.NUMBER, ValueKind.ANY) else None
    elif isinstance(value, float) and kind in (ValueKind.NUMBER, ValueKind.ANY):
        text = repr(value)
    if text is None:
        raise _not(parameter)
    if parameter.where is Where.HEADER and (len(text) > MAX_HEADER or not _HEADER.fullmatch(text)):
        raise Malformed(
            f"`{parameter.argument}` cannot be in a header",
            code="bad-header",
            remediation="send visible ASCII characters, and no space at either end",
        )
    return text


def quoted(text: str) -> str:
    """Percent-encode everything except the unreserved characters (RFC 3986 section 2.3)."""
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise Malformed("a value contains half a character (a lone surrogate)", code="bad-encoding") from None


def _not(parameter: RouteParameter) -> Malformed:
    return Malformed(
        f"`{parameter.argument}` is not of type {parameter.kind.value}",
        code="bad-argument",
        remediation="send it as the API describes it",
    )


def _too_large(parameter: RouteParameter) -> Malformed:
    """Return the fault of a number that some parsers would round (RFC 7493 section 2.2)."""
    return Malformed(f"`{parameter.argument}` is too large a number", code="number-out-of-range")
