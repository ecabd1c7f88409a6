# SPDX-License-Identifier: Apache-2.0
"""A client tries to have one request decided and another one sent upstream by the proxy: each is refused."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from grpclib.exceptions import GRPCError, StreamTerminatedError
from msgspec.structs import replace

from remit.core.evidence.event import EventKind
from remit.core.identity.workload import Confirmation
from remit.core.policy.bundle import PolicySource
from remit.gateway.mcp import McpLimits
from remit.gateway.mcp.messages import META_CLIENT as CLIENT
from remit_sdk.dpop import DpopProver
from tests.samples.tokens import task_token
from tests.worlds.behind_envoy import Asked, a_call, asked_world, said
from tests.worlds.calls import full_disk
from tests.worlds.mcp_endpoint import ENVELOPE, MODERN, GatewayWorld, a_bundle
from tests.worlds.services import PUBLIC_URL

Json = Any
World = tuple[GatewayWorld, Asked]
CALL = json.dumps(a_call()).encode()
OTHER = json.dumps(a_call(name="crash")).encode()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The world, and a proxy that asks."""
    async with asked_world(tmp_path, limits=McpLimits(max_request_bytes=64 * 1024)) as (world, place):
        proxy = Asked(world.token, place)
        yield world, proxy
        proxy.close()


async def test_permit_sends_only_what_was_decided(world: World) -> None:
    """The permit is durable when it is given; token, cookies and claimed names stay with the proxy."""
    gateway, ask = world
    claimed = {
        "cookie": "a=b", "x-forwarded-for": "10.0.0.1", "x-user": "root", "x-original-url": "/admin",
        "user-agent": "data", "mcp-param-other": "data",
    }  # fmt: skip
    answer = await ask(headers={**claimed, "traceparent": "not one", "mcp-session-id": "s"})
    assert answer.status.code == 0
    removed = set(answer.ok_response.headers_to_remove)
    assert {"authorization", "dpop", "traceparent", *claimed} <= removed
    assert removed.isdisjoint({"content-type", "content-length", "accept", "mcp-session-id"})
    *_, header = answer.ok_response.headers
    (made,) = await gateway.facts(EventKind.DECISION_MADE)
    assert header.header.key == "remit-decision"
    assert header.header.value.startswith("dec_")
    assert (made["outcome"], made["enforced_by"]) == ("permit", "envoy")
    # The tool's result is unseen from here on: the task takes the worst, and the outcome stays unknown.
    assert (await gateway.services.tasks.live.load(gateway.task)).index.unseen
    assert await gateway.services.answers.sweep() == 0
    gateway.clock.advance(6)
    assert await gateway.services.answers.sweep() == 1
    (called,) = await gateway.facts(EventKind.TOOL_CALLED)
    assert called["outcome"] == "unknown"


@pytest.mark.parametrize(
    "given",
    [
        {"accept": "application/json, text/event-stream, x/the-salary-is-100"},
        {"content-type": 'application/json; note="the salary is 100"'},
        {"content-type": "application/json; xcharset=utf-7"},
    ],
)
async def test_upstream_reads_no_words_of_the_client_on_the_body(world: World, given: dict[str, str]) -> None:
    """Type and accepted answers are told by remit: no place for data, nor for another charset."""
    answer = await world[1](headers=given)
    told = {one.header.key: (one.header.value, one.append_action) for one in answer.ok_response.headers}
    assert told["content-type"] == ("application/json", 2)
    assert told["accept"] == ("application/json, text/event-stream", 2)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("notifications/cancelled", {"requestId": "7", "reason": "x" * 65}),
        ("notifications/cancelled", {"requestId": "x" * 65}),
        ("notifications/progress", {"progressToken": "x" * 65, "progress": 1}),
        ("notifications/progress", {"progressToken": 1, "progress": {"text": "x" * 65}}),
        ("ping", {"_meta": {"io.modelcontextprotocol/note": "the salary is 100"}}),
        ("ping", {"_meta": {CLIENT: {"name": "x" * 2048}}}),
        ("initialize", {"capabilities": {"experimental": {"x": "x" * 2048}}}),
    ],
)
async def test_what_no_decision_reads_is_no_place_for_data(world: World, method: str, params: Json) -> None:
    """Ids, remarks, reserved names and a client's words about itself are known, and short."""
    body = {"jsonrpc": "2.0", "method": method, "params": params}
    if not method.startswith("notifications"):
        body["id"] = 1
    assert said(await world[1](body))[2] == "invalid-params"


