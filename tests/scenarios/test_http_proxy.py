# SPDX-License-Identifier: Apache-2.0
"""Threat: an agent with remit as its proxy reaches a host, or sends a credential, that nobody permitted."""

import asyncio
import base64
import contextlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from remit.cli.serve.connections import BoundedConnection
from remit.core.evidence.event import EventKind
from remit.gateway.asgi import TARGET
from remit.gateway.http import HttpEndpoint
from tests.house_world import Told
from tests.rest_world import SECRET, RestWorld, rest_world

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[RestWorld]:
    """A shop behind the door, which is a proxy."""
    async with rest_world(tmp_path) as made:
        made.door = HttpEndpoint(made.house, forward=True)
        yield made


async def ask(
    world: RestWorld,
    target: str,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    token: str | None = None,
) -> Told:
    """Ask the proxy for a target, with the task's token as its password."""
    told = Told()
    bearer = world.token if token is None else token
    shown = {"proxy-authorization": f"Bearer {bearer}"} if bearer else {}
    given = {**shown, **(headers or {})}
    _, _, rest = target.partition("://")
    path, _, query = ("/" + rest.partition("/")[2]).partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        TARGET: target.encode(),
    }

    parts: list[Json] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Json:
        if not parts:
            await asyncio.Event().wait()  # this client waits for its answer, however long it takes
        return parts.pop()

    async def send(message: Json) -> None:
        if message["type"] == "http.response.start":
            told.status = message["status"]
            told.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            told.content += message.get("body", b"")

    await world.door(scope, receive, send)
    return told


async def test_a_plain_request_to_an_api_takes_the_nine_steps(world: RestWorld) -> None:
    """The host is the upstream; what the agent shows as the API's credential is dropped."""
    base = world.upstream.base
    told = await ask(world, f"{base}/customers/c-1", {"authorization": "Bearer of the agent's own"})
    assert told.status == 200
    assert world.header("authorization") == [f"Bearer {SECRET}"]
    assert "own" not in str(world.api.seen)
    refused = await ask(world, f"{base}/customers/c-2")
    assert (refused.status, refused.json["code"]) == (403, "argument-refused")
    assert (await ask(world, f"{base}/customers/export")).json["code"] == "unknown-route"


async def test_a_location_is_in_the_words_of_who_asked(world: RestWorld) -> None:
    """Whoever follows it asks the proxy again."""
    told = await ask(world, f"{world.upstream.base}/say/302?to=%2Fv1%2Fcustomers%2Fc-2")
    assert told.headers["location"] == f"{world.upstream.base}/customers/c-2"


FOREIGN = [
    "http://169.254.169.254/latest/meta-data",
    "http://evil.example/v1/customers/c-1",
    "http://localhost:1/v1/customers/c-1",
    "http://{host}.evil.example/v1/customers/c-1",
    "http://{host}:81/v1/customers/c-1",
    "http://{authority}/admin",
    "http://{authority}/v1",
    "http://{authority}/%761/customers/c-1",
]


@pytest.mark.parametrize("target", FOREIGN)
async def test_no_other_address_is_reached(world: RestWorld, target: str) -> None:
    """Not another host, port or path; it stands in the evidence who asked for one."""
    authority = world.upstream.base.split("/")[2]
    host = authority.partition(":")[0]
    told = await ask(world, target.format(authority=authority, host=host))
    assert (told.status, told.json["code"]) == (403, "foreign-host"), told.content
    (fact,) = [one for one in await world.facts(EventKind.TOKEN_REFUSED) if one["code"] == "foreign-host"]
    assert fact["door"] == "http"
    assert world.api.seen == []


@pytest.mark.parametrize(
    "target",
    [
        "http://user:word@{authority}/v1/customers/c-1",
        "http://{authority}@evil.example/v1/customers/c-1",
        "http://evil.example#@{authority}/v1/customers/c-1",
        "https://{authority}/v1/customers/c-1",
        "ftp://{authority}/v1/customers/c-1",
        "//{authority}/v1/customers/c-1",
        "http:///v1/customers/c-1",
        "*",
    ],
)
async def test_a_target_has_one_reading(world: RestWorld, target: str) -> None:
    """User information, fragments and other schemes are refused before anything is looked up."""
    authority = world.upstream.base.split("/")[2]
    told = await ask(world, target.format(authority=authority))
    assert (told.status, told.json["code"]) == (400, "bad-target")
    assert world.api.seen == []


async def test_dots_lead_nowhere_beside_the_api(world: RestWorld) -> None:
    """The path below the API is read as at the door."""
    told = await ask(world, f"{world.upstream.base}/../admin")
    assert (told.status, told.json["code"]) == (404, "unknown-route")


