# SPDX-License-Identifier: Apache-2.0
"""Threat: what answers at the place of a database, or of an issuer, takes the secret that it is shown."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.secret_probe import BearerSecretProbe, PostgresSecretProbe
from remit.ports.broker import Probe
from tests.servers.postgres_server import PostgresServer

SECRET = "Zx-unusual-value-91"
#: Requests of the PostgreSQL protocol: a password in clear, its MD5 digest, and none at all.
CLEAR, DIGEST, NOTHING = struct.pack("!i", 3), struct.pack("!i", 5) + b"salt", struct.pack("!i", 0)


@asynccontextmanager
async def asking(request: bytes) -> AsyncIterator[tuple[int, bytearray]]:
    """Serve what asks each client so; gives its port, and everything that it is sent."""
    taken = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = struct.unpack("!i", await reader.readexactly(4))[0]
        first = await reader.readexactly(size - 4)
        if first[:4] == struct.pack("!i", 80877103):  # a request for TLS
            writer.write(b"N")
            size = struct.unpack("!i", await reader.readexactly(4))[0]
            await reader.readexactly(size - 4)
        writer.write(b"R" + struct.pack("!i", len(request) + 4) + request)
        taken.extend(await reader.read(4_096))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], taken


@pytest.mark.parametrize("request_", [CLEAR, DIGEST, NOTHING])
async def test_a_server_that_asks_for_the_password_itself_gets_nothing(request_: bytes) -> None:
    """And says nothing about the password."""
    async with asking(request_) as (port, taken):
        probe = PostgresSecretProbe("crm", lambda: f"postgresql://127.0.0.1:{port}/crm")
        assert await probe.probe(SECRET, "crm_app") is Probe.UNREACHABLE
        assert SECRET.encode() not in taken
        assert not taken.startswith(b"p"), "an answer to the request"


async def test_a_real_database_gives_a_clear_answer(postgres: str, postgres_server: PostgresServer) -> None:
    """For the right password, a wrong one, and a role that is gone; nothing is done there."""
    user = f"probed_{postgres.rsplit('/', 1)[1]}"
    postgres_server.ask(f"create role {user} login password '{SECRET}'")
    # The account of the address is remit's own, and not used.
    probe = PostgresSecretProbe("crm", lambda: postgres)
    assert await probe.probe(SECRET, user) is Probe.ACCEPTED
    assert await probe.probe("another", user) is Probe.REFUSED
    postgres_server.ask(f"drop role {user}")
    assert await probe.probe(SECRET, user) is Probe.REFUSED
    for user_, secret in (("", SECRET), (user, ""), (user, "a\0b"), ("a\0b", SECRET)):
        assert await probe.probe(secret, user_) is Probe.UNREACHABLE
    with psycopg.connect(postgres):
        assert SECRET not in probe.place


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("200 OK", Probe.ACCEPTED),
        ("401 Unauthorized", Probe.REFUSED),
        ("403 Forbidden", Probe.UNREACHABLE),
        ("302 Found\r\nLocation: http://127.0.0.1:1/evil", Probe.UNREACHABLE),
        ("500 Oh", Probe.UNREACHABLE),
    ],
)
async def test_an_issuer_gives_a_clear_answer_or_none(answer: str, outcome: Probe) -> None:
    """A redirect carries the token nowhere, and no secret breaks out of its header."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    web = BrokerHttp("the issuer")
    async with server:
        port = server.sockets[0].getsockname()[1]
        probe = BearerSecretProbe("code", "github", f"http://127.0.0.1:{port}/user", web)
        assert await probe.probe(f"gho_{SECRET}", "") is outcome
        # A refresh token would be refused here while it lives.
        for hostile in ("ghp_a\r\nX-Evil: 1", "ghp_a b", "ghp_é", "", "ghr_refresh", SECRET):
            assert await probe.probe(hostile, "") is Probe.UNREACHABLE
        await web.close()
    assert len(heard) == 1
    assert heard[0].startswith(b"GET /user ")
