# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document and the reference page, both generated from the route table that serves."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from types import UnionType
from typing import Any, get_args

import msgspec

from remit import __version__
from remit.api.http_messages import ProblemDetails
from remit.api.oauth.browser.pushed_requests import OAuthPushed
from remit.api.oauth.forms import OAuthError
from remit.api.oauth.openapi import described
from remit.api.oauth.paths import TOKEN_PATH
from remit.api.oauth.token_endpoint import OAuthToken
from remit.api.rest.route import Endpoint, Items
from remit.api.route_table import ENDPOINTS
from remit.core.json_value import Json
from remit.services.identity.permissions import ROLES, Duty

OPENAPI_PATH = "/api/v1/openapi.json"
_REF = "#/components/schemas/{name}"
_PLACE = re.compile(r"\{(\w+)(?::path)?\}")


def callers(endpoint: Endpoint[Any]) -> str:
    """Return in words which callers an endpoint permits."""
    if endpoint.open:
        return "any caller"
    out: list[str] = []
    if endpoint.people is Duty.OWN:
        out.append("a signed-in person")
    elif endpoint.people is Duty.OVERSEE:
        out.append("a person with any role")
    elif endpoint.people is not None:
        out.append(" or ".join(sorted(role.value for role in ROLES[endpoint.people])))
    if endpoint.agents:
        out.append("an agent")
    if endpoint.tasks:
        out.append("the task's own token")
    return ", ".join(out)


@functools.cache
def document() -> dict[str, Json]:
    """Return the OpenAPI document of the management interface; the first call takes a tenth of a second."""
    kinds = _kinds(ENDPOINTS)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    known = {_key(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Json]] = {}
    for endpoint in ENDPOINTS:
        path = _PLACE.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, known, components)
    paths |= _others(known)
    told = {
        "openapi": "3.1.0",
        "info": {
            "title": "remit",
            "version": __version__,
            "description": "Management of remit: agents, tasks, approvals, policies, evidence. A request with"
            " a field or a parameter that is not listed is refused.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "session": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A person's session, from POST /api/v1/sign-in. A key-bound session "
                    "is sent as `DPoP` with a proof (RFC 9449).",
                },
                "agent": {
                    "type": "oauth2",
                    "description": "An agent's token, by a client assertion with the agent's key.",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": TOKEN_PATH,
                            "scopes": {"remit:agent": "open tasks and get their tokens"},
                        }
                    },
                },
                "task": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token bound to a task.",
                },
            },
        },
    }
    plain: dict[str, Json] = msgspec.json.decode(msgspec.json.encode(told))
    return plain


def _kinds(endpoints: Sequence[Endpoint[Any]]) -> list[Json]:
    out: list[Json] = [ProblemDetails, OAuthError, OAuthToken, OAuthPushed]
    for endpoint in endpoints:
        for kind in (endpoint.takes, endpoint.asks, endpoint.gives):
            if kind is not None and all(_key(kind) != _key(one) for one in out):
                out.append(kind)
    return out


def _key(kind: Json) -> str:
    return repr(kind)


def _operation(
    endpoint: Endpoint[Any], known: dict[str, Json], components: dict[str, Json]
) -> dict[str, Json]:
    out: dict[str, Json] = {
        "operationId": _operation_id(endpoint),
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "description": f"Callers: {callers(endpoint)}.",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _PLACE.findall(endpoint.path)
        ],
        "responses": {
            str(endpoint.status): _success(endpoint, known),
            "default": {
                "description": "A problem (RFC 9457).",
                "content": {"application/problem+json": {"schema": known[_key(ProblemDetails)]}},
            },
        },
        "security": _security(endpoint),
    }
    if endpoint.asks is not None:
        schema = components[known[_key(endpoint.asks)]["$ref"].rpartition("/")[2]]
        needed = schema.get("required", [])
        out["parameters"] += [
            {"name": name, "in": "query", "required": name in needed, "schema": shape}
            for name, shape in schema["properties"].items()
        ]
    if endpoint.takes is not None:
        out["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": known[_key(endpoint.takes)]}},
        }
    return out


def _success(endpoint: Endpoint[Any], known: dict[str, Json]) -> dict[str, Json]:
    if endpoint.status == 204:
        return {"description": "Done."}
    plain = endpoint.media == "application/json"
    schema = known[_key(endpoint.gives)] if plain else {"type": "string"}
    return {"description": "Done.", "content": {endpoint.media: {"schema": schema}}}


