# SPDX-License-Identifier: Apache-2.0
"""Builds the routes of an OpenAPI document (3.0 and 3.1).

The document is an administrator's own file, and still trusted no more than necessary. It is bounded, and
refers to nothing outside itself. Its `servers` and `security` are ignored; the API's address and credential
are in `remit.yaml`. An operation that cannot be carried out exactly (another style of parameters, another
media type) is left out, and the reason is reported; it is then an unknown tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from remit.core.errors import ConfigInvalid, Malformed
from remit.core.json_value import Json
from remit.core.tools.http_api.arguments import Arguments, Unusable
from remit.core.tools.http_api.operation import BINDING, Api, BodyForm, Route
from remit.core.tools.http_api.schemas import MAX_TEXT, References
from remit.core.tools.tool import is_tool_name, surface_digest, surface_of

MAX_ROUTES: Final = 1_000
MAX_SEGMENTS: Final = 32
METHODS: Final = ("get", "put", "post", "delete", "patch")
_VERSION = re.compile(r"3\.[012]\.[0-9]+")
_PARAM = re.compile(r"\{([^{}/]{1,80})\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@-]+")
_NOT_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_MEDIA = re.compile(r"[a-z0-9!#$&^_.+*-]{1,64}/[a-z0-9!#$&^_.+*-]{1,64}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,64}")
#: Response headers that a document cannot declare: credentials, addresses, and headers that govern a
#: connection or a browser. The endpoint decides on `Content-Type` and the other headers that always pass.
_NEVER_GIVEN = re.compile(
    r"set-cookie2?|www-authenticate|proxy-.*|authorization|authentication-info|location|content-location|link"
    r"|refresh|connection|keep-alive|transfer-encoding|content-length|content-encoding|trailer|te|upgrade"
    r"|access-control-.*|content-security-policy.*|strict-transport-security|clear-site-data|alt-svc|host"
    r"|x-accel-.*|x-sendfile|x-forwarded-.*|forwarded|via|cookie|dpop.*|date|server|remit-.*|sourcemap"
    r"|x-content-type-options|cache-control"
)


def read_api(document: Json, *, credentials: frozenset[str] = frozenset()) -> Api:
    """Return the routes of a parsed document; raise `ConfigInvalid` with the key that is wrong.

    `credentials` are the headers (in lower case) in which remit sends the credential: they are never
    arguments, whatever the document declares.
    """
    if not isinstance(document, dict):
        raise _wrong("is not an OpenAPI document", "", "write `openapi: 3.1.0`, `info` and `paths`")
    version = document.get("openapi")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise _wrong("is not OpenAPI 3.0 or 3.1", "openapi", "convert it: Swagger 2.0 is not supported")
    paths = document.get("paths")
    if not isinstance(paths, dict):
        raise _wrong("has no paths", "paths", "give the operations of the API")
    reader = _Document(document, credentials)
    routes: list[Route] = []
    for template, item in paths.items():
        routes += reader.routes(str(template), item)
        if len(routes) > MAX_ROUTES:
            raise _wrong(f"has more than {MAX_ROUTES} operations", "paths", "split it over several upstreams")
    info = document.get("info")
    info = info if isinstance(info, dict) else {}
    return Api(
        tuple(routes),
        title=str(info.get("title", ""))[:200],
        version=str(info.get("version", ""))[:80],
        left_out=tuple(reader.left_out),
    )


def _wrong(what: str, key: str, remediation: str) -> ConfigInvalid:
    return ConfigInvalid(what, key=key, remediation=remediation)


class _Document:
    """The reader of one document."""

    def __init__(self, document: dict[str, Json], credentials: frozenset[str]) -> None:
        self._references = References(document)
        self._credentials = credentials
        self.left_out: list[str] = []

    def routes(self, template: str, item: Json) -> Iterator[Route]:
        """Yield the routes of one path."""
        try:
            item = self._references.resolved(item)
            segments, names = _segments(template)
        except (Malformed, Unusable) as fault:
            self.left_out.append(f"`{template[:120]}`: {fault}")
            return
        for method in METHODS:
            if method not in item:
                continue
            try:
                operation = self._references.resolved(item[method])
                yield self._route(method, template, segments, names, item, operation)
            except (Malformed, Unusable) as fault:
                self.left_out.append(f"`{method.upper()} {template[:120]}`: {fault}")

    def _route(
        self,
        method: str,
        template: str,
        segments: tuple[str | None, ...],
        names: tuple[str, ...],
        item: dict[str, Json],
        operation: dict[str, Json],
    ) -> Route:
        self._references.begin()
        arguments = Arguments(self._references, self._credentials)
        arguments.parameters(item.get("parameters"), operation.get("parameters"), names)
        body = arguments.body(operation.get("requestBody")) if method != "get" else None
        name = _name(method, segments, names, operation.get("operationId"))
        accepts, gives, results = self._responses(operation.get("responses"))
        wire = _wire(name, method, template, operation, arguments, body, results)
        # The route is pinned by digest; without a digest it cannot be offered.
        pinned = surface_digest(surface_of(wire))
        return Route(
            name=name,
            method=method.upper(),
            template=template,
            segments=segments,
            path=arguments.path,
            query=tuple(arguments.query),
            headers=tuple(arguments.headers),
            properties=tuple(arguments.properties),
            body=body,
            wire=wire,
            digest=pinned,
            accepts=accepts,
            gives=gives,
        )

    def _responses(self, responses: Json) -> tuple[tuple[str, ...], frozenset[str], dict[str, Json]]:
        """Return the media types and declared headers of the answers, and the schema of the result."""
        media: dict[str, None] = {}
        gives: set[str] = set()
        results: dict[str, Json] = {}
        for status, given in responses.items() if isinstance(responses, dict) else ():
            response = self._references.resolved(given)
            content, headers = response.get("content"), response.get("headers")
            for kind, form in content.items() if isinstance(content, dict) else ():
                self._references.step(str(kind))
                plain = str(kind).partition(";")[0].strip().lower()
                if _MEDIA.fullmatch(plain):
                    media[plain] = None
                if plain == "application/json" and str(status)[:1] == "2" and isinstance(form, dict):
                    found = self._references.schema(form.get("schema"))
                    results = results or found
            for header in headers if isinstance(headers, dict) else ():
                self._references.step(str(header))
                lower = str(header).lower()
                if _HEADER.fullmatch(lower) and not _NEVER_GIVEN.fullmatch(lower):
                    gives.add(lower)
        # An undeclared answer (an error page) is still an answer.
        accepts = (*tuple(media)[:16], "*/*") if media else ()
        return tuple(dict.fromkeys(accepts)), frozenset(gives), results


def _segments(template: str) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
    """Return the segments of a path template, and the names of its parameters in order."""
    if not template.startswith("/"):
        raise Unusable("a path begins with `/`")
    pieces = template[1:].split("/")
    if len(pieces) > MAX_SEGMENTS:
        raise Unusable(f"has more than {MAX_SEGMENTS} segments")
    out: list[str | None] = []
    names: list[str] = []
    for place, piece in enumerate(pieces):
        if found := _PARAM.fullmatch(piece):
            names.append(found[1])
            out.append(None)
        elif not piece and place == len(pieces) - 1:
            out.append("")
        elif _LITERAL.fullmatch(piece) and piece not in (".", ".."):
            out.append(piece)
        elif "{" in piece:
            raise Unusable("a parameter must be a whole path segment")
        else:
            raise Unusable(f"`{piece[:40]}` cannot be a segment")
    if len(set(names)) != len(names):
        raise Unusable("names a parameter twice")
    return tuple(out), tuple(names)


def _name(method: str, segments: tuple[str | None, ...], names: tuple[str, ...], given: Json) -> str:
    """Return the tool's name: the `operationId`, or method and path as in `get_customers_id`."""
    if isinstance(given, str) and given.strip():
        name = _NOT_NAME.sub("_", given.strip())[:128]
    else:
        left = iter(names)
        words = [method, *(next(left) if one is None else one for one in segments)]
        name = _NOT_NAME.sub("_", "_".join(word for word in words if word))[:128]
    if not is_tool_name(name):
        raise Unusable("has no name that a tool can have")
    return name


