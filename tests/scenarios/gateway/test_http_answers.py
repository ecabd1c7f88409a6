# SPDX-License-Identifier: Apache-2.0
"""Threat: the answer of an API brings what it should not: credentials, other addresses, too much, or half."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from remit.core.evidence.event import EventKind
from tests.gateways.several_replicas import until
from tests.servers.scripted_api import MAX_RESULT_BYTES
from tests.worlds.http_endpoint import SECRET, RestWorld, rest_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[RestWorld]:
    """A shop behind the endpoint."""
    async with rest_world(tmp_path) as made:
        yield made


async def test_a_credential_does_not_come_back(world: RestWorld) -> None:
    """Neither in the body nor in the head, nor cut over pieces of a stream."""
    told = await world.get("/say/echo")
    assert told.status == 200
    assert SECRET not in told.content.decode() + str(told.headers)
    assert "[credential removed]" in told.headers["etag"]
    split = await world.get("/say/echo-split")
    assert split.content == b"-- [credential removed] --"


async def test_headers_pass_by_name(world: RestWorld) -> None:
    """Cookies and challenges do not; what the document declares does; what was left out is told."""
    told = await world.get("/say/cookie")
    assert not {"set-cookie", "www-authenticate", "x-internal"} & told.headers.keys()
    assert told.headers["remit-left-out"] == "set-cookie, www-authenticate, x-internal"
    assert told.headers["cache-control"] == "no-store"
    assert told.headers["x-content-type-options"] == "nosniff"
    declared = await world.get("/odd")
    assert declared.headers["x-shop-page"] == "3"
    assert "set-cookie" not in declared.headers


async def test_a_page_of_an_api_is_no_page_of_this_host(world: RestWorld) -> None:
    """No script of it runs where people approve things."""
    told = await world.get("/say/html")
    assert "sandbox" in told.headers["content-security-policy"]


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308", "201"])
async def test_a_location_within_the_api_leads_back_to_this_endpoint(world: RestWorld, status: str) -> None:
    """No redirect is followed here; a client that follows it asks again, and its request is decided again."""
    told = await world.get(f"/say/{status}?to=%2Fv1%2Fcustomers%2Fc-2")
    assert told.status == int(status)
    assert told.headers["location"] == f"{world.base}/http/shop/customers/c-2"
    assert len(world.api.seen) == 1


@pytest.mark.parametrize(
    "to",
    [
        "http://169.254.169.254/latest/meta-data",
        "//evil.example/v1/customers/c-1",
        "http://127.0.0.1:1/v1/customers/c-1",
        "/admin",
        "/v1/../admin",
        "javascript:alert(1)",
    ],
)
async def test_a_location_outside_is_not_passed_on(world: RestWorld, to: str) -> None:
    """Neither to another host, nor to another place of the same one; that it was there is told."""
    told = await world.get(f"/say/302?to={quote(to, safe='')}")
    assert told.status == 302
    assert "location" not in told.headers
    assert "location" in told.headers["remit-left-out"]


async def test_statuses_pass_and_a_refused_credential_does_not(world: RestWorld) -> None:
    """404 is the API's answer; 401 says that remit's credential is bad, which is not the agent's to mend."""
    for status in ("403", "404", "500"):
        told = await world.get(f"/say/{status}")
        assert (told.status, told.json) == (int(status), {"error": "no"})
    for status in ("204", "304"):
        told = await world.get(f"/say/{status}")
        assert (told.status, told.content) == (int(status), b"")
    told = await world.get("/say/401")
    assert (told.status, told.json["code"]) == (502, "upstream-refused")
    assert "www-authenticate" not in told.headers
    outcomes = [fact["outcome"] for fact in await world.facts(EventKind.TOOL_CALLED)]
    assert outcomes == ["tool-error"] * 3 + ["ok", "ok", "unknown"]


