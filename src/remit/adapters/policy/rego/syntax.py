# SPDX-License-Identifier: Apache-2.0
"""Reads OPA's syntax tree of Rego files: definitions, and what each of them refers to.

The analysis errs on the safe side: a reference that it does not understand counts as referring to everything.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.json_value import Json

Names = tuple[str, ...]
"""A path of names, below `input` or below `data`."""
#: What operators stand for in the syntax tree: `==`, `in`, `<`, `+` and the others.
OPERATORS: Final = frozenset(
    (
        *("assign", "eq", "equal", "neq", "lt", "lte", "gt", "gte", "internal"),
        *("and", "or", "plus", "minus", "mul", "div", "rem"),
    )
)


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One rule or function of a Rego file.

    `line` and `column` are its place, from 1. `imports` are the statements that its names come from. `reads`
    are the paths below `input`, each with the line of its first mention; `uses` are the paths below `data`.
    `calls` are the built-in functions and user functions that it calls, with their operands. `facts` are the
    annotations below `custom`. `tree` is the syntax tree without places.
    """

    package: Names
    name: str
    file: str
    line: int
    column: int
    text: str
    imports: tuple[str, ...]
    tree: Json
    noted: bool
    facts: dict[str, Json]
    reads: dict[Names, int]
    uses: frozenset[Names]
    calls: tuple[FunctionCall, ...]

    @property
    def path(self) -> Names:
        """Its place below `data`."""
        return (*self.package, self.name)


class FunctionCall(msgspec.Struct, frozen=True):
    """A call of a function: its name, its operands in the syntax tree, and its line."""

    name: str
    operands: tuple[Json, ...]
    line: int


class ParsedFile(msgspec.Struct, frozen=True):
    """One file with its syntax tree."""

    file: str
    text: str
    tree: Json

    @property
    def package(self) -> Names:
        """The package that the file adds to."""
        return tuple(str(part["value"]) for part in self.tree["package"]["path"][1:])

    @property
    def rules(self) -> Sequence[Json]:
        """The syntax trees of its rules and functions."""
        return self.tree.get("rules") or ()

    @property
    def aliases(self) -> dict[str, list[Json]]:
        """The names that its imports give, each with the path that it stands for."""
        return {_alias(each): each["path"]["value"] for each in self.imports}

    @property
    def imports(self) -> Sequence[Json]:
        """The syntax trees of its imports."""
        return self.tree.get("imports") or ()


def definitions(files: Sequence[ParsedFile]) -> list[Definition]:
    """Return the definitions of all files, in their order."""
    own: dict[Names, set[str]] = {}
    for one in files:
        own.setdefault(one.package, set()).update(_name(rule) for rule in one.rules)
    found: list[Definition] = []
    for one in files:
        scope = _Scope(one.package, one.aliases, frozenset(own[one.package]))
        lines = one.text.splitlines()
        found += [_definition(rule, one.package, scope, one.file, lines) for rule in one.rules]
    return found


class _Scope(msgspec.Struct, frozen=True):
    """What the names at the beginning of references mean in one file."""

    package: Names
    aliases: Mapping[str, list[Json]]
    own: frozenset[str]


def _alias(imported: Json) -> str:
    return imported.get("alias") or str(imported["path"]["value"][-1]["value"])


def _name(rule: Json) -> str:
    return str(rule["head"]["ref"][0]["value"])


def _definition(rule: Json, package: Names, scope: _Scope, file: str, lines: Sequence[str]) -> Definition:
    reads: dict[Names, int] = {}
    uses: set[Names] = set()
    calls: list[FunctionCall] = []
    line = int(rule["location"]["row"])
    imports: set[str] = set()
    walker = _Walker(scope, reads, uses, calls, imports)
    walker.node(_without_notes(rule), line)
    notes = [one for one in rule.get("annotations") or () if one.get("scope") == "rule"]
    own = _text(rule["location"])
    # OPA gives only the keyword of a default as its text.
    body = lines[line - 1] if rule.get("default") else own
    shown = [*(_text(one["location"]) for one in notes), body]
    facts: dict[str, Json] = {}
    for one in notes:
        facts |= one.get("custom") or {}
    return Definition(
        package=package,
        name=_name(rule),
        file=file,
        line=line,
        column=int(rule["location"]["col"]),
        text="\n".join(shown),
        imports=tuple(sorted(imports)),
        tree=_bare(_without_notes(rule)),
        noted=bool(notes),
        facts=facts,
        reads=reads,
        uses=frozenset(uses),
        calls=tuple(calls),
    )


def _without_notes(rule: Json) -> Json:
    return {name: below for name, below in rule.items() if name != "annotations"}


def _text(location: Json) -> str:
    return base64.b64decode(location.get("text") or "").decode()


def _bare(node: Json) -> Json:
    """Return a syntax tree without the places in the text."""
    if isinstance(node, dict):
        return {name: _bare(below) for name, below in node.items() if name not in ("location", "annotations")}
    return [_bare(below) for below in node] if isinstance(node, list) else node


