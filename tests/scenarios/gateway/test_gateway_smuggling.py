# SPDX-License-Identifier: Apache-2.0
"""A request that two readers could understand differently is refused, and never reaches an upstream."""

import base64
import json
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from remit.gateway.mcp import McpLimits
from tests.refusals import failure
from tests.worlds.mcp_endpoint import ENVELOPE, LEGACY, MODERN, GatewayWorld, gateway_world
from tests.worlds.services import exchange

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint and its gateway; after each test nothing has reached an upstream."""
    async with gateway_world(tmp_path, McpLimits(max_request_bytes=20_000, max_depth=20)) as world:
        yield world
        assert world.calls() == []
        assert world.calls("notes") == []


def code(told: Any) -> int:
    """Return the JSON-RPC code of an answer; no answer holds a trace."""
    assert b"Traceback" not in told.content
    assert b'File "' not in told.content
    return int(told.json["error"]["code"])


@pytest.mark.parametrize(
    "headers",
    [
        {"mcp-name": "progress"},
        {"mcp-name": "ECHO"},
        {"mcp-name": "=?base64?ZWNobw?="},
        {"mcp-name": "=?base64?" + base64.b64encode(b"echo2").decode() + "?="},
        {"mcp-name": ""},
        {"mcp-method": "tools/list"},
        {"mcp-method": ""},
        {"mcp-protocol-version": ""},
        {"mcp-protocol-version": LEGACY},
        {"mcp-protocol-version": "2099-01-01"},
        {"mcp-param-text": "ok something else"},
    ],
    ids=str,
)
async def test_headers_that_disagree_with_the_body(world: GatewayWorld, headers: dict[str, str]) -> None:
    """A header that names another tool, method, version or argument than the body: 400, -32020."""
    told = await world.call("echo", {"text": "ok"}, headers=headers)
    assert (told.status, code(told)) == (400, -32020)


@pytest.mark.parametrize("missing", ["mcp-name", "mcp-method", "mcp-protocol-version", "mcp-param-text"])
async def test_headers_that_are_missing(world: GatewayWorld, missing: str) -> None:
    """A header that should repeat the body and does not stand there: 400, -32020."""
    headers = {
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": "echo",
        "mcp-param-text": "ok",
    }
    del headers[missing]
    params = {"name": "echo", "arguments": {"text": "ok"}, "_meta": ENVELOPE}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    told = await world.send(json.dumps(body).encode(), headers)
    assert (told.status, code(told)) == (400, -32020)


@pytest.mark.parametrize("twice", ["mcp-name", "mcp-method", "mcp-protocol-version", "mcp-param-text"])
async def test_headers_that_come_twice(world: GatewayWorld, twice: str) -> None:
    """A header that comes twice, even with one value: 400, -32020."""
    headers = [
        ("authorization", f"Bearer {world.token}"),
        ("content-type", "application/json"),
        ("accept", "*/*"),
        ("mcp-protocol-version", MODERN),
        ("mcp-method", "tools/call"),
        ("mcp-name", "echo"),
        ("mcp-param-text", "ok"),
    ]
    headers.append((twice, dict(headers)[twice]))
    params = {"name": "echo", "arguments": {"text": "ok"}, "_meta": ENVELOPE}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    told = await exchange(
        world.endpoint, "POST", "/mcp/files", headers, json.dumps(body).encode(), "127.0.0.1"
    )
    assert (told.status, code(told)) == (400, -32020)


async def test_the_older_era_is_no_way_around(world: GatewayWorld) -> None:
    """In a session too, a header that names another tool than the body is refused."""
    session = await world.session()
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
    told = await world.send(
        json.dumps(body).encode(),
        {"mcp-session-id": session, "mcp-protocol-version": LEGACY, "mcp-name": "progress"},
    )
    assert (told.status, code(told)) == (400, -32020)


async def test_a_version_that_is_not_spoken(world: GatewayWorld) -> None:
    """A version that header and envelope agree on and that remit does not support: 400, -32022, with the
    supported versions.
    """
    meta = {**ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    told = await world.modern("tools/list", {"_meta": meta}, headers={"mcp-protocol-version": "2099-01-01"})
    assert (told.status, code(told)) == (400, -32022)
    assert told.json["error"]["data"]["supported"] == [MODERN]


DEEP = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":' + b"[" * 100 + b"]" * 100 + b"}}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not-json"),
        (b"not json", "not-json"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"} {}', "not-json"),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping"}', "duplicate-key"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1,"\\u0061":2}}', "duplicate-key"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":90071992547409931}}', "number-out-of-range"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":1e999}}', "number-out-of-range"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":NaN}}', "not-json"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"s":"\\ud800"}}', "lone-surrogate"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"s":"\xff"}}', "not-json"),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}', "not-json"),
        (DEEP, "too-deep"),
        (b"[" * 10_000, "too-deep"),
    ],
)
async def test_text_that_is_not_one_json_value(world: GatewayWorld, body: bytes, reason: str) -> None:
    """What parsers could read differently is 400, -32700, with the reason's code."""
    told = await world.send(body, {"mcp-protocol-version": LEGACY})
    assert (told.status, code(told)) == (400, -32700)
    assert told.json["error"]["data"]["code"] == reason


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}]',
        b'"ping"',
        b"null",
        b"{}",
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
        b'{"id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":7}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
    ],
)
async def test_json_that_is_not_one_message(world: GatewayWorld, body: bytes) -> None:
    """A batch, an answer to a question never asked, a broken envelope: 400, -32600."""
    told = await world.send(body, {"mcp-protocol-version": LEGACY})
    assert (told.status, code(told)) == (400, -32600)


