# SPDX-License-Identifier: Apache-2.0
"""Parses a request: first its route, then its arguments.

A parameter that the document does not declare is refused by name. Otherwise it would be dropped silently, or
sent on without a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from remit.core.canonical import MAX_REQUEST_VALUES, parse_strict
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tools.http_api.operation import FORM, JSON, Api, Route, RouteParameter
from remit.core.tools.http_api.request_text import pairs_of, segments_of, value_of


class ApiRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A received request as unparsed bytes.

    `path` begins with a slash, below the address of the upstream. `headers` are those relevant to the API, by
    lower-case name. `media` is the body's media type, in lower case without parameters.
    """

    method: str
    path: bytes
    query: bytes = b""
    headers: Mapping[str, str] = {}
    media: str = ""
    body: bytes = b""


def found_route(api: Api, method: str, path: bytes) -> tuple[Route, list[str]] | None:
    """Return the route of a path and the path's segments, or None.

    A path that has more than one reading belongs to no route.
    """
    try:
        segments = segments_of(path)
    except Malformed:
        return None
    route = api.tree.find(method, segments)
    return None if route is None else (route, segments)


def read_arguments(
    route: Route, segments: list[str], asking: ApiRequest, *, max_bytes: int, max_depth: int
) -> dict[str, Json]:
    """Return the arguments of a request; raise `Malformed` that names the fault."""
    out: dict[str, Json] = {}
    values = [one for one, literal in zip(segments, route.segments, strict=True) if literal is None]
    for parameter, text in zip(route.path, values, strict=True):
        out[parameter.argument] = value_of(parameter, text)
    out |= _paired(route.query, pairs_of(asking.query, "the query"), "query")
    out |= _headed(route, asking.headers)
    out |= _bodied(route, asking, max_bytes, max_depth)
    return out


def _paired(known: Iterable[RouteParameter], pairs: Iterable[tuple[str, str]], where: str) -> dict[str, Json]:
    by_name = {parameter.name: parameter for parameter in known}
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        if name not in by_name:
            raise _undeclared(name, where)
        found.setdefault(name, []).append(text)
    out: dict[str, Json] = {}
    for name, texts in found.items():
        parameter = by_name[name]
        if len(texts) > 1 and not (parameter.many and parameter.exploded):
            # Servers differ on which one counts: the first, the last, or both.
            raise Malformed(
                f"`{name[:80]}` is given twice in the {where}", code="given-twice", remediation="give it once"
            )
        out[parameter.argument] = _listed(parameter, texts)
    _check_required(by_name.values(), out)
    return out


def _listed(parameter: RouteParameter, texts: list[str]) -> Json:
    if not parameter.many:
        return value_of(parameter, texts[0])
    pieces = texts if parameter.exploded else texts[0].split(",")
    return [value_of(parameter, one) for one in pieces]


def _headed(route: Route, headers: Mapping[str, str]) -> dict[str, Json]:
    by_name = {parameter.name.lower(): parameter for parameter in route.headers}
    out: dict[str, Json] = {}
    for name, text in headers.items():
        parameter = by_name.get(name)
        if parameter is None:
            raise _undeclared(name, "header")
        if parameter.many:
            out[parameter.argument] = [value_of(parameter, one.strip()) for one in text.split(",")]
        else:
            out[parameter.argument] = value_of(parameter, text)
    _check_required(by_name.values(), out)
    return out


def _bodied(route: Route, asking: ApiRequest, max_bytes: int, max_depth: int) -> dict[str, Json]:
    form = route.body
    if form is None:
        if asking.body:
            raise Malformed(f"`{route.method}` takes no body", code="undeclared", remediation="send no body")
        return {}
    if not asking.body:
        if form.required:
            raise _missing("the body")
        _check_required(route.properties, {})
        return {}
    if asking.media != form.media:
        raise Malformed(
            f"the body is not `{form.media}`",
            code="content-type",
            remediation=f"send Content-Type: {form.media}",
        )
    if form.media == FORM:
        return _paired(route.properties, pairs_of(asking.body, "the form"), "form")
    assert form.media == JSON
    value = parse_strict(asking.body, max_bytes=max_bytes, max_depth=max_depth, max_values=MAX_REQUEST_VALUES)
    if form.whole:
        return {form.whole: value}
    if not isinstance(value, dict):
        raise Malformed("the body is not an object", code="bad-argument", remediation="send its properties")
    by_name = {parameter.name: parameter.argument for parameter in route.properties}
    for name in value:
        if name not in by_name:
            raise _undeclared(name, "body")
    out = {by_name[name]: one for name, one in value.items()}
    _check_required(route.properties, out)
    return out


def _check_required(known: Iterable[RouteParameter], given: Mapping[str, Json]) -> None:
    for parameter in known:
        if parameter.required and parameter.argument not in given:
            raise _missing(f"`{parameter.name}`")


def _missing(what: str) -> Malformed:
    return Malformed(f"{what} is missing", code="missing", remediation="send what the API requires")


def _undeclared(name: str, where: str) -> Malformed:
    return Malformed(
        f"`{name[:80]}` is not a {where} parameter of this operation"
        if where in ("query", "header")
        else f"`{name[:80]}` is not a property of the {where}",
        code="undeclared",
        remediation="leave it out, or have the OpenAPI document declare it",
    )
