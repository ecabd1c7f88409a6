# SPDX-License-Identifier: Apache-2.0
"""The leaves of a result: which record each stands in, under which path and name, and with which label."""

import json
from typing import Any

import pytest

from remit.core.flow.records.record import (
    MAX_KEY,
    MAX_NAMES,
    MAX_PATHS,
    MAX_TOOLS,
    OTHERS,
    PATH_BYTES,
    Paths,
    Reading,
    bodies,
)
from remit.core.label import Label, Trust
from remit.core.tools.constraint import decode
from remit.core.tools.tool import FieldLabel, Tool

Json = Any

PLAIN, HIDDEN, FOREIGN = Label("internal"), Label("restricted"), Label("public", trust=Trust.UNTRUSTED)


def a_tool(*fields: FieldLabel) -> Tool:
    """Return a tool with labels of fields."""
    return Tool(upstream="u", name="t", label=PLAIN, fields=fields)


def leaves(result: Json, tool: Tool | None = None) -> list[tuple[int, str, str, str]]:
    """Return record, path, name and text of each leaf."""
    return [(one.record, one.path, one.name, one.text) for one in Reading(result, tool or a_tool())]


def texts(result: Json) -> list[str]:
    """Return the text of each leaf."""
    return [one[3] for one in leaves(result)]


@pytest.mark.parametrize(
    ("result", "parts"),
    [
        ("hello", [("hello", "")]),
        ({"id": 1}, [({"id": 1}, "")]),
        ({"content": "odd"}, [({"content": "odd"}, "")]),
        ({"content": []}, []),
        (
            {"content": ["a", {"type": "text", "text": "b"}, {"type": "text", "text": 3}]},
            [("a", None), ("b", "text"), ({"type": "text", "text": 3}, None)],
        ),
        (
            {"content": [], "structuredContent": {"id": 1}, "resultType": "complete", "_meta": {"b": 2}},
            [({"id": 1}, None), ({"_meta": {"b": 2}}, None)],
        ),
        ({"content": [], "resultType": "input_required"}, [({"resultType": "input_required"}, None)]),
        ({"contents": [{"uri": "u", "blob": "b"}]}, [("b", "blob"), ({"uri": "u"}, None)]),
        ({"contents": ["a"], "content": ["b"]}, [("a", None), ("b", None)]),
        ({"contents": "a", "content": ["b"]}, [("b", None), ({"contents": "a"}, None)]),
        (
            {"content": [{"type": "resource", "resource": {"uri": "u", "text": "t", "mimeType": "m"}}]},
            [({"type": "resource"}, None), ("t", "text"), ({"uri": "u", "mimeType": "m"}, None)],
        ),
        ({"content": [{"resource": "r", "type": "x"}]}, [({"resource": "r", "type": "x"}, None)]),
        ({"content": [{"resource": ["r"], "text": "t"}]}, [("t", "text"), ({"resource": ["r"]}, None)]),
        ({"content": [{"text": "t", "annotations": None}]}, [("t", "text")]),
        ({"content": [{"data": "d", "text": "t"}]}, [("t", "text"), ("d", "data")]),
        ({"content": [{"text": "t", "types": 1}]}, [("t", "text"), ({"types": 1}, None)]),
    ],
)
def test_every_part_of_a_result_is_given_and_a_text_with_the_name_it_stood_under(
    result: Json, parts: list[tuple[Json, str | None]]
) -> None:
    """Content that is not part of the shape is returned, too, because an agent may read it."""
    assert list(bodies(result)) == parts


def test_objects_below_a_name_belong_to_the_record_around_them_and_those_of_a_list_are_their_own() -> None:
    """Numbers are texts; yes, no and nothing are none."""
    result = {"a": {"b": ["x", {"c": 1, "d": [{"e": "y"}]}], "f": True}, "g": None, "h": 2.5, "i": 1e300}
    assert leaves(result) == [
        (0, "a.b[]", "b", "x"),
        (1, "a.b[].c", "c", "1"),
        (2, "a.b[].d[].e", "e", "y"),
        (0, "h", "h", "2.5"),
        (0, "i", "i", "1e300"),
    ]
    reading = Reading([{"a": [{"b": 1}, {"b": 2}]}, {"a": 3}], a_tool())
    assert [(one.record, one.text) for one in reading] == [(2, "1"), (3, "2"), (4, "3")]
    assert reading.above == [0, 0, 1, 1, 0]


