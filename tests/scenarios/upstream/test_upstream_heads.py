# SPDX-License-Identifier: Apache-2.0
"""Threat: an API conveys something to an agent, in any part of its answer, that remit does not see.

The hostile API writes a separate address into each part of an answer of HTTP/1.1: status line, early hints,
headers, trailers, extensions of chunks, and bodies of every kind, cut wherever it likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.flow.justification import Provenance
from remit.core.label import Trust
from tests.servers.hostile_mcp import Canaries
from tests.worlds.http_endpoint import SECRET, RestWorld, rest_world
from tests.worlds.services import Told

BASE = "to: "


class RawApi:
    """Answers each request with the same bytes, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, which it then closes."""
        await reader.readuntil(b"\r\n\r\n")
        for piece in self.pieces:
            writer.write(piece)
            await writer.drain()
            # The other end has a turn: pieces arrive as pieces.
            for _ in range(5):
                await asyncio.sleep(0)
        writer.close()

    def answer(self, head: str, body: bytes, *, cut: int = 65_536, trailers: str = "") -> None:
        """Give an answer whose body comes in chunks of so many bytes."""
        chunks = [body[start : start + cut] for start in range(0, len(body), cut)]
        begun = f"HTTP/1.1 {head}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n".encode()
        self.pieces = [begun, *(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks)]
        self.pieces.append(f"0\r\n{trailers}\r\n".encode())


class HostileApi:
    """The endpoint before the hostile API."""

    def __init__(self, world: RestWorld, api: RawApi) -> None:
        self.world = world
        self.api = api
        self.canaries = Canaries()

    async def ask(self) -> Told:
        """Make a request in a new task."""
        self.world.task, self.world.token = await self.world.open()
        return await self.world.get("/say/something")

    def check(self, told: Told, content: bytes = b"") -> int:
        """Hold what an agent was told against what its task knows of it; gives how much it was told."""
        heads = repr(sorted(told.headers.items())).encode()
        found = self.canaries.within(heads + told.content + content)
        live = self.world.services.tasks.live.get(self.world.task)
        assert live is not None
        for text in found:
            assert live.index.judge(text).provenance is Provenance.UNTRUSTED, (text, told)
        assert live.label.trust is Trust.UNTRUSTED
        return len(found)


@pytest.fixture
async def hostile(tmp_path: Path) -> AsyncIterator[HostileApi]:
    """A hostile API behind the endpoint."""
    api = RawApi()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, rest_world(tmp_path, at=url) as world:
        yield HostileApi(world, api)


#: Headers that pass by their names, that do not, and that frame the answer.
HEADERS = (
    "allow", "content-disposition", "content-language", "deprecation", "etag", "last-modified",
    "preference-applied", "ratelimit", "retry-after", "sunset", "x-total-count", "x-ratelimit-reset",
    "set-cookie", "www-authenticate", "server", "vary", "x-anything", "link", "content-location", "via",
    "remit-left-out", "remit-refused", "warning",
)  # fmt: skip


@pytest.mark.parametrize("status", ["200 Fine", "404 Gone", "500 Broken", "203 So"])
async def test_nothing_of_a_head_reaches_an_agent_unobserved(hostile: HostileApi, status: str) -> None:
    """Neither values of headers nor their names, nor what stands beside the status, nor trailers."""
    new = hostile.canaries.new
    lines = [f"{name}: {new()}" for name in HEADERS]
    named = f"x-{(host := new().removeprefix('mail@'))}"
    hostile.canaries.texts[host.encode()] = named
    lines += [f"{named}: {new()}", f"content-type: text/plain; x={new('uri')[7:]}"]
    hints = f"HTTP/1.1 103 {new()}\r\nlink: <{new()}>\r\n\r\n"
    hostile.api.answer(f"{status} {new()}\r\n" + "\r\n".join(lines), b"x", trailers=f"etag: {new()}\r\n")
    plain = list(hostile.api.pieces)
    told = await hostile.ask()
    assert hostile.check(told) > 10
    hostile.api.pieces = [hints.encode(), *plain]
    hostile.check(await hostile.ask())
    extended = plain[1].replace(b"\r\n", b";%s\r\n" % new().replace("@", "-").encode(), 1)
    hostile.api.pieces = [plain[0], extended, plain[2]]
    hostile.check(await hostile.ask())


@pytest.mark.parametrize(
    "to", ["/v1/{}", "/v1/x?d={}", "https://{}/x", "/v1/%2e%2e/{}", "//{}", "/v1/a b {}", "{}"]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 201])
async def test_nothing_of_a_redirect_reaches_an_agent_unobserved(
    hostile: HostileApi, status: int, to: str
) -> None:
    """An address below the API is told as one of this endpoint; it is the API's word all the same."""
    hostile.api.answer(f"{status} Look\r\nlocation: {to.format(hostile.canaries.new())}", b"")
    hostile.check(await hostile.ask())


