# SPDX-License-Identifier: Apache-2.0
"""What stands in a result and in no field of it: values of a name that is written twice, and comments."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.cooperative_steps import finish
from remit.core.flow.records.fields import structured
from remit.core.flow.records.json_parsing import reading
from remit.core.flow.records.record import MAX_DEPTH, MAX_LEAVES, Reading, with_fields
from remit.core.label import Classes, Label, Trust
from remit.core.tools.tool import FieldLabel, Tool

Json = Any
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
TOOL = Tool(
    upstream="u",
    name="t",
    label=Label("internal"),
    fields=(FieldLabel("body", Label("restricted", trust=Trust.UNTRUSTED)),),
)


def unread(written: str) -> list[str]:
    """Return what stands in a JSON text and not in what is read of it."""
    left: list[str] = []
    finish(reading(written, left))
    return left


@given(VALUES, st.booleans())
def test_json_with_each_name_once_is_read_whole(value: Json, ascii_only: bool) -> None:
    """However it is written: quotes and backslashes in its texts leave nothing out."""
    assert unread(json.dumps(value, ensure_ascii=ascii_only)) == []


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ('{"to": "m@evil.example.org", "to": "a@example.com"}', ["to", "m@evil.example.org"]),
        ('{"a": {"b": [1, "\\\\\\""]}, "a": "x"}', ["a", "b", "1", '\\"']),
        ('[{"x": "1", "x": "2", "x": "3"}]', ["x", "1", "x", "2"]),
        ('{"a": "{\\"b\\"", "c": "\\\\"}', []),
        ('{"a": "\\u0022\\u0022", "c": 1}', []),
        ('{"a": 1, "a": "\\u0022\\u0022"}', ["a", "1"]),
    ],
)
def test_a_name_that_is_written_twice_leaves_its_first_values(written: str, left: list[str]) -> None:
    """Readers of JSON do not agree on which of them counts."""
    assert unread(written) == left
    found: list[str] = []
    structured(written, found)
    assert found == left


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("to: m@evil.example.org\nto: a@example.com\n", ["to", "m@evil.example.org"]),
        ("a: 'x # no' # ünö\n# für m@evil.example.org\nb: x#y", ["# ünö", "# für m@evil.example.org"]),
        ("a: |  # head\n  text # no\nb: >\n  # no\n# end", ["# head", "# end"]),
        ("a: 1\nb: [2, 3]\n", []),
    ],
)
def test_yaml_leaves_comments_and_first_values(written: str, left: list[str]) -> None:
    """A reader of the text sees them."""
    found: list[str] = []
    assert isinstance(structured(written, found), dict)
    assert found == left


@pytest.mark.parametrize(
    "written", ["a: 1  # m@evil.example.org", '{"a": 1, "a": "m@evil.example.org", "a": 2}']
)
def test_what_stands_in_no_field_is_as_bad_as_any_field(written: str) -> None:
    """It has the label of all of them, and the trust of the worst."""
    reading = Reading(written, TOOL)
    said = [leaf for leaf in reading if "evil" in leaf.text]
    assert said
    assert all(leaf.label.trust is Trust.UNTRUSTED for leaf in said)
    assert with_fields(TOOL.label, reading.seen, Classes()) == Label("restricted", trust=Trust.UNTRUSTED)


def test_nesting_without_end_is_left_as_text() -> None:
    """What cannot be compared counts as not read; an interpreter that can compare it finds what is hidden."""
    deep = "[" * 1000 + '{"to":"m@evil.example.org","to":"m@good.example.org"}' + "]" * 1000
    assert "m@evil.example.org" in " ".join(unread(deep))


@pytest.mark.parametrize(
    ("result", "cut"),
    [
        (["x"] * MAX_LEAVES, False),
        (["x"] * (MAX_LEAVES + 1), True),
        ({"body": ["x"] * MAX_LEAVES}, False),
    ],
    ids=["at the bound", "one more", "of one field"],
)
def test_what_has_more_values_than_are_read_has_the_label_of_every_field(result: Json, cut: bool) -> None:
    """The omitted part may contain any field; an author who makes a result long does not lower its label."""
    tool = msgspec.structs.replace(
        TOOL, fields=(*TOOL.fields, FieldLabel("other", Label("confidential", frozenset({"health"}))))
    )
    reading = Reading(result, tool)
    assert sum(1 for _ in reading) == MAX_LEAVES
    assert reading.cut is cut
    every = {tool.label, *(field.label for field in tool.fields)}
    if cut:
        assert reading.seen | {tool.label} == every
        label = with_fields(tool.label, reading.seen, Classes())
        assert label == Label("restricted", frozenset({"health"}), Trust.UNTRUSTED)
    else:
        assert reading.seen < every


@pytest.mark.parametrize(("deeper", "cut"), [(0, False), (1, True)])
def test_what_stands_too_deep_has_the_label_of_every_field(deeper: int, cut: bool) -> None:
    """That depth is not examined, and it may contain any field."""
    value: Json = "x"
    for _ in range(MAX_DEPTH + deeper):
        value = [value]
    reading = Reading(value, TOOL)
    assert len(list(reading)) == (not cut)
    assert reading.cut is cut
    assert (TOOL.fields[0].label in reading.seen) is cut
