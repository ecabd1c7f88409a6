# SPDX-License-Identifier: Apache-2.0
"""A real Envoy sends requests upstream itself and asks remit first: real clients, real upstreams."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from remit.core.evidence.event import EventKind
from tests.clients.http_line import Line
from tests.servers.envoy_server import GATEWAY, asking_envoy, manager
from tests.worlds.behind_envoy import a_call, asked_world, upstream_ports
from tests.worlds.mcp_endpoint import BASIC, LEGACY, GatewayWorld

Json = Any


#: The forms of Envoy's question.
FORMS = pytest.mark.parametrize("form", ["grpc", "http", pytest.param(GATEWAY, marks=pytest.mark.slow)])


@asynccontextmanager
async def behind(
    folder: Path, form: str = "grpc", change: Callable[[Json], None] = lambda _: None
) -> AsyncIterator[tuple[GatewayWorld, str]]:
    """A world behind Envoy; gives it and Envoy's address."""
    async with (
        asked_world(folder, http=form == "http") as (world, place),
        asking_envoy(
            folder, {"pipe": {"path": str(place)}}, upstream_ports(world), change, form=form
        ) as port,
    ):
        yield world, f"http://127.0.0.1:{port}"


@asynccontextmanager
async def client(base: str, token: str, era: str, upstream: str) -> AsyncIterator[Client]:
    """An official client with a task's token."""
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(
            streamable_http_client(f"{base}/mcp/{upstream}", http_client=http),
            mode=era,
            read_timeout_seconds=60,
        ) as connected,
    ):
        yield connected


@FORMS
@pytest.mark.parametrize(("era", "upstream"), [("auto", "files"), ("legacy", "notes")])
async def test_official_client_works_behind_envoy(tmp_path: Path, form: str, era: str, upstream: str) -> None:
    """It sees its task's tools, its call reaches the upstream and a refused one does not; all is recorded."""
    async with behind(tmp_path, form) as (world, base), client(base, world.token, era, upstream) as mcp:
        names = {tool.name for tool in (await mcp.list_tools()).tools}
        assert "echo" in names
        assert "crash" not in names
        result = await mcp.call_tool("echo", {"text": "ok"})
        assert isinstance(result, CallToolResult)
        assert result.structured_content["arguments"] == {"text": "ok"}
        with pytest.raises(MCPError) as refused:
            await mcp.call_tool("crash", {})
        assert refused.value.error.code == -32001
        assert [one["name"] for one in world.calls(upstream)] == ["echo"]
        made = await world.facts(EventKind.DECISION_MADE)
        assert [(one["outcome"], one["enforced_by"]) for one in made] == [
            ("permit", "envoy"),
            ("deny", "envoy"),
        ]


CALL = json.dumps(a_call()).encode()


async def sent(
    world: GatewayWorld,
    base: str,
    content: bytes = CALL,
    headers: dict[str, str] | None = None,
    *,
    method: str = "POST",
    path: str = "/mcp/files",
) -> tuple[int, bytes]:
    """Send one request to Envoy exactly as it is given."""
    line = await Line.to(int(base.rpartition(":")[2]))
    given = {**BASIC, "authorization": f"Bearer {world.token}", "mcp-protocol-version": LEGACY}
    try:
        return await line.ask(method, path, given | (headers or {}), content)
    finally:
        line.close()


def chunked(content: bytes) -> bytes:
    """Return a body in two chunks."""
    parts = (content[:9], content[9:])
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in parts) + b"0\r\n\r\n"


@FORMS
async def test_upstream_gets_nothing_that_only_envoy_may_say(tmp_path: Path, form: str) -> None:
    """The token, cookies, and headers that claim a user, an address or another method stay behind."""
    claimed = {
        "cookie": "a=b", "dpop": "x", "x-user": "root", "x-forwarded-for": "10.0.0.1",
        "x-forwarded-user": "root", "x-forwarded-client-cert": "Hash=1", "x-http-method-override": "DELETE",
        "x-original-url": "/admin",
        "remit-decision": "dec_forged", "x-envoy-auth-partial-body": "false",
        "forwarded": "for=1.1.1.1",
    }  # fmt: skip
    async with behind(tmp_path, form) as (world, base):
        before = len(world.files.requests)
        status, _ = await sent(world, base, headers=claimed)
        assert status == 200
        ((method, seen),) = world.files.requests[before:]
        assert method == "POST"
        decision = seen.pop("remit-decision")
        assert decision.startswith("dec_")
        assert decision != "dec_forged"
        assert claimed.keys().isdisjoint(seen)
        assert "authorization" not in seen
        assert [one["arguments"] for one in world.calls()] == [{"text": "ok"}]


