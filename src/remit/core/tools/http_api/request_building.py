# SPDX-License-Identifier: Apache-2.0
"""Builds the upstream request, from nothing except the decided arguments.

INVARIANT: the tree finds the same route at the written path, and no value in the path equals a neighbouring
literal, however loosely a server compares. So no value turns one operation into another: neither `export` nor
`Export.json` is accepted as an id where `/customers/export` is a separate operation.
"""

from __future__ import annotations

from typing import Final

import msgspec

from remit.core.canonical import encode
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tools.http_api.operation import FORM, JSON, Api, Route, RouteParameter
from remit.core.tools.http_api.request_text import checked_segment, quoted, text_of

MAX_TARGET: Final = 16_384
MAX_MANY: Final = 512


class WrittenRequest(msgspec.Struct, frozen=True):
    """A request as bytes: `target` is a path with an optional query, below the address of the upstream."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


def write_request(api: Api, route: Route, arguments: dict[str, Json]) -> WrittenRequest:
    """Return the request for a route with these arguments; raise `Malformed` where none is possible."""
    left = dict(arguments)
    path = _path(api, route, left)
    query = _pairs(route.query, left)
    headers = tuple(
        (parameter.name.lower().encode("ascii"), _joined(parameter, left.pop(parameter.argument)))
        for parameter in route.headers
        if parameter.argument in left
    )
    body, media = _body(route, left)
    if left:
        name = next(iter(left))
        raise Malformed(
            f"`{name[:80]}` is not an argument of `{route.name}`",
            code="undeclared",
            remediation="leave it out",
        )
    for parameter in route.parameters:
        if parameter.required and parameter.argument not in arguments:
            raise Malformed(f"`{parameter.argument}` is missing", code="missing", remediation="give it")
    target = path + (f"?{query}" if query else "")
    if len(target) > MAX_TARGET:
        raise Malformed(f"the address is over {MAX_TARGET} characters", code="too-large")
    if media:
        headers += ((b"content-type", media.encode("ascii")),)
    if route.accepts:
        headers += ((b"accept", ", ".join(route.accepts).encode("ascii")),)
    return WrittenRequest(route.method.encode("ascii"), target.encode("ascii"), headers, body)


def _path(api: Api, route: Route, left: dict[str, Json]) -> str:
    values = iter(route.path)
    segments: list[str] = []
    for literal in route.segments:
        if literal is not None:
            segments.append(literal)
            continue
        parameter = next(values)
        if parameter.argument not in left:
            raise Malformed(f"`{parameter.argument}` is missing", code="missing", remediation="give it")
        segments.append(checked_segment(text_of(parameter, left.pop(parameter.argument))))
    if api.tree.find(route.method, segments) is not route or api.tree.confused(route, segments):
        raise Malformed(
            f"these arguments form the address of another operation than `{route.name}`",
            code="path-confusion",
            remediation="call that operation by its name",
        )
    return "/" + "/".join(quoted(one) for one in segments)


def _pairs(known: tuple[RouteParameter, ...], left: dict[str, Json]) -> str:
    """Write pairs in the order of the document, so that the decided arguments have exactly one text."""
    out: list[str] = []
    for parameter in known:
        if parameter.argument not in left:
            continue
        value = left.pop(parameter.argument)
        name = quoted(parameter.name)
        if not parameter.many:
            out.append(f"{name}={quoted(text_of(parameter, value))}")
        elif parameter.exploded:
            out += [f"{name}={quoted(text_of(parameter, one))}" for one in _many(parameter, value)]
        else:
            out.append(f"{name}={quoted(_commas(parameter, value))}")
    return "&".join(out)


def _joined(parameter: RouteParameter, value: Json) -> bytes:
    text = _commas(parameter, value) if parameter.many else text_of(parameter, value)
    return text.encode("ascii")


def _commas(parameter: RouteParameter, value: Json) -> str:
    texts = [text_of(parameter, one) for one in _many(parameter, value)]
    if any("," in one for one in texts):
        raise Malformed(
            f"a value of `{parameter.argument}` contains a comma",
            code="bad-argument",
            remediation="leave it out",
        )
    return ",".join(texts)


def _many(parameter: RouteParameter, value: Json) -> list[Json]:
    if not isinstance(value, list) or not value or len(value) > MAX_MANY:
        raise Malformed(
            f"`{parameter.argument}` is not a list of 1 to {MAX_MANY} values",
            code="bad-argument",
            remediation="give a list",
        )
    return value


def _body(route: Route, left: dict[str, Json]) -> tuple[bytes, str]:
    form = route.body
    if form is None:
        return b"", ""
    if form.whole:
        if form.whole in left:
            return encode(left.pop(form.whole)), form.media
        if form.required:
            raise Malformed(f"`{form.whole}` is missing", code="missing", remediation="give it")
        return b"", ""
    given = [one for one in route.properties if one.argument in left]
    if not given and not form.required:
        return b"", ""
    if form.media == FORM:
        return _pairs(route.properties, left).encode("ascii"), form.media
    assert form.media == JSON
    return encode({one.name: left.pop(one.argument) for one in given}), form.media
