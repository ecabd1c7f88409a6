# SPDX-License-Identifier: Apache-2.0
"""A Unix socket at which the relays of clients announce their tasks. Linux only.

A relay hides its descriptors, because it holds a key, so that no table tells which TCP connection it has. At
a Unix socket the kernel itself says which process has connected (`SO_PEERCRED`, unix(7)).
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from remit.adapters.runtime.peer_processes import process_of
from remit.ports.runtime import RunningProcess

_PEER: Final = struct.Struct("3i")
_MOST_BYTES: Final = 256
#: A relay announces its task in one line at once.
_PATIENCE_S: Final = 5.0
NOTED: Final = b"+"


@asynccontextmanager
async def announcements(path: Path, noted: Callable[[str, RunningProcess], None]) -> AsyncIterator[None]:
    """Listen at a socket, which only this user can enter; `noted` gets each task and its process.

    Raises `OSError` where the socket cannot be made.
    """

    async def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, TimeoutError, IndexError):
            process = _peer(writer.get_extra_info("socket"))
            line = await asyncio.wait_for(reader.readline(), _PATIENCE_S)
            if process is not None and line.endswith(b"\n"):
                noted(line.decode("ascii").strip(), process)
                writer.write(NOTED)
        writer.close()

    listener = await asyncio.to_thread(_listening, path)
    server = await asyncio.start_unix_server(arrived, sock=listener, limit=_MOST_BYTES)
    try:
        yield
    finally:
        server.close()
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _listening(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # The address of a Unix socket holds about 100 bytes; this one is short wherever the folder is.
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        path.chmod(0o600)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(folder)
    return listener


def _peer(connected: socket.socket) -> RunningProcess | None:
    """Return the process that connected; None if it is another user's."""
    pid, uid, _ = _PEER.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return process_of(pid) if uid == os.geteuid() else None
