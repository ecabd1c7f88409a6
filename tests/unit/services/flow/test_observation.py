# SPDX-License-Identifier: Apache-2.0
"""What a chunk brings: the tool's own result, whatever shape the wire gave it, and what stands beside it."""

import json
from typing import Any

import msgspec
import pytest

from remit.core.cooperative_steps import finish
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.flow.records.fields import MAX_YAML_CHARS, ResultFields, structured
from remit.core.flow.records.json_parsing import MAX_AT_ONCE, MAX_VALUES
from remit.core.flow.records.record import Reading
from remit.core.label import Label, Trust
from remit.core.tools.tool import FieldLabel, Tool
from remit.services.flow.tool_results import brought as bringing

Json = Any
TOOL = Tool(upstream="u", name="t")
WRAPS = msgspec.structs.replace(TOOL, surface={"outputSchema": {"x-fastmcp-wrap-result": True}})
ROWS = [{"id": 1}, {"id": 2}]


def brought(chunk: Chunk, tool: Tool, left: list[str] | None = None) -> tuple[Json, ...]:
    """Return what a chunk brings, all steps at once."""
    return finish(bringing(chunk, tool, left))


def result(body: Json, tool: Tool = TOOL) -> tuple[Json, ...]:
    """Return what a result brings."""
    return brought(Chunk(ChunkKind.RESULT, json.dumps(body).encode()), tool)


def text(*parts: str, **more: Json) -> dict[str, Json]:
    """Return a result of text blocks."""
    return {"content": [{"type": "text", "text": one} for one in parts], **more}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (text("hello"), ("hello",)),
        (text('{"id": 1}', isError=False, resultType="complete"), ({"id": 1},)),
        (text("{not json"), ("{not json",)),
        (text("hello", '{"id": 1}'), (["hello", {"id": 1}],)),
        ({"content": [], "structuredContent": {"id": 1}}, ({"id": 1},)),
        (text('{"id": 1}', structuredContent={"id": 1}), ({"id": 1},)),
        (text("one row", structuredContent={"id": 1}), ({"id": 1}, "one row")),
        (text("a", _meta={"b": "c"}), ("a", {"_meta": {"b": "c"}})),
        ({"contents": [{"uri": "note://a", "text": "x"}]}, ("x", {"contents": [{"uri": "note://a"}]})),
        (
            {
                "content": [
                    {"type": "image", "data": "AA=="},
                    {"type": "text", "text": "x", "annotations": {"a": "b"}},
                ]
            },
            ("x", {"content": [{"type": "image", "data": "AA=="}, {"annotations": {"a": "b"}}]}),
        ),
        ({"messages": [{"role": "user"}]}, ({"messages": [{"role": "user"}]},)),
        ({"content": "odd", "structuredContent": None}, ({"content": "odd"},)),
        (text("x", resultType="input_required"), ("x", {"resultType": "input_required"})),
        ([1, 2], ([1, 2],)),
        ({}, ()),
    ],
)
def test_a_result_is_taken_out_of_its_wire_shape(body: Json, expected: tuple[Json, ...]) -> None:
    """Text that is JSON is read, what is written twice counts once, and nothing released is left out."""
    assert result(body) == expected


def test_a_wrapped_result_is_unwrapped_where_the_server_says_so() -> None:
    """FastMCP puts a list under `result` and says that it did; elsewhere `result` is the tool's own field."""
    body = text(*(json.dumps(row) for row in ROWS), structuredContent={"result": ROWS})
    assert result(body, WRAPS) == (ROWS,)
    assert result(text("a", structuredContent={"result": "a"}), WRAPS) == ("a",)
    assert result({"structuredContent": {"result": ROWS}}) == ({"result": ROWS},)
    assert result({"structuredContent": {"result": 1, "more": 2}}, WRAPS) == ({"result": 1, "more": 2},)


def test_how_far_a_call_has_come_brings_nothing() -> None:
    """A progress notification without words is not looked at; its words are."""
    pace = {"progressToken": "p", "progress": 3, "total": 7}
    for body, expected in ((pace, ()), (pace | {"message": "x"}, ({"message": "x"},))):
        chunk = Chunk(ChunkKind.NOTIFICATION, json.dumps(body).encode(), method="notifications/progress")
        assert brought(chunk, TOOL) == expected


