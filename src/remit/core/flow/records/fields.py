# SPDX-License-Identifier: Apache-2.0
"""The fields of a result: each text in it, with its path.

Results are JSON, or text that is JSON or YAML, or text. A path consists of mapping keys, with `[]` for every
place of a list (`messages[].body`): tool descriptions and refusals use the same notation. Text without
structure is one field, with the path of its container.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from remit.core.cooperative_steps import Steps, finish
from remit.core.flow.records.json_parsing import reading, texts_in
from remit.core.json_value import Json

MAX_FIELDS = 50_000
"""Fields of one result that are read."""
MAX_DEPTH = 32
MAX_YAML_CHARS = 262_144
"""A longer text is not read as YAML, only as lines."""
MAX_NESTED_YAML = 500
"""Nesting levels of a YAML text that are read."""
MAX_KEY = 80
# Paths at which a server writes a whole result as text. A text inside a structure may come from an outsider,
# who must not be able to name fields.
_WRITTEN = frozenset({"", "content[].text", "contents[].text", "content[].resource.text"})
# How a mapping or a list begins. Any other text would be read far before it proved to be neither.
_BEGINS = re.compile(r"(?:---[^\n]{0,80}\n\s{0,80})?(?:[\[{]|- |-\n|[^\s:#%@`|>\]}][^\n:]{0,79}:(?:[ \n]|$))")
_UNREAD: Json = object()
_NODES = frozenset({yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent})
YAML_STEP = 64
"""Events of a YAML text that one step reads."""
_COMMENT = re.compile(r"#[^\n]*")
MARK = "\ufeff"
"""The byte order mark, which readers of JSON and of YAML skip (RFC 8259 section 8.1)."""
_NUL_WITHIN = 8
"""Leading characters of which one is NUL in JSON of an encoding other than UTF-8; includes a byte order
mark.
"""
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class ResultFields:
    """The fields of one result. After iteration, `cut` is true if fields were left out."""

    def __init__(self, result: Json) -> None:
        """Hold a parsed result: JSON values only."""
        self._result = result
        self._left = MAX_FIELDS
        self.cut = False

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield (path, text) of each field; numbers are yielded as text, booleans and nulls are omitted."""
        yield from self._walk(self._result, "", 0, text=True)

    def _walk(self, value: Json, path: str, depth: int, *, text: bool) -> Iterator[tuple[str, str]]:
        if self._left <= 0 or depth > MAX_DEPTH:
            self.cut = True
            return
        if isinstance(value, dict):
            for key, below in value.items():
                name = str(key)[:MAX_KEY]
                # The text of a key is data, too.
                yield from self._leaf(f"{path}.{name}" if path else name, str(key), key=True)
                yield from self._walk(below, f"{path}.{name}" if path else name, depth + 1, text=text)
        elif isinstance(value, list):
            for below in value:
                yield from self._walk(below, f"{path}[]", depth + 1, text=text)
        elif isinstance(value, str):
            left: list[str] = []
            if text and path in _WRITTEN and (inner := structured(value, left)) is not None:
                # Text that is written twice, or outside the structure, is no reliable field.
                self.cut = self.cut or bool(left)
                yield from self._walk(inner, path, depth + 1, text=False)
            else:
                yield from self._leaf(path, value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield from self._leaf(path, str(value))

    def _leaf(self, path: str, text: str, *, key: bool = False) -> Iterator[tuple[str, str]]:
        if key and not ("@" in text or "." in text or any(map(str.isdigit, text))):
            return
        self._left -= 1
        yield path, text


def structured(text: str, left: list[str] | None = None) -> Json:
    """Return the structure that a text writes as JSON or YAML: a mapping or a list, else None.

    Text outside the structure is added to `left` (`unread`, and comments of YAML). So is the whole text where
    it begins like a structure but cannot be read, or is too long.
    """
    return finish(structuring(text, left))


def may_write(text: str) -> bool:
    """Return whether a text begins like one that writes a structure."""
    bare = text.lstrip().removeprefix(MARK).lstrip()
    return "\0" in bare[:_NUL_WITHIN] or bare[:1] in ("{", "[") or _BEGINS.match(bare) is not None


def structuring(text: str, left: list[str] | None = None) -> Steps[Json]:
    """Return the same as `structured`, in steps."""
    found = yield from _structured(text, left)
    if found is _UNREAD:
        # INVARIANT: unread text belongs to no field, and a client may read it as any field. A party that can
        # lengthen a result, or put half a surrogate pair or a colon into it, must not choose its label.
        if left is not None:
            left.append(text)
        return []
    return found


def _structured(text: str, left: list[str] | None) -> Steps[Json]:
    bare = text.lstrip()
    if bare[:1] == MARK:
        text = bare = bare[1:].lstrip()
    if "\0" in bare[:_NUL_WITHIN]:
        # Some clients detect the encoding of JSON (RFC 4627 section 3) and would read other fields.
        return _UNREAD
    if bare[:1] in ("{", "["):
        try:
            return (yield from reading(text, [] if left is None else left))
        except ValueError:
            pass
    if not _BEGINS.match(bare):
        return None
    if len(text) > MAX_YAML_CHARS:
        return _UNREAD
    beside: list[str] = []
    try:
        found = yield from _of_yaml(text, beside)
        if left is not None and "#" in text:
            beside += yield from _comments(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return _UNREAD
    if not isinstance(found, dict | list):
        return None
    if left is not None:
        left += beside
    return found


def _comments(text: str) -> Steps[list[str]]:
    """Return the comments of a YAML text, and the text after a block scalar indicator."""
    found: list[str] = []
    at = 0
    for count, token in enumerate(yaml.scan(text, Loader=_LOADER)):
        if not count % YAML_STEP:
            yield
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark.index, token.end_mark.index
            if token.style in ("|", ">"):
                start = text.find("\n", start, end)
                start = end if start < 0 else start
            found += _COMMENT.findall(text, at, start)
            at = end
    return found + _COMMENT.findall(text, at)


class _Box:
    """A mapping or a list of a YAML text, with its values so far, and the key of the next value."""

    __slots__ = ("into", "key")

    def __init__(self, into: Json) -> None:
        self.into = into
        self.key: str | None = None

    def put(self, value: Json, left: list[str]) -> None:
        """Add a value. Where a name occurs again in a mapping, its earlier value is added to `left`."""
        if isinstance(self.into, list):
            self.into.append(value)
        elif self.key is None:
            if not isinstance(value, str) or "{" in value:
                # `while(1);{"salary": 7}` is a YAML mapping, but clients read a JSON object in it.
                raise ValueError("a key that is no text, or in which an object begins")
            self.key = value
        else:
            if self.key in self.into:
                left.extend(texts_in({self.key: self.into[self.key]}))
            self.into[self.key] = value
            self.key = None


def _of_yaml(text: str, left: list[str]) -> Steps[Json]:
    """Return the value of a YAML text: every scalar is a text, and tags have no effect.

    Raises for invalid YAML, and for an alias: an alias puts one value in many places and can make a walk
    endless.
    """
    root = _Box([])
    stack = [root]
    anchors: set[str] = set()
    event: Any
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if not count % YAML_STEP:
            yield
        kind, box = type(event), stack[-1]
        if kind is yaml.AliasEvent or (kind is yaml.DocumentStartEvent and root.into):
            raise ValueError("an alias, or a second document")
        if kind in _NODES and event.anchor is not None:
            if event.anchor in anchors:
                raise ValueError("a duplicate anchor")
            anchors.add(event.anchor)
        if kind is yaml.ScalarEvent:
            box.put(event.value, left)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            if len(stack) > MAX_NESTED_YAML:
                raise ValueError("nested without end")
            stack.append(_Box({} if kind is yaml.MappingStartEvent else []))
            box.put(stack[-1].into, left)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            stack.pop()
    return root.into[0] if root.into else None
