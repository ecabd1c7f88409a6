# SPDX-License-Identifier: Apache-2.0
"""In Envoy's HTTP form, status 200 is a permit: only a decided call has it, however the request is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.evidence.event import EventKind
from remit.gateway.mcp import McpLimits
from tests.worlds.behind_envoy import a_call, asked_world
from tests.worlds.mcp_endpoint import BASIC, LEGACY, GatewayWorld

Json = Any
CALL = json.dumps(a_call()).encode()
WHOLE = {"x-envoy-auth-partial-body": "false"}


class Asking:
    """A proxy that asks over HTTP on a socket, whatever it was sent."""

    def __init__(self, world: GatewayWorld, place: Path) -> None:
        self.world = world
        self._place = place

    async def raw(self, sent: bytes) -> bytes:
        """Send bytes, and return all that comes back before remit closes the connection."""
        reader, writer = await asyncio.open_unix_connection(self._place)
        try:
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), 30)
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()

    def request(
        self, content: bytes = CALL, more: dict[str, str] = WHOLE, *, method: str = "POST", **given: str
    ) -> bytes:
        """Return the bytes of a check, after which remit closes the connection."""
        headers = {
            **BASIC, "authorization": f"Bearer {self.world.token}", "mcp-protocol-version": LEGACY,
            "host": "remit", "connection": "close", "content-length": str(len(content)), **more,
        } | given  # fmt: skip
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} /mcp/files HTTP/1.1\r\n{lines}\r\n".encode() + content

    async def ask(
        self, content: bytes = CALL, more: dict[str, str] = WHOLE, *, method: str = "POST", **given: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer to one check."""
        sent = self.request(content, more, method=method, **given)
        head, _, body = (await self.raw(sent)).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return int(first.split(" ")[1]), dict(one.split(": ", 1) for one in lines), body


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Asking]:
    """The world, and a proxy that asks."""
    limits = McpLimits(max_request_bytes=64 * 1024)
    async with asked_world(tmp_path, limits=limits, http=True) as (world, place):
        yield Asking(world, place)


async def test_permit_names_what_goes_upstream_and_what_does_not(proxy: Asking) -> None:
    """A permitted call has status 200, its decision, and the names of headers that end at the proxy."""
    status, headers, body = await proxy.ask(CALL, {**WHOLE, "cookie": "a=b", "x-user": "root"})
    assert (status, body) == (200, b"")
    removed = set(headers["x-envoy-auth-headers-to-remove"].split(","))
    assert {"authorization", "dpop", "cookie", "x-user"} <= removed
    assert removed.isdisjoint({"content-type", "content-length", "accept", "mcp-protocol-version"})
    (made,) = await proxy.world.facts(EventKind.DECISION_MADE)
    assert (made["outcome"], made["enforced_by"]) == ("permit", "envoy")
    assert headers["remit-decision"].startswith("dec_")
    assert headers["content-type"] == "application/json"


async def test_what_remit_answers_itself_is_never_status_200(proxy: Asking) -> None:
    """A refusal, which older clients expect with status 200, and a list have status 203."""
    status, _, body = await proxy.ask(json.dumps(a_call(name="crash")).encode())
    assert (status, json.loads(body)["error"]["code"]) == (203, -32001)
    status, _, body = await proxy.ask(
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    )
    assert status == 203
    assert "echo" in {one["name"] for one in json.loads(body)["result"]["tools"]}


@pytest.mark.parametrize(
    "flags", [{}, {"x-envoy-auth-partial-body": "true"}, {"x-envoy-auth-partial-body": "false,true"}]
)
async def test_body_is_refused_unless_the_proxy_calls_it_whole(proxy: Asking, flags: dict[str, str]) -> None:
    """The length is that of what Envoy sent, and proves nothing."""
    status, _, body = await proxy.ask(CALL, flags)
    assert (status, json.loads(body)["error"]["data"]["code"]) == (400, "too-large")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
async def test_other_methods_are_refused(proxy: Asking, method: str) -> None:
    """Streams and ends of sessions belong to no decision."""
    status, headers, body = await proxy.ask(b"", {}, method=method)
    assert (status, headers["allow"]) == (405, "POST")
    assert len(body) == (0 if method == "HEAD" else int(headers["content-length"]))


async def test_refusal_shows_how_to_authenticate(proxy: Asking) -> None:
    """Without a token the answer is the challenge."""
    status, headers, _ = await proxy.ask(CALL, WHOLE, authorization="")
    assert status == 401
    assert "resource_metadata" in headers["www-authenticate"]


async def test_broken_requests_end_only_their_connection(proxy: Asking) -> None:
    """No request, one that begins before the answer to another, and one above the limit get no permit."""
    twice = proxy.request().replace(b"connection: close\r\n", b"") * 2
    large = proxy.request(CALL + b" " * 2**20)
    for sent in (b"PO ST / HTTP/1.1\r\n\r\n", b"POX", twice, large):
        assert b" 200 " not in await proxy.raw(sent)
    assert (await proxy.ask())[0] == 200


async def test_the_form_is_answered_only_where_it_is_configured(tmp_path: Path) -> None:
    """A proxy other than Envoy could take every 2xx for a permit, so it must not ask by mistake."""
    async with asked_world(tmp_path) as (world, place):
        asking = Asking(world, place)
        assert b"HTTP/1.1" not in await asking.raw(asking.request())
        assert await world.facts(EventKind.DECISION_MADE) == []
