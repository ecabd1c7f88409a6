# SPDX-License-Identifier: Apache-2.0
"""Threat: a connection that goes from worker to worker has a request executed twice or not at all, gets past
the limits of a door, or is one that no worker has sent.
"""

import asyncio
import errno
import functools
import inspect
import os
import socket
import threading
import time
from array import array
from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from remit.cli.serve import connections, transfers
from remit.cli.serve.connections import AddressLimit, BoundedConnection
from remit.cli.serve.server import Server
from remit.cli.serve.transfers import MAX_RECEIVED_BYTES, Transfers
from remit.core.errors import StoreUnavailable
from remit.gateway.access_log import ACCESS, logging_requests
from remit.gateway.asgi import TRANSFER
from tests.clients.raw_peer import each_loop

Json = Any
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
TOLD = b"a replica says so"
LONG_S = 60
CLOCK: Json = SimpleNamespace(boot_s=lambda: 0.0)
PLAIN: Json = {"interface": "asgi3", "ws": "none", "lifespan": "off", "log_config": None}


class Worker:
    """A worker that owns the paths that begin with its name; others it transfers, or forwards."""

    def __init__(self, name: str, folder: Path, most: int = 100) -> None:
        self.name = name
        self.place = folder / f"{name}.sock"
        self.others: dict[str, Worker] = {}
        #: The bodies that were executed here, in order, and who had sent them.
        self.executed: list[bytes] = []
        self.clients: list[Json] = []
        self.forwarded = 0
        self.told = TOLD
        kind = type("Kind", (BoundedConnection,), {"addresses": AddressLimit(most)})
        config = uvicorn.Config(self._logged, http=kind, proxy_headers=False, **PLAIN)
        self.server = Server(lambda: None, config)
        self.server.ready = lambda: None
        self.sock = socket.create_server(("127.0.0.1", 0))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve until the end."""
        running = asyncio.create_task(self.server._serve([self.sock]))
        while not self.server.started:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        self.server.exchange(self.place, lambda told, _: told == TOLD)
        try:
            yield
        finally:
            self.server.should_exit = True
            await running

    @property
    def transfers(self) -> Transfers:
        """Its socket for connections."""
        kind: Json = self.server.config.http_protocol_class
        found: Transfers = kind.transfers
        return found

    async def connected(self) -> Streams:
        """Return a connection to its port."""
        return await asyncio.open_connection(*self.sock.getsockname())

    def _written(self, received: bytes) -> bytes:
        if not self.told:
            raise StoreUnavailable("its address is forged")
        return self.told

    async def _logged(self, scope: Json, receive: Json, send: Json) -> None:
        await logging_requests(self._serve, CLOCK)(scope, receive, send)

    async def _serve(self, scope: MutableMapping[str, Any], receive: Json, send: Json) -> None:
        owner = self.others.get(scope["path"][1:].partition("/")[0])
        if owner is not None:
            transfer = scope.get(TRANSFER)
            try:
                if transfer is not None and await transfer(str(owner.place), self._written):
                    return
            except StoreUnavailable:
                await _answer(send, 503, b"")
                return
            self.forwarded += 1
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        (owner or self).executed.append(body)
        self.clients.append(scope["client"])
        await _answer(send, 200, self.name.encode() + b" " + body[:20])


async def _answer(send: Json, status: int, body: bytes) -> None:
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def with_workers(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Give a test two workers that know each other, on each event loop."""
    signature = inspect.signature(story)

    async def told(*, tmp_path: Path, **more: object) -> None:
        left, right = Worker("left", tmp_path), Worker("right", tmp_path, most=2)
        left.others, right.others = {"right": right}, {"left": left}
        async with asyncio.timeout(LONG_S), left.serving(), right.serving():
            await story(workers=(left, right), **more)

    functools.update_wrapper(told, story)
    place = inspect.Parameter("tmp_path", inspect.Parameter.KEYWORD_ONLY)
    kept = [one for name, one in signature.parameters.items() if name != "workers"]
    told.__signature__ = signature.replace(parameters=[*kept, place])  # type: ignore[attr-defined]
    return each_loop(told)


