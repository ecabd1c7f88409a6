# SPDX-License-Identifier: Apache-2.0
"""What an OpenAPI document becomes: tools with stable names, and arguments that say where they travel."""

from typing import Any

import pytest

from remit.core.errors import ConfigInvalid
from remit.core.tools.http_api import Api, read_api
from remit.core.tools.tool import surface_digest, surface_of

Json = Any


def an_api(paths: Json, **more: Json) -> Api:
    """Read a document with these paths."""
    return read_api({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths, **more})


def a_body(schema: Json, media: str = "application/json", *, required: bool = True) -> Json:
    """Return an operation that takes a body."""
    return {
        "operationId": "op",
        "requestBody": {"required": required, "content": {media: {"schema": schema}}},
    }


def test_an_operation_is_named_by_its_id_or_by_method_and_path() -> None:
    """Names are those that a file in `tools/` can hold."""
    api = an_api(
        {
            "/customers/{id}": {"get": {"parameters": [{"name": "id", "in": "path"}]}, "put": {}},
            "/pay now": {"get": {}},
            "/a/{id}/b": {"post": {"operationId": "do it!", "parameters": [{"name": "id", "in": "path"}]}},
            "/": {"get": {}},
        }
    )
    assert list(api.routes) == ["get_customers_id", "do_it_", "get"]
    assert len(api.left_out) == 2


def test_arguments_say_where_they_travel() -> None:
    """Path, query, header and the properties of the body; a name in two places is two arguments."""
    operation = a_body(
        {"type": "object", "properties": {"id": {"type": "string"}, "n": {}}, "required": ["n"]}
    )
    operation["parameters"] = [
        {"name": "id", "in": "path", "schema": {"type": "string"}},
        {"name": "n", "in": "query", "schema": {"type": ["integer", "null"]}},
        {"name": "X-A", "in": "header"},
        {"name": "Authorization", "in": "header", "required": True},
        {"name": "Cookie", "in": "header"},
    ]
    (route,) = an_api({"/a/{id}": {"post": operation}}).routes.values()
    binding = route.wire["inputSchema"]["x-http"]
    assert binding["in"] == {
        "id": "path", "n": "query", "X-A": "header", "body_id": "body", "body_n": "body"
    }  # fmt: skip
    assert route.wire["inputSchema"]["required"] == ["id", "body_n"]
    assert route.wire["inputSchema"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ({"parameters": [{"name": "f", "in": "query", "style": "deepObject", "required": True}]}, "/a"),
        ({"parameters": [{"name": "f", "in": "query", "content": {}, "required": True}]}, "/a"),
        (
            {"parameters": [{"name": "f", "in": "query", "schema": {"type": "object"}, "required": True}]},
            "/a",
        ),
        ({"parameters": [{"name": "c", "in": "cookie", "required": True}]}, "/a"),
        ({"parameters": [{"$ref": "#/components/parameters/none"}]}, "/a"),
        ({"parameters": [{"$ref": "https://evil.example/p"}]}, "/a"),
        ({"parameters": [{"name": "f", "in": "path", "schema": {"type": "array"}}]}, "/{f}"),
        ({}, "/a/{id}"),
        ({"parameters": [{"name": "id", "in": "path"}]}, "/a/{id}.json"),
        ({}, "/a/../b"),
        ({}, "a"),
        (a_body({"type": "string"}, "multipart/form-data"), "/a"),
        (a_body({"type": "string"}, "application/x-www-form-urlencoded"), "/a"),
    ],
)
def test_what_cannot_be_sent_to_the_letter_is_left_out(operation: Json, path: str) -> None:
    """It is an unknown tool then, and why is told."""
    api = an_api({path: {"post": operation}})
    assert api.routes == {}
    assert len(api.left_out) == 1


