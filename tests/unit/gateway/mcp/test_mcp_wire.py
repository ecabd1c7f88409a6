# SPDX-License-Identifier: Apache-2.0
"""The parts of the MCP endpoint that look at bytes: results, errors, headers, names, sessions."""

import json
from typing import Any

import pytest

from remit.core.errors import ConfigInvalid, RemitError
from remit.core.oauth.access_token import AccessClaims
from remit.gateway.mcp.headers import McpHeaders, accepted, check_params, decoded, param_rules
from remit.gateway.mcp.input_rounds import Rounds, read_wanted
from remit.gateway.mcp.listing import Place, check_joined
from remit.gateway.mcp.messages import WireFault, event
from remit.gateway.mcp.response import completed, own_error, without_claim
from remit.gateway.mcp.sessions import Sessions
from tests.worlds.values import WorldClock, WorldEntropy

Json = Any

FILES = Place("/mcp/files", ("files",), joined=False)
MARK = {"resultType": "complete"}
PRIVATE = {"ttlMs": 0, "cacheScope": "private"}


def pairs(body: bytes) -> list[tuple[str, Json]]:
    """Return the members of an object as written, repeated ones too."""
    found: list[tuple[str, Json]] = json.loads(body, object_pairs_hook=lambda members: members)
    return found


@pytest.mark.parametrize("text", ["{}", "{ }", ' {\t"content":[]}', '{"content": [{"resultType": "x"}]}'])
@pytest.mark.parametrize("cacheable", [False, True])
def test_a_result_is_marked_once(text: str, cacheable: bool) -> None:
    """A result of the older era gets `resultType`, whatever else it holds, and stays what it was."""
    out = completed(text.encode(), cacheable=cacheable)
    want = MARK | (PRIVATE if cacheable else {}) | json.loads(text)
    assert json.loads(out) == want
    assert len(pairs(out)) == len(want)


@pytest.mark.parametrize("name", ["remit/failure", "remit\\/failure", "\\u0072emit/failure"])
def test_no_upstream_speaks_for_remit(name: str) -> None:
    """What `_meta` holds of a failed call is remit's word, in each spelling of the member; others stay."""
    body = f'{{"content": [], "_meta": {{"{name}": {{"status": "task-ended"}}, "a": 1.50}}, "isError": true}}'
    out = json.loads(without_claim(body.encode()))
    assert out == {"content": [], "_meta": {"a": 1.5}, "isError": True}


@pytest.mark.parametrize(
    "text", ['{"_meta": 1, "a": "remit"}', '{"_meta": {"remit/http": {}}}', '{"a": "remit"}', "[]"]
)
def test_other_results_pass_as_they_are(text: str) -> None:
    """Byte for byte."""
    assert without_claim(text.encode()) == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        '{"resultType":"complete","cacheScope":"public","ttlMs":5000}',
        '{"\\u0072esultType":"complete","cacheScope":"public"}',
        '{"cacheScope":"public"}',
        '{"ttlMs":1}',
        '{"resultType":"complete"}',
    ],
)
def test_what_was_read_stays_private(text: str) -> None:
    """No upstream can have what one task read kept for others; no key comes twice."""
    out = completed(text.encode(), cacheable=True)
    value = json.loads(out)
    assert value["cacheScope"] == "private"
    assert value["resultType"] == "complete"
    assert value["ttlMs"] == json.loads(text).get("ttlMs", 0)
    assert len(pairs(out)) == len(value)


def test_a_complete_result_is_not_touched() -> None:
    """A result that says all it should is handed on as the same bytes."""
    body = b'{"resultType" : "complete", "content":[] }'
    assert completed(body, cacheable=False) is body


@pytest.mark.parametrize("text", ['{"resultType":"input_required"}', '{"resultType":7}', "[]", "7"])
def test_an_odd_result_is_an_error(text: str) -> None:
    """A result that asks something, or is none, is not handed on."""
    with pytest.raises(WireFault):
        completed(text.encode(), cacheable=False)


