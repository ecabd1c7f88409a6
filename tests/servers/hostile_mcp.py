# SPDX-License-Identifier: Apache-2.0
"""An MCP server that writes a canary into every member of every message of one protocol era.

The messages are made from the schema of the protocol itself (the wire types of the official SDK), so that a
member of a later revision is written, too. A canary is a unique address: `c7.canary.example`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mcp_types.methods import SERVER_NOTIFICATIONS, SERVER_REQUESTS, SERVER_RESULTS
from pydantic import TypeAdapter

from tests.servers.scripted_mcp import LEGACY, MODERN, Emit, ScriptedServer, dumps

Json = Any
Path = tuple[str | int, ...]

CANARY = re.compile(rb"c\d+\.canary\.example")
VERSIONS = {"modern": MODERN, "legacy": LEGACY}
#: Members whose text is an address of a particular kind.
_URIS = {"uri", "uriTemplate"}


@dataclass
class Canaries:
    """Gives canaries, and knows the whole text in which each stands."""

    texts: dict[bytes, str] = field(default_factory=dict)

    def new(self, name: str = "") -> str:
        """Return another one, as a member of that name has it."""
        host = f"c{len(self.texts)}.canary.example"
        text = f"note://{host}/x" if name in _URIS else f"mail@{host}"
        self.texts[host.encode()] = text
        return text

    def within(self, told: bytes) -> list[str]:
        """Return the canaries that occur in what a client received."""
        return [self.texts[host] for host in dict.fromkeys(CANARY.findall(told))]


class Sample:
    """One message of a type, with a canary wherever a text may stand; `choices` picks of each union."""

    def __init__(self, schema: Json, canaries: Canaries, choices: dict[Path, int]) -> None:
        self._defs = schema.get("$defs", {})
        self._canaries = canaries
        self._choices = choices
        #: How many kinds of value may stand at each place.
        self.unions: dict[Path, int] = {}
        self.value = self._fill(schema, (), frozenset())

    def _fill(self, schema: Json, path: Path, around: frozenset[str]) -> Json:
        while "$ref" in schema:
            what = schema["$ref"].rpartition("/")[2]
            if what in around:
                # The same again, one level deeper.
                return self._canaries.new()
            schema, around = self._defs[what], around | {what}
        name = str(path[-1]) if path else ""
        if kinds := schema.get("anyOf") or schema.get("oneOf"):
            some = [one for one in kinds if one.get("type") != "null"]
            self.unions[path] = len(some)
            return self._fill(some[self._choices.get(path, 0) % len(some)], path, around)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self._object(schema, path, around)
        if kind == "array":
            return [self._fill(schema.get("items", {}), (*path, 0), around)]
        if kind in ("integer", "number"):
            return 1
        if kind == "boolean":
            return False
        if name == "resultType":
            return "complete"
        return self._canaries.new(name) if kind == "string" else {"any": self._canaries.new()}

    def _object(self, schema: Json, path: Path, around: frozenset[str]) -> Json:
        named = schema.get("properties", {})
        found = {key: self._fill(one, (*path, key), around) for key, one in named.items()}
        more = schema.get("additionalProperties")
        if more is not False:
            below = more if isinstance(more, dict) and more else {"type": "string"}
            found["beside"] = self._fill(below, (*path, "beside"), around)
            found[self._canaries.new()] = 1
        return found


def samples(kind: Any, canaries: Canaries) -> Iterator[Json]:
    """Yield messages of a type, so that each kind of value stands once wherever it may; then, for each member
    that is no text, one in which it is.
    """
    schema = TypeAdapter(kind).json_schema(mode="validation")
    first = Sample(schema, canaries, {})
    todo = [(path, kind) for path, count in first.unions.items() for kind in range(1, count)]
    found = [first]
    done = set(todo)
    while todo:
        path, kind = todo.pop()
        one = Sample(schema, canaries, {path: kind})
        found.append(one)
        for below, count in one.unions.items():
            new = [(below, other) for other in range(1, count) if (below, other) not in done]
            # What lies below a choice is chosen from there, with it.
            if below[: len(path)] == path and below != path:
                for at, other in new:
                    done.add((at, other))
                    found.append(Sample(schema, canaries, {path: kind, at: other}))
    for one in found:
        yield one.value
    for path in _plain(first.value, ()):
        changed = copy.deepcopy(first.value)
        at = changed
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = canaries.new()
        yield changed


def _plain(value: Json, path: Path) -> Iterator[Path]:
    """Yield the places of what holds no canary."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _plain(one, (*path, key))
    elif isinstance(value, list):
        for key, one in enumerate(value):
            yield from _plain(one, (*path, key))
    elif "canary" not in str(value):
        yield path


def results(era: str, method: str, canaries: Canaries) -> list[Json]:
    """Return the results that a method may have."""
    return list(samples(SERVER_RESULTS[method, VERSIONS[era]], canaries))


def answered(era: str) -> set[str]:
    """Return the methods of an era that servers answer."""
    return {method for method, version in SERVER_RESULTS if version == VERSIONS[era]}


def spoken(era: str, canaries: Canaries) -> list[bytes]:
    """Return all that a server of an era may say before its answer: notifications, and requests of its
    own.
    """
    version = VERSIONS[era]
    out: list[bytes] = []
    for (method, of), kind in SERVER_NOTIFICATIONS.items():
        if of == version:
            said = [{"method": method, "params": one.get("params")} for one in samples(kind, canaries)]
            out += [dumps({"jsonrpc": "2.0", **one}) for one in said]
    for (method, of), kind in SERVER_REQUESTS.items():
        if of == version:
            for count, one in enumerate(samples(kind, canaries)):
                asked = {"id": f"{method}-{count}", "method": method, "params": one.get("params")}
                out.append(dumps({"jsonrpc": "2.0", **asked}))
    return out


class HostileServer(ScriptedServer):
    """Gives what was put in: `gives` by method, `says` before the answer of a call, `error` in its place."""

    def __init__(self, era: str) -> None:
        super().__init__(era)
        self.gives: dict[str, Json] = {}
        self.says: list[bytes] = []
        self.error: Json = None

    def answer(self, message: Json, emit: Emit) -> Json | None:
        """Return it, where something was put in for a method; else what the scripted server says."""
        method = message.get("method")
        if "id" not in message or method not in self.gives:
            return super().answer(message, emit)
        self.seen.append(message)
        for one in self.says:
            emit(one)
        if self.error is not None:
            return {"jsonrpc": "2.0", "id": message["id"], "error": self.error}
        return {"jsonrpc": "2.0", "id": message["id"], "result": self.gives[method]}