def test_what_need_not_be_sent_is_left_out_alone() -> None:
    """An optional parameter in another style does not cost its operation."""
    parameters = [{"name": "f", "in": "query", "style": "deepObject"}, {"name": "g", "in": "query"}]
    (route,) = an_api({"/a": {"get": {"parameters": parameters}}}).routes.values()
    assert [one.name for one in route.query] == ["g"]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"swagger": "2.0", "paths": {}},
        {"openapi": "4.0.0", "paths": {}},
        {"openapi": "3.1.0"},
        {
            "openapi": "3.1.0",
            "paths": {"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}},
        },
        {"openapi": "3.1.0", "paths": {"/a": {"get": {}}, "/A": {"get": {"operationId": "other"}}}},
        {
            "openapi": "3.1.0",
            "paths": {
                f"/a/{{{name}}}": {"get": {"operationId": name, "parameters": [{"name": name, "in": "path"}]}}
                for name in ("x", "y")
            },
        },
    ],
)
def test_a_document_with_two_readings_is_refused(document: Json) -> None:
    """One name for two operations, one address for two, or no OpenAPI at all."""
    with pytest.raises(ConfigInvalid):
        read_api(document)


def test_schemas_are_written_out() -> None:
    """References are followed within bounds; what is nested without end becomes anything."""
    tree = {"type": "object", "properties": {"below": {"$ref": "#/components/schemas/Tree"}, "n": {}}}
    wide = {
        "type": "object",
        "properties": {f"p{n}": {"$ref": "#/components/schemas/Wide"} for n in range(50)},
    }
    schemas = {
        "Tree": tree,
        "Wide": wide,
        "Old": {"type": "string", "nullable": True},
        "Above": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "example": 3},
        "Circle": {"$ref": "#/components/schemas/Circle"},
    }
    body = {
        "type": "object",
        "properties": {
            name.lower(): {"$ref": f"#/components/schemas/{name}"}
            for name in ("Old", "Above", "Tree", "Wide")
        },
    }
    (route,) = an_api({"/a": {"post": a_body(body)}}, components={"schemas": schemas}).routes.values()
    found = route.wire["inputSchema"]["properties"]
    assert found["old"] == {"type": ["string", "null"]}
    assert found["above"] == {"type": "number", "exclusiveMinimum": 0}
    assert "$ref" not in str(found)
    assert len(str(found)) < 2_000_000
    circle = an_api(
        {"/a": {"post": a_body({"$ref": "#/components/schemas/Circle"})}}, components={"schemas": schemas}
    )
    assert len(circle.left_out) == 1


def test_the_pin_covers_how_arguments_travel() -> None:
    """Where an argument moves from the query into the path, the tool is another one than was reviewed."""
    query = {"operationId": "op", "parameters": [{"name": "id", "in": "query"}]}
    path = {"operationId": "op", "parameters": [{"name": "id", "in": "path"}]}
    one = an_api({"/a": {"get": query}}).routes["op"].wire
    other = an_api({"/a/{id}": {"get": path}}).routes["op"].wire
    moved = an_api({"/b": {"get": query}}).routes["op"].wire
    assert len({surface_digest(surface_of(wire)) for wire in (one, other, moved)}) == 3


def test_the_header_of_the_credential_is_no_argument() -> None:
    """Whatever the document declares: the lease fills it in."""
    parameters = [{"name": "X-Api-Key", "in": "header", "required": True}]
    document = {"openapi": "3.0.3", "paths": {"/a": {"get": {"parameters": parameters}}}}
    (route,) = read_api(document, credentials=frozenset({"x-api-key"})).routes.values()
    assert route.headers == ()


def test_a_whole_body_is_one_argument_where_it_has_no_properties() -> None:
    """A list, a text, or an object of anything."""
    for schema in ({"type": "array", "items": {}}, {"type": "object"}, {}):
        (route,) = an_api({"/a": {"post": a_body(schema)}}).routes.values()
        assert route.body is not None
        assert route.body.whole == "body"