def _wire(
    name: str,
    method: str,
    template: str,
    operation: dict[str, Json],
    arguments: Arguments,
    body: BodyForm | None,
    results: dict[str, Json],
) -> dict[str, Json]:
    """Return the operation as a tool's entry. The placement of its arguments in a request is part of the
    pinned content.
    """
    summary, says = operation.get("summary"), operation.get("description")
    said = says if isinstance(says, str) and says else summary if isinstance(summary, str) else ""
    binding: dict[str, Json] = {"method": method.upper(), "path": template, "in": arguments.places}
    if body is not None:
        binding["body"] = body.media
    schema: dict[str, Json] = {
        "type": "object",
        "properties": arguments.schemas,
        "additionalProperties": False,
        BINDING: binding,
    }
    if arguments.required:
        schema["required"] = arguments.required
    wire: dict[str, Json] = {
        "name": name,
        "description": said[:MAX_TEXT] or f"{method.upper()} {template}",
        "inputSchema": schema,
        # RFC 9110 section 9.2: the properties of a method, if the API complies.
        "annotations": {
            "readOnlyHint": method == "get",
            "idempotentHint": method in ("get", "put", "delete"),
            **({"destructiveHint": True} if method == "delete" else {}),
        },
    }
    if isinstance(summary, str) and summary:
        wire["title"] = summary[:200]
    if results.get("type") == "object":
        wire["outputSchema"] = results
    return wire
