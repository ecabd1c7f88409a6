# SPDX-License-Identifier: Apache-2.0
"""JSON with comments and trailing commas, read with the position of every value."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json

MAX_DEPTH: Final = 64
_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR: Final = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Span:
    """A value and its position: from `start` up to, not including, `end`.

    `members` are those of an object by name, and those of a list by position (`"0"`).
    """

    value: Json
    start: int
    end: int
    members: dict[str, Span] = field(default_factory=dict)

    def at(self, path: Sequence[str]) -> Span | None:
        """Return the value at a path of member names; None if there is none."""
        found: Span | None = self
        for name in path:
            found = found.members.get(name) if found is not None else None
        return found


def parse(text: str, file: str) -> Span:
    """Read one value; raises `ConfigInvalid` naming file and line."""
    reading = _Reading(text, file)
    try:
        root = reading.value(reading.blank(1 if text.startswith("\ufeff") else 0), 0)
    except json.JSONDecodeError as fault:
        raise reading.refuse(fault.pos, "is not JSON") from None
    if reading.blank(root.end) != len(text):
        raise reading.refuse(root.end, "contains more than one value")
    return root


def replaced(text: str, changes: Sequence[tuple[Span, str]]) -> str:
    """Replace values with new text; everything else stays unchanged, byte for byte."""
    for span, fresh in sorted(changes, key=lambda change: change[0].start, reverse=True):
        text = text[: span.start] + fresh + text[span.end :]
    return text


def written_at(text: str, span: Span, value: Json) -> str:
    """Return a value's text for the position of `span`, indented like its surroundings."""
    line = text[text.rfind("\n", 0, span.start) + 1 : span.start]
    margin = line[: len(line) - len(line.lstrip())]
    step = "\t" if "\t" in margin else " " * (4 if len(margin) % 4 == 0 and len(margin) >= 8 else 2)
    ending = "\r\n" if "\r\n" in text else "\n"
    return json.dumps(value, indent=step, ensure_ascii=False).replace("\n", ending + margin)


class _Reading:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file

    def blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def value(self, at: int, depth: int) -> Span:
        if depth > MAX_DEPTH:
            raise self.refuse(at, "is nested too deeply")
        first = self._text[at : at + 1]
        if first == "{":
            return self._object(at, depth)
        if first == "[":
            return self._list(at, depth)
        found = _STRING.match(self._text, at) if first == '"' else _SCALAR.match(self._text, at)
        if found is None:
            raise self.refuse(at, "is not JSON")
        return Span(json.loads(found[0]), at, found.end())

    def _object(self, start: int, depth: int) -> Span:
        members: dict[str, Span] = {}
        at = self.blank(start + 1)
        while self._text[at : at + 1] != "}":
            name = _STRING.match(self._text, at)
            if name is None:
                raise self.refuse(at, "is not JSON")
            key = json.loads(name[0])
            if key in members:
                raise self.refuse(at, f"has `{key[:60]}` twice")
            at = self.blank(name.end())
            if self._text[at : at + 1] != ":":
                raise self.refuse(at, "is not JSON")
            members[key] = self.value(self.blank(at + 1), depth + 1)
            at = self._next(members[key].end, "}")
        return Span({name: one.value for name, one in members.items()}, start, at + 1, members)

    def _list(self, start: int, depth: int) -> Span:
        items: list[Span] = []
        at = self.blank(start + 1)
        while self._text[at : at + 1] != "]":
            items.append(self.value(at, depth + 1))
            at = self._next(items[-1].end, "]")
        return Span([one.value for one in items], start, at + 1, {str(n): one for n, one in enumerate(items)})

    def _next(self, at: int, closing: str) -> int:
        at = self.blank(at)
        if self._text[at : at + 1] == ",":
            return self.blank(at + 1)
        if self._text[at : at + 1] != closing:
            raise self.refuse(at, "is not JSON")
        return at

    def refuse(self, at: int, why: str) -> ConfigInvalid:
        line = self._text.count("\n", 0, at) + 1
        return ConfigInvalid(
            why, file=self._file, line=line, remediation="correct the file; nothing was changed"
        )
