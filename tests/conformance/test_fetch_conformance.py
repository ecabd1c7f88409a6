# SPDX-License-Identifier: Apache-2.0
"""What a fetcher of documents keeps to (`ports.fetch`), and how its guard is tried to be led astray."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.core.errors import ConfigInvalid, SourceUnavailable
from remit.ports.fetch import Fetched
from tests.servers.tls_server import local_server, reply
from tests.worlds.attestation import WorldAuthority

OPEN = GuardedFetch(plain_loopback=True)


def authority_of_now() -> WorldAuthority:
    """Return an authority whose certificates hold by the machine's own clock."""
    now = datetime.now(UTC)
    return WorldAuthority(since=now - timedelta(hours=1), until=now + timedelta(hours=1))


async def refusal(fetch: GuardedFetch, url: str, **more: Any) -> str:
    """Return the code of the refusal; empty where there is none."""
    try:
        await fetch.get(url, **more)
    except SourceUnavailable as refused:
        return refused.code
    return ""


async def test_a_document_is_fetched_with_status_headers_and_body() -> None:
    """Names of headers in lower case; nothing of the process goes along."""
    async with local_server(lambda _: reply(b"{}", "Cache-Control: max-age=60", "X-A: b")) as server:
        answer = await OPEN.get(server.url("/a?b=c"), accept="application/x")
    assert (answer.status, answer.body, answer.max_age_s) == (200, b"{}", 60)
    assert answer.headers["x-a"] == "b"
    (head,) = server.requests
    assert head.startswith("GET /a?b=c HTTP/1.1\r\n")
    assert "Accept: application/x" in head
    assert not any(name in head.lower() for name in ("cookie", "authorization", "proxy"))


async def test_a_status_is_the_callers_to_judge() -> None:
    """404 is an answer."""
    async with local_server(lambda _: reply(b"", status="404 Not Found")) as server:
        assert (await OPEN.get(server.url())).status == 404


async def test_certificates_are_checked(tmp_path: Path) -> None:
    """An authority that is not trusted, and another name; with its own authority it is fetched."""
    authority = authority_of_now()
    place = tmp_path / "ca.pem"
    place.write_bytes(authority.pem)
    trusting = GuardedFetch(private=True, ca_file=place)
    async with local_server(lambda _: reply(b"ok"), authority) as server:
        assert (await trusting.get(server.url())).body == b"ok"
        assert await refusal(GuardedFetch(private=True), server.url()) == "fetch-failed"
        assert await refusal(trusting, server.url(host="127.0.0.1")) == "fetch-failed"
    with pytest.raises(ConfigInvalid):
        GuardedFetch(ca_file=tmp_path / "missing.pem")


@pytest.mark.parametrize("location", ["/other", "https://example.com/", "http://169.254.169.254/latest"])
async def test_redirects_are_refused(location: str) -> None:
    """Wherever they lead."""
    async with local_server(lambda _: reply(b"", f"Location: {location}", status="302 Found")) as server:
        assert await refusal(OPEN, server.url()) == "fetch-redirected"
    assert len(server.requests) == 1


async def test_size_is_bounded_whether_or_not_it_is_declared() -> None:
    """Declared, undeclared, and compressed: what was not asked for is not unpacked."""
    async with local_server(lambda _: reply(b"x" * 2000)) as server:
        assert await refusal(OPEN, server.url(), max_bytes=1999) == "fetch-too-large"
        assert await refusal(OPEN, server.url(), max_bytes=2000) == ""
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 5_000_000
    async with local_server(lambda _: endless) as server:
        assert await refusal(OPEN, server.url(), max_bytes=100_000) == "fetch-too-large"
    bomb = gzip.compress(b"x" * 10_000_000)
    async with local_server(lambda _: reply(bomb, "Content-Encoding: gzip")) as server:
        assert await refusal(OPEN, server.url()) == "fetch-failed"


async def test_time_is_bounded() -> None:
    """For a server that accepts and is silent."""
    enough = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await enough.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await refusal(OPEN, f"http://127.0.0.1:{port}/", timeout_s=0.1) == "fetch-timeout"
    enough.set()
    await asyncio.sleep(0)
    server.close()