def test_a_state_is_good_for_an_hour() -> None:
    """An upstream's state comes back as it was, for one call, until it is too old."""
    clock = WorldClock()
    rounds = Rounds(clock, WorldEntropy())
    body = b'{"resultType":"input_required","requestState":"as it was"}'
    call = ("tsk_one", "files/ask", {"n": 1})
    sealed = json.loads(rounds.passed_on(body, {}, *call))
    params = {"requestState": sealed["requestState"]}
    clock.advance(3599)
    assert rounds.taken(params, *call)["mcp:input"] == {"state": "as it was"}
    clock.advance(2)
    with pytest.raises(WireFault, match="too old"):
        rounds.taken(params, *call)


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputRequests":{"a":{"method":"elicitation/create"},"b":{"method":"sampling/createMessage"}}}',
        b'{"inputRequests":{"a":{"method":"tools/call"}}}',
        b'{"inputRequests":{"a":{"params":{}}}}',
        b'{"inputRequests":{"a":{"method":"elicitation/create","params":[]}}}',
        b'{"inputRequests":[]}',
        b'{"inputRequests":{}}',
        b'{"requestState":7}',
        b"{}",
        b"7",
    ],
)
def test_only_questions_that_the_client_can_answer_are_passed_on(body: bytes) -> None:
    """A question of another kind, beyond the client's ability or of no shape ends the call."""
    with pytest.raises(WireFault, match="did not complete"):
        read_wanted(body, {"elicitation": {}})


@pytest.mark.parametrize("code", [-31001, -31002, -32020, -32022, -32700])
def test_an_upstream_cannot_speak_for_the_endpoint(code: int) -> None:
    """An upstream's error with a code of the endpoint or of the connection becomes an internal error."""
    out, body = own_error(b'{"code":%d,"message":"approve me","data":{"x":1}}' % code)
    assert (out, json.loads(body)) == (-32603, {"code": -32603, "message": "approve me", "data": {"x": 1}})


def test_an_upstreams_own_error_stays() -> None:
    """Any other error is handed on as the same bytes."""
    body = b'{"code":-32602,"message":"no"}'
    assert own_error(body) == (-32602, body)


@pytest.mark.parametrize(
    ("able", "needed", "code"),
    [
        ({}, {"sampling": {}}, -32021),
        ({"elicitation": {}}, {"sampling": {}, "elicitation": {}}, -32021),
        ({"sampling": {}}, None, -32021),
        ({"sampling": {}}, {"sampling": {}}, -32603),
        (None, {"sampling": {}}, -32603),
    ],
)
def test_who_is_to_blame_for_a_missing_capability_is_told(able: Any, needed: Any, code: int) -> None:
    """The client, where it lacks what is needed; else the task, whose grant lets nothing be answered."""
    body = json.dumps({"code": -32021, "message": "no", "data": {"requiredCapabilities": needed}}).encode()
    out, told = own_error(body, able=able)
    assert out == code
    if able and code == -32603:
        assert "mcp:input" in json.loads(told)["data"]["remediation"]


def test_data_cannot_begin_another_event() -> None:
    """Line breaks between JSON values do not reach a stream."""
    told = event(b'{"a":\n1,\r\n"b":"x\\n"}')
    assert told.count(b"\n") == 3
    assert json.loads(told.split(b"\n")[1].removeprefix(b"data: ")) == {"a": 1, "b": "x\n"}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"echo", "echo"),
        (b"=?base64?w6k=?=", "é"),
        (b"=?base64?w6k?=", None),
        (b"=?base64?w6l=?=", None),
        (b"=?base64?/w==?=", None),
        (b"\xc3\xa9", None),
        (None, None),
    ],
)
def test_header_values_have_one_form(raw: bytes | None, text: str | None) -> None:
    """A header is ASCII or canonical base64 of UTF-8; all else matches nothing."""
    assert decoded(raw) == text


def test_accept_is_read_as_http_means_it() -> None:
    """Wildcards and parameters count."""
    assert accepted(b"application/json, text/event-stream") == (True, True)
    assert accepted(b"*/*") == (True, True)
    assert accepted(b"Application/JSON;q=0.5") == (True, False)
    assert accepted(b"text/*") == (False, True)
    assert accepted(b"") == (False, False)


SCHEMA = {
    "properties": {
        "id": {"type": "integer", "x-mcp-header": "Id"},
        "place": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
    }
}


@pytest.mark.parametrize(
    ("headers", "arguments", "good"),
    [
        ({}, {}, True),
        ({"id": "42"}, {"id": 42}, True),
        ({"id": "42.0"}, {"id": 42}, True),
        ({"id": "42"}, {"id": 42.0}, True),
        ({"id": "43"}, {"id": 42}, False),
        ({"id": "4" * 5000}, {"id": 42}, False),
        ({"id": "true"}, {"id": True}, True),
        ({"id": "1"}, {"id": True}, False),
        ({}, {"id": 42}, False),
        ({"id": "42"}, {}, False),
        ({"id": "42"}, {"id": [42]}, False),
        ({"region": "eu"}, {"place": {"region": "eu"}}, True),
        ({"region": "eu"}, {"place": {"region": "us"}}, False),
        ({"region": "eu"}, {"place": "eu"}, False),
        ({"other": "x"}, {}, True),
    ],
)
def test_repeated_arguments_must_agree(headers: dict[str, str], arguments: Json, good: bool) -> None:
    """An argument and its header come together and say the same; undeclared headers mean nothing."""
    head = McpHeaders([(b"mcp-param-" + name.encode(), value.encode()) for name, value in headers.items()])
    if good:
        check_params(param_rules(SCHEMA), head, arguments)
    else:
        with pytest.raises(WireFault):
            check_params(param_rules(SCHEMA), head, arguments)


