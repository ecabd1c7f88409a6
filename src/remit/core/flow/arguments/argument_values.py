# SPDX-License-Identifier: Apache-2.0
"""Every value that an argument holds, one by one: texts, numbers, booleans, and keys that are not names.

A key of an object is a name only where the tool's input schema declares it. Any other key is a value like the
value under it: a tool may take `{"somebody": "text"}` as recipient and message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from remit.core.json_value import Json
from remit.core.tools.json_path import EACH, path_of
from remit.core.tools.tool import Tool

MAX_DEPTH = 32
MAX_REFERENCES = 8
"""References of a schema that are followed from one place."""
MAX_LIST = 65_536
"""Longest address list, in characters, that is split."""
_BRANCHES = ("anyOf", "oneOf", "allOf")
# RFC 5322 section 3.4: commas separate addresses; a comma within quotes belongs to a name.
_ADDRESS = re.compile(r'(?:"[^"\\]*"|[^",;])+')


def values_of(value: Json, tool: Tool | None, name: str) -> Iterator[str]:
    """Yield every value that an argument of a tool holds, as text."""
    schemas: list[Json] = []
    root: Json = {}
    if tool is not None and isinstance(value, dict | list):
        root = tool.input_schema
        schemas = [root]
        for step in path_of(name) if name not in _properties([root], root) else (name,):
            schemas = _items(schemas, root) if step == EACH else _below(schemas, step, root)
    yield from _values(value, schemas, root, 0)


def _values(value: Json, schemas: list[Json], root: Json, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, int | float):
        yield msgspec.json.encode(value).decode()
    elif depth > MAX_DEPTH:
        # Deeper than any tool that is described: a value that was not examined is unknown.
        yield msgspec.json.encode(value).decode()
    elif isinstance(value, dict):
        names = _properties(schemas, root)
        for key, below in value.items():
            if key not in names:
                yield key
                if below is None:
                    # A null under an undeclared key: its effect in the tool is unknown.
                    yield ""
            yield from _values(below, _below(schemas, key, root) if schemas else [], root, depth + 1)
    elif isinstance(value, list):
        items = _items(schemas, root) if schemas else []
        for below in value:
            if below is None or (not below and isinstance(below, dict | list)):
                # An empty or null element of a list: its effect in the tool is unknown.
                yield ""
            # Where parts were taken out of a list, the schema of a single element applies to each.
            yield from _values(below, items or schemas, root, depth + 1)


def several(text: str) -> Iterator[str]:
    """Yield the single destinations of an address list.

    Yields the text unchanged where it is no address list, or where it is longer than any list whose addresses
    are all judged.
    """
    if "@" not in text or not ("," in text or ";" in text) or len(text) > MAX_LIST:
        yield text
        return
    for found in _ADDRESS.finditer(text):
        if one := found[0].strip():
            yield one


def _properties(schemas: list[Json], root: Json) -> frozenset[str]:
    found: set[str] = set()
    for one in _resolved(schemas, root):
        declared = one.get("properties")
        found.update(declared if isinstance(declared, dict) else ())
    return frozenset(found)


def _below(schemas: list[Json], key: str, root: Json) -> list[Json]:
    out = []
    for one in _resolved(schemas, root):
        declared = one.get("properties")
        if isinstance(declared, dict) and key in declared:
            out.append(declared[key])
        elif isinstance(one.get("additionalProperties"), dict):
            out.append(one["additionalProperties"])
    return out


def _items(schemas: list[Json], root: Json) -> list[Json]:
    return [one["items"] for one in _resolved(schemas, root) if isinstance(one.get("items"), dict)]


def _resolved(schemas: list[Json], root: Json) -> Iterator[dict[str, Json]]:
    """Yield the schemas that apply at one place, with references and branches followed."""
    todo, left = list(schemas), MAX_REFERENCES
    while todo and left:
        one = todo.pop()
        if not isinstance(one, dict):
            continue
        yield one
        for branch in _BRANCHES:
            if isinstance(one.get(branch), list):
                todo += one[branch][:MAX_REFERENCES]
                left -= 1
        if isinstance(reference := one.get("$ref"), str) and reference.startswith("#/"):
            left -= 1
            at: Json = root
            for step in reference[2:].split("/")[:MAX_DEPTH]:
                at = at.get(step) if isinstance(at, dict) else None
            todo.append(at)