async def test_a_session_s_id_is_no_place_for_data(world: World) -> None:
    """The upstream chose it and needs little room; it passes as it is."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert (await world[1](body, {"mcp-session-id": "s" * 256})).status.code == 0
    assert said(await world[1](body, {"mcp-session-id": "s" * 257}))[2] == "invalid-params"


async def test_clients_as_they_are_begin_sessions_and_cancel(world: World) -> None:
    """With names, an icon and all capabilities, and the remark of a client by others on a time-out."""
    about: Json = {
        "name": "assistant",
        "title": "An assistant",
        "version": "1.104.2",
        "websiteUrl": "https://a.example",
    }
    about |= {"icons": [{"src": "https://a.example/icon.png", "mimeType": "image/png", "sizes": ["48x48"]}]}
    able = {"roots": {"listChanged": True}, "sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}}
    begin = {"protocolVersion": "2025-11-25", "capabilities": able, "clientInfo": about}
    ended = {"requestId": 7, "reason": "McpError: MCP error -32001: Request timed out"}
    for body in (
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": begin},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": ended},
    ):
        assert (await world[1](body)).status.code == 0


async def test_notification_has_a_known_version(world: World) -> None:
    """The header goes upstream, so it is not the client's to write."""
    body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    told = said(await world[1](body, {"mcp-protocol-version": "the salary is 100"}))
    assert told[2] == "unsupported-version"