def test_each_part_of_a_result_is_a_record_of_its_own() -> None:
    """Also a text that writes a structure."""
    result = {"content": [{"text": '{"a": [{"b": "x"}]}'}, {"text": "y"}], "structuredContent": {"c": "z"}}
    assert leaves(result) == [(1, "a[].b", "b", "x"), (2, "", "", "y"), (3, "c", "c", "z")]


@pytest.mark.parametrize(
    "key", ["ann@x.example", "a/b", "a b", "1a", "7", "x" * (MAX_KEY + 1), "-@"], ids=lambda key: key[:8]
)
def test_a_key_that_is_data_is_a_leaf_and_what_is_below_it_a_record(key: str) -> None:
    """Its path and its name are those of what holds it, for it is no name."""
    assert leaves({"by": {key: {"n": "x"}}}) == [(1, "by{}", "by", key), (1, "by{}.n", "n", "x")]
    assert leaves({"by": {key: "x"}}) == [(0, "by{}", "by", key), (0, "by{}", "by", "x")]
    assert leaves({key: ["x"]}) == [(0, "{}", "", key), (0, "{}[]", "", "x")]


@pytest.mark.parametrize(
    "key", ["name", "_id", "a-b", "x" * MAX_KEY, "", "\u00e9t\u00e9", "a1"], ids=lambda key: key[:8]
)
def test_a_key_that_is_a_name_is_no_leaf(key: str) -> None:
    """What is below it has it in its path."""
    assert leaves({key: {"n": "x"}}) == [(0, f"{key}.n" if key else "n", "n", "x")]


@pytest.mark.parametrize(
    "key",
    ["good.com", "GB29NWBK60161331926819", "+442079460000", "ann\uff20x\uff0eexample", "ann%40x%2Eexample"],
)
def test_a_name_that_may_be_a_destination_is_a_name_and_a_leaf(key: str) -> None:
    """It is read, and names what is below it."""
    assert leaves({key: {"n": "x"}}) == [(0, key, key, key), (0, f"{key}.n", "n", "x")]


def test_keys_that_objects_repeat_as_their_ids_are_data() -> None:
    """However different the objects are, and however few."""
    cards = {"card_1": {"id": "card_1", "brand": "v"}, "gift_2": {"amount": 3, "id": "gift_2"}}
    assert leaves({"methods": cards}) == [
        (1, "methods{}", "methods", "card_1"),
        (1, "methods{}.id", "id", "card_1"),
        (1, "methods{}.brand", "brand", "v"),
        (2, "methods{}", "methods", "gift_2"),
        (2, "methods{}.amount", "amount", "3"),
        (2, "methods{}.id", "id", "gift_2"),
    ]
    assert leaves({"by": {"bo7": {"user_id": "bo7"}}})[0] == (1, "by{}", "by", "bo7")
    assert leaves({"by": {"owner": {"user_id": "owner"}}}) == [(0, "by.owner.user_id", "user_id", "owner")]
    for other in ({"id": "gift_3"}, {"name": "gift_2"}, {"number": "gift_2", "id": 2}, "gift_2", {}):
        assert leaves({"methods": {**cards, "gift_2": other}})[0] == (0, "methods.card_1.id", "id", "card_1")


@pytest.mark.parametrize("path", ["line2", "line2.note", "by.Line-2[].note"])
def test_a_key_in_the_tool_file_is_no_data_whatever_the_object_repeats(path: str) -> None:
    """Who chooses an id chooses no label: what the file says of the field stays in force."""
    result = {"by": {"line2": {"id": "line2", "note": "x"}}}
    tool = a_tool(FieldLabel(path, Label(trust=Trust.UNTRUSTED)))
    assert [one.path for one in Reading(result, tool)] == ["by.line2.id", "by.line2.note"]


