# SPDX-License-Identifier: Apache-2.0
"""The arguments of one operation, from its parameters and the properties of its body.

A name that occurs in two places (an `id` in the path and another in the body) becomes two arguments; the
later one is named after its place, `body_id`.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from remit.core.json_value import Json
from remit.core.tools.http_api.operation import FORM, JSON, BodyForm, RouteParameter, ValueKind, Where
from remit.core.tools.http_api.schemas import References
from remit.core.tools.tool import INPUT

MAX_ARGUMENTS: Final = 200
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,80}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
#: Headers that OpenAPI itself does not treat as parameters, and those that frame a request or identify its
#: sender.
_NEVER_SENT = re.compile(
    r"accept|accept-encoding|content-type|content-length|content-encoding|authorization|cookie|host|dpop"
    r"|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|forwarded|x-forwarded-.*"
    r"|via|x-http-method.*|x-method-override|x-original-.*|x-rewrite-.*|traceparent|tracestate|baggage"
    r"|sec-.*|origin|referer"
)
_KINDS: Final = {kind.value: kind for kind in ValueKind}


class Unusable(Exception):
    """The reason why an operation cannot be offered."""


class Arguments:
    """Collects the arguments of an operation, in the order of their declaration."""

    def __init__(self, references: References, credentials: frozenset[str]) -> None:
        """Start with no arguments."""
        self._references = references
        self._credentials = credentials
        self.path: tuple[RouteParameter, ...] = ()
        self.query: list[RouteParameter] = []
        self.headers: list[RouteParameter] = []
        self.properties: list[RouteParameter] = []
        self.schemas: dict[str, Json] = {}
        self.places: dict[str, str] = {}
        self.required: list[str] = []
        self._kinds: dict[tuple[int, int], tuple[ValueKind, bool]] = {}

    def parameters(self, shared: Json, own: Json, names: tuple[str, ...]) -> None:
        """Add the parameters of a path and of an operation on it; raise `Unusable`."""
        known: dict[tuple[str, str], dict[str, Json]] = {}
        for given in (*_listed(shared), *_listed(own)):
            one = self._references.resolved(given)
            known[str(one.get("in")), str(one.get("name"))] = one
        by_name: dict[str, RouteParameter] = {}
        for (where, name), one in known.items():
            if where == Where.PATH:
                by_name[name] = self._parameter(Where.PATH, name, one)
            elif where == Where.QUERY:
                self._optional(self.query, Where.QUERY, name, one)
            elif where == Where.HEADER and not self._is_foreign(name):
                self._optional(self.headers, Where.HEADER, name, one)
            elif where == "cookie" and one.get("required") is True:
                raise Unusable(f"needs the cookie `{name[:40]}`, and cookies are not sent")
        if missing := [name for name in names if name not in by_name]:
            raise Unusable(f"does not declare its path parameter `{missing[0][:40]}`")
        self.path = tuple(by_name[name] for name in names)
        for parameter in self.path:
            self._add(parameter, known[Where.PATH, parameter.name].get("schema"))

    def _is_foreign(self, name: str) -> bool:
        lower = name.lower()
        return lower in self._credentials or _NEVER_SENT.fullmatch(lower) is not None

    def _optional(self, home: list[RouteParameter], where: Where, name: str, one: dict[str, Json]) -> None:
        """Add a parameter; leave out one that cannot be sent, unless it is required."""
        try:
            parameter = self._parameter(where, name, one)
        except Unusable:
            if one.get("required") is True:
                raise
            return
        home.append(self._add(parameter, one.get("schema")))

    def _parameter(self, where: Where, name: str, one: dict[str, Json]) -> RouteParameter:
        usual = "form" if where is Where.QUERY else "simple"
        if one.get("style", usual) != usual or "content" in one:
            raise Unusable(f"the parameter `{name[:40]}` has an unsupported style")
        if not _NAME.fullmatch(name) or (where is Where.HEADER and not _HEADER.fullmatch(name)):
            raise Unusable(f"`{name[:40]!a}` cannot be the name of a parameter")
        kind, many = self._kind(name, one.get("schema"), 0)
        if many and where is Where.PATH:
            raise Unusable(f"the path parameter `{name[:40]}` is a list")
        return RouteParameter(
            argument=name,
            name=name,
            where=where,
            kind=kind,
            many=many,
            exploded=where is Where.QUERY and one.get("explode", True) is not False,
            required=where is Where.PATH or one.get("required") is True,
        )

    def _kind(self, name: str, schema: Json, depth: int) -> tuple[ValueKind, bool]:
        """Return the type of a parameter, and whether it is a list; a parameter without a type is a text."""
        if schema is None or depth > 4:
            return ValueKind.STRING, False
        node = self._references.resolved(schema)
        # Cached, because alternatives can refer to each other: there are more routes than schemas.
        known = self._kinds.get((id(node), depth))
        if known is None:
            known = self._kinds[id(node), depth] = self._kind_of(name, node, depth)
        return known

    def _kind_of(self, name: str, node: dict[str, Json], depth: int) -> tuple[ValueKind, bool]:
        types = [one for one in _listed(node.get("type")) if one != "null"]
        if len(types) > 1 or (not types and any(word in node for word in ("anyOf", "oneOf", "allOf"))):
            return self._alternatives(name, node, types, depth)
        kind = str(types[0]) if types else "string"
        if kind == "array":
            inner, many = self._kind(name, node.get("items"), depth + 1)
            if many:
                raise Unusable(f"the parameter `{name[:40]}` is a list of lists")
            return inner, True
        if kind not in _KINDS:
            raise Unusable(f"the parameter `{name[:40]}` is an object")
        return _KINDS[kind], False

    def _alternatives(
        self, name: str, node: dict[str, Json], types: list[Json], depth: int
    ) -> tuple[ValueKind, bool]:
        found = {(_KINDS[one], False) for one in map(str, types) if one in _KINDS}
        if not types:
            below = [one for word in ("anyOf", "oneOf", "allOf") for one in _listed(node.get(word))]
            plain = [one for one in below[:16] if not (isinstance(one, dict) and one.get("type") == "null")]
            found = {self._kind(name, one, depth + 1) for one in plain}
        if len(found) == 1:
            return found.pop()
        # A value of several possible types is treated as text.
        if any(many for _, many in found):
            raise Unusable(f"the parameter `{name[:40]}` may be a list or none")
        return ValueKind.STRING, False

    def body(self, given: Json) -> BodyForm | None:
        """Add the body; raise `Unusable` where remit cannot write any of its media types."""
        if given is None:
            return None
        node = self._references.resolved(given)
        content = node.get("content")
        content = content if isinstance(content, dict) else {}
        by_media = {str(kind).partition(";")[0].strip().lower(): form for kind, form in content.items()}
        media = next((one for one in (JSON, FORM) if one in by_media), "")
        required = node.get("required") is True
        if not media:
            if required or not content:
                raise Unusable("takes a body that is neither JSON nor a form")
            return None
        form = by_media[media]
        schema = form.get("schema") if isinstance(form, dict) else None
        parts = self._references.properties(schema) if schema is not None else None
        if parts is None or len(parts[0]) > MAX_ARGUMENTS:
            if media == FORM:
                raise Unusable("takes a form without properties")
            whole = RouteParameter(
                argument="body", name="body", where=Where.BODY, kind=ValueKind.ANY, required=required
            )
            return BodyForm(media=media, whole=self._add(whole, schema).argument, required=required)
        for name, about in parts[0].items():
            self._property(media, name, about, required=required and name in parts[1])
        return BodyForm(media=media, required=required)

    def _property(self, media: str, name: str, about: Json, *, required: bool) -> None:
        if not _NAME.fullmatch(name):
            raise Unusable(f"`{name[:40]!a}` cannot be the name of an argument")
        kind, many = ValueKind.ANY, False
        if media == FORM:
            kind, many = self._kind(name, about, 0)
        one = RouteParameter(
            argument=name, name=name, where=Where.BODY, kind=kind, many=many, required=required
        )
        self.properties.append(self._add(one, about))

    def _add(self, parameter: RouteParameter, schema: Json) -> RouteParameter:
        """Return a parameter with the name of its argument, and store its schema."""
        name = parameter.argument
        if name in self.places or name == INPUT:
            name = f"{parameter.where.value}_{parameter.name}"
        if name in self.places or len(self.places) >= MAX_ARGUMENTS:
            raise Unusable(f"has too many arguments, or two that are named `{name[:40]}`")
        parameter = msgspec.structs.replace(parameter, argument=name)
        if parameter.where is Where.PATH:
            self.path = tuple(parameter if one.name == parameter.name else one for one in self.path)
        self.places[name] = parameter.where.value
        self.schemas[name] = self._references.schema(schema) if schema is not None else {}
        if parameter.required:
            self.required.append(name)
        return parameter


def _listed(value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
