# SPDX-License-Identifier: Apache-2.0
"""An OpenAPI document whose references lead to itself in more ways than can be followed."""

from __future__ import annotations

from typing import Any

import pytest

from remit.config.bundle.apis import api_of
from remit.config.settings import UpstreamSection
from remit.core.canonical import encode
from remit.core.errors import ConfigInvalid
from remit.core.tools.http_api import read_api

Json = Any


def refer(name: str) -> Json:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def document(paths: Json, **schemas: Json) -> Json:
    """A document with these paths and schemas."""
    return {"openapi": "3.1.0", "info": {}, "paths": paths, "components": {"schemas": schemas}}


def takes(schema: Json) -> Json:
    """An operation with this body."""
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def asks(schema: Json) -> Json:
    """An operation with twenty parameters of this schema."""
    return {"parameters": [{"in": "query", "name": f"q{one}", "schema": schema} for one in range(20)]}


def test_a_schema_that_is_all_of_itself_is_what_it_says_beside() -> None:
    """64 times itself, eight deep, are more schemas than can be counted, and one property."""
    whole = {"allOf": [refer("whole")] * 64, "properties": {"x": {"type": "string"}}, "required": ["x"]}
    api = read_api(document({"/a": {"post": takes(refer("whole"))}}, whole=whole))
    (route,) = api.routes.values()
    assert [one.name for one in route.properties] == ["x"]


def test_alternatives_that_lead_to_each_other_are_looked_at_once() -> None:
    """`anyOf` in `anyOf`, sixteen wide, in twenty parameters."""
    steps = {
        f"s{one}": {"anyOf": [{**refer(f"s{one + 1}"), "x": two} for two in range(16)]} for one in range(6)
    }
    api = read_api(document({"/a": {"get": asks(refer("s0"))}}, **steps, s6={"type": "integer"}))
    (route,) = api.routes.values()
    assert len(route.query) == 20


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {f"p{one}": {"type": "string"} for one in range(50_000)}},
        {"properties": {"p": {"enum": ["x" * 1_000] * 3_000}}},
        {"properties": {"p" * 3_000_000: {"type": "string"}}},
    ],
    ids=["properties", "values", "names"],
)
def test_what_is_repeated_without_end_is_refused_by_its_amount(schema: Json) -> None:
    """A file of a few megabytes makes gigabytes where each of many operations refers to all of it."""
    made = document({f"/a{one}": {"post": takes(refer("large"))} for one in range(900)}, large=schema)
    section = UpstreamSection(url="https://api.example.com", openapi="api.json")
    with pytest.raises(ConfigInvalid) as refused:
        api_of(encode(made), "api.json", section)
    assert "refers to more than" in refused.value.message
    assert refused.value.remediation
