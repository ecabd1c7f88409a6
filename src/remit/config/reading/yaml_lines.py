# SPDX-License-Identifier: Apache-2.0
"""Unambiguous YAML, with the line of everything in it.

The reader accepts the plain part of YAML 1.2 (core schema): mappings, lists and scalars. It refuses duplicate
keys, anchors, aliases and merge keys (which make a small file large), tags (which can change the type of a
value), directives, several documents in one file, and nesting deeper than 32.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json

MAX_DEPTH: Final = 32
#: Characters that make a text look different from its content (Unicode TR36, bidirectional controls), and
#: line ends of YAML 1.1 that are none in YAML 1.2.
_MISLEADING: Final = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u0085\u2028\u2029]")
#: libyaml is a hundred times faster. Only its events are used, so that it resolves no value.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_WORDS: Final[dict[str, Json]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its line (from 1), and for a mapping the line of each key.

    `value` is a scalar, a list of nodes, or a dict of nodes.
    """

    value: Json
    line: int
    key_lines: dict[str, int] = field(default_factory=dict)

    def plain(self) -> Json:
        """Return the value without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def child_line(self, key: str, name: str) -> int:
        """Return the line of a mapping's entry below `key`; unlike in `line_of`, `name` may contain dots."""
        below: Node = self.value[key]
        return below.key_lines.get(name, below.line)

    def line_at(self, *names: str) -> int:
        """Return the line at these keys and indexes, as far down as they lead."""
        node, line = self, self.line
        for name in names:
            if isinstance(node.value, dict) and name in node.value:
                line, node = node.key_lines[name], node.value[name]
            elif isinstance(node.value, list) and name.isdecimal() and int(name) < len(node.value):
                node = node.value[int(name)]
                line = node.line
            else:
                break
        return line

    def line_of(self, path: str) -> int:
        """Return the line of a dotted path (`grants[0].arguments.path`), as far down as it leads."""
        return self.line_at(*re.findall(r"[^.\[\]]+", path))


def read_text(content: bytes, file: str) -> str:
    """Decode a file; raises `ConfigInvalid` if it is not UTF-8, or looks different from its content."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise ConfigInvalid("is not UTF-8", file=file, line=line, remediation="save it as UTF-8") from None
    if text.startswith("\ufeff"):
        raise ConfigInvalid(
            "begins with a byte order mark", file=file, line=1, remediation="save it as UTF-8 without one"
        )
    if found := _MISLEADING.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigInvalid(
            f"contains U+{ord(found[0]):04X}, which makes text look different from its meaning",
            file=file,
            line=line,
            remediation="remove the character",
        )
    return text


def read_yaml(text: str, file: str) -> Node:
    """Read one YAML document; raises `ConfigInvalid` naming file and line. An empty document is `{}`."""
    try:
        return _Document(file, yaml.parse(text, Loader=_LOADER)).read()
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = mark.line + 1 if mark else None
        problem = (fault.problem or "cannot be read").replace("\n", " ")
        remediation = "check indentation, quotes and colons there"
        if _indented_by_tab(text, line):
            problem, remediation = "a tab indents this line", "indent with spaces"
        raise ConfigInvalid(
            f"is not YAML: {problem}", file=file, line=line, remediation=remediation
        ) from None
    except (yaml.YAMLError, ValueError) as fault:
        first = str(fault).splitlines()[0] if str(fault) else "cannot be read"
        # For a character that YAML does not permit, the fault has only its position.
        line = text.count("\n", 0, getattr(fault, "position", 0)) + 1
        raise ConfigInvalid(
            f"is not YAML: {first}", file=file, line=line, remediation="save it as plain text"
        ) from None


def _indented_by_tab(text: str, line: int | None) -> bool:
    lines = text.split("\n")
    found = lines[line - 1] if line and line <= len(lines) else ""
    return "\t" in found[: len(found) - len(found.lstrip())]


class _Document:
    """A single reading of one file, from the parser's events; resolves only what is written there."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events

    def read(self) -> Node:
        """Return the single document."""
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise self._refuse(
                        event, "contains a second document", "write one document per file, without `---`"
                    )
                if event.version is not None or event.tags:
                    raise self._refuse(
                        event, "contains a YAML directive", "remove the line that begins with `%`"
                    )
                root = self._node(next(self._events), 0)
            elif isinstance(event, StreamEndEvent):
                break
        if root is None or root.value is None:
            return Node({}, 1)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._refuse(event, "uses an anchor or an alias", "write the value out")
        if getattr(event, "tag", None) is not None:
            raise self._refuse(
                event, "uses a YAML tag", "remove the `!...`; quote a text that begins with `!`"
            )
        if depth > MAX_DEPTH:
            raise self._refuse(event, "is nested too deeply", f"nest at most {MAX_DEPTH} levels")
        line = _line(event)
        if isinstance(event, ScalarEvent):
            return Node(self._scalar(event), line)
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance(event := next(self._events), SequenceEndEvent):
                items.append(self._node(event, depth + 1))
            return Node(items, line)
        if isinstance(event, MappingStartEvent):
            return self._mapping(line, depth)
        raise self._refuse(event, "cannot be read", "write a mapping, a list or a value")

    def _mapping(self, line: int, depth: int) -> Node:
        values: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise self._refuse(event, "has a key that is not plain text", "write the key as one word")
            self._node(event, depth)  # refuses anchors and tags on keys
            key, key_line = event.value, _line(event)
            if key == "<<" and not event.style:
                raise self._refuse(event, "uses a merge key `<<`", "write the keys out")
            if key in values:
                raise ConfigInvalid(
                    f"is given twice, first in line {lines[key]}",
                    file=self._file,
                    line=key_line,
                    key=key,
                    remediation="keep one of them",
                )
            values[key] = self._node(next(self._events), depth + 1)
            lines[key] = key_line
        return Node(values, line, lines)

    def _scalar(self, event: Any) -> Json:
        text = event.value
        if event.style:  # quoted or block style: always a text
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > 40:
                raise self._refuse(event, "is too large a number", "quote it if it is a text")
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text):
            number = float(text) if text[-1] not in "fFnN" else math.inf
            if not math.isfinite(number):
                raise self._refuse(event, "is not a finite number", "quote it if it is a text")
            return number
        return text

    def _refuse(self, event: Any, message: str, remediation: str) -> ConfigInvalid:
        return ConfigInvalid(message, file=self._file, line=_line(event), remediation=remediation)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