def _security(endpoint: Endpoint[Any]) -> list[dict[str, list[str]]]:
    out: list[dict[str, list[str]]] = []
    if endpoint.people is not None:
        out.append({"session": []})
    if endpoint.agents:
        out.append({"agent": ["remit:agent"]})
    if endpoint.tasks:
        out.append({"task": []})
    return out


def _operation_id(endpoint: Endpoint[Any]) -> str:
    rest = endpoint.path.removeprefix("/api/v1/")
    words = [word for word in re.split(r"[^a-z]+", _PLACE.sub(r"\1", rest)) if word]
    return "_".join([endpoint.method.lower(), *words])


def _others(known: dict[str, Json]) -> dict[str, Json]:
    """Return the paths outside of the REST interface."""

    def given(summary: str, media: str, schema: Json, **codes: str) -> dict[str, Json]:
        responses: dict[str, Json] = {
            "200": {"description": "Done.", "content": {media: {"schema": schema}}},
            **{code.lstrip("_"): {"description": text} for code, text in codes.items()},
        }
        return {"summary": summary, "responses": responses, "security": []}

    document_, text = {"type": "object"}, {"type": "string"}
    return {
        **described(known[_key(OAuthToken)], known[_key(OAuthPushed)], known[_key(OAuthError)]),
        "/health/live": {"get": given("Whether remit answers", "application/json", document_)},
        "/health/ready": {
            "get": given("Whether remit can decide calls", "application/json", document_, _503="Not ready.")
        },
        "/metrics": {"get": given("Figures in the Prometheus text format", "text/plain", text)},
        OPENAPI_PATH: {"get": given("This document", "application/json", document_)},
    }


def document_text() -> str:
    """Return `docs/reference/openapi.json`."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def reference_page() -> str:
    """Return `docs/reference/api.md`."""
    lines = [
        "# REST interface",
        "",
        "Generated from the route table that serves; the whole contract is in [openapi.json](openapi.json),",
        f"and at `{OPENAPI_PATH}` of a running remit. Send and expect JSON. Errors are",
        "`application/problem+json` (RFC 9457), with a stable `code` and, where safe, a `remediation`.",
        "",
        "People send their session, agents their access token: `Authorization: Bearer ...`.",
    ]
    tag = ""
    for endpoint in ENDPOINTS:
        if endpoint.tag != tag:
            tag = endpoint.tag
            lines += ["", f"## {tag}"]
        lines += ["", *_entry(endpoint)]
    lines += ["", "## Other endpoints", "", "| path | what |", "| --- | --- |"]
    shown = {_PLACE.sub(r"{\1}", endpoint.path) for endpoint in ENDPOINTS}
    for path, operations in document()["paths"].items():
        if path in shown:
            continue
        lines += [f"| `{method.upper()} {path}` | {one['summary']} |" for method, one in operations.items()]
    return "\n".join(lines) + "\n"


def _entry(endpoint: Endpoint[Any]) -> list[str]:
    path = _PLACE.sub(r"{\1}", endpoint.path)
    out = [f"### `{endpoint.method} {path}`", "", f"{endpoint.summary}. By {callers(endpoint)}."]
    for word, kind in (("Query", endpoint.asks), ("Body", endpoint.takes)):
        if kind is not None:
            out += ["", f"{word}: {_fields(kind)}"]
    if endpoint.media != "application/json":
        out += ["", f"Answer: `{endpoint.media}`"]
    elif endpoint.gives is not None:
        out += ["", f"Answer ({endpoint.status}): {_fields(endpoint.gives)}"]
    return out


def _fields(kind: Json) -> str:
    """Describe the fields of an object: answers are structs, lists of structs, or open objects."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        return ", ".join(f"`{field.name}`{'' if field.required else ' (optional)'}" for field in fields)
    if isinstance(kind, UnionType):
        return ", or ".join(_fields(one) for one in get_args(kind))
    if kind.__origin__ is tuple:
        return f"a list, each with {_fields(get_args(kind)[0])}"
    if kind.__origin__ is Items:
        return f"`items`, each with {_fields(get_args(kind)[0])}"
    return "an object"