@pytest.mark.parametrize(
    "schema",
    [
        {"x-mcp-header": "A"},
        {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "A b"}}},
        {"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}},
        {
            "properties": {
                "a": {"type": "string", "x-mcp-header": "A"},
                "b": {"type": "string", "x-mcp-header": "a"},
            }
        },
    ],
)
def test_an_annotation_where_none_may_stand(schema: Json) -> None:
    """A schema with an annotation of the wrong kind asks for no headers at all."""
    assert param_rules(schema) == ()


def test_an_annotation_in_data_is_data() -> None:
    """A default or an example is no schema."""
    assert param_rules({"properties": {"a": {"default": {"x-mcp-header": "A"}}}}) == ()
    assert len(param_rules(SCHEMA)) == 2


def test_joined_names_are_split_at_the_upstream() -> None:
    """The part before the joint must be an upstream; the rest is the tool's name, whatever is in it."""
    place = Place("/mcp", ("files", "my-notes"), joined=True)
    assert place.split("files__read__all") == ("files", "read__all")
    assert place.split("my-notes__x") == ("my-notes", "x")
    for name in ("read", "file__read", "__read", "files_read", ""):
        assert place.split(name) is None
    assert place.shown("files", "read__all") == "files__read__all"


@pytest.mark.parametrize("names", [("a", "a__b"), ("a", "a_"), ("b__c__d", "b__c")])
def test_names_that_could_collide_do_not_start(names: tuple[str, ...]) -> None:
    """Two upstreams that could give two tools one joined name are an error of the configuration."""
    with pytest.raises(ConfigInvalid):
        check_joined(names)
    check_joined(("a", "ab", "a_b", "b"))


def claims(task: str, agent: str = "bot") -> AccessClaims:
    """Return the claims of a task's token."""
    return AccessClaims(
        issuer="i", audience=("a",), subject="lena", client_id=agent, token_id="t", issued=0, expires=9,
        tenant="default", task=task,
    )  # fmt: skip


def test_sessions_are_bounded() -> None:
    """A task's oldest idle session makes room for its next; the total is never exceeded."""
    clock = WorldClock()
    sessions = Sessions(clock, WorldEntropy(), per_task=2, total=3, idle_s=60)
    first, second = (sessions.open(claims("one"), FILES, "2025-11-25") for _ in range(2))
    sessions.find(first.encode(), claims("one"), FILES)
    third = sessions.open(claims("one"), FILES, "2025-11-25")
    with pytest.raises(WireFault):
        sessions.find(second.encode(), claims("one"), FILES)
    sessions.open(claims("two"), FILES, "2025-11-25")
    with pytest.raises(RemitError, match="too many sessions"):
        sessions.open(claims("three"), FILES, "2025-11-25")
    sessions.end_task("one")
    assert len(sessions) == 1
    for name in (first, third):
        with pytest.raises(WireFault):
            sessions.find(name.encode(), claims("one"), FILES)


def test_an_idle_session_is_forgotten() -> None:
    """A session that was unused for its time is gone, one that was used goes on."""
    clock = WorldClock()
    sessions = Sessions(clock, WorldEntropy(), per_task=9, total=9, idle_s=60)
    name = sessions.open(claims("one"), FILES, "2025-11-25").encode()
    for _ in range(3):
        clock.advance(59)
        sessions.find(name, claims("one"), FILES)
    clock.advance(61)
    with pytest.raises(WireFault):
        sessions.find(name, claims("one"), FILES)
    sessions.open(claims("two"), FILES, "2025-11-25")
    assert len(sessions) == 1


def test_a_session_answers_to_its_own_agent_person_and_task() -> None:
    """Another agent with the same task's id finds nothing."""
    sessions = Sessions(WorldClock(), WorldEntropy(), per_task=9, total=9, idle_s=60)
    name = sessions.open(claims("one"), FILES, "2025-11-25").encode()
    with pytest.raises(WireFault):
        sessions.find(name, claims("one", agent="other"), FILES)
    with pytest.raises(WireFault):
        sessions.find(name, claims("one"), Place("/mcp", ("files",), joined=True))
