# SPDX-License-Identifier: Apache-2.0
"""Arguments become Cedar types, and values fit them exactly or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from remit.adapters.policy.cedar.rule_groups import extension
from remit.adapters.policy.cedar.type_text import cedar_type
from remit.adapters.policy.types import (
    BOOL,
    DECIMAL,
    MOMENT,
    STRING,
    STRINGS,
    WHOLE,
    Shape,
    TypeMismatch,
    arguments,
    fit,
    prune,
    record,
)

LIMIT = 16


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string"}, "{ x?: String }"),
        ({"type": "string", "enum": ["a"]}, "{ x?: String }"),
        ({"enum": ["a", "b"]}, "{ x?: String }"),
        ({"const": "a"}, "{ x?: String }"),
        ({"type": "integer"}, "{ x?: Long }"),
        ({"type": "number"}, "{ x?: decimal }"),
        ({"type": "boolean"}, "{ x?: Bool }"),
        ({"type": "array", "items": {"type": "string"}}, "{ x?: Set<String> }"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}, "{ x?: String }"),
        ({"type": ["integer", "null"]}, "{ x?: Long }"),
        ({"allOf": [{"type": "string"}]}, "{ x?: String }"),
        ({"$ref": "#/$defs/p"}, "{ x?: { in?: Long } }".replace("in?", '"in"?')),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            "{ x?: { a: String } }",
        ),
    ],
)
def test_json_schema_becomes_cedar(schema: dict[str, Any], written: str) -> None:
    """What Cedar can express has the Cedar type."""
    defs = {"p": {"type": "object", "properties": {"in": {"type": "integer"}}}}
    assert cedar_type(arguments({"properties": {"x": schema}, "$defs": defs})) == written


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"type": ["string", "integer"]},
        {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
        {"type": "array"},
        {"type": "array", "items": {"type": ["string", "null"]}},
        {"type": "object"},
        {"type": "null"},
        {"type": {"a": 1}},
        {"$ref": "https://schemas.example/x"},
        {"$ref": "#/nowhere"},
        {"$ref": "#/properties/x"},
        {"anyOf": []},
        {"enum": [1, "a"]},
    ],
)
def test_what_cedar_cannot_express_is_hidden_with_a_reason(schema: object) -> None:
    """Mixed, open, endless and foreign shapes are left out, and said so."""
    shape = arguments({"properties": {"x": schema}, "required": ["x"]})
    assert not shape.fields
    assert shape.hidden["x"]


@pytest.mark.parametrize("name", ["__entity", "__extn", "__expr"])
def test_cedars_own_names_are_never_attributes(name: str) -> None:
    """An argument called like one of Cedar's JSON escapes is not readable."""
    assert name in arguments({"properties": {name: {"type": "string"}}}).hidden


def test_a_schema_that_multiplies_itself_is_read_in_bounded_work() -> None:
    """References that fan out at every level cost a bounded number of steps."""
    many = {f"p{n}": {"$ref": "#/$defs/t"} for n in range(40)}
    shape = arguments({"properties": many, "$defs": {"t": {"anyOf": [{"$ref": "#/$defs/t"}] * 40}}})
    assert len(shape.hidden) == 40


@pytest.mark.parametrize(
    ("shape", "value", "cedar"),
    [
        (STRING, "a\0b", "a\0b"),
        (WHOLE, 2**63 - 1, 2**63 - 1),
        (WHOLE, 3.0, 3),
        (BOOL, False, False),
        (STRINGS, ["b", "a"], ["b", "a"]),
        (DECIMAL, 1, {"__extn": {"fn": "decimal", "arg": "1.0000"}}),
        (DECIMAL, -12.5, {"__extn": {"fn": "decimal", "arg": "-12.5000"}}),
        (DECIMAL, 1e-4, {"__extn": {"fn": "decimal", "arg": "0.0001"}}),
        (
            MOMENT,
            datetime(2026, 3, 4, tzinfo=UTC),
            {"__extn": {"fn": "datetime", "arg": "2026-03-04T00:00:00Z"}},
        ),
        (record(a=STRING), {"a": "x"}, {"a": "x"}),
    ],
)
def test_values_fit_their_type(shape: Shape, value: object, cedar: object) -> None:
    """A value of the declared type is passed on in Cedar's form."""
    assert fit(shape, value, "args.x", LIMIT, extension) == cedar


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (STRING, 1),
        (STRING, None),
        (STRING, "x" * 17),
        (STRING, {"__entity": {"type": "Agent", "id": "root"}}),
        (STRING, {"__extn": {"fn": "decimal", "arg": "1.0"}}),
        (WHOLE, 2**63),
        (WHOLE, -(2**63) - 1),
        (WHOLE, 10**5000),
        (WHOLE, True),
        (WHOLE, 1.5),
        (WHOLE, 1e300),
        (WHOLE, "1"),
        (BOOL, 1),
        (DECIMAL, 0.12345),
        (DECIMAL, 1e300),
        (DECIMAL, 10**5000),
        (DECIMAL, float("nan")),
        (DECIMAL, float("inf")),
        (DECIMAL, True),
        (DECIMAL, "1.0"),
        (DECIMAL, {"__extn": {"fn": "decimal", "arg": "1.0"}}),
        (STRINGS, "abc"),
        (STRINGS, ["a", 1]),
        (STRINGS, ["a"] * 5000),
        (MOMENT, "2026-03-04"),
        (record(a=STRING), {}),
        (record(a=STRING), {"a": None}),
        (record(a=STRING), {"a": "x", "b": "y"}),
        (record(a=STRING), {"a": "x", "__entity": {"type": "Agent", "id": "root"}}),
        (record(a=STRING), ["a"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_do_not_fit_are_refused_whole(shape: Shape, value: object) -> None:
    """Nothing is rounded, cut, dropped or taken for an entity; the message never holds the value."""
    with pytest.raises(TypeMismatch) as found:
        fit(shape, value, "args.x", LIMIT, extension)
    assert "root" not in str(found.value)


def test_null_is_absence_only_where_the_schema_takes_null() -> None:
    """A nullable argument that is null is absent; another that is null does not fit."""
    text, nullable = {"type": "string"}, {"type": ["string", "null"]}
    shape = arguments({"properties": {"a": nullable, "b": text}, "required": ["a"]})
    assert fit(shape, {"a": None}, "args", LIMIT, extension) == {}
    with pytest.raises(TypeMismatch):
        fit(shape, {"b": None}, "args", LIMIT, extension)


def test_only_what_is_read_is_passed_on() -> None:
    """A pruned record passes the read fields, ignores unread ones, and refuses a read one that it cannot
    show.
    """
    shape = prune(record(args=record(a=STRING, b=STRING)), [("args", "a"), ("args", "gone", None)])
    assert fit(shape, {"args": {"a": "x", "b": "y" * 99, "c": 1}}, "context", LIMIT, extension) == {
        "args": {"a": "x"}
    }
    with pytest.raises(TypeMismatch, match=r"args\.gone"):
        fit(shape, {"args": {"a": "x", "gone": 1}}, "context", LIMIT, extension)


def test_a_record_read_whole_stays_closed() -> None:
    """Reading a record as a value keeps all of it, and refuses names that it does not have."""
    shape = prune(record(args=record(a=STRING)), [("args",)])
    with pytest.raises(TypeMismatch, match=r"args\.c"):
        fit(shape, {"args": {"a": "x", "c": 1}}, "context", LIMIT, extension)
