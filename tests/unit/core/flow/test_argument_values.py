# SPDX-License-Identifier: Apache-2.0
"""Every value of an argument: what is a name only where the schema declares it, and what was not examined."""

from typing import Any

import pytest

from remit.core.flow.arguments.argument_values import MAX_DEPTH, MAX_LIST, MAX_REFERENCES, several, values_of
from remit.core.tools.tool import Tool

Json = Any

PERSON = {
    "properties": {
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {}},
        "boss": {"$ref": "#/$defs/person"},
        "crew": {"items": {"$ref": "#/$defs/person"}},
    }
}
SCHEMA = {
    "properties": {
        "one": {"$ref": "#/$defs/person"},
        "all": {"type": "array", "items": PERSON},
        "either": {"anyOf": [{"type": "null"}, PERSON]},
        "free": {"additionalProperties": PERSON},
        "a.b": PERSON,
        "mixed": {"properties": {"boss": PERSON}, "additionalProperties": {"properties": {"rank": {}}}},
        "lost": {"$ref": "#/$defs/nobody/properties"},
        "elsewhere": {"$ref": "https://schemas.example/person"},
        "circle": {"$ref": "#/properties/circle"},
        "odd": {
            "properties": ["name"],
            "items": ["name"],
            "anyOf": {"name": PERSON},
            "oneOf": [True, PERSON],
        },
    },
    "$defs": {"person": PERSON},
}
DEFS = {"all": SCHEMA, "person": PERSON}
TOOL = Tool(upstream="u", name="t", surface={"inputSchema": SCHEMA})


def nested(depth: int) -> Json:
    """Return a text in so many lists."""
    value: Json = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "name", "found"),
    [
        ("a", "one", ["a"]),
        (True, "one", ["true"]),
        (False, "one", ["false"]),
        (3, "one", ["3"]),
        (2.5, "one", ["2.5"]),
        (None, "one", []),
        ({"name": "ann"}, "one", ["ann"]),
        ({"eve@evil.example": "ann"}, "one", ["eve@evil.example", "ann"]),
        ({"name": None}, "one", []),
        ({"eve": None}, "one", ["eve", ""]),
        ({"name": "ann", "tags": ["a", "b"]}, "one", ["ann", "a", "b"]),
        ({"name": {"name": "ann"}}, "one", ["name", "ann"]),
        ([{"name": "ann"}, {"other": "bob"}], "all", ["ann", "other", "bob"]),
        ({"name": "ann"}, "all[]", ["ann"]),
        ({"name": "ann"}, "either", ["ann"]),
        ({"k": {"name": "ann"}}, "free", ["k", "ann"]),
        ({"name": "ann"}, "a.b", ["ann"]),
        ({"name": "ann"}, "nowhere", ["name", "ann"]),
        ([None, [], {}, "", 0], "all", ["", "", "", "", "0"]),
        ([["a"], "b"], "all", ["a", "b"]),
        ({"boss": {"name": "ann", "boss": {"name": "bob", "x": 1}}}, "one", ["ann", "bob", "x", "1"]),
        ({"crew": [{"name": "ann"}, {"eve": "bob"}]}, "one", ["ann", "eve", "bob"]),
        ({"boss": {"name": "ann"}, "eve": {"rank": 1}}, "mixed", ["ann", "eve", "1"]),
        ({"boss": {"rank": 1}, "eve": {"name": "ann"}}, "mixed", ["rank", "1", "eve", "name", "ann"]),
        ({"name": "ann"}, "lost", ["name", "ann"]),
        ({"name": "ann"}, "elsewhere", ["name", "ann"]),
        ({"circle": "ann"}, "circle", ["circle", "ann"]),
        ({"name": "ann"}, "odd", ["ann"]),
        ([{"name": "ann"}], "odd", ["ann"]),
        ({"name": "ann"}, "one.boss", ["ann"]),
        ({"name": "ann"}, "one.crew[]", ["ann"]),
    ],
)
def test_each_value_of_an_argument_is_given(value: Json, name: str, found: list[str]) -> None:
    """Keys that the schema declares are names; others are values, as is nothing among several."""
    assert list(values_of(value, TOOL, name)) == found


