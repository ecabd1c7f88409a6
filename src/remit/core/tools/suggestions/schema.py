# SPDX-License-Identifier: Apache-2.0
"""The parts of a JSON Schema: the values that it describes, and their paths. The schema is not trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tools.json_path import steps

MAX_PARTS: Final = 200
MAX_DEPTH: Final = 6
MAX_STEPS: Final = 5_000
MAX_PATH: Final = 300
MAX_NAME: Final = 80


class SchemaPart(NamedTuple):
    """A value that a schema describes: its path, the name in it, and the schema's content for it."""

    path: str
    name: str
    about: dict[str, Json]
    leaf: bool

    @property
    def types(self) -> frozenset[str]:
        """The value's possible types; for a list, also those of its elements."""
        found = {kind for kind in _listed(self.about.get("type")) if isinstance(kind, str)}
        items = self.about.get("items")
        if "array" in found and isinstance(items, dict):
            found |= {kind for kind in _listed(items.get("type")) if isinstance(kind, str)}
        return frozenset(found)

    @property
    def says(self) -> str:
        """The value's description in the schema."""
        said = self.about.get("description")
        return said if isinstance(said, str) else ""


def parts(schema: Json) -> list[SchemaPart]:
    """Return the parts that an object's schema describes, each after its parent; at most `MAX_PARTS`.

    References are followed within the schema. A name that no path can hold is left out, with everything below
    it.
    """
    found: dict[str, SchemaPart] = {}
    if isinstance(schema, dict):
        for part in _Walk(schema).below(schema, "", 0):
            found.setdefault(part.path, part)
            if len(found) >= MAX_PARTS:
                break
    return list(found.values())


def written(name: Json) -> bool:
    """Return whether a file can hold this as the name of an argument or a field."""
    if not isinstance(name, str) or not name or len(name) > MAX_NAME or name == "mcp:input":
        return False
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return False
    try:
        return steps(name)[0] != "[]"
    except Malformed:
        return False


class _Walk:
    """One walk over one schema, bounded in total: references may be circular, and branch at each turn."""

    def __init__(self, root: dict[str, Json]) -> None:
        self._root = root
        self._left = MAX_STEPS

    def below(self, schema: Json, path: str, depth: int) -> Iterator[SchemaPart]:
        """Yield the parts below a value with this schema."""
        if depth > MAX_DEPTH:
            return
        for one in self._alternatives(schema, 0):
            properties = one.get("properties")
            for name, about in properties.items() if isinstance(properties, dict) else ():
                if not written(name) or (path and ("." in name or "[" in name)) or len(path) > MAX_PATH:
                    continue
                at = f"{path}.{name}" if path else name
                said: dict[str, Json] = {}
                for other in self._alternatives(about, 0):
                    said = {**other, **said}
                inner = list(self.below(about, at, depth + 1))
                yield SchemaPart(at, name, said, not inner)
                yield from inner
            if path:
                yield from self.below(one.get("items"), f"{path}[]", depth + 1)

    def _alternatives(self, schema: Json, depth: int) -> Iterator[dict[str, Json]]:
        """Yield a schema, and then its references and alternatives."""
        self._left -= 1
        if not isinstance(schema, dict) or depth > MAX_DEPTH or self._left < 0:
            return
        yield schema
        target = schema.get("$ref")
        if isinstance(target, str):
            yield from self._alternatives(_resolved(self._root, target), depth + 1)
        for word in ("anyOf", "oneOf", "allOf"):
            for one in _listed(schema.get(word))[:8]:
                if isinstance(one, dict) and one.get("type") != "null":
                    yield from self._alternatives(one, depth + 1)


def _resolved(root: Json, target: str) -> Json:
    if not target.startswith("#/"):
        return None
    for step in target[2:].split("/"):
        root = root.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(root, dict) else None
    return root


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [] if value is None else [value]