async def test_trace_context_goes_upstream_if_it_is_one(world: World) -> None:
    """A well-formed `traceparent` is not removed."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await world[1](headers={"traceparent": trace})
    assert "traceparent" not in answer.ok_response.headers_to_remove


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"[" + CALL + b"]", "batch"),
        (CALL[:-1], "not-json"),
        (CALL + OTHER, "not-json"),
        (CALL[:-1] + b', "method": "ping"}', "duplicate-key"),
        (CALL.replace(b'"text": "ok"', b'"text": "no", "te\\u0078t": "ok"'), "duplicate-key"),
        (CALL[:-1] + b', "Method": "initialize"}', "member"),
        (CALL[:-1] + b', "Params": {"name": "crash"}}', "member"),
        (b"\xef\xbb\xbf" + CALL, "not-json"),
        (gzip.compress(CALL), "not-json"),
        (b"", "not-json"),
        (b"\x1e" + CALL, "not-json"),
        (CALL.replace(b'"ok"', b"1e400"), "number-out-of-range"),
        (CALL.replace(b'"arguments"', b'"Name": "crash", "arguments"'), "invalid-params"),
        (CALL.replace(b'"arguments"', b'"task": {"ttl": 1}, "arguments"'), "invalid-params"),
        (CALL.replace(b'"arguments"', b'"_meta": {"baggage": "secret"}, "arguments"'), "invalid-params"),
        (CALL.replace(b'"arguments"', b'"inputResponses": {}, "arguments"'), "invalid-params"),
        (CALL.replace(b'"id": 7', b'"id": "' + b"x" * 65 + b'"'), "invalid-params"),
        (json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).encode(), "method"),
        (json.dumps({**a_call(), "method": "tasks/result"}).encode(), "method"),
        (json.dumps({**a_call(), "method": "Tools/Call"}).encode(), "method"),
        (json.dumps({k: v for k, v in a_call().items() if k != "id"}).encode(), "method"),
        (json.dumps({"jsonrpc": "2.0", "method": "notifications/delete_all"}).encode(), "method"),
    ],
)  # fmt: skip
async def test_body_that_could_be_read_differently_is_refused(
    world: World, content: bytes, code: str
) -> None:
    """No batch, no repeated or strange member, no second message, no part of one, no unknown method."""
    gateway, ask = world
    answer = await ask(content)
    assert said(answer)[2] == code
    assert [one["outcome"] for one in await gateway.facts(EventKind.DECISION_MADE)] in ([], ["deny"])


@pytest.mark.parametrize(
    ("headers", "size", "code"),
    [
        ({"x-envoy-auth-partial-body": "true"}, 0, "too-large"),
        ({"content-length": "999"}, 0, "too-large"),
        ({}, 999, "too-large"),
        ({"x-envoy-auth-partial-body": "", "content-length": ""}, 0, "body-length"),
        ({"x-envoy-auth-partial-body": ""}, -1, "too-large"),
        ({"content-encoding": "gzip"}, 0, "content-encoding"),
        ({"content-encoding": "identity, gzip"}, 0, "content-encoding"),
        ({"content-type": "text/plain"}, 0, "content-type"),
        ({"content-type": "application/json; charset=utf-16"}, 0, "content-type"),
    ],
)
async def test_part_of_a_body_is_refused(world: World, headers: dict[str, str], size: int, code: str) -> None:
    """A body that is cut off, of unknown length or encoded is refused, whatever its part says."""
    assert said(await world[1](headers=headers, size=size))[2] == code


async def test_proxy_s_flag_counts_and_not_the_client_s(world: World) -> None:
    """A client that claims a whole body changes nothing where the proxy says that it is a part."""
    answer = await world[1](raw=[("x-envoy-auth-partial-body", "true")])
    assert said(answer)[2] == "too-large"


async def test_chunked_body_that_is_whole_passes(world: World) -> None:
    """A body without Content-Length passes where the proxy says that it is whole."""
    answer = await world[1](headers={"content-length": "", "transfer-encoding": "chunked"})
    assert answer.status.code == 0


@pytest.mark.parametrize(
    "path",
    [
        "/mcp/files/", "/mcp//files", "/mcp/./files", "/mcp/x/../files", "/mcp/%66iles", "/mcp/files%00",
        "/mcp/files?x=1", "/mcp/files;x=1", "/mcp/files#x", "/MCP/files", "/mcp/Files", "/mcp/",
        "//mcp/files",
        "/mcp/files\\..\\notes", "http://elsewhere/mcp/files", "/mcp/..", "*",
    ],
)  # fmt: skip
async def test_path_in_another_form_is_refused(world: World, path: str) -> None:
    """Only the one form of a path is decided: an upstream or a proxy may read another form differently."""
    answer = await world[1](path=path)
    assert said(answer)[2] == "path"


async def test_route_to_another_upstream_is_refused(world: World) -> None:
    """Where Envoy's route names an upstream, a path of another one is refused."""
    assert (await world[1](path="/mcp/files", pinned="files")).status.code == 0
    assert said(await world[1](path="/mcp/files", pinned="notes"))[2] == "path"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS", "post", "CONNECT", ""])
async def test_streams_ends_and_other_methods_are_refused(world: World, method: str) -> None:
    """Only a POST is a message; a stream could bring anything, and an end could be another task's."""
    assert said(await world[1](method=method))[::2] == (405, "method-not-allowed")


