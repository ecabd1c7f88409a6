# SPDX-License-Identifier: Apache-2.0
"""The relay process of one client session: it serves all doors of a client (`session_door`) in one task.

Its first door starts it and has given it the listening socket. It ends after its last door. At that moment it
takes the socket's name away before it closes the socket: a door that still connects is either served, or
reads an end and starts the next relay, under another socket of the same name.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from remit.cli.exit_codes import UsageFault
from remit.cli.tasks.client_process import Process, descends_from, look_up
from remit.cli.tasks.session_door import SERVED
from remit.sdk.gateway_client import GatewayClient
from remit.sdk.relay.bridge import CALLS_AT_ONCE, Bridge
from remit.sdk.relay.stdio import Lines, LineWriter

#: Maximum number of doors at once, each with three descriptors and a few threads.
MAX_DOORS: Final = 128
_THREADS: Final = 2 * MAX_DOORS
#: A door sends its request at once.
_REQUEST_S: Final = 10.0
_MAX_REQUEST_BYTES: Final = 512
#: A pipe takes this many bytes whole, or none of them.
_MAX_NOTICE_BYTES: Final = 4000
_PEER: Final = struct.Struct("3i")


class ClientSession:
    """The doors of one client process, and how they are served."""

    def __init__(self, facts: str) -> None:
        """Take the listening socket over, from the facts that the first door gave."""
        try:
            descriptor, pid, path = facts.split(",", 2)
            self._listener = socket.socket(fileno=int(descriptor))
            self._client = look_up(int(pid))
        except (ValueError, OSError):
            raise UsageFault("`--doors` is for remit itself", remediation="leave it out") from None
        self._listener.setblocking(False)
        self._address = Path(f"{path}.sock")
        self._log = Path(f"{path}.log")
        self._open: set[asyncio.Task[None]] = set()
        self._ended: list[socket.socket] = []
        self._all_gone = asyncio.Event()
        self._errors = _Errors(sys.stderr.fileno())

    def __enter__(self) -> Self:
        """Return this session."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Take the address away; the first door reads the log of a session that could not begin."""
        if not self._all_gone.is_set():
            self._address.unlink(missing_ok=True)
            self._listener.close()
        if kind is None:
            self._log.unlink(missing_ok=True)

    async def serve(self, gateway: GatewayClient, notice: Callable[[str], None]) -> None:
        """Serve doors until the last one is gone."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, "remit-door"))
        turns = asyncio.Semaphore(CALLS_AT_ONCE)
        sys.stderr = self._errors  # type: ignore[assignment] # a text stream as far as `remark` needs one

        def arrived() -> None:
            with suppress(BlockingIOError):
                door, _ = self._listener.accept()
                if len(self._open) >= MAX_DOORS:
                    door.close()
                    return
                task = loop.create_task(self._door(door, gateway, turns, notice))
                self._open.add(task)
                task.add_done_callback(lambda done: gone(done, door))

        def gone(task: asyncio.Task[None], door: socket.socket) -> None:
            self._open.discard(task)
            self._ended.append(door)
            if not self._open and not self._all_gone.is_set():
                arrived()  # a door may have connected since
            if self._open:
                self.dismiss()
            elif not self._all_gone.is_set():
                self._close()

        loop.add_reader(self._listener, arrived)
        try:
            await self._all_gone.wait()
        finally:
            self._close()
            rest = list(self._open)
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

    def dismiss(self) -> None:
        """Tell the doors that have ended their exit code."""
        for door in self._ended:
            with suppress(OSError):
                door.setblocking(False)
                door.send(b"0")
            door.close()
        self._ended.clear()

    def _close(self) -> None:
        if self._all_gone.is_set():
            return
        self._all_gone.set()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._address.unlink(missing_ok=True)
        self._listener.close()

    async def _door(
        self, door: socket.socket, gateway: GatewayClient, turns: asyncio.Semaphore,
        notice: Callable[[str], None],
    ) -> None:  # fmt: skip
        request = await asyncio.to_thread(_received, door, self._client)
        if request is None:
            return
        upstream, (stdin, stdout, stderr) = request
        loop = asyncio.get_running_loop()
        lines, out = Lines(stdin, until=door.fileno()), LineWriter(stdout)
        self._errors.add(stderr)
        left = asyncio.Event()
        loop.add_reader(door, left.set)
        try:
            await loop.sock_sendall(door, SERVED)
            bridge = Bridge(gateway, lines, out, upstream=upstream, turns=turns, notice=notice)
            await _until(bridge.run(), left)
        except OSError:
            pass  # the door is gone
        finally:
            loop.remove_reader(door)
            with suppress(OSError):
                door.shutdown(socket.SHUT_RD)  # wakes the reader of the lines
            await lines.close()
            out.close()
            self._errors.remove(stderr)


async def _until(work: asyncio.Future[None] | object, left: asyncio.Event) -> None:
    """Wait for `work`; cancel it when the door has left."""
    running = asyncio.ensure_future(work)  # type: ignore[arg-type]
    leaving = asyncio.create_task(left.wait())
    try:
        await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        running.cancel()
        leaving.cancel()
        await asyncio.gather(running, leaving, return_exceptions=True)


def _received(door: socket.socket, client: Process | None) -> tuple[str, tuple[int, int, int]] | None:
    """Return the upstream and the streams of a door; None if it is gone or not one of this session."""
    door.settimeout(_REQUEST_S)
    descriptors: list[int] = []
    try:
        data, descriptors, _, _ = socket.recv_fds(door, _MAX_REQUEST_BYTES, 3)
        upstream = data.decode().removesuffix("\n")
        if _belongs(door, client) and data.endswith(b"\n") and len(descriptors) == 3:
            door.setblocking(False)
            stdin, stdout, stderr = descriptors
            return upstream, (stdin, stdout, stderr)
    except (OSError, UnicodeDecodeError):
        pass
    for one in descriptors:
        os.close(one)
    return None


def _belongs(door: socket.socket, client: Process | None) -> bool:
    """Return whether a door is of this user and, where the system tells it, of this client."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # only this user can enter the socket's folder
    pid, uid, _ = _PEER.unpack(door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    if uid != os.geteuid() or client is None:
        return False
    return pid == client.pid or descends_from(pid, client)


class _Errors:
    """Standard error of this process: each line goes to every door, or to the log while there is none.

    A client that does not read its servers' errors must not stop them: a full pipe loses the line.
    """

    def __init__(self, log: int) -> None:
        self._log = log
        self._doors: list[int] = []

    def add(self, door: int) -> None:
        self._doors.append(door)

    def remove(self, door: int) -> None:
        self._doors.remove(door)
        os.close(door)

    def write(self, text: str) -> int:
        data = text.encode("utf-8", "replace")
        for place in self._doors or [self._log]:
            with suppress(OSError, ValueError):
                _, ready, _ = select.select([], [place], [], 0)
                if ready:
                    os.write(place, data[:_MAX_NOTICE_BYTES])
        return len(text)

    def flush(self) -> None:
        """Do nothing: every line is written at once."""
