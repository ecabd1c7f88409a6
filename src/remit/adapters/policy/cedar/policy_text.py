# SPDX-License-Identifier: Apache-2.0
"""Cedar source text: split into single policies with their line numbers, and safe writing of strings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

import msgspec

# A string literal, a line comment, or the semicolon that ends a policy. Linear: every branch begins
# differently, and an unterminated literal extends to the end.
_LITERAL = r'"(?:[^"\\]++|\\.)*+"?|//[^\n]*'
_MARK = re.compile(rf"{_LITERAL}|;", re.DOTALL)
_BRACKET = re.compile(rf"{_LITERAL}|(?P<opens>[(\[{{])|(?P<closes>[)\]}}])", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_RESERVED = frozenset({"true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


class PolicyPart(msgspec.Struct, frozen=True):
    """The text of one policy and the line (from 1) of its first word."""

    text: str
    line: int


def pieces(text: str) -> Iterator[PolicyPart]:
    """Split a policy file at the semicolons that end policies; leave out parts with only comments and
    space.
    """
    first: int | None = None
    position = counted = 0
    line = 1
    for mark in _MARK.finditer(text):
        first = _first_word(text, position, mark.start()) if first is None else first
        position = mark.end()
        if mark.group() == ";":
            begin = mark.start() if first is None else first
            line += text.count("\n", counted, begin)
            counted = begin
            yield PolicyPart(text[begin:position], line)
            first = None
        elif mark.group()[0] == '"' and first is None:
            first = mark.start()
    first = _first_word(text, position, len(text)) if first is None else first
    if first is not None:
        yield PolicyPart(text[first:], line + text.count("\n", counted, first))


def depth_of(text: str) -> int:
    """Return the nesting depth of brackets, without those in literals and comments."""
    depth = most = 0
    for mark in _BRACKET.finditer(text):
        if mark.lastgroup == "opens":
            depth += 1
            most = max(most, depth)
        elif mark.lastgroup == "closes":
            depth -= 1
    return most


def _first_word(text: str, start: int, end: int) -> int | None:
    for at in range(start, end):
        if not text[at].isspace():
            return at
    return None


def quoted(value: str) -> str:
    """Write a Cedar string literal. Nothing in `value` can end the literal or its line."""
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    # A lone surrogate is not a Unicode scalar value and cannot be written in Cedar.
    return f"\\u{{{ord(char):x}}}" if not 0xD800 <= ord(char) <= 0xDFFF else "\\u{fffd}"


def attribute(name: str) -> str:
    """Write an attribute's name in a schema: bare if Cedar permits it, otherwise as a literal."""
    return name if _IDENTIFIER.match(name) and name not in _RESERVED else quoted(name)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the remediation for a misspelt name: the nearest known name, or a short list of known names."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if not names:
        return "none exists yet"
    shown = ", ".join(f"`{one}`" for one in names[:8])
    return f"use one of {shown}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")