async def test_a_body_over_the_limit(world: GatewayWorld) -> None:
    """Too large a body is 413, whether its length was announced or not."""
    assert (await world.send(b"x" * 20_001)).status == 413
    assert (await world.send(b"{}", {"content-length": "20001"})).status == 413
    assert (await world.send(b"{}", {"content-length": "9" * 400})).status == 413


async def test_a_body_in_parts_is_bounded_as_it_comes(world: GatewayWorld) -> None:
    """A body without end is cut off at the limit, not gathered."""
    taken = 0
    told: list[Json] = []

    async def receive() -> dict[str, Json]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 5000, "more_body": True}

    async def send(message: MutableMapping[str, Json]) -> None:
        told.append(message)

    headers = [
        (b"authorization", f"Bearer {world.token}".encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"*/*"),
    ]
    await world.endpoint(
        {"type": "http", "method": "POST", "path": "/mcp/files", "headers": headers}, receive, send
    )
    assert told[0]["status"] == 413
    assert taken == 5


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/json-rpc",
        "application/xml; application/json",
        "application/json; charset=utf-16",
    ],
)
async def test_another_content_type(world: GatewayWorld, kind: str) -> None:
    """Only JSON is read, and only in UTF-8: 415."""
    assert (await world.send(b"{}", {"content-type": kind})).status == 415


async def test_a_body_that_another_would_decode(world: GatewayWorld) -> None:
    """A body that is said to be compressed is 415 and goes nowhere: who decodes it would read another one."""
    params = {"name": "echo", "arguments": {"text": "ok"}, "_meta": ENVELOPE}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers = {
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": "echo",
        "mcp-param-text": "ok",
        "content-type": 'application/json; charset="UTF-8"',
    }
    for coding in ("gzip", "identity, br"):
        told = await world.send(body, {**headers, "content-encoding": coding})
        assert (told.status, told.json["error"]["data"]["code"]) == (415, "content-encoding")
    assert (await world.send(b"{}", {**headers, "content-encoding": "identity"})).status == 400


@pytest.mark.parametrize("accept", ["", "application/json", "text/event-stream", "text/html"])
async def test_an_agent_that_does_not_take_both_answers(world: GatewayWorld, accept: str) -> None:
    """An agent must take JSON and event streams: 406."""
    assert (await world.send(b"{}", {"accept": accept})).status == 406


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE"])
async def test_another_http_method(world: GatewayWorld, method: str) -> None:
    """What is not served is 405 and says what is."""
    told = await world.send(b"{}", method=method)
    assert told.status == 405
    assert told.headers["allow"] == "GET, POST, DELETE"


async def test_the_newer_era_has_no_stream_to_get(world: GatewayWorld) -> None:
    """GET and DELETE with 2026-07-28 are 405."""
    for method in ("GET", "DELETE"):
        told = await world.send(b"", {"mcp-protocol-version": MODERN}, method=method)
        assert (told.status, told.headers["allow"]) == (405, "POST")


async def test_a_reserved_name_is_no_tool(world: GatewayWorld) -> None:
    """Reading a resource cannot be spelled as a call of a tool."""
    told = await world.call("resources:read", {"uri": "note://1"})
    assert failure(told.json)["code"] == "unknown-tool"
    assert world.calls() == []


@pytest.mark.parametrize(
    "params",
    [{}, {"name": 7}, {"name": "echo", "arguments": []}, {"name": "echo", "arguments": "x"}],
    ids=str,
)
async def test_params_of_the_wrong_shape(world: GatewayWorld, params: Json) -> None:
    """Wrong params are -32602 and go nowhere."""
    session = await world.session()
    assert code(await world.legacy("tools/call", params, session=session)) == -32602
