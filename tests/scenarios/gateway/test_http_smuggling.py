# SPDX-License-Identifier: Apache-2.0
"""Threat: a request to an API that remit reads as one thing and the API as another."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.gateway.http import HttpLimits
from tests.worlds.http_endpoint import RestWorld, rest_world
from tests.worlds.services import exchange


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[RestWorld]:
    """A shop behind the endpoint, with small limits."""
    async with rest_world(tmp_path, HttpLimits(max_request_bytes=2000, max_depth=8)) as made:
        yield made


PATHS = [
    "/customers/../customers/c-1",
    "/customers/c-1/",
    "/customers//c-1",
    "//customers/c-1",
    "/customers/%2e%2e",
    "/customers/%2e%2e%2fpayments",
    "/customers/..%2fpayments",
    "/customers/c-1%2f..%2fc-2",
    "/customers/c-1%5c..%5cc-2",
    "/customers/c-1\\..\\c-2",
    "/customers/%252e%252e",
    "/customers/c-1%00",
    "/customers/c-1%0d%0aX-A:%20b",
    "/customers/c-1;v=2",
    "/customers/c-1%3bv=2",
    "/customers/..;/payments",
    "/customers/%c0%ae%c0%ae",
    "/customers/%ef%bc%8e%ef%bc%8e",
    "/customers/c-1%ef%bc%8fc-2",
    "/customers/%u002e%u002e",
    "/Customers/c-1",
    "/customers/%",
    "/customers/%zz",
    "/./customers/c-1",
    "/http:%2f%2fevil.example/",
    "/@evil.example/customers/c-1",
]


@pytest.mark.parametrize("path", PATHS)
async def test_a_path_with_two_readings_is_no_route(world: RestWorld, path: str) -> None:
    """Dots, slashes, encodings of either, other cases and forms of letters: 404, and nothing goes up."""
    _, token = await world.open("loose")
    told = await world.get(path, token=token)
    assert told.status == 404, told.content
    assert world.api.seen == []


async def test_an_upstreams_name_has_one_spelling(world: RestWorld) -> None:
    """The token is for `/http/shop`; no other spelling of that reaches the shop."""
    headers = [("authorization", f"Bearer {world.token}")]
    for path in ("/http/%73hop/customers/c-1", "/http/SHOP/customers/c-1", "/http/shop%2fcustomers/c-1",
                 "/http//customers/c-1", "/http/", "/http", "/http/shop/../shop/customers/c-1",
                 "/http/other/customers/c-1"):  # fmt: skip
        told = await exchange(world.endpoint, "GET", path, headers, b"", "127.0.0.1")
        assert told.status in (401, 404), path
    assert world.api.seen == []


QUERIES = [
    ("q=a&q=b", "given-twice"),
    ("q=a&limit=1&limit=2", "given-twice"),
    ("q=a&debug=1", "undeclared"),
    ("q=a&_method=DELETE", "undeclared"),
    ("q=a&%71=b", "given-twice"),
    ("q=a&limit=1e3", "bad-argument"),
    ("q=a&limit=0x10", "bad-argument"),
    ("q=a&limit=%201", "bad-argument"),
    ("q=a&limit=99999999999999999999", "number-out-of-range"),
    ("q", "bad-query"),
    ("q=a&&limit=1", "bad-query"),
    ("q=%ff", "bad-encoding"),
    ("q=%2", "bad-encoding"),
    ("", "missing"),
]


@pytest.mark.parametrize(("query", "code"), QUERIES)
async def test_a_query_has_one_reading(world: RestWorld, query: str, code: str) -> None:
    """Each parameter is declared and there once; its value is of its type."""
    told = await world.get(f"/search?{query}")
    assert (told.status, told.json["code"], told.json["step"]) == (400, code, 3), told.content
    assert world.api.seen == []


async def test_what_is_sent_is_written_anew(world: RestWorld) -> None:
    """Order, encoding and plus signs are remit's own, whatever the agent wrote."""
    await world.get("/search?tag=b%26c&limit=7&q=%61+b%3D%26x=%23&tag=%C3%A9".replace("x=", "x%3D"))
    assert world.api.seen[-1]["query"] == "q=a%20b%3D%26x%3D%23&limit=7&tag=b%26c&tag=%C3%A9"


HEADERS = [
    ("x-http-method-override", "DELETE"),
    ("x-method-override", "DELETE"),
    ("x-original-url", "/payments"),
    ("x-rewrite-url", "/payments"),
    ("cookie", "session=admin"),
    ("x-api-key", "another"),
    ("range", "bytes=0-1"),
    ("if-match", "*"),
    ("x-tenant", "other"),
    ("x-shop-debug", "1"),
]


@pytest.mark.parametrize(("name", "value"), HEADERS)
async def test_an_undeclared_header_is_refused_by_name(world: RestWorld, name: str, value: str) -> None:
    """The header would otherwise have no effect, or an effect without a decision."""
    told = await world.get("/customers/c-1", headers={name: value})
    assert (told.status, told.json["code"]) == (400, "undeclared")
    assert name in told.json["detail"]
    assert world.api.seen == []