@FORMS
async def test_smuggled_requests_reach_no_upstream(tmp_path: Path, form: str) -> None:
    """Compressed, batched, cut off, repeated, ambiguous: Envoy answers each with a refusal."""
    async with behind(tmp_path, form) as (world, base):
        attacks: list[tuple[bytes, dict[str, str], str, str]] = [
            (gzip.compress(CALL), {"content-encoding": "gzip"}, "POST", "/mcp/files"),
            (b"[" + CALL + b"]", {}, "POST", "/mcp/files"),
            (CALL[:-1] + b', "method": "ping"}', {}, "POST", "/mcp/files"),
            (CALL[:-1] + b', "Method": "ping"}', {}, "POST", "/mcp/files"),
            (CALL.replace(b"ok", b"\xff"), {}, "POST", "/mcp/files"),
            (CALL, {"Authorization": f"Bearer {world.token}"}, "POST", "/mcp/files"),
            (CALL, {"authorization": ""}, "POST", "/mcp/files"),
            (b"", {"accept": "text/event-stream"}, "GET", "/mcp/files"),
            (b"", {"mcp-session-id": "s0"}, "DELETE", "/mcp/files"),
            (CALL, {}, "PUT", "/mcp/files"),
            (CALL, {"x-http-method-override": "DELETE"}, "GET", "/mcp/files"),
            (CALL, {}, "POST", "/mcp/files?x=1"),
            (CALL, {}, "POST", "/mcp/files%2f..%2fnotes"),
            (CALL, {"origin": "https://evil.example"}, "POST", "/mcp/files"),
            (CALL, {"mcp-name": "crash", "mcp-method": "tools/call"}, "POST", "/mcp/files"),
            (chunked(CALL)[:-1], {"transfer-encoding": "chunked"}, "POST", "/mcp/files"),
        ]
        before = len(world.files.requests)
        for content, headers, method, path in attacks:
            try:
                status, body = await sent(world, base, content, headers, method=method, path=path)
            except (OSError, EOFError):
                continue  # Envoy itself does not accept it
            # Envoy Gateway sends the client to a path without escapes, where it is decided.
            assert status >= 300 or b'"error"' in body, (content, headers, method, path)
        assert world.files.requests[before:] == []
        # Envoy writes a path in one form before it asks, and that form goes upstream.
        for path in ("/mcp/x/../files", "/mcp/%66iles"):
            assert (await sent(world, base, path=path))[0] == 200
        assert len(world.calls()) == 2


@FORMS
async def test_cut_off_body_is_refused_where_envoy_passes_parts(tmp_path: Path, form: str) -> None:
    """With `allow_partial_message`, a call that is whole in the first bytes hides nothing behind them."""

    def partial(config: Json) -> None:
        asking = manager(config)["http_filters"][0]["typed_config"]["with_request_body"]
        asking |= {"allow_partial_message": True, "max_request_bytes": 256}

    async with behind(tmp_path, form, partial) as (world, base):
        assert (await sent(world, base))[0] == 200
        status, body = await sent(world, base, CALL + b" " * 256 + CALL)
        assert status >= 400
        assert json.loads(body)["error"]["data"]["code"] == "too-large"
        assert len(world.calls()) == 1


@FORMS
async def test_nothing_passes_while_remit_does_not_answer(tmp_path: Path, form: str) -> None:
    """Envoy refuses each request that remit was not asked about."""
    async with asked_world(tmp_path, http=form == "http") as (world, place):
        gone = place.with_name("gone.sock")
        ask = {"pipe": {"path": str(gone)}}
        async with asking_envoy(tmp_path, ask, upstream_ports(world), form=form) as port:
            before = len(world.files.requests)
            assert (await sent(world, f"http://127.0.0.1:{port}"))[0] == 503
            assert world.files.requests[before:] == []
