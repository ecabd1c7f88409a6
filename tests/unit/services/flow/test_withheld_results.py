# SPDX-License-Identifier: Apache-2.0
"""Withheld fields leave no trace in what an upstream sent, and the rest arrives unchanged."""

import base64
import json
from typing import Any

import orjson
import pytest
import yaml

from remit.core.cooperative_steps import finish
from remit.core.decisions.deferred_call import DeferredStatus, Status
from remit.core.decisions.mediation import Chunk, ChunkKind
from remit.core.flow.records.withheld_fields import HOLDS, NAMELESS, NOTES, REPEATS, UNREADABLE, WHOLE
from remit.core.label import Label, Trust
from remit.core.tools.http_api import ReplyHead, ReplyPiece
from remit.core.tools.tool import PROMPT_GET, RESOURCE_READ, FieldLabel, Tool, WithheldBy
from remit.services.flow.withheld_results import MAX_BYTES, WithheldChunk, withholding
from remit.services.mediation.deferred_calls import brought_by, remaining

Json = Any
SECRET = "hunter2-longer"
NOTE = NOTES[WithheldBy.TOOL]
TOP = Label("restricted", frozenset({"secret"}))
FIELDS = (
    FieldLabel("password", TOP, {}, withheld=WithheldBy.TOOL),
    FieldLabel("card.number", TOP, {}, withheld=WithheldBy.TASK),
    FieldLabel("public.password", Label("internal")),
    FieldLabel("balances._values", TOP, {}, withheld=WithheldBy.TOOL),
    FieldLabel("note", Label("internal", trust=Trust.UNTRUSTED)),
)
TOOL = Tool(upstream="bank", name="profile", label=Label("internal"), fields=FIELDS)