def test_the_names_of_several_objects_that_are_alike_are_data() -> None:
    """Of three or more with the same names: each is a record."""
    alike = {name: {"n": at} for at, name in enumerate(("ann", "bob", "cy"))}
    assert leaves({"people": alike}) == [
        (1, "people{}", "people", "ann"),
        (1, "people{}.n", "n", "0"),
        (2, "people{}", "people", "bob"),
        (2, "people{}.n", "n", "1"),
        (3, "people{}", "people", "cy"),
        (3, "people{}.n", "n", "2"),
    ]
    assert leaves({"list": [alike]})[0] == (2, "list[]{}", "list", "ann")
    for other in ({"n": 1, "m": 2}, {"m": 1}, "text"):
        assert (0, "ann.n", "n", "0") in leaves({**alike, "dan": other})
    assert leaves({name: alike[name] for name in ("ann", "bob")}) == [
        (0, "ann.n", "n", "0"),
        (0, "bob.n", "n", "1"),
    ]
    assert texts({"a": "x", "b": "y", "c": "z"}) == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-7, "-7"),
        (2**511 - 1, str(2**511 - 1)),
        (2**511, "0"),
        (0.5, "0.5"),
    ],
    ids=["nothing", "less", "long", "too-long", "part"],
)
def test_a_number_is_the_text_that_writes_it(number: float, text: str) -> None:
    """A number of more than a hundred and fifty digits has no such text."""
    assert texts([number]) == [text]


def labels(result: Json, *fields: FieldLabel) -> tuple[list[Label], set[Label]]:
    """Return the label of each leaf, and those that occurred."""
    reading = Reading(result, a_tool(*fields))
    found = [one.label for one in reading]
    return found, reading.seen


def test_a_leaf_has_the_label_of_its_field_or_that_of_its_tool() -> None:
    """A field is named by its path, by its path in each of a list, or by its last name."""
    result = {"a": {"b": "x", "c": "y"}, "b": "z"}
    assert labels(result, FieldLabel("a.b", HIDDEN)) == ([HIDDEN, PLAIN, PLAIN], {HIDDEN, PLAIN})
    assert labels(result, FieldLabel("b", HIDDEN)) == ([HIDDEN, PLAIN, HIDDEN], {HIDDEN, PLAIN})
    assert labels([result], FieldLabel("a.b", HIDDEN))[0] == [HIDDEN, PLAIN, PLAIN]
    assert labels({"l": ["x", "y"]}, FieldLabel("l[]", HIDDEN)) == ([HIDDEN, HIDDEN], {HIDDEN})
    assert labels(result) == ([PLAIN, PLAIN, PLAIN], {PLAIN})
    assert labels({"ann@x.example": "x"}, FieldLabel("{}", HIDDEN))[0] == [HIDDEN, HIDDEN]
    both = (FieldLabel("b", FOREIGN), FieldLabel("a.b", HIDDEN))
    assert labels(result, *both)[0] == [HIDDEN, PLAIN, FOREIGN]


def test_a_label_with_a_condition_holds_only_where_the_fields_beside_it_are_so() -> None:
    """Each object is asked for itself; what is missing, or cannot be decided, is not so."""
    mine = FieldLabel("text", HIDDEN, {"by": decode({"exact": "ann"}), "at": decode({"one_of": [1, 2]})})
    rest = FieldLabel("text", FOREIGN, {"by": decode({"exact": "eve"})})
    rows = [
        {"by": "ann", "at": 1, "text": "a"},
        {"by": "ann", "at": 3, "text": "b"},
        {"by": "eve", "text": "c"},
        {"at": 1, "text": "d"},
        {"by": ["ann"], "at": 1, "text": "e"},
        {"text": ["f"], "by": "ann", "at": 2},
        {"text": "g"},
    ]
    found = [one for one in Reading(rows, a_tool(mine, rest)) if one.path.startswith("[].text")]
    assert {one.text: one.label for one in found} == {
        "a": HIDDEN,
        "b": PLAIN,
        "c": FOREIGN,
        "d": PLAIN,
        "e": PLAIN,
        "f": HIDDEN,
        "g": PLAIN,
    }


def test_what_stands_beside_a_structure_may_be_any_field() -> None:
    """Its label is the worst of theirs, and each is a separate record; an untrusted field makes it
    untrusted.
    """
    written = '{"a": "first", "a": "second"}'
    result = {"content": [{"text": written}]}
    for fields, label in (
        ((FieldLabel("a", HIDDEN), FieldLabel("b", FOREIGN)), FOREIGN),
        ((FieldLabel("a", HIDDEN),), PLAIN),
    ):
        reading = Reading(result, a_tool(*fields))
        found = [(one.record, one.path, one.name, one.text, one.label) for one in reading]
        assert found == [
            (0, "a", "a", "second", HIDDEN),
            (1, "", "", "a", label),
            (2, "", "", "first", label),
        ]
        assert reading.seen >= {one.label for one in fields}
        assert reading.above == [0, 1, 2]


