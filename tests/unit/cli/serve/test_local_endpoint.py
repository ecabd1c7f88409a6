# SPDX-License-Identifier: Apache-2.0
"""Processes at the other end of a Unix socket: what the kernel says of them, and what follows."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from remit.adapters.peers.linux import CAN_TELL, LinuxPeers
from remit.cli.serve import unix_socket as local
from remit.cli.serve.connections import BoundedConnection
from remit.core.errors import ConfigInvalid, Unauthenticated

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="only Linux says who is at the other end of a socket")

#: Connects to a Unix socket, says hello with a GET, prints the body of the answer, and waits for a line.
CLIENT = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
sock.sendall(b"GET / HTTP/1.1\\r\\nHost: remit\\r\\nConnection: close\\r\\n\\r\\n")
print(b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\\r\\n\\r\\n")[2].decode(), flush=True)
"""


def digest(path: str) -> str:
    """Return the SHA-256 of a file, whatever leads there."""
    return hashlib.sha256(Path(path).resolve().read_bytes()).hexdigest()


async def test_the_other_end_is_known_by_process_user_and_executable() -> None:
    """Here it is this very process, and the digest is that of its interpreter."""
    one, other = socket.socketpair()
    with one, other:
        peer = LinuxPeers().at(one.fileno())
        shown = await peer.shown()
        peer.close()
    assert (shown.pid, shown.uid) == (os.getpid(), os.geteuid())
    assert shown.executable_digest == digest("/proc/self/exe")


async def test_a_process_that_has_ended_is_nobody(tmp_path: Path) -> None:
    """Though its connection is still there to be looked at: the kernel's handle says so."""
    code = "import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);input()"
    place = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, place, stdin=asyncio.subprocess.PIPE
        )
        accepted, _ = await asyncio.to_thread(listener.accept)
        with accepted:
            peer = LinuxPeers().at(accepted.fileno())
            assert (await peer.shown()).pid == process.pid
            await process.communicate(b"\n")
            with pytest.raises(Unauthenticated) as refused:
                await peer.shown()
            assert refused.value.code == "peer-unknown"
            peer.close()
            peer.close()


def test_what_is_no_unix_socket_has_no_peer() -> None:
    """A TCP connection, a file, a descriptor that is closed."""
    with socket.socket() as tcp, Path("/dev/null").open() as null:
        for descriptor in (tcp.fileno(), null.fileno(), 10_000):
            with pytest.raises(Unauthenticated):
                LinuxPeers().at(descriptor)


def test_the_digest_is_that_of_the_running_file_whatever_stands_under_its_name(tmp_path: Path) -> None:
    """A file that is replaced after the start is not what runs."""
    program = tmp_path / "program"
    shutil.copy(Path("/bin/sleep").resolve(), program)
    original = digest(str(program))
    with subprocess.Popen([str(program), "60"]) as process:
        try:
            program.unlink()
            program.write_bytes(b"something else")
            peers = LinuxPeers()
            held = peers.program_of(process.pid)
            assert peers.digest_of(held) == original
            assert peers.digest_of(held) == original
            os.close(held)
        finally:
            process.kill()


@asynccontextmanager
async def endpoint(place: Path, open_to: str = "user") -> AsyncIterator[uvicorn.Server]:
    """Serve what tells the peer of each request, on a port and on a Unix socket."""

    async def tell(scope: Any, receive: Any, send: Any) -> None:
        peer = scope.get("remit.peer")
        shown = await peer.shown() if peer is not None else None
        body = json.dumps(shown and [shown.pid, shown.uid, shown.executable_digest]).encode()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(tell, lifespan="off", http=BoundedConnection, ws="none", log_config=None)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        await server.startup([sock])
        try:
            await local.listen(server, place, LinuxPeers(), open_to)
            yield server
        finally:
            await server.shutdown([sock])


async def test_the_endpoint_tells_who_asks_over_the_unix_socket(tmp_path: Path) -> None:
    """Another process is told by its own number and executable, not by ours."""
    place = tmp_path / "remit.sock"
    async with endpoint(place):
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, str(place), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        pid, uid, found = json.loads(await process.stdout.read())
        await process.wait()
    assert (pid, uid) == (process.pid, os.geteuid())
    assert found == digest(sys.executable)


async def test_over_the_port_nobody_is_told(tmp_path: Path) -> None:
    """Nor can a request say that it came over the socket."""
    async with endpoint(tmp_path / "remit.sock") as server:
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nremit.peer: 1\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
    assert answer.endswith(b"null")


async def test_a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    """A file is not touched either."""
    place = tmp_path / "remit.sock"
    async with endpoint(place):
        with pytest.raises(ConfigInvalid, match="listens at"):
            async with endpoint(place):
                pass
    with socket.socket(socket.AF_UNIX) as left:
        place.unlink(missing_ok=True)
        left.bind(str(place))
    async with endpoint(place, "all"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o666
    other = tmp_path / "file"
    other.write_text("kept")
    with pytest.raises(ConfigInvalid, match="is not a socket"):
        async with endpoint(other):
            pass
    assert other.read_text() == "kept"


async def test_connections_of_one_user_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is closed; when others have gone, there is room again."""
    monkeypatch.setattr(local, "MAX_CONNECTIONS_OF_USER", 3)
    place = tmp_path / "remit.sock"

    async def ask() -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(place))
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return await reader.read()
        except OSError:
            return b""
        finally:
            writer.close()

    async with endpoint(place):
        held = [(await asyncio.open_unix_connection(str(place)))[1] for _ in range(3)]
        assert await ask() == b""
        for writer in held:
            writer.close()
            await writer.wait_closed()
        answer = b""
        while not answer:
            answer = await ask()
    assert b"200 OK" in answer
