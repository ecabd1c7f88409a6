# SPDX-License-Identifier: Apache-2.0
"""Structured files as one tree with positions: JSON with comments, TOML and YAML.

Hostile content yields None: nothing is raised, and nothing recurses deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

import yaml

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.discovered import FilePlace, Piece, SourceKind
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.jsonc import MAX_DEPTH, Span, parse

#: Bytes of the largest file that is read as a tree; larger ones are read as text.
MAX_BYTES: Final = 8 * 1024 * 1024
#: Nodes of a YAML file that are read.
MAX_NODES: Final = 200_000
#: Texts of one file that become pieces.
MAX_LEAVES: Final = 100_000
#: Characters of one piece.
MAX_PIECE: Final = 200_000
_SHORTEST: Final = 4
_PLAIN: Final[dict[str, Json]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


class TreeText(NamedTuple):
    """A text in a tree, with the names that lead to it."""

    names: tuple[str, ...]
    text: str
    start: int


class Structure(NamedTuple):
    """A file's tree, and its lines."""

    chunk: FileChunk
    root: Span
    lines: tuple[int, ...]

    def place(self, names: tuple[str, ...] = (), span: Span | None = None) -> FilePlace:
        """Return the place of a value: of `span`, or of what the names lead to."""
        found = span if span is not None else self.root.at(names)
        line = bisect_right(self.lines, found.start) if found is not None and found.end else 1
        return FilePlace(
            file=self.chunk.file,
            line=self.chunk.line + line - 1,
            inside=".".join(one[:80] for one in names)[:300],
            commit=self.chunk.commit,
        )

    def pieces(
        self, names: tuple[str, ...] = (), *, kind: SourceKind = SourceKind.CONFIG, agent: str = ""
    ) -> Iterator[Piece]:
        """Yield the texts below a value."""
        root = self.root.at(names)
        for leaf in leaves(root, names) if root is not None else ():
            at = self.place(leaf.names, Span(leaf.text, leaf.start, leaf.start + 1))
            for start in range(0, len(leaf.text), MAX_PIECE):
                text = leaf.text[start : start + MAX_PIECE]
                yield Piece(text=text, place=at, kind=kind, names=leaf.names, agent=agent)


def structure(chunk: FileChunk) -> Structure | None:
    """Return the tree of a whole file by its ending; None where it is not one."""
    if not chunk.whole or len(chunk.content) > MAX_BYTES:
        return None
    text = chunk.content.decode("utf-8-sig", "replace")
    root = parsed(text, chunk.file)
    if root is None:
        return None
    return Structure(chunk, root, (0, *(found.end() for found in re.finditer("\n", text))))


def parsed(text: str, file: str) -> Span | None:
    """Return the tree of a text by the file's ending (JSON without a known one); None where it is not one."""
    name = file.lower()
    try:
        if name.endswith(".toml"):
            return _of_toml(text)
        if name.endswith((".yaml", ".yml")):
            return _of_yaml(text)
        return parse(text, file)
    except (ConfigInvalid, ValueError, RecursionError, yaml.YAMLError):
        return None


def leaves(root: Span, names: tuple[str, ...] = ()) -> Iterator[TreeText]:
    """Yield the texts of a tree in its order, at most `MAX_LEAVES`; very short ones are left out."""
    waiting: list[tuple[tuple[str, ...], Span]] = [(names, root)]
    for _ in range(MAX_LEAVES * 2):
        if not waiting:
            return
        path, span = waiting.pop()
        if isinstance(span.value, str):
            if len(span.value) >= _SHORTEST:
                yield TreeText(path, span.value, span.start)
        else:
            waiting += [((*path, name), one) for name, one in reversed(span.members.items())]


def _of_toml(text: str) -> Span | None:
    """Return TOML as a tree; the position of a table is that of its header."""
    return _spans(tomllib.loads(text), text, "", 0, 0)


def _spans(value: Json, text: str, header: str, near: int, depth: int) -> Span | None:
    if depth > MAX_DEPTH:
        return None
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    members: dict[str, Span] = {}
    at = max(text.find(f"[{header}]"), 0) if header and isinstance(value, dict) else near
    for name, one in pairs:
        below = f"{header}.{name}" if header else str(name)
        found = text.find(f"{name}", at) if isinstance(value, dict) else at
        made = _spans(one, text, below, max(found, at), depth + 1)
        if made is not None:
            members[str(name)] = made
    plain = (
        value if isinstance(value, str | int | float | bool | dict | list) or value is None else str(value)
    )
    return Span(plain, at, at + 1, members)


def _of_yaml(text: str) -> Span | None:
    """Return the first document as a tree. Read event by event: an alias copies nothing, depth is bounded."""
    open_: list[tuple[Span, list[str]]] = []
    anchors: dict[str, Span] = {}
    for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if number > MAX_NODES or len(open_) > MAX_DEPTH:
            return None
        if isinstance(event, yaml.DocumentEndEvent):
            return None
        if isinstance(event, yaml.CollectionEndEvent):
            made = open_.pop()[0]
            if not open_:
                return made
            continue
        span = _begun(event, anchors)
        if span is None:
            continue
        if open_:
            _add(open_[-1], span)
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((span, []))
        elif not open_:
            return span
    return None


def _marks(event: yaml.Event) -> tuple[int, int]:
    start, end = event.start_mark, event.end_mark
    return start.index if start is not None else 0, end.index if end is not None else 1


def _begun(event: yaml.Event, anchors: dict[str, Span]) -> Span | None:
    if isinstance(event, yaml.AliasEvent):
        known = anchors.get(event.anchor or "")
        return Span(known.value if known else None, *_marks(event))
    if isinstance(event, yaml.ScalarEvent):
        value: Json = event.value
        if not event.style and event.implicit[0]:
            value = _PLAIN.get(event.value, event.value)
    elif isinstance(event, yaml.MappingStartEvent):
        value = {}
    elif isinstance(event, yaml.SequenceStartEvent):
        value = []
    else:
        return None
    span = Span(value, *_marks(event))
    if event.anchor and not isinstance(value, dict | list):
        anchors[event.anchor] = span
    return span


def _add(parent: tuple[Span, list[str]], span: Span) -> None:
    """Add a node to its parent: to a list, or to a mapping as a name and then its value."""
    box, names = parent
    if isinstance(box.value, list):
        box.members[str(len(box.value))] = span
        box.value.append(span.value)
    elif names:
        name = names.pop()
        box.members[name] = span
        box.value[name] = span.value
    else:
        names.append(str(span.value)[:200] if not isinstance(span.value, dict | list) else "?")


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
