# SPDX-License-Identifier: Apache-2.0
"""Cedar source text: split into single policies with their line numbers, and safe writing of strings and of
exceptions.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.policy.bundle import PolicySource
from remit.core.policy.rule_exception import RuleException

# A string literal, a line comment, or the semicolon that ends a policy. Linear: every branch begins
# differently, and an unterminated literal extends to the end.
_LITERAL = r'"(?:[^"\\]++|\\.)*+"?|//[^\n]*'
_MARK = re.compile(rf"{_LITERAL}|;", re.DOTALL)
_BRACKET = re.compile(rf"{_LITERAL}|(?P<opens>[(\[{{])|(?P<closes>[)\]}}])", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_RESERVED = frozenset({"true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"})
#: Whole numbers of Cedar.
_WHOLE = range(-(2**63), 2**63)
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


def with_exception(
    sources: Sequence[PolicySource], rule_text: str, exception: RuleException
) -> tuple[PolicySource, ...]:
    """Return the sources with the exception in the one rule that has this text; raise `Malformed`."""
    holding = [one for one in sources for _ in range(one.text.count(rule_text))]
    if len(holding) != 1:
        raise Malformed("the text of this rule is not unique", remediation="write the exception by hand")
    written = f"{rule_text.removesuffix(';')}\n{_clause(exception)};"
    changed = msgspec.structs.replace(holding[0], text=holding[0].text.replace(rule_text, written))
    return tuple(changed if one is holding[0] else one for one in sources)


def _clause(exception: RuleException) -> str:
    names = sorted((*exception.same, *exception.texts))
    tests = [
        f"principal == Agent::{quoted(exception.agent)} && resource == Tool::{quoted(exception.tool)}",
        f"!context.flow.tainted && context.label.class_level <= {exception.class_level}",
        f"context.arg_names == {_literal(names)}",
        *(_equal(name, value) for name, value in sorted(exception.same.items())),
    ]
    lines = " &&\n  ".join(tests)
    return f"unless {{\n  {lines}\n}}"


def _equal(name: str, value: Json) -> str:
    key = quoted(name)
    return f"context.args has {key} && context.args[{key}] == {_literal(value)}"


def _literal(value: Json) -> str:
    """Return a value in Cedar; raise `Malformed` for one that Cedar compares in another way."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value in _WHOLE:
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return f"[{', '.join(map(quoted, value))}]"
    raise Malformed("Cedar cannot compare such a value", remediation="write the exception by hand")