def told(
    body: Json, kind: ChunkKind = ChunkKind.RESULT, method: str = "", tool: Tool = TOOL
) -> WithheldChunk:
    """Return what is left of a message."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return finish(withholding(Chunk(kind, raw, method), tool))


def left(body: Json, kind: ChunkKind = ChunkKind.RESULT, method: str = "", tool: Tool = TOOL) -> Json:
    """Return the JSON that is left of a message."""
    found = told(body, kind, method, tool)
    return None if found.chunk is None else json.loads(found.chunk.body)


def text(*parts: str, **more: Json) -> dict[str, Json]:
    """Return a result of text blocks."""
    return {"content": [{"type": "text", "text": one} for one in parts], **more}


def block(body: Json) -> str:
    """Return the first text that is left of a result."""
    return str(left(body)["content"][0]["text"])


def test_a_note_stands_in_text_and_structure_alike() -> None:
    """Both forms of one result say the same, and are JSON."""
    profile = {"name": "Ann", "password": SECRET, "age": 7}
    found = left(text(json.dumps(profile), structuredContent=profile))
    assert found["structuredContent"] == {"name": "Ann", "password": NOTE, "age": 7}
    assert json.loads(found["content"][0]["text"]) == found["structuredContent"]
    assert told({"structuredContent": profile}).fields == ("password",)


def test_the_rest_of_a_yaml_text_keeps_types_and_quotes() -> None:
    """Only the withheld scalar changes."""
    found = block(text(f"name: Ann\npassword: {SECRET}\nage: 7\ncode: '7'\nopen: true\nlist:\n- a\n"))
    assert yaml.safe_load(found) == {
        "name": "Ann", "password": NOTE, "age": 7, "code": "7", "open": True, "list": ["a"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "key", ["Password", "PASS_WORD", "pass-word", "pass word", "user.password", "\uff50assword"]
)
def test_a_name_is_withheld_in_every_spelling(key: str) -> None:
    """A server that renames a field does not release it."""
    assert left({"structuredContent": {"rows": [{key: SECRET}]}}) == {
        "structuredContent": {"rows": [{key: NOTE}]}
    }


def test_a_whole_object_is_withheld_under_its_name() -> None:
    """What stands below a withheld field goes with it, and is searched for elsewhere."""
    body = {"structuredContent": {"password": {"old": SECRET, "hint": ["a dog"]}, "memo": f"was {SECRET}"}}
    assert left(body)["structuredContent"] == {"password": NOTE, "memo": f"was {REPEATS}"}


def test_paths_match_at_their_end() -> None:
    """A server may wrap its result; a longer path that is not withheld comes first."""
    card = {"result": [{"card": {"number": "4111 1111 1111 1111", "brand": "v"}}]}
    assert left({"structuredContent": card})["structuredContent"]["result"][0]["card"] == {
        "number": NOTES[WithheldBy.TASK], "brand": "v",
    }  # fmt: skip
    assert told({"structuredContent": {"public": {"password": "see the desk"}}}).fields == ()


@pytest.mark.parametrize(
    ("value", "left_over"),
    [
        ([SECRET, 7, None, True], [NAMELESS, 7, None, True]),
        ({"rows": [{"0": "EUR", "1": SECRET}]}, {"rows": [{"0": "EUR", "1": NAMELESS}]}),
        ({"rows": [["2026-01-01T00:00:00Z", 2, SECRET]]}, {"rows": [["2026-01-01T00:00:00Z", 2, NAMELESS]]}),
        ({"names": ["Ann"], "rows": [{"name": "Ann"}]}, {"names": ["Ann"], "rows": [{"name": "Ann"}]}),
    ],
)
def test_a_value_in_a_list_without_a_name_may_be_any_field(value: Json, left_over: Json) -> None:
    """A server cannot release a field by leaving its name out: as a bare list, or as rows of a table."""
    assert left({"structuredContent": value}) == {"structuredContent": left_over}
    assert json.loads(block(text(json.dumps(value)))) == left_over


@pytest.mark.parametrize(
    ("value", "left_over"),
    [
        (
            {"fields": [{"name": "Password", "value": SECRET}]},
            {"fields": [{"name": "Password", "value": NOTE}]},
        ),
        ({"key": "pass_word", "val": {"text": SECRET}}, {"key": "pass_word", "val": NOTE}),
        (
            {"columns": ["login", "passWord"], "values": ["Anna", SECRET]},
            {"columns": ["login", "passWord"], "values": ["Anna", NOTE]},
        ),
        (
            {"fields": ["login", "user.password"], "rows": [{"0": "Anna", "1": SECRET}]},
            {"fields": ["login", "user.password"], "rows": [{"0": "Anna", "1": NOTE}]},
        ),
        (
            {
                "schema": {"fields": [{"name": "login"}, {"name": "password"}]},
                "rows": [{"f": [{"v": 1}, {"v": 2}]}],
            },
            {
                "schema": {"fields": [{"name": "login"}, {"name": "password"}]},
                "rows": [{"f": [{"v": 1}, NOTE]}],
            },
        ),
        ({"field": {"name": "password"}, "value": 93100}, {"field": {"name": "password"}, "value": NOTE}),
        ([{"label": "password"}, {"value": SECRET}], [{"label": "password"}, NOTE]),
        ({"pairs": [["password", SECRET]]}, {"pairs": [["password", NOTE]]}),
        ({"columns": ["password"], "points": [[1, 2]]}, {"columns": ["password"], "points": [NOTE]}),
        ({"key": "password", "val": SECRET, "x": SECRET}, {"key": "password", "val": NOTE, "x": NOTE}),
    ],
)
def test_a_name_that_is_a_value_names_what_stands_beside_it(value: Json, left_over: Json) -> None:
    """A server cannot release a field as an entry of name and value, or as a column."""
    assert left({"structuredContent": value}) == {"structuredContent": left_over}
    assert json.loads(block(text(json.dumps(value)))) == left_over


def test_columns_are_named_in_another_part_of_the_result() -> None:
    """Header and rows in blocks of their own are one table."""
    found = json.dumps(left(text('{"columns": ["login", "password"]}', f'[["Anna", "{SECRET}"]]')))
    assert "Anna" in found
    assert SECRET not in found


def test_the_values_of_a_map_are_withheld_and_its_keys_stay() -> None:
    """`_values` is every value of a map."""
    found = left({"structuredContent": {"balances": {"ann": 71500, "bob": {"eur": 93100}}}})
    assert found["structuredContent"] == {"balances": {"ann": NOTE, "bob": NOTE}}


@pytest.mark.parametrize(
    ("value", "elsewhere"),
    [
        (SECRET, f"it is {SECRET}."),
        ("4111 1111 1111 1111", "4111111111111111"),
        ("4111111111111111", "4111-1111-1111-1111"),
        ("DE89 3704 0044", "to de8937040044 today"),
        (4111111111, 4111111111),
        ("739", "code 739"),
    ],
)
def test_a_repetition_is_replaced_elsewhere(value: Json, elsewhere: Json) -> None:
    """In any block, and in groups of any size."""
    found = told({"structuredContent": {"password": value, "memo": elsewhere, "rest": "1739"}})
    assert found.chunk is not None
    memo = json.loads(found.chunk.body)["structuredContent"]["memo"]
    assert REPEATS in memo
    assert found.fields == ("password", "memo")
    assert b"1739" in found.chunk.body


@pytest.mark.parametrize(
    "body",
    [
        {"structuredContent": {"password": SECRET, "note": f"is it {SECRET}?"}},
        {"structuredContent": {"password": "739", "note": "000 001 739 999"}},
        {"structuredContent": {"password": SECRET, SECRET: 1}},
        {"structuredContent": {"password": SECRET, "memo": base64.b64encode(SECRET.encode()).decode()}},
        {"structuredContent": {"password": SECRET, "memo": SECRET.replace("-", "%2D")}},
        text(json.dumps({"password": SECRET}), f"The password is {SECRET}"),
        text(f"name: Ann\npassword: {SECRET} # changed"),
        text(f"password: {SECRET}\npassword: other"),
        text(f"a: &a {SECRET}\npassword: *a"),
        text("The profile of Ann."),
        text(json.dumps({"password": SECRET}) + "\n" + json.dumps({"password": SECRET})),
        {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
        {"content": [{"type": "resource", "resource": {"uri": "a:b", "blob": "AAAA"}}]},
        {"content": ["odd"]},
        b'{"structuredContent":{"password":"one-secret","password":"another"}}',
        b'{"structuredContent":{"password":"x"}',
        {"structuredContent": {"rows": ["x" * MAX_BYTES]}},
        {"structuredContent": json.loads('{"a":' * 40 + f'{{"password":"{SECRET}"}}' + "}" * 40)},
    ],
)
def test_a_result_that_cannot_be_divided_is_withheld_whole(body: Json) -> None:
    """Guesses of outsiders, other encodings, keys, comments, free text, binary data, names written twice."""
    found = told(body)
    assert (found.fields, found.whole) == ((WHOLE,), True)
    assert left(body) == {"content": [{"type": "text", "text": UNREADABLE}], "isError": False}


def test_a_structure_inside_a_text_is_withheld_with_the_text() -> None:
    """JSON in a string, an assignment in a log line, a tag."""
    for one in (json.dumps({"password": SECRET}), f"url?password={SECRET}", f"<password>{SECRET}</password>"):
        assert left({"structuredContent": {"raw": one}})["structuredContent"] == {"raw": HOLDS}
    assert told({"structuredContent": {"memo": "Passwords are not shown."}}).fields == ()


def test_an_error_says_what_it_said_without_the_field() -> None:
    """Also where the whole cannot be read."""
    body = {"code": -32000, "message": "no", "data": {"password": SECRET}}
    assert left(body, ChunkKind.ERROR) == body | {"data": {"password": NOTE}}
    torn = b'{"code": -32000, "code": -1, "message": "no"}'
    assert left(torn, ChunkKind.ERROR) == {"code": -32603, "message": UNREADABLE}


def test_words_that_come_before_the_result_do_not_pass() -> None:
    """The withheld values are not known yet: only numbers of a progress notification pass."""
    pace = {"progress": 1, "total": 3}
    said = pace | {"message": f"read {SECRET}"}
    assert left(said, ChunkKind.NOTIFICATION, "notifications/progress") == pace
    assert left({"data": SECRET}, ChunkKind.NOTIFICATION, "notifications/message") is None
    number = {"progress": 4111111111111111}
    assert left(number, ChunkKind.NOTIFICATION, "notifications/progress") == {}


def test_resources_and_prompts_are_answered_in_their_own_form() -> None:
    """A client can read the answer."""
    resource = Tool(upstream="bank", name=RESOURCE_READ, label=TOOL.label, fields=FIELDS)
    body = {"contents": [{"uri": "bank://me", "text": json.dumps({"password": SECRET})}]}
    assert json.loads(left(body, tool=resource)["contents"][0]["text"]) == {"password": NOTE}
    body = {"contents": [{"uri": "bank://me", "text": "free text"}]}
    assert left(body, tool=resource)["contents"][0]["text"] == UNREADABLE
    prompt = Tool(upstream="bank", name=PROMPT_GET, label=TOOL.label, fields=FIELDS)
    asked = {"messages": [{"role": "user", "content": {"type": "text", "text": f"password={SECRET}"}}]}
    assert left(asked, tool=prompt)["messages"][0]["content"]["text"] == HOLDS
    assert left(b"[", tool=prompt)["messages"][0]["content"]["text"] == UNREADABLE


@pytest.mark.parametrize("piece", [ReplyPiece.TEXT, ReplyPiece.BYTES, ReplyPiece.EVENTS, ReplyPiece.LINES])
def test_a_body_in_pieces_is_withheld_whole_and_says_so_once(piece: ReplyPiece) -> None:
    """A value could be cut in two, and a piece reads as another structure than the whole."""
    first = told(b'data: {"password": "hun', ChunkKind.NOTIFICATION, piece)
    assert first.chunk is not None
    assert UNREADABLE.encode() in first.chunk.body
    assert b"hun" not in first.chunk.body
    rest = finish(withholding(Chunk(ChunkKind.RESULT, b'ter2"}', piece), TOOL, begun=True))
    assert rest.chunk is not None
    assert rest.chunk.body == b""


def test_an_http_body_of_json_is_divided_and_its_head_keeps_its_type_only() -> None:
    """A header comes before the body, and could hold the value."""
    assert left({"password": SECRET, "age": 7}, method=ReplyPiece.JSON) == {"password": NOTE, "age": 7}
    assert left(b"{torn", method=ReplyPiece.JSON) == UNREADABLE
    head = orjson.dumps({"status": 200, "headers": {"content-type": "application/json", "etag": SECRET}})
    found = told(head, ChunkKind.NOTIFICATION, ReplyPiece.HEAD)
    assert found.chunk is not None
    assert SECRET.encode() not in found.chunk.body
    assert orjson.loads(found.chunk.body)["headers"] == {"content-type": "application/json"}
    assert ReplyHead(200).status == orjson.loads(found.chunk.body)["status"]


@pytest.mark.parametrize(
    ("status", "brings", "expected"),
    [
        (
            Status.COMPLETED,
            {"structuredContent": {"password": SECRET}},
            {"structuredContent": {"password": NOTE}},
        ),
        (Status.FAILED, {"code": 1, "message": "m", "data": {"password": SECRET}}, None),
        (
            Status.INPUT_REQUIRED,
            {"q": {"method": "elicitation/create"}},
            {"q": {"method": "elicitation/create"}},
        ),
        (Status.INPUT_REQUIRED, {"q": {"password": SECRET}}, {}),
    ],
)
def test_a_deferred_call_reports_no_withheld_field(status: Status, brings: Json, expected: Json) -> None:
    """Its result, its error, its questions; and not its message, which is in no field."""
    standing = DeferredStatus(
        id="1", status=status, brings=json.dumps(brings).encode(), message=f"is {SECRET}"
    )
    released = [finish(withholding(one, TOOL)).chunk for one in brought_by(standing)]
    found = remaining(standing, released)
    assert found.message == ""
    assert SECRET.encode() not in found.brings
    if expected is not None:
        assert json.loads(found.brings or b"{}") == expected


def withheld_at(path: str) -> Tool:
    """Return a tool with one withheld field."""
    fields = (FieldLabel(path, TOP, {}, withheld=WithheldBy.TOOL),)
    return Tool(upstream="bank", name="profile", label=Label("internal"), fields=fields)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("users.password", {"users": {"ann@x.example": {"password": SECRET}}}),
        ("cards[].number", {"cards": {"0": {"number": SECRET}}}),
        ("password", {"@password": SECRET}),
        ("password", {"$password": SECRET}),
        ("password", {"password?": SECRET}),
        ("password", {"pass.word": SECRET}),
        ("password", {"user->password": SECRET}),
        ("password", {f"password={SECRET}": 1}),
        ("bal._keys", {"bal": [{SECRET: 1}]}),
        ("bal._keys", {"bal": [SECRET]}),
        ("_keys", {SECRET: 1}),
        ("bal._values", {"bal": SECRET}),
        ("bal._values", {"bal": [["ann", SECRET]]}),
    ],
)
def test_another_shape_of_a_withheld_field_is_withheld(path: str, body: Json) -> None:
    """A map for a list, a list for a map, marks around a name, a name and its value in one key."""
    found = told({"structuredContent": body}, tool=withheld_at(path))
    assert found.chunk is not None
    assert SECRET.encode() not in found.chunk.body
    assert found.fields


@pytest.mark.parametrize(
    "raw",
    [
        f"password = {SECRET}",
        f"- password: {SECRET}",
        f"{{name: Ann, password: {SECRET}}}",
        f"Name: Ann, password: {SECRET}",
        f"| password | {SECRET} |",
        f"<x:password>{SECRET}</x:password>",
        f'<field name="password">{SECRET}</field>',
        f'{{"p\\u0061ssword": "{SECRET}"}}',
        f"password%3D{SECRET}",
        f"name,password\nann,{SECRET}",
    ],
)
def test_a_structure_in_any_notation_is_withheld_with_its_text(raw: str) -> None:
    """Lists, tables, tags, assignments, and escapes."""
    assert left({"structuredContent": {"raw": raw}})["structuredContent"] == {"raw": HOLDS}


@pytest.mark.parametrize(
    ("value", "elsewhere"),
    [
        ("p@ssWord!x", "P@SSWORD!X"),
        (71500.0, 71500),
        (71500, "71,500"),
        ("71500.50", 71500.5),
        ("+49 30 5550 9920", "+493055509920"),
        ("4111111111111111", "4111.1111.1111.1111"),
        ("4111111111111111", "\uff14" + "\uff11" * 15),
        ("MIIBaaaa\nCxyzbbbb", "MIIBaaaaCxyzbbbb"),
        ("739", "PIN739"),
        (2**70, str(2**70)),
    ],
)
def test_a_repetition_in_another_form_does_not_pass(value: Json, elsewhere: Json) -> None:
    """Numbers as people write them, case, width, ends of lines."""
    found = told({"structuredContent": {"password": value, "memo": elsewhere}})
    assert found.chunk is not None
    memo = json.loads(found.chunk.body).get("structuredContent", {}).get("memo")
    assert memo is None or REPEATS in memo


PROSE = f"The password of Ann is {SECRET}"


@pytest.mark.parametrize(
    "body",
    [
        {"content": {"type": "text", "text": PROSE}},
        {"content": PROSE},
        {"toolResult": PROSE},
        PROSE,
        [PROSE],
        {"content": [{"type": "text", "text": [PROSE]}]},
        {"content": [{"type": "resource_link", "uri": "a:b", "name": "n", "description": PROSE}]},
        {"structuredContent": PROSE},
        {"structuredContent": {"result": PROSE}},
        {"content": [], "_meta": {"note": PROSE}},
    ],
)
def test_prose_in_no_field_is_withheld_if_it_mentions_one(body: Json) -> None:
    """Wherever a server puts a text that is not the value of a field."""
    found = told(body)
    assert found.chunk is not None
    assert SECRET.encode() not in found.chunk.body


def test_an_error_or_a_prompt_in_prose_is_withheld_if_it_mentions_a_field() -> None:
    """Also a code that is a withheld number."""
    assert left({"code": -1, "message": PROSE}, ChunkKind.ERROR) == {"code": -1, "message": HOLDS}
    body = {"code": 73912345, "message": "m", "data": {"password": 73912345, "note": "73912345"}}
    assert left(body, ChunkKind.ERROR) == {"code": -32603, "message": UNREADABLE}
    prompt = Tool(upstream="bank", name=PROMPT_GET, label=TOOL.label, fields=FIELDS)
    asked = {"messages": [{"role": "user", "content": {"type": "text", "text": PROSE}}]}
    assert left(asked, tool=prompt)["messages"][0]["content"]["text"] == HOLDS


def test_a_guess_in_the_arguments_is_not_confirmed() -> None:
    """The agent's own text comes back as it was; another repetition of it prevents the division."""
    guesses = "4820 4821 4822"
    body = {"structuredContent": {"password": "4821", "query": guesses}}
    for password in ("4821", "9999"):
        body["structuredContent"]["password"] = password
        chunk = Chunk(ChunkKind.RESULT, json.dumps(body).encode(), "")
        found = finish(withholding(chunk, TOOL, {"query": guesses}))
        assert found.chunk is not None
        assert json.loads(found.chunk.body)["structuredContent"] == {"password": NOTE, "query": guesses}
    body["structuredContent"] = {"password": "4821", "query": f"you asked for {guesses}"}
    chunk = Chunk(ChunkKind.RESULT, json.dumps(body).encode(), "")
    assert finish(withholding(chunk, TOOL, {"query": guesses})).fields == (WHOLE,)


def test_the_names_of_withheld_fields_hold_no_keys_that_are_values() -> None:
    """Evidence lists them."""
    body = {"users": {"ann@x.example": {"password": "zzzz"}}, "balances": {"Ann Stone": 71500}}
    assert told({"structuredContent": body}).fields == ("users.*.*.*.password", "balances.*")
