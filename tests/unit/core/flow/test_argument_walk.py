# SPDX-License-Identifier: Apache-2.0
"""The walk over an argument: each text once, nothing longer than it seems, and turns for others between."""

from typing import Any

import pytest

from remit.core.flow.arguments.argument_walk import found_in, is_long, is_one, walk
from remit.core.flow.values.destination import MAX_WHOLE
from remit.core.tools.tool import Tool

Json = Any

SCHEMA: Json = {"properties": {"to": {"properties": {"name": {}}}}}
TOOL = Tool(upstream="u", name="t", surface={"inputSchema": SCHEMA})
#: One character that is eighteen, once it is folded.
WIDE = "\ufdfa"


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("x" * MAX_WHOLE, False),
        ("x" * (MAX_WHOLE + 1), True),
        ("\u0434" * MAX_WHOLE, False),
        ("\u0434" * (MAX_WHOLE + 1), True),
        (WIDE * (MAX_WHOLE // 18), False),
        (WIDE * (MAX_WHOLE // 18 + 1), True),
    ],
)
def test_a_text_is_as_long_as_it_is_once_it_is_folded(text: str, long: bool) -> None:
    """Few characters may stand for many."""
    assert is_long(text) is long
    assert is_one(text) is not long


@pytest.mark.parametrize("value", [3, None, ["ann"], {"a": "b"}, "a@x.example, b@y.example", "a@x.example,"])
def test_what_is_not_one_text_as_it_stands_is_walked(value: Json) -> None:
    """A list of addresses has several destinations; a mark at its end is none of an address."""
    assert not is_one(value)


def test_each_text_of_an_argument_is_given_once() -> None:
    """However often it stands there, alone or in a list of addresses."""
    value = ["a@x.example, b@y.example", "b@y.example", "a@x.example", "c"]
    assert list(walk(value, TOOL, "to")) == ["a@x.example", "b@y.example", "c"]


def test_a_key_is_a_text_where_the_tool_does_not_declare_it_for_that_argument() -> None:
    """The same value holds more under another name, or for an unknown tool."""
    value = {"name": "ann"}
    assert list(walk(value, TOOL, "to")) == ["ann"]
    assert list(walk(value, TOOL, "cc")) == ["name", "ann"]
    assert list(walk(value, None, "to")) == ["name", "ann"]


def test_others_have_a_turn_during_a_long_walk() -> None:
    """Also where it is one text over and over; a short one is done at once."""
    assert None not in set(walk(["a", "b", "c"], TOOL, "to"))
    for value in ([f"text {at}" for at in range(1_000)], ["same"] * 1_000):
        turns = [text is None for text in walk(value, TOOL, "to")]
        assert sum(turns) > 50
        assert len(turns) - sum(turns) == len(set(value))


def addresses(length: int) -> str:
    """Return a text of so many characters, nearly all of them addresses."""
    return " ".join(f"a{at:04}@corp.example" for at in range(length // 19))[: length - 2].ljust(length, "x")


def test_a_text_of_many_destinations_is_read_in_steps_and_each_is_found() -> None:
    """One that is compared as a whole is read at once; so is none of which the reading is kept."""
    short, long = addresses(MAX_WHOLE), addresses(MAX_WHOLE + 1)
    assert (len(short), len(long)) == (MAX_WHOLE, MAX_WHOLE + 1)
    assert len(list(found_in(short))) == 1
    kept: list[str] = []
    for steps in (list(map(list, found_in(long))), list(map(list, found_in(short, kept)))):
        assert len(steps) > 2
        assert len({one for found in steps for one in found}) == MAX_WHOLE // 19
    assert kept == [short]
