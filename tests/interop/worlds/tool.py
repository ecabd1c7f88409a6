# SPDX-License-Identifier: Apache-2.0
"""Define what worlds are made of: tools over a state of plain JSON, and places where outsiders write."""

import copy
import importlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

import yaml

State = dict[str, Any]
Schema = dict[str, Any]
Arguments = dict[str, Any]
Call = tuple[str, Arguments]
HERE = Path(__file__).parent


class ToolError(Exception):
    """Report to the caller, in the product's words, that a call failed."""


@dataclass(frozen=True, slots=True)
class WorldTool:
    """Describe and run one tool of a world."""

    name: str
    description: str
    input_schema: Schema
    output_schema: Schema | None
    call: Callable[[State, Arguments], Any]


class World(Protocol):
    """State what `world.py` of each world has."""

    TOOLS: tuple[WorldTool, ...]

    def initial(self) -> State:
        """Return a fresh state."""

    def places(self, state: State) -> list[str]:
        """Return the places into which an outsider can write text."""

    def inject(self, state: State, place: str, text: str) -> None:
        """Append an outsider's text to what a place says."""


def names() -> list[str]:
    """Return the names of the worlds."""
    return sorted(path.parent.name for path in HERE.glob("*/world.py"))


def world(name: str) -> World:
    """Return a world by its name."""
    return cast(World, importlib.import_module(f"tests.interop.worlds.{name}.world"))


def samples(name: str) -> Callable[[State], list[Call]]:
    """Return what lists a world's sample calls: at least one of each tool, which together show each place."""
    module = importlib.import_module(f"tests.interop.worlds.{name}.samples")
    return cast(Callable[[State], list[Call]], module.samples)


def tool(
    inputs: Schema, output: Schema | None = None, *, name: str | None = None
) -> Callable[[Callable[[State, Arguments], Any]], WorldTool]:
    """Make a tool of a function, whose docstring is the vendor's description."""

    def made(function: Callable[[State, Arguments], Any]) -> WorldTool:
        def call(state: State, arguments: Arguments) -> Any:
            # Copies, so that the caller and the state share nothing.
            return copy.deepcopy(function(state, copy.deepcopy(arguments)))

        description = " ".join((function.__doc__ or "").split())
        return WorldTool(name or function.__name__, description, inputs, output, call)

    return made


def string(description: str = "", **more: Any) -> Schema:
    """Return the schema of a string; `more` are further keywords, as `enum` or `format`."""
    return _described({"type": "string"}, description, more)


def integer(description: str = "", **more: Any) -> Schema:
    """Return the schema of an integer."""
    return _described({"type": "integer"}, description, more)


def number(description: str = "", **more: Any) -> Schema:
    """Return the schema of a number."""
    return _described({"type": "number"}, description, more)


def boolean(description: str = "", **more: Any) -> Schema:
    """Return the schema of a boolean."""
    return _described({"type": "boolean"}, description, more)


def array(items: Schema, description: str = "", **more: Any) -> Schema:
    """Return the schema of an array."""
    return _described({"type": "array", "items": items}, description, more)


def record(properties: dict[str, Schema], *, optional: Iterable[str] = (), description: str = "") -> Schema:
    """Return the schema of an object whose properties are required, except for the optional ones."""
    required = [name for name in properties if name not in set(optional)]
    return _described({"type": "object", "properties": properties, "required": required}, description, {})


def inputs(properties: dict[str, Schema] | None = None, *, optional: Iterable[str] = ()) -> Schema:
    """Return the schema of a tool's arguments, which takes no others."""
    return {**record(properties or {}, optional=optional), "additionalProperties": False}


def nullable(schema: Schema) -> Schema:
    """Return a schema that takes null as well."""
    return {**schema, "type": [schema["type"], "null"]}


def _described(schema: Schema, description: str, more: Schema) -> Schema:
    return {**schema, **({"description": description} if description else {}), **more}


class _PlainLoader(yaml.SafeLoader):
    """Read YAML as JSON's types: dates, and words as `on` and `no`, stay strings."""

    yaml_implicit_resolvers = {
        first: [
            (tag, pattern)
            for tag, pattern in found
            if tag != "tag:yaml.org,2002:timestamp" and (tag != "tag:yaml.org,2002:bool" or first in "tf")
        ]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load(path: Path) -> State:
    """Return a fresh state from a YAML file."""
    return cast(State, json.loads(_read(path)))


@cache
def _read(path: Path) -> str:
    return json.dumps(yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainLoader))


@dataclass(frozen=True, slots=True)
class Outside:
    """Name the fields of one kind of record into which outsiders write."""

    kind: str
    records: Callable[[State], Iterable[tuple[object, dict[str, Any]]]]
    fields: tuple[str, ...]


def places_of(state: State, outsides: Iterable[Outside]) -> list[str]:
    """Return the names of all places, as `issue:12.body`."""
    return [
        f"{outside.kind}:{key}.{field}"
        for outside in outsides
        for key, found in outside.records(state)
        for field in outside.fields
        if found.get(field) is not None
    ]


def append_to(state: State, outsides: Iterable[Outside], place: str, text: str) -> None:
    """Append a text to what a place says."""
    for outside in outsides:
        for key, found in outside.records(state):
            for field in outside.fields:
                if place == f"{outside.kind}:{key}.{field}":
                    before = found[field]
                    gap = "\n\n" if len(before) > 80 else " "
                    found[field] = before + gap + text
                    return
    raise KeyError(place)
