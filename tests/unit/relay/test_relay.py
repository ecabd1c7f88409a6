# SPDX-License-Identifier: Apache-2.0
"""The relay alone, before a peer that records what reaches it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from remit.relay.relay import Relay
from remit_sdk.gateway_client import GatewayClient
from remit_sdk.wire import Gateway
from tests.samples.purse import Purse

Json = Any


@dataclass
class Peer:
    """A server that keeps what it was sent; `answers` says how to answer, in turn."""

    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[Json] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Keep the request, and answer."""
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.method, request.path, headers, body))
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "stream":
            return await self._stream(request)
        return web.Response(status=answer, text="{}", content_type="application/json", headers=EXTRA)

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: {}\n\n" * 1000)
        except (ConnectionError, asyncio.CancelledError):
            self.gone.set()
            raise


EXTRA = {"Mcp-Session-Id": "s1", "WWW-Authenticate": "Bearer", "Set-Cookie": "a=b", "Location": "/x"}


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """The other end."""
    one = Peer()
    server = web.Server(one.serve, handler_cancellation=True)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield one
    listening.close()
    await server.shutdown(0.1)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """What a child speaks with."""
    async with aiohttp.ClientSession() as one:
        yield one


class Standing:
    """A relay before a peer, without the check of the process tree unless asked for."""

    def __init__(
        self, peer: Peer, *, last: int = 9, guarded: bool = False, upstream: str = "", wait_s: int = 0
    ) -> None:
        self.gateway = Gateway(peer.url)
        self.told: list[str] = []
        gateway = GatewayClient(self.gateway, Purse(last), wait_s=wait_s)
        self.relay = Relay(gateway, only_descendants=guarded, upstream=upstream, notice=self.told.append)

    async def __aenter__(self) -> str:
        return await self.relay.start()

    async def __aexit__(self, *_: object) -> None:
        await self.relay.close()
        await self.gateway.close()


async def test_a_request_passes_byte_for_byte_with_our_token_instead_of_the_childs(
    peer: Peer, client: aiohttp.ClientSession
) -> None:
    """Method, body and the protocol's headers go through as they are; Authorization and cookies do not."""
    body = b'{ "jsonrpc":"2.0",  "id":1.0 }'
    sent = {
        "Authorization": "Bearer child",
        "Cookie": "a=b",
        "X-Forwarded-For": "10.0.0.1",
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Mcp-Session-Id": "s1",
        "MCP-Protocol-Version": "2025-11-25",
        "Mcp-Param-Region": "eu",
        "Last-Event-ID": "4",
    }
    async with Standing(peer) as url, client.post(url, data=body, headers=sent) as answer:
        assert answer.status == 200
        assert answer.headers["Mcp-Session-Id"] == "s1"
        assert not {"WWW-Authenticate", "Set-Cookie", "Location"} & set(answer.headers)
    [(method, path, headers, arrived)] = peer.seen
    assert (method, path, arrived) == ("POST", "/mcp", body)
    assert headers["authorization"] == "Bearer t1"
    assert headers["remit-task"] == "tsk_1", "for a balancer before several replicas"
    assert not {"cookie", "x-forwarded-for", "origin"} & set(headers)
    assert [headers[name.lower()] for name in list(sent)[3:]] == list(sent.values())[3:]


async def test_a_relay_says_how_long_its_calls_wait_for_a_person(
    peer: Peer, client: aiohttp.ClientSession
) -> None:
    """Unless the child says so itself; without `--wait` nothing is said."""
    async with Standing(peer, wait_s=300) as url:
        await client.post(url, data=b"{}")
        await client.post(url, data=b"{}", headers={"Remit-Wait": "5"})
    async with Standing(peer) as url:
        await client.post(url, data=b"{}")
    assert [headers.get("remit-wait") for _, _, headers, _ in peer.seen] == ["300", "5", None]


async def test_a_refused_token_is_replaced_once(peer: Peer, client: aiohttp.ClientSession) -> None:
    """A 401 says that nothing was done: the request goes again with a new token, once and no more."""
    peer.answers = [401, 200, 401, 401]
    async with Standing(peer) as url:
        async with client.post(url, data=b"{}") as answer:
            assert answer.status == 200
        async with client.post(url, data=b"{}") as answer:
            assert answer.status == 401
    assert [headers["authorization"] for _, _, headers, _ in peer.seen] == [
        "Bearer t1",
        "Bearer t2",
        "Bearer t2",
        "Bearer t3",
    ]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500, 502, 503])
async def test_no_other_answer_is_sent_again(peer: Peer, client: aiohttp.ClientSession, status: int) -> None:
    """Any answer but 401 is given back as it is, and the request was sent once."""
    peer.answers = [status]
    async with Standing(peer) as url, client.post(url, data=b"{}") as answer:
        assert answer.status == status
    assert len(peer.seen) == 1


async def test_the_refusal_of_an_ended_task_is_shown(peer: Peer, client: aiohttp.ClientSession) -> None:
    """Where no new token is to be had, the child sees the gateway's own refusal."""
    peer.answers = [401]
    async with Standing(peer, last=1) as url, client.post(url, data=b"{}") as answer:
        assert answer.status == 401
        assert await answer.text() == "{}"
    assert len(peer.seen) == 1