@pytest.mark.parametrize("status", [300, 304, 401, 407, 426, 599])
async def test_an_answer_that_is_refused_says_nothing_of_its_own(hostile: HostileApi, status: int) -> None:
    """What remit says of it are remit's words."""
    new = hostile.canaries.new
    hostile.api.answer(f"{status} {new()}\r\nwww-authenticate: Basic realm={new()}", new().encode())
    hostile.check(await hostile.ask())


KINDS = (
    "application/octet-stream", "text/plain", "text/html; charset=utf-8", "application/json",
    "application/xml", "text/event-stream", "application/x-ndjson", "image/png",
    "text/plain; charset=utf-16", "nothing at all",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 4, 7, 1000])
async def test_an_address_is_found_wherever_a_body_is_cut(hostile: HostileApi, kind: str, cut: int) -> None:
    """In pieces of four bytes no piece has one, and no two have."""
    texts = [hostile.canaries.new() for _ in range(3)]
    if "json" in kind:
        body = "".join(f'{{"to":"{one}"}}\n' for one in texts)
        body = body if "nd" in kind else "[" + body.strip().replace("\n", ",") + "]"
    else:
        body = "".join(f"data: {BASE}{one} and more\n\n" for one in texts)
    hostile.api.answer(f"200 OK\r\ncontent-type: {kind}", body.encode(), cut=cut)
    told = await hostile.ask()
    assert told.content == body.encode()
    assert hostile.check(told) == 3


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain"])
async def test_what_is_held_back_as_a_credential_hides_no_address(hostile: HostileApi, kind: str) -> None:
    """An address that begins like the credential waits for its next piece, and is read as one."""
    begins = SECRET[:6]
    host = hostile.canaries.new().removeprefix("mail@")
    hostile.canaries.texts[host.encode()] = f"{begins}@{host}"
    body = f"{BASE}{begins}@{host}".encode()
    for at in range(1, len(body)):
        hostile.api.answer(f"200 OK\r\ncontent-type: {kind}", body)
        head, end = hostile.api.pieces[0], hostile.api.pieces[-1]
        parts = [b"%x\r\n%s\r\n" % (len(one), one) for one in (body[:at], body[at:])]
        hostile.api.pieces = [head, *parts, end]
        told = await hostile.ask()
        assert told.content == body
        assert hostile.check(told) == 1


async def test_an_address_lies_across_the_windows_of_a_long_text(hostile: HostileApi) -> None:
    """Wherever the text is cut to be read, and however short the line before the cut is."""
    text = hostile.canaries.new()
    for filler in (131_060, 131_072, 140_000):
        body = b"a\n" + b"x" * (filler - 2) + b" " + text.encode() + b" " + b"y" * 9_000
        hostile.api.answer("200 OK\r\ncontent-type: text/plain", body)
        told = await hostile.ask()
        assert told.content == body
        assert hostile.check(told) == 1
