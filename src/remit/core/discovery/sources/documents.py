# SPDX-License-Identifier: Apache-2.0
"""JSON and YAML documents as trees whose texts know their places.

The reader of JSON is ours because it must give lines, bear comments, and go on in parts and in broken ones;
it is one pass without recursion. YAML is read by libyaml's events: no tag is constructed, no alias expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from remit.core.discovery.sources.messages import LocatedText
from remit.core.json_value import Json

#: Deepest nesting of a tree; what is deeper is read as text.
MAX_NESTING: Final = 100
#: Longest YAML text that is parsed, in characters.
MAX_YAML: Final = 1_000_000
#: A text that is a name, or one that is a value; a sign that opens, or closes; a comment; any other word.
_TOKEN: Final = re.compile(
    r'"((?:[^"\\]++|\\.)*+)"?(\s*+:)?|([{\[])|([}\]])|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?'
    r'|([^\s"{}\[\]:,/]++|/)',
    re.DOTALL,
)
_KEY, _VALUE, _OPEN, _CLOSE, _WORD = 2, 1, 3, 4, 5
#: Containers around the list that is a field of the outermost object.
_DEPTH_OF_FIELD: Final = 2
_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def located(text: str, start: int, end: int, line: int, style: str = "") -> LocatedText:
    """Return a text with its place in a document."""
    found = LocatedText(text)
    found.start, found.end, found.line, found.style = start, end, line, style
    return found


def json_tree(text: str) -> Json:
    """Return the JSON value in a text; the values that a part or a broken text holds, as one list.

    Texts are `LocatedText` and numbers their texts. Comments are skipped, and what stays open is closed.
    """
    *_, tree = json_parts(text, None)
    return tree


def json_parts(text: str, field: str | None) -> Iterator[Json]:
    """Yield the containers in the list `field` of an object, one at a time, then the tree without them."""
    roots: list[Json] = []
    current: Any = roots
    # Each open container, and the key under which its next value stands.
    stack: list[tuple[Any, str | None]] = []
    key: str | None = None
    line = counted = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastindex
        value: Any
        if kind == _CLOSE:
            if stack:
                current, key = stack.pop()
                if field and len(stack) == _DEPTH_OF_FIELD and _is_in(stack[1][0], field, current):
                    yield current.pop()
            continue
        if kind == _OPEN:
            if len(stack) >= MAX_NESTING:
                continue
            value = {} if token[3] == "{" else []
        elif kind is None:
            continue
        else:
            start, end = token.span(_WORD if kind == _WORD else _VALUE)
            raw = text[start:end]
            if "\\" in raw:
                raw = unescaped(raw)
            if kind == _KEY and isinstance(current, dict):
                key = raw
                continue
            line += text.count("\n", counted, start)
            counted = start
            value = located(raw, start, end, line, "" if kind == _WORD else '"')
        if isinstance(current, dict):
            name = f"#{len(current)}" if key is None else key
            current[f"{name}#{len(current)}" if name in current else name] = value
        else:
            current.append(value)
        if kind == _OPEN:
            stack.append((current, None))
            current = value
        key = None
    yield roots[0] if len(roots) == 1 else roots


def _is_in(outermost: Json, field: str, container: Json) -> bool:
    """Return whether a container is the list under a field of the outermost object."""
    return isinstance(outermost, dict) and isinstance(container, list) and outermost.get(field) is container


def unescaped(raw: str) -> str:
    """Return what a JSON text without its quotes stands for; itself where it is none."""
    try:
        return msgspec.json.decode(f'"{raw}"', type=str)
    except (msgspec.DecodeError, UnicodeError, ValueError):
        return raw


def yaml_trees(text: str) -> Iterator[Json]:
    """Yield the value of each YAML document up to the first fault. Texts have places, aliases are empty."""
    stack: list[tuple[Any, str | None]] = []
    current: Any = []
    key: str | None = None
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.DocumentStartEvent):
                stack, current, key, depth = [], [], None, 0
            elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                value = _scalar(event, text)
                if isinstance(current, dict) and key is None:
                    key = str(value)
                    continue
                _put(current, key, value)
                key = None
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                opened: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                if isinstance(current, dict) and key is None:
                    key = "?"  # a key that is a collection
                if depth <= MAX_NESTING:
                    _put(current, key, opened)
                stack.append((current, None))
                current, key = opened, None
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
                current, key = stack.pop()
            elif isinstance(event, yaml.DocumentEndEvent):
                yield from current
                current = []
    except (yaml.YAMLError, ValueError, RecursionError, IndexError):
        # A template, a tab, a broken end: what was understood counts.
        root = stack[0][0] if stack else current
        if isinstance(root, list):
            yield from root


def _put(current: Any, key: str | None, value: Json) -> None:
    if isinstance(current, dict):
        current[f"{key}#{len(current)}" if key in current else key] = value
    else:
        current.append(value)


def _scalar(event: yaml.ScalarEvent | yaml.AliasEvent, text: str) -> LocatedText:
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    if isinstance(event, yaml.ScalarEvent):
        if event.style in ("|", ">") and (below := text.find("\n", start.index, end.index) + 1) > 0:
            # A block's text begins on the line below its sign.
            return located(event.value, below, end.index, start.line + 1, event.style)
        return located(event.value, start.index, end.index, start.line, event.style or "")
    return located("", start.index, start.index, start.line)


def plain(value: Json) -> Json:
    """Return a tree as a plain JSON value: unquoted words of YAML and JSON get their types."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, LocatedText) and not value.style:
        word = str(value)
        if word in ("true", "True", "false", "False"):
            return word[0] in "tT"
        if word in ("null", "~", ""):
            return None
        return int(word) if word.isdecimal() and word.isascii() and len(word) < 16 else word
    return str(value) if isinstance(value, str) else value