def request(path: str, body: bytes, more: str = "") -> bytes:
    """Return the bytes of one request."""
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


async def answered(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return status and body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return int(head.split()[1]), await reader.readexactly(int(length))


@with_workers
async def test_the_owner_serves_the_connection_from_its_first_request_on(
    workers: tuple[Worker, Worker],
) -> None:
    """It sees the client's own address, and later requests reach it without the other worker."""
    left, right = workers
    reader, writer = await left.connected()
    for body in (b"one", b"two", b"three"):
        writer.write(request("/right", body))
        assert await answered(reader) == (200, b"right " + body)
    assert right.executed == [b"one", b"two", b"three"]
    assert set(right.clients) == {writer.get_extra_info("sockname")}
    assert left.forwarded == 0
    assert not left.server.server_state.connections
    writer.close()


@with_workers
async def test_a_later_request_may_take_the_connection_to_its_owner(workers: tuple[Worker, Worker]) -> None:
    """What was answered before is not answered again."""
    left, right = workers
    reader, writer = await left.connected()
    for path, name in (("/", b"left "), ("/right", b"right ")):
        writer.write(request(path, b"x"))
        assert await answered(reader) == (200, name + b"x")
    assert (left.executed, right.executed) == ([b"x"], [b"x"])
    writer.close()


@with_workers
async def test_a_connection_goes_to_another_worker_once(workers: tuple[Worker, Worker]) -> None:
    """A request of another owner is forwarded from then on."""
    left, right = workers
    reader, writer = await left.connected()
    for path in ("/right", "/left", "/right"):
        writer.write(request(path, b"x"))
        assert await answered(reader) == (200, b"right x")
    assert right.forwarded == 1
    assert (left.executed, right.executed) == ([b"x"], [b"x", b"x"])
    writer.close()


@with_workers
async def test_the_access_log_has_a_request_once(
    workers: tuple[Worker, Worker], caplog: pytest.LogCaptureFixture
) -> None:
    """The worker that has answered it wrote the line, with the client's address."""
    caplog.set_level("INFO", ACCESS)
    reader, writer = await workers[0].connected()
    writer.write(request("/right", b"x"))
    await answered(reader)
    writer.close()
    lines: list[Json] = [one.msg for one in caplog.records if one.name == ACCESS]
    assert [(one["status"], one["from_address"]) for one in lines] == [(200, "127.0.0.1")]


@with_workers
async def test_a_lone_request_is_answered_and_its_connection_closed(workers: tuple[Worker, Worker]) -> None:
    """The end of the connection is the owner's."""
    reader, writer = await workers[0].connected()
    writer.write(request("/right", b"x", "Connection: close\r\n"))
    assert await answered(reader) == (200, b"right x")
    assert await reader.read() == b""
    writer.close()


@with_workers
async def test_requests_that_wait_go_along_in_order(workers: tuple[Worker, Worker]) -> None:
    """Those behind the first of another owner are executed once, wherever they belong."""
    left, right = workers
    reader, writer = await left.connected()
    writer.write(request("/right", b"1") + request("/left", b"2") + request("/right", b"3"))
    assert [await answered(reader) for _ in range(3)] == [
        (200, b"right " + one) for one in (b"1", b"2", b"3")
    ]
    assert (left.executed, right.executed) == ([b"2"], [b"1", b"3"])
    writer.close()


@with_workers
async def test_requests_behind_one_that_is_served_here_stay(workers: tuple[Worker, Worker]) -> None:
    """The first may have been executed, so what was received with it goes nowhere."""
    left, right = workers
    reader, writer = await left.connected()
    writer.write(request("/", b"1") + request("/right", b"2"))
    assert [await answered(reader) for _ in range(2)] == [(200, b"left 1"), (200, b"left 2")]
    assert (left.executed, left.forwarded, right.executed) == ([b"1"], 1, [b"2"])
    writer.close()


@pytest.mark.parametrize("size", [10, MAX_RECEIVED_BYTES, 1_000_000])
@with_workers
async def test_a_body_that_arrives_later_is_whole(workers: tuple[Worker, Worker], size: int) -> None:
    """Its beginning was received by one worker, and the rest by the other."""
    left, right = workers
    body = os.urandom(size)
    data = request("/right", body)
    reader, writer = await left.connected()
    for piece in (data[:30], data[30 : len(data) - size // 2], data[len(data) - size // 2 :]):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    assert (await answered(reader))[0] == 200
    assert right.executed == [body]
    writer.close()


@with_workers
async def test_what_is_too_long_or_asked_to_go_on_is_forwarded(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that waits for `100 Continue` gets it once, from the worker that it has."""
    left, right = workers
    reader, writer = await left.connected()
    writer.write(request("/right", b"x", "Expect: 100-continue\r\n"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    assert await answered(reader) == (200, b"left x")
    monkeypatch.setattr(connections, "MAX_RECEIVED_BYTES", 40)
    writer.write(request("/right", b"y"))
    assert await answered(reader) == (200, b"left y")
    assert (left.forwarded, right.executed) == (2, [b"x", b"y"])
    writer.close()


@pytest.mark.parametrize("how", ["closed", "absent"])
@with_workers
async def test_without_its_owner_a_request_stays_here(workers: tuple[Worker, Worker], how: str) -> None:
    """The forwarding decides what becomes of it; and a later one is tried again."""
    left, right = workers
    right.transfers.close()
    if how == "absent":
        right.place.with_suffix(".conn").unlink()
    reader, writer = await left.connected()
    writer.write(request("/right", b"1"))
    assert await answered(reader) == (200, b"left 1")
    right.server.exchange(right.place, lambda told, _: told == TOLD)
    writer.write(request("/right", b"2"))
    assert await answered(reader) == (200, b"right 2")
    assert right.executed == [b"1", b"2"]
    writer.close()


@with_workers
async def test_an_owner_that_ends_before_it_answers_has_not_served(workers: tuple[Worker, Worker]) -> None:
    """What was in its queue comes back at once, and is executed once."""
    left, right = workers
    loop = asyncio.get_running_loop()
    loop.remove_reader(right.transfers._sock)
    reader, writer = await left.connected()
    writer.write(request("/right", b"1"))
    await asyncio.sleep(0.1)
    assert not right.executed
    right.transfers._sock.close()
    assert await answered(reader) == (200, b"left 1")
    assert right.executed == [b"1"]
    writer.close()


@with_workers
async def test_an_owner_that_wakes_too_late_does_not_serve(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender has stopped to listen, so the late one lets go of the connection."""
    monkeypatch.setattr(transfers, "TAKE_S", 0.05)
    left, right = workers
    loop, sock = asyncio.get_running_loop(), right.transfers._sock
    loop.remove_reader(sock)
    reader, writer = await left.connected()
    writer.write(request("/right", b"1"))
    assert await answered(reader) == (200, b"left 1")
    right.transfers.open()
    writer.write(request("/right", b"2"))
    assert (await answered(reader))[0] == 200
    assert right.executed == [b"1", b"2"]
    writer.close()


def test_an_answer_is_either_read_or_refused() -> None:
    """However it meets the end of the time limit, sender and owner agree on who serves."""
    taken = []
    for _ in range(300):
        mine, others = socket.socketpair()
        arrival = transfers.Arrival(b"", others.detach())
        start = threading.Barrier(2)
        answers: list[bool] = []

        def take(arrival: Json = arrival, start: Json = start, answers: Json = answers) -> None:
            start.wait()
            answers.append(arrival.take())

        owner = threading.Thread(target=take)
        owner.start()
        start.wait()
        mine.setblocking(False)
        gone = transfers._is_taken_after_all(mine)
        owner.join()
        assert answers == [gone]
        taken.append(gone)
        arrival.close()
        mine.close()
    assert taken


@pytest.mark.parametrize("how", ["limit", "cancelled"])
@each_loop
async def test_an_answer_that_meets_the_time_limit_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """After a stall, a sender finds both at once: the owner serves, so it does not."""
    monkeypatch.setattr(transfers, "TAKE_S", 0.2 if how == "limit" else LONG_S)
    sender = Transfers(tmp_path / "left.sock", lambda *_: False, lambda *_, **__: asyncio.sleep(0))
    connection, _client = socket.socketpair()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as owner, connection, _client:
        owner.bind(str(tmp_path / "right.conn"))
        sending = asyncio.create_task(
            sender.send(connection.fileno(), str(tmp_path / "right.sock"), TOLD + b"\n")
        )
        await asyncio.sleep(0.01)
        _, given, _, _ = socket.recv_fds(owner, 100, 2)
        os.write(given[1], b"1")
        if how == "limit":
            # The process stood still for longer than the limit.
            time.sleep(0.3)  # noqa: ASYNC251
        else:
            asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(sending.cancel))
        assert await sending
        for one in given:
            os.close(one)
    sender.close()


@with_workers
async def test_without_a_free_descriptor_a_request_stays_here(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is forwarded like every request that cannot be handed over."""
    left, right = workers

    def full(*_: object) -> Json:
        raise OSError(errno.EMFILE, "Too many open files")

    reader, writer = await left.connected()
    monkeypatch.setattr(socket, "socketpair", full)
    writer.write(request("/right", b"1"))
    assert await answered(reader) == (200, b"left 1")
    assert right.executed == [b"1"]
    writer.close()


@with_workers
async def test_a_connection_that_no_worker_sends_is_not_served(workers: tuple[Worker, Worker]) -> None:
    """A process of the same user can write to the socket, and gets nothing but an end."""
    left, right = workers
    place = right.place.with_suffix(".conn")
    assert place.stat().st_mode & 0o777 == 0o600
    for message in (b"forged\n" + request("/right", b"x"), b"", b"x" * 100_000):
        mine, others = socket.socketpair()
        client, served = socket.socketpair()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            rights = array("i", (served.fileno(), others.fileno()))
            sender.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)], 0, str(place))
        others.close()
        served.close()
        for one in (mine, client):
            one.setblocking(False)
            assert await asyncio.get_running_loop().sock_recv(one, 100) == b""
            one.close()
    left.told = b"forged"
    reader, writer = await left.connected()
    writer.write(request("/right", b"1"))
    assert await answered(reader) == (200, b"left 1")
    left.told = b""
    writer.write(request("/right", b"2"))
    assert (await answered(reader))[0] == 503
    writer.write(request("/", b"3"))
    assert await answered(reader) == (200, b"left 3")
    assert right.executed == [b"1"]
    writer.close()


@with_workers
async def test_the_owner_counts_the_connections_of_an_address(workers: tuple[Worker, Worker]) -> None:
    """Connections that came by another worker fill the limit, and leave that worker's count."""
    left, right = workers
    kept = []
    for _ in range(2):
        reader, writer = await left.connected()
        writer.write(request("/right", b"x") + request("/right", b"")[:20])
        assert (await answered(reader))[0] == 200
        kept.append((reader, writer))
    reader, writer = await left.connected()
    writer.write(request("/right", b"x"))
    assert (await answered(reader))[0] == 200
    # The oldest one that has sent no whole request gives way, as at any door.
    assert await kept[0][0].read() == b""
    addresses: Json = right.server.config.http_protocol_class
    assert len(addresses.addresses._every) == 2
    addresses = left.server.config.http_protocol_class
    assert not addresses.addresses._every
    for _, each in (*kept, (reader, writer)):
        each.close()