def test_a_text_that_is_no_structure_stands_in_no_field() -> None:
    """Where a tool has fields, a client may find one of them in it."""
    result = {"content": [{"text": "words"}]}
    for fields, label in (
        ((FieldLabel("a", FOREIGN),), FOREIGN),
        ((FieldLabel("a", HIDDEN),), PLAIN),
        ((), PLAIN),
    ):
        found, seen = labels(result, *fields)
        assert found == [label]
        assert seen >= {one.label for one in fields}
    structure = {"content": [{"text": json.dumps({"b": "x"})}]}
    _, seen = labels(
        structure, FieldLabel("text", HIDDEN), FieldLabel("a.text", FOREIGN), FieldLabel("c", FOREIGN)
    )
    assert seen == {PLAIN, HIDDEN, FOREIGN}
    _, seen = labels(structure, FieldLabel("c", FOREIGN))
    assert seen == {PLAIN}


def test_labels_are_added_to_those_that_occurred_before() -> None:
    """Several results may be read into one set."""
    seen = {FOREIGN}
    reading = Reading({"a": "x"}, a_tool(), seen=seen)
    assert len(list(reading)) == 1
    assert reading.seen is seen
    assert seen == {FOREIGN, PLAIN}


def test_others_have_a_turn_where_no_leaf_is_found_for_long() -> None:
    """Most values of a result may be none."""
    steps = list(Reading([True] * (3 * OTHERS), a_tool()).steps())
    assert steps == [None] * 3
    assert None not in list(Reading(["x"] * (3 * OTHERS), a_tool()).steps())


def test_paths_are_kept_for_the_next_result_of_the_same_tool() -> None:
    """Each once, and none for a tool that is described otherwise by now."""
    paths, tool = Paths(), a_tool()
    assert paths.size_bytes == 0
    for _ in range(2):
        assert len(list(Reading({"a": "x", "b": ["y"], "7": "z"}, tool, paths))) == 4
        assert paths.size_bytes == 4 * PATH_BYTES
    again = a_tool(FieldLabel("a", HIDDEN))
    (leaf,) = Reading({"a": "x"}, again, paths)
    assert leaf.label == HIDDEN
    assert paths.size_bytes == PATH_BYTES


def test_no_more_paths_and_tools_are_kept_than_the_bound() -> None:
    """An upstream that returns ever new ones is read all the same."""
    paths, tool = Paths(), a_tool()
    many = {f"n{at}": "x" for at in range(MAX_NAMES)}
    assert len(list(Reading(many, tool, paths))) == MAX_NAMES
    assert paths.size_bytes == MAX_NAMES * PATH_BYTES
    assert len(list(Reading({"other": "x"}, tool, paths))) == 1
    assert MAX_PATHS == MAX_NAMES
    assert paths.size_bytes == 0
    tools = [Tool(upstream="u", name=f"t{at}") for at in range(MAX_TOOLS + 1)]
    first = [paths.of(one) for one in tools[: MAX_TOOLS - 1]]
    assert paths.of(tools[0]) is first[0]
    paths.of(tools[MAX_TOOLS])
    assert paths.of(tools[0]) is not first[0]


NAMED = Tool(
    upstream="u",
    name="t",
    label=Label("internal"),
    fields=(
        FieldLabel("postal_code", Label("confidential")),
        FieldLabel("balances._keys", Label("internal", trust=Trust.UNTRUSTED)),
        FieldLabel("balances._values", Label("restricted")),
    ),
)


@pytest.mark.parametrize("name", ["postal_code", "Postal code", "postal-code", "PostalCode"])
def test_a_field_is_found_in_every_spelling(name: str) -> None:
    """Case, spaces, underscores and hyphens do not matter."""
    assert [one.label.data_class for one in Reading({"rows": [{name: "x"}]}, NAMED)] == ["confidential"]


@pytest.mark.parametrize("result", [{"balances": {"Ana": 1}}, [{"Balances": {"Ana": 1}}]])
def test_keys_and_values_of_a_map_are_labelled_apart(result: Json) -> None:
    """The file says that the keys are values, although they look like names."""
    found = [(one.text, one.label.data_class, str(one.label.trust)) for one in Reading(result, NAMED)]
    assert found == [("Ana", "internal", "untrusted"), ("1", "restricted", "trusted")]
