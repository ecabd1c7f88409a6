# SPDX-License-Identifier: Apache-2.0
"""Messages are read once, and their content stays bytes that cannot be misread."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.upstream.bounds import Backoff, BufferBound, HeldBytes
from remit.adapters.upstream.http1 import SteadyHeaders
from remit.adapters.upstream.mcp import protocol_versions as era
from remit.adapters.upstream.mcp.jsonrpc import (
    Message,
    guess_id,
    read_message,
    response_chunk,
    standalone,
    write_response,
)
from remit.adapters.upstream.processes.supervisor import LineReader, own_environment
from remit.core.cooperative_steps import finish
from remit.core.decisions.mediation import ChunkKind
from remit.core.errors import Busy, ConfigInvalid, UpstreamFault
from remit.ports.upstream import Call

BROKEN = [
    b"",
    b"[]",
    b"null",
    b"[" * 100_000,
    b'{"jsonrpc":"1.0","id":1,"result":{}}',
    b'{"jsonrpc":"2.0","id":1}',
    b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}',
    b'{"jsonrpc":"2.0","id":1,"result":{"a":}}',
    b'{"jsonrpc":"2.0","id":1,"result":{"a":"\xff"}}',
    b'{"jsonrpc":"2.0","id":[1],"result":{}}',
    b'{"jsonrpc":"2.0","id":1,"result":{}} {}',
    b'[{"jsonrpc":"2.0","id":1,"result":{}}]',
    b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"result":{}}',
]


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_message_is_a_fault(data: bytes) -> None:
    """Neither a batch, nor two answers in one, nor bytes that are not JSON in UTF-8 pass."""
    with pytest.raises(UpstreamFault):
        read_message(data, "s")


@pytest.mark.parametrize("result", [b"[]", b"1", b'"x"', b'{"isError":"yes"}', b'{"isError":1}'])
def test_a_result_of_the_wrong_shape_is_a_fault(result: bytes) -> None:
    """A result is an object, and says in a boolean whether the tool failed."""
    message = read_message(b'{"jsonrpc":"2.0","id":1,"result":%s}' % result, "s")
    with pytest.raises(UpstreamFault):
        finish(response_chunk(message, "s", modern=True))


def test_a_modern_result_of_a_kind_that_is_not_known_is_an_error() -> None:
    """What cannot be understood is not passed on; a legacy server may use the word as it likes."""
    message = Message("2.0", id=1, result=msgspec.Raw(b'{"resultType":"riddle"}'))
    assert finish(response_chunk(message, "s", modern=True)).kind is ChunkKind.ERROR
    assert finish(response_chunk(message, "s", modern=False)).kind is ChunkKind.RESULT


def test_a_modern_result_that_asks_for_input_says_so() -> None:
    """A question in a result is told from a result that completes its call; before there was no such kind."""
    message = Message("2.0", id=1, result=msgspec.Raw(b'{"resultType":"input_required"}'))
    modern = finish(response_chunk(message, "s", modern=True))
    assert (modern.kind, modern.wants_input) == (ChunkKind.RESULT, True)
    assert not finish(response_chunk(message, "s", modern=False)).wants_input


def test_a_modern_result_that_defers_its_call_says_so() -> None:
    """A handle is told from a result that completes its call; before there was no such kind."""
    message = Message("2.0", id=1, result=msgspec.Raw(b'{"resultType":"task"}'))
    assert finish(response_chunk(message, "s", modern=True)).deferred
    assert not finish(response_chunk(message, "s", modern=False)).deferred


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_a_body_means_what_it_meant_and_fits_in_one_line(value: dict[str, Any], indent: Any) -> None:
    """However it was indented, a body is one line that reads as the same value."""
    written = json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}, indent=indent, ensure_ascii=False)
    try:
        message = read_message(written.encode(), "s")
    except UnicodeEncodeError:
        return
    body = standalone(message.result)
    assert b"\n" not in body
    assert b"\r" not in body
    assert json.loads(body) == value
    assert json.loads(write_response("q", body, error=False))["result"] == value


def test_a_body_does_not_keep_its_message_alive() -> None:
    """It is a separate copy, so that the rest of the buffer can be freed."""
    body = standalone(read_message(b'{"jsonrpc":"2.0","id":1,"result":{}}', "s").result)
    assert type(body) is bytes
    assert body == b"{}"


@pytest.mark.parametrize(
    ("head", "tail", "found"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":"', b'"}}', 7),
        (b'{"id": 7, "jsonrpc":"2.0","result":{', b"}}", 7),
        (b'{"jsonrpc":"2.0","result":{', b'"x"},"id":7}', 7),
        (b'{"jsonrpc":"2.0","result":{"id":9,', b'"a":1},"id" : 7}\r', 7),
        (b'{"jsonrpc":"2.0","result":{"id":9,', b'"a":1}}', None),
        (b"Traceback (most recent call last):", b"line 1", None),
        (b'{"jsonrpc":"2.0","method":"x","params":{"id":1', b"}}", None),
    ],
)
def test_whose_message_it_was_is_found_at_its_edges(head: bytes, tail: bytes, found: int | None) -> None:
    """An id within the result is never taken for the message's."""
    assert guess_id(head, tail) == found


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
def test_lines_are_the_same_wherever_the_bytes_are_cut(lines: list[bytes], cut: int) -> None:
    """Each line that is not too long comes whole and in order; each that is, is told of once."""
    lines = [line.replace(b"\n", b" ") for line in lines]
    data = b"".join(line + b"\n" for line in lines)
    got: list[bytes] = []
    overlong: list[tuple[bytes, bytes]] = []
    reader = LineReader(20, got.append, lambda head, tail: overlong.append((head, tail)), lambda: None)
    for start in range(0, len(data), cut):
        reader.data_received(data[start : start + cut])
    assert got == [line for line in lines if len(line) <= 20 and line.strip()]
    assert [tail for _, tail in overlong] == [line for line in lines if len(line) > 20]