async def test_a_redirect_is_not_followed(peer: Peer, client: aiohttp.ClientSession) -> None:
    """A token goes where it was meant to go, and nowhere else."""
    peer.answers = [307]
    async with Standing(peer) as url, client.post(url, data=b"{}", allow_redirects=False) as answer:
        assert answer.status == 502
    assert len(peer.seen) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "attacker.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "https://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_what_a_browser_was_tricked_into_is_refused(
    peer: Peer, client: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    """A foreign Host or Origin (DNS rebinding) and a compressed body are refused, and nothing is sent on."""
    async with Standing(peer) as url, client.post(url, data=b"{}", headers=headers) as answer:
        assert answer.status == status
    assert not peer.seen


async def test_only_the_told_paths_lead_on(peer: Peer, client: aiohttp.ClientSession) -> None:
    """Without the unguessable part, with another method, or at another path there is nothing."""
    async with Standing(peer) as url:
        base, _, _ = url.rpartition("/mcp")
        root, _, _ = base.rpartition("/")
        for wrong in (
            root,
            f"{root}/mcp",
            f"{root}/{'0' * 32}/mcp",
            f"{base}/api/v1/tasks",
            f"{base}/mcp/A!",
        ):
            async with client.post(wrong, data=b"{}") as answer:
                assert answer.status == 404
        async with client.put(url, data=b"{}") as answer:
            assert answer.status == 405
        assert not peer.seen
        async with client.post(f"{url}/notes", data=b"{}") as answer:
            assert answer.status == 200
    assert [path for _, path, _, _ in peer.seen] == ["/mcp/notes"]


async def test_a_relay_for_one_upstream_serves_no_other(peer: Peer, client: aiohttp.ClientSession) -> None:
    """With an upstream in its address, the address means that one, and no other can be named."""
    async with Standing(peer, upstream="notes") as url:
        async with client.post(url, data=b"{}") as answer:
            assert answer.status == 200
        async with client.post(f"{url}/tickets", data=b"{}") as answer:
            assert answer.status == 404
    assert [path for _, path, _, _ in peer.seen] == ["/mcp/notes"]


async def test_a_body_beyond_the_limit_is_refused(
    peer: Peer, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request too large to be held is refused, and nothing of it is sent on."""
    monkeypatch.setattr("remit.relay.relay.MAX_REQUEST_BYTES", 1000)
    async with Standing(peer) as url, client.post(url, data=b"x" * 1001) as answer:
        assert answer.status == 413
    assert not peer.seen


async def test_a_gateway_that_is_gone_is_said_to_be_gone(client: aiohttp.ClientSession) -> None:
    """Where no process answers, the child gets an error that reports it, and no stack trace."""
    async with Standing(Peer(url="http://127.0.0.1:9")) as url, client.post(url, data=b"{}") as answer:
        assert answer.status == 502
        assert json.loads(await answer.text())["error"]["data"]["code"] == "gateway-unreachable"


async def test_a_stream_ends_at_the_gateway_when_the_child_goes(
    peer: Peer, client: aiohttp.ClientSession
) -> None:
    """Who stops reading stops the sender: an endless answer is cut at the other end too."""
    peer.answers = ["stream"]
    async with Standing(peer) as url:
        async with client.get(url) as answer:
            assert await answer.content.readexactly(10) == b"data: {}\n\n"
            answer.close()
        await asyncio.wait_for(peer.gone.wait(), 60)


async def test_a_process_that_was_not_started_from_here_is_refused(
    peer: Peer, client: aiohttp.ClientSession
) -> None:
    """This very process is no child of itself: it knows the address, is refused, and that is said once."""
    standing = Standing(peer, guarded=True)
    async with standing as url:
        for _ in range(2):
            async with client.post(url, data=b"{}") as answer:
                assert answer.status == 403
    assert len(standing.told) == 1
    assert not peer.seen


async def test_a_child_and_its_children_are_let_in(peer: Peer) -> None:
    """A descendant is let in, through a shell in between too, over IPv4 and over an IPv6 socket alike."""
    script = (
        "import socket,sys,urllib.parse as u\n"
        "p=u.urlsplit(sys.argv[1])\n"
        "for family,host in ((socket.AF_INET,'127.0.0.1'),(socket.AF_INET6,'::ffff:127.0.0.1')):\n"
        "    s=socket.socket(family); s.connect((host,p.port))\n"
        "    s.sendall(f'GET {p.path} HTTP/1.1\\r\\nHost: 127.0.0.1:{p.port}\\r\\n\\r\\n'.encode())\n"
        "    print(s.recv(100).split()[1].decode())\n"
    )
    async with Standing(peer, guarded=True) as url:
        child = await asyncio.create_subprocess_exec(
            "sh", "-c", f'"{sys.executable}" -c "$0" "$1"; true', script, url, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await child.communicate()
    assert out.split() == [b"200", b"200"]