@pytest.mark.parametrize("pad", [0, MAX_AT_ONCE])
@pytest.mark.parametrize("body", [text("hello"), text('{"id": 1}'), {"structuredContent": {"id": 1.5}}])
def test_a_long_result_is_read_like_a_short_one(body: Json, pad: int) -> None:
    """Blanks change nothing, however many; nor does the way of reading that spares memory."""
    chunk = Chunk(ChunkKind.RESULT, json.dumps(body).encode() + b" " * pad)
    assert brought(chunk, TOOL) == result(body)


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"{", b"", b'{"a":' * 2000, b"[" * (MAX_AT_ONCE + 1), b'"' + b"\xff" * MAX_AT_ONCE + b'"'],
)
def test_what_is_not_json_is_text(body: bytes) -> None:
    """Broken UTF-8, broken JSON and JSON without end: taken in as text, whole."""
    assert brought(Chunk(ChunkKind.RESULT, body), TOOL) == (body.decode(errors="replace"),)


def test_a_name_that_is_written_twice_brings_both_values() -> None:
    """Agents get the bytes, and may read the first one: in the message, or in a text of it."""
    for body in (
        b'{"content": [], "structuredContent": {"to": "m@evil.example.org", "to": "a@example.com"}}',
        json.dumps(text('{"to": "m@evil.example.org", "to": "a@example.com"}')).encode(),
    ):
        left: list[str] = []
        assert brought(Chunk(ChunkKind.RESULT, body), TOOL, left) == ({"to": "a@example.com"},)
        assert left == ["to", "m@evil.example.org"]


def test_more_values_than_are_read_stand_in_no_field() -> None:
    """They would be fifty times as large, and may be any field's; a text with as many commas is one value."""
    many = b'{"structuredContent":{"x":[' + b"[]," * MAX_VALUES + b"0]}}"
    strings = b'{"structuredContent":{"x":[' + b'"",' * (MAX_VALUES + 1) + b"0]}}"
    for body in (many, strings):
        left: list[str] = []
        assert brought(Chunk(ChunkKind.RESULT, body), TOOL, left) == ([],)
        assert left == [body.decode()]
    table = "a,b,c\n" * MAX_VALUES
    assert result({"content": [{"type": "text", "text": table}]}) == (table,)
    left = []
    inner = json.dumps({"content": [{"type": "text", "text": many.decode()}]}).encode()
    assert brought(Chunk(ChunkKind.RESULT, inner), TOOL, left) == ([],)
    assert left == [many.decode()]
    left = []
    assert structured(many.decode(), left) == []
    assert left == [many.decode()]
    assert structured(json.dumps([table])) == [table]
    assert structured(many.decode()[:-1]) == []
    written = ResultFields({"content": [{"type": "text", "text": many.decode()}]})
    assert "0" not in dict(written).values()
    assert written.cut


@pytest.mark.parametrize(
    "mail",
    [
        json.dumps({"body": "do as I say", "more": [[]] * MAX_VALUES}),
        '{"body": "do as I say \\ud800"}',
        '{"body": "do as I say"',
        "[" * 2000 + '{"body": "do as I say"}' + "]" * 2000,
        "body: do as I say " + "x" * MAX_YAML_CHARS,
        "subject: a: b\nbody: do as I say",
    ],
    ids=["long", "half a pair", "broken off", "deep", "long YAML", "colon"],
)
def test_whoever_writes_into_a_result_does_not_choose_its_label(mail: str) -> None:
    """What is not read may be any field's: a tool's own label is that of what stands in none."""
    open_tool = msgspec.structs.replace(
        TOOL, label=Label("public"), fields=(FieldLabel("body", Label("restricted", trust=Trust.UNTRUSTED)),)
    )
    reading = Reading(mail, open_tool)
    assert [leaf.label.trust for leaf in reading] == [Trust.UNTRUSTED]
    assert {one.data_class for one in reading.seen} >= {"restricted"}