def test_an_overlong_line_is_not_kept() -> None:
    """Its edges are, so that the call that it answers can be found."""
    seen: list[tuple[bytes, bytes]] = []
    reader = LineReader(1000, lambda line: None, lambda head, tail: seen.append((head, tail)), lambda: None)
    reader.data_received(b'{"jsonrpc":"2.0",')
    for _ in range(100):
        reader.data_received(b"x" * 1000)
        assert sum(map(len, reader._pieces)) <= 2000
    reader.data_received(b',"id":5}\n')
    ((head, tail),) = seen
    assert head.startswith(b'{"jsonrpc"')
    assert tail.endswith(b',"id":5}')
    assert len(head) + len(tail) <= 512


def test_a_hold_counts_only_what_is_large_and_gives_it_back() -> None:
    """The bound is shared; what one call holds, another cannot."""
    bound = BufferBound(300_000)
    one, other = HeldBytes(bound), HeldBytes(bound)
    one.resize(60_000)
    assert bound.held_bytes == 0
    one.resize(200_000)
    with pytest.raises(UpstreamFault, match="memory"):
        other.resize(200_000)
    assert bound.held_bytes == 200_000
    one.release()
    other.resize(300_000)
    with pytest.raises(Busy):
        bound.admit()
    other.release()
    bound.admit()
    assert bound.held_bytes == 0


def test_a_task_that_takes_nothing_leaves_something_to_others() -> None:
    """One answer may have all that is free; for more of them a task has as much as is left after that."""
    bound = BufferBound(1_000_000)
    first, second, third = (HeldBytes(bound, "greedy") for _ in range(3))
    first.resize(300_000)
    second.resize(200_000)
    with pytest.raises(UpstreamFault, match="memory"):
        third.resize(100_000)
    HeldBytes(bound, "another").resize(400_000)
    second.release()
    first.release()
    assert bound.held_bytes == 400_000
    assert set(bound.by_task) == {"another"}


class Fixed:
    """Entropy that is always the same."""

    def __init__(self, value: int) -> None:
        self.value = value

    def bytes(self, count: int) -> bytes:
        """Return the value again and again."""
        return bytes([self.value]) * count


@given(st.integers(0, 255), st.integers(1, 200))
def test_waits_grow_to_their_bound_and_keep_their_jitter(value: int, failures: int) -> None:
    """Each wait lies between half and all of the exponential one."""
    backoff = Backoff(Fixed(value), base_s=0.5, max_s=60)
    waits = [backoff.next_s() for _ in range(failures)]
    for number, wait in enumerate(waits):
        longest = min(60, 0.5 * 2 ** min(number, 30))
        assert longest / 2 <= wait <= longest


