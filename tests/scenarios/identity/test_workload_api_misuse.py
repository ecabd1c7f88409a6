# SPDX-License-Identifier: Apache-2.0
"""A caller that misuses the socket of the Workload API gets nothing, and takes nothing from others."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection

from remit.adapters.peers.linux import CAN_TELL
from remit.api.spiffe import listener as listener_module
from remit.api.spiffe.messages import message
from remit.api.spiffe.socket_path import bind
from remit.core.errors import ConfigInvalid, Forbidden, Unauthenticated
from remit.ports.attestor import ShownPeer
from remit.services.identity.svid_issuing import SvidRule
from tests.worlds.values import WorldClock
from tests.worlds.workload import OURS, fetched, in_thread, own_digest, stream_of, workload_world

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="this system does not tell who is at a Unix socket")


async def test_too_much_is_cut_off(tmp_path: Path) -> None:
    """A request of a megabyte ends its connection, and others go on."""
    async with workload_world(tmp_path) as world:
        async with grpc.aio.insecure_channel(world.endpoint) as channel:
            call = channel.unary_unary(
                "/SpiffeWorkloadAPI/ValidateJWTSVID",
                request_serializer=lambda one: one.SerializeToString(),
                response_deserializer=message("ValidateJWTSVIDResponse").FromString,
            )
            huge = message("ValidateJWTSVIDRequest")(audience="x", svid="A" * 1_000_000)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(huge, metadata=(("workload.spiffe.io", "true"),), timeout=60)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert str((await in_thread(lambda: fetched(world))).spiffe_id) == OURS


@pytest.mark.parametrize(
    "bytes_sent",
    [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 4096, os.urandom(8192), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
)
async def test_bytes_that_are_no_request_end_their_connection_alone(
    tmp_path: Path, bytes_sent: bytes
) -> None:
    """Whatever they are."""
    async with workload_world(tmp_path) as world:
        _, writer = await asyncio.open_unix_connection(str(world.socket))
        writer.write(bytes_sent)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        assert str((await in_thread(lambda: fetched(world))).spiffe_id) == OURS
        writer.close()


async def until(true: Callable[[], bool]) -> None:
    """Return when something has come about."""
    while not true():  # noqa: ASYNC110 - what is waited for happens in the kernel, and tells nobody
        await asyncio.sleep(0.01)


async def test_one_more_connection_than_there_may_be_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are there stay, and when one goes the next is served."""
    monkeypatch.setattr(listener_module, "MAX_CONNECTIONS_OF_USER", 3)
    async with workload_world(tmp_path) as world:
        held = [await asyncio.open_unix_connection(str(world.socket)) for _ in range(3)]
        await until(lambda: len(world.listener.connections) == 3)
        reader, writer = await asyncio.open_unix_connection(str(world.socket))
        with contextlib.suppress(ConnectionError):
            assert await reader.read(1) == b""
        writer.close()
        assert len(world.listener.connections) == 3
        held[0][1].close()
        await until(lambda: len(world.listener.connections) == 2)
        assert str((await in_thread(lambda: fetched(world))).spiffe_id) == OURS
        for _, one in held:
            one.close()


async def test_a_dropped_key_checks_nothing_before_the_bundle_is_published(tmp_path: Path) -> None:
    """Even if the store could not record the new bundle yet."""
    async with workload_world(tmp_path) as world:
        shown = ShownPeer(pid=1, uid=os.getuid(), executable_digest=own_digest())
        (old,) = await world.issuing.tokens(shown, ("x",))
        assert str(world.issuing.checked(old.token, "x").spiffe_id) == OURS
        await world.svids.rotate(at_once=True)
        with pytest.raises(Unauthenticated):
            world.issuing.checked(old.token, "x")
        (new,) = await world.issuing.tokens(shown, ("x",))
        assert str(world.issuing.checked(new.token, "x").spiffe_id) == OURS


async def test_requests_that_are_broken_off_at_once_end_their_connection(tmp_path: Path) -> None:
    """Opening and resetting streams without pause costs the server more than the client (CVE-2023-44487)."""
    async with workload_world(tmp_path) as world:
        reader, writer = await asyncio.open_unix_connection(str(world.socket))
        http2 = H2Connection(H2Configuration(client_side=True))
        http2.initiate_connection()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/SpiffeWorkloadAPI/FetchX509SVID"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("workload.spiffe.io", "true"),
        ]
        for number in range(400):
            http2.send_headers(2 * number + 1, headers)
            http2.reset_stream(2 * number + 1)
            writer.write(http2.data_to_send())
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            while await reader.read(65536):
                pass
        await until(lambda: not world.listener.connections)
        assert await world.facts("svid.issued") == []
        assert str((await in_thread(lambda: fetched(world))).spiffe_id) == OURS
        writer.close()


async def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    """A file or a listening process takes the place; a socket that was left behind is replaced."""
    async with workload_world(tmp_path) as world:
        with pytest.raises(ConfigInvalid, match="another program already listens"):
            bind(world.socket, 0o600)
    place = tmp_path / "place.sock"
    place.write_text("a file")
    with pytest.raises(ConfigInvalid, match="not a socket"):
        bind(place, 0o600)
    place.unlink()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place))
    bind(place, 0o600).close()
    assert place.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigInvalid, match="100 characters"):
        bind(tmp_path / ("x" * 200), 0o600)