async def test_pseudo_header_that_differs_is_refused(world: World) -> None:
    """A proxy that contradicts itself is not believed."""
    for name, value in ((":method", "GET"), (":path", "/mcp/notes")):
        assert said(await world[1](raw=[(name, value)]))[2] == "contradiction"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ([("authorization", "Bearer x")], "bad-authorization"),
        ([("origin", "https://evil.example")], "origin"),
        ([("content-type", "application/json")], "content-type"),
        ([("mcp-method", "ping")], "header-mismatch"),
        ([("mcp-name", "crash")], "header-mismatch"),
        ([("mcp-protocol-version", MODERN)], "header-mismatch"),
        ([("mcp-session-id", "a"), ("mcp-session-id", "b")], "header-mismatch"),
    ],
)
async def test_second_header_is_refused(world: World, raw: list[tuple[str, str]], code: str) -> None:
    """A second token, another origin, and headers that disagree with the body are refused."""
    assert said(await world[1](raw=raw))[2] == code


async def test_joined_headers_are_refused(world: World) -> None:
    """Where a proxy joins repeated headers with commas, two tokens are no token."""
    token = world[0].token
    answer = await world[1](headers={"authorization": f"Bearer {token},Bearer {token}"})
    assert said(answer)[0] == 401


async def test_token_of_another_audience_or_none_is_challenged(world: World) -> None:
    """The answer is the MCP endpoint's: 401 with the way to a token."""
    gateway, ask = world
    other = await task_token(gateway.services, gateway.task, audience=(f"{PUBLIC_URL}/mcp/notes",))
    for token in ("", f"Bearer {other}", "Bearer forged"):
        answer = await ask(headers={"authorization": token})
        assert answer.denied_response.status.code == 401
        told = [
            one.header.value for one in answer.denied_response.headers if one.header.key == "www-authenticate"
        ]
        assert any("oauth-protected-resource/mcp/files" in one for one in told)


async def test_bound_token_needs_its_proof_for_this_address(world: World) -> None:
    """A token that is bound to a key passes with a proof for this request, once, and for no other."""
    gateway, ask = world
    prover = DpopProver()
    url = f"{PUBLIC_URL}/mcp/files"
    prover.learn(url, {"DPoP-Nonce": gateway.services.oauth.proofs.nonce()})
    token = await task_token(
        gateway.services, gateway.task, confirmation=Confirmation(jkt=prover.key.thumbprint)
    )
    bound = {"authorization": f"DPoP {token}"}
    proof = prover.proof("POST", url, token)
    assert said(await ask(headers=bound))[0] == 401
    assert (await ask(headers={**bound, "dpop": proof})).status.code == 0
    assert said(await ask(headers={**bound, "dpop": proof}))[0] == 401
    wrong = prover.proof("POST", f"{PUBLIC_URL}/mcp/notes", token)
    assert said(await ask(headers={**bound, "dpop": wrong}))[0] == 401
    assert said(await ask(headers={"authorization": f"Bearer {token}"}))[0] == 401
    # A certificate that the proxy names proves nothing.
    assert said(await ask(headers={**bound, "x-forwarded-client-cert": "Hash=1"}))[0] == 401


async def test_modern_message_needs_the_headers_that_repeat_it(world: World) -> None:
    """A message of 2026-07-28 whose headers are missing or disagree is refused."""
    body = a_call()
    body["params"]["_meta"] = ENVELOPE
    named = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "echo"}
    passed = await world[1](body, {**named, "mcp-param-text": "ok", "mcp-param-other": "data"})
    assert passed.status.code == 0
    assert "mcp-param-other" in passed.ok_response.headers_to_remove
    assert {"mcp-name", "mcp-param-text"}.isdisjoint(passed.ok_response.headers_to_remove)
    assert said(await world[1](body, {**named, "mcp-param-text": "no"}))[1] == -32020
    assert said(await world[1](body, {**named, "mcp-name": "crash"}))[1] == -32020
    assert said(await world[1](body))[1] == -32020


