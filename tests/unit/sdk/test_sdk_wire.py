# SPDX-License-Identifier: Apache-2.0
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, encode_header_value, mcp_param_headers, x_mcp_header_map

from remit.relay.jsonrpc_message import id_key, look, one_line, read_message
from remit.relay.mcp_headers import encoded, mirrored_by, request_headers, stateless_version
from remit.relay.sse import EventTooLarge, ServerEvent, events
from remit_sdk.errors import AgentFault
from remit_sdk.wire import checked_base

STREAM = (
    b": hello\r\n\r\nid: 7\nretry: 250\ndata\n\n"
    b'event: message\rdata: {"a":\rdata: 1}\r\rdata:no blank\nid: 8\n\ndata: cut off'
)


@pytest.mark.parametrize(
    "address",
    ["http://gateway.example.org", "https://user:pw@gateway.example.org", "ftp://127.0.0.1", "nowhere", ""],
)
def test_an_address_that_would_leak_a_token_is_refused(address: str) -> None:
    """Plain http beyond this machine, and addresses with passwords, are refused before anything is sent."""
    with pytest.raises(AgentFault):
        checked_base(address)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8700/", "http://localhost:8700", "https://a.example.org"]
)
def test_a_safe_address_is_taken(address: str) -> None:
    """The local machine may be spoken to in the clear, everything else over TLS."""
    assert checked_base(address) == address.rstrip("/")


@given(st.text())
def test_headers_are_encoded_as_the_official_library_encodes_them(value: str) -> None:
    """Any text that UTF-8 can hold comes back from its header, in the same form as the library writes."""
    if value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value):
        assert decode_header_value(encoded(value)) == value
        assert encoded(value) == encode_header_value(value)


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.one_of(st.text("xyzü ", max_size=5), st.integers(), st.booleans()),
    )
)
def test_arguments_are_mirrored_as_the_official_library_mirrors_them(arguments: dict[str, object]) -> None:
    """A tool's `x-mcp-header` properties give the same headers as the library gives."""
    inner = {"type": "object", "properties": {"d": {"type": "string", "x-mcp-header": "Deep"}}}
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "x-mcp-header": "First"},
            "b": {"type": "string", "x-mcp-header": "Second"},
            "e": inner,
        },
    }
    given_arguments = {**arguments, "e": {"d": "below"}}
    ours = request_headers(
        "2026-07-28", "tools/call", {"name": "t", "arguments": given_arguments}, mirrored_by(schema)
    )
    theirs = mcp_param_headers(x_mcp_header_map(schema), given_arguments)
    assert {name: value for name, value in ours.items() if name.startswith("mcp-param-")} == {
        name.lower(): value for name, value in theirs.items()
    }
    assert ours["mcp-name"] == "t"


def test_the_era_is_read_from_the_message() -> None:
    """A message is of the stateless era only where its `_meta` names a revision of it."""
    key = "io.modelcontextprotocol/protocolVersion"
    assert stateless_version({"_meta": {key: "2026-07-28"}}) == "2026-07-28"
    others: list[Any] = [None, [], {}, {"_meta": {key: "2025-11-25"}}, {"_meta": {key: 1}}, {"_meta": None}]
    for params in others:
        assert stateless_version(params) == ""


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
async def test_events_are_read_the_same_however_they_are_cut(places: list[int]) -> None:
    """Where the network cuts a stream changes nothing about its events; an unfinished one is none."""
    cuts = [0, *sorted(places), len(STREAM)]

    async def chunks() -> AsyncIterator[bytes]:
        for start, end in itertools.pairwise(cuts):
            yield STREAM[start:end]

    found = [event async for event in events(chunks())]
    assert found == [
        ServerEvent(b"", "7", "message", 250),
        ServerEvent(b'{"a":\n1}', "7", "message", None),
        ServerEvent(b"no blank", "8", "message", None),
    ]


async def test_an_endless_event_is_refused() -> None:
    """An event beyond the limit ends the reading, in one line or in many."""

    async def chunks(piece: bytes) -> AsyncIterator[bytes]:
        for _ in range(100):
            yield piece

    for piece in (b"x" * 10, b"data: xxxxxxxx\n"):
        with pytest.raises(EventTooLarge):
            _ = [event async for event in events(chunks(piece), limit=200)]


def test_messages_are_told_apart() -> None:
    """Requests, answers and notifications are told apart; ids of different types are different ids."""
    assert read_message(b'{"jsonrpc":"2.0","id":1,"method":"ping"}').is_request
    assert read_message(b'{"jsonrpc":"2.0","id":null,"error":{}}').is_answer
    note = read_message(b'{"jsonrpc":"2.0","method":"x"}')
    assert not note.is_request
    assert not note.is_answer
    assert look(b"not json").method == ""
    assert len({id_key(1), id_key("1"), id_key(None)}) == 3
    assert one_line(b'{\r\n"a": "\\n"}') == b'{  "a": "\\n"}'