async def test_a_place_where_others_could_put_a_socket_of_their_own_is_refused(tmp_path: Path) -> None:
    """Workloads would take its documents for ours. A folder like /tmp, with the sticky bit, is fine."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ConfigInvalid, match="a socket of their own"):
        bind(folder / "s", 0o600)
    folder.chmod(0o1777)
    bind(folder / "s", 0o600).close()
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        with pytest.raises(ConfigInvalid, match="a socket of their own"):
            bind(folder / "s", 0o600)


async def test_the_flood_of_one_hides_nothing_of_another(tmp_path: Path) -> None:
    """Documents of another SPIFFE ID, and refusals of another user, are written in the same second."""
    other = "spiffe://agents.example/other"
    rules = [SvidRule(spiffe_id=OURS, uid=7), SvidRule(spiffe_id=other, uid=8)]
    async with workload_world(tmp_path, clock=WorldClock(), rules=rules) as world:
        for uid, times in ((7, 50), (8, 1), (9, 50), (10, 1)):
            shown = ShownPeer(pid=1, uid=uid, executable_digest=own_digest())
            for _ in range(times):
                with contextlib.suppress(Forbidden):
                    await world.issuing.tokens(shown, ("x",))
        assert [one["uid"] for one in await world.facts("svid.issued")][-2:] == [7, 8]
        assert [one["uid"] for one in await world.facts("svid.refused")][-2:] == [9, 10]


async def test_a_flood_of_documents_is_counted(tmp_path: Path) -> None:
    """Each is given; twenty a second are written, and the next tells of the others."""
    clock = WorldClock()
    async with workload_world(tmp_path, clock=clock) as world:
        shown = ShownPeer(pid=1, uid=os.getuid(), executable_digest=own_digest())
        for _ in range(50):
            await world.issuing.tokens(shown, ("x",))
        assert len(await world.facts("svid.issued")) == 20
        clock.advance(1)
        await world.issuing.tokens(shown, ("x",))
        assert (await world.facts("svid.issued"))[-1]["further"] == 30


@pytest.mark.parametrize("metadata", [(), (("workload.spiffe.io", "false"),), (("workload.spiffe.io", ""),)])
async def test_without_the_header_nothing_is_answered(
    tmp_path: Path, metadata: tuple[tuple[str, str], ...]
) -> None:
    """SPIFFE Workload Endpoint section 3: a client that is tricked into sending a request does not send this
    header.
    """
    async with workload_world(tmp_path) as world:
        async with grpc.aio.insecure_channel(world.endpoint) as channel:
            stream = stream_of(channel, "FetchX509SVID", "X509SVID", metadata=metadata)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stream.read()
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert await world.facts("svid.issued") == []


async def test_a_connection_whose_process_has_ended_gets_nothing(tmp_path: Path) -> None:
    """Handed to a child, it still speaks for the one that connected, and that one is gone. It is told no, or
    hung up on where the end was seen first.
    """
    program = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX); sock.connect(sys.argv[1])
if os.fork():
    os._exit(0)
import time; time.sleep(0.5)
import h2.connection, h2.config
def no(kind, fault, trace): print("hung up" if issubclass(kind, ConnectionError) else repr(fault), flush=True)
sys.excepthook = no
h = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True)); h.initiate_connection()
h.send_headers(1, [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"),
  (":path", "/SpiffeWorkloadAPI/FetchX509SVID"), ("te", "trailers"), ("content-type", "application/grpc"),
  ("workload.spiffe.io", "true")])
h.send_data(1, b"\\0\\0\\0\\0\\0", end_stream=True); sock.sendall(h.data_to_send())
sock.settimeout(60); status = None
while status is None:
    data = sock.recv(65536)
    if not data: break
    for event in h.receive_data(data):
        for name, value in getattr(event, "headers", None) or ():
            if name in (b"grpc-status", "grpc-status"): status = value
    sock.sendall(h.data_to_send())
print("status", status.decode() if isinstance(status, bytes) else status, flush=True)
"""
    async with workload_world(tmp_path) as world:
        _, told = await world.run(program, str(world.socket))
        denied = f"status {grpc.StatusCode.PERMISSION_DENIED.value[0]}\n"
        assert told in {denied, "status None\n", "hung up\n"}
        assert await world.facts("svid.issued") == []


async def test_a_user_that_asks_without_end_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request may sign something: beyond so many in a minute they come again, on any connection."""
    monkeypatch.setattr(listener_module, "REQUESTS_OF_USER", 3)
    async with workload_world(tmp_path) as world:
        for _ in range(3):
            assert str((await in_thread(lambda: fetched(world))).spiffe_id) == OURS
        async with grpc.aio.insecure_channel(world.endpoint) as channel:
            call = channel.unary_unary(
                "/SpiffeWorkloadAPI/FetchJWTSVID",
                request_serializer=lambda one: one.SerializeToString(),
                response_deserializer=message("JWTSVIDResponse").FromString,
            )
            asked = message("JWTSVIDRequest")(audience=["x"])
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(asked, metadata=(("workload.spiffe.io", "true"),), timeout=60)
            # SPIFFE Workload Endpoint section 6: what clients try again.
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "asks too often" in str(refused.value.details())
