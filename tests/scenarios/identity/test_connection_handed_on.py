# SPDX-License-Identifier: Apache-2.0
"""Threat: a process connects, leaves the connection to a child, and becomes a program that is trusted.

The kernel names who connected, and that is now the trusted program; who speaks is the child.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from remit.adapters.peers.linux import CAN_TELL, LinuxPeer, LinuxPeers
from remit.core.errors import Unauthenticated

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="this system does not tell who is at a Unix socket")

#: Connects, says so, and becomes what it is told, as soon as a line comes; the child keeps the connection.
CONNECT = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
print("connected", flush=True)
{between}
if os.fork() == 0:
    sock.recv(1)
    os._exit(0)
{then}
"""
BECOME = "os.execv(sys.argv[2], [sys.argv[2], '60'])"


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    """A program that a rule may name."""
    return Path(shutil.copy(Path(shutil.which("sleep") or "/bin/sleep").resolve(), tmp_path / "trusted"))


async def connected(place: str, code: str, *more: str) -> tuple[asyncio.subprocess.Process, LinuxPeer]:
    """Return a process that connects, and its connection's peer."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, place, *more, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"connected\n"
        accepted, _ = await asyncio.to_thread(listener.accept)
    with accepted:
        return process, LinuxPeers().at(accepted.fileno())


async def runs(process: asyncio.subprocess.Process, program: Path) -> None:
    """Return when a process has become a program."""
    while os.readlink(f"/proc/{process.pid}/exe") != str(program):  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.01)


async def test_who_becomes_a_trusted_program_is_not_served_as_it(tmp_path: Path, trusted: Path) -> None:
    """Neither where it was looked at before, nor where it was not."""
    code = CONNECT.format(between="input()", then=BECOME)
    for looked_at in (True, False):
        process, peer = await connected(str(tmp_path / f"socket-{looked_at}"), code, str(trusted))
        try:
            if looked_at:
                assert (await peer.shown()).pid == process.pid
            assert process.stdin is not None
            process.stdin.write(b"\n")
            await runs(process, trusted)
            with pytest.raises(Unauthenticated, match="cannot be told"):
                await peer.shown()
        finally:
            peer.close()
            process.kill()
            await process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
async def test_who_becomes_another_user_is_not_served_as_the_one_that_connected(tmp_path: Path) -> None:
    """What runs with fewer rights by now does not speak for the user with more."""
    code = CONNECT.format(between="input(); os.setuid(65534)", then="print('less', flush=True); input()")
    process, peer = await connected(str(tmp_path / "socket"), code)
    try:
        assert (await peer.shown()).uid == 0
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n")
        assert await process.stdout.readline() == b"less\n"
        with pytest.raises(Unauthenticated, match="cannot be told"):
            await peer.shown()
    finally:
        peer.close()
        process.kill()
        await process.wait()
