# SPDX-License-Identifier: Apache-2.0
"""The schemas of an OpenAPI document as JSON Schema without references: bounded, and not trusted.

OpenAPI 3.1 schemas are JSON Schema already; in those of 3.0, `nullable` and the boolean `exclusive...` are
rewritten.
"""

from __future__ import annotations

from typing import Final

from remit.core.errors import ConfigInvalid, Malformed
from remit.core.json_value import Json

MAX_DEPTH: Final = 8
MAX_HOPS: Final = 16
#: Schemas of one operation; beyond this, a schema accepts anything. Otherwise, documents whose schemas all
#: refer to each other would grow to a hundred times their size.
MAX_NODES: Final = 400
MAX_TEXT: Final = 4_000
#: Steps for all operations together: a short document can refer to itself a thousand times.
MAX_STEPS: Final = 2_000_000
_STEP_CHARACTERS: Final = 64

_ONE: Final = frozenset({"items", "additionalProperties", "not", "contains", "propertyNames"})
_MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs"})
#: Keywords that do not describe a value, or are OpenAPI's own.
_DROPPED: Final = frozenset(
    {
        "$schema", "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$defs", "definitions", "discriminator",
        "xml", "externalDocs", "example", "examples", "nullable",
    }
)  # fmt: skip

_BOUNDS: Final = {
    "minimum": "exclusiveMinimum",
    "maximum": "exclusiveMaximum",
    "exclusiveMinimum": "minimum",
    "exclusiveMaximum": "maximum",
}


class References:
    """Resolves a document's references within itself."""

    def __init__(self, document: dict[str, Json]) -> None:
        """Take the whole document."""
        self._document = document
        self._left = 0
        self._steps_left = MAX_STEPS

    def step(self, text: str = "") -> None:
        """Count one step, and more for a long text; raise `ConfigInvalid` beyond the bound."""
        self._steps_left -= 1 + len(text) // _STEP_CHARACTERS
        if self._steps_left < 0:
            raise ConfigInvalid(
                f"refers to more than {MAX_STEPS} schemas, parameters and values",
                key="paths",
                remediation="remove recursive or repeated parts, or split the document over several "
                "upstreams",
            )

    def _copied(self, value: Json) -> Json:
        """Return a value unchanged, and count everything in it."""
        below = [value]
        while below:
            one = below.pop()
            self.step(one if isinstance(one, str) else "")
            if isinstance(one, dict):
                below += [*one.keys(), *one.values()]
            elif isinstance(one, list):
                below += one
        return value

    def resolved(self, node: Json) -> dict[str, Json]:
        """Return the object that a node is, or refers to; raise `Malformed`."""
        for _ in range(MAX_HOPS):
            if not isinstance(node, dict):
                raise Malformed("a reference does not lead to an object")
            self.step()
            target = node.get("$ref")
            if target is None:
                return node
            node = self._target(target)
        raise Malformed("a reference leads in a circle")

    def _target(self, target: Json) -> Json:
        if not isinstance(target, str) or not target.startswith("#/"):
            raise Malformed("a reference leads outside the document")
        self.step(target)
        node: Json = self._document
        for piece in target[2:].split("/"):
            name = piece.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and name in node:
                node = node[name]
            else:
                raise Malformed(f"the reference `{target[:120]}` has no target")
        return node

    def begin(self) -> None:
        """Start another operation, whose schemas have their own bound."""
        self._left = MAX_NODES

    def schema(self, node: Json) -> dict[str, Json]:
        """Return a schema without references. Endless nesting becomes a schema that accepts anything."""
        found = self._schema(node, 0)
        return found if isinstance(found, dict) else {}

    def _schema(self, node: Json, depth: int) -> Json:
        self.step()
        self._left -= 1
        if isinstance(node, bool):
            return node
        if depth > MAX_DEPTH or self._left < 0 or not isinstance(node, dict):
            return {}
        target = node.get("$ref")
        if target is not None:
            beside = {key: value for key, value in node.items() if key != "$ref"}
            below = self._schema(self.resolved({"$ref": target}), depth + 1)
            own = self._plain(beside, depth)
            return {**below, **own} if isinstance(below, dict) else own
        return self._plain(node, depth)

    def _plain(self, node: dict[str, Json], depth: int) -> dict[str, Json]:
        out: dict[str, Json] = {}
        for key, value in node.items():
            self.step(key)
            if key in _DROPPED or key.startswith("x-"):
                continue
            if key in _ONE:
                out[key] = self._schema(value, depth + 1)
            elif key in _MANY and isinstance(value, list):
                out[key] = [self._schema(one, depth + 1) for one in value[:64]]
            elif key in _NAMED and isinstance(value, dict):
                out[key] = {
                    self._copied(str(name)): self._schema(one, depth + 1) for name, one in value.items()
                }
            elif key in _BOUNDS:
                _bound(key, node, out)
            elif key == "description" and isinstance(value, str):
                out[key] = value[:MAX_TEXT]
            else:
                out[key] = self._copied(value)
        if node.get("nullable") is True and isinstance(kind := out.get("type"), str):
            out["type"] = [kind, "null"]
        return out

    def properties(self, node: Json) -> tuple[dict[str, Json], frozenset[str]] | None:
        """Return the properties in an object's schema, and the required ones.

        Returns None for a schema that is not an object's, or names no properties.
        """
        found: dict[str, Json] = {}
        required: set[str] = set()
        self._collect(node, found, required, set(), 0, always=True)
        return (found, frozenset(required & found.keys())) if found else None

    def _collect(
        self,
        node: Json,
        found: dict[str, Json],
        required: set[str],
        seen: set[tuple[int, bool]],
        depth: int,
        *,
        always: bool,
    ) -> None:
        """Collect properties and required names. `seen` are the visited schemas: a second visit adds
        nothing.
        """
        if depth > MAX_DEPTH or not isinstance(node, dict):
            return
        node = self.resolved(node)
        if (id(node), always) in seen:
            return
        seen.add((id(node), always))
        properties, needed = node.get("properties"), node.get("required")
        if isinstance(properties, dict):
            for name, one in properties.items():
                self.step(str(name))
                found.setdefault(str(name), one)
        if always and isinstance(needed, list):
            required.update(name for name in needed if isinstance(name, str))
        for word in ("allOf", "anyOf", "oneOf"):
            below = node.get(word)
            for one in below[:64] if isinstance(below, list) else ():
                self._collect(one, found, required, seen, depth + 1, always=always and word == "allOf")


def _bound(key: str, node: dict[str, Json], out: dict[str, Json]) -> None:
    """Copy a bound. In OpenAPI 3.0, `exclusiveMinimum: true` makes `minimum` exclusive."""
    other = _BOUNDS[key]
    if isinstance(node[key], bool):
        return
    if node.get(other) is True:
        out[other] = node[key]
    else:
        out[key] = node[key]