async def test_nothing_there_and_no_such_name_are_refusals() -> None:
    """With the address that was asked, and no detail of the machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert await refusal(OPEN, f"http://127.0.0.1:{port}/") == "fetch-failed"
    with pytest.raises(SourceUnavailable, match=r"`https://name\.invalid/` has no known address$"):
        await OPEN.get("https://name.invalid/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com/#fragment",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/ x",
        "https://example.com/\r\nX: y",
        "https://example.com:99999/",
        "https://[::1",
        "https://exämple.com/",
        "https://example.com/" + "x" * 2048,
        "",
    ],
)
async def test_what_is_no_plain_https_address_is_refused(url: str) -> None:
    """Before any name is resolved."""
    assert await refusal(GuardedFetch(), url) == "fetch-forbidden"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "[fec0::1]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
        "192.0.2.1",
        "192.0.0.192",
        "192.88.99.1",
        "[3fff::1]",
        "[64:ff9b:1::a00:1]",
        "[::ffff:0:127.0.0.1]",
    ],
)
async def test_addresses_that_are_not_public_are_refused_in_every_spelling(host: str) -> None:
    """This machine, private networks, link-local metadata, multicast, and IPv6 that leads to them."""
    assert await refusal(GuardedFetch(), f"https://{host}/") == "fetch-forbidden"


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "0.0.0.0",
        "224.0.0.1",
        "[::ffff:169.254.1.1]",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "100.100.100.200",
        "168.63.129.16",
        "[::ffff:168.63.129.16]",
        "192.0.0.192",
    ],
)
async def test_even_a_private_fetcher_never_asks_where_clouds_keep_metadata(host: str) -> None:
    """And credentials: at link-local addresses, and at others."""
    assert await refusal(GuardedFetch(private=True), f"https://{host}/") == "fetch-forbidden"
    assert await refusal(GuardedFetch(plain_loopback=True), f"https://{host}/") == "fetch-forbidden"
    assert await refusal(GuardedFetch(plain_loopback=True), f"http://{host}/") == "fetch-forbidden"


async def test_plain_http_goes_to_this_machine_alone() -> None:
    """Where it is permitted at all."""
    for host in ("10.0.0.1", "93.184.215.14"):
        assert await refusal(OPEN, f"http://{host}/") == "fetch-forbidden"


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Have every name resolve to these addresses; gives the names that are asked for."""
    asked: list[str] = []

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [
            (
                socket.AF_INET6 if ipaddress.ip_address(one).version == 6 else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (one, port),
            )
            for one in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


async def test_one_private_address_of_several_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is at home both outside and inside is not asked at all."""
    resolving(monkeypatch, "93.184.215.14", "10.0.0.1")
    assert await refusal(GuardedFetch(), "https://rebinding.example/") == "fetch-forbidden"


async def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that a name that answers differently the second time gains nothing."""
    async with local_server(lambda _: reply(b"ok")) as server:
        asked = resolving(monkeypatch, "127.0.0.1")
        answer = await OPEN.get(f"http://rebinding.example:{server.port}/")
    assert answer.body == b"ok"
    assert asked == ["rebinding.example"]
    assert "Host: rebinding.example" in server.requests[0]


async def test_slow_names_delay_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolving happens in threads of the fetcher's own, and its time counts."""
    release = threading.Event()
    real = socket.getaddrinfo

    def slow(host: str, *rest: Any, **more: Any) -> Any:
        if host == "slow.example":
            release.wait(60)
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    waiting = [asyncio.create_task(refusal(OPEN, "https://slow.example/", timeout_s=0.3)) for _ in range(8)]
    async with local_server(lambda _: reply(b"ok")) as server:
        assert (await OPEN.get(server.url(host="127.0.0.1"))).body == b"ok"
    assert await asyncio.gather(*waiting) == ["fetch-timeout"] * 8
    release.set()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("max-age=60", 60),
        ("public, Max-Age=300, must-revalidate", 300),
        ('max-age="60"', 60),
        ("no-store", 0),
        ("max-age=-1", None),
        ("max-age=abc", None),
        ("", None),
        ("max-age=99999999999999", 366 * 24 * 3600),
    ],
)
def test_how_long_an_answer_may_be_kept_is_read(value: str, expected: int | None) -> None:
    """RFC 9111 section 5.2.2."""
    answer = Fetched(url="https://a.example", status=200, headers={"cache-control": value})
    assert answer.max_age_s == expected