async def test_a_proxy_asks_as_proxies_do(world: RestWorld) -> None:
    """407 with challenges; a token under `Authorization` is none for the proxy."""
    target = f"{world.upstream.base}/customers/c-1"
    told = await ask(world, target, token="")
    assert told.status == 407
    assert "www-authenticate" not in told.headers
    assert told.headers["proxy-authenticate"]
    told = await ask(world, target, {"authorization": f"Bearer {world.token}"}, token="")
    assert told.status == 407
    assert (await ask(world, "http://evil.example/", token="")).status == 407
    assert world.api.seen == []


async def test_a_token_as_a_password(world: RestWorld) -> None:
    """What `HTTP_PROXY=http://task:TOKEN@...` becomes; anything else under `Basic` is no token."""
    target = f"{world.upstream.base}/customers/c-1"
    good = base64.b64encode(f"task:{world.token}".encode()).decode()
    assert (await ask(world, target, {"proxy-authorization": f"Basic {good}"})).status == 200
    for bad in ("", "%%%", base64.b64encode(b"no-colon").decode(), base64.b64encode(b"task:").decode()):
        told = await ask(world, target, {"proxy-authorization": f"Basic {bad}"})
        assert told.status == 407


async def test_a_tunnel_is_refused_with_the_way_out(world: RestWorld) -> None:
    """What would go through it nobody could decide about."""
    told = await ask(world, "api.example:443", method="CONNECT")
    assert (told.status, told.json["code"]) == (405, "connect")
    assert f"{world.base}/http/UPSTREAM" in told.json["remediation"]


async def test_without_the_setting_there_is_no_proxy(world: RestWorld) -> None:
    """A target that names another host is not served as if it had named this one."""
    world.door = HttpEndpoint(world.house)
    told = await ask(world, f"{world.upstream.base}/customers/c-1")
    assert (told.status, told.json["code"]) == (421, "not-here")
    assert not world.door.takes(f"{world.base}/mcp".encode())
    assert world.door.takes(b"http://evil.example/mcp")


# The same on a real port, with clients that others wrote.


@asynccontextmanager
async def listening(door: HttpEndpoint) -> AsyncIterator[int]:
    """Serve the door as `remit up` does."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(door, lifespan="off", log_level="critical", http=BoundedConnection, ws="none")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await serving


async def raw(port: int, request: bytes) -> bytes:
    """Send bytes, and give what comes back until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(60):
        got = await reader.read(65_536)
    writer.close()
    return got


async def test_clients_that_others_wrote_come_through(world: RestWorld) -> None:
    """`urllib` with its proxy in the address: plain requests pass, tunnels do not."""
    async with listening(world.door) as port:
        proxy = f"http://task:{world.token}@127.0.0.1:{port}"
        handler = urllib.request.ProxyHandler({"http": proxy, "https": proxy})
        opener = urllib.request.build_opener(handler)

        def fetch(url: str) -> tuple[int, bytes]:
            try:
                with opener.open(url, timeout=60) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as refused:
                return refused.code, refused.read()

        status, body = await asyncio.to_thread(fetch, f"{world.upstream.base}/customers/c-1")
        assert (status, json.loads(body)["name"]) == (200, "Ada")
        status, body = await asyncio.to_thread(fetch, "http://evil.example/")
        assert (status, json.loads(body)["code"]) == (403, "foreign-host")
        with pytest.raises(OSError, match="405"):
            await asyncio.to_thread(fetch, "https://127.0.0.1:1/")


async def test_bytes_after_a_refused_tunnel_are_no_request(world: RestWorld) -> None:
    """Nothing that is sent into it is read as a request of anybody."""
    async with listening(world.door) as port:
        inner = f"GET {world.upstream.base}/customers/c-1 HTTP/1.1\r\nhost: a\r\n".encode()
        inner += f"proxy-authorization: Bearer {world.token}\r\n\r\n".encode()
        got = await raw(port, b"CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443\r\n\r\n" + inner)
        assert got.startswith(b"HTTP/1.1 405")
        assert b"Ada" not in got
    assert world.api.seen == []


async def test_a_host_header_decides_nothing(world: RestWorld) -> None:
    """RFC 9112 section 3.2.2: the target does; and two lengths of one body are no request at all."""
    async with listening(world.door) as port:
        target = f"{world.upstream.base}/customers/c-1"
        head = f"proxy-authorization: Bearer {world.token}\r\nconnection: close\r\n"
        got = await raw(port, f"GET {target} HTTP/1.1\r\nhost: evil.example\r\n{head}\r\n".encode())
        assert b"Ada" in got
        assert "evil" not in str(world.api.seen)
        got = await raw(
            port, f"GET http://evil.example/ HTTP/1.1\r\nhost: {target[7:]}\r\n{head}\r\n".encode()
        )
        assert b"foreign-host" in got
        both = f"content-length: 5\r\ntransfer-encoding: chunked\r\n{head}"
        got = await raw(port, f"POST {target} HTTP/1.1\r\nhost: a\r\n{both}\r\n0\r\n\r\n".encode())
        assert got.startswith(b"HTTP/1.1 400")
