# SPDX-License-Identifier: Apache-2.0
"""Edits of a task type's file, as text: comments and layout stay as people wrote them.

INVARIANT: an edit is returned only if the file then says exactly what it said, without what was taken out.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from typing import Any

import yaml

#: Whether an item of a list goes.
_Goes = Callable[[Any], bool]


def without_tools(text: str, tools: Collection[str]) -> str | None:
    """Return a task type's file without its grants of some tools; `None` if that cannot be written."""
    return _edited(
        text,
        {
            ("grants",): lambda one: isinstance(one, dict) and one.get("tool") in tools,
            ("ends_after",): lambda one: one in tools,
        },
    )


def without_agent(text: str, agent: str) -> str | None:
    """Return a task type's file in which an agent neither runs it nor is handed its work."""
    return _edited(
        text, {("run_by",): lambda one: one == agent, ("delegates", "to"): lambda one: one == agent}
    )


def difference(file: str, old: str, new: str) -> str:
    """Return a unified diff of one file."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{file}", f"b/{file}"
    )
    return "".join(lines)


def _edited(text: str, going: dict[tuple[str, ...], _Goes]) -> str | None:
    """Take the items out, the last list of the file first: the places before it stay."""
    try:
        root, said = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    lists = [(node, goes) for path, goes in going.items() if (node := _at(root, path)) is not None]
    out = text
    for node, goes in sorted(lists, key=lambda one: one[0].start_mark.index, reverse=True):
        out = _taken(out, node, goes)
    for path, goes in going.items():
        _take(said, path, goes)
    try:
        return out if out != text and yaml.safe_load(out) == said else None
    except yaml.YAMLError:
        return None


def _at(node: yaml.Node | None, path: tuple[str, ...]) -> yaml.SequenceNode | None:
    for name in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for key, value in pairs if key.value == name), None)
    return node if isinstance(node, yaml.SequenceNode) else None


def _take(said: Any, path: tuple[str, ...], goes: _Goes) -> None:
    for name in path[:-1]:
        said = said.get(name) if isinstance(said, dict) else None
    if isinstance(said, dict) and isinstance(kept := said.get(path[-1]), list):
        said[path[-1]] = [one for one in kept if not goes(one)]


def _taken(text: str, node: yaml.SequenceNode, goes: _Goes) -> str:
    """Return a text without the items of one list that go; an empty list is left to the caller to refuse."""
    items = [(one, goes(yaml.SafeLoader("").construct_document(one))) for one in node.value]
    if not any(gone for _, gone in items):
        return text
    if node.flow_style:
        kept = ", ".join(text[one.start_mark.index : one.end_mark.index] for one, gone in items if not gone)
        return f"{text[: node.start_mark.index]}[{kept}]{text[node.end_mark.index :]}"
    lines = text.splitlines(keepends=True)
    for one, gone in reversed(items):
        if gone:
            del lines[one.start_mark.line : _last_line(one) + 1]
    return "".join(lines)


def _last_line(node: yaml.Node) -> int:
    """Return the last line of an item, without blank lines and comments that follow it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.line if node.end_mark.column else node.end_mark.line - 1)
