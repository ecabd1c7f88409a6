# SPDX-License-Identifier: Apache-2.0
"""Threat: an attacker between two replicas keeps a request that one passes on to the other, and sends it
again, changed, to another replica, or later.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from remit.core.replicas.forwarding import HEADER
from tests.clients.http_line import Line
from tests.gateways.passing_replicas import prepare
from tests.gateways.several_replicas import Replica, Replicas, replicas, sent, until_sent
from tests.servers.ports import free_port
from tests.servers.postgres_server import PostgresServer

Json = Any
Change = Callable[[bytes], bytes]


class Tap:
    """Stands before a replica. While it `keeps`, what comes is kept and goes no further."""

    def __init__(self) -> None:
        self.keeps = False
        self.kept: list[bytes] = []
        self.target = 0
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Tap"]:
        """Take connections."""
        server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection("127.0.0.1", self.target)

        async def copy(out: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
            while piece := await out.read(65_536):
                if self.keeps and into is back:
                    self.kept.append(piece)
                    if b"}" in piece.partition(b"\r\n\r\n")[2] or len(self.kept) > 1:
                        writer.transport.abort()
                    continue
                into.write(piece)
                await into.drain()
            into.close()

        with contextlib.suppress(OSError):
            await asyncio.gather(copy(reader, back), copy(onward, writer))


async def said(one: Replica, request: bytes) -> tuple[int, Json]:
    """Say a request, byte by byte, to a replica; gives its status and what it answers."""
    head, _, content = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    with contextlib.closing(await Line.to(one.port)) as line:
        pairs = [tuple(each.split(": ", 1)) for each in lines]
        line._writer.write(
            f"{method} {target} HTTP/1.1\r\n".encode()
            + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in pairs)
            + b"\r\n"
            + content
        )
        answer = (await line._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(answer.split(" ")[1])
        if "transfer-encoding: chunked" in answer:
            body = await line._chunks()
        else:
            _, _, length = answer.partition("content-length: ")
            body = await line._reader.readexactly(int(length.split("\r\n")[0] or 0))
    return status, body.decode()


def length_of(body: bytes, request: bytes) -> bytes:
    """Return a request with another body."""
    head, _, before = request.partition(b"\r\n\r\n")
    old, new = b"content-length: %d" % len(before), b"content-length: %d" % len(body)
    assert old in head.lower()
    at = head.lower().index(old)
    return head[:at] + new + head[at + len(old) :] + b"\r\n\r\n" + body


class Tapped(NamedTuple):
    """Two replicas, a tap before the second, and the token of a task that the second owns, which has sent one
    mail, `before`.
    """

    world: Replicas
    tap: Tap
    token: str


@asynccontextmanager
async def tapped(folder: Path, url: str, server: PostgresServer) -> AsyncIterator[Tapped]:
    """Open them."""
    tap = Tap()
    tap.port = free_port()

    def prepared(one: Path) -> None:
        prepare(one, {"url": "http://127.0.0.1:9"}, {}, {})
        if one.name == "replica-1":
            file = one / "remit.yaml"
            config = json.loads(file.read_text())
            config["replica"]["address"] = f"http://127.0.0.1:{tap.port}"
            file.write_text(json.dumps(config))

    async with tap.listening(), replicas(folder, url, server.port, count=2, prepare=prepared) as world:
        first, second = world.all
        tap.target = second.port
        _, token = await first.open_task()
        await until_sent(second, token, "before")
        yield Tapped(world, tap, token)


async def kept_by(tap: Tap, first: Replica, token: str, subject: str) -> bytes:
    """Have a call kept on its way; gives the request that was passed on."""
    tap.kept.clear()
    tap.keeps = True
    assert await sent(first, token, subject) == "task-owner-away"
    tap.keeps = False
    return b"".join(tap.kept)


@pytest.mark.slow
async def test_a_passage_is_for_one_request_and_good_once(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Changed in any place it is refused; as it was made it is good once, at the one that it is for."""
    async with tapped(tmp_path, postgres, postgres_server) as (world, tap, token):
        first, second = world.all
        _, other = await first.open_task()
        await until_sent(second, other, "before too")
        request = await kept_by(tap, first, token, "kept")
        assert HEADER in request
        body = request.partition(b"\r\n\r\n")[2]
        told = next(line for line in request.split(b"\r\n") if line.startswith(HEADER))
        line = request.partition(b"\r\n")[0]
        changes: dict[str, Change] = {
            "another body": lambda one: length_of(body.replace(b"kept", b"sent"), one),
            "a longer body": lambda one: length_of(body + b" ", one),
            "no body": lambda one: length_of(b"", one),
            "another task": lambda one: one.replace(token.encode(), other.encode()),
            "another tool": lambda one: one.replace(b"mcp-name: send", b"mcp-name: read"),
            "another method": lambda one: one.replace(b"POST ", b"PUT ", 1),
            "another target": lambda one: one.replace(b"/mcp/mail ", b"/mcp/files ", 1),
            "a query": lambda one: one.replace(b"/mcp/mail ", b"/mcp/mail?a=b ", 1),
            "one header more": lambda one: one.replace(line, line + b"\r\nx-forwarded-for: 10.0.0.1", 1),
            "one header less": lambda one: one.replace(b"mcp-name: send\r\n", b"", 1),
            "a header twice": lambda one: one.replace(told, told + b"\r\n" + told, 1),
            "another mac": lambda one: one.replace(told, told[:-6] + b"AAAAA=", 1),
        }
        for name, change in changes.items():
            changed = change(request)
            assert changed != request, name
            status, answer = await said(second, changed)
            assert (status, "passed-on" in answer) == (400, True), (name, status, answer)
        # Not at another one, not without being it, and only once, however late.
        assert (await said(first, request))[0] == 421
        status, answer = await said(second, request)
        assert status == 200, answer
        assert (await said(second, request))[0] == 400
        subjects = [mail["subject"] for mail in world.outbox()]
        assert subjects == ["before", "before too", "kept"]
        # Nor at the replica that replaced the recipient.
        request = await kept_by(tap, first, token, "never")
        await second.stop()
        await second.start()
        assert (await said(second, request))[0] == 421
        assert [mail["subject"] for mail in world.outbox()] == subjects


@pytest.mark.slow
async def test_headers_of_one_hop_change_nothing_of_a_request_that_was_passed_on(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """They are no part of the MAC: neither a host, nor what is for a proxy, makes another request of it; and
    with a target that names another host it is none.
    """
    async with tapped(tmp_path, postgres, postgres_server) as (world, tap, token):
        first, second = world.all
        for subject in ("host", "proxy"):
            request = await kept_by(tap, first, token, subject)
            line, _, rest = request.partition(b"\r\n")
            if subject == "host":
                lines = [one for one in rest.split(b"\r\n") if not one.lower().startswith(b"host:")]
                request = b"\r\n".join((line, b"host: evil.example", *lines))
            else:
                away = line.replace(b"/mcp/mail", b"http://evil.example/mcp/mail", 1)
                assert (await said(second, b"\r\n".join((away, rest))))[0] == 421
                shown = b"proxy-authorization: Bearer " + token.encode()
                request = b"\r\n".join((line, shown, rest))
            status, answer = await said(second, request)
            assert status == 200, answer
        assert [mail["subject"] for mail in world.outbox()] == ["before", "host", "proxy"]