class _Walker:
    """Collects the references and calls of one definition."""

    def __init__(
        self,
        scope: _Scope,
        reads: dict[Names, int],
        uses: set[Names],
        calls: list[FunctionCall],
        imports: set[str],
    ) -> None:
        self._scope = scope
        self._reads = reads
        self._uses = uses
        self._calls = calls
        self._imports = imports

    def node(self, node: Json, line: int) -> None:
        """Read one node of the tree and everything below it."""
        if isinstance(node, list):
            for below in node:
                self.node(below, line)
            return
        if not isinstance(node, dict):
            return
        place = node.get("location")
        line = int(place["row"]) if isinstance(place, dict) and "row" in place else line
        kind, value = node.get("type"), node.get("value")
        if isinstance(node.get("ref"), list):
            # The head of a rule: its name refers to nothing.
            node = {**node, "ref": node["ref"][1:]}
        if kind == "ref" and isinstance(value, list):
            self._reference(value, line)
            return
        if kind == "var":
            self._reference([node], line)
            return
        if kind == "call" and isinstance(value, list):
            self._call(value, line)
        terms = node.get("terms")
        if isinstance(terms, list):
            self._call(terms, line)
        for name, below in node.items():
            if name != "location":
                self.node(below, line)

    def _call(self, terms: list[Json], line: int) -> None:
        name = called(terms[0])
        if name:
            self._calls.append(FunctionCall(name, tuple(terms[1:]), line))

    def _reference(self, parts: list[Json], line: int) -> None:
        for part in parts[1:]:
            if part.get("type") != "string":
                self.node(part, line)
        head = parts[0]
        if head.get("type") != "var":
            self.node(head, line)
            return
        first = str(head["value"])
        if first in self._scope.aliases:
            whole = self._scope.aliases[first]
            path = ".".join(str(part["value"]) for part in whole)
            named = "" if whole[-1]["value"] == first else f" as {first}"
            self._imports.add(f"import {path}{named}")
            parts = [*whole, *parts[1:]]
            first = str(parts[0]["value"])
        names = tuple(_leading(parts[1:]))
        if first == "input":
            self._reads.setdefault(names, line)
        elif first == "data":
            self._uses.add(names)
        elif first in self._scope.own:
            self._uses.add((*self._scope.package, first))


def _leading(parts: Sequence[Json]) -> Iterator[str]:
    """Yield the names at the beginning of a reference, up to the first part that is computed."""
    for part in parts:
        if part.get("type") != "string":
            return
        yield str(part["value"])


def fact_named(term: Json) -> Names:
    """Return the path of a reference below `input`; empty for anything else."""
    if not isinstance(term, dict) or term.get("type") != "ref":
        return ()
    head, *parts = term["value"]
    if head.get("value") != "input" or not parts or any(part.get("type") != "string" for part in parts):
        return ()
    return tuple(str(part["value"]) for part in parts)


def called(term: Json) -> str:
    """Return the dotted name of a function in the position of an operator, or nothing."""
    if not isinstance(term, dict) or term.get("type") != "ref":
        return ""
    return ".".join(str(part.get("value")) for part in term["value"])


class Definitions:
    """Definitions by their places below `data`, to find what a reference can lead to."""

    def __init__(self, known: Sequence[Definition]) -> None:
        """Take all definitions."""
        self.known = known
        self._at: dict[Names, list[int]] = {}
        self._below: dict[Names, list[int]] = {}
        for number, one in enumerate(known):
            self._at.setdefault(one.path, []).append(number)
            for length in range(len(one.path) + 1):
                self._below.setdefault(one.path[:length], []).append(number)

    def reached(self, used: Names) -> Iterator[int]:
        """Yield the numbers of the definitions that a reference can lead to, or to something inside them."""
        yield from self._below.get(used, ())
        for length in range(len(used)):
            yield from self._at.get(used[:length], ())

    def closure(self, bodies: Sequence[Definition]) -> list[Definition]:
        """Return what definitions depend on, directly or not, without themselves."""
        own = {id(one) for one in bodies}
        found: set[int] = set()
        waiting = list(bodies)
        while waiting:
            for used in waiting.pop().uses:
                for number in self.reached(used):
                    if number not in found and id(self.known[number]) not in own:
                        found.add(number)
                        waiting.append(self.known[number])
        return [self.known[number] for number in sorted(found)]


def redefined(files: Sequence[ParsedFile]) -> Iterator[tuple[str, str, int]]:
    """Yield each name that gives an operator another meaning in a file, with file and line.

    OPA reads `a == b` as a call of `equal`, and finds a rule or an import of that name before its own.
    """
    for one in files:
        for rule in one.rules:
            if _name(rule) in OPERATORS:
                yield _name(rule), one.file, int(rule["location"]["row"])
        for each in one.imports:
            if _alias(each) in OPERATORS:
                yield _alias(each), one.file, int(each["location"]["row"])