def test_a_schema_that_is_a_reference_declares_what_it_refers_to() -> None:
    """Names with dots, too, and what lies behind a path."""
    tool = Tool(upstream="u", name="t", surface={"inputSchema": {"$ref": "#/$defs/all", "$defs": DEFS}})
    for name in ("one", "a.b", "one.boss"):
        assert list(values_of({"name": "ann"}, tool, name)) == ["ann"]
    assert list(values_of({"name": "ann"}, tool, "b")) == ["name", "ann"]


def test_without_a_schema_every_key_is_a_value() -> None:
    """No schema declares that the key is a name."""
    assert list(values_of({"name": ["ann"]}, None, "")) == ["name", "ann"]


@pytest.mark.parametrize(("length", "followed"), [(MAX_REFERENCES - 2, True), (MAX_REFERENCES - 1, False)])
def test_a_chain_of_references_is_followed_only_so_far(length: int, followed: bool) -> None:
    """What stands behind more of them declares nothing: its keys are values."""
    chain: Json = {f"r{at}": {"$ref": f"#/$defs/r{at + 1}"} for at in range(length)} | {f"r{length}": PERSON}
    schema = {"properties": {"one": {"$ref": "#/$defs/r0"}}, "$defs": chain}
    tool = Tool(upstream="u", name="t", surface={"inputSchema": schema})
    assert list(values_of({"name": "ann"}, tool, "one")) == (["ann"] if followed else ["name", "ann"])


@pytest.mark.parametrize("branch", ["anyOf", "oneOf", "allOf"])
def test_of_many_branches_only_the_first_declare_names(branch: str) -> None:
    """Whatever a schema says, few looks are made at it."""

    def declared(at: int) -> list[str]:
        options: Json = [{"properties": {f"n{number}": {}}} for number in range(MAX_REFERENCES + 2)]
        tool = Tool(
            upstream="u", name="t", surface={"inputSchema": {"properties": {"one": {branch: options}}}}
        )
        return list(values_of({f"n{at}": "ann"}, tool, "one"))

    assert declared(0) == declared(MAX_REFERENCES - 1) == ["ann"]
    assert declared(MAX_REFERENCES) == [f"n{MAX_REFERENCES}", "ann"]


@pytest.mark.parametrize(
    ("depth", "found"), [(MAX_DEPTH, ["x"]), (MAX_DEPTH + 1, ["x"]), (MAX_DEPTH + 2, ['["x"]'])]
)
def test_what_is_too_deep_is_given_whole(depth: int, found: list[str]) -> None:
    """So it matches no value that was met before."""
    assert list(values_of(nested(depth), None, "")) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a@x.example, b@y.example; c@z.example", ["a@x.example", "b@y.example", "c@z.example"]),
        ('"A, B" <a@x.example>, b@y.example', ['"A, B" <a@x.example>', "b@y.example"]),
        ("a, b", ["a, b"]),
        ("a@x.example", ["a@x.example"]),
        ("@ " * 2, ["@ @ "]),
        ("a@x.example,", ["a@x.example"]),
        ("a@x.example; ,b@y.example", ["a@x.example", "b@y.example"]),
        ("@,;", ["@"]),
        (',"@"', ['"@"']),
        (';,"@', ["@"]),
        ("a@x.example," + "x" * (MAX_LIST - 12), ["a@x.example", "x" * (MAX_LIST - 12)]),
        ("a@x.example," + "x" * (MAX_LIST - 11), ["a@x.example," + "x" * (MAX_LIST - 11)]),
    ],
)
def test_a_list_of_addresses_is_taken_apart(text: str, found: list[str]) -> None:
    """At commas and semicolons outside of quotes, where it is a list of addresses and not too long."""
    assert list(several(text)) == found
