# SPDX-License-Identifier: Apache-2.0
"""A route: one operation of an HTTP API, and the place of each of its arguments in a request."""

from __future__ import annotations

import enum
import unicodedata
from typing import Final

import msgspec

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

#: The member of an input schema that holds the placement of a tool's arguments. It is pinned with the rest.
BINDING: Final = "x-http"


class Where(enum.StrEnum):
    """The place of an argument in a request."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    BODY = "body"


class ValueKind(enum.StrEnum):
    """The type of a parameter's text. A property of a JSON body is `any`: JSON carries its type."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ANY = "any"


class RouteParameter(msgspec.Struct, frozen=True, kw_only=True):
    """One argument on the wire. `argument` is its name for tools and grants, `name` the one in requests.

    `many` marks a list. In a query, each value is a separate pair if `exploded`; otherwise commas separate
    the values.
    """

    argument: str
    name: str
    where: Where
    kind: ValueKind = ValueKind.STRING
    many: bool = False
    exploded: bool = True
    required: bool = False


class BodyForm(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a request. `whole` names the argument that is the whole body; empty where each property is
    an argument.
    """

    media: str = JSON
    whole: str = ""
    required: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation: its name as a tool, its method, and the segments of its path template.

    A segment is a literal, or None for the next parameter of `path`. `wire` is the upstream's tool entry and
    `digest` its pinned digest, `accepts` the media types of its answers, `gives` the names of response
    headers that the document declares (in lower case).
    """

    name: str
    method: str
    template: str
    segments: tuple[str | None, ...]
    path: tuple[RouteParameter, ...] = ()
    query: tuple[RouteParameter, ...] = ()
    headers: tuple[RouteParameter, ...] = ()
    properties: tuple[RouteParameter, ...] = ()
    body: BodyForm | None = None
    wire: dict[str, Json] = {}
    digest: str = ""
    accepts: tuple[str, ...] = ()
    gives: frozenset[str] = frozenset()

    @property
    def parameters(self) -> tuple[RouteParameter, ...]:
        """All arguments except a whole body."""
        return (*self.path, *self.query, *self.headers, *self.properties)


class _Node:
    """A place in the tree of paths. `plain` holds its literals in the form in which a careless server
    compares them.
    """

    __slots__ = ("literals", "one", "plain", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.plain: dict[str, str] = {}
        self.one: _Node | None = None
        self.routes: dict[str, Route] = {}


class PathTree:
    """Finds the route of a path. A literal takes precedence over a parameter (OpenAPI, path templating)."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        """Build the tree; raise `ConfigInvalid` where two routes are indistinguishable."""
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.segments:
            if segment is None:
                node.one = node.one or _Node()
                node = node.one
                continue
            same = node.plain.setdefault(segment.casefold(), segment)
            if same != segment:
                raise ConfigInvalid(
                    f"`{segment}` in `{route.template}` is written elsewhere as `{same}`",
                    key="paths",
                    remediation="use one spelling: many servers ignore letter case",
                )
            node = node.literals.setdefault(segment, _Node())
        other = node.routes.setdefault(route.method, route)
        if other is not route:
            raise ConfigInvalid(
                f"`{route.method} {route.template}` and `{other.template}` are the same address",
                key="paths",
                remediation="keep one of them",
            )

    def find(self, method: str, segments: list[str]) -> Route | None:
        """Return the route of a method and decoded segments, or None."""
        return self._find(self._root, method, segments, 0)

    def _find(self, node: _Node, method: str, segments: list[str], at: int) -> Route | None:
        if at == len(segments):
            return node.routes.get(method)
        literal = node.literals.get(segments[at])
        found = self._find(literal, method, segments, at + 1) if literal is not None else None
        if found is None and node.one is not None and segments[at]:
            found = self._find(node.one, method, segments, at + 1)
        return found

    def confused(self, route: Route, segments: list[str]) -> bool:
        """Return whether some server could mistake a parameter of a route's path for a neighbouring literal.

        Servers differ in what they ignore: the case of letters, their width, trailing blanks and dots, and
        apparent file extensions (`export.json`).
        """
        node = self._root
        for own, segment in zip(route.segments, segments, strict=True):
            if own is not None:
                node = node.literals[own]
                continue
            assert node.one is not None
            plain = unicodedata.normalize("NFKC", segment).casefold().strip()
            if (
                plain in node.plain
                or plain.partition(".")[0] in node.plain
                or plain.rstrip(". ") in node.plain
            ):
                return True
            node = node.one
        return False


class Api:
    """The routes of one HTTP API, by name and by path. Immutable.

    `left_out` lists the operations of the document that are not offered, with the reasons.
    """

    __slots__ = ("left_out", "routes", "title", "tree", "version")

    def __init__(
        self,
        routes: tuple[Route, ...],
        *,
        title: str = "",
        version: str = "",
        left_out: tuple[str, ...] = (),
    ) -> None:
        """Take the routes; raise `ConfigInvalid` where two have one name or one address."""
        self.routes: dict[str, Route] = {}
        for route in routes:
            if (other := self.routes.setdefault(route.name, route)) is not route:
                raise ConfigInvalid(
                    f"`{route.method} {route.template}` and `{other.method} {other.template}` are both "
                    f"named `{route.name}`",
                    key="paths",
                    remediation="give each its own `operationId`",
                )
        self.title, self.version, self.left_out = title, version, left_out
        self.tree = PathTree(routes)
