# SPDX-License-Identifier: Apache-2.0
"""The relay's ways for HTTP APIs and reports of model calls, before a peer that records what reaches it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from remit.relay.relay import Relay
from remit_sdk.gateway_client import GatewayClient
from remit_sdk.wire import Gateway
from tests.samples.purse import Purse

Json = Any
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@dataclass
class Peer:
    """A gateway that keeps what it was sent, and answers as it is told, in turn."""

    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, Json, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Keep the request, and answer."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.method, request.raw_path, headers, await request.read()))
        status, said, more = self.answers.pop(0) if self.answers else (200, {}, {})
        return web.Response(status=status, text=json.dumps(said), headers=more)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """The other end."""
    one = Peer()
    server = web.Server(one.serve)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield one
    listening.close()
    await server.shutdown(0.1)


@pytest.fixture
async def relay(peer: Peer) -> AsyncIterator[Relay]:
    """A relay before it."""
    gateway = Gateway(peer.url)
    made = Relay(GatewayClient(gateway, Purse()), only_descendants=False)
    await made.start()
    yield made
    await made.close()
    await gateway.close()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """What a child speaks with."""
    async with aiohttp.ClientSession() as one:
        yield one


async def test_an_address_passes_as_it_was_sent(
    peer: Peer, relay: Relay, client: aiohttp.ClientSession
) -> None:
    """Encodings and dots included: the endpoint refuses what has two readings, and must see it to do so."""
    for below in ("/customers/a%2Fb?q=%61+b&q=2", "/a/%2e%2e/b", "/a/../b", "", "?q=1"):
        url = URL(f"{relay.api_url}/crm{below}", encoded=True)
        async with client.get(
            url, headers={"Authorization": "Bearer child", "Remit-Task": "x", "X-Region": "eu"}
        ) as answer:
            assert answer.status == 200
        _, target, headers, _ = peer.seen[-1]
        assert target == f"/http/crm{below}" or (not below and target == "/http/crm/")
        assert headers["authorization"] == "Bearer t1"
        assert headers["remit-task"] == "tsk_1"
        assert headers["x-region"] == "eu"


async def test_only_apis_by_their_names(peer: Peer, relay: Relay, client: aiohttp.ClientSession) -> None:
    """No other path of the gateway is reached, and nothing without the relay's own address."""
    for url in (
        f"{relay.api_url}/../mcp",
        f"{relay.api_url}/%63rm/x",
        f"{relay.api_url}",
        relay.api_url.replace("/http", "/api/v1/tasks"),
        relay.api_url.rpartition("/")[0][:-4] + "aaaa/http/crm/x",
    ):
        async with client.get(URL(url, encoded=True)) as answer:
            assert answer.status == 404, url
    assert peer.seen == []


async def test_locations_lead_back_to_the_relay(
    peer: Peer, relay: Relay, client: aiohttp.ClientSession
) -> None:
    """What the endpoint rewrote is rewritten once more; challenges and nonces stay here."""
    peer.answers = [
        (
            201,
            {},
            {"Location": f"{peer.url}/http/crm/customers/7", "WWW-Authenticate": "Bearer", "ETag": '"1"'},
        ),
        (302, {}, {"Location": "http://evil.example/"}),
    ]
    async with client.post(f"{relay.api_url}/crm/customers", json={}) as answer:
        assert answer.headers["Location"] == f"{relay.api_url}/crm/customers/7"
        assert answer.headers["ETag"] == '"1"'
        assert "WWW-Authenticate" not in answer.headers
    async with client.get(f"{relay.api_url}/crm/customers", allow_redirects=False) as answer:
        assert (answer.status, answer.headers.get("Location")) == (302, None)


async def test_an_api_cannot_have_a_call_made_twice(
    peer: Peer, relay: Relay, client: aiohttp.ClientSession
) -> None:
    """An API's own 403 that claims that the task has ended is passed on; after the endpoint's own 403, the
    call is made again.
    """
    ended = {"code": "task-ended", "outcome": "not-sent"}
    peer.answers = [(403, ended, {})]
    async with client.post(f"{relay.api_url}/crm/payments", json={}) as answer:
        assert answer.status == 403
    assert len(peer.seen) == 1
    peer.answers = [(403, ended, {"Remit-Refused": "task-ended"})]
    async with client.post(f"{relay.api_url}/crm/payments", json={}) as answer:
        assert answer.status == 200
    assert [headers["authorization"] for _, _, headers, _ in peer.seen[1:]] == ["Bearer t1", "Bearer t2"]


async def test_a_header_given_twice_and_a_strange_method_stop_here(
    peer: Peer, relay: Relay, client: aiohttp.ClientSession
) -> None:
    """As problems, which is what clients of APIs read."""
    async with client.get(f"{relay.api_url}/crm/x", headers=[("X-A", "1"), ("X-A", "2")]) as answer:
        assert (answer.status, answer.content_type) == (400, "application/problem+json")
    async with client.options(f"{relay.api_url}/crm/x") as answer:
        assert answer.status == 405
    assert peer.seen == []


async def test_a_report_is_passed_on_with_the_token_of_the_task(
    peer: Peer, relay: Relay, client: aiohttp.ClientSession
) -> None:
    """Byte for byte, and of the program's headers only the encoding."""
    own = {**PROTOBUF, "Authorization": "Bearer child", "Remit-Task": "x", "X-Tenant": "a"}
    async with client.post(relay.usage_url, data=b"\x0a\x00", headers=own) as answer:
        assert (answer.status, await answer.json(content_type=None)) == (200, {})
    ((method, target, headers, body),) = peer.seen
    assert (method, target, body) == ("POST", "/api/v1/otlp/v1/traces", b"\x0a\x00")
    assert headers["authorization"] == "Bearer t1"
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["remit-task"] == "tsk_1"
    assert "x-tenant" not in headers


async def test_a_report_after_a_refused_token_is_sent_with_the_next(
    peer: Peer, relay: Relay, client: aiohttp.ClientSession
) -> None:
    """A report counts once, so it may be sent again; the gateway's own refusals reach the exporter."""
    peer.answers = [(401, {}, {}), (200, {}, {}), (429, {}, {"Retry-After": "7", "Set-Cookie": "a=b"})]
    async with client.post(relay.usage_url, data=b"", headers=PROTOBUF) as answer:
        assert answer.status == 200
    assert [headers["authorization"] for _, _, headers, _ in peer.seen] == ["Bearer t1", "Bearer t2"]
    async with client.post(relay.usage_url, data=b"", headers=PROTOBUF) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("method", "change", "headers", "status"),
    [
        ("GET", "", {}, 405),
        ("POST", "", {"Content-Encoding": "gzip"}, 415),
        ("POST", "/..", {}, 404),
        ("POST", "/x", {}, 404),
        ("POST", "secret", {}, 404),
        ("POST", "", {"Origin": "http://evil.example"}, 403),
    ],
)
async def test_what_is_no_report_stops_here(
    peer: Peer,
    relay: Relay,
    client: aiohttp.ClientSession,
    method: str,
    change: str,
    headers: dict[str, str],
    status: int,
) -> None:
    """No other path of the management interface can be reached."""
    url = relay.usage_url + change
    if change == "secret":
        url = relay.usage_url.replace(relay.usage_url.split("/")[3], "a" * 32)
    async with client.request(method, url, data=b"{}", headers=PROTOBUF | headers) as answer:
        assert answer.status == status
    assert peer.seen == []
