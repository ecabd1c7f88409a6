# SPDX-License-Identifier: Apache-2.0
"""The relay process of one client session: it serves all shims of a client (`session_shim`) in one task.

Its first shim starts it and has given it the listening socket. It ends after its last shim. At that moment it
takes the socket's name away before it closes the socket: a shim that still connects is either served, or
reads an end and starts the next relay, under another socket of the same name.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import struct
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from remit.cli.exit_codes import UsageFault
from remit.cli.tasks.client_process import Process, descends_from, look_up
from remit.cli.tasks.session_shim import SERVED
from remit.relay.bridge import CALLS_AT_ONCE, Bridge
from remit.relay.stdio import Lines, LineWriter
from remit_sdk.gateway_client import GatewayClient

#: Maximum number of shims at once, each with three descriptors and a few threads.
MAX_SHIMS: Final = 128
_THREADS: Final = 2 * MAX_SHIMS
#: A shim sends its request at once.
_REQUEST_S: Final = 10.0
_MAX_REQUEST_BYTES: Final = 512
#: A pipe takes this many bytes whole, or none of them.
_MAX_NOTICE_BYTES: Final = 4000
_PEER: Final = struct.Struct("3i")


class ClientSession:
    """The shims of one client process, and how they are served."""

    def __init__(self, facts: str) -> None:
        """Take the listening socket over, from the facts that the first shim gave."""
        try:
            descriptor, pid, path = facts.split(",", 2)
            self._listener = socket.socket(fileno=int(descriptor))
            self._client = look_up(int(pid))
        except (ValueError, OSError):
            raise UsageFault("`--shims` is for remit itself", remediation="leave it out") from None
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
        """Take the address away; the first shim reads the log of a session that could not begin."""
        if not self._all_gone.is_set():
            self._address.unlink(missing_ok=True)
            self._listener.close()
        if kind is None:
            self._log.unlink(missing_ok=True)

    async def serve(self, gateway: GatewayClient, notice: Callable[[str], None]) -> None:
        """Serve shims until the last one is gone."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, "remit-shim"))
        turns = asyncio.Semaphore(CALLS_AT_ONCE)
        sys.stderr = self._errors

        def arrived() -> None:
            with suppress(BlockingIOError):
                shim, _ = self._listener.accept()
                if len(self._open) >= MAX_SHIMS:
                    shim.close()
                    return
                task = loop.create_task(self._shim(shim, gateway, turns, notice))
                self._open.add(task)
                task.add_done_callback(lambda done: gone(done, shim))

        def gone(task: asyncio.Task[None], shim: socket.socket) -> None:
            self._open.discard(task)
            self._ended.append(shim)
            if not task.cancelled() and (fault := task.exception()) is not None:
                notice(f"a server of this client was cut off: {type(fault).__name__}")
            if not self._open and not self._all_gone.is_set():
                arrived()  # a shim may have connected since
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
        """Tell the shims that have ended their exit code."""
        for shim in self._ended:
            with suppress(OSError):
                shim.setblocking(False)
                shim.send(b"0")
            shim.close()
        self._ended.clear()

    def _close(self) -> None:
        if self._all_gone.is_set():
            return
        self._all_gone.set()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._address.unlink(missing_ok=True)
        self._listener.close()

    async def _shim(
        self, shim: socket.socket, gateway: GatewayClient, turns: asyncio.Semaphore,
        notice: Callable[[str], None],
    ) -> None:  # fmt: skip
        request = await asyncio.to_thread(_received, shim, self._client)
        if request is None:
            return
        upstream, (stdin, stdout, stderr) = request
        loop = asyncio.get_running_loop()
        lines, out = Lines(stdin, until=shim.fileno()), LineWriter(stdout)
        self._errors.add(stderr)
        left = asyncio.Event()
        loop.add_reader(shim, left.set)
        try:
            await loop.sock_sendall(shim, SERVED)
            bridge = Bridge(gateway, lines, out, upstream=upstream, turns=turns, notice=notice)
            await _until(bridge.run(), left)
        except OSError:
            pass  # the shim is gone
        finally:
            loop.remove_reader(shim)
            with suppress(OSError):
                shim.shutdown(socket.SHUT_RD)  # wakes the reader of the lines
            await lines.close()
            out.close()
            self._errors.remove(stderr)


async def _until(work: Coroutine[Any, Any, None], left: asyncio.Event) -> None:
    """Wait for `work`; cancel it when the shim has left."""
    running = asyncio.create_task(work)
    leaving = asyncio.create_task(left.wait())
    try:
        await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        running.cancel()
        leaving.cancel()
        await asyncio.gather(running, leaving, return_exceptions=True)
    if not running.cancelled():
        running.result()  # raises what ended it


def _received(shim: socket.socket, client: Process | None) -> tuple[str, tuple[int, int, int]] | None:
    """Return the upstream and the streams of a shim; None if it is gone or not one of this session."""
    shim.settimeout(_REQUEST_S)
    descriptors: list[int] = []
    try:
        data, descriptors, _, _ = socket.recv_fds(shim, _MAX_REQUEST_BYTES, 3)
        upstream = data.decode().removesuffix("\n")
        if _belongs(shim, client) and data.endswith(b"\n") and len(descriptors) == 3:
            shim.setblocking(False)
            stdin, stdout, stderr = descriptors
            return upstream, (stdin, stdout, stderr)
    except (OSError, UnicodeDecodeError):
        pass
    for one in descriptors:
        os.close(one)
    return None


def _belongs(shim: socket.socket, client: Process | None) -> bool:
    """Return whether a shim is of this user and, where the system tells it, of this client."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # only this user can enter the socket's folder
    pid, uid, _ = _PEER.unpack(shim.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    if uid != os.geteuid() or client is None:
        return False
    return pid == client.pid or descends_from(pid, client, relay=os.getpid())


class _Errors:
    """Standard error of this process: each line goes to every shim, or to the log while there is none.

    A client that does not read its servers' errors must not stop them: a full pipe loses the line.
    """

    def __init__(self, log: int) -> None:
        self._log = log
        self._shims: list[int] = []

    def add(self, shim: int) -> None:
        self._shims.append(shim)

    def remove(self, shim: int) -> None:
        self._shims.remove(shim)
        os.close(shim)

    def write(self, text: str) -> int:
        data = text.encode("utf-8", "replace")
        for place in self._shims or [self._log]:
            with suppress(OSError, ValueError):
                _, ready, _ = select.select([], [place], [], 0)
                if ready:
                    os.write(place, data[:_MAX_NOTICE_BYTES])
        return len(text)

    def flush(self) -> None:
        """Do nothing: every line is written at once."""