def test_a_process_gets_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is what its configuration says, and three variables that hold no secret."""
    monkeypatch.setenv("REMIT_KEY", "secret")
    assert set(own_environment({"TOKEN": "x"})) <= {"PATH", "HOME", "LANG", "TOKEN"}
    assert own_environment({"PATH": "/only"})["PATH"] == "/only"
    with pytest.raises(ConfigInvalid):
        own_environment({"A=B": "x"})


SCHEMAS: list[tuple[Any, Any]] = [
    ({}, ()),
    (None, ()),
    ({"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}, ((("a",), b"mcp-param-a"),)),
    (
        {"properties": {"o": {"properties": {"a": {"type": "boolean", "x-mcp-header": "A-b"}}}}},
        ((("o", "a"), b"mcp-param-a-b"),),
    ),
    ({"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}, None),
    ({"properties": {"a": {"type": ["string"], "x-mcp-header": "A"}}}, None),
    ({"properties": {"a": {"type": "string", "x-mcp-header": "A b"}}}, None),
    ({"properties": {"a": {"type": "string", "x-mcp-header": 1}}}, None),
    ({"type": "string", "x-mcp-header": "A"}, None),
    ({"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}}, None),
    ({"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]}, None),
    (
        {
            "properties": {
                "a": {"type": "string", "x-mcp-header": "A"},
                "b": {"type": "string", "x-mcp-header": "a"},
            }
        },
        None,
    ),
    ({"properties": {"x-mcp-header": {"type": "string"}}, "default": {"x-mcp-header": 1}}, ()),
]


@pytest.mark.parametrize(("schema", "found"), SCHEMAS)
def test_header_annotations_are_read_as_the_protocol_says(schema: Any, found: Any) -> None:
    """Only on named arguments of primitive types, once each (2026-07-28, transports)."""
    got = era.param_headers(schema)
    assert (got and tuple(sorted(got))) == (found and tuple(sorted(found))) or got == found == ()


@pytest.mark.parametrize(("schema", "found"), SCHEMAS)
def test_header_annotations_are_read_as_the_official_sdk_reads_them(schema: Any, found: Any) -> None:
    """A differential check against the reference implementation."""
    inbound = pytest.importorskip("mcp.shared.inbound")
    invalid = inbound.find_invalid_x_mcp_header(schema) is not None
    assert invalid == (era.param_headers(schema) is None)


@given(st.text())
def test_header_values_are_read_back_by_the_official_sdk(value: str) -> None:
    """Whatever a name or an argument holds, the server recovers it from the header."""
    inbound = pytest.importorskip("mcp.shared.inbound")
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    headers = dict(era.http_headers("2026-07-28", "tools/call", {"name": value}))
    assert inbound.decode_header_value(headers[b"mcp-name"].decode("ascii")) == value


@pytest.mark.parametrize(
    ("method", "params", "repeated"),
    [
        ("resources/read", {"uri": "file:///C-42"}, ()),
        ("prompts/get", {"name": "greet"}, ()),
        ("tools/call", {"name": "x" * 300}, ()),
        ("tools/call", {"name": "read", "arguments": {"id": "C-42"}}, ((("id",), b"mcp-param-id"),)),
    ],
)
def test_headers_of_one_request_alone_are_not_remembered(
    method: str, params: dict[str, Any], repeated: era.ParamHeaders
) -> None:
    """Else an agent could fill memory with addresses, and arguments would outlive their call."""
    assert not isinstance(era.http_headers("2026-07-28", method, params, repeated), SteadyHeaders)
    assert isinstance(era.http_headers("2026-07-28", "tools/call", {"name": "read"}), SteadyHeaders)


def test_names_of_the_modern_era_are_the_official_ones() -> None:
    """`era` spells them as the official types do."""
    types = pytest.importorskip("mcp_types")
    assert set(era.envelope("2026-07-28")) == {
        types.PROTOCOL_VERSION_META_KEY,
        types.CLIENT_CAPABILITIES_META_KEY,
        types.CLIENT_INFO_META_KEY,
    }
    call = Call(method="tools/call", params={}, task="t", log_level="info", wants_progress=True)
    meta = era.Stamp("2026-07-28").params(call, 3)["_meta"]
    assert meta[types.LOG_LEVEL_META_KEY] == "info"
    assert meta["progressToken"] == 3


async def test_a_server_of_no_shared_version_is_refused() -> None:
    """The fault says which versions would do; what the server speaks, it says itself: that is for the log."""

    async def ask(method: str, params: Any, version: str) -> Message:
        error = b'{"code":-32022,"message":"no","data":{"supported":["2031-01-01"]}}'
        return Message("2.0", id=1, error=msgspec.Raw(error))

    with pytest.raises(UpstreamFault, match="no protocol version") as fault:
        await era.negotiate(ask, "s")
    assert "2026-07-28" in fault.value.remediation
    assert "2031-01-01" in fault.value.debug
    assert "2031-01-01" not in str(fault.value)