async def test_headers_of_clients_and_proxies_do_not_travel(world: RestWorld) -> None:
    """They say nothing of the request: they are dropped, `Host` too."""
    idle = {
        "host": "evil.example",
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-host": "evil.example",
        "forwarded": "host=evil.example",
        "accept": "text/html",
        "accept-encoding": "gzip, br",
        "connection": "keep-alive, authorization",
        "te": "trailers",
        "x-request-id": "7",
        "proxy-authorization": "Basic abc",
        "sec-fetch-mode": "cors",
    }
    assert (await world.get("/customers/c-1", headers=idle)).status == 200
    host = world.upstream.base.partition("://")[2].partition("/")[0]
    sent = dict(world.api.seen[-1]["headers"])
    assert set(sent) == {"host", "accept", "accept-encoding", "authorization"}
    assert sent["host"] == host
    assert sent["accept-encoding"] == "identity"
    assert "evil" not in str(sent)


async def test_a_declared_header_is_one_value_of_plain_characters(world: RestWorld) -> None:
    """Given twice it is refused; a value that could end the line is no value."""
    twice = [("x-region", "eu"), ("x-region", "us")]
    assert (await world.get("/customers/c-1", headers=twice)).json["code"] == "given-twice"
    for value in ("eu\r\nx-admin: 1", "eu\x00", "\u00e9"):
        told = await world.get("/customers/c-1", headers=[("x-region", value)])
        assert told.status == 400, value
    assert world.api.seen == []


async def test_a_page_of_another_origin_may_not_call(world: RestWorld) -> None:
    """DNS rebinding, and forms of other sites."""
    for origin in ("http://evil.example", "null", "http://127.0.0.1:8701"):
        told = await world.get("/customers/c-1", headers={"origin": origin})
        assert (told.status, told.json["code"]) == (403, "origin")
    assert (await world.get("/customers/c-1", headers={"origin": world.base})).status == 200


BODIES = [
    (b'{"payee":"a","payee":"b","amount":1}', "application/json", 400),
    (b'{"payee":"a","amount":1,"admin":true}', "application/json", 400),
    (b'{"payee":"a"}', "application/json", 400),
    (b"[1]", "application/json", 400),
    (b'{"payee":"a","amount":NaN}', "application/json", 400),
    (b'{"payee":"\xff","amount":1}', "application/json", 400),
    (b'{"payee":"a","amount":1}{}', "application/json", 400),
    (b'{"details":' + b"[" * 30 + b"]" * 30 + b',"payee":"a","amount":1}', "application/json", 400),
    (b'{"payee":"a","amount":1}', "text/plain", 415),
    (b"payee=a&amount=1", "application/x-www-form-urlencoded", 415),
    (b'{"payee":"a","amount":1}', "application/json; charset=utf-16", 415),
    (b'{"payee":"' + b"a" * 3000 + b'"}', "application/json", 413),
    (b"", "application/json", 400),
]


@pytest.mark.parametrize(("body", "media", "status"), BODIES)
async def test_a_body_has_one_reading(world: RestWorld, body: bytes, media: str, status: int) -> None:
    """Declared properties, each once, in JSON that every parser reads alike, and bounded."""
    told = await world.ask("POST", "/payments", body, {"content-type": media})
    assert told.status == status, told.content
    assert world.api.seen == []


async def test_a_compressed_body_and_a_false_length_are_refused(world: RestWorld) -> None:
    """Nothing is unpacked; what is announced too large is not waited for."""
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert (await world.ask("POST", "/payments", b"\x1f\x8b", headers)).status == 415
    headers = {"content-type": "application/json", "content-length": "999999999999"}
    assert (await world.ask("POST", "/payments", b"{}", headers)).status == 413
    twice = [("content-type", "application/json"), ("content-type", "text/plain")]
    assert (await world.ask("POST", "/payments", b"{}", twice)).json["code"] == "given-twice"


async def test_a_get_carries_no_body(world: RestWorld) -> None:
    """RFC 9110 section 9.3.1: what it would mean is another thing at each server."""
    told = await world.ask("GET", "/customers/c-1", {"id": "c-2"})
    assert (told.status, told.json["code"]) == (400, "undeclared")


async def test_an_argument_is_never_the_address_of_another_operation(world: RestWorld) -> None:
    """`export` is no customer's id, in letters of either case: the API would carry out something else."""
    _, token = await world.open("loose")
    for name in ("Export", "EXPORT", "export.json", "export.", "export%20", "%ef%bd%85xport"):
        told = await world.get(f"/customers/{name}", token=token)
        assert (told.status, told.json["code"]) == (400, "path-confusion")
    assert world.api.seen == []
    assert (await world.get("/customers/exporter", token=token)).status == 200