async def test_an_answer_beyond_the_limit_is_refused_before_it_begins(world: RestWorld) -> None:
    """What is read as a whole is bounded; the status is still free, so that it is a problem."""
    told = await world.get("/say/big")
    assert (told.status, told.json["code"]) == (502, "upstream-too-large")
    assert told.json["outcome"] == "unknown"
    assert len(told.content) < MAX_RESULT_BYTES


async def test_a_download_is_passed_on_in_pieces(world: RestWorld) -> None:
    """Of 2 MiB, with a limit of 512 KiB for what is held, every byte arrives."""
    told = await world.get("/say/download")
    assert told.content == b"".join(bytes([n]) * 32_768 for n in range(64))
    assert "content-length" not in told.headers
    assert world.upstream.bound.held_bytes == 0


async def test_events_are_passed_on_as_they_come(world: RestWorld) -> None:
    """The first two arrive while the API has not sent the third."""
    heard: list[bytes] = []
    two = asyncio.Event()

    async def hear(part: bytes) -> None:
        heard.append(part)
        if b"".join(heard).count(b"data:") == 2:
            two.set()

    call = asyncio.create_task(world.get("/say/events", heard=hear))
    async with asyncio.timeout(60):
        await two.wait()
    assert not call.done()
    world.api.let_go.set()
    told = await call
    assert told.content.count(b"\n\n") == 3
    assert told.headers["content-type"] == "text/event-stream"


async def test_half_an_answer_does_not_look_whole(world: RestWorld) -> None:
    """The connection ends without the end of the answer."""
    heard: list[bytes] = []

    async def hear(part: bytes) -> None:
        heard.append(part)

    told = await world.get("/say/broken", heard=hear)
    assert told.status == 200
    assert heard[-1] == b"half"


async def test_what_an_answer_says_is_known_to_the_task(world: RestWorld) -> None:
    """Events and text are read as they pass: a payee that stood there is no payee of the person's."""
    world.api.let_go.set()

    async def origin(payee: str) -> str:
        await world.ask("POST", "/payments", {"payee": payee, "amount": 1})
        decision = (await world.facts(EventKind.DECISION_MADE))[-1]
        (found,) = [one for one in decision["flow"] if one["argument"] == "payee"]
        return str(found["provenance"])

    for what, payee in (("events", "eve1@evil.example"), ("text", "eve150@evil.example")):
        assert await origin(payee) == "unknown"
        await world.get(f"/say/{what}")
        assert await origin(payee) == "untrusted"


async def test_words_of_mcp_in_an_apis_answer_are_its_own(world: RestWorld) -> None:
    """Nothing of an answer is unwrapped, and nothing of it is left unread."""
    told = await world.get("/say/content")
    assert told.json["isError"] is True
    (fact,) = await world.facts(EventKind.TOOL_CALLED)
    assert fact["outcome"] == "ok"


async def test_a_lost_api_is_told_with_what_is_known(world: RestWorld) -> None:
    """502 with `not-sent` where nothing can have happened; the next call tries again."""
    await world.upstream.stop()
    told = await world.get("/customers/c-1")
    assert (told.status, told.json["outcome"]) == (502, "not-sent")


async def test_a_client_that_goes_away_ends_its_call(world: RestWorld) -> None:
    """The API's connection is cut; remit does not read an answer to its end without a client."""
    parts: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def reached() -> bool:
        return bool(world.api.seen)

    async def receive() -> MutableMapping[str, Any]:
        part = parts.pop(0)
        if part["type"] == "http.disconnect":
            await until(reached)
        return part

    async def send(message: MutableMapping[str, Any]) -> None:
        raise AssertionError("nobody is there")

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/http/shop/say/slow",
        "raw_path": b"/http/shop/say/slow",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {world.token}".encode())],
        "client": ("127.0.0.1", 1),
    }
    await world.endpoint(scope, receive, send)
    (fact,) = await world.facts(EventKind.TOOL_CALLED)
    assert fact["outcome"] == "unknown"