async def test_ended_task_and_other_task_s_tools_are_denied(world: World) -> None:
    """After the end nothing is permitted, a session no longer begins, and no list is given."""
    gateway, ask = world
    begin = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    assert said(await ask(a_call(name="crash")))[1:] == (-32001, "unknown-tool")
    assert said(await ask(a_call({"text": "no"})))[1] == -32001
    await gateway.services.endings.revocations.end_task(gateway.task, reason="done", by="root")
    for content in (
        a_call(),
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": begin},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ):
        assert said(await ask(content))[:2] == (403, -32001)


async def test_call_that_needs_a_person_is_refused_with_the_way(world: World) -> None:
    """The refusal names the approval, and what to run for it."""
    answer = await world[1](a_call({}, name="error"))
    assert said(answer)[1:] == (-32001, "approval-required")
    data = json.loads(answer.denied_response.body)["error"]["data"]
    assert data["approval"] in data["remediation"]


async def test_upstream_that_the_proxy_does_not_guard_is_refused(world: World) -> None:
    """A path of an upstream that is not configured for the proxy is no way in."""
    assert said(await world[1](path="/mcp/others"))[0] in (401, 404)


async def test_message_over_the_limit_ends_the_connection(world: World) -> None:
    """What is over all limits is not read to its end."""
    with pytest.raises((GRPCError, StreamTerminatedError, ConnectionError, asyncio.TimeoutError)):
        await world[1](a_call({"text": "x" * 1024 * 1024}))


async def test_tools_of_all_upstreams_have_joined_names_at_one_address(world: World) -> None:
    """At `/mcp` a tool is `upstream__tool`, as at remit's own endpoint; nothing else says whose it is."""
    gateway, ask = world
    token = await task_token(gateway.services, gateway.task, audience=(f"{PUBLIC_URL}/mcp",))
    bearer = {"authorization": f"Bearer {token}"}
    assert (await ask(a_call(name="notes__echo"), bearer, path="/mcp")).status.code == 0
    assert [one["tool"] for one in await gateway.facts(EventKind.DECISION_MADE)] == ["notes/echo"]
    assert said(await ask(a_call(name="echo"), bearer, path="/mcp"))[2] == "unknown-tool"
    assert said(await ask(a_call(name="others__echo"), bearer, path="/mcp"))[2] == "unknown-tool"
    read = {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "note://1"}}
    assert said(await ask(read, bearer, path="/mcp"))[2] == "method"
    listed = await ask({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, bearer, path="/mcp")
    assert listed.denied_response.status.code == 200
    tools = json.loads(listed.denied_response.body)["result"]["tools"]
    assert {"files__echo", "notes__echo"} <= {tool["name"] for tool in tools}


async def test_obligation_that_a_proxy_cannot_meet_is_a_refusal(tmp_path: Path) -> None:
    """A proxy withholds no field and does nothing that a rule demands beside the call."""
    known = a_bundle()
    for notes in ('@redact("ssn")', '@obligation("watermark")'):
        rule = f'@id("obliged")\n@reason("obliged")\n{notes}\npermit (principal, action, resource);\n'
        sources = (*known.policies, PolicySource("obliged.cedar", rule))
        folder = tmp_path / notes[1:7]
        folder.mkdir()
        async with asked_world(folder, bundle=replace(known, policies=sources)) as (world, place):
            ask = Asked(world.token, place)
            assert said(await ask())[1:] == (-32001, "obligation")
            ask.close()


async def test_decision_that_cannot_be_recorded_is_a_refusal(world: World) -> None:
    """A permit is durable or not given: with a full disk there soon is none."""
    gateway, ask = world
    text, permits = "ok" + "x" * 20_000, 0
    with full_disk(gateway):  # type: ignore[arg-type]  # it takes a store from any world
        while not (answer := await ask(a_call({"text": text}))).status.code:
            permits += 1
            assert permits < 200
        assert said(answer)[:2] == (503, -32603)
        assert [one["outcome"] for one in await recorded(gateway)] == ["permit"] * permits


async def recorded(gateway: GatewayWorld) -> list[Json]:
    """Return the decisions in the evidence, without writing anything more."""
    entries = await gateway.services.evidence.log.pages(limit=1000)
    return [json.loads(one.leaf)["facts"] for one in entries if one.kind == EventKind.DECISION_MADE.value]
